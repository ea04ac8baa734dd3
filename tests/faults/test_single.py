"""Single faults: reused ids, reboots, services that sleep or come in twos, lost supervisors and terminals."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faults.acts import processes_with, services
from faults.world import ACTS, World
from support import until

from aml_jupyter.service import ensure_service, service_status, wait_for_run
from aml_jupyter.supervisor import identity, protocol
from aml_jupyter.supervisor.slots import SlotFolder
from aml_jupyter.workspace import WorkspaceFolder, attempts, current_lease, get_run, take_epoch

pytestmark = pytest.mark.faults

StartService = Callable[..., "subprocess.Popen[bytes]"]
SERVE = "import sys; from aml_jupyter.service.process import main; sys.exit(main(sys.argv[1:]))"


def _attempt(folder: WorkspaceFolder, run: str) -> dict[str, Any]:
    return protocol.read_json(str(folder.layout.run(run).attempt(1).control / protocol.ATTEMPT)) or {}


def _begun(world: World, *runs: str) -> None:
    until(lambda: all((run, 1) in world.ran() for run in runs), message="the runs in the ledger")


def _kill_all_but_the_script(world: World, folder: WorkspaceFolder, *runs: str) -> None:
    """Kill service, warm parent and supervisors, as a machine that goes down does."""
    supervisors = [_attempt(folder, run)["supervisor"]["pid"] for run in runs]
    nurses = processes_with(os.path.join(os.environ["AML_RUNTIME"], "nurse-").encode())
    everyone = {world.service(), *supervisors, *nurses}
    for pid in everyone:
        os.kill(pid, signal.SIGKILL)
    until(lambda: all(identity.start_time(pid) is None for pid in everyone), message="their end")


@pytest.fixture
def start_service(world: World) -> Iterator[StartService]:
    """Start service processes of the world's workspace, and end those that are left."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*prefix: str) -> subprocess.Popen[bytes]:
        command = [*prefix, sys.executable, "-c", SERVE, str(world.root), "--until-idle"]
        with open(world.place / "service-output", "ab") as log:
            started.append(subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_reused_pid_is_not_taken_for_ours(world: World, folder: WorkspaceFolder) -> None:
    world.do("submit_some", scripts=[["gated.py", str(world.place / "go")]])
    (run,) = world.said("ack")
    _begun(world, run)
    _kill_all_but_the_script(world, folder, run)
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as innocent:
        path = folder.layout.run(run).attempt(1).control / protocol.ATTEMPT
        attempt = json.loads(path.read_text())
        for name in ("supervisor", "process"):
            attempt[name]["pid"] = innocent.pid  # the start time stays that of the one that is gone
        path.write_text(json.dumps({**attempt, "process_group": innocent.pid}))
        with folder.store.transaction() as tx:
            tx.execute("UPDATE lease SET holder = json_set(holder, '$.pid', ?)", (innocent.pid,))
        ensure_service(folder)
        done = wait_for_run(folder, run, timeout=30)
        assert (done.status, "supervisor" in done.reason) == ("Failed", True)
        assert innocent.poll() is None, "a stranger was ended"
        innocent.kill()
    world.do("recover+end")
    world.check(may_be_lost=True)


def test_a_reboot_fails_a_run_or_starts_it_anew(
    as_root: None, world: World, folder: WorkspaceFolder, start_service: StartService
) -> None:
    gated = [["gated.py", str(world.place / "never")]]
    world.do("submit_some", scripts=gated)
    world.do("submit_some", scripts=gated, retries=1)
    plain, retried = world.said("ack")
    _begun(world, plain, retried)
    until(lambda: get_run(folder.store.read(), retried).status == "Running", message="running")
    _kill_all_but_the_script(world, folder, plain, retried)
    other = world.place / "boot_id"
    other.write_text("11111111-2222-3333-4444-555555555555\n")
    mount = f'mount --bind {other} /proc/sys/kernel/random/boot_id && exec "$@"'
    service = start_service("unshare", "-m", "sh", "-c", mount, "sh")
    try:
        failed = wait_for_run(folder, plain, timeout=30)
        assert failed.status == "Failed"
        assert "rebooted" in failed.reason
        assert wait_for_run(folder, retried, timeout=30).status == "Completed"
        first, second = attempts(folder.store.read(), retried)
        assert (first.reason, second.reason) == ("host rebooted", "exit")
        assert world.ran() == {(plain, 1): 1, (retried, 1): 1, (retried, 2): 1}
    finally:
        service.terminate()
        service.wait(20)


def test_a_service_that_slept_while_another_took_over_does_no_harm(
    world: World, folder: WorkspaceFolder, start_service: StartService
) -> None:
    go = world.place / "go"
    world.do("submit_some", scripts=[["gated.py", str(go)], ["short.py"]])
    running, short = world.said("ack")
    _begun(world, running)
    wait_for_run(folder, short, timeout=30)
    until(lambda: get_run(folder.store.read(), running).status == "Running", message="running")
    sleeper = world.service()
    os.kill(sleeper, signal.SIGSTOP)
    # What `aml workspace takeover` does for a service of another host, whose lock is not seen here.
    with folder.store.transaction() as tx:
        epoch = take_epoch(tx, {**(current_lease(tx) or {}), "left": True})
    folder.layout.service_lock.unlink()
    successor = start_service()
    until(lambda: (current_lease(folder.store.read()) or {})["epoch"] > epoch, message="the new service")
    world.do("submit_some", scripts=[["short.py"], ["span.py"]])
    os.kill(sleeper, signal.SIGCONT)
    until(lambda: identity.start_time(sleeper) is None, message="the end of the service that slept")
    status = service_status(folder)
    assert status is not None and status.pid == successor.pid
    assert status.answers, "the service that left took the socket of its successor along"
    go.touch()
    world.do("recover+end")
    assert successor.wait(20) == 0
    assert {run.status for run in world.check()} == {"Completed"}


def test_of_services_started_at_once_one_serves(
    world: World, folder: WorkspaceFolder, start_service: StartService
) -> None:
    started = [start_service() for _ in range(5)]
    world.do("submit_some", scripts=[["span.py"]] * 5)
    for run in world.said("ack"):
        assert wait_for_run(folder, run, timeout=30).status == "Completed"
    status = service_status(folder)
    assert status is not None
    for process in started:
        if process.pid != status.pid:
            assert process.wait(20) == 0
    world.do("end")
    for process in started:
        assert process.wait(20) == 0
    world.check()


def test_two_workspaces_share_the_slots_of_a_machine(world: World, folder: WorkspaceFolder, tmp_path: Path) -> None:
    place = tmp_path / "other"
    place.mkdir()
    other = World(place)
    other.ledger = world.ledger
    (other.project / "note.py").write_text((world.project / "note.py").read_text())
    with world.start("submit_some", scripts=[["span.py"]] * 8) as first:
        other.do("submit_some", scripts=[["span.py"]] * 8)
        assert first.wait(60) == 0
    for each in (world, other):
        each.do("recover+end")
    running, most = 0, 0
    for line in world.ledger.read_text().splitlines():
        running += {"begin": 1, "end": -1}.get(line.split()[-1], 0)
        most = max(most, running)
    assert running == 0
    assert 1 <= most <= (os.cpu_count() or 1)
    assert sum(world.ran().values()) == 18
    lines = world.ledger.read_text().splitlines(keepends=True)
    for each in (world, other):
        own = {path.name for path in (each.root / "runs").iterdir()}
        world.ledger.write_text("".join(line for line in lines if line.split()[0] in own))
        each.check()


def test_a_killed_supervisor_frees_its_slot_and_leaves_nobody(world: World, folder: WorkspaceFolder) -> None:
    world.do("submit_some", scripts=[["lost.py", "--child"]])
    (run,) = world.said("ack")
    _begun(world, run)
    token = protocol.attempt_token(folder.id, run, 1)
    until(lambda: len(identity.survivors(token)) == 2, message="the script and its child")
    slots = SlotFolder(Path(os.environ["AML_RUNTIME"]) / "slots")
    assert len(slots.usage()) == 1
    attempt = _attempt(folder, run)
    os.kill(attempt["supervisor"]["pid"], signal.SIGKILL)
    until(lambda: not slots.usage(), seconds=3, message="the free slot")
    until(lambda: identity.start_time(attempt["process"]["pid"]) is None, seconds=3, message="the script's end")
    assert wait_for_run(folder, run, timeout=30).status == "Failed"
    assert identity.survivors(token) == []
    world.do("end")
    world.check(may_be_lost=True)


def test_a_terminal_killed_right_after_the_submit_takes_nothing_along(world: World, folder: WorkspaceFolder) -> None:
    client = world.start("submit_and_stay")
    until(lambda: world.said("ack"), message="the submit")
    os.killpg(client.pid, signal.SIGKILL)
    client.wait()
    (run,) = world.said("ack")
    until(lambda: get_run(folder.store.read(), run).status == "Completed", message="the run's end, with nobody waiting")
    world.do("end")
    world.check()


def test_a_terminal_that_hangs_up_takes_nothing_along(world: World, folder: WorkspaceFolder) -> None:
    values = json.dumps({"root": str(world.root), "project": str(world.project), "ledger": str(world.ledger)})
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # these tests may run under nohup
        os.execv(sys.executable, [sys.executable, str(ACTS), "submit_and_stay", values])
    said = b""
    while b"\n" not in said:
        said += os.read(terminal, 1000)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGHUP
    run = said.split()[1].decode()
    deadline = time.monotonic() + 20
    while get_run(folder.store.read(), run).status != "Completed":
        assert time.monotonic() < deadline, world.story()
        time.sleep(0.02)
    world.do("end")
    assert services(world.root) == []
    world.check()
