"""Much data goes to a far machine and back with OpenSSH's client, and over the one connection where that cannot be."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from far_machine import Far
from slow_link import SlowProxy
from ssh_server import SshServer, attach_server
from support import log_of, until

from aml_jupyter.service import SubmitRequest, stop_service, submit
from aml_jupyter.targets import Handle, far_link
from aml_jupyter.targets.far_bulk import LEAST, LEAST_TO_CONNECT, link_to, way_for
from aml_jupyter.targets.far_fetch import fetch
from aml_jupyter.targets.far_line import Listener
from aml_jupyter.targets.far_link import FarLink
from aml_jupyter.transports.ssh import SshConnection
from aml_jupyter.transports.ssh_address import find_address
from aml_jupyter.workspace import RunRecord

pytestmark = pytest.mark.timeout(300)

SIZE = LEAST + 1_000_001
TEXT = """
import hashlib, os
data = open("big.bin", "rb").read()
print(hashlib.sha256(data).hexdigest(), flush=True)
os.makedirs("outputs", exist_ok=True)
open("outputs/back.bin", "wb").write(data[::-1])
"""


@pytest.fixture(autouse=True)
def _early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the client connected for less than it does by itself, so that the files here need not be large."""
    monkeypatch.setenv("AML_OPENSSH", str(LEAST // 10**6))


@pytest.fixture
def data(far: Far) -> bytes:
    """The content of a big file of the project."""
    made = os.urandom(SIZE)
    (far.project / "big.bin").write_bytes(made)
    return made


def check(far: Far, run: RunRecord, data: bytes) -> None:
    done = far.end(run)
    assert (done.status, done.attempt) == ("Completed", 1), done.reason
    assert log_of(far.folder, run.id).split() == [hashlib.sha256(data).hexdigest()]
    back = far.folder.layout.run(run.id).attempt(1).work / "outputs/back.bin"
    assert back.read_bytes() == data[::-1]


def bulk(far: Far) -> list[Path]:
    """Return where the client's far side has put what it took."""
    return list((far.base / "content/partial").glob("*.bulk"))


def said(far: Far) -> int:
    """Return how often the service's log says that the client is not used."""
    return sum(path.read_text().count("over the same connection") for path in far.folder.root.rglob("service*.log"))


def clients() -> list[psutil.Process]:
    place = os.environ["AML_RUNTIME"]
    return [
        each for each in psutil.process_iter(["cmdline"]) if f"{place}/ssh/" in " ".join(each.info["cmdline"] or ())
    ]


def test_it_goes_with_the_client(far: Far, data: bytes) -> None:
    check(far, far.submit(TEXT), data)
    assert bulk(far) and said(far) == 0
    stop_service(far.folder)
    until(lambda: not clients(), 5, "the end of the client's processes")


@pytest.mark.parametrize("way", ["67", "never"])
def test_runs_that_start_at_once_with_the_same_big_file_send_it_once(
    far: Far, data: bytes, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AML_OPENSSH", way)
    (far.project / "own.bin").write_bytes(os.urandom(3_000_000))
    first = far.submit(TEXT)
    (far.project / "own.bin").write_bytes(
        os.urandom(3_000_000)
    )  # the second one needs the big file, and one of its own
    for run in (first, far.submit(TEXT)):
        check(far, run, data)
    logs = "".join(path.read_text() for path in far.folder.root.rglob("service*.log"))
    assert "did not arrive" not in logs and "Traceback" not in logs, logs


def test_the_client_can_be_forbidden(far: Far, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AML_OPENSSH", "never")
    check(far, far.submit(TEXT), data)
    assert not bulk(far)


def test_a_client_that_does_not_get_there_fails_nothing_and_is_told_once(
    far: Far, data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "bin/ssh"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho no such cipher >&2\nexit 255\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}:{os.environ['PATH']}")
    check(far, far.submit(TEXT), data)
    assert not bulk(far)
    assert said(far) == 1


@pytest.mark.parametrize("times", [1, 2])
def test_what_was_cut_goes_on_where_it_was_and_over_the_one_connection_in_the_end(
    far: Far, tmp_path: Path, times: int
) -> None:
    made = os.urandom(2 * SIZE)
    (far.project / "big.bin").write_bytes(made)
    place = tmp_path / "far-away/content/partial"

    def here() -> int:
        return sum(file.stat().st_size for file in place.glob("*.bulk/*"))

    with far_away(far.server, 0.0, 2e7) as proxy:
        real, far.server.port = far.server.port, proxy.port
        attach_server(far.folder, far.server, "away", tmp_path / "far-away")
        far.server.port = real
        config = far.config(TEXT)
        config.run_config.target = "away"
        run = submit(far.folder, SubmitRequest(config, "far")).run
        for time in range(times):
            until(lambda part=0.6 + 0.1 * time: here() > part * len(made), 60, "a part of it")  # type: ignore[misc]
            for each in clients():
                with suppress(psutil.NoSuchProcess):  # one ends with the other
                    each.kill()
        check(far, run, made)
        assert said(far) == times - 1
        if times == 1:
            assert proxy.sent < 1.4 * len(made)


@contextmanager
def far_away(server: SshServer, delay: float = 0.0, rate: float = 0.0, back: float = 0.0) -> Iterator[SlowProxy]:
    proxy = SlowProxy(server.port, delay, rate, back)
    try:
        yield proxy
    finally:
        proxy.close()


@contextmanager
def link_of(far: Far, port: int) -> Iterator[FarLink]:
    address = find_address(f"root@127.0.0.1:{port}", key=far.server.key)
    ssh = SshConnection(address, fingerprint=far.server.fingerprint)
    python = str(shutil.which("python3"))
    link = link_to(ssh, python, str(far.base), far.folder.id, "test", Listener())
    try:
        yield link
    finally:
        link.close()


def test_what_comes_back_goes_on_where_it_was_cut(far: Far, tmp_path: Path) -> None:
    made = os.urandom(2 * SIZE)
    there = far.base / "runs" / far.folder.id / "far_1/attempts/1/work/outputs"
    there.mkdir(parents=True)
    (there / "big.bin").write_bytes(made)
    root = tmp_path / "here"

    def here() -> int:
        return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())

    with far_away(far.server, back=2e7) as proxy, link_of(far, proxy.port) as link, ThreadPoolExecutor() as pool:
        fetching = pool.submit(fetch, link, Handle("box", "far_1", 1), root, ["work/outputs"])
        until(lambda: here() > 0.6 * len(made), 60, "a part of it")
        for each in clients():
            with suppress(psutil.NoSuchProcess):
                each.kill()
        fetching.result(60)
        assert (root / "work/outputs/big.bin").read_bytes() == made
        assert proxy.came < 1.4 * len(made)  # it goes on from the same part, whoever brings it


def test_the_way_depends_on_how_much_it_is_and_how_far(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AML_OPENSSH")
    with link_of(far, far.server.port) as link:
        for size, back, is_better in (
            (LEAST_TO_CONNECT - 1, False, False),
            (LEAST_TO_CONNECT - 1, True, False),
            (LEAST_TO_CONNECT, False, True),  # connected now
            (LEAST, True, True),
            (LEAST - 1, False, False),
        ):
            with way_for(link, size, back) as way:
                assert (way is not link) == is_better, (size, back)
                way.ask("ping")
    with far_away(far.server, 0.05) as proxy, link_of(far, proxy.port) as link:
        link.ask("ping")
        for back in (False, True):  # what comes back from afar has more room on the link
            with way_for(link, LEAST_TO_CONNECT, back) as way:
                assert (way is link) == back


def test_from_when_on_it_is_connected_can_be_set(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    for said, is_better in (("2", False), ("auto", False), ("never", False), ("1", True)):
        monkeypatch.setenv("AML_OPENSSH", said)
        with link_of(far, far.server.port) as link, way_for(link, 1_000_000) as way:
            assert (way is not link) == is_better, said


def test_why_the_client_is_not_used_is_said_when_its_far_side_gives_no_answer(
    far: Far, ssh_server: Callable[..., SshServer], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(far_link, "UP_WITHIN", 3.0)
    hangs = 'case "$SSH_ORIGINAL_COMMAND" in *.bulk*) exec sleep 60;; esac; eval "$SSH_ORIGINAL_COMMAND"'
    server = ssh_server(f"ForceCommand {hangs}")
    monkeypatch.setattr(far, "server", server)
    with link_of(far, server.port) as link, way_for(link, LEAST) as way:
        assert way is link
    (line,) = [record.getMessage() for record in caplog.records if "over the same connection" in record.getMessage()]
    assert line.endswith("has given no answer yet.")
