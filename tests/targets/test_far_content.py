"""What is sent to another machine is sent once, goes on after a cut, and is never used when it is damaged."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ssh_server import attach_server
from support import until

from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.supervisor.far_content import FarContent
from aml_jupyter.supervisor.far_frames import Frames, GarbledFrame, pack
from aml_jupyter.supervisor.far_place import Places
from aml_jupyter.targets import Handle, Launch, Needs
from aml_jupyter.targets.far_boot import far_command, parcel
from aml_jupyter.targets.far_fetch import fetch
from aml_jupyter.targets.far_host import FarHost, host_of
from aml_jupyter.targets.remote import RemoteTarget
from aml_jupyter.workspace import WorkspaceFolder, get_target, take_snapshot


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_frames_come_out_as_they_went_in() -> None:
    said = [({"id": number, "op": "x" * number}, os.urandom(number * 1000)) for number in range(20)]
    stream = b"".join(pack(*frame) for frame in said)
    frames = Frames()
    heard = [frame for start in range(0, len(stream), 777) for frame in frames.feed(stream[start : start + 777])]
    assert heard == said
    with pytest.raises(GarbledFrame, match="Welcome"):
        Frames().feed(b"Welcome to this machine\n")


def test_a_blob_goes_on_where_it_was_cut_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    data = os.urandom(300_000)
    name, entries = digest(data), [["big", "f", digest(data), len(data)], ["sub", "d", "", 0], ["link", "l", "big", 0]]
    store = FarContent(str(tmp_path), "ws")
    assert store.missing(entries) == [(name, 0)]
    store.take(name, len(data), 0, data[:100_000])
    assert FarContent(str(tmp_path), "ws").missing(entries) == [(name, 100_000)]
    store.take(name, len(data), 100_000, data[100_000:])
    assert store.missing(entries) == [] and store.place(entries, str(tmp_path / "work")) == []
    assert (tmp_path / "work/link").read_bytes() == data
    with pytest.raises(ValueError, match="did not arrive"):
        store.take(digest(b"x"), 1, 0, b"y")
    blob = tmp_path / "content/blobs" / name[:2] / name
    blob.write_bytes(data[:-1] + b"?")
    store = FarContent(str(tmp_path), "ws")  # after a power cut nobody has checked it
    assert store.place(entries, str(tmp_path / "again")) == [name]
    assert not (tmp_path / "again").exists() and not blob.exists()  # nothing half, and it is asked for again


def test_a_blob_whose_last_part_is_wrong_is_asked_for_from_its_beginning(tmp_path: Path) -> None:
    data = os.urandom(300_000)
    name, entries = digest(data), [["big", "f", digest(data), len(data)]]
    store = FarContent(str(tmp_path), "ws")
    store.take(name, len(data), 0, data[:200_000])
    store.take(
        name, len(data), 50_000, data[50_000:100_000]
    )  # by who has heard that less is here: what follows is not counted on
    assert store.missing(entries) == [(name, 100_000)]
    with pytest.raises(ValueError, match="did not arrive"):
        store.take(name, len(data), 100_000, data[100_000:-1] + b"?")
    assert store.missing(entries) == [(name, 0)]
    store.take(name, len(data), 0, data)
    assert store.missing(entries) == []


def test_a_blob_that_is_used_counts_as_new(tmp_path: Path) -> None:
    data = b"used"
    store, blob = FarContent(str(tmp_path), "ws"), tmp_path / "content/blobs" / digest(data)[:2] / digest(data)
    store.take(digest(data), len(data), 0, data)
    os.utime(blob, (1, 1))
    assert store.place([["file", "f", digest(data), len(data)]], str(tmp_path / "work")) == []
    assert blob.stat().st_mtime > 1  # so it is not removed with what nobody uses


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "", "control//x", "../../inputs/../x"])
def test_nothing_that_comes_over_the_link_leads_elsewhere(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no name"):
        Places(str(tmp_path), "ws").inside(("run_1", 1), name)


@pytest.mark.parametrize("run", ["..", "a/b", "", ".hidden", "a\0b"])
def test_a_run_has_a_harmless_name(run: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no name"):
        Places(str(tmp_path), "ws").attempt((run, 1))


class There:
    """A target over there, driven by the test in place of a service."""

    def __init__(self, folder: WorkspaceFolder, source: Path) -> None:
        self.folder = folder
        self.source = source
        self.record = get_target(folder.store.read(), "box")
        self.target = RemoteTarget(folder, self.record)

    @property
    def host(self) -> FarHost:
        return host_of(self.folder, self.record)

    def stage(self, run: str) -> int:
        """Stage a snapshot of the source as it is now; return how many questions that took."""
        before = self.host.link.round_trips
        launch = Launch(f"ws/{run}/1", 1, ("true",), {}, take_snapshot(self.folder, self.source).id, Needs(), None, 1.0)
        self.target.stage(Handle("box", run, 1), launch)
        return self.host.link.round_trips - before

    def work(self, run: str) -> Path:
        return Path(self.target.paths(Handle("box", run, 1)).work)


@pytest.fixture
def there(folder: WorkspaceFolder, ssh_server: Any, tmp_path: Path) -> Any:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    for number in range(300):
        (source / "deep" / f"{number}.bin").write_bytes(os.urandom(500))
    (source / "big.bin").write_bytes(os.urandom(2_000_000))
    (source / "run.sh").write_text("#!/bin/sh\n")
    (source / "run.sh").chmod(0o755)
    attach_server(folder, ssh_server(), "box", tmp_path / "far")
    made = There(folder, source)
    yield made
    made.host.link.close()


def sent(there: There) -> int:
    """Return how many blobs are over there."""
    return sum(1 for path in Path(there.record.settings["base_folder"], "content/blobs").rglob("*") if path.is_file())


def test_only_what_changed_is_sent_and_the_number_of_questions_does_not_grow(there: There) -> None:
    there.target.reserve(Handle("box", "none", 1), Needs())
    until(lambda: there.host.link.is_up, message="the link")
    first = there.stage("run_1")
    assert sent(there) == 302 and first <= 5
    assert (there.work("run_1") / "big.bin").read_bytes() == (there.source / "big.bin").read_bytes()
    assert os.access(there.work("run_1") / "run.sh", os.X_OK)
    assert there.stage("run_2") == 2  # the same snapshot: the files, and to be told of it
    (there.source / "deep" / "7.bin").write_bytes(b"changed")
    assert there.stage("run_3") <= 5 and sent(there) == 303
    assert (there.work("run_3") / "deep/7.bin").read_bytes() == b"changed"
    (there.work("run_2") / "big.bin").write_bytes(b"a run may do what it likes")
    there.stage("run_4")
    assert (there.work("run_4") / "big.bin").stat().st_size == 2_000_000


def test_what_comes_back_is_checked_and_comes_once(there: There, tmp_path: Path) -> None:
    there.stage("run_1")
    made = there.work("run_1") / "outputs"
    (made / "sub").mkdir()
    for number in range(50):
        (made / "sub" / f"{number}.txt").write_bytes(os.urandom(1000 + number))
    (made / "big.bin").write_bytes(os.urandom(3_000_000))
    (made / "inside").symlink_to("big.bin")
    (made / "outside").symlink_to("/etc/hostname")
    root, handle = tmp_path / "here", Handle("box", "run_1", 1)
    assert fetch(there.host.link, handle, root, ["work/outputs"]) == 52
    assert (root / "work/outputs/inside").read_bytes() == (made / "big.bin").read_bytes()
    assert not (root / "work/outputs/outside").exists()
    assert fetch(there.host.link, handle, root, ["work/outputs"]) == 0
    (made / "big.bin").write_bytes(b"other")
    assert fetch(there.host.link, handle, root, ["work/outputs"]) == 2
    assert (root / "work/outputs/big.bin").read_bytes() == b"other"


def test_a_run_on_a_machine_that_does_not_answer_is_silent_and_not_lost(
    folder: WorkspaceFolder, ssh_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ssh_server()
    attach_server(folder, server, "box", tmp_path / "far")
    server.stop()
    monkeypatch.setattr("aml_jupyter.targets.remote.SILENT_AFTER", 0.2)
    there, handle = There(folder, tmp_path), Handle("box", "run_1", 1)
    control = folder.layout.run("run_1").attempt(1).control
    control.mkdir(parents=True)
    (control / "attempt.json").write_text(json.dumps({"supervisor": {"pid": 1, "start_time": "1"}, "started": 1.0}))
    try:
        until(lambda: there.target.observe([handle])[handle].state == "silent", message="that it is silent")
        message = there.target.observe([handle])[handle].message
    finally:
        there.host.link.close()
    assert message.startswith("no word from box for ") and message.endswith(" The run goes on there.")
    assert "refuses connections" in message


def test_the_far_side_runs_on_every_python_that_is_here(tmp_path: Path) -> None:
    pythons = sorted(Path("~/.pyenv/versions").expanduser().glob("3.*/bin/python")) or [Path(sys.executable)]
    for python in pythons:
        base = tmp_path / python.parent.parent.name
        command = far_command(str(python), str(base))
        done = subprocess.run(["sh", "-c", command], input=parcel().data, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, (python, done.stderr)
        assert done.stdout.startswith(b"aml:need\naml:have\n{") and b'"cores"' in done.stdout


def test_something_else_at_the_other_end_is_told(folder: WorkspaceFolder, ssh_server: Any, tmp_path: Path) -> None:
    server = ssh_server("ForceCommand echo this account is closed; exit 1")
    with pytest.raises(ComputeTargetException, match=r"runs no command .*this account is closed"):
        attach_server(folder, server, "box", tmp_path / "far")
