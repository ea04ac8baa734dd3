"""Read a lock: which packages an environment was resolved to, and which of those that were asked for it lacks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from aml_jupyter.config.conda_dependencies import package_name

__all__ = ["Package", "changed_packages", "left_out", "locked_packages"]

_CONDA: Final = re.compile(r"^\s*- conda: (\S+)$", re.MULTILINE)
_PIN: Final = re.compile(r"^([A-Za-z0-9][\w.\-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
_FILE: Final = re.compile(
    r"^(?:([A-Za-z0-9][\w.\-]*)(?:\[[^\]]*\])? @ )?(?:file|https?)\S*/([^/\s#]+?)(?:#\S*)?(?=\s|$)", re.MULTILINE
)
_ARCHIVE: Final = re.compile(r"(\.conda|\.tar\.bz2|\.whl|\.tar\.gz|\.zip)$")


class Package(NamedTuple):
    """Name a package, its version, and who brought it: ``conda`` or ``pip``."""

    name: str
    version: str
    source: str


def locked_packages(lock: str) -> list[Package]:
    """Return the packages of a lock by name: pinned requirements, conda packages, or both."""
    found: dict[tuple[str, str], Package] = {}
    lock = lock.rpartition("# --- layer ---")[2].lstrip()  # before it, an image's lock says what it stands on
    for address in _CONDA.findall(lock):
        name, version, *_ = [*_ARCHIVE.sub("", address.rsplit("/", 1)[-1]).rsplit("-", 2), ""]
        found[name, "conda"] = Package(name, version, "conda")
    pip = "" if lock.startswith("version:") and "# --- pip ---" not in lock else lock.rpartition("# --- pip ---")[2]
    for name, version in _PIN.findall(pip):
        found[name.lower(), "pip"] = Package(name, version, "pip")
    for name, file in _FILE.findall(pip):
        parts = _ARCHIVE.sub("", file).split("-")
        found.setdefault(
            ((name or parts[0]).lower(), "pip"), Package(name or parts[0], parts[1] if len(parts) > 1 else "", "pip")
        )
    return sorted(found.values(), key=lambda package: (package.name.lower(), package.source))


def left_out(asked: Mapping[str, Any], lock: str) -> list[str]:
    """Return the packages of Azure's that a recipe asks for and that could not be installed: the in-run client stands in.

    Parameters
    ----------
    asked : dict
        What the recipe asks for.
    lock : str
        What it was resolved to.
    """
    wanted = (asked.get("layer") or asked).get("requirements") or []
    azure = [line for line in wanted if line.lower().startswith("azureml-")]
    has = {re.sub(r"[-_.]+", "-", package.name).lower() for package in locked_packages(lock)} if azure else set()
    return [line for line in azure if re.sub(r"[-_.]+", "-", package_name(line)).lower() not in has]


def changed_packages(before: str, after: str) -> list[str]:
    """Return in words how one lock differs from another: ``pandas 2.2.2 -> 2.2.3``, ``+ six 1.16``, ``- toml 0.10``."""
    old: Mapping[tuple[str, str], Package] = {
        (each.name.lower(), each.source): each for each in locked_packages(before)
    }
    new = {(each.name.lower(), each.source): each for each in locked_packages(after)}
    told = []
    bases = [_base(lock) for lock in (before, after)]
    if bases[0] != bases[1]:
        told.append(f"base image {bases[0] or 'none'} -> {bases[1] or 'none'}")
    for key in sorted({*old, *new}):
        one, other = old.get(key), new.get(key)
        if one is None and other is not None:
            told.append(f"+ {other.name} {other.version}")
        elif one is not None and other is None:
            told.append(f"- {one.name} {one.version}")
        elif one is not None and other is not None and one.version != other.version:
            told.append(f"{other.name} {one.version} -> {other.version}")
    return told


def _base(lock: str) -> str:
    """Return the image that the lock of an image stands on."""
    found = re.match(r'\{"base": "([^"]+)"', lock)
    return found.group(1)[:19] if found else ""
