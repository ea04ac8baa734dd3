"""The mirror of far attempts has each of them watched, whenever somebody begins to ask for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ssh_server import SshServer
from support import until

from aml_jupyter.supervisor import protocol
from aml_jupyter.targets import Handle
from aml_jupyter.targets.far_bulk import link_to
from aml_jupyter.targets.far_mirror import Mirror
from aml_jupyter.transports.ssh import SshConnection
from aml_jupyter.transports.ssh_address import find_address

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
        ssh = SshConnection(find_address(server.address, key=server.key), fingerprint=server.fingerprint)
        self.link = link_to(ssh, sys.executable, str(tmp_path / "far"), "w", "box", self.mirror)
        self.mirror.link = self.link

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


def test_a_request_to_end_that_is_written_while_the_link_is_made_gets_there(place: Place) -> None:
    def cancel() -> None:
        (place.here / protocol.CANCEL).write_text("{}")
        place.mirror.deliver(HANDLE, protocol.CANCEL)

    place.see()
    place.mirror.ask = cancel
    place.link.need()
    until((place.far / protocol.CANCEL).exists, message="the request over there")
