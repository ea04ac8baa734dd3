"""The mirror of far attempts has each of them watched, whenever somebody begins to ask for it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ssh_server import SshServer
from support import until

from aml_jupyter.supervisor import protocol
from aml_jupyter.targets import Handle, far_mirror
from aml_jupyter.targets.far_fetch import fetch
from aml_jupyter.targets.far_line import Answer
from aml_jupyter.targets.far_link import UP_WITHIN, FarLink
from aml_jupyter.targets.far_mirror import COLLECTED, Mirror, Room
from aml_jupyter.transports.ssh import HostUnreachable, SshConnection
from aml_jupyter.transports.ssh_address import find_address
from aml_jupyter.transports.ssh_host_keys import HostKeyRefused

HANDLE = Handle("box", "run_1", 1)


class _WhileItIsMade(Mirror):
    """A mirror that somebody asks in the moment in which the link is up, and is not said to be: the loop, which has waited."""

    ask: Callable[[], object]

    def linked(self, hello: dict[str, Any]) -> None:
        super().linked(hello)
        assert not self.link.is_up
        self.ask()


class Place:
    """A far side of a workspace, and the mirror of it."""

    def __init__(self, server: SshServer, tmp_path: Path) -> None:
        self.far = tmp_path / "far/runs/w/run_1/attempts/1/control"
        self.here = tmp_path / "runs/run_1/attempts/1/control"
        for path in (self.far, self.here):
            (path / "user_logs").mkdir(parents=True)
        self.mirror = _WhileItIsMade(str(tmp_path / "runs"))
        self.server, self._base = server, str(tmp_path / "far")
        self.mirror.link = self.link = self.way()

    def way(self, kind: type[FarLink] = FarLink) -> FarLink:
        ssh = SshConnection(find_address(self.server.address, key=self.server.key), fingerprint=self.server.fingerprint)
        return kind(ssh, sys.executable, self._base, "w", "box", self.mirror)

    def see(self) -> None:
        self.mirror.seen(HANDLE, str(self.here))


@pytest.fixture
def place(ssh_server: Callable[..., SshServer], tmp_path: Path) -> Iterator[Place]:
    made = Place(ssh_server(), tmp_path)
    with closing(made.link):
        yield made


def test_an_attempt_that_is_asked_for_while_the_link_is_made_is_watched(place: Place) -> None:
    place.mirror.ask = place.see
    (place.far / protocol.LOG).write_text("there\n")
    place.link.need()
    log = place.here / protocol.LOG
    until(lambda: log.exists() and log.read_text() == "there\n", message="what is over there")


def test_what_is_told_twice_after_a_cut_is_here_once(place: Place) -> None:
    place.mirror.ask = place.see
    (place.far / protocol.LOG).write_text("there\n")
    place.link.need()
    log = place.here / protocol.LOG
    until(lambda: log.exists() and log.read_text() == "there\n", message="what is over there")
    place.mirror.heard({"news": [{"key": ["run_1", 1], "files": [[protocol.LOG, 2, 9]]}]}, b"ere\nmore\n")
    assert log.read_text() == "there\nmore\n"


def test_a_question_that_is_not_asked_any_more_is_forgotten_here_with_its_answer(place: Place) -> None:
    place.mirror.ask = place.see
    asked, name = place.far / protocol.REQUESTS / "1.json", f"{protocol.REPLIES}/1.json"
    for path in (asked, place.far / name, place.here / name):
        path.parent.mkdir(exist_ok=True)
    asked.write_text('{"op": "wait"}')
    place.link.need()
    until((place.here / protocol.REQUESTS / "1.json").exists, message="the question here")
    (place.here / name).write_text("{}")
    place.mirror.deliver(HANDLE, name)
    until((place.far / name).exists, message="the answer over there")
    asked.unlink()
    left = (place.here / protocol.REQUESTS / "1.json", place.here / name)
    until(lambda: not any(path.exists() for path in left), message="that both are gone here")


def test_a_far_side_that_says_nothing_any_more_is_replaced(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AML_SSH_SILENCE", "3")
    place.mirror.ask = lambda: None
    with closing(place.way()) as link:
        place.mirror.link = link
        link.need()
        until(lambda: link.is_up, message="the link")
        pid = int(place.mirror.hello["pid"])
        os.kill(pid, signal.SIGSTOP)
        until(lambda: link.is_away, message="that the link is cut")
        assert link.obstacle == f"{link.where} has been silent for 3 s."
        until(lambda: link.is_up and place.mirror.hello["pid"] != pid, 60, "another far side")


def test_who_has_asked_when_the_link_is_cut_is_told(place: Place) -> None:
    place.mirror.ask = lambda: None
    place.link.need()
    until(lambda: place.link.is_up, message="the link")
    pid = int(place.mirror.hello["pid"])
    os.kill(pid, signal.SIGSTOP)
    asked = place.link.post("ping")
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(HostUnreachable, match="was cut"):
        asked.result(30)


def test_a_name_that_leads_elsewhere_is_not_fetched(place: Place) -> None:
    class Lies(FarLink):
        """What a machine says that somebody has taken over."""

        def ask(self, operation: str, body: bytes = b"", **fields: Any) -> Answer:
            said, data = super().ask(operation, body, **fields)
            if operation == "list":
                said["files"] += [[name, 4, 1, 1] for name in ("../../evil", "/tmp/evil", "work/../../evil")]
            return said, data

    outputs = place.far.parent / "work/outputs"
    outputs.mkdir(parents=True)
    (outputs / "model").write_text("made")
    place.mirror.ask = lambda: None
    with closing(place.way(Lies)) as link:
        place.mirror.link = link
        assert fetch(link, HANDLE, place.here.parent, ["work/outputs"]) == 1
    assert (place.here.parent / "work/outputs/model").read_text() == "made"


def test_a_file_that_somebody_has_changed_here_stays_though_it_is_gone_over_there(place: Place) -> None:
    there, here = (path.parent / "work/outputs" for path in (place.far, place.here))
    there.mkdir(parents=True)
    for name in ("edited", "as it came"):
        (there / name).write_text("made")
    place.mirror.ask = lambda: None
    assert fetch(place.link, HANDLE, place.here.parent, ["work/outputs"]) == 2
    (here / "edited").write_text("by hand")
    for path in list(there.iterdir()):
        path.unlink()
    assert fetch(place.link, HANDLE, place.here.parent, ["work/outputs"], is_last=True) == 0
    assert [(path.name, path.read_text()) for path in here.iterdir()] == [("edited", "by hand")]


def test_who_asks_is_told_at_once_what_a_person_has_to_mend(place: Place) -> None:
    place.server.stop()
    link = place.way()  # the fingerprint that was believed
    place.server.new_host_key()
    place.server.start()
    began = time.monotonic()
    with closing(link), pytest.raises(HostKeyRefused, match="HAS CHANGED"):
        link.ask("ping")
    assert time.monotonic() - began < UP_WITHIN / 2


def test_what_was_collected_before_a_kill_is_removed_over_there(place: Place) -> None:
    place.mirror.ask = lambda: None
    (place.far / protocol.RESULT).write_text('{"reason": "exit", "exit_code": 0}')
    (place.here.parent / COLLECTED).touch()
    place.link.need()
    until(lambda: not place.far.parent.exists(), message="the removal over there")


def test_room_that_nobody_asks_for_any_more_is_given_back(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(far_mirror, "FORGOTTEN_AFTER", 0.5)
    place.mirror.ask = lambda: None
    place.link.need()
    until(lambda: place.link.is_up, message="the link")
    needs = {"cores": 1, "limit": 1, "gpus": 0, "devices": [], "runs_per_gpu": 1, "memory": 0, "holder": {}}

    def ask(run: str) -> Room:
        asked = place.mirror.room[run, 1] = Room("asks", time.monotonic())
        place.mirror.ask_room((run, 1), asked, needs)
        return asked

    def is_granted(room: Room) -> bool:
        room.asked_at = time.monotonic()  # as who waits does
        return room.why is None

    first = ask("run_1")
    until(lambda: is_granted(first), message="the only slot")
    second = ask("run_2")
    until(lambda: is_granted(second), message="the slot that the first one does not ask for any more")
    assert ("run_1", 1) not in place.mirror.room


def test_a_request_to_end_that_is_written_while_the_link_is_made_gets_there(place: Place) -> None:
    def cancel() -> None:
        (place.here / protocol.CANCEL).write_text("{}")
        place.mirror.deliver(HANDLE, protocol.CANCEL)

    place.see()
    place.mirror.ask = cancel
    place.link.need()
    until((place.far / protocol.CANCEL).exists, message="the request over there")
