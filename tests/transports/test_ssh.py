"""A host with a real OpenSSH server is reached, and what is wrong on the way is one clear message."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ssh_server import SshServer, make_key
from support import until

from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.transports import ssh
from aml_jupyter.transports.ssh import HostUnreachable, SshConnection
from aml_jupyter.transports.ssh_address import SshAddress, find_address
from aml_jupyter.transports.ssh_host_keys import HostKeyRefused
from aml_jupyter.transports.ssh_login import Credentials, LoginRefused

Start = Callable[..., SshServer]


def known(server: SshServer) -> SshAddress:
    """Return the address of a server whose key is a known one."""
    Path("~/.ssh/known_hosts").expanduser().write_text(server.known_host)
    return find_address(server.address, key=server.key)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("gpu-box", ("gpu-box", 22)),
        ("me@gpu-box:2222", ("gpu-box", 2222)),
        ("https://gpu-box/", ("gpu-box", 22)),
        ("ssh://me@gpu-box:2222", ("gpu-box", 2222)),
        ("[fe80::1]:2222", ("fe80::1", 2222)),
        ("10.0.0.4", ("10.0.0.4", 22)),
    ],
)
def test_addresses_are_read_as_people_write_them(written: str, told: tuple[str, int], tmp_path: Path) -> None:
    found = find_address(written, config=tmp_path / "none")
    assert (found.host, found.port) == told
    assert found.user == ("me" if "me@" in written else found.user)


@pytest.mark.parametrize("written", ["", "a b", "host:0", "host:99999", "host:port", "@host"])
def test_what_is_no_address_is_refused(written: str, tmp_path: Path) -> None:
    with pytest.raises(ComputeTargetException) as refused:
        find_address(written, config=tmp_path / "none")
    assert refused.value.field == "address"


def test_the_users_own_configuration_counts(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.touch()
    config = tmp_path / "config"
    config.write_text(
        f"Host box\n  HostName 10.1.2.3\n  Port 2200\n  User worker\n  IdentityFile {key}\n  IdentitiesOnly yes\n"
        "  ProxyJump gate\nHost gate\n  HostName 10.1.2.1\n  User keeper\n"
    )
    found = find_address("box", config=config)
    assert (found.name, found.host, found.port, found.user) == ("box", "10.1.2.3", 2200, "worker")
    assert found.keys == (str(key),) and found.only_keys
    assert [(jump.host, jump.user) for jump in found.jumps] == [("10.1.2.1", "keeper")]
    assert find_address("other@box:22", user="third", config=config).user == "third"
    config.write_text("Host box\n  ProxyJump box\n")
    with pytest.raises(ComputeTargetException, match="circle"):
        find_address("box", config=config)


def test_commands_run_there_and_data_goes_both_ways(ssh_server: Start) -> None:
    with SshConnection(known(ssh_server())) as host:
        assert host.run("echo $((6 * 7)); echo wrong >&2; exit 3") == ssh.Answer(3, b"42\n", b"wrong\n")
        data = os.urandom(3_000_000)
        assert host.run("cat", data).out == data
        assert (
            host.run("wc -c", (data[start : start + 70_000] for start in range(0, len(data), 70_000))).text.strip()
            == "3000000"
        )
        assert host.run("head -c 10", data).out == data[:10]  # it ends before it has read everything
        assert "id_ed25519" in host.login


def test_more_commands_than_channels_wait_for_each_other(ssh_server: Start) -> None:
    server = ssh_server("MaxSessions 2")
    with SshConnection(known(server)) as host:
        said: list[str] = []
        threads = [
            threading.Thread(target=lambda n=n: said.append(host.run(f"sleep 0.1; echo {n}").text)) for n in range(12)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(int(text) for text in said) == list(range(12))


def test_an_unknown_host_is_told_nothing_until_a_person_says_so(ssh_server: Start) -> None:
    server = ssh_server()
    address = find_address(server.address, key=server.key)
    with pytest.raises(HostKeyRefused, match="not known") as refused:
        SshConnection(address).connect()
    assert server.fingerprint in str(refused.value) and "--fingerprint" in str(refused.value)
    assert "Accepted" not in server.log.read_text() and "Failed" not in server.log.read_text()
    asked: list[str] = []
    with SshConnection(address, confirm=lambda question: bool(asked.append(question)) or True) as host:
        assert host.run("true").code == 0 and host.fingerprint == server.fingerprint
    assert server.fingerprint in asked[0]
    with pytest.raises(HostKeyRefused):
        SshConnection(address, confirm=lambda question: False).connect()
    with SshConnection(address, fingerprint=server.fingerprint) as host:
        host.connect()


@pytest.mark.parametrize("by", ["known hosts", "fingerprint"])
def test_a_changed_host_key_stops_everything(ssh_server: Start, by: str) -> None:
    server = ssh_server()
    address, old = known(server), server.fingerprint
    server.stop()
    server.new_host_key()
    server.start()
    with pytest.raises(HostKeyRefused, match="HAS CHANGED") as refused:
        SshConnection(address, fingerprint=None if by == "known hosts" else old).connect()
    assert old in str(refused.value) and server.fingerprint in str(refused.value)


def test_a_key_with_a_passphrase_and_the_agent(
    ssh_server: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ssh_server()
    address = known(server)
    locked = tmp_path / "locked"
    make_key(locked, "open sesame")
    with open(server.folder / "authorized_keys", "a") as stream:
        stream.write(Path(f"{locked}.pub").read_text())
    address = find_address(server.address, key=locked)
    with pytest.raises(LoginRefused, match="has a passphrase, and none was given"):
        SshConnection(address).connect()
    with pytest.raises(LoginRefused, match="passphrase is wrong"):
        SshConnection(address, Credentials(passphrase="open")).connect()
    with pytest.raises(LoginRefused, match="passphrase is wrong"):
        SshConnection(address, Credentials("open", "open")).connect()
    assert (
        "password" not in server.log.read_text()
    )  # one secret for a locked key is its passphrase, which no server is told
    with SshConnection(address, Credentials(passphrase="open sesame")) as host:
        host.connect()
    place = tmp_path / "agent.sock"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(place)], stdout=subprocess.DEVNULL)
    try:
        until(place.exists, message="the agent")
        monkeypatch.setenv("SSH_AUTH_SOCK", str(place))
        subprocess.run(["ssh-add", "-q", str(server.key)], check=True)
        with SshConnection(find_address(server.address)) as host:
            host.connect()
            assert "agent" in host.login
    finally:
        agent.terminate()
        agent.wait(10)


def test_a_refused_login_says_what_was_tried_and_what_the_server_takes(ssh_server: Start, tmp_path: Path) -> None:
    server = ssh_server()
    known(server)
    make_key(tmp_path / "stranger")
    with pytest.raises(LoginRefused) as refused:
        SshConnection(find_address(server.address, key=tmp_path / "stranger")).connect()
    assert "stranger" in str(refused.value) and "publickey" in str(refused.value)
    line = f"ssh-copy-id -i {tmp_path}/stranger -p {server.port} root@{server.host}"
    assert line in str(refused.value)
    with pytest.raises(LoginRefused, match=r"public half of a key: name the file of the private one, without .pub"):
        SshConnection(find_address(server.address, key=tmp_path / "stranger.pub")).connect()
    with pytest.raises(LoginRefused, match="no key, no agent and no password"):
        SshConnection(find_address(server.address)).connect()
    with pytest.raises(LoginRefused) as refused:
        SshConnection(find_address(server.address), Credentials(password="wrong-password")).connect()
    assert "wrong-password" not in str(refused.value) and "aml compute update NAME --password-stdin" in str(
        refused.value
    )
    assert "wrong-password" not in repr(Credentials(password="wrong-password"))


def test_a_host_behind_another_one_is_reached_through_it(ssh_server: Start, tmp_path: Path) -> None:
    gate, inner = ssh_server(), ssh_server()
    known_hosts = Path("~/.ssh/known_hosts").expanduser()
    known_hosts.write_text(gate.known_host + inner.known_host)
    config = tmp_path / "config"
    config.write_text(
        f"Host gate\n  HostName 127.0.0.1\n  Port {gate.port}\n  User root\n  IdentityFile {gate.key}\n"
        f"Host inner\n  HostName 127.0.0.1\n  Port {inner.port}\n  User root\n  IdentityFile {inner.key}\n  ProxyJump gate\n"
    )
    with SshConnection(find_address("inner", config=config)) as host:
        assert host.run("echo $SSH_CONNECTION").text.split()[3] == str(inner.port)
    assert "Accepted publickey" in gate.log.read_text()
    config.write_text(
        f"Host inner\n  HostName 127.0.0.1\n  Port {inner.port}\n  User root\n  IdentityFile {inner.key}\n"
        f"  ProxyCommand ssh -o BatchMode=yes -i {gate.key} -o UserKnownHostsFile={known_hosts} -p {gate.port}"
        " -W %h:%p root@127.0.0.1\n"
    )
    with SshConnection(find_address("inner", config=config)) as host:
        assert host.run("echo here").text == "here\n"


def test_a_host_on_the_way_is_not_told_the_password_of_the_one_behind_it(ssh_server: Start, tmp_path: Path) -> None:
    gate, inner = ssh_server("PasswordAuthentication yes"), ssh_server()
    Path("~/.ssh/known_hosts").expanduser().write_text(gate.known_host + inner.known_host)
    config = tmp_path / "config"
    config.write_text(
        f"Host gate\n  HostName 127.0.0.1\n  Port {gate.port}\n  User root\n"
        f"Host inner\n  HostName 127.0.0.1\n  Port {inner.port}\n  User root\n  ProxyJump gate\n"
    )
    with pytest.raises(LoginRefused, match=f"root@127.0.0.1:{gate.port} lets nobody in"):
        SshConnection(find_address("inner", config=config), Credentials(password="of-the-inner-one")).connect()
    assert "Failed password" not in gate.log.read_text()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("no-such-command %h %p", "exit code 127"),
        ("sh -c 'echo the gate is closed >&2; exit 3'", "exit code 3: the gate is closed"),
    ],
)
def test_a_proxy_command_that_fails_is_named_with_what_it_said(tmp_path: Path, command: str, said: str) -> None:
    config = tmp_path / "config"
    config.write_text(f"Host inner\n  HostName inner.invalid\n  ProxyCommand {command}\n")
    with pytest.raises(HostUnreachable) as refused:
        SshConnection(find_address("inner", config=config)).connect()
    assert said in str(refused.value) and "ProxyCommand" in str(refused.value), str(refused.value)


def test_what_is_wrong_with_the_way_is_said_once_and_not_as_the_library_does(tmp_path: Path) -> None:
    code = (
        "import socket, threading\n"
        "from aml_jupyter.transports.ssh import SshConnection\n"
        "from aml_jupyter.transports.ssh_address import find_address\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "threading.Thread(target=lambda: server.accept()[0].close(), daemon=True).start()\n"
        "try: SshConnection(find_address(f'127.0.0.1:{server.getsockname()[1]}')).connect()\n"
        "except Exception as error: print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "is no SSH server" in said.stdout and said.stderr == ""


def test_a_cut_connection_is_said_and_made_again(ssh_server: Start, tmp_path: Path) -> None:
    server = ssh_server()
    begun = tmp_path / "begun"

    def cut_it() -> None:
        until(begun.exists, message="the command")
        server.stop()

    with SshConnection(known(server)) as host:
        assert host.run("true").code == 0
        cut = threading.Thread(target=cut_it)
        cut.start()
        with pytest.raises(HostUnreachable, match=r"cut|failed|closed"):
            host.run(f"touch {begun}; sleep 30")
        cut.join()
        with pytest.raises(HostUnreachable, match="refuses connections"):
            host.run("true")
        with pytest.raises(HostUnreachable, match="The next try is in"):
            host.run("true")  # not asked again before the pause is over
        server.start()

        def is_back() -> bool:
            try:
                return host.run("echo back").text == "back\n"
            except HostUnreachable:
                return False

        until(is_back, message="the answer of the new server")


def test_a_command_that_goes_on_for_longer_than_it_may_is_said(ssh_server: Start) -> None:
    with SshConnection(known(ssh_server())) as host:
        with pytest.raises(HostUnreachable, match=r"A command on .* gave no answer in 1 s\."):
            host.run("sleep 50", seconds=1)
        assert host.run("echo on").text == "on\n"


def test_what_is_no_ssh_server_is_said_in_bounded_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ssh, "CONNECT_SECONDS", 1.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        began = time.monotonic()
        with pytest.raises(HostUnreachable, match="no SSH server"):
            SshConnection(find_address(f"127.0.0.1:{port}", config=tmp_path / "none")).connect()
        assert time.monotonic() - began < 10
    with pytest.raises(HostUnreachable, match="refuses connections"):
        SshConnection(find_address(f"127.0.0.1:{port}", config=tmp_path / "none")).connect()
    with pytest.raises(HostUnreachable, match=r"no host 'no-such-host\.invalid'"):
        SshConnection(find_address("no-such-host.invalid", config=tmp_path / "none")).connect()


@pytest.mark.parametrize(
    ("written", "host", "port", "shown"),
    [
        ("ml@::1", "::1", 22, "ml@[::1]"),
        ("ml@[::1]", "::1", 22, "ml@[::1]"),
        ("ssh://ml@[2001:db8::7]:2222", "2001:db8::7", 2222, "ml@[2001:db8::7]:2222"),
        ("ml@fe80::1%eth0", "fe80::1%eth0", 22, "ml@[fe80::1%eth0]"),
        ("ml@::ffff:10.0.0.1", "::ffff:10.0.0.1", 22, "ml@[::ffff:10.0.0.1]"),
    ],
)
def test_an_address_of_ipv6_is_taken_with_and_without_brackets(written: str, host: str, port: int, shown: str) -> None:
    found = find_address(written)
    assert (found.host, found.port, str(found)) == (host, port, shown)


@pytest.mark.parametrize("written", ["a:b:c", "box:22:22", "[box]:22", "1::2::3", "[1:2]:22"])
def test_what_looks_like_one_and_is_none_is_refused(written: str) -> None:
    with pytest.raises(ComputeTargetException, match=r"no address of a host; expected .*\[IPv6\]:PORT"):
        find_address(written)
