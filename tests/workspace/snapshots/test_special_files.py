"""Links, sockets, unreadable files, strange names: each has a stated behaviour, and none stops the snapshot."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from source_folders import content_of, write_files

from aml_jupyter.workspace import WorkspaceFolder, materialise, preview_snapshot, read_tree, take_snapshot


def _out(folder: WorkspaceFolder, snapshot_id: str, tmp_path: Path) -> dict[str, object]:
    materialise(folder, snapshot_id, tmp_path / "out")
    return content_of(tmp_path / "out")


def test_links_inside_are_kept_as_links(folder: WorkspaceFolder, source: Path, tmp_path: Path) -> None:
    (source / "latest.py").symlink_to("src/model.py")
    (source / "src" / "up").symlink_to("..")
    (source / "src" / "data").symlink_to(source / "data")
    (source / "round.py").symlink_to("../project/train.py")
    snapshot = take_snapshot(folder, source)
    out = _out(folder, snapshot.id, tmp_path)
    assert out["latest.py"] == "-> src/model.py"
    assert out["src/up"] == "-> .."
    assert out["src/data"] == "-> ../data"
    assert out["round.py"] == "-> train.py"
    assert snapshot.notes == () and snapshot.files == 3
    assert take_snapshot(folder, source).id == snapshot.id
    (source / "latest.py").unlink()
    (source / "latest.py").symlink_to("train.py")
    assert take_snapshot(folder, source).id != snapshot.id


def test_the_content_of_a_linked_file_outside_is_taken(folder: WorkspaceFolder, source: Path, tmp_path: Path) -> None:
    write_files(tmp_path / "shared", {"weights.bin": b"123"})
    (source / "weights.bin").symlink_to(tmp_path / "shared" / "weights.bin")
    first = take_snapshot(folder, source)
    assert take_snapshot(folder, source).new_files == 0
    assert _out(folder, first.id, tmp_path)["weights.bin"] == b"123"
    assert any(
        note.startswith("weights.bin is a link to a file outside the folder: its content is taken")
        for note in first.notes
    )
    (tmp_path / "shared" / "weights.bin").write_bytes(b"1234")
    assert read_tree(folder, take_snapshot(folder, source).id)["weights.bin"].size == 4


def test_a_linked_folder_outside_is_left_out(folder: WorkspaceFolder, source: Path, tmp_path: Path) -> None:
    write_files(tmp_path / "shared", {"huge.bin": b"123"})
    (source / "shared").symlink_to(tmp_path / "shared")
    snapshot = take_snapshot(folder, source)
    assert "shared" not in read_tree(folder, snapshot.id)
    (note,) = snapshot.notes
    assert note.startswith("shared is a link to a folder outside: left out") and str(tmp_path / "shared") in note


def test_broken_links_and_loops_are_kept(folder: WorkspaceFolder, source: Path, tmp_path: Path) -> None:
    (source / "broken").symlink_to("not/there")
    (source / "a").symlink_to("b")
    (source / "b").symlink_to("a")
    (source / "self").symlink_to("self")
    snapshot = take_snapshot(folder, source)
    out = _out(folder, snapshot.id, tmp_path)
    assert (out["broken"], out["a"], out["b"], out["self"]) == ("-> not/there", "-> b", "-> a", "-> self")
    assert "broken is a broken link: kept as it is (its target not/there does not exist)" in snapshot.notes
    assert "a is a link that leads back to itself: kept as it is" in snapshot.notes


def test_a_link_to_something_left_out_is_said(folder: WorkspaceFolder, source: Path) -> None:
    write_files(source, {".gitignore": b"data/\n"})
    (source / "a.csv").symlink_to("data/a.csv")
    (source / "ok.py").symlink_to("src/model.py")
    for _ in range(2):
        (note,) = take_snapshot(folder, source).notes
        assert note == "a.csv is a link to something that is left out: it will be broken in the run"


def test_sockets_pipes_and_devices_are_never_opened(folder: WorkspaceFolder, source: Path) -> None:
    os.mkfifo(source / "pipe")
    (source / "null").symlink_to("/dev/null")
    here = os.getcwd()
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(source)
        try:
            listener.bind("door")
        finally:
            os.chdir(here)
        snapshot = take_snapshot(folder, source)
    assert snapshot.files == 3
    assert sorted(snapshot.notes) == [
        "door is a socket: left out",
        "null is a link to a device, socket or pipe: left out",
        "pipe is a pipe: left out",
    ]


def test_unreadable_files_and_folders_are_left_out_and_said(unprivileged: Callable[[str], Any]) -> None:
    result = unprivileged("""
(source / "closed").mkdir(parents=True)
(source / "listed").mkdir()
(source / "a.py").write_text("1")
(source / "secret.txt").write_text("2")
(source / "listed" / "b").write_text("3")
(source / "secret.txt").chmod(0)
(source / "closed").chmod(0)
(source / "listed").chmod(0o444)
first = take_snapshot(folder, source)
second = take_snapshot(folder, source)
result = [sorted(read_tree(folder, first.id)), first.notes, first.id == second.id]
(source / "closed").chmod(0o700)
(source / "listed").chmod(0o700)
""")
    assert result[0] == ["a.py", "listed"]
    assert set(result[1]) == {
        "closed/ cannot be read: left out (Permission denied)",
        "listed/b cannot be read: left out (Permission denied)",
        "secret.txt cannot be read: left out (Permission denied)",
    }
    assert result[2]


def test_an_unreadable_source_is_refused(unprivileged: Callable[[str], Any]) -> None:
    result = unprivileged("""
source.mkdir()
source.chmod(0)
try:
    take_snapshot(folder, source)
except AmlError as error:
    result = [type(error).__name__, error.field, error.message]
source.chmod(0o700)
""")
    assert result[:2] == ["SnapshotException", "source_directory"] and "cannot be read" in result[2]


def test_names_that_are_not_utf8_travel(folder: WorkspaceFolder, source: Path, tmp_path: Path) -> None:
    raw = os.fsencode(source)
    os.mkdir(raw + b"/\xff\xfe")
    for name in (b"\xff\xfe/caf\xe9.txt", "漢字 \n\u2028.txt".encode(), b'quote".txt', b"\xff.link"):
        if name.endswith(b".link"):
            os.symlink(b"caf\xe9", raw + b"/" + name)
        else:
            with open(raw + b"/" + name, "wb") as file:
                file.write(name)
    snapshot = take_snapshot(folder, source)
    assert take_snapshot(folder, source).new_files == 0
    out = _out(folder, snapshot.id, tmp_path)
    assert out == content_of(source)
    assert out[os.fsdecode(b"\xff\xfe/caf\xe9.txt")] == b"\xff\xfe/caf\xe9.txt"
    for note in snapshot.notes:
        note.encode("utf-8")
    assert any("\\xff.link is a broken link" in note for note in snapshot.notes)


def test_a_path_that_is_too_long_for_a_run_is_left_out(folder: WorkspaceFolder, source: Path, tmp_path: Path) -> None:
    here = os.getcwd()
    os.chdir(source)
    try:
        for _ in range(20):
            os.mkdir("d" * 200)
            os.chdir("d" * 200)
            Path("file.txt").touch()
    finally:
        os.chdir(here)
    snapshot = take_snapshot(folder, source)
    (note,) = snapshot.notes
    assert "has too long a path for a run's folder: left out" in note
    assert snapshot.files == 3 + 12
    assert take_snapshot(folder, source).id == snapshot.id
    assert len(_out(folder, snapshot.id, tmp_path)) == 5 + 24


def test_many_notes_of_one_kind_are_counted(folder: WorkspaceFolder, source: Path) -> None:
    for number in range(30):
        (source / f"broken{number:02}").symlink_to("nowhere")
    os.mkfifo(source / "pipe")
    notes = preview_snapshot(folder, source).notes
    assert len(notes) == 22
    assert "... and 10 more of this kind: is a broken link: kept as it is" in notes
    assert "pipe is a pipe: left out" in notes
