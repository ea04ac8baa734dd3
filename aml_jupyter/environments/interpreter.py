"""Find the interpreter that a run configuration names, and check that it runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import Any, NamedTuple

from aml_jupyter.errors import ConfigurationError

OLDEST = (3, 6)
FIELD = "environment.python.interpreter_path"
_PATIENCE = 60.0
_PROBE = "import sys; sys.stdout.write('aml-python %d.%d.%d' % sys.version_info[:3])"
_checked: dict[tuple[str, int, int], str] = {}


class UserPython(NamedTuple):
    """Name a person's own interpreter, as it was written and where it is."""

    written: str
    path: str


def named_interpreter(python: Mapping[str, Any]) -> str | None:
    """Return the interpreter that the ``python`` section of a definition names, or None for the submitter's.

    ``python``, SDK v1's default, names none: it is the one that the run is submitted from.
    """
    written = str(python.get("interpreterPath") or "").strip()
    if not python.get("userManagedDependencies") or written in ("", "python"):
        return None
    return written


def locate(written: str, submitter: Mapping[str, Any]) -> UserPython:
    """Return where an interpreter is.

    A bare name is looked up on the submitter's PATH; a relative path starts at the submitter's current folder.
    Links are kept: a virtual environment is recognised by the path of its interpreter.

    Raises
    ------
    ConfigurationError
        When nothing is there, or it is a folder, or it may not be executed.
    """
    search = (submitter.get("variables") or {}).get("PATH", os.defpath)
    expanded = os.path.expanduser(written)
    if os.sep not in expanded:
        found = shutil.which(expanded, path=search)
        if found is None:
            raise _refusal(written, f"no program of this name is on the PATH ({search})", "Write its full path")
        return UserPython(written, os.path.abspath(found))
    path = os.path.normpath(os.path.join(submitter.get("cwd") or os.getcwd(), expanded))
    if not os.path.lexists(path):
        raise _refusal(written, f"there is no file {path}", _suggestion(path))
    if not os.path.exists(path):
        raise _refusal(
            written,
            f"{path} is a broken link to {os.path.realpath(path)}",
            "Make the environment again, or name another",
        )
    if os.path.isdir(path):
        raise _refusal(written, f"{path} is a folder", _suggestion(path))
    if not os.access(path, os.X_OK):
        raise _refusal(written, f"{path} may not be executed by this user", _suggestion(path))
    return UserPython(written, path)


def _suggestion(path: str) -> str:
    for folder in (path, os.path.dirname(path), os.path.join(os.path.dirname(path), "bin")):
        for candidate in (os.path.join(folder, "bin", "python"), os.path.join(folder, "python")):
            if os.access(candidate, os.X_OK) and not os.path.isdir(candidate):
                return f"Did you mean {candidate}?"
    return (
        "Write the full path of a Python, for example that which `python -c 'import sys; print(sys.executable)'` prints"
    )


def _refusal(written: str, why: str, instead: str) -> ConfigurationError:
    end = "" if instead.endswith("?") else "."
    return ConfigurationError(
        f"{FIELD}: expected a Python interpreter, found {written!r}: {why}. {instead}{end}", FIELD
    )


def version_of(python: UserPython, variables: Mapping[str, str]) -> str:
    """Return the version that an interpreter reports when it is run; one run for each file and time of change.

    Raises
    ------
    ConfigurationError
        When it does not run, is not Python, is too old, or does not answer.
    """
    status = os.stat(python.path)
    key = (python.path, status.st_mtime_ns, status.st_ino)
    if key not in _checked:
        version = _ask(python, variables)
        if tuple(map(int, version.split(".")[:2])) < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            raise _refusal(
                python.written, f"it is Python {version}; {oldest} is the oldest that runs", "Name a newer one"
            )
        _checked[key] = version
    return _checked[key]


def _ask(python: UserPython, variables: Mapping[str, str]) -> str:
    import subprocess

    try:
        answer = subprocess.run(
            [python.path, "-c", _PROBE],
            env=dict(variables),
            cwd=os.sep,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _refusal(
            python.written, f"{python.path} did not answer within {_PATIENCE:.0f} s", "Name another"
        ) from None
    except OSError as error:
        raise _refusal(
            python.written, f"{python.path} does not run ({error.strerror or error})", "Name another"
        ) from error
    said = answer.stdout.decode(errors="replace").rpartition("aml-python ")
    if answer.returncode == 0 and said[1]:
        return said[2].strip()
    complaint = (answer.stderr or answer.stdout).decode(errors="replace").strip().splitlines()
    last = f", and said: {complaint[-1][:300]}" if complaint else ""
    raise _refusal(python.written, f"{python.path} ended with exit code {answer.returncode}{last}", "Name another")
