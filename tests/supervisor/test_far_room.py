"""Slots of a far machine are given to those who asked first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aml_jupyter.supervisor.far_room import FarRoom

FIRST, SECOND, THIRD = ("run_1", 1), ("run_2", 1), ("run_3", 1)


def needs(cores: int = 1) -> dict[str, Any]:
    holder = {"token": "run/1", "workspace": "mine"}
    asked = {"cores": cores, "limit": 2, "gpus": 0, "devices": [], "runs_per_gpu": 1, "memory": 0}
    return {**asked, "holder": holder}


@pytest.fixture
def room(tmp_path: Path) -> FarRoom:
    return FarRoom(str(tmp_path))


def test_who_comes_later_waits_though_it_would_fit(room: FarRoom) -> None:
    assert room.ask(FIRST, needs()) is None
    assert room.ask(SECOND, needs(2)) == "waits for 2 free slots"
    assert room.ask(THIRD, needs()) == "waits for a free slot"
    assert (SECOND, None) not in room.settle() and not room.has(THIRD)
    room.release(FIRST)
    assert room.ask(THIRD, needs()) == "waits for a free slot" and not room.has(THIRD)
    assert room.settle()[0] == (SECOND, None)
    assert room.has(SECOND) and not room.has(THIRD)
    room.release(SECOND)
    assert room.settle() == [(THIRD, None)] and not room.is_asked


def test_who_waits_is_told_a_reason_once(room: FarRoom) -> None:
    room.ask(FIRST, needs(2))
    room.ask(SECOND, needs())
    assert room.settle() == [(SECOND, "waits for a free slot")]
    assert room.settle() == []
    room.release(SECOND)
    assert not room.is_asked
