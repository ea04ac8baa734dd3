"""What is new about an attempt is told once, in order, and its end after everything else."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from aml_jupyter.supervisor import identity, protocol
from aml_jupyter.supervisor.far_watch import Watched

ROOM = 1 << 20


@pytest.fixture
def control(tmp_path: Path) -> Path:
    made = tmp_path / "1" / "control"
    for name in ("events", "requests", "user_logs"):
        (made / name).mkdir(parents=True)
    return made


def attempt(control: Path, **fields: Any) -> dict[str, Any]:
    """Write the attempt file of a supervisor that is this process."""
    content = {"supervisor": identity.describe(os.getpid()), "started": 1.0, **identity.here(), **fields}
    (control / protocol.ATTEMPT).write_text(json.dumps(content))
    return content


def test_nothing_has_started(control: Path) -> None:
    watched = Watched(str(control), {})
    assert watched.news(ROOM) == ({"state": "absent"}, [])
    assert watched.news(ROOM) == (None, [])


def test_what_grew_is_told_from_where_it_was_and_what_shrank_is_cut(control: Path) -> None:
    written = attempt(control)
    (control / protocol.LOG).write_bytes(b"one\ntwo\n")
    (control / "events/7.jsonl").write_bytes(b"{}\n")
    watched = Watched(str(control), {protocol.LOG: 4})
    news, parts = watched.news(ROOM)
    assert news == {
        "files": [[protocol.LOG, 4, 4], ["events/7.jsonl", 0, 3]],
        "attempt": written,
        "state": "running",
    }
    assert parts == [b"two\n", b"{}\n"]
    assert watched.news(ROOM) == (None, [])
    (control / protocol.LOG).write_bytes(b"new\n")
    assert watched.news(ROOM) == ({"cut": [[protocol.LOG, 4]]}, [])
    (control / "events/7.jsonl").unlink()
    (control / "events/7.jsonl").symlink_to("/etc/passwd")
    (control / "events/8.jsonl").mkdir()
    assert watched.news(ROOM) == (None, [])


def test_an_events_file_that_is_made_in_the_same_tick_of_the_clock_as_another_is_seen(control: Path) -> None:
    (control / "events/1.jsonl").write_bytes(b"{}\n")
    later = time.time() + 100  # as after a tick that takes as long
    os.utime(control / "events", (later, later))
    watched = Watched(str(control), {})
    watched.news(ROOM)
    (control / "events/2.jsonl").write_bytes(b"{}\n")
    os.utime(control / "events", (later, later))
    assert watched.news(ROOM)[0] == {"files": [["events/2.jsonl", 0, 3]]}


def test_the_result_comes_after_all_that_was_written(control: Path) -> None:
    attempt(control)
    (control / protocol.LOG).write_bytes(b"x" * 1000)
    result = {"reason": "exit", "exit_code": 0}
    (control / protocol.RESULT).write_text(json.dumps(result))
    watched = Watched(str(control), {})
    told = b""
    for _ in range(9):
        news, parts = watched.news(100)
        told += b"".join(parts)
        assert news is not None and "result" not in news
    news, parts = watched.news(100)
    assert told + b"".join(parts) == b"x" * 1000
    assert news is not None and news["result"] == result


def test_questions_are_told_once_and_when_they_are_gone(control: Path) -> None:
    attempt(control)
    watched = Watched(str(control), {})
    watched.news(ROOM)
    (control / "requests/a.json").write_text('{"op": "get_run"}')
    assert watched.news(ROOM) == ({"asked": ["a.json"], "questions": {"a.json": {"op": "get_run"}}}, [])
    (control / "requests/b.json").write_text("no JSON")
    assert watched.news(ROOM) == ({"asked": ["a.json", "b.json"], "questions": {"b.json": {}}}, [])
    (control / "requests/a.json").unlink()
    assert watched.news(ROOM) == ({"asked": ["b.json"]}, [])


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"boot_id": "another one"}, "rebooted"),
        ({"supervisor": {"pid": 2**22 + 1, "start_time": "1"}}, "lost"),
        ({"supervisor": "none"}, "lost"),
        ({"refused": "canceled"}, "refused"),
    ],
)
def test_what_became_of_a_supervisor_is_seen(control: Path, fields: dict[str, Any], state: str) -> None:
    attempt(control, **fields)
    news, _ = Watched(str(control), {}).news(ROOM)
    assert news is not None and news["state"] == state


def test_a_removed_attempt_file_does_not_hide_a_start(control: Path) -> None:
    (control.parent / protocol.STARTED).write_text("{}")
    news, _ = Watched(str(control), {}).news(ROOM)
    assert news == {"state": "lost"}


def test_an_old_heartbeat_is_told(control: Path) -> None:
    attempt(control)
    beat = control / protocol.HEARTBEAT
    beat.touch()
    watched = Watched(str(control), {})
    watched.news(ROOM)
    old = time.time() - 40
    os.utime(beat, (old, old))
    news, _ = watched.news(ROOM)
    assert news is not None and 39 < news["age"] < 400
    beat.touch()
    news, _ = watched.news(ROOM)
    assert news is not None and news["age"] < 30
    assert watched.news(ROOM) == (None, [])
