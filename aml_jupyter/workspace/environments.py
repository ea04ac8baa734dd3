"""Own the registry of environments: names and versions in the database, definitions in ``environments/<name>/<version>.json``.

A definition may hold values of variables and addresses with credentials, so it stands in a file of mode 0600 and not in
the database. The file comes first, then the journal's line, then the row: a rebuild finds every version again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from aml_jupyter.errors import UserErrorException, WorkspaceException, nearest
from aml_jupyter.supervisor import durable, protocol
from aml_jupyter.supervisor.faults import fault_point

from .folder import WorkspaceFolder
from .journal import append_journal
from .layout import Layout
from .records import EnvironmentRecord
from .snapshots.store import store_errors

__all__ = [
    "check_environment_name",
    "delete_environment",
    "environment_digest",
    "find_environment",
    "find_same_environment",
    "get_environment",
    "keep_wheel",
    "list_environments",
    "missing_environments",
    "read_environment",
    "save_environment",
    "write_environment",
]

_NAME: Final = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9\-._]{0,254}")
_VERSION: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9\-._:]{0,99}")
_RESERVED: Final = ("microsoft", "azureml", "amljupyter")
_COLUMNS: Final = "name, version, created, autosaved, digest"
_WHEELS: Final = ".wheels"
_NOT_CONTENT: Final = frozenset({"name", "version"})


def check_environment_name(name: object) -> str:
    """Return `name` when an environment can be registered under it.

    Raises
    ------
    UserErrorException
        When it has other characters than SDK v1 allows, or begins as the names of curated environments do.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UserErrorException(
            f"The environment name {name!r:.300} cannot be used: expected a letter, digit or '_', then up to 254 letters, "
            "digits, '-', '.' and '_'.",
            "name",
        )
    if name.lower().startswith(_RESERVED):
        raise UserErrorException(
            f"The environment name {name!r} cannot be used: names that begin with Microsoft, AzureML or AmlJupyter are "
            "those of curated environments. Choose another; Environment.clone(name) copies one under your own name.",
            "name",
        )
    return name


def environment_digest(definition: Mapping[str, Any]) -> str:
    """Return what two definitions have in common when they are the same but for name and version."""
    content = {key: value for key, value in definition.items() if key not in _NOT_CONTENT}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def save_environment(
    folder: WorkspaceFolder,
    name: str,
    definition: Mapping[str, Any],
    version: str | None = None,
    autosave: bool = False,
) -> EnvironmentRecord:
    """Keep a definition as a version of the environment `name`; it is on the disk when this returns.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    name : str
        See `check_environment_name`.
    definition : dict
        As `Environment.to_dict` returns it; its own name and version do not count.
    version : str, optional
        The version that is wished for. One that is there with another content is left alone: the next number is given.
    autosave : bool
        Whether a submit does it: the version is then called ``Autosave_<time>_<digest>``, as SDK v1's are.

    Returns
    -------
    EnvironmentRecord
        The newest version where that is the same; for a submit, any version that is the same.

    Raises
    ------
    UserErrorException
        When name or version cannot be used.
    WorkspaceException
        When it cannot be written; nothing is registered then.
    """
    check_environment_name(name)
    if version is not None and not _VERSION.fullmatch(version):
        raise UserErrorException(
            f"The environment version {version!r:.120} cannot be used: expected a letter or digit, then up to 99 letters, "
            "digits, '-', '.', '_' and ':'.",
            "version",
        )
    digest = environment_digest(definition)
    standing = _standing(folder.store.read(), name, version, digest, autosave)
    if standing is not None:
        return standing
    with folder.store.transaction() as tx:
        standing = _standing(tx, name, version, digest, autosave)  # another process may have been quicker
        if standing is not None:
            return standing
        now = time.time()
        record = EnvironmentRecord(name, _next(tx, name, version, digest, autosave, now), now, autosave, digest)
        path = definition_path(folder.layout, record)
        with store_errors(str(path)):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            whole = {**definition, "name": name, "version": record.version}
            durable.write_json(path, whole, point="environments.definition", mode=0o600)
        append_journal(folder, {"op": "environment", "environment": asdict(record)})
        write_environment(tx, record)
    return record


def _standing(
    db: sqlite3.Connection, name: str, version: str | None, digest: str, autosave: bool
) -> EnvironmentRecord | None:
    """Return the version that is what is to be saved, so that nothing has to be."""
    if autosave:
        return find_same_environment(db, name, digest)
    if version is not None:
        there = find_environment(db, name, version)
        return there if there is not None and there.digest == digest and not there.autosaved else None
    newest = find_environment(db, name)
    return newest if newest is not None and newest.digest == digest and not newest.autosaved else None


def find_same_environment(db: sqlite3.Connection, name: str, digest: str) -> EnvironmentRecord | None:
    """Return the newest version of `name` with this content; one that was registered before one that a submit has saved."""
    row = db.execute(
        f"SELECT {_COLUMNS} FROM environments WHERE name = ? AND digest = ? ORDER BY autosaved, seq DESC LIMIT 1",
        (name, digest),
    ).fetchone()
    return _record(row) if row else None


def _next(tx: sqlite3.Connection, name: str, version: str | None, digest: str, autosave: bool, now: float) -> str:
    if autosave:
        made = f"Autosave_{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(now))}_{digest[:8]}"
        return made if find_environment(tx, name, made) is None else f"{made}{digest[8:16]}"
    if version is not None and find_environment(tx, name, version) is None:
        return version
    row = tx.execute("SELECT last_version FROM environment_names WHERE name = ?", (name,)).fetchone()
    number = (int(row[0]) if row else 0) + 1
    while find_environment(tx, name, str(number)) is not None:
        number += 1  # somebody chose this one by hand
    return str(number)


def write_environment(tx: sqlite3.Connection, record: EnvironmentRecord) -> None:
    """Write the row of one version, in place of the one that is there."""
    tx.execute("DELETE FROM environments WHERE name = ? AND version = ?", (record.name, record.version))
    tx.execute(
        f"INSERT INTO environments ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)",
        (record.name, record.version, record.created, int(record.autosaved), record.digest),
    )
    tx.execute(
        "INSERT INTO environment_names (name, last_version) VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET last_version = max(last_version, excluded.last_version)",
        (record.name, int(record.version) if re.fullmatch(r"\d{1,15}", record.version) else 0),
    )


def find_environment(db: sqlite3.Connection, name: str, version: str | None = None) -> EnvironmentRecord | None:
    """Return one version; without `version` the newest that was registered, else the newest that a submit has saved."""
    if version is not None:
        row = db.execute(
            f"SELECT {_COLUMNS} FROM environments WHERE name = ? AND version = ?", (name, str(version))
        ).fetchone()
    else:
        row = db.execute(
            f"SELECT {_COLUMNS} FROM environments WHERE name = ? ORDER BY autosaved, seq DESC LIMIT 1", (name,)
        ).fetchone()
    return _record(row) if row else None


def get_environment(
    db: sqlite3.Connection, name: str, version: str | None = None, also: Sequence[str] = ()
) -> EnvironmentRecord:
    """Return one version, as `find_environment` does.

    Parameters
    ----------
    db : sqlite3.Connection
        A read connection or an open transaction.
    name, version : str
        Which.
    also : sequence of str
        Names that are known besides the registered ones, for the message.

    Raises
    ------
    UserErrorException
        When there is none; says which there are.
    """
    found = find_environment(db, name, version)
    if found is not None:
        return found
    versions = [record.version for record in list_environments(db, name=name)]
    if versions:
        listed = ", ".join(versions[:10]) + (", ..." if len(versions) > 10 else "")
        raise UserErrorException(
            f"The environment {name!r} has no version {version!r}; its versions: {listed}.", "version"
        )
    rows = db.execute("SELECT DISTINCT name FROM environments ORDER BY name")
    known = nearest(name, [*(row[0] for row in rows), *also])
    raise UserErrorException(
        f"There is no environment {name!r} in this workspace; {known or 'none is registered'}. "
        "Environment.register(workspace) and aml environment register keep one.",
        "environment",
    )


def list_environments(
    db: sqlite3.Connection, name: str | None = None, latest: bool = False, autosaved: bool = True
) -> list[EnvironmentRecord]:
    """Return the versions that are kept, the newest first.

    Parameters
    ----------
    db : sqlite3.Connection
        A read connection or an open transaction.
    name : str, optional
        Only those of this name.
    latest : bool
        Of each name only the version that is meant when none is named.
    autosaved : bool
        Those, too, that submits have saved.
    """
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM environments WHERE (? IS NULL OR name = ?) AND (? OR NOT autosaved) ORDER BY seq DESC",
        (name, name, int(autosaved)),
    )
    found = [_record(row) for row in rows]
    if not latest:
        return found
    newest: dict[str, EnvironmentRecord] = {}
    for record in found:
        standing = newest.get(record.name)
        if standing is None or (standing.autosaved and not record.autosaved):
            newest[record.name] = record
    return list(newest.values())


def definition_path(layout: Layout, record: EnvironmentRecord) -> Path:
    """Return the file of a definition."""
    return layout.environments / record.name / f"{record.version}.json"


def read_environment(layout: Layout, record: EnvironmentRecord) -> dict[str, Any]:
    """Return the definition of a version.

    Raises
    ------
    WorkspaceException
        When its file is missing or damaged.
    """
    path = definition_path(layout, record)
    try:
        found = protocol.read_json(str(path))
    except (OSError, ValueError) as error:
        raise WorkspaceException(
            f"The definition of environment {record.id}, {path}, cannot be read: {error}. Register it again."
        ) from error
    if found is None:
        raise WorkspaceException(
            f"The definition of environment {record.id} is gone: there is no {path}. Register it again."
        )
    return found


def delete_environment(folder: WorkspaceFolder, name: str, version: str) -> EnvironmentRecord:
    """Take one version out of the registry, with its definition; its number is not given again.

    What was built from it stays in the cache.

    Raises
    ------
    UserErrorException
        When there is no such version.
    """
    with folder.store.transaction() as tx:
        record = get_environment(tx, name, version)
        append_journal(folder, {"op": "environment_deleted", "name": name, "version": record.version})
        tx.execute("DELETE FROM environments WHERE name = ? AND version = ?", (name, record.version))
    path = definition_path(folder.layout, record)
    with store_errors(str(path)), fault_point("environments.remove"):
        path.unlink(missing_ok=True)
    return record


def keep_wheel(folder: WorkspaceFolder, wheel: str | os.PathLike[str], exist_ok: bool = False) -> Path:
    """Keep a wheel that no index has in the workspace and return where it lies.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    wheel : path
        The file.
    exist_ok : bool
        Whether one of the same name with another content is replaced.

    Raises
    ------
    UserErrorException
        When it is no wheel, cannot be read, or another one has its name.
    """
    source = Path(wheel).expanduser()
    if source.suffix != ".whl" or not source.is_file():
        raise UserErrorException(f"{source} cannot be kept: the path of a wheel (.whl) was expected.", "file_path")
    kept = folder.layout.environments / _WHEELS / source.name
    content = source.read_bytes()
    if kept.exists():
        if kept.read_bytes() == content:
            return kept
        if not exist_ok:
            raise UserErrorException(
                f"{source.name} is kept already, with another content. Pass exist_ok=True to replace it, or build the wheel "
                "with another version.",
                "exist_ok",
            )
    temporary = kept.with_name(f".{source.name}.{os.getpid()}.tmp")
    with store_errors(str(kept)):
        kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with fault_point("environments.wheel"):
            temporary.write_bytes(content)
            os.replace(temporary, kept)
    return kept


def missing_environments(layout: Layout, records: Sequence[EnvironmentRecord]) -> list[str]:
    """Return a phrase for each environment whose definition is not there, or is another one."""
    wrong = []
    for record in records:
        try:
            if environment_digest(read_environment(layout, record)) != record.digest:
                wrong.append(f"environment {record.id}: its definition was changed by hand")
        except WorkspaceException as error:
            wrong.append(f"environment {record.id}: {error.message}")
    return wrong


def _record(row: Sequence[Any]) -> EnvironmentRecord:
    name, version, created, autosaved, digest = row
    return EnvironmentRecord(str(name), str(version), float(created), bool(autosaved), str(digest))
