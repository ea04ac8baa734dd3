"""A socket here leads to one of another machine: with OpenSSH's client where that is near, else over our own connection."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from slow_link import SlowProxy
from ssh_server import SshServer
from support import until

from aml_jupyter.transports.engine_ways import FAILED
from aml_jupyter.transports.ssh import SshConnection
from aml_jupyter.transports.ssh_address import find_address
from aml_jupyter.transports.ssh_forward import SocketForward

Start = Callable[..., SshServer]
PIECE = os.urandom(1 << 20)


@contextmanager
def engine(path: Path) -> Iterator[None]:
    """Answer each connection, when it has been told everything, with what it was told."""
    door = socket.socket(socket.AF_UNIX)
    door.bind(str(path))
    door.listen(8)

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            heard = bytearray()
            while data := connection.recv(1 << 16):
                heard += data
            connection.sendall(heard)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(door.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield
    finally:
        path.unlink()
        door.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        door.close()


@contextmanager
def forward(server: SshServer, there: Path, port: int = 0) -> Iterator[Path]:
    here = Path(os.environ["AML_RUNTIME"], "engine.sock")
    address = find_address(f"root@127.0.0.1:{port or server.port}", key=server.key)
    made = SocketForward(here, SshConnection(address, fingerprint=server.fingerprint), str(there))
    made.start()
    made.wait()
    try:
        yield here
    finally:
        made.close()


def asked(here: Path, data: bytes = PIECE) -> bytes:
    """Say `data` to the socket, and return its answer."""
    heard = bytearray()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(here))
        with contextlib.suppress(OSError):
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        while part := connection.recv(1 << 16):
            heard += part
    return bytes(heard)


def logins(server: SshServer) -> int:
    return server.log.read_text().count("Accepted publickey")


def clients() -> list[psutil.Process]:
    place = os.environ["AML_RUNTIME"]
    return [
        each for each in psutil.process_iter(["cmdline"]) if f"{place}/ssh/" in " ".join(each.info["cmdline"] or ())
    ]


def is_led() -> bool:
    """Tell whether the client's socket is there."""
    return any(Path(os.environ["AML_RUNTIME"], "ssh").glob("*/f"))


def use_until_led(here: Path) -> None:
    """Use the socket until the client leads on from it, as it does soon after the machine has shown to be near."""
    until(lambda: asked(here) == PIECE and is_led(), message="the client's way")


def test_what_follows_the_first_goes_with_the_client(ssh_server: Start, tmp_path: Path) -> None:
    server, there = ssh_server(), tmp_path / "there.sock"
    with engine(there), forward(server, there) as here:
        use_until_led(here)
        assert logins(server) == 2
        assert asked(here, PIECE * 8) == PIECE * 8
        # ended by somebody, or because nobody used it: our own connection goes on
        for client in clients():
            with contextlib.suppress(psutil.NoSuchProcess):  # one ends with the other
                client.kill()
                client.wait(10)
        assert asked(here) == PIECE
        until(lambda: asked(here) == PIECE and logins(server) == 3, message="the client's way, made again")
    until(lambda: not clients(), message="the end of the client's processes")
    assert not is_led()


def test_what_is_in_the_way_is_said_also_where_the_client_leads(ssh_server: Start, tmp_path: Path) -> None:
    server, there = ssh_server(), tmp_path / "there.sock"
    with forward(server, there) as here:
        with engine(there):
            assert asked(here, b"GET / HTTP/1.1\r\n\r\n") == b"GET / HTTP/1.1\r\n\r\n"
            use_until_led(here)
            assert asked(here) == PIECE
        answer = asked(here, b"GET / HTTP/1.1\r\n\r\n").decode()
        assert answer.startswith("HTTP/1.1 502") and FAILED in answer and "has no Docker engine at" in answer
        assert is_led()


@pytest.mark.parametrize("why", ["far", "forbidden"])
def test_a_way_that_is_better_without_the_client_has_none(
    ssh_server: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    server, there = ssh_server(), tmp_path / "there.sock"
    proxy = SlowProxy(server.port, 0.05 if why == "far" else 0.0)
    if why == "forbidden":
        monkeypatch.setenv("AML_OPENSSH", "never")
    try:
        with engine(there), forward(server, there, proxy.port) as here:
            assert [asked(here, b"a"), asked(here, b"b")] == [b"a", b"b"]
            assert logins(server) == 1 and not is_led() and not clients()
    finally:
        proxy.close()
