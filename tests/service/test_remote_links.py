"""Links as they are: slow ones, ones that are really cut, servers that allow little; the number of questions stays small."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from slow_link import DELAY, SlowProxy
from ssh_server import SshServer, attach_server
from support import log_of, until

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.service import SubmitRequest, cancel_run, submit, wait_for_run
from aml_jupyter.service.remote import attach_target, look_again
from aml_jupyter.targets import Handle, Launch, Needs
from aml_jupyter.targets.far_host import host_of
from aml_jupyter.targets.remote import RemoteTarget
from aml_jupyter.transports.ssh import SshConnection
from aml_jupyter.transports.ssh_address import find_address
from aml_jupyter.workspace import RunRecord, WorkspaceFolder, get_run, get_target, take_snapshot

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    made.mkdir()
    return made


def run_there(folder: WorkspaceFolder, project: Path, command: str, **request: object) -> RunRecord:
    config = ScriptRunConfig(source_directory=str(project), command=command)
    config.run_config.target = "box"
    return submit(folder, SubmitRequest(config, "links", kind="command", **request)).run  # type: ignore[arg-type]


def test_everything_is_usable_over_a_slow_link(
    folder: WorkspaceFolder, project: Path, ssh_server: Callable[..., SshServer], tmp_path: Path
) -> None:
    for number in range(200):
        (project / f"{number}.txt").write_text(f"{number}\n" * 50)
    server = ssh_server()
    proxy = SlowProxy(server.port)
    try:
        server.port, real = proxy.port, server.port
        attach_server(folder, server, "box", tmp_path / "far")
        server.port = real
        first = run_there(folder, project, "cat 199.txt | head -1; mkdir -p outputs; cp *.txt outputs")
        assert wait_for_run(folder, first.id, timeout=60).status == "Completed"
        assert log_of(folder, first.id) == "199\n"
        work = folder.layout.run(first.id).attempt(1).work
        assert len(list((work / "outputs").iterdir())) == 200  # one by one they would take 40 s
        run = run_there(folder, project, "echo begin; sleep 600", grace_seconds=1)
        began = time.monotonic()
        until(lambda: "begin" in log_of(folder, run.id), 30, "the first line")
        assert time.monotonic() - began < 10
        until(lambda: get_run(folder.store.read(), run.id).status == "Running", 30, "the start")
        cancel_run(folder, run.id)
        assert wait_for_run(folder, run.id, timeout=30).status == "Canceled"
    finally:
        proxy.close()


def test_a_long_way_does_not_narrow_what_comes_back(ssh_server: Callable[..., SshServer]) -> None:
    server = ssh_server()
    size, usual = 60_000_000, 2 << 20
    proxy = SlowProxy(server.port)
    try:
        server.port, real = proxy.port, server.port
        address = find_address(server.address, key=server.key)
        server.port = real
        with SshConnection(address, fingerprint=server.fingerprint) as host:
            host.connect()
            began = time.monotonic()
            came = host.run(f"head -c {size} /dev/zero").out
            took = time.monotonic() - began
        assert len(came) == size
        assert took < size / usual * 2 * DELAY  # what OpenSSH's client needs at least
    finally:
        proxy.close()


@pytest.mark.parametrize(("rate", "is_packed"), [(1.5e6, True), (0.0, False)])
def test_what_is_sent_is_compressed_on_a_slow_link_only(
    folder: WorkspaceFolder,
    project: Path,
    ssh_server: Callable[..., SshServer],
    tmp_path: Path,
    rate: float,
    is_packed: bool,
) -> None:
    size = 0
    for number in range(30):
        text = "".join(f"{number} {line} {line * line}\n" for line in range(40_000))
        (project / f"{number}.txt").write_text(text)
        size += len(text)
    server = ssh_server()
    proxy = SlowProxy(server.port, 0.0, rate)
    try:
        server.port, real = proxy.port, server.port
        attach_server(folder, server, "box", tmp_path / "far")
        server.port = real
        before = proxy.sent
        run = run_there(folder, project, "cat *.txt | sha256sum")
        assert wait_for_run(folder, run.id, timeout=120).status == "Completed"
        content = b"".join(path.read_bytes() for path in sorted(project.glob("*.txt"), key=lambda path: path.name))
        assert log_of(folder, run.id).split()[0] == hashlib.sha256(content).hexdigest()
        assert (proxy.sent - before < 0.7 * size) == is_packed, (proxy.sent - before, size)
    finally:
        proxy.close()


def test_questions_do_not_grow_with_the_number_of_runs(
    folder: WorkspaceFolder, project: Path, ssh_server: Callable[..., SshServer], tmp_path: Path
) -> None:
    attach_server(folder, ssh_server("MaxSessions 2"), "box", tmp_path / "far")
    record = get_target(folder.store.read(), "box")
    target, snapshot = RemoteTarget(folder, record), take_snapshot(folder, project).id
    link = host_of(folder, record).link
    handles = [Handle("box", f"run_{number}", 1) for number in range(40)]
    try:
        target.observe(handles[:1])
        until(lambda: link.is_up, message="the link")
        for handle in handles:
            before = link.round_trips
            launch = Launch(f"{folder.id}/{handle.run_id}/1", 1, ("true",), {}, snapshot, Needs(), None, 1.0)
            target.stage(handle, launch)
            assert link.round_trips - before <= 3
        until(lambda: len(target.observe(handles)) == len(handles), message="word of all of them")
        until(
            lambda: all(seen.state == "absent" for seen in target.observe(handles).values()),
            message="that none started",
        )
        before, until_then = link.round_trips, time.monotonic() + 3
        while time.monotonic() < until_then:
            target.observe(handles)
            time.sleep(0.05)
        assert link.round_trips - before <= 2  # a sign of life now and then; what is new comes unasked
    finally:
        link.close()


@pytest.fixture
def cable() -> Iterator[tuple[str, str]]:
    """Return a network namespace and its address; the cable to it is ``<namespace>0``."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2")
    name, net = f"aml{os.getpid() % 10000}", f"10.213.{os.getpid() % 250}"
    commands = [
        f"ip netns add {name}",
        f"ip link add {name}0 type veth peer name {name}1 netns {name}",
        f"ip addr add {net}.1/24 dev {name}0",
        f"ip link set {name}0 up",
        f"ip -n {name} addr add {net}.2/24 dev {name}1",
        f"ip -n {name} link set {name}1 up",
        f"ip -n {name} link set lo up",
    ]
    try:
        for command in commands:
            done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"{command}: {done.stderr.strip()}")
        yield name, f"{net}.2"
    finally:
        subprocess.run(["ip", "link", "del", f"{name}0"], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def test_a_cable_that_is_pulled_is_noticed_and_what_runs_goes_on(
    folder: WorkspaceFolder,
    project: Path,
    ssh_server: Callable[..., SshServer],
    tmp_path: Path,
    cable: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AML_SSH_SILENCE", "3")
    name, address = cable
    server = ssh_server()
    server.stop()
    server.within, server.host = ["ip", "netns", "exec", name], address
    server.start()
    attach_server(folder, server, "box", tmp_path / "far")
    stop = tmp_path / "stop"
    run = run_there(
        folder, project, f"n=0; while [ ! -e {stop} ]; do echo line $n; n=$((n+1)); sleep 0.05; done; echo end"
    )
    until(lambda: "line 10\n" in log_of(folder, run.id), 60, "lines of the log")
    subprocess.run(["ip", "link", "set", f"{name}0", "down"], check=True)
    far_log = tmp_path / f"far/runs/{folder.id}/{run.id}/attempts/1/control/user_logs/std_log.txt"
    waiting = run_there(folder, project, "echo later")
    until(lambda: "waits for box" in get_run(folder.store.read(), waiting.id).reason, 60, "that the cut is noticed")
    said = log_of(folder, run.id)
    assert len(far_log.read_text()) > len(said) and get_run(folder.store.read(), run.id).status == "Running"
    subprocess.run(["ip", "link", "set", f"{name}0", "up"], check=True)
    assert wait_for_run(folder, waiting.id, timeout=60).status == "Completed"
    stop.touch()
    assert wait_for_run(folder, run.id, timeout=60).status == "Completed"
    lines = log_of(folder, run.id).splitlines()
    assert lines == [*(f"line {number}" for number in range(len(lines) - 1)), "end"]


@pytest.mark.parametrize("wrong", ["refused", "silent", "no name", "no python", "no rights"])
def test_what_is_in_the_way_is_one_clear_message(
    wrong: str,
    folder: WorkspaceFolder,
    ssh_server: Callable[..., SshServer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from aml_jupyter.transports import ssh

    monkeypatch.setattr(ssh, "CONNECT_SECONDS", 1.0)
    server = ssh_server()
    settings = {"address": server.address, "ssh_key": str(server.key), "fingerprint": server.fingerprint}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        changed, said = {
            "refused": ({"address": "root@127.0.0.1:1"}, "refuses connections"),
            "silent": ({"address": f"root@127.0.0.1:{silent.getsockname()[1]}"}, "no SSH server"),
            "no name": ({"address": "root@no-such-host.invalid"}, "no host 'no-such-host.invalid'"),
            "no python": ({"python": "/nowhere/python"}, "no Python at '/nowhere/python'"),
            "no rights": (
                {"base_folder": "/proc/nothing"},
                r"cannot be used: .*/proc/nothing: No such file.*--base-folder DIR",
            ),
        }[wrong]
        with pytest.raises(ComputeTargetException, match=said):
            attach_target(folder, "box", "remote", {**settings, **changed})
    assert [record.name for record in [get_target(folder.store.read(), "local")]] == ["local"]


def test_a_full_disk_over_there_is_waited_for(
    folder: WorkspaceFolder, project: Path, ssh_server: Callable[..., SshServer], tmp_path: Path
) -> None:
    from support import sized_disk

    (project / "big.bin").write_bytes(os.urandom(3_000_000))
    with sized_disk(tmp_path / "disk", "6m") as disk:
        attach_server(folder, ssh_server(), "box", disk / "far")
        filler = disk / "filler"
        filler.write_bytes(b"x" * 3_000_000)
        run = run_there(folder, project, "wc -c < big.bin")
        until(lambda: "no room on its disk" in get_run(folder.store.read(), run.id).reason, 60, "the reason")
        filler.write_bytes(b"")
        with contextlib.suppress(FileNotFoundError):
            filler.unlink()
        (tmp_path / "more").mkdir()
        subprocess.run(["mount", "-o", "remount,size=40m", str(disk)], check=True)
        assert wait_for_run(folder, run.id, timeout=60).status == "Completed"
        assert log_of(folder, run.id).split() == ["3000000"]


def test_a_folder_that_nobody_may_write_to_is_refused_when_attaching_and_waited_for_later(
    folder: WorkspaceFolder, project: Path, ssh_server: Callable[..., SshServer], tmp_path: Path
) -> None:
    from support import sized_disk

    server = ssh_server()
    with sized_disk(tmp_path / "disk", "2g") as disk:
        attach_server(folder, server, "box", disk / "far")
        run = run_there(folder, project, "echo there")
        assert wait_for_run(folder, run.id, timeout=60).status == "Completed"
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for place in (disk / "far", disk / "new"):
            with pytest.raises(
                ComputeTargetException, match=rf"cannot be used: .*{place}: Read-only.*--base-folder DIR"
            ):
                attach_server(folder, server, "twin", place)
        again = look_again(folder, "box")
        assert any("cannot be written: Read-only file system" in problem for problem in again.problems)
        assert not any(row == "base folder" and said.endswith(" 0.0 GB free") for row, said in again.rows)
        waits, canceled = run_there(folder, project, "echo later"), run_there(folder, project, "echo never")
        for each in (waits, canceled):
            until(lambda each=each: "Read-only" in get_run(folder.store.read(), each.id).reason, 60, "the reason")
        cancel_run(folder, canceled.id)
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        assert wait_for_run(folder, waits.id, timeout=60).status == "Completed"
        assert log_of(folder, waits.id) == "later\n"
        assert wait_for_run(folder, canceled.id, timeout=60).status == "Canceled"
