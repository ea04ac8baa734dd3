"""A full disk and a read-only workspace: a clear word, nothing half-written, and work goes on when there is room again."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from faults.world import World
from support import until

from aml_jupyter.service import ensure_service, wait_for_run
from aml_jupyter.workspace import WorkspaceFolder, find_runs, get_run, verify_workspace
from aml_jupyter.workspace.states import FINAL

pytestmark = pytest.mark.faults


def _fill(disk: Path) -> Path:
    """Take all the room that is left."""
    filler = disk / "logs" / "filler"
    with open(filler, "wb", buffering=0) as stream:
        for size in (65536, 4096, 1):
            try:
                while True:
                    stream.write(bytes(size))
            except OSError:
                continue
    return filler


def _refusals(world: World) -> list[list[str]]:
    lines = [line for path in sorted(world.place.glob("said-*")) for line in path.read_text().splitlines()]
    return [json.loads(line.partition(" ")[2]) for line in lines if line.startswith("refused ")]


def test_runs_wait_through_a_full_disk(small_disk: Path, world: World) -> None:
    world.do("queue")
    folder = WorkspaceFolder.open(world.root)
    go = world.place / "go"
    world.do("submit_some", scripts=[["gated.py", str(go)]])
    waiting, running = world.said("ack")
    until(lambda: (running, 1) in world.ran(), message="the run in the ledger")
    filler = _fill(small_disk)
    before = sorted(path.name for path in (world.root / "runs").iterdir())
    (world.project / "more.bin").write_bytes(os.urandom(200_000))
    world.do("try_submit")
    (kind, message), *_ = _refusals(world)
    assert kind in ("WorkspaceException", "SnapshotException")
    assert "space" in message
    assert sorted(path.name for path in (world.root / "runs").iterdir()) == before
    assert [run.id for run in find_runs(folder.store.read())] == [running, waiting]
    assert verify_workspace(folder).is_clean
    go.touch()  # the run ends while nothing can be written down
    until(lambda: (world.ledger.read_text().splitlines()[-1:] or [""])[0].endswith("end"), message="the script's end")
    assert get_run(folder.store.read(), running).status not in FINAL
    filler.unlink()
    ensure_service(folder)
    assert wait_for_run(folder, running, timeout=30).status == "Completed"
    world.do("start_queued")
    assert get_run(folder.store.read(), waiting).status == "Completed"
    world.do("recover+end")
    folder.close()
    assert {run.status for run in world.check()} == {"Completed"}


def test_a_read_only_workspace_is_said(small_disk: Path, world: World) -> None:
    world.do("queue+end")
    (waiting,) = world.said("ack")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    world.do("try_submit")
    (refused, *_) = _refusals(world)
    assert refused[0] == "WorkspaceException"
    assert "read-only" in refused[1].lower() or "read only" in refused[1].lower()
    assert str(world.root) in refused[1]
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    folder = WorkspaceFolder.open(world.root)
    assert [run.id for run in find_runs(folder.store.read())] == [waiting]
    folder.close()
    world.do("start_queued+recover+end")
    assert {run.status for run in world.check()} == {"Completed"}
