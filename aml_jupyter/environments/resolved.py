"""Decide which Python runs a run, and with which variables."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from aml_jupyter.config import SparkConfiguration
from aml_jupyter.environments.cache import EnvironmentCache
from aml_jupyter.environments.interpreter import locate, named_interpreter, version_of
from aml_jupyter.errors import ConfigurationError

if TYPE_CHECKING:
    from aml_jupyter.config import RunConfiguration

SUBMITTER = "submitter"
USER_MANAGED = "user-managed"
CONTAINER = "container"


class ResolvedEnvironment(NamedTuple):
    """Say what runs a run.

    Attributes
    ----------
    interpreter : str
        The absolute path of the Python; in a container, what the image's ``PATH`` makes of it.
    variables : dict
        The whole environment of the process, but for what the supervisor adds.
    kind : str
        ``submitter``, ``user-managed``, ``container``, or the builder's: ``venv``, ``conda``.
    notes : tuple of str
        What the run says about it.
    facts : mapping
        What the builder of an image said: ``image``, ``python``, ``version``.
    """

    interpreter: str
    variables: dict[str, str]
    kind: str
    notes: tuple[str, ...]
    facts: Mapping[str, Any] = MappingProxyType({})


def resolve(definition: Mapping[str, Any]) -> ResolvedEnvironment:
    """Return the Python and the variables of a run.

    Parameters
    ----------
    definition : dict
        The run's ``run.json``.

    Raises
    ------
    ConfigurationError
        When the interpreter is not there any more, or a declared variable has an illegal name.
    """
    submitter = definition["submitter"]
    run_config = definition.get("run_config") or {}
    environment = _mapping(run_config.get("environment"))
    python = _mapping(environment.get("python"))
    if definition.get("environment"):
        return _resolve_built(definition, submitter)
    written = named_interpreter(python)
    found = locate(submitter["python"] if written is None else written, submitter)
    variables = around(found.path, submitter.get("variables") or {}, own=written is None)
    variables.update(declared_variables(_mapping(definition.get("environment_variables"))))
    kind = USER_MANAGED if python.get("userManagedDependencies") else SUBMITTER
    return ResolvedEnvironment(found.path, variables, kind, (f"Python: {python_of(definition)}",))


def resolve_there(definition: Mapping[str, Any], python: str, environments: str = "") -> ResolvedEnvironment:
    """Return the Python and the declared variables of a run on another machine; the others are that machine's own.

    Parameters
    ----------
    definition : dict
        The run's ``run.json``.
    python : str
        The target's Python, which runs what names no other one.
    environments : str
        The folder over there in which environments are built.

    Raises
    ------
    ConfigurationError
        When a declared variable has an illegal name.
    """
    environment = _mapping(_mapping(definition.get("run_config")).get("environment"))
    written = named_interpreter(_mapping(environment.get("python")))
    variables = declared_variables(_mapping(definition.get("environment_variables")))
    there = _mapping(definition.get("there"))
    if there.get("environment"):
        recipe = there["environment"]
        built = f"{environments}/{recipe['key']}/env/bin/python"
        return ResolvedEnvironment(built, {**recipe["asked"]["variables"], **variables}, "venv", ())
    return ResolvedEnvironment(written or str(there.get("python") or python), variables, USER_MANAGED, ())


def _resolve_built(definition: Mapping[str, Any], submitter: Mapping[str, Any]) -> ResolvedEnvironment:
    """Return the Python of an environment that was built."""
    recipe = definition["environment"]
    built = EnvironmentCache().entry(str(recipe["key"])).built()
    if built is None:
        raise ConfigurationError(
            f"The environment of run {definition.get('id')} ({recipe.get('title')}) was built, and is gone from "
            f"{EnvironmentCache().root}. Submit the run again: it is built from its lock.",
            "environment",
        )
    if definition.get("container"):
        # An image has its own variables; nothing of the submitter's goes into it.
        own = _variables_of(built.facts, recipe)
        own.update(declared_variables(_mapping(definition.get("environment_variables"))))
        python = str(built.facts.get("python") or "python")
        return ResolvedEnvironment(python, own, CONTAINER, tuple(recipe.get("notes") or ()), built.facts)
    interpreter = str(built.facts["python"])
    variables = around(interpreter, submitter.get("variables") or {}, own=False)
    variables["PATH"] = os.pathsep.join([*map(str, built.facts.get("path") or []), variables["PATH"]])
    variables.update(_variables_of(built.facts, recipe))
    variables.update(declared_variables(_mapping(definition.get("environment_variables"))))
    return ResolvedEnvironment(interpreter, variables, str(recipe["kind"]), tuple(recipe.get("notes") or ()))


def _variables_of(facts: Mapping[str, Any], recipe: Mapping[str, Any]) -> dict[str, str]:
    """Return what activation sets, and over it what the recipe sets; recipes that share their packages need not share it."""
    found = {**(facts.get("variables") or {}), **(_mapping(recipe.get("asked")).get("variables") or {})}
    return {str(key): str(value) for key, value in found.items()}


def python_of(definition: Mapping[str, Any]) -> str:
    """Return, for people, which Python runs a run and why that one; looks at no file, so it works for old runs too.

    Parameters
    ----------
    definition : dict
        The run's ``run.json``.
    """
    built = _mapping(definition.get("environment"))
    if built:
        environment = _mapping(_mapping(definition.get("run_config")).get("environment"))
        name, version = environment.get("name"), str(environment.get("version") or "")
        named = f"{name}:{version}, " if version and not version.startswith("Autosave_") else ""
        return f"{named}{built.get('title')} ({built.get('key')})"
    submitter = _mapping(definition.get("submitter"))
    python = _mapping(_mapping(_mapping(definition.get("run_config")).get("environment")).get("python"))
    written = named_interpreter(python)
    if written is not None:
        return f"{written} (user-managed)"
    there = _mapping(definition.get("there"))
    if there.get("environment"):
        return f"{there['environment'].get('title')} (built on {definition.get('target')})"
    if there:
        return f"{there.get('python')} {there.get('version')} (of {definition.get('target')})"
    known = f"{submitter.get('python', '')} {submitter.get('version', '')}".strip()
    if not known or python.get("userManagedDependencies"):
        return f"{known} (user-managed)" if known else ""
    return f"{known} (the submitter's; no packages are installed)"


def without_effect(run_config: RunConfiguration) -> tuple[str, ...]:
    """Return what a run configuration says about its Python, or about Spark, and nothing follows."""
    return (*_python_without_effect(run_config), *_spark_without_effect(run_config))


def _spark_without_effect(run_config: RunConfiguration) -> tuple[str, ...]:
    """Name settings and packages of Spark that a run without Spark has, as SDK v1's folders had them for every run."""
    if run_config.framework == "PySpark":
        return ()
    template = SparkConfiguration().configuration
    found = [name for name, value in run_config.spark.configuration.items() if template.get(name) != value]
    if not run_config.environment.is_reference:
        spark = run_config.environment.spark
        found += [f"{entry.group}:{entry.artifact}:{entry.version}" for entry in spark.packages]
    if not found:
        return ()
    listed = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
    return (f"framework is {run_config.framework}, so Spark's settings and packages ({listed}) have no effect.",)


def _python_without_effect(run_config: RunConfiguration) -> tuple[str, ...]:
    environment = run_config.environment
    if environment.is_reference or environment.python.user_managed_dependencies:
        return ()
    written = environment.python.interpreter_path
    if not written or written == "python":
        return ()
    note = (
        f"environment.python.interpreter_path = {written!r} has no effect without "
        "environment.python.user_managed_dependencies = True: the run uses the Python that it is submitted from."
    )
    return (note,)


def check(run_config: RunConfiguration, submitter: Mapping[str, Any]) -> None:
    """Refuse, before anything is queued, an interpreter that is missing or does not run.

    Parameters
    ----------
    run_config : RunConfiguration
        What the run asks for.
    submitter : dict
        As `submitter()` returns it.

    Raises
    ------
    ConfigurationError
        Names the field, the value, and why it cannot be used.
    """
    environment = run_config.environment.to_dict()
    declared = declared_variables(run_config.declared_variables())
    written = named_interpreter(_mapping(environment.get("python")))
    found = locate(submitter["python"] if written is None else written, submitter)
    if found.path == os.path.abspath(sys.executable or os.devnull):
        return  # it runs: this is it
    version_of(found, {**around(found.path, submitter.get("variables") or {}, own=written is None), **declared})


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def declared_variables(declared: Mapping[str, Any]) -> dict[str, str]:
    """Return declared variables as the system takes them.

    Raises
    ------
    ConfigurationError
        When a name is empty or has ``=`` or NUL in it, or a value has NUL.
    """
    for name, value in declared.items():
        if not name or "=" in name or "\0" in name or "\0" in str(value):
            raise ConfigurationError(
                f"environment_variables: expected names without '=' and values without NUL, found {name!r}.",
                field="environment_variables",
            )
    return {str(name): str(value) for name, value in declared.items()}


def around(interpreter: str, variables: Mapping[str, str], own: bool) -> dict[str, str]:
    """Return variables in which ``python`` and ``pip`` mean the interpreter.

    Parameters
    ----------
    interpreter : str
        Absolute path.
    variables : dict
        The submitter's.
    own : bool
        Whether it is the submitter's interpreter. Another one does not get the variables of the submitter's virtual
        or conda environment, but its own.
    """
    made = dict(variables)
    folder = os.path.dirname(interpreter)
    search = [entry for entry in made.get("PATH", os.defpath).split(os.pathsep) if entry]
    prefix = os.path.dirname(folder)
    if not own:
        for name in [name for name in made if name == "VIRTUAL_ENV" or name.startswith("CONDA_")]:
            before = made.pop(name)
            if name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
                search = [entry for entry in search if entry != os.path.join(before, "bin")]
        if os.path.exists(os.path.join(prefix, "pyvenv.cfg")):
            made["VIRTUAL_ENV"] = prefix
        elif os.path.isdir(os.path.join(prefix, "conda-meta")):
            made["CONDA_PREFIX"] = prefix
            made["CONDA_DEFAULT_ENV"] = os.path.basename(prefix)
    if not own or folder not in search:
        search = [folder, *(entry for entry in search if entry != folder)]
    made["PATH"] = os.pathsep.join(search)
    return made
