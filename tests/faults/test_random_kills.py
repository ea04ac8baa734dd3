"""Kill and stop processes at random times under load, seeded, and ask the ledger what became of every run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from faults.acts import processes_with, services
from faults.world import World

from aml_jupyter.service import cancel_run, ensure_service
from aml_jupyter.supervisor import identity, protocol
from aml_jupyter.workspace import (
    RunRecord,
    WorkspaceFolder,
    attempts,
    find_runs,
    metric_values,
    open_runs,
    verify_workspace,
)

pytestmark = [pytest.mark.faults, pytest.mark.random_kills]

ROUNDS = 10
"""Rounds that share one workspace."""

SEEDS = [range(first, first + ROUNDS) for first in range(0, 100, ROUNDS)]
SEEDS_WITH_SUPERVISORS = [range(first, first + ROUNDS) for first in range(1000, 1020, ROUNDS)]

Act = Callable[[], None]


class Killer:
    """Choose victims among the processes of one test, and remember whom to let go on."""

    def __init__(self, world: World, folder: WorkspaceFolder, dice: random.Random) -> None:
        self._world = world
        self._folder = folder
        self._dice = dice
        self._stopped: list[tuple[float, int]] = []
        self.story: list[str] = []

    def strike(self, client: subprocess.Popen[bytes], supervisors: bool) -> None:
        """Do harm to somebody, chosen by chance."""
        chances: list[tuple[str, Act]] = [
            ("service killed", lambda: self._each(services(self._world.root), signal.SIGKILL)),
            ("service killed", lambda: self._each(services(self._world.root), signal.SIGKILL)),
            ("service stopped", self._stop_service),
            ("warm parent killed", lambda: self._each(self._warm_parents(), signal.SIGKILL)),
            ("client killed", client.kill),
        ]
        if supervisors:
            chances = chances[1:] + [("supervisor killed", self._kill_supervisor)] * 4
        name, act = self._dice.choice(chances)
        self.story.append(name)
        act()

    def resume(self, everyone: bool = False) -> None:
        """Let those go on whose time has come."""
        now = time.monotonic()
        for entry in list(self._stopped):
            if everyone or now >= entry[0]:
                self._stopped.remove(entry)
                self._each([entry[1]], signal.SIGCONT)

    def _each(self, pids: list[int], number: int) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _stop_service(self) -> None:
        for pid in services(self._world.root):
            self._each([pid], signal.SIGSTOP)
            self._stopped.append((time.monotonic() + self._dice.uniform(0.05, 0.6), pid))

    def _warm_parents(self) -> list[int]:
        """Return the warm parent, not the supervisors that it forked: those have given up its lock."""
        everyone = processes_with(os.path.join(os.environ["AML_RUNTIME"], "nurse-").encode())
        return [pid for pid in everyone if _holds(pid, ".sock.lock") and _parent(pid) not in everyone]

    def _kill_supervisor(self) -> None:
        alive = []
        for run in open_runs(self._folder.store.read()):
            control = self._folder.layout.run(run.id).attempt(run.attempt).control
            attempt = protocol.read_json(str(control / protocol.ATTEMPT)) or {}
            if identity.is_alive(attempt):
                alive.append(int(attempt["supervisor"]["pid"]))
        if alive:
            self._each([self._dice.choice(alive)], signal.SIGKILL)


def _holds(pid: int, ending: str) -> bool:
    with suppress(OSError):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                if os.readlink(f"/proc/{pid}/fd/{fd}").endswith(ending):
                    return True
    return False


def _parent(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


@pytest.mark.parametrize("seeds", SEEDS, ids=str)
def test_nothing_is_lost_and_nothing_runs_twice(world: World, seeds: range) -> None:
    folder = WorkspaceFolder.open(world.root, create=True)
    for seed in seeds:
        _round(world, folder, seed, supervisors=False)
    _settle(world, folder)


@pytest.mark.parametrize("seeds", SEEDS_WITH_SUPERVISORS, ids=str)
def test_a_lost_supervisor_ends_its_run_or_starts_it_anew(world: World, seeds: range) -> None:
    folder = WorkspaceFolder.open(world.root, create=True)
    for seed in seeds:
        _round(world, folder, seed, supervisors=True)
    _settle(world, folder)


def _round(world: World, folder: WorkspaceFolder, seed: int, supervisors: bool) -> None:
    dice = random.Random(seed)
    killer = Killer(world, folder, dice)
    seconds = [0.2, 0.4] if supervisors else [0.0, 0.1]
    client = world.start("stream", seed=seed, count=4, seconds=seconds, retries=seed % 2 if supervisors else 0)
    strikes = sorted(dice.uniform(0.1, 0.8) for _ in range(dice.randint(1, 3)))
    started = time.monotonic()
    while strikes:
        killer.resume()
        if time.monotonic() - started >= strikes[0]:
            strikes.pop(0)
            killer.strike(client, supervisors)
        time.sleep(0.005)
    while client.poll() is None:
        assert time.monotonic() < started + 40, f"the client of seed {seed} does not end\n{world.story()}"
        killer.resume()
        time.sleep(0.005)
    killer.resume(everyone=True)
    assert client.wait() in (0, -signal.SIGKILL), f"seed {seed}: {killer.story}\n{world.story()}"
    looked = 0.0
    deadline = time.monotonic() + 40
    while waiting := open_runs(folder.store.read()):
        now = time.monotonic()
        assert now < deadline, f"seed {seed}: {killer.story}: {waiting}\n{world.story()}"
        if now - looked > 0.2:
            looked = now
            ensure_service(folder)
            for run in waiting:
                if run.tags.get("kind") == "canceled":  # what the killed client could not do any more
                    cancel_run(folder, run.id)
        time.sleep(0.01)
    ran = world.ran()
    acknowledged = {*world.said("ack")}
    runs = [run for run in find_runs(folder.store.read(), include_hidden=True) if run.tags["seed"] == str(seed)]
    said = f"seed {seed}: {killer.story}\n"
    assert {run for run in acknowledged if run not in {each.id for each in find_runs(folder.store.read())}} == set()
    for run in runs:
        _check(folder, run, ran, supervisors, said + f"{run.id} is {run.status}: {run.reason}\n" + world.story())


def _check(
    folder: WorkspaceFolder, run: RunRecord, ran: dict[tuple[str, int], int], supervisors: bool, said: str
) -> None:
    db = folder.store.read()
    kind, points = run.tags["kind"], int(run.tags["points"])
    made = attempts(db, run.id)
    assert len(made) == run.attempt <= run.max_retries + 1, said
    assert all(ran.get((run.id, number), 0) <= 1 for number in range(1, run.attempt + 2)), said
    if run.status == "Completed":
        assert ran[run.id, run.attempt] == 1, said
        assert run.attempt == 2 or kind != "retried", said
        assert run.attempt == 1 or kind == "retried" or supervisors, said
        logged = list(metric_values(db, run.id, "x")[0]) if points else []
        assert logged == list(range(points)), said
    elif run.status == "Canceled":
        assert kind == "canceled", said
    else:
        assert (supervisors and "supervisor" in run.reason) or (supervisors and kind == "retried"), said
        assert run.attempt == run.max_retries + 1, said


def _settle(world: World, folder: WorkspaceFolder) -> None:
    """Check what must hold when all rounds are over."""
    report = verify_workspace(folder)
    assert report.is_clean, f"{report}\n{world.story()}"
    folder.close()
    world.do("end")
    world.check_processes()
