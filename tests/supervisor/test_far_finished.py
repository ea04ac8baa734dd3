"""Which files of a running attempt are finished: still for two looks, closed, inside its folder; and what looking costs."""

from __future__ import annotations

import gc
import hashlib
import os
import time
from pathlib import Path
from typing import Any

import pytest

from aml_jupyter.supervisor import far_finished
from aml_jupyter.supervisor.far_files import listed
from aml_jupyter.supervisor.far_finished import Finished, Finishing
from aml_jupyter.supervisor.far_pieces import Pieces, hashes
from aml_jupyter.supervisor.far_place import Places

ENDLESS = float("inf")


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    folder = tmp_path / "base/runs/ws/run_1/attempts/1/work/outputs"
    folder.mkdir(parents=True)
    return folder


def finished(outputs: Path, largest: int = 0) -> Finished:
    return Finished(str(outputs.parents[1]), ["work/outputs", "work/logs"], largest)


def made(news: dict[str, Any] | None) -> list[str]:
    return sorted(name for name, _, _ in (news or {}).get("made", ()))


def test_a_file_is_told_when_two_looks_find_it_the_same_and_again_when_it_was_written_anew(outputs: Path) -> None:
    look = finished(outputs).look
    (outputs / "a").write_text("one")
    assert look(ENDLESS) is None
    news = look(ENDLESS)
    assert made(news) == ["work/outputs/a"] and news is not None and news["others"] == []
    assert look(ENDLESS) is None
    (outputs / "a").write_text("two!")
    assert look(ENDLESS) is None
    facts = (outputs / "a").stat()
    assert look(ENDLESS) == {"made": [["work/outputs/a", 4, facts.st_mtime_ns]], "gone": []}
    (outputs / "a").rename(outputs / "b")
    assert look(ENDLESS) == {"made": [], "gone": ["work/outputs/a"]}
    assert made(look(ENDLESS)) == ["work/outputs/b"]


def test_what_somebody_has_open_for_writing_is_not_finished(outputs: Path) -> None:
    look = finished(outputs).look
    with open(outputs / "half", "w") as stream, open(outputs / "whole", "w") as other:
        other.close()
        stream.write("half")
        stream.flush()
        look(ENDLESS)
        news = look(ENDLESS)
        assert made(news) == ["work/outputs/whole"] and news is not None and news["others"] == ["work/outputs/half"]
        assert look(ENDLESS) is None
    assert made(look(ENDLESS)) == ["work/outputs/half"]


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is needed")
def test_a_file_of_which_nobody_can_tell_has_to_stand_still_for_longer(
    outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (outputs / "a").write_text("another's")
    (outputs / "a").chmod(0o644)
    for folder in outputs.parents:
        if folder.stat().st_mode & 0o055 != 0o055:
            folder.chmod(0o755)
    child = os.fork()
    if not child:
        code = 1
        try:
            os.setresuid(65534, 65534, 65534)
            attempt = finished(outputs)
            short = [made(attempt.look(ENDLESS)) for _ in range(3)]
            monkeypatch.setattr(far_finished, "STANDS_LONG", 0.0)
            told = made(attempt.look(ENDLESS))
            is_untold = far_finished.is_being_written(str(outputs / "a")) is None
            code = 0 if is_untold and short == [[], [], []] and told == ["work/outputs/a"] else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_refused_lease_says_nothing_on_a_file_system_of_many_machines(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    lines = [
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw",
        "40 22 0:45 / /home rw - nfs4 server:/home rw,vers=4.2",
    ]
    mounts.write_text("\n".join([*lines, "odd"]))
    shared = [far_finished._is_shared(os.makedev(*device), str(mounts)) for device in ((8, 1), (0, 45), (0, 46))]
    assert shared == [False, True, False]
    assert not far_finished._is_shared(os.stat(tmp_path).st_dev, str(tmp_path / "none"))


def test_the_same_files_count_as_at_the_end(outputs: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("outside")
    (outputs / "deep").mkdir()
    (outputs / "deep/a").write_text("a")
    (outputs / "link").symlink_to("deep/a")
    (outputs / "out").symlink_to(tmp_path / "secret")
    (outputs / "folder").symlink_to(tmp_path)
    (outputs / "lost").symlink_to("nowhere")
    os.mkfifo(outputs / "pipe")
    os.fsencode(outputs)
    Path(os.fsdecode(os.fsencode(outputs) + b"/\xff")).write_text("odd")
    look = finished(outputs).look
    look(ENDLESS)
    root = str(outputs.parents[1])
    assert made(look(ENDLESS)) == sorted(entry[0] for entry in listed(root, [str(outputs)]))
    (outputs.parent / "logs").symlink_to(tmp_path)
    assert finished(outputs).look(ENDLESS) is None


def test_large_files_stay_but_not_logs(outputs: Path) -> None:
    (outputs.parent / "logs").mkdir()
    for folder in ("outputs", "logs"):
        (outputs.parent / folder / "large").write_bytes(b"x" * 101)
        (outputs.parent / folder / "small").write_bytes(b"x" * 100)
    look = finished(outputs, 100).look
    look(ENDLESS)
    news = look(ENDLESS)
    assert made(news) == ["work/logs/large", "work/logs/small", "work/outputs/small"]
    assert news is not None and news["others"] == ["work/outputs/large"]


def test_a_log_is_told_while_it_is_open_and_grows_and_as_much_of_it_is_read(
    outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = outputs.parent / "logs"
    logs.mkdir()
    attempt, size = finished(outputs, 1), 0
    with open(logs / "own.log", "wb", buffering=0) as stream:
        told: list[list[Any]] = []
        for number in range(4):
            size += stream.write(b"%d\n" % number)
            told += (attempt.look(ENDLESS) or {"made": []})["made"]
        assert told == []
        monkeypatch.setattr(far_finished, "GROWS", 0.0)
        stream.write(b"more")
        (told,) = (attempt.look(ENDLESS) or {})["made"]
        assert told[:2] == ["work/logs/own.log", size + 4]
        stream.write(b" and more")
        asked = ["run_1", 1, "work/logs/own.log", 2, size + 2, *told[1:]]
        (content, end) = read(Places(str(tmp_path / "base"), "ws"), asked)
        assert content[1] == b"1\n2\n3\nmore"
        assert end[0] == {"at": 0, "sha256": hashlib.sha256(b"0\n" + content[1]).hexdigest(), "ctime": 0}
        stream.truncate(3)
        assert read(Places(str(tmp_path / "base"), "ws"), asked) == [({"at": 0, "changed": True}, b"")]


def test_a_folder_that_is_gone_or_cannot_be_read_tells_of_no_removal(outputs: Path) -> None:
    (outputs / "a").write_text("a")
    attempt = finished(outputs)
    attempt.look(ENDLESS)
    attempt.look(ENDLESS)
    missing = Finished(str(outputs / "nowhere"), ["work/outputs"])
    assert [missing.look(ENDLESS) for _ in range(4)] == [None] * 4  # it does not say that nothing is there


def test_a_folder_that_is_opened_and_then_cannot_be_read_ends_nothing() -> None:
    """As on a network file system that has lost it: the system lets root open this one, and refuses to tell what is in it."""
    attempt = Finished("/proc/1", ["map_files"])
    assert [attempt.look(ENDLESS) for _ in range(3)] == [None] * 3  # nor does it say that nothing is there


def test_ten_thousand_files_are_looked_at_in_small_slices(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10_000):
        (outputs / f"{number}").touch()
    monkeypatch.setattr(far_finished, "STANDS_STILL", 0.0)
    monkeypatch.setattr(far_finished, "SHARE", 0)
    finishing = Finishing()
    finishing.watch(("run_1", 1), str(outputs.parents[1]), ["work/outputs"], 0)
    finishing.watch(("run_2", 1), str(outputs), ["."], 0)
    told: list[str] = []
    longest, deadline = 0.0, time.monotonic() + 60
    gc.disable()  # what other tests have left takes longer to look through than a slice
    try:
        while len(told) < 10_000:
            began = time.thread_time()
            for news in finishing.look():
                told += made(news) if news["key"] == ["run_1", 1] else []
            longest = max(longest, time.thread_time() - began)
            assert time.monotonic() < deadline
    finally:
        gc.enable()
    assert len(set(told)) == 10_000
    assert longest < 0.05  # a log waits no longer than that


def read(places: Places, *parts: list[Any]) -> list[tuple[dict[str, Any], bytes]]:
    return [(header, body) for header, body in Pieces(places).read(parts) if len(header) > 1]


def test_a_slow_file_system_and_folders_without_files_hold_up_nothing_for_long(outputs: Path) -> None:
    for number in range(50):
        (outputs / str(number) / "deep").mkdir(parents=True)
    look = finished(outputs).look
    looks = 1
    while look(ENDLESS, latest=0.0) is None:  # as long as one step takes
        looks += 1
    assert looks > 2 * 101  # a second pass says what else is there


def test_pieces_are_of_one_version_and_end_with_its_hash(outputs: Path, tmp_path: Path) -> None:
    places, content = Places(str(tmp_path / "base"), "ws"), os.urandom(700_000)
    (outputs / "a").write_bytes(content)
    facts = (outputs / "a").stat()
    version = [len(content), facts.st_mtime_ns]
    pieces = Pieces(places)
    got = b""
    for offset in range(0, len(content), 300_000):
        length = min(300_000, len(content) - offset)
        answers = list(pieces.read([["run_1", 1, "work/outputs/a", offset, length, *version]]))
        got += b"".join(body for _, body in answers)
    assert got == content
    end = {"at": 0, "sha256": hashlib.sha256(content).hexdigest(), "ctime": facts.st_ctime_ns}
    assert answers[-1] == (end, b"")
    # another far side hashes what is there already
    assert read(places, ["run_1", 1, "work/outputs/a", len(content), 0, *version]) == [(end, b"")]
    (outputs / "a").write_bytes(content[::-1])
    changed = [({"at": 0, "changed": True}, b"")]
    assert read(places, ["run_1", 1, "work/outputs/a", 0, 10, *version]) == changed
    assert read(places, ["run_1", 1, "work/outputs/none", 0, 10, *version]) == changed
    (outputs / "out").symlink_to("/etc/passwd")
    found = os.stat("/etc/passwd")
    asked = ["run_1", 1, "work/outputs/out", 0, 10, found.st_size, found.st_mtime_ns]
    assert read(places, asked) == changed
    with pytest.raises(ValueError, match="no name of a file"):
        read(places, ["run_1", 1, "../../../../../etc/passwd", 0, 10, *version])
    root = str(outputs.parents[1])
    assert [header for header, _ in hashes(root, [("out", str(outputs / "out"))]) if header] == []
