"""Find a Python of a wanted version on this machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from aml_jupyter.errors import ConfigurationError

__all__ = ["FoundPython", "find_python", "python_specifier", "uv_program"]

FIELD: Final = "environment.python.conda_dependencies"
_PATIENCE: Final = 60.0
_FRESH_SECONDS: Final = 30.0


class FoundPython(NamedTuple):
    """Name an interpreter and its version."""

    path: str
    version: str


_found: dict[str, tuple[float, list[FoundPython]]] = {}


def uv_program() -> str:
    """Return the path of uv: the one that is installed with this package, else the one on the PATH.

    Raises
    ------
    ConfigurationError
        When there is none.
    """
    beside = os.path.join(os.path.dirname(os.path.abspath(sys.executable)), "uv")
    found = beside if os.access(beside, os.X_OK) else shutil.which("uv")
    if found is None:
        raise ConfigurationError(
            "uv, which builds virtual environments, is not installed beside aml-jupyter. Install it: pip install uv.",
            field=FIELD,
        )
    return found


def python_specifier(package: str) -> str:
    """Return conda's wish for a Python, for example ``python=3.11.*=*_cpython``, as a version specifier (PEP 440).

    Raises
    ------
    ConfigurationError
        When it is none.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    wish = package.split("::")[-1].strip()[len("python") :].strip().strip("[]")
    parts = []
    for part in (entry.strip() for entry in wish.split(",")):
        match = re.match(r"(==|>=|<=|!=|~=|=|>|<)?\s*([\w.*+!-]+)(?:\s*=\s*\S+|\s+\S+)?$", part)
        if not part:
            continue
        if match is None:
            raise _no_version(package)
        sign, version = match.group(1) or "=", match.group(2)
        if version == "*":
            continue
        if sign == "=":
            sign, version = "==", version if version.endswith(".*") or version.count(".") > 1 else f"{version}.*"
        parts.append(f"{sign}{version}")
    try:
        return str(SpecifierSet(",".join(parts)))
    except InvalidSpecifier:
        raise _no_version(package) from None


def _no_version(package: str) -> ConfigurationError:
    return ConfigurationError(
        f"{FIELD}: {package!r} asks for no version of Python that is known; write for example python=3.11.", field=FIELD
    )


def find_python(package: str, submitter: Mapping[str, Any]) -> FoundPython | None:
    """Return a Python of this machine that satisfies conda's wish `package`, or None; the submitter's own comes first."""
    from packaging.specifiers import SpecifierSet

    wanted = SpecifierSet(python_specifier(package))
    version = str(submitter.get("version") or "")
    if version and wanted.contains(version, prereleases=True):
        return FoundPython(str(submitter["python"]), version)
    fitting = [found for found in installed_pythons() if wanted.contains(found.version, prereleases=True)]
    return fitting[0] if fitting else None


def installed_pythons() -> list[FoundPython]:
    """Return the Pythons that uv finds on this machine, the newest first; what was found counts for a short time."""
    search = _search_path()
    moment, known = _found.get(search, (0.0, []))
    if time.monotonic() - moment > _FRESH_SECONDS or not known:
        known = _listed_by_uv(search)
        _found[search] = (time.monotonic(), known)
    return known


def _search_path() -> str:
    """Return the PATH with the Pythons of version managers in place of their shims, which answer for one project only."""
    home = Path.home()
    entries = [entry for entry in os.environ.get("PATH", os.defpath).split(os.pathsep) if entry]
    entries = [entry for entry in entries if os.path.basename(entry) != "shims"]
    roots = [
        Path(os.environ.get("PYENV_ROOT") or home / ".pyenv") / "versions",
        Path(os.environ.get("ASDF_DATA_DIR") or home / ".asdf") / "installs/python",
        Path(os.environ.get("MISE_DATA_DIR") or home / ".local/share/mise") / "installs/python",
    ]
    entries += [str(folder) for root in roots for folder in sorted(root.glob("*/bin"), reverse=True)]
    return os.pathsep.join(dict.fromkeys(entries))


def _listed_by_uv(search: str) -> list[FoundPython]:
    command = [uv_program(), "python", "list", "--only-installed", "--no-python-downloads", "--output-format", "json"]
    try:
        answer = subprocess.run(
            command,
            env={**os.environ, "PATH": search},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=True,
            cwd=os.sep,
        )
        listed = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return []
    found = [
        FoundPython(str(entry["path"]), str(entry["version"]))
        for entry in listed
        if entry.get("path") and entry.get("implementation") == "cpython"
    ]
    return sorted(found, key=lambda python: [int(part) for part in re.findall(r"\d+", python.version)], reverse=True)


def nearest_python(package: str) -> str:
    """Return, for a message, which Pythons there are, nearest to the wish first."""
    wish = [int(part) for part in re.findall(r"\d+", package)][:2]
    versions = list(dict.fromkeys(found.version for found in installed_pythons()))

    def distance(version: str) -> tuple[int, ...]:
        numbers = [int(part) for part in re.findall(r"\d+", version)]
        return tuple(abs(one - other) for one, other in zip(numbers, wish or numbers, strict=False))

    near = sorted(versions, key=distance)[:4]
    return f"The nearest on this machine is Python {near[0]}" + (f" (also {', '.join(near[1:])})" if near[1:] else "")
