"""OpenSSH's client goes the way that our connection went, believes nobody else, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from ssh_server import SshServer, make_key
from support import until

from aml_jupyter.transports.openssh import OpenSsh
from aml_jupyter.transports.openssh_config import LAST, NotForOpenSsh, write_config
from aml_jupyter.transports.ssh import HostUnreachable, SshConnection
from aml_jupyter.transports.ssh_address import SshAddress, find_address
from aml_jupyter.transports.ssh_login import Credentials, Hop, Login

Start = Callable[..., SshServer]


@contextmanager
def client_of(ssh: SshConnection) -> Iterator[OpenSsh]:
    client = OpenSsh(ssh)
    try:
        yield client
    finally:
        client.close()
        ssh.close()


def to(server: SshServer) -> SshConnection:
    return SshConnection(find_address(server.address, key=server.key), fingerprint=server.fingerprint)


def said(client: OpenSsh, command: str, given: bytes = b"") -> tuple[int, bytes]:
    """Return how a command ended that reads `given` and what it wrote."""
    heard = bytearray()
    with client.stream(command) as channel:
        channel.settimeout(20)
        channel.sendall(given)
        while data := channel.recv(1 << 16):
            heard += data
        return channel.recv_exit_status(), bytes(heard)


def folders() -> list[Path]:
    return sorted(Path(os.environ["AML_RUNTIME"], "ssh").glob("*"))


def logins(server: SshServer) -> int:
    return server.log.read_text().count("Accepted publickey")


def clients() -> list[psutil.Process]:
    """Return the processes of the client that this test started."""
    place = os.environ["AML_RUNTIME"]
    return [
        each for each in psutil.process_iter(["cmdline"]) if f"{place}/ssh/" in " ".join(each.info["cmdline"] or ())
    ]


def test_commands_share_one_connection_of_the_client(ssh_server: Start) -> None:
    server = ssh_server()
    given = os.urandom(3_000_000)
    with client_of(to(server)) as client:
        assert said(client, f"head -c {len(given)}", given) == (0, given)
        assert said(client, "echo out; exit 3") == (3, b"out\n")
        assert logins(server) == 2  # ours, and the client's
        assert all(folder.stat().st_mode & 0o077 == 0 for folder in folders())
    assert folders() == []
    until(lambda: not clients(), message="the end of the client's processes")


def test_a_command_that_ends_with_the_connection_says_so(ssh_server: Start) -> None:
    server = ssh_server()
    with client_of(to(server)) as client, client.stream("echo begun; sleep 60") as channel:
        channel.settimeout(20)
        assert channel.recv(100) == b"begun\n"
        server.stop()
        assert channel.recv(100) == b""
        assert channel.recv_exit_status() == -1


def test_a_server_with_another_key_is_told_nothing(ssh_server: Start, tmp_path: Path) -> None:
    server, other = ssh_server(), ssh_server()
    with to(server) as ssh:
        (hop,) = ssh.route()
    (tmp_path / "c").mkdir(mode=0o700)
    known = " ".join(Path(f"{other.host_key}.pub").read_text().split()[:2])
    config = write_config(tmp_path / "c", [Hop(hop.address, known, hop.login)])
    before = logins(server)
    asked = subprocess.run(["ssh", "-F", config, LAST, "true"], capture_output=True, text=True, check=False)
    assert asked.returncode == 255 and "Host key verification failed" in asked.stderr
    assert logins(server) == before


def test_what_takes_a_secret_is_left_to_our_own_connection(ssh_server: Start, tmp_path: Path) -> None:
    server = ssh_server()
    locked = tmp_path / "locked"
    make_key(locked, "open sesame")
    with open(server.folder / "authorized_keys", "a") as stream:
        stream.write(Path(f"{locked}.pub").read_text())
    address = find_address(server.address, key=locked)
    ssh = SshConnection(address, Credentials(passphrase="open sesame"), server.fingerprint)
    with client_of(ssh) as client, pytest.raises(HostUnreachable, match="its key has a passphrase"):
        client.connect()
    assert folders() == [] and logins(server) == 1
    with pytest.raises(NotForOpenSsh, match="let in with password"):
        write_config(tmp_path, [Hop(address, "ssh-ed25519 AAAA", Login("password"))])


def test_the_agents_key_lets_it_in(ssh_server: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ssh_server("MaxAuthTries 7")
    place = tmp_path / "agent.sock"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(place)], stdout=subprocess.DEVNULL)
    try:
        until(place.exists, message="the agent")
        monkeypatch.setenv("SSH_AUTH_SOCK", str(place))
        for number in range(4):  # of which the client is to offer none
            make_key(tmp_path / f"other-{number}")
            subprocess.run(["ssh-add", "-q", str(tmp_path / f"other-{number}")], check=True)
        subprocess.run(["ssh-add", "-q", str(server.key)], check=True)
        ssh = SshConnection(find_address(server.address), fingerprint=server.fingerprint)
        with client_of(ssh) as client:
            ssh.connect()
            assert "agent" in ssh.login
            failed = server.log.read_text().count("Failed publickey")
            assert said(client, "echo here") == (0, b"here\n")
            assert server.log.read_text().count("Failed publickey") == failed
    finally:
        agent.terminate()
        agent.wait(10)


@pytest.mark.parametrize("way", ["ProxyJump", "ProxyCommand"])
def test_it_goes_through_the_same_hosts(ssh_server: Start, tmp_path: Path, way: str) -> None:
    gate, inner = ssh_server(), ssh_server()
    known_hosts = Path("~/.ssh/known_hosts").expanduser()
    known_hosts.write_text(gate.known_host + inner.known_host)
    config = tmp_path / "config"
    through = {
        "ProxyJump": "ProxyJump gate",
        "ProxyCommand": f"ProxyCommand ssh -o BatchMode=yes -i {gate.key} -o UserKnownHostsFile={known_hosts} -p {gate.port}"
        " -W %h:%p root@127.0.0.1",
    }[way]
    config.write_text(
        f"Host gate\n  HostName 127.0.0.1\n  Port {gate.port}\n  User root\n  IdentityFile {gate.key}\n"
        f"Host inner\n  HostName 127.0.0.1\n  Port {inner.port}\n  User root\n  IdentityFile {inner.key}\n  {through}\n"
    )
    with client_of(SshConnection(find_address("inner", config=config))) as client:
        code, out = said(client, "echo $SSH_CONNECTION")
        assert code == 0 and out.split()[3] == str(inner.port).encode()
        assert (logins(gate), logins(inner)) == (2, 2)
    until(lambda: not clients(), message="the end of the client's processes")


@pytest.mark.parametrize(
    ("field", "value"),
    [("user", 'me" \n ProxyCommand touch /tmp/x'), ("host", "a\nProxyCommand x"), ("user", "%h"), ("host", "${HOME}")],
)
def test_names_that_would_mean_something_else_are_not_written(tmp_path: Path, field: str, value: str) -> None:
    address = SshAddress(**{"name": "box", "host": "box", "port": 22, "user": "me", field: value})  # type: ignore[arg-type]
    key = tmp_path / "key"
    make_key(key)
    with pytest.raises(NotForOpenSsh, match="another meaning"):
        write_config(tmp_path, [Hop(address, "ssh-ed25519 AAAA", Login("a key", str(key)))])
    assert not (tmp_path / "config").exists()


def test_a_name_that_looks_like_an_option_is_a_name(tmp_path: Path) -> None:
    key = tmp_path / "key"
    make_key(key)
    address = SshAddress("-oProxyCommand=x", "-oProxyCommand=x", 2222, "-J")
    config = write_config(tmp_path, [Hop(address, "ssh-ed25519 AAAA", Login("a key", str(key)))])
    read = subprocess.run(["ssh", "-G", "-F", config, LAST], capture_output=True, text=True, check=True).stdout
    lines = dict(line.partition(" ")[::2] for line in read.splitlines())
    assert (lines["hostname"], lines["user"], lines["port"]) == ("-oproxycommand=x", "-J", "2222")
    assert lines["forwardagent"] == "no" and lines["forwardx11"] == "no"
    assert lines["stricthostkeychecking"] == "true" and lines["batchmode"] == "yes" and "proxycommand" not in lines


KILLED = """
import sys, time
from aml_jupyter.transports import openssh_config
from aml_jupyter.transports.openssh import OpenSsh
from aml_jupyter.transports.ssh import SshConnection
from aml_jupyter.transports.ssh_address import find_address
openssh_config.PERSISTS = 1
client = OpenSsh(SshConnection(find_address(sys.argv[1], key=sys.argv[2]), fingerprint=sys.argv[3]))
with client.stream(sys.argv[4]) as channel:
    channel.sendall(b"begun")
    assert channel.recv(100) == b"begun"
    print("begun", flush=True)
    time.sleep(600)
"""


def test_nothing_is_left_of_a_process_that_was_killed(ssh_server: Start, tmp_path: Path) -> None:
    server = ssh_server()
    ended = tmp_path / "ended"
    _kill_one_that_runs(server, f"cat; touch {ended}")
    until(ended.exists, message="the end of what ran there")
    until(lambda: not clients(), 30, "the end of the client's processes")
    with client_of(to(server)) as client:
        client.connect()
        assert len(folders()) == 1  # that of the killed one is removed


INTERRUPTED = """
import signal, sys
from aml_jupyter.transports.openssh import OpenSsh
from aml_jupyter.transports.ssh import SshConnection
from aml_jupyter.transports.ssh_address import find_address
signal.signal(signal.SIGINT, lambda *_: print("interrupted", flush=True))
client = OpenSsh(SshConnection(find_address(sys.argv[1], key=sys.argv[2]), fingerprint=sys.argv[3]))
with client.stream("cat") as channel:
    for word in ("begun", "again"):
        channel.sendall(word.encode())
        print(channel.recv(100).decode(), flush=True)
        sys.stdin.readline()
client.close()
"""


def test_an_interrupt_at_the_terminal_ends_nothing(ssh_server: Start) -> None:
    server = ssh_server()
    command = [sys.executable, "-c", INTERRUPTED, server.address, str(server.key), server.fingerprint]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        os.killpg(process.pid, signal.SIGINT)  # to all that the terminal has
        assert process.stdout.readline() == "interrupted\n"
        said, _ = process.communicate("\n\n", timeout=60)
    assert said == "again\n" and process.returncode == 0


def test_a_folder_for_sockets_that_is_too_long_is_said(ssh_server: Start, tmp_path: Path) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    with to(ssh_server()) as ssh, pytest.raises(NotForOpenSsh, match="the path of its socket would be too long"):
        write_config(long, ssh.route())


@pytest.mark.parametrize("end", ["killed", "given up"])
def test_nothing_is_left_of_a_client_that_hangs_while_it_connects(
    ssh_server: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    server = ssh_server()
    hangs, began = tmp_path / "bin/ssh", tmp_path / "began"
    hangs.parent.mkdir()
    hangs.write_text(f"#!/bin/sh\nsleep 600 &\necho $$ $! > {began}.new; mv {began}.new {began}; wait\n")
    hangs.chmod(0o755)
    monkeypatch.setenv("PATH", f"{hangs.parent}:{os.environ['PATH']}")
    if end == "killed":
        words = [server.address, str(server.key), server.fingerprint, "true"]
        with subprocess.Popen([sys.executable, "-c", KILLED, *words]) as process:
            until(began.exists, 30, "the client's start")
            process.send_signal(signal.SIGKILL)
    else:
        monkeypatch.setattr("aml_jupyter.transports.openssh.CONNECT_SECONDS", 1.0)
        with client_of(to(server)) as client, pytest.raises(HostUnreachable, match="did not get there"):
            client.connect()
    pids = [int(pid) for pid in began.read_text().split()]
    try:
        until(lambda: not any(map(psutil.pid_exists, pids)), 10, "the end of the client and of what it started")
    finally:
        for pid in filter(psutil.pid_exists, pids):
            os.kill(pid, signal.SIGKILL)


def _kill_one_that_runs(server: SshServer, command: str) -> None:
    """Kill a process of ours that has `command` run there, which said that it has begun."""
    words = [server.address, str(server.key), server.fingerprint, command]
    with subprocess.Popen([sys.executable, "-c", KILLED, *words], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"begun\n"
        assert clients() and len(folders()) == 1
        process.send_signal(signal.SIGKILL)


def test_a_client_that_hangs_is_given_up(ssh_server: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ssh_server()
    hangs = tmp_path / "bin/ssh"
    hangs.parent.mkdir()
    hangs.write_text("#!/bin/sh\nexec sleep 600\n")
    hangs.chmod(0o755)
    monkeypatch.setenv("PATH", f"{hangs.parent}:{os.environ['PATH']}")
    monkeypatch.setattr("aml_jupyter.transports.openssh.CONNECT_SECONDS", 0.2)
    began = time.monotonic()
    with client_of(to(server)) as client, pytest.raises(HostUnreachable, match="did not get there"):
        client.connect()
    assert time.monotonic() - began < 10 and folders() == []
