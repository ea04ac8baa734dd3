"""Pickle the notebook's variables for a run's cell. What comes back is unpickled by `aml_jupyter.sdk.outputs`."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from aml_jupyter.errors import UserErrorException, nearest

__all__ = ["check_python", "check_version", "pickle_inputs"]

_PROBE = "import sys; print('%d.%d.%d' % sys.version_info[:3])"


def pickle_inputs(names: Sequence[str], namespace: Mapping[str, Any]) -> bytes:
    """Return the named variables of `namespace`, pickled with cloudpickle as one dictionary.

    What the notebook itself defines (functions, classes) travels by value, what is imported by its name.

    Raises
    ------
    UserErrorException
        Naming the variable that is missing or cannot be pickled.
    """
    import cloudpickle

    for name in names:
        if name not in namespace:
            known = [known for known in namespace if not known.startswith("_")]
            hint = nearest(name, known) if known else "the notebook has no variables yet"
            raise UserErrorException(f"-i {name}: the notebook has no variable '{name}'; {hint}.", name)
    try:
        pickled: bytes = cloudpickle.dumps({name: namespace[name] for name in names})
    except Exception as error:  # a variable's own __reduce__ may raise anything
        culprit, reason = _culprit(names, namespace) or (", ".join(names), error)
        kind = type(namespace[culprit]).__name__ if culprit in namespace else "value"
        raise UserErrorException(
            f"-i {culprit}: this {kind} cannot be pickled ({reason}). Send what it is made of.",
            culprit,
        ) from error
    return pickled


def _culprit(names: Sequence[str], namespace: Mapping[str, Any]) -> tuple[str, Exception] | None:
    import cloudpickle

    for name in names:
        try:
            cloudpickle.dumps(namespace[name])
        except Exception as error:
            return name, error
    return None


def check_python(interpreter: str, option: str) -> None:
    """Refuse to send values to, or fetch them from, a Python of another major.minor version: pickles would not fit.

    Raises
    ------
    UserErrorException
        Naming both versions, or saying why the interpreter does not answer.
    """
    theirs = platform.python_version() if interpreter == sys.executable else _version_of(interpreter)
    check_version(theirs, interpreter, option)


def check_version(theirs: str, interpreter: str, option: str) -> None:
    """Do what `check_python` does with a version that is known already."""
    ours = platform.python_version()
    if theirs.split(".")[:2] != ours.split(".")[:2]:
        raise UserErrorException(
            f"{option}: values cannot travel between Python {ours} (this notebook) and Python {theirs} "
            f"({interpreter}). Use an interpreter of the same version, or pass files through ./outputs.",
            option,
        )


@lru_cache(maxsize=32)
def _version_of(interpreter: str) -> str:
    try:
        done = subprocess.run([interpreter, "-c", _PROBE], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserErrorException(f"The interpreter {interpreter} does not run: {error}.", "interpreter_path") from error
    if done.returncode != 0:
        raise UserErrorException(
            f"The interpreter {interpreter} does not run: {done.stderr.strip()}", "interpreter_path"
        )
    return done.stdout.strip()
