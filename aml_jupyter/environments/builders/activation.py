"""Find out what activating a conda environment sets, by sourcing its scripts once, when it is built."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from aml_jupyter.environments.builders import BuildError

__all__ = ["activation_variables"]

_PATIENCE: Final = 60
_OURS: Final = frozenset({"PATH", "PWD", "OLDPWD", "SHLVL", "_", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "HOME"})


def activation_variables(prefix: Path) -> tuple[dict[str, str], list[str]]:
    """Return the variables that activation sets, and the folders that it puts before the PATH besides ``bin``.

    Parameters
    ----------
    prefix : Path
        Where the environment lies; ``etc/conda/activate.d`` and ``conda-meta/state`` count.

    Raises
    ------
    BuildError
        When a script of a package fails.
    """
    variables = _written(prefix)
    scripts = sorted((prefix / "etc/conda/activate.d").glob("*.sh"))
    if not scripts:
        return variables, []
    shell = shutil.which("bash") or "/bin/sh"
    before = {
        "PATH": f"{prefix}/bin:{os.defpath}",
        "CONDA_PREFIX": str(prefix),
        "CONDA_DEFAULT_ENV": prefix.name,
        "HOME": os.environ.get("HOME", "/"),
        **variables,
    }
    program = "".join(f". '{script}' || exit 3\n" for script in scripts) + "exec env -0\n"
    try:
        answer = subprocess.run(
            [shell, "-c", program],
            env=before,
            cwd=prefix,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BuildError(
            f"the activation scripts in {prefix}/etc/conda/activate.d did not end in {_PATIENCE} s"
        ) from None
    if answer.returncode:
        said = answer.stderr.decode(errors="replace").strip().splitlines()
        raise BuildError(
            f"an activation script of {prefix}/etc/conda/activate.d failed: {said[-1] if said else 'no word'}"
        )
    # what a script prints stands before the variables, in the first entry
    entries = answer.stdout.decode(errors="surrogateescape").split("\0")
    after = _parsed(entries)
    changed = {name: value for name, value in after.items() if name not in _OURS and before.get(name) != value}
    path = [entry for entry in after.get("PATH", "").split(":") if entry and entry not in before["PATH"].split(":")]
    return {**variables, **changed}, path


def _parsed(entries: list[str]) -> dict[str, str]:
    found = {}
    for index, entry in enumerate(entries):
        name, equals, value = (entry.rsplit("\n", 1)[-1] if index == 0 else entry).partition("=")
        if equals:
            found[name] = value
    return found


def _written(prefix: Path) -> dict[str, str]:
    """Return the variables that packages and the user have written down for the environment, as conda reads them."""
    found: dict[str, str] = {}
    for path in [*sorted((prefix / "etc/conda/env_vars.d").glob("*.json")), prefix / "conda-meta/state"]:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(content, dict):
            values = content.get("env_vars", {}) if path.name == "state" else content
            found |= {str(name): str(value) for name, value in values.items() if isinstance(value, (str, int, float))}
    return found
