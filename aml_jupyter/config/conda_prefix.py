"""Read which packages an existing conda environment has, from the records in its folder; no conda is needed.

Knows where conda keeps environments: ``~/.conda/environments.txt``, the ``envs`` folder of an installation, and what
conda's own settings and variables say.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aml_jupyter.config.conda_dependencies import CondaDependencies
from aml_jupyter.errors import UserErrorException, nearest

__all__ = ["packages_of_prefix", "prefix_of"]

_INSTALLATIONS = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba", ".local/share/mamba")


def prefix_of(name: str) -> Path:
    """Return the folder of a conda environment of this machine.

    Parameters
    ----------
    name : str
        Its name, or its folder.

    Raises
    ------
    UserErrorException
        When there is none; says which there are.
    """
    if os.sep in name or name.startswith("~"):
        place = Path(os.path.abspath(os.path.expanduser(name)))
        if not (place / "conda-meta").is_dir():
            raise UserErrorException(
                f"{name!r} is no conda environment: there is no folder {place / 'conda-meta'}.",
                "conda_environment_name",
            )
        return place
    known = _known()
    if name not in known:
        raise UserErrorException(
            f"There is no conda environment {name!r} on this machine; "
            f"{nearest(name, list(known)) or 'none was found'}. A folder can be named, too.",
            "conda_environment_name",
        )
    return known[name]


def _known() -> dict[str, Path]:
    """Return the environments of this machine by name; an installation itself is ``base``."""
    found: dict[str, Path] = {}
    for prefix in _prefixes():
        if (prefix / "conda-meta").is_dir():
            is_base = (prefix / "condabin").is_dir() or (prefix / "pkgs").is_dir()
            found.setdefault("base" if is_base else prefix.name, prefix)
    return found


def _prefixes() -> Iterator[Path]:
    home = Path.home()
    for variable in ("CONDA_PREFIX", "CONDA_PREFIX_1"):
        if os.environ.get(variable):
            yield Path(os.environ[variable])
    try:
        listed = (home / ".conda/environments.txt").read_text(encoding="utf-8").splitlines()
    except OSError:
        listed = []
    yield from (Path(line.strip()) for line in listed if line.strip())
    for root in _roots(home):
        yield root
        yield from _below(root / "envs")
    for folder in _folders(home):
        yield from _below(folder)


def _roots(home: Path) -> Iterator[Path]:
    for variable in ("CONDA_ROOT", "MAMBA_ROOT_PREFIX"):
        if os.environ.get(variable):
            yield Path(os.environ[variable])
    program = os.environ.get("CONDA_EXE") or shutil.which("conda") or shutil.which("mamba")
    if program:
        yield Path(os.path.realpath(program)).parent.parent
    yield from (place / name for place in (home, Path("/opt")) for name in (*_INSTALLATIONS, "conda"))


def _folders(home: Path) -> Iterator[Path]:
    for variable in ("CONDA_ENVS_PATH", "CONDA_ENVS_DIRS"):
        for entry in os.environ.get(variable, "").replace(",", os.pathsep).split(os.pathsep):
            if entry:
                yield Path(os.path.expanduser(entry))
    yield home / ".conda/envs"


def _below(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:
        return []


def packages_of_prefix(prefix: Path) -> CondaDependencies:
    """Return the packages of a conda environment: each with version and build, then what pip has added.

    Raises
    ------
    UserErrorException
        When one of its records cannot be read.
    """
    records = [_record(path) for path in sorted((prefix / "conda-meta").glob("*.json"))]
    packages = [f"{record['name']}={record['version']}={record['build']}" for record in records]
    packages.sort(key=lambda package: (not package.startswith("python="), package))
    channels = list(dict.fromkeys(filter(None, map(_channel, records))))
    pip = sorted(_of_pip(prefix, {_folded(str(record["name"])) for record in records}))
    content: dict[str, Any] = {"name": prefix.name, "channels": channels, "dependencies": [*packages]}
    if pip:
        content["dependencies"].append({"pip": pip})
    return CondaDependencies.from_dict(content)


def _record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return {key: record.get(key) for key in ("channel", "url")} | {
            key: record[key] for key in ("name", "version", "build")
        }
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise UserErrorException(
            f"The conda environment {path.parent.parent} cannot be read: {path}: {error!r}.", "conda_environment_name"
        ) from None


def _channel(record: dict[str, Any]) -> str | None:
    """Return the channel that a package came from, without the platform at its end."""
    channel = str(record["channel"] or record["url"] or "")
    address = re.sub(r"/(noarch|[a-z]+-(32|64|aarch64|arm64|ppc64le|s390x))(/[^/]*)?/?$", "", channel)
    public = re.fullmatch(r"https://conda\.anaconda\.org/([^/]+)", address)
    if re.fullmatch(r"https://repo\.anaconda\.com/pkgs/\w+|pkgs/\w+", address):
        return "defaults"
    return public.group(1) if public else address or None


def _of_pip(prefix: Path, known: set[str]) -> Iterator[str]:
    """Yield what was installed into the environment by anything but conda."""
    for folder in sorted(prefix.glob("lib/python3*/site-packages/*.dist-info")):
        name, _, version = folder.name.removesuffix(".dist-info").rpartition("-")
        try:
            installer = (folder / "INSTALLER").read_text(encoding="utf-8").strip()
        except OSError:
            installer = ""
        if name and installer != "conda" and _folded(name) not in known:
            yield f"{name.replace('_', '-')}=={version}"


def _folded(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
