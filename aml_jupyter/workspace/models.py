"""Own the model registry: names, versions, tags and properties in the database, the files in ``models/<name>/<version>/``.

A version's files are copied beside their place and renamed into it inside the transaction that makes its row, after the
journal's line: a version is there whole or not at all, and a rebuild finds it again. Versions are never given twice.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from aml_jupyter.errors import ModelException, UserErrorException, nearest

from .folder import WorkspaceFolder
from .journal import append_journal
from .model_files import discard_strangers, place, remove_placed, staged
from .records import ModelRecord

__all__ = [
    "check_model_name",
    "delete_model",
    "find_model",
    "get_model",
    "list_models",
    "register_model",
    "update_model",
    "write_model",
]

_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9\-._]{0,254}")
_COLUMNS: Final = (
    "name, version, created, modified, run, experiment, description, framework, framework_version, tags, properties, root, "
    "files, size"
)
Filter = Sequence[str | Sequence[str]] | Mapping[str, str]
"""Keys, or [key, value] pairs, that a model has to have; a mapping asks for its pairs."""


def check_model_name(name: object) -> str:
    """Return `name` when a model can be called so.

    Raises
    ------
    ModelException
        When it is not SDK v1's: a letter or digit, then up to 254 letters, digits, ``-``, ``.`` and ``_``.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ModelException(
            f"The model name {name!r:.300} cannot be used: expected a letter or digit, then up to 254 letters, digits, "
            "'-', '.' and '_'.",
            "model_name",
        )
    return name


def register_model(
    folder: WorkspaceFolder,
    name: str,
    files: Mapping[str, str | os.PathLike[str]],
    root: str,
    *,
    run: str | None = None,
    experiment: str | None = None,
    tags: Mapping[str, str] | None = None,
    properties: Mapping[str, str] | None = None,
    description: str | None = None,
    framework: str | None = None,
    framework_version: str | None = None,
) -> ModelRecord:
    """Make the next version of the model `name`; it is on the disk when this returns.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    name : str
        See `check_model_name`.
    files : mapping of str to path
        What it consists of: names relative to the version's folder, with ``/``, and the files to copy.
    root : str
        The one file or folder that all names begin with: what a download gives.
    run, experiment : str, optional
        The run that made it, and its experiment.
    tags, properties : mapping of str to str, optional
        Tags can be changed later, properties can not.
    description, framework, framework_version : str, optional
        SDK v1's.

    Raises
    ------
    ModelException
        When the name cannot be used, or there is no file.
    WorkspaceException
        When the files cannot be copied; there is no new version then.
    """
    check_model_name(name)
    if not files:
        raise ModelException(f"The model {name!r} has no files: {root} is empty.", "model_path")
    with staged(folder.layout, files) as (temporary, size):
        now = time.time()
        with folder.store.transaction() as tx:
            row = tx.execute("SELECT last_version FROM model_names WHERE name = ?", (name,)).fetchone()
            record = ModelRecord(
                name=name,
                version=(int(row[0]) if row else 0) + 1,
                created=now,
                modified=now,
                run=run,
                experiment=experiment,
                description=description or "",
                framework=framework or "Custom",
                framework_version=framework_version,
                tags=dict(tags or {}),
                properties=dict(properties or {}),
                root=root,
                files=len(files),
                size=size,
            )
            discard_strangers(folder.layout, name, _versions(tx, name))
            place(folder.layout, temporary, name, record.version)
            append_journal(folder, {"op": "model", "model": asdict(record)})
            write_model(tx, record)
    return record


def write_model(tx: sqlite3.Connection, record: ModelRecord) -> None:
    """Write the row of one version, in place of the one that is there."""
    fields = {**asdict(record), "tags": json.dumps(record.tags), "properties": json.dumps(record.properties)}
    names = _COLUMNS.split(", ")
    tx.execute(
        f"INSERT OR REPLACE INTO models ({_COLUMNS}) VALUES ({', '.join('?' * len(names))})",
        [fields[column] for column in names],
    )
    tx.execute(
        "INSERT INTO model_names (name, last_version) VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET last_version = max(last_version, excluded.last_version)",
        (record.name, record.version),
    )


def find_model(db: sqlite3.Connection, name: str, version: int | None = None) -> ModelRecord | None:
    """Return one version of a model, the newest without `version`; None when there is none."""
    found = list_models(db, name=name, version=version, latest=True)
    return found[0] if found else None


def get_model(db: sqlite3.Connection, name: str, version: int | None = None) -> ModelRecord:
    """Return one version of a model, the newest without `version`.

    Raises
    ------
    ModelException
        When there is none; says which there are.
    """
    found = find_model(db, name, version)
    if found is not None:
        return found
    versions = sorted(_versions(db, name))
    if versions:
        listed = ", ".join(map(str, versions[-10:]))
        raise ModelException(
            f"ModelNotFound: model {name!r} has no version {version}; its versions: {listed}.", "version"
        )
    known = nearest(name, [row[0] for row in db.execute("SELECT DISTINCT name FROM models ORDER BY name")])
    raise ModelException(f"ModelNotFound: there is no model {name!r}. {known or 'None is registered.'}", "name")


def list_models(
    db: sqlite3.Connection,
    name: str | None = None,
    version: int | None = None,
    tags: Filter | None = None,
    properties: Filter | None = None,
    run: str | None = None,
    framework: str | None = None,
    latest: bool = False,
) -> list[ModelRecord]:
    """Return the models that pass every filter, the newest first.

    Parameters
    ----------
    db : sqlite3.Connection
        A read connection or an open transaction.
    name, version, run, framework : optional
        Only those with this value.
    tags, properties : optional
        Only those that have these keys, or keys with values.
    latest : bool
        Of each name only the newest that passes.
    """
    wanted = {"name": name, "version": version, "run": run, "framework": framework}
    given = {column: value for column, value in wanted.items() if value is not None}
    clause = " AND ".join(f"{column} = ?" for column in given) or "1"
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM models WHERE {clause} ORDER BY created DESC, name, version DESC", list(given.values())
    )
    found = [record for record in map(_record, rows) if _has(record.tags, tags) and _has(record.properties, properties)]
    if not latest:
        return found
    newest: dict[str, ModelRecord] = {}
    for record in found:
        if record.name not in newest or newest[record.name].version < record.version:
            newest[record.name] = record
    return list(newest.values())


def update_model(
    folder: WorkspaceFolder,
    name: str,
    version: int,
    *,
    tags: Mapping[str, str | None] | None = None,
    replace_tags: bool = False,
    properties: Mapping[str, str] | None = None,
    description: str | None = None,
) -> ModelRecord:
    """Change tags (None removes one), add properties, change the description; return the model as it is then.

    Raises
    ------
    ModelException
        When there is no such version.
    UserErrorException
        When a property is there already with another value: properties cannot be changed.
    """
    with folder.store.transaction() as tx:
        record = get_model(tx, name, version)
        for key, value in (properties or {}).items():
            if record.properties.get(key, value) != value:
                raise UserErrorException(
                    f"Property {key!r} of model {record.id} is {record.properties[key]!r} and cannot be changed to "
                    f"{value!r}: properties are immutable. Use a tag.",
                    "properties",
                )
        changed = {**({} if replace_tags else record.tags), **(tags or {})}
        record = replace(
            record,
            modified=time.time(),
            tags={key: value for key, value in changed.items() if value is not None},
            properties={**record.properties, **(properties or {})},
            description=record.description if description is None else description,
        )
        append_journal(folder, {"op": "model", "model": asdict(record)})
        write_model(tx, record)
    return record


def delete_model(folder: WorkspaceFolder, name: str, version: int) -> None:
    """Delete one version with its files; its number is not given again.

    Raises
    ------
    ModelException
        When there is no such version.
    """
    with folder.store.transaction() as tx:
        get_model(tx, name, version)
        append_journal(folder, {"op": "model_deleted", "name": name, "version": version})
        tx.execute("DELETE FROM models WHERE name = ? AND version = ?", (name, version))
    remove_placed(folder.layout, name, version)


def _versions(db: sqlite3.Connection, name: str) -> set[int]:
    return {int(row[0]) for row in db.execute("SELECT version FROM models WHERE name = ?", (name,))}


def _record(row: Sequence[Any]) -> ModelRecord:
    fields = dict(zip(_COLUMNS.split(", "), row, strict=True))
    return ModelRecord(**{**fields, "tags": json.loads(fields["tags"]), "properties": json.loads(fields["properties"])})


def _has(values: Mapping[str, str], wanted: Filter | None) -> bool:
    if wanted is None:
        return True
    pairs = list(wanted.items()) if isinstance(wanted, Mapping) else wanted
    for each in pairs:
        key, value = (each, None) if isinstance(each, str) else (each[0], each[1] if len(each) > 1 else None)
        if key not in values or value not in (None, values[key]):
            return False
    return True
