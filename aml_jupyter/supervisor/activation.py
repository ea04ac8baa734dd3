"""Find out what activating a conda environment sets, by sourcing its scripts once, when it is built; here and on far machines."""

import json
import os
import shutil
import subprocess
from glob import glob
from typing import Dict, List, Tuple

from .faults import fault_point

__all__ = ["ActivationError", "activation_variables"]

PATIENCE = 60
"""Seconds that the scripts may take."""

_OURS = frozenset(("PATH", "PWD", "OLDPWD", "SHLVL", "_", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "HOME"))


class ActivationError(Exception):
    """Say which environment cannot be activated, and why."""


def activation_variables(prefix: str) -> Tuple[Dict[str, str], List[str]]:
    """Return the variables that activation sets, and the folders that it puts before the PATH besides ``bin``.

    Parameters
    ----------
    prefix : str
        Where the environment lies; ``etc/conda/activate.d`` and ``conda-meta/state`` count.

    Raises
    ------
    ActivationError
        When a script of a package fails.
    """
    variables = _written(prefix)
    folder = os.path.join(prefix, "etc", "conda", "activate.d")
    scripts = sorted(glob(os.path.join(folder, "*.sh")))
    if not scripts:
        return variables, []
    shell = shutil.which("bash") or "/bin/sh"
    before = {
        "PATH": "%s/bin:%s" % (prefix, os.defpath),
        "CONDA_PREFIX": prefix,
        "CONDA_DEFAULT_ENV": os.path.basename(prefix),
        "HOME": os.environ.get("HOME", "/"),
    }
    before.update(variables)
    program = "".join(". '%s' || exit 3\n" % script for script in scripts) + "exec env -0\n"
    try:
        with fault_point("far.install"):
            answer = subprocess.run(
                [shell, "-c", program],
                env=before,
                cwd=prefix,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                timeout=PATIENCE,
                check=False,
            )
    except subprocess.TimeoutExpired:
        raise ActivationError("the activation scripts in %s did not end in %d s" % (folder, PATIENCE)) from None
    if answer.returncode:
        said = answer.stderr.decode(errors="replace").strip().splitlines()
        raise ActivationError("an activation script of %s failed: %s" % (folder, said[-1] if said else "no word"))
    # what a script prints stands before the variables, in the first entry
    after = _parsed(answer.stdout.decode(errors="surrogateescape").split("\0"))
    changed = {name: value for name, value in after.items() if name not in _OURS and before.get(name) != value}
    known = before["PATH"].split(":")
    path = [entry for entry in after.get("PATH", "").split(":") if entry and entry not in known]
    variables.update(changed)
    return variables, path


def _parsed(entries: List[str]) -> Dict[str, str]:
    found = {}
    for index, entry in enumerate(entries):
        name, equals, value = (entry.rsplit("\n", 1)[-1] if index == 0 else entry).partition("=")
        if equals:
            found[name] = value
    return found


def _written(prefix: str) -> Dict[str, str]:
    """Return the variables that packages and the user have written down for the environment, as conda reads them."""
    found: Dict[str, str] = {}
    places = sorted(glob(os.path.join(prefix, "etc", "conda", "env_vars.d", "*.json")))
    for path in places + [os.path.join(prefix, "conda-meta", "state")]:
        try:
            with open(path, encoding="utf-8") as stream:
                content = json.load(stream)
        except (OSError, ValueError):
            continue
        if isinstance(content, dict):
            values = content.get("env_vars", {}) if os.path.basename(path) == "state" else content
            found.update(
                (str(name), str(value)) for name, value in values.items() if isinstance(value, (str, int, float))
            )
    return found
