"""Read the ``.runconfig`` files of Azure ML Workbench (2017) and write them again in their own words.

What such a file cannot say (a node count, a whole environment) is written into it under SDK v1's keys, which are read
in it, too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aml_jupyter.config.compute_files import ComputeFile, find_compute_file, read_compute_file
from aml_jupyter.config.conda_dependencies import FILE_NAME, CondaDependencies
from aml_jupyter.config.environment_sections import NO_GPU_WITHOUT_ASKING, SparkSection, find_reference
from aml_jupyter.config.fields import Field, Section, optional_boolean, plain_map, strings, text, variables
from aml_jupyter.config.keys import folded
from aml_jupyter.config.previews import FRAMEWORKS
from aml_jupyter.config.reading import OwnNames, Place, read_choice, read_variables
from aml_jupyter.config.sections import SparkConfiguration
from aml_jupyter.config.shapes import one_of
from aml_jupyter.errors import ConfigurationError

if TYPE_CHECKING:
    from aml_jupyter.config.run_configuration import RunConfiguration

SPARK_FILE_NAME = "spark_dependencies.yml"
_SCRIPT_OF_THE_LINE = "$file"
_LOCAL = "local"
_TELLING = {
    "condadependenciesfile",
    "sparkdependenciesfile",
    "usesampling",
    "datasourcesettings",
    "datasourcesubstitutions",
}
_SHARED = {"EnvironmentVariables", "Framework", "PrepareEnvironment", "Target", "TrackedRun"}


def _read_framework(value: Any, place: Place) -> str | None:
    return None if value is None else read_choice(value, place, FRAMEWORKS)


class WorkbenchRunConfiguration(Section):
    """Hold a run configuration as Workbench wrote it; what belonged to data preparation is kept and has no effect."""

    argument_vector = strings(key="ArgumentVector")
    target = text(key="Target")
    framework = Field(_read_framework, lambda: None, key="Framework", schema=one_of(FRAMEWORKS))
    environment_variables = variables(key="EnvironmentVariables")
    conda_dependencies_file = text(key="CondaDependenciesFile")
    spark_dependencies_file = text(key="SparkDependenciesFile")
    prepare_environment = optional_boolean(key="PrepareEnvironment", aliases=("AutoPrepareEnvironment",))
    tracked_run = optional_boolean(key="TrackedRun")
    use_sampling = optional_boolean(key="UseSampling")
    data_source_settings = plain_map(key="DataSourceSettings")
    data_source_substitutions = plain_map(key="DataSourceSubstitutions")


WORKBENCH_KEYS = tuple(entry.key for entry in WorkbenchRunConfiguration._fields)
_KEYS = {folded(key) for entry in WorkbenchRunConfiguration._fields for key in (entry.key, *entry.aliases)}


def is_workbench(mapping: Mapping[Any, Any]) -> bool:
    """Say whether a file's content is of 2017: by a key that only those had, or by TitleCase without SDK v1's keys."""
    written = {str(key) for key in mapping}
    keys = {folded(key) for key in written}
    if "argumentvector" in keys:
        return True
    if keys & {"script", "command"}:
        return False
    return bool(keys & _TELLING) or ("environment" not in keys and bool(written & _SHARED))


class _Part(dict[Any, Any]):
    """Some entries of a mapping, which still know their lines."""

    def __init__(self, entries: Mapping[Any, Any], whole: Mapping[Any, Any]) -> None:
        super().__init__(entries)
        self.lc = getattr(whole, "lc", None)


def read_workbench(
    config: RunConfiguration, mapping: Mapping[Any, Any], place: Place, fill: Callable[[Mapping[Any, Any], Place], None]
) -> WorkbenchForm:
    """Fill a run configuration from a file of 2017.

    Parameters
    ----------
    config : RunConfiguration
        A new one.
    mapping : dict
        The file's content.
    place : Place
        Where it stands.
    fill : callable
        Reads keys of SDK v1.

    Raises
    ------
    ConfigurationError
        With file, line, key, and what was expected.
    """
    loose = _loose_variables(mapping)
    own = {key: value for key, value in mapping.items() if folded(str(key)) in _KEYS}
    others = {key: value for key, value in mapping.items() if key not in own and str(key) not in loose}
    said = WorkbenchRunConfiguration._read(_Part(own, mapping), place)
    if loose:
        said.environment_variables = read_variables(_Part(loose, mapping), place)
        place.child("EnvironmentVariables", mapping).note(
            f"{', '.join(loose)} below it are not indented; they are read as its variables"
        )
    has_environment = any(folded(str(key)) == "environment" for key in others)
    if not has_environment:
        config.environment.python.conda_dependencies = None
        config.environment.environment_variables = {}
    compute, name = _compute(said, place)
    if not has_environment:
        compute.apply(config)
    is_local = compute.type == _LOCAL or (compute.type is None and name.lower() == _LOCAL)
    if is_local and not has_environment:
        _use_own_python(config, said, place)
    elif not has_environment:
        _read_packages(config, said, place)
    fill(_Part(others, mapping), place)
    _fill_own(config, said, place, mapping, is_local)
    config.target = _LOCAL if compute.is_on_this_machine else name
    config._target_is_set = bool(said.target)
    if config.framework == "PySpark":
        _read_spark(config, said, place, has_environment)
    return WorkbenchForm(config, said, {folded(str(key)) for key in mapping}, loose)


def _loose_variables(mapping: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the variables that stand below an empty ``EnvironmentVariables:`` without being indented."""
    keys = list(mapping)
    at = next((i for i, key in enumerate(keys) if folded(str(key)) == "environmentvariables"), None)
    if at is None or mapping[keys[at]]:
        return {}
    return {
        str(key): mapping[key]
        for key in keys[at + 1 :]
        if folded(str(key)) not in _KEYS
        and not isinstance(mapping[key], (Mapping, list))
        and isinstance(key, str)
        and (type(key) is not str or re.fullmatch("[A-Z][A-Z0-9_]*", key))
    }


def _compute(said: WorkbenchRunConfiguration, place: Place) -> tuple[ComputeFile, str]:
    name = (said.target or _LOCAL).strip().removesuffix(".compute") or _LOCAL
    path = find_compute_file(name, place)
    if path is None:
        return ComputeFile(), name
    read = read_compute_file(path, place.notes)
    there = Place(str(path), notes=place.notes)
    if read.nvidia_docker:
        there.child("nvidiaDocker").note(NO_GPU_WITHOUT_ASKING)
    if read.native_shared_directory:
        there.child("nativeSharedDirectory").note(
            "it has no effect, and AZUREML_NATIVE_SHARE_DIRECTORY is not set: name a folder that stays by its absolute path"
        )
    return read, name


def _use_own_python(config: RunConfiguration, said: WorkbenchRunConfiguration, place: Place) -> None:
    """Use the person's own Python: on ``local``, Workbench never made an environment."""
    config.environment.python.user_managed_dependencies = True
    named = said.conda_dependencies_file or (FILE_NAME if _beside(place, FILE_NAME) else None)
    if named:
        place.note(f"{named} is not used on local, as it never was in 2017: the run uses a Python that is there")


def _read_packages(config: RunConfiguration, said: WorkbenchRunConfiguration, place: Place) -> None:
    python = config.environment.python
    if said.conda_dependencies_file:
        there = place.child("CondaDependenciesFile")
        path: Path | None = (
            find_reference(said.conda_dependencies_file, there, "a conda environment file") if place.source else None
        )
        python._conda_dependencies_file = said.conda_dependencies_file
    else:
        path = _beside(place, FILE_NAME)
        python._conda_dependencies_file = f"{path.parent.name}/{FILE_NAME}" if path is not None else None
    if path is not None:
        python.conda_dependencies = CondaDependencies(path)


def _beside(place: Place, name: str) -> Path | None:
    path = Path(os.path.dirname(place.source), name) if place.source else None
    return path if path is not None and path.is_file() else None


def _fill_own(
    config: RunConfiguration,
    said: WorkbenchRunConfiguration,
    place: Place,
    mapping: Mapping[Any, Any],
    is_local: bool,
) -> None:
    keys = {folded(str(key)): str(key) for key in mapping}
    if "argumentvector" in keys:
        if not said.argument_vector:
            there = place.child(keys["argumentvector"], mapping)
            raise ConfigurationError(
                f"{there}: ArgumentVector in runconfig cannot be empty. Name the script, or leave the key out.",
                field=there.key,
            )
        script, *arguments = said.argument_vector
        config.script = None if script == _SCRIPT_OF_THE_LINE else script
        config.arguments = arguments
    if said.framework is None and is_local:
        place.note("Framework is missing, which meant PySpark; local has no Spark, so Python is used")
    config.framework = said.framework or ("Python" if is_local else "PySpark")
    if "environmentvariables" in keys:
        config.environment.environment_variables = OwnNames(said.environment_variables)
    config.prepare_environment = said.prepare_environment
    config.tracked_run = said.tracked_run is not False


def _read_spark(config: RunConfiguration, said: WorkbenchRunConfiguration, place: Place, has_environment: bool) -> None:
    """Read ``spark_dependencies.yml`` into the Spark settings of the run and of its environment."""
    if said.spark_dependencies_file:
        there = place.child("SparkDependenciesFile")
        path = find_reference(said.spark_dependencies_file, there, "a file of Spark dependencies")
    else:
        found = _beside(place, SPARK_FILE_NAME)
        if found is None:
            return
        path = found
    read_spark_file(config, path, place, has_environment)


def read_spark_file(config: RunConfiguration, path: Path, place: Place, has_environment: bool = False) -> None:
    """Take over the ``configuration``, ``repositories`` and ``packages`` of a file of Spark dependencies."""
    from aml_jupyter.config.yaml_files import parse, read_file

    content = parse(read_file(path, "file of Spark dependencies"), str(path))
    there = Place(str(path), notes=place.notes)
    if not isinstance(content, Mapping):
        if content is None:
            return
        raise there.refusal("configuration, repositories and packages", content)
    settings = {key: value for key, value in content.items() if folded(str(key)) == "configuration"}
    rest = {key: value for key, value in content.items() if key not in settings}
    if settings:
        config.spark = SparkConfiguration._read(_Part(settings, content), there)
    if not has_environment:
        config.environment.spark = SparkSection._read(_Part(rest, content), there)


class WorkbenchForm:
    """Remember how a file of 2017 said a run configuration, to say a changed one the same way."""

    def __init__(
        self, config: RunConfiguration, said: WorkbenchRunConfiguration, keys: set[str], loose: dict[str, Any]
    ) -> None:
        self.said = said.to_dict()
        self.keys = keys
        self.loose = loose
        self.before = {
            "ArgumentVector": (config.script, list(config.arguments)),
            "Target": config.target,
            "Framework": config.framework,
            "EnvironmentVariables": dict(config.environment.environment_variables),
            "PrepareEnvironment": config.prepare_environment,
            "TrackedRun": config.tracked_run,
        }
        self.sections: dict[str, Any] | None = None

    def as_file(self, config: RunConfiguration, written: dict[str, Any]) -> dict[str, Any]:
        """Return what the file says of `config`, given SDK v1's form of it."""
        now = {
            "ArgumentVector": (config.script, list(config.arguments)),
            "Target": config.target,
            "Framework": config.framework,
            "EnvironmentVariables": dict(config.environment.environment_variables),
            "PrepareEnvironment": config.prepare_environment,
            "TrackedRun": config.tracked_run,
        }
        values: dict[str, Any] = {
            **now,
            "ArgumentVector": [config.script or _SCRIPT_OF_THE_LINE, *config.arguments],
            "EnvironmentVariables": OwnNames(config.environment.environment_variables),
        }
        form: dict[str, Any] = {}
        for key, value in self.said.items():
            changed = key in now and now[key] != self.before[key]
            if changed or folded(key) in self.keys:
                form[key] = values[key] if changed else value
        if self.loose and now["EnvironmentVariables"] == self.before["EnvironmentVariables"]:
            form["EnvironmentVariables"] = None
            form.update(self.loose)
        return {**form, **self._others(written)}

    def _others(self, written: dict[str, Any]) -> dict[str, Any]:
        """Return SDK v1's keys for what was changed and has no key of 2017, and those that the file had."""
        others = {key: value for key, value in written.items() if folded(key) not in _KEYS | {"script", "arguments"}}
        if isinstance(others["environment"], dict):
            others["environment"] = {k: v for k, v in others["environment"].items() if k != "environmentVariables"}
        if self.sections is None:
            self.sections = others  # the first time is right after reading
        return {
            key: value
            for key, value in others.items()
            if folded(key) in self.keys or key not in self.sections or value != self.sections[key]
        }
