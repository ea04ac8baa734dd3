"""Read environments inside a run: that of a run, and those that the workspace keeps; they are made outside."""

import json
import re
from typing import Any, Dict, Iterator, List, Optional

from .errors import RunEnvironmentException, UserErrorException

__all__ = ["Environment", "environment_of"]


class Section:
    """Be one section of an environment's definition: its fields are attributes, named as in SDK v1."""

    def __init__(self, fields: Dict[str, Any], where: str) -> None:
        self.__dict__["_fields"] = fields
        self.__dict__["_where"] = where

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        key = _key(name, self._fields)
        if key is None:
            known = ", ".join(sorted(_snake(each) for each in self._fields))
            raise AttributeError("%s has no attribute %r; there are: %s" % (self._where, name, known))
        value = self._fields[key]
        if key == "condaDependencies" and isinstance(value, dict):
            return Packages(value, "%s.%s" % (self._where, name))
        if isinstance(value, dict) and key not in ("environmentVariables", "variables", "configuration"):
            return Section(value, "%s.%s" % (self._where, name))
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        self._fields[_key(name, self._fields) or _camel(name)] = value.to_dict() if hasattr(value, "to_dict") else value

    def to_dict(self) -> Dict[str, Any]:
        """Return a copy of the definition, as files and the service have it."""
        copy: Dict[str, Any] = json.loads(json.dumps(self._fields))
        return copy

    def __repr__(self) -> str:
        return "%s(%s)" % (self._where, ", ".join(sorted(_snake(each) for each in self._fields)))


class Packages(Section):
    """Be the packages of an environment."""

    @property
    def conda_packages(self) -> Iterator[str]:
        """Iterate over the conda packages."""
        return iter([entry for entry in self._fields.get("dependencies") or [] if isinstance(entry, str)])

    @property
    def conda_channels(self) -> Iterator[str]:
        """Iterate over the channels."""
        return iter(list(self._fields.get("channels") or []))

    @property
    def pip_packages(self) -> Iterator[str]:
        """Iterate over the requirements of pip, without its options."""
        return iter([entry for entry in self._pip() if not entry.startswith("-")])

    @property
    def pip_options(self) -> Iterator[str]:
        """Iterate over the options of pip."""
        return iter([entry for entry in self._pip() if entry.startswith("-")])

    def get_python_version(self) -> Optional[str]:
        """Return the version of Python that is asked for, or None."""
        for entry in self.conda_packages:
            if re.match(r"python([\s=<>!~]|$)", entry):
                return re.sub(r"^[=<>~! ]+", "", entry[len("python") :]) or None
        return None

    def as_dict(self) -> Dict[str, Any]:
        """Return the content of the conda environment file."""
        return self.to_dict()

    def serialize_to_string(self) -> str:
        """Return the content of the conda environment file as JSON, which is YAML, too."""
        return json.dumps(self._fields, indent=2) + "\n"

    def _pip(self) -> List[str]:
        for entry in self._fields.get("dependencies") or []:
            if isinstance(entry, dict) and "pip" in entry:
                return [str(each) for each in entry["pip"] or []]
        return []


class Environment(Section):
    """Be an environment of the run's workspace; a run that is submitted from inside can be given it.

    Parameters
    ----------
    name : str
        Accepted by `get` and `list` only: inside a run, environments are read.

    Raises
    ------
    RunEnvironmentException
        When it is made by hand.
    """

    def __init__(self, name: Optional[str] = None, _fields: Optional[Dict[str, Any]] = None, **kwargs: Any) -> None:
        if _fields is None:
            raise RunEnvironmentException(
                "Environment(%r): inside a run, environments are read (Environment.get, run.get_environment); to make one "
                "here, install aml-jupyter in the run's environment" % (name,)
            )
        Section.__init__(self, _fields, "Environment")

    @staticmethod
    def get(workspace: Any, name: str, version: Optional[str] = None, label: Optional[str] = None) -> "Environment":
        """Return an environment that the workspace keeps: a version of it, or the newest.

        Raises
        ------
        UserErrorException
            When there is none; says which names are nearest.
        """
        if version is not None and label is not None:
            raise UserErrorException("Name a version or a label of the environment, not both.")
        return _asked("get_environment", name=str(name), version=version, label=label)

    @staticmethod
    def list(workspace: Any) -> Dict[str, "Environment"]:
        """Return the newest version of each environment of the workspace, by name."""
        from .context import current_requests

        requests = current_requests()
        if requests is None:
            raise _outside()
        found = requests.ask("list_environments", {})
        return {str(each["name"]): Environment(_fields=each) for each in found}

    def __repr__(self) -> str:
        return "Environment(Name: %s, Version: %s)" % (self._fields.get("name"), self._fields.get("version"))


def environment_of(run_id: str) -> Environment:
    """Return the environment that a run of the workspace was submitted with."""
    return _asked("get_environment", run=run_id)


def _asked(operation: str, **args: Any) -> Environment:
    from .context import current_requests

    requests = current_requests()
    if requests is None:
        raise _outside()
    return Environment(_fields=dict(requests.ask(operation, args)))


def _outside() -> RunEnvironmentException:
    return RunEnvironmentException(
        "there is no workspace to ask for environments: this process is not a submitted run. Use Environment of an "
        "installed aml-jupyter"
    )


def _key(name: str, fields: Dict[str, Any]) -> Optional[str]:
    """Return the field that an attribute means: ``user_managed_dependencies`` is ``userManagedDependencies``."""
    return next((key for key in fields if name in (key, _snake(key))), None)


def _snake(key: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: "_" + found.group(1).lower(), key)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
