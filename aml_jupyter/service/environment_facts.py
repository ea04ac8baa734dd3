"""Find out what became of an environment: what was asked, what that was resolved to, where it lies, which runs need it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from aml_jupyter.config import Environment
from aml_jupyter.environments import CURATED, Built, Entry, EnvironmentCache, Recipe
from aml_jupyter.environments.collect import last_used, remove_built, sizes_of
from aml_jupyter.environments.packages import Package, locked_packages
from aml_jupyter.errors import AmlError, UserErrorException, nearest
from aml_jupyter.service.environments import find_registered, recipe_of
from aml_jupyter.workspace import (
    EnvironmentRecord,
    RunRecord,
    WorkspaceFolder,
    delete_environment,
    find_environment,
    get_environment,
    list_environments,
    open_runs,
    read_environment,
)

__all__ = [
    "BuiltFacts",
    "EnvironmentFacts",
    "built_facts",
    "delete_built",
    "delete_registered",
    "facts_of",
    "list_built",
    "list_facts",
]


@dataclass(frozen=True)
class BuiltFacts:
    """Describe what lies in the cache: its key, which recipes came to it, its packages, its size, when it was used last."""

    built: Built
    asked: tuple[str, ...]

    @property
    def packages(self) -> list[Package]:
        """Return its packages."""
        return locked_packages(_text(self.built.lock))

    @cached_property
    def sizes(self) -> tuple[int, int]:
        """Return the bytes that it takes up, and those that no other environment shares."""
        return sizes_of(self.built.path)

    @property
    def last_used(self) -> float:
        """Return when a run last began in it, or when it was built."""
        return last_used(self.built.path)


@dataclass(frozen=True)
class EnvironmentFacts:
    """Describe an environment of a workspace, and what becomes of it on this machine.

    Attributes
    ----------
    environment : Environment
        What is registered.
    record : EnvironmentRecord or None
        Its row; None for a curated one.
    recipe : Recipe or None
        What has to be built for it; None for a Python that is there already.
    problem : str
        Why it cannot be built here, if it cannot.
    notes : tuple of str
        What is to be said about it.
    """

    environment: Environment
    record: EnvironmentRecord | None
    recipe: Recipe | None
    problem: str = ""
    notes: tuple[str, ...] = ()

    @property
    def entry(self) -> Entry | None:
        """Return its entry in the cache."""
        return None if self.recipe is None else EnvironmentCache().entry(self.recipe.key)

    @cached_property
    def built(self) -> BuiltFacts | None:
        """Return what it was built into, when that is ready."""
        found = None if self.entry is None else self.entry.built()
        return None if found is None or self.recipe is None else BuiltFacts(found, (self.recipe.key,))

    @property
    def resolved(self) -> Mapping[str, Any] | None:
        """Return what it was resolved to, built or not: ``lock_key``, ``lock``, ``time``."""
        return None if self.entry is None else self.entry.resolved()

    @property
    def packages(self) -> list[Package]:
        """Return the packages that it was resolved to; none before the first build."""
        return [] if self.resolved is None else locked_packages(str(self.resolved["lock"]))

    @property
    def state(self) -> str:
        """Return ``ready``, ``building``, ``failed``, ``not built``, ``cannot be built``, or ``nothing to build``."""
        if self.problem:
            return "cannot be built"
        if self.entry is None:
            return "nothing to build"
        if self.built is not None:
            return "ready"
        if self.entry.is_building():
            return "building"
        return "failed" if self.entry.failure() is not None else "not built"

    @property
    def failure(self) -> str:
        """Return why its last build failed, if it did."""
        found = None if self.entry is None or self.built is not None else self.entry.failure()
        return str(found.get("message")) if found else ""


def facts_of(folder: WorkspaceFolder, name: str, version: str | None, submitter: Mapping[str, Any]) -> EnvironmentFacts:
    """Return what is known of a registered or curated environment.

    Raises
    ------
    UserErrorException
        When there is none; says which names are nearest.
    """
    environment, notes = find_registered(folder, name, version)
    record = find_environment(folder.store.read(), str(environment.name), environment.version)
    return _facts(environment, record, submitter, notes)


def list_facts(
    folder: WorkspaceFolder, submitter: Mapping[str, Any], every: bool = False, name: str | None = None
) -> list[EnvironmentFacts]:
    """Return the registered environments, the newest version of each, then the curated ones.

    Parameters
    ----------
    every : bool
        Every version, and those, too, that submits have saved.
    name : str, optional
        Only those of this name.
    """
    records = list_environments(folder.store.read(), name=name, latest=not every, autosaved=every)
    found = []
    for record in records:
        definition = read_environment(folder.layout, record)
        environment = Environment.from_dict({**definition, "name": record.name, "version": record.version})
        found.append(_facts(environment, record, submitter))
    curated = [known for known in CURATED if name in (None, known)]
    return [*found, *(facts_of(folder, known, None, submitter) for known in curated)]


def _facts(
    environment: Environment,
    record: EnvironmentRecord | None,
    submitter: Mapping[str, Any],
    notes: tuple[str, ...] = (),
) -> EnvironmentFacts:
    try:
        recipe = recipe_of(environment, submitter)
    except AmlError as error:
        return EnvironmentFacts(environment, record, None, error.message, notes)
    return EnvironmentFacts(environment, record, recipe, "", (*notes, *(recipe.notes if recipe else ())))


def list_built() -> list[BuiltFacts]:
    """Return everything that is ready in the cache, the one that was used last first."""
    cache = EnvironmentCache()
    asked: dict[str, list[str]] = {}
    for entry in cache.entries():
        resolved = entry.resolved()
        if resolved is not None:
            asked.setdefault(str(resolved.get("lock_key")), []).append(entry.key)
    found = [BuiltFacts(built, tuple(asked.get(built.key, ()))) for built in cache.all_built()]
    return sorted(found, key=lambda each: -each.last_used)


def built_facts(key: str) -> BuiltFacts:
    """Return what lies in the cache under a key, or its beginning: of what was asked, or of what that was resolved to.

    Raises
    ------
    UserErrorException
        When nothing or more than one thing is meant.
    """
    everything = list_built()
    found = [each for each in everything if any(known.startswith(key) for known in (each.built.key, *each.asked))]
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(each.built.key for each in found)
        raise UserErrorException(f"{key!r} means {len(found)} built environments: {listed}.", "environment")
    known = nearest(key, [each.built.key for each in everything])
    raise UserErrorException(f"Nothing is built under {key!r}; {known or 'nothing is built yet'}.", "environment")


def delete_registered(
    folder: WorkspaceFolder, name: str, version: str | None, submitter: Mapping[str, Any]
) -> tuple[EnvironmentRecord, int]:
    """Take a version out of the registry, and remove what was built of it; return it and the bytes that gave back.

    What another version asks for, too, stays built.

    Raises
    ------
    UserErrorException
        When there is no such version, or a run needs it; nothing was deleted then.
    """
    record = get_environment(folder.store.read(), name, version)
    facts = facts_of(folder, name, record.version, submitter)
    users = [run for run in open_runs(folder.store.read()) if _names(run, record)]
    key = None if facts.built is None else facts.built.built.key
    others = {
        each.built.built.key
        for each in list_facts(folder, submitter, every=True)
        if each.built is not None and each.record != record
    }
    shared = key in others
    if key is not None and not shared:
        users += _needing(folder, key)
    _refuse_while_used(record.id, users)
    freed = 0 if key is None or shared else remove_built(EnvironmentCache(), key)
    return delete_environment(folder, name, record.version), freed


def delete_built(folder: WorkspaceFolder, key: str) -> tuple[str, int]:
    """Remove what lies in the cache under a key; return the whole key and the bytes that gave back.

    Raises
    ------
    UserErrorException
        When there is no such thing, or a run needs it.
    """
    found = built_facts(key)
    _refuse_while_used(found.built.key, _needing(folder, found.built.key))
    return found.built.key, remove_built(EnvironmentCache(), found.built.key)


def _names(run: RunRecord, record: EnvironmentRecord) -> bool:
    environment = (run.definition.get("run_config") or {}).get("environment") or {}
    return (environment.get("name"), environment.get("version")) == (record.name, record.version)


def _needing(folder: WorkspaceFolder, key: str) -> list[RunRecord]:
    """Return the open runs of the workspace whose environment was resolved to `key`."""
    cache = EnvironmentCache()
    found = []
    for run in open_runs(folder.store.read()):
        asked = run.definition.get("environment")
        if asked and (cache.entry(str(asked["key"])).resolved() or {}).get("lock_key") == key:
            found.append(run)
    return found


def _refuse_while_used(what: str, users: list[RunRecord]) -> None:
    names = list(dict.fromkeys(f"{run.id} ({run.status})" for run in users))
    if names:
        listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        raise UserErrorException(
            f"The environment {what} is needed by {listed}. Nothing was deleted; wait for the end, or cancel first: aml run "
            "cancel RUN.",
            "environment",
        )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
