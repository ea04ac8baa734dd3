"""What comes from a far machine lands below the attempt's folder, and what is here stays as what was said of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aml_jupyter.targets.far_arrivals import note_arrival, note_stay, read_arrivals
from aml_jupyter.targets.far_incoming import is_below, write_at

FOLDERS = ("work/outputs", "work/logs")


@pytest.mark.parametrize(
    "name", ["work/outputs/model.pt", "work/logs/a/b.txt", "work/outputs/..a", "work/outputs/モデル"]
)
def test_files_of_the_folders_that_are_wanted_come(name: str) -> None:
    assert is_below(name, FOLDERS)


@pytest.mark.parametrize(
    "name",
    [
        "work/outputs/../../../x",
        "/work/outputs/x",
        "work/outputs//x",
        "work/outputs",
        "work/outputs2/x",
        "work/logs/\0",
        "",
    ],
)
def test_nothing_else_does(name: str) -> None:
    assert not is_below(name, FOLDERS)


def test_a_file_that_was_removed_over_there_since_it_is_here_does_not_count_as_one_that_may_go(tmp_path: Path) -> None:
    for name in ("kept", "other"):
        note_arrival(tmp_path, name, 4, 1000, 1000)
        (tmp_path / name).write_text("made")
        os.utime(tmp_path / name, ns=(1000, 1000))
    assert read_arrivals(tmp_path).came(tmp_path, "kept")
    note_stay(tmp_path, "kept")
    arrivals = read_arrivals(tmp_path)
    assert not arrivals.came(tmp_path, "kept") and arrivals.came(tmp_path, "other")
    (tmp_path / "other").write_text("mine")
    assert not arrivals.came(tmp_path, "other")  # somebody here has written it


def test_what_stood_behind_a_part_goes(tmp_path: Path) -> None:
    path = tmp_path / "parts/one"
    assert write_at(path, 0, b"0123456789")
    assert write_at(path, 2, b"ab")
    assert path.read_bytes() == b"01ab"
    assert not write_at(path, 5, b"x") and path.read_bytes() == b"01ab"
