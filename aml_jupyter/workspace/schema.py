"""Own the tables of the database, their numbered migrations, and who may read and write which number.

`MIGRATIONS[n]` brings a database from number n to n + 1. A migration may raise ``min_writer`` (an older package then
reads, and refuses to write) or ``min_reader`` (it refuses to open).
"""

from __future__ import annotations

import sqlite3
import time
import uuid
from typing import Final

from aml_jupyter import __version__
from aml_jupyter.errors import WorkspaceException

from .database import Connection

__all__ = ["CURRENT", "MIGRATIONS", "check_readable", "check_writable", "migrate", "schema_number", "set_meta"]

_FIRST: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE lease (one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL, holder TEXT NOT NULL, time REAL
  NOT NULL);
CREATE TABLE experiments (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, created REAL NOT NULL,
  run_count INTEGER NOT NULL DEFAULT 0, last_number INTEGER NOT NULL DEFAULT 0);
CREATE TABLE runs (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, number INTEGER NOT NULL, experiment TEXT NOT NULL,
  parent TEXT, display_name TEXT NOT NULL, kind TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '',
  target TEXT NOT NULL, attempt INTEGER NOT NULL DEFAULT 0, priority INTEGER NOT NULL DEFAULT 0,
  cores INTEGER NOT NULL DEFAULT 1, snapshot TEXT, max_retries INTEGER NOT NULL DEFAULT 0, created REAL NOT NULL,
  queued REAL, started REAL, ended REAL, exit_code INTEGER, error TEXT, progress TEXT, cancel_requested REAL,
  hidden INTEGER NOT NULL DEFAULT 0, in_process INTEGER NOT NULL DEFAULT 0);
CREATE INDEX runs_by_experiment ON runs (experiment, seq);
CREATE INDEX runs_by_parent ON runs (parent, seq) WHERE parent IS NOT NULL;
CREATE INDEX runs_by_status ON runs (status, seq);
CREATE INDEX runs_by_target ON runs (target, seq);
CREATE INDEX runs_listed ON runs (seq) WHERE parent IS NULL AND hidden = 0;
CREATE INDEX runs_open ON runs (seq) WHERE status NOT IN ('Completed', 'Failed', 'Canceled');
CREATE INDEX runs_in_line ON runs (target, priority, seq) WHERE status = 'Queued';
CREATE TABLE definitions (run TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE transitions (
  id INTEGER PRIMARY KEY, run TEXT NOT NULL, time REAL NOT NULL, attempt INTEGER NOT NULL, before TEXT, after TEXT NOT
  NULL,
  reason TEXT NOT NULL);
CREATE INDEX transitions_by_run ON transitions (run, id);
CREATE TABLE attempts (
  run TEXT NOT NULL, number INTEGER NOT NULL, epoch INTEGER NOT NULL, handle TEXT NOT NULL, created REAL NOT NULL,
  started REAL,
  ended REAL, exit_code INTEGER, signal INTEGER, reason TEXT, peak_memory INTEGER, cpu_time REAL, node TEXT,
  PRIMARY KEY (run, number)) WITHOUT ROWID;
-- a tag that was removed keeps its row, with NULL, so that an older change that arrives late does not bring it back
CREATE TABLE tags (run TEXT NOT NULL, key TEXT NOT NULL, value TEXT, time REAL NOT NULL, PRIMARY KEY (run, key))
  WITHOUT ROWID;
CREATE INDEX tags_by_value ON tags (key, value, run);
CREATE TABLE properties (run TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, key)) WITHOUT
  ROWID;
CREATE TABLE targets (
  name TEXT PRIMARY KEY COLLATE NOCASE, type TEXT NOT NULL, settings TEXT NOT NULL, provisioning_state TEXT NOT NULL,
  provisioning_errors TEXT NOT NULL, created REAL NOT NULL, modified REAL NOT NULL, attached INTEGER NOT NULL DEFAULT 0,
  tags TEXT NOT NULL DEFAULT '{}', description TEXT NOT NULL DEFAULT '');
CREATE TABLE cursors (
  run TEXT NOT NULL, attempt INTEGER NOT NULL, file TEXT NOT NULL, position INTEGER NOT NULL, closed TEXT,
  PRIMARY KEY (run, attempt, file)) WITHOUT ROWID;
CREATE TABLE metrics (
  id INTEGER PRIMARY KEY, run TEXT NOT NULL, attempt INTEGER NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
  count INTEGER NOT NULL DEFAULT 0, last TEXT, minimum REAL, maximum REAL, has_steps INTEGER NOT NULL DEFAULT 0,
  integral INTEGER NOT NULL DEFAULT 1, others INTEGER NOT NULL DEFAULT 0, UNIQUE (run, attempt, name));
CREATE TABLE metric_chunks (
  metric INTEGER NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL, levels BLOB NOT NULL, points BLOB NOT NULL,
  times BLOB NOT NULL,
  steps BLOB, PRIMARY KEY (metric, first));
CREATE TABLE metric_others (metric INTEGER NOT NULL, position INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY
  (metric, position)) WITHOUT ROWID;
CREATE TABLE metric_rows (metric INTEGER NOT NULL, position INTEGER NOT NULL, value TEXT NOT NULL, time REAL NOT NULL,
  PRIMARY KEY (metric, position));
CREATE TABLE artifacts (
  run TEXT NOT NULL, attempt INTEGER NOT NULL, name TEXT NOT NULL, location TEXT NOT NULL, size INTEGER NOT NULL,
  modified REAL NOT NULL,
  PRIMARY KEY (run, attempt, name)) WITHOUT ROWID;
CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, kind TEXT NOT NULL, subject TEXT NOT
  NULL, data TEXT NOT NULL);
"""

_MODELS: Final = """
-- the highest version that was ever given, also to a model that was deleted since
CREATE TABLE model_names (name TEXT PRIMARY KEY, last_version INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE models (
  name TEXT NOT NULL, version INTEGER NOT NULL, created REAL NOT NULL, modified REAL NOT NULL, run TEXT, experiment TEXT,
  description TEXT NOT NULL, framework TEXT NOT NULL, framework_version TEXT, tags TEXT NOT NULL, properties TEXT NOT NULL,
  root TEXT NOT NULL, files INTEGER NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (name, version)) WITHOUT ROWID;
CREATE INDEX models_by_run ON models (run) WHERE run IS NOT NULL;
"""

_ENVIRONMENTS: Final = """
-- the highest number that was ever given, also to a version that was deleted since
CREATE TABLE environment_names (name TEXT PRIMARY KEY, last_version INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE environments (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, version TEXT NOT NULL, created REAL NOT NULL,
  autosaved INTEGER NOT NULL, digest TEXT NOT NULL, UNIQUE (name, version));
CREATE INDEX environments_by_digest ON environments (name, digest);
"""

_SWEEPS: Final = """
CREATE TABLE sweep_changes (seq INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, change TEXT NOT NULL);
CREATE INDEX sweep_changes_by_run ON sweep_changes (run, seq);
"""

MIGRATIONS: Final[tuple[str, ...]] = (_FIRST, _MODELS, _ENVIRONMENTS, _SWEEPS)
CURRENT: Final = len(MIGRATIONS)

_READS_FROM: Final = 1
"""The lowest number of a package that can read what `CURRENT` writes; raised by a migration that it cannot follow."""

_WRITES_FROM: Final = 1
"""The same for writing."""


def schema_number(db: sqlite3.Connection) -> int:
    """Return the number of the database's schema; 0 when it has no tables yet."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def set_meta(tx: sqlite3.Connection, key: str, value: str) -> None:
    """Set one entry of the `meta` table."""
    tx.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value))


def migrate(tx: Connection, workspace_id: str) -> None:
    """Bring the database of the open transaction `tx` to the current schema, from whatever number it has."""
    before = schema_number(tx)
    for script in MIGRATIONS[before:]:
        for statement in script.split(";\n"):
            if statement.strip():
                tx.execute(statement)
    tx.execute(f"PRAGMA user_version={CURRENT}")
    if before == 0:
        now = time.time()
        set_meta(tx, "workspace", workspace_id)
        set_meta(tx, "generation", uuid.uuid4().hex)
        set_meta(tx, "default_target", "local")
        tx.execute(
            "INSERT INTO targets (name, type, settings, provisioning_state, provisioning_errors, created, modified) "
            "VALUES ('local', 'local', '{}', 'Succeeded', '[]', ?, ?)",
            (now, now),
        )
    set_meta(tx, "min_reader", str(_READS_FROM))
    set_meta(tx, "min_writer", str(_WRITES_FROM))
    set_meta(tx, "package", __version__)


def check_readable(db: Connection) -> None:
    """Refuse to read a database that a newer package has made unreadable for this one.

    Raises
    ------
    WorkspaceException
        Says which version to upgrade to.
    """
    _check(db, "min_reader", "read")


def check_writable(db: Connection) -> None:
    """Refuse to write a database that only a newer package may write; raises as `check_readable` does."""
    _check(db, "min_writer", "written")


def _check(db: Connection, key: str, verb: str) -> None:
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    if row is None or int(row[0]) <= CURRENT:
        return
    package = db.execute("SELECT value FROM meta WHERE key = 'package'").fetchone()
    newer = package[0] if package else "a newer version"
    raise WorkspaceException(
        f"The workspace {db.path.parent} can only be {verb} by aml-jupyter {newer} or newer: its database has format "
        f"{row[0]}, and this is aml-jupyter {__version__} with format {CURRENT}. Upgrade: pip install -U "
        f"'aml-jupyter>={newer}'"
    )
