"""Define the packages of an environment: the content of a ``conda_dependencies.yml``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from aml_jupyter.config.conda_frameworks import FrameworkPackages
from aml_jupyter.config.reading import Place, printable, read_mapping, read_plain, read_strings, read_text
from aml_jupyter.errors import ConfigurationError, UserErrorException, nearest

ALLOWED_KEYS = ("name", "channels", "dependencies", "prefix", "variables")
TEMPLATE_PYTHON = "3.8.13"
DEFAULT_PYTHON = "3.10.18"
SDK_VERSION = "1.61.0"
SDK_PACKAGES = frozenset(
    f"azureml-{name}"
    for names in (
        "automl-core automl-runtime contrib-notebook core datadrift defaults explain-model interpret mlflow",
        "opendatasets pipeline pipeline-core pipeline-steps sdk telemetry tensorboard",
        "train train-automl train-automl-client train-core widgets",
    )
    for name in names.split()
)
FILE_NAME = "conda_dependencies.yml"


def package_name(package: str) -> str:
    """Return a package's name without version, extras or the tail of a wheel's file name."""
    if package.endswith(".whl"):
        return package.rsplit("/", 1)[-1].split("-", 1)[0]
    return re.split(r"[\[\]=<>~!;@ ]", package.strip(), maxsplit=1)[0]


def same_package(one: str, other: str) -> bool:
    """Say whether two requirements name the same package."""
    return _normal(package_name(one)) == _normal(package_name(other))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


class CondaDependencies(FrameworkPackages):
    """Hold the conda and pip packages, channels and Python version of an environment.

    Parameters
    ----------
    conda_dependencies_file_path : str, optional
        A conda environment file to start from; else SDK v1's template (Python 3.8.13 and azureml-defaults).
    """

    def __init__(
        self,
        conda_dependencies_file_path: str | os.PathLike[str] | None = None,
        _underlying_structure: Mapping[str, Any] | None = None,
    ) -> None:
        self._content: dict[str, Any]
        self._places: dict[str, str] = {}
        if conda_dependencies_file_path is not None:
            self._content = read_conda_file(Path(conda_dependencies_file_path), self._places)
        elif _underlying_structure is not None:
            self._content = _read_content(_underlying_structure, Place())
        else:
            self._content = {
                "name": "project_environment",
                "dependencies": [f"python={TEMPLATE_PYTHON}", {"pip": ["azureml-defaults"]}],
                "channels": ["anaconda", "conda-forge"],
            }

    @classmethod
    def from_dict(cls, content: Any, place: Place | None = None) -> CondaDependencies:
        """Return the dependencies that a mapping of a conda environment file describes."""
        made = cls(_underlying_structure={})
        made._content = _read_content(content, place or Place(keys=("condaDependencies",)), made._places)
        return made

    @staticmethod
    def create(
        pip_indexurl: str | None = None,
        pip_packages: list[str] | None = None,
        conda_packages: list[str] | None = None,
        python_version: str | None = DEFAULT_PYTHON,
        pin_sdk_version: bool = True,
    ) -> CondaDependencies:
        """Return new dependencies.

        Parameters
        ----------
        pip_indexurl : str, optional
            Where pip looks for packages besides its usual index (``--find-links``).
        pip_packages, conda_packages : list of str, optional
            Requirements, for example ``["scikit-learn==1.5"]``. Without `pip_packages`, azureml-defaults.
        python_version : str, optional
            The version of Python.
        pin_sdk_version : bool
            Give the packages of SDK v1 the version ``~=1.61.0``.
        """
        made = CondaDependencies()
        if pip_indexurl:
            made.set_pip_option(f"--find-links {pip_indexurl}")
        made.set_python_version(python_version or DEFAULT_PYTHON)
        for package in list(made.pip_packages):
            made.remove_pip_package(package)
        for package in ["azureml-defaults"] if pip_packages is None else _packages(pip_packages, "pip_packages"):
            pinned = pin_sdk_version and package_name(package) in SDK_PACKAGES
            extras = re.search(r"\[.*?\]", package) if pinned else None
            made.add_pip_package(
                f"{package_name(package)}{extras.group() if extras else ''}~={SDK_VERSION}" if pinned else package
            )
        for package in _packages(conda_packages or [], "conda_packages"):
            made.add_conda_package(package)
        return made

    @staticmethod
    def merge_requirements(requirements: list[str]) -> list[str]:
        """Return requirements with those of one package joined, for example ``["a>=1", "a<2"]`` as ``["a>=1,<2"]``."""
        merged: dict[str, list[str]] = {}
        for requirement in requirements:
            name = re.split(r"[=<>~!]", requirement, maxsplit=1)[0].strip()
            version = requirement.strip()[len(name) :].strip()
            merged.setdefault(name, []).extend([version] if version else [])
        return [name + ",".join(versions) for name, versions in merged.items()]

    def place_of(self, package: str) -> str | None:
        """Return the file and line where a package stands, as ``FILE, line N``; None for one that code has added."""
        return self._places.get(package)

    def note_place(self, package: str, place: str) -> None:
        """Remember where a package stands, for messages."""
        self._places.setdefault(package, place)

    @property
    def _dependencies(self) -> list[Any]:
        found: list[Any] = self._content.setdefault("dependencies", [])
        return found

    @property
    def _pip(self) -> list[str]:
        for entry in self._content.get("dependencies", []):
            if isinstance(entry, dict) and "pip" in entry:
                pip: list[str] = entry["pip"]
                return pip
        return []

    @property
    def conda_channels(self) -> Iterator[str]:
        """Iterate over the channels, in the order in which conda asks them."""
        return iter(list(self._content.get("channels", [])))

    @property
    def conda_packages(self) -> Iterator[str]:
        """Iterate over the conda packages, Python among them."""
        return iter([entry for entry in self._content.get("dependencies", []) if isinstance(entry, str)])

    @property
    def pip_packages(self) -> Iterator[str]:
        """Iterate over the pip requirements, without pip's options."""
        return iter([entry for entry in self._pip if not entry.startswith("-")])

    @property
    def pip_options(self) -> Iterator[str]:
        """Iterate over pip's options, for example ``--index-url ...``."""
        return iter([entry for entry in self._pip if entry.startswith("-")])

    def get_python_version(self) -> str | None:
        """Return the version of Python that is asked for, or None."""
        for package in self.conda_packages:
            if package_name(package) == "python":
                return re.sub(r"^[=<>~! ]+", "", package.strip()[len("python") :]) or None
        return None

    def set_python_version(self, version: str) -> None:
        """Ask for a version of Python."""
        wanted = f"python={_one(version, 'version')}"
        for index, entry in enumerate(self._dependencies):
            if isinstance(entry, str) and package_name(entry) == "python":
                self._dependencies[index] = wanted
                return
        self._dependencies.insert(0, wanted)

    def add_channel(self, channel: str) -> None:
        """Add a conda channel; one that is there already stays where it is."""
        channels = self._content.setdefault("channels", [])
        if _one(channel, "channel") not in channels:
            channels.append(_one(channel, "channel"))

    def remove_channel(self, channel: str) -> None:
        """Remove a conda channel, if it is there."""
        self._content["channels"] = [entry for entry in self.conda_channels if entry != channel]

    def add_conda_package(self, conda_package: str) -> None:
        """Add a conda package; it replaces one of the same name."""
        package = _one(conda_package, "conda_package")
        if package.startswith("-"):
            raise UserErrorException(f"Invalid package name {package}: expected a package, found an option.")
        if package_name(package) == "python" and "=" in package:
            self.set_python_version(re.split("=+", package, maxsplit=1)[1])
            return
        if package in self._dependencies:
            return
        self.remove_conda_package(package)
        self._dependencies.append(package)

    def remove_conda_package(self, conda_package: str) -> None:
        """Remove the conda package of this name, if it is there."""
        self._content["dependencies"] = [
            entry
            for entry in self._dependencies
            if not isinstance(entry, str) or not same_package(entry, conda_package)
        ]

    def add_pip_package(self, pip_package: str) -> None:
        """Add a pip requirement; it replaces one of the same name."""
        package = _one(pip_package, "pip_package")
        if package.startswith("-"):
            raise UserErrorException(f"Invalid package name {package}: an option goes to set_pip_option().")
        self.remove_pip_package(package)
        self._pip_list().append(package)

    def remove_pip_package(self, pip_package: str) -> None:
        """Remove the pip requirement of this name, if it is there."""
        if pip_package.startswith("-"):
            raise UserErrorException(f"Invalid package name {pip_package}: remove_pip_option() removes an option.")
        kept = [entry for entry in self._pip if entry.startswith("-") or not same_package(entry, pip_package)]
        self._replace_pip(kept)

    def set_pip_option(self, pip_option: str) -> None:
        """Set an option of pip, which begins with ``-``; it replaces the same option."""
        option = _one(pip_option, "pip_option")
        if not option.startswith("-"):
            raise UserErrorException(f"Invalid pip option {option}: expected an option that begins with '-'.")
        name = re.split(r"[ =]", option, maxsplit=1)[0]
        present = self._pip_list()
        for index, entry in enumerate(present):
            if re.split(r"[ =]", entry, maxsplit=1)[0] == name:
                present[index] = option
                return
        present.append(option)

    def set_pip_index_url(self, index_url: str) -> None:
        """Set where pip looks for packages, as ``--index-url URL``."""
        self.set_pip_option(index_url if index_url.startswith("-") else f"--index-url {index_url}")

    def remove_pip_option(self, pip_option: str) -> None:
        """Remove an option of pip, if it is there."""
        name = re.split(r"[ =]", pip_option, maxsplit=1)[0]
        self._replace_pip([entry for entry in self._pip if re.split(r"[ =]", entry, maxsplit=1)[0] != name])

    def set_pip_requirements(self, pip_requirements: list[str]) -> None:
        """Replace the whole pip list."""
        self._pip_list()[:] = _packages(pip_requirements, "pip_requirements")

    def _pip_list(self) -> list[str]:
        for entry in self._dependencies:
            if isinstance(entry, dict) and "pip" in entry:
                found: list[str] = entry["pip"]
                return found
        made: list[str] = []
        self._dependencies.append({"pip": made})
        return made

    def _replace_pip(self, packages: list[str]) -> None:
        for entry in self._dependencies:
            if isinstance(entry, dict) and "pip" in entry:
                entry["pip"][:] = packages

    def as_dict(self) -> dict[str, Any]:
        """Return the content as plain data."""
        return deepcopy(self._content)

    def serialize_to_string(self) -> str:
        """Return the text of the file."""
        from aml_jupyter.config.yaml_files import dump

        return dump(self._content)

    def save(self, path: str | os.PathLike[str] | None = None) -> str:
        """Write the file and return its path; comments of a file that is there are kept.

        Raises
        ------
        UserErrorException
            Without a path, when it is a folder, or when its folder is not there.
        """
        if path is None:
            raise UserErrorException(
                "Name the file to save the conda dependencies to, for example conda_dependencies.yml."
            )
        if os.path.isdir(path):
            raise UserErrorException(f"Cannot save conda dependencies to {path}, which is a folder. Name a file in it.")
        parent = os.path.dirname(os.fspath(path))
        if parent and not os.path.isdir(parent):
            raise UserErrorException(f"Cannot save conda dependencies to {path}: the folder {parent} does not exist.")
        from aml_jupyter.config.yaml_files import edit, read_file, write_file

        if os.path.exists(path):
            before = read_file(Path(path), "conda environment file")
            after = edit(before, os.fspath(path), read_conda_file(Path(path)), self._content)
            if after != before:
                write_file(Path(path), after)
        else:
            write_file(Path(path), self.serialize_to_string())
        return os.fspath(path).replace("\\", "/")

    def save_to_file(self, base_directory: str | os.PathLike[str], conda_file_path: str | None = None) -> str:
        """Write the file into a project folder and return its path relative to that."""
        from aml_jupyter.config.run_config_files import config_folder

        relative = conda_file_path or f"{config_folder(Path(base_directory)).name}/auto_conda_dependencies.yml"
        (Path(base_directory) / relative).parent.mkdir(parents=True, exist_ok=True)
        self.save(Path(base_directory) / relative)
        return relative.replace("\\", "/")

    def __eq__(self, other: object) -> bool:
        return self._content == other._content if isinstance(other, CondaDependencies) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # dependencies can be changed

    def __repr__(self) -> str:
        return f"CondaDependencies({self._content!r})"


def read_conda_file(path: Path, places: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the checked content of a conda environment file; `places` gets the file and line of each package."""
    from aml_jupyter.config.yaml_files import parse, read_file

    return _read_content(parse(read_file(path, "conda environment file"), str(path)), Place(str(path)), places)


def _one(value: Any, name: str) -> str:
    return read_text(value, Place(keys=(name,)))


def _packages(value: Any, name: str) -> list[str]:
    if isinstance(value, str):
        raise UserErrorException(f"{name}: expected a list of packages, found the text {value!r}; write [{value!r}].")
    return read_strings(list(value) if isinstance(value, (set, frozenset)) else value, Place(keys=(name,)))


def _read_content(value: Any, place: Place, places: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the checked content of a conda environment file."""
    content: dict[str, Any] = {}
    for key, entry in read_mapping({} if value is None else value, place).items():
        there = place.child(str(key), value)
        if key not in ALLOWED_KEYS:
            raise ConfigurationError(
                f"Environment error: unknown {printable(str(key))} key in environment specification ({there}; "
                f"{nearest(str(key), list(ALLOWED_KEYS))})",
                field=there.key,
            )
        if entry is None:
            continue
        if key == "channels":
            content[key] = read_strings(entry, there)
        elif key == "dependencies":
            content[key] = _read_dependencies(entry, there, {} if places is None else places)
        elif key == "variables":
            content[key] = dict(read_plain(read_mapping(entry, there), there))
        else:
            content[key] = read_text(entry, there)
    return content


def _read_dependencies(value: Any, place: Place, places: dict[str, str]) -> list[Any]:
    if not isinstance(value, list):
        raise place.refusal("a list of packages", value)
    found: list[Any] = []
    for index, entry in enumerate(value):
        there = place.item(index, value)
        if isinstance(entry, Mapping):
            if set(entry) != {"pip"}:
                raise there.refusal("a package or 'pip:' with a list of requirements", entry)
            pip = there.child("pip", entry)
            found.append({"pip": read_strings(entry["pip"] or [], pip)})
            for number, text in enumerate(found[-1]["pip"]):
                _note_place(places, text, pip.item(number, entry["pip"]))
        else:
            if not isinstance(entry, (str, float, int)):
                raise there.refusal("a package", entry)
            found.append(read_text(entry, there))
            _note_place(places, found[-1], there)
    return found


def _note_place(places: dict[str, str], package: str, place: Place) -> None:
    if place.source is not None and place.line is not None:
        places.setdefault(package, f"{place.source}, line {place.line}")
