"""Give the workspace's tests definitions of runs, runs, and a small disk."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import sized_disk
from workspace_support import Definition, NewRun

from aml_jupyter.workspace import RunRecord, WorkspaceFolder, insert_run, new_attempt, new_run_id


@pytest.fixture
def definition() -> Definition:
    """Make the content of a run.json."""

    def make(experiment: str = "digits", **changes: Any) -> dict[str, Any]:
        return {
            "format": 1,
            "id": new_run_id(experiment),
            "experiment": experiment,
            "parent": None,
            "number": None,
            "display_name": None,
            "kind": "script",
            "target": "local",
            "script": "train.py",
            "max_retries": 0,
            "tags": {},
            "properties": {},
            "created": time.time(),
            **changes,
        }

    return make


@pytest.fixture
def new_run(folder: WorkspaceFolder, definition: Definition) -> NewRun:
    """Put a run into the workspace, with a first attempt."""

    def make(
        experiment: str = "digits",
        attempt: bool = True,
        in_process: bool = False,
        status: str = "Queued",
        **changes: Any,
    ) -> RunRecord:
        with folder.store.transaction() as tx:
            run = insert_run(tx, definition(experiment, **changes), status=status, in_process=in_process)
            if attempt and not in_process:
                new_attempt(tx, run.id, 1, {})
        return run

    return make


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 1.5 MB of room; needs root."""
    with sized_disk(tmp_path / "small", "1536k") as place:
        yield place
