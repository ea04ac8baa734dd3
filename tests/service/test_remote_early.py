"""Files of runs on another machine come while the runs go on: seen, listed and downloaded as those of a run of this machine."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from far_machine import Far
from slow_link import SlowProxy
from ssh_server import attach_server
from support import log_of, sized_disk, until

from aml_jupyter.cli.main import main
from aml_jupyter.sdk import Workspace
from aml_jupyter.service import cancel_run, service_status, stop_service
from aml_jupyter.service.remote import change_target, detach_unreachable
from aml_jupyter.views import run_view
from aml_jupyter.workspace import RunRecord, WorkspaceFolder, artifact_path, list_artifacts

pytestmark = pytest.mark.timeout(300)

EPOCHS = """
import os, shutil, sys, time
from azureml.core import Run
run = Run.get_context()
place = {place!r}

def wait(step):
    print("step", step, flush=True)
    while not os.path.exists(os.path.join(place, "go-" + step)):
        time.sleep(0.01)

os.makedirs("outputs/deep", exist_ok=True)
os.makedirs("logs", exist_ok=True)
{body}
print("end", flush=True)
"""


class Story:
    """A run that goes on step by step, as the test says."""

    def __init__(self, far: Far, place: Path, body: str, **request: object) -> None:
        self.far = far
        self.place = place
        place.mkdir()
        self.run: RunRecord = far.submit(EPOCHS.format(place=str(place), body=body), **request)

    def at(self, step: str) -> None:
        until(lambda: f"step {step}\n" in log_of(self.far.folder, self.run.id), 60, f"step {step}")

    def go(self, step: str) -> None:
        self.at(step)
        (self.place / f"go-{step}").touch()

    def listed(self) -> dict[str, int]:
        records = list_artifacts(self.far.folder.store.read(), self.run.id)
        return {record.name: record.size for record in records if not record.name.startswith("user_logs")}

    def here(self, name: str) -> Path:
        return self.far.folder.layout.run(self.run.id).attempt(1).work / name

    def there(self, name: str) -> Path:
        return self.far.base / f"runs/{self.far.folder.id}/{self.run.id}/attempts/1/work/{name}"

    def until_listed(self, *names: str) -> None:
        until(lambda: set(names) <= self.listed().keys(), 60, f"{names} in the list, which has {self.listed()}")


CHECKPOINTS = """
for epoch in range(3):
    open(f"outputs/deep/{epoch}.pt", "wb").write(bytes([epoch]) * 300_000)
    open("outputs/last.txt", "w").write(f"epoch {epoch}")
run.upload_file("kept/model.txt", "data.txt")
open("logs/own.txt", "w").write("a log")
half = open("outputs/half.bin", "wb")
half.write(b"half"); half.flush()
wait("trained")
half.write(b"whole"); half.close()
os.remove("outputs/deep/0.pt")
os.rename("outputs/deep/1.pt", "outputs/deep/one.pt")
open("outputs/last.txt", "w").write("epoch 3, of many")
wait("changed")
os.remove("outputs/deep/2.pt")
"""


def test_a_checkpoint_is_seen_and_downloaded_while_the_run_trains(
    far: Far, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story(far, tmp_path / "story", CHECKPOINTS)
    first = {"outputs/deep/0.pt": 300_000, "outputs/deep/1.pt": 300_000, "outputs/deep/2.pt": 300_000}
    first |= {"outputs/last.txt": 7, "logs/own.txt": 5, "kept/model.txt": 9}
    story.until_listed(*first)
    assert story.listed() == first and far.status(story.run) == "Running"  # not the one that is half written
    assert {each.name for each in run_view(far.folder, story.run.id).outputs} >= first.keys()
    until(lambda: artifact_path(far.folder, story.run.id, "kept/model.txt").exists(), 30, "the upload")
    monkeypatch.setenv("AML_WORKSPACE", str(far.folder.root))
    assert main(["run", "download", story.run.id, "outputs/deep", "-d", str(tmp_path / "got")]) == 0
    assert (tmp_path / "got/outputs/deep/2.pt").read_bytes() == b"\2" * 300_000
    (run,) = Workspace(far.folder).experiments["far"].get_runs()
    assert "outputs/last.txt" in run.get_file_names()
    run.download_file("outputs/last.txt", str(tmp_path / "last.txt"))
    run.download_file("kept/model.txt", str(tmp_path / "model.txt"))
    assert (tmp_path / "last.txt").read_text() == "epoch 2" and (tmp_path / "model.txt").read_text() == "snapshot\n"

    story.go("trained")
    second = {
        "outputs/deep/2.pt": 300_000,
        "outputs/deep/one.pt": 300_000,
        "outputs/last.txt": 16,
        "outputs/half.bin": 9,
    }
    second |= {"logs/own.txt": 5, "kept/model.txt": 9}
    until(lambda: story.listed() == second, 60, f"the list after the change: {story.listed()}")
    assert story.here("outputs/last.txt").read_text() == "epoch 3, of many"
    assert far.status(story.run) == "Running"
    story.go("changed")
    assert far.end(story.run).status == "Completed"
    del second["outputs/deep/2.pt"]
    assert story.listed() == second
    assert sorted(path.name for path in story.here("outputs").rglob("*") if path.is_file()) == [
        "half.bin",
        "last.txt",
        "one.pt",
    ]
    assert not (story.here("").parent / ".fetching").exists()


def test_a_local_run_shows_its_files_in_the_same_way(far: Far, tmp_path: Path) -> None:
    from aml_jupyter.service import SubmitRequest, submit

    (tmp_path / "story").mkdir()
    config = far.config(
        EPOCHS.format(place=str(tmp_path / "story"), body='open("outputs/a.pt", "w").write("a")\nwait("done")')
    )
    config.run_config.target = "local"
    run = submit(far.folder, SubmitRequest(config, "far")).run
    names = lambda: [record.name for record in list_artifacts(far.folder.store.read(), run.id)]  # noqa: E731
    until(lambda: "outputs/a.pt" in names(), 30, "the file in the list")
    assert far.status(run) == "Running"
    (tmp_path / "story" / "go-done").touch()
    assert far.end(run).status == "Completed" and "outputs/a.pt" in names()


def test_a_machine_that_dies_for_good_loses_what_was_written_since(far: Far, tmp_path: Path) -> None:
    body = """
open("outputs/first.pt", "w").write("first")
wait("first")
open("outputs/second.pt", "w").write("second")
wait("never")
"""
    story = Story(far, tmp_path / "story", body)
    story.until_listed("outputs/first.pt")
    far.server.stop()
    (story.place / "go-first").touch()
    until(lambda: story.there("outputs/second.pt").exists(), 30, "the second file over there")
    detach_unreachable(far.folder, "box")
    assert far.end(story.run).status == "Canceled"
    (story.place / "go-never").touch()
    assert story.listed() == {"outputs/first.pt": 5}
    assert artifact_path(far.folder, story.run.id, "outputs/first.pt").read_text() == "first"


def test_cuts_and_kills_of_the_service_lose_and_repeat_nothing(far: Far, tmp_path: Path) -> None:
    body = """
import random
random.seed(7)
open("outputs/big.bin", "wb").write(random.randbytes(60_000_000))
wait("big")
os.remove("outputs/small.txt") if os.path.exists("outputs/small.txt") else None
wait("end")
"""
    story = Story(far, tmp_path / "story", 'open("outputs/small.txt", "w").write("small")\n' + body)
    root = story.here("").parent

    def coming() -> int:
        return sum(path.stat().st_size for path in root.glob(".fetching/*"))

    story.at("big")
    inode, size, killed = None, 0, 0
    for _ in range(2):
        until(lambda before=killed: service_status(far.folder).pid != before, 60, "a service")
        until(lambda least=size: coming() > least or story.here("outputs/big.bin").exists(), 60, "more of the big file")
        far.cut()
        os.kill(killed := service_status(far.folder).pid, signal.SIGKILL)
        size = coming()
        (part,) = list(root.glob(".fetching/*")) or [story.here("outputs/big.bin")]
        inode = inode or part.stat().st_ino
        far.submit("pass", "other.py")  # starts a service
    until(lambda: story.here("outputs/big.bin").exists(), 60, "the big file")
    assert story.here("outputs/big.bin").stat().st_ino == inode  # it went on where it was
    digest = hashlib.sha256(story.there("outputs/big.bin").read_bytes()).hexdigest()
    assert hashlib.sha256(story.here("outputs/big.bin").read_bytes()).hexdigest() == digest
    story.until_listed("outputs/small.txt", "outputs/big.bin")
    os.kill(service_status(far.folder).pid, signal.SIGKILL)  # what is gone meanwhile is noticed by the next one
    (story.place / "go-big").touch()
    until(lambda: not story.there("outputs/small.txt").exists(), 30, "the removal over there")
    far.submit("pass", "other.py")
    until(lambda: not story.here("outputs/small.txt").exists(), 60, "the removal here")
    until(lambda: story.listed() == {"outputs/big.bin": 60_000_000}, 60, "the list")
    inode = story.here("outputs/big.bin").stat().st_ino
    story.go("end")
    assert far.end(story.run).status == "Completed"
    assert story.here("outputs/big.bin").stat().st_ino == inode  # it was not sent again


def test_what_was_written_anew_with_the_same_size_and_time_comes_at_the_end(far: Far, tmp_path: Path) -> None:
    body = """
open("outputs/a.txt", "w").write("one")
os.utime("outputs/a.txt", (1e9, 1e9))
open("outputs/b.txt", "w").write("same")
wait("one")
open("outputs/a.txt", "w").write("two")
os.utime("outputs/a.txt", (1e9, 1e9))
os.chmod("outputs/b.txt", 0o600)
"""
    story = Story(far, tmp_path / "story", body)
    story.until_listed("outputs/a.txt", "outputs/b.txt")
    inode = story.here("outputs/b.txt").stat().st_ino
    story.go("one")
    assert far.end(story.run).status == "Completed"
    assert story.here("outputs/a.txt").read_text() == "two"
    assert story.here("outputs/b.txt").stat().st_ino == inode


def test_files_that_stay_there_and_links_out_of_the_folder_do_not_come(far: Far, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("a secret of the machine")
    body = f"""
os.symlink({str(tmp_path / "secret.txt")!r}, "outputs/out.txt")
open("outputs/inside.txt", "w").write("inside")
os.symlink("inside.txt", "outputs/link.txt")
open("outputs/large.bin", "wb").write(b"large" * 100_000)
open("outputs/grows.bin", "wb").write(b"small")
open("logs/large.txt", "wb").write(b"large" * 100_000)
wait("written")
open("outputs/grows.bin", "wb").write(b"grown" * 100_000)
"""
    change_target(far.folder, "box", {"largest_output": "100KB"})
    story = Story(far, tmp_path / "story", body)
    expected = {"outputs/inside.txt": 6, "outputs/link.txt": 6, "outputs/grows.bin": 5, "logs/large.txt": 500_000}
    story.until_listed(*expected)
    assert story.listed() == expected
    story.go("written")
    assert far.end(story.run).status == "Completed"
    assert story.listed() == {**expected, "outputs/large.bin": 500_000, "outputs/grows.bin": 500_000}
    kept = far.base / "outputs" / far.folder.id / story.run.id / "attempts/1/work/outputs"
    assert sorted(path.name for path in kept.iterdir()) == ["grows.bin", "large.bin"]
    assert not story.here("outputs/grows.bin").exists() and not story.here("outputs/out.txt").exists()


def test_a_log_of_the_scripts_own_comes_while_it_grows_and_what_is_new_is_sent(far: Far, tmp_path: Path) -> None:
    body = """
log = open("logs/own.log", "w", buffering=1)
log.write("x" * 2_000_000 + "\\n")
wait("large")
number = 0
while not os.path.exists(os.path.join(place, "go-grown")):
    log.write("line %d\\n" % number)
    number += 1
    time.sleep(0.02)
print("step grown", flush=True)
log.close()
open("logs/own.log", "w").write("another one, and longer\\n" * 200_000)
"""
    story = Story(far, tmp_path / "story", body)
    story.until_listed("logs/own.log")
    assert story.here("logs/own.log").stat().st_size == 2_000_001
    story.go("large")
    until(lambda: story.here("logs/own.log").stat().st_size > 2_000_100, 60, "more of the log")
    lines = story.here("logs/own.log").read_text().splitlines()
    assert lines[1:-1] == [f"line {number}" for number in range(len(lines) - 2)]
    (story.place / "go-grown").touch()
    assert far.end(story.run).status == "Completed"
    assert story.here("logs/own.log").read_text() == "another one, and longer\n" * 200_000


def test_a_log_is_not_held_up_by_a_large_file_on_a_slow_link(far: Far, tmp_path: Path) -> None:
    proxy = SlowProxy(far.server.port, 0.02, back=1e6)
    try:
        change_target(
            far.folder, "box", {"address": f"root@127.0.0.1:{proxy.port}", "fingerprint": far.server.fingerprint}
        )
        body = """
import random
open("outputs/large.bin", "wb").write(random.randbytes(20_000_000))
number = 0
while not os.path.exists(os.path.join(place, "go-end")):
    print(time.time(), flush=True)
    time.sleep(0.1)
"""
        story = Story(far, tmp_path / "story", body)
        root = story.here("").parent

        def coming() -> int:
            return sum(path.stat().st_size for path in root.glob(".fetching/*"))

        until(lambda: coming() > 1_000_000, 60, "a part of the large file")
        late = []
        for _ in range(10):
            size = coming()
            until(lambda before=size: coming() > before + 200_000, 60, "more of the large file")
            late.append(time.time() - float(log_of(far.folder, story.run.id).splitlines()[-1]))
        assert not story.here("outputs/large.bin").exists() and max(late) < 4, late
        (story.place / "go-end").touch()
        assert far.end(story.run).status == "Completed"
        assert story.here("outputs/large.bin").stat().st_size == 20_000_000
    finally:
        proxy.close()


def test_a_canceled_run_keeps_what_it_made_and_the_log_is_not_held_up(far: Far, tmp_path: Path) -> None:
    body = """
open("outputs/kept.txt", "w").write("kept")
wait("kept")
time.sleep(600)
"""
    story = Story(far, tmp_path / "story", body, grace_seconds=1)
    story.until_listed("outputs/kept.txt")
    story.go("kept")
    cancel_run(far.folder, story.run.id)
    assert far.end(story.run).status == "Canceled"
    assert story.listed() == {"outputs/kept.txt": 4}


def test_a_full_disk_here_holds_up_files_and_no_logs(far: Far, tmp_path: Path) -> None:
    with sized_disk(tmp_path / "disk", "30m") as disk:
        small = WorkspaceFolder.open(disk / "workspace", create=True)
        attach_server(small, far.server, "box", far.base, max_parallel=2)
        body = """
open("outputs/first.txt", "w").write("first")
open("outputs/large.bin", "wb").write(os.urandom(40_000_000))
number = 0
while not os.path.exists(os.path.join(place, "go-end")):
    print("line", number, flush=True)
    number += 1
    time.sleep(0.05)
"""
        story = Story(Far(small, far.server, far.project, far.base), tmp_path / "story", body)
        service_log = small.root / "logs" / "service.log"
        until(lambda: "cannot be kept here now" in service_log.read_text(), 60, "that the disk is full")
        assert not list(story.here("").parent.glob(".fetching/*"))  # there is room for logs again
        size = len(log_of(small, story.run.id))
        until(lambda: len(log_of(small, story.run.id)) > size, 30, "more lines of the log")
        assert story.here("outputs/first.txt").exists()
        subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
        until(lambda: story.here("outputs/large.bin").exists(), 60, "the large file")
        story.until_listed("outputs/large.bin")
        (story.place / "go-end").touch()
        assert story.far.end(story.run).status == "Completed"
        lines = log_of(small, story.run.id).splitlines()
        assert lines[:-1] == [f"line {number}" for number in range(len(lines) - 1)]
        stop_service(small)
        small.close()
