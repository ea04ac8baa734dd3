"""Drive every run of a workspace from the queue to its end.

Read `tick` as the table of contents. Each step looks at durable state (rows, files), decides, and acts; every act can be
repeated, so the process may be killed between any two lines and the next service goes on.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from aml_jupyter.errors import AmlError, LeaseLost, WorkspaceException
from aml_jupyter.service import (
    compute,
    ending,
    in_process,
    ingestion,
    listing,
    preparing,
    requests,
    staging,
    starting,
    watching,
)
from aml_jupyter.service.active import ActiveRun, Full
from aml_jupyter.service.client import socket_path
from aml_jupyter.service.lease import Lease
from aml_jupyter.service.sweeps import Sweeps
from aml_jupyter.service.unstarted import fail
from aml_jupyter.service.untracked import Untracked
from aml_jupyter.service.wakeup import WakeSocket
from aml_jupyter.supervisor.faults import fault_point
from aml_jupyter.targets import Handle, Target, create_backend, on_news
from aml_jupyter.workspace import (
    RunRecord,
    TargetRecord,
    WorkspaceFolder,
    get_target,
    list_targets,
    taken_back,
)
from aml_jupyter.workspace.lease import leave_lease
from aml_jupyter.workspace.queue import active_runs, count_open_runs

__all__ = ["Reconciler"]

LOOK_EVERY = 1.0
"""Seconds between two looks while something runs or waits; messages make it sooner."""

IDLE_LOOK_EVERY = 2.0
"""Seconds between two looks at the database while nothing is open."""

GONE_AFTER = 5.0
"""Seconds without a ``workspace.json`` after which a service believes that its workspace was removed."""

TIDY_BOUND = 60.0
"""Seconds that an idle service stays for what its targets still have to remove."""

TIDY_EVERY = 5.0
"""Seconds between two looks for what ended attempts left behind."""

LOST_LOOK_EVERY = 5.0
"""Seconds between two looks for interactive runs whose process is gone."""

log = logging.getLogger("aml_jupyter.service")


class Reconciler:
    """Own the loop, and what it remembers between two turns.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    lease : Lease
        The right to drive it; its epoch is checked by every transaction.
    wakeup : WakeSocket
        What ends a sleep early.
    linger_seconds : float
        How long an idle service stays for the next submit.
    """

    def __init__(self, folder: WorkspaceFolder, lease: Lease, wakeup: WakeSocket, linger_seconds: float) -> None:
        self.folder = folder
        self.lease = lease
        self.wakeup = wakeup
        self.linger_seconds = linger_seconds
        self.far_starts = ThreadPoolExecutor(max_workers=8, thread_name_prefix="aml-far-start")
        self.far_endings = ThreadPoolExecutor(max_workers=8, thread_name_prefix="aml-far-ending")
        self.starts = ThreadPoolExecutor(max_workers=4, thread_name_prefix="aml-start")
        self.endings = ThreadPoolExecutor(max_workers=4, thread_name_prefix="aml-ending")
        self.answers = ThreadPoolExecutor(max_workers=4, thread_name_prefix="aml-answer")
        """What may wait for a link has pools of its own, so that it holds up nothing of this machine."""
        self.listings = ThreadPoolExecutor(max_workers=1, thread_name_prefix="aml-listing")
        self.listing = listing.Pace()
        self.active: dict[str, ActiveRun] = {}
        self.stopping = False
        self.queue_may_move = True
        """Whether the queue may be another one than at the last look at it, or a slot of ours was freed since."""
        self.waiting_on: list[str] = []
        """Targets whose first in line had no room then."""
        self.last_end = 0.0
        self.next_up: dict[str, list[RunRecord]] = {}
        """Who goes next on each target, as the last look at the queue found it."""
        self.staged: set[Handle] = set()
        """Attempts whose files are in place, though they have no slot yet."""
        self.full: dict[str, Full] = {}
        """Targets that had no room for the first in line, by name."""
        self.quick: set[str] = set()
        """Targets whose last run that ended was a short one."""
        self.look_again_soon = False
        """True when slots were believed to be taken still, without a look."""
        self.wake_path = str(socket_path(folder))
        self.suspects: set[str] = set()
        """Waiting runs with which something unexpected was wrong when they were to be claimed."""
        self.start_seconds: dict[str | None, float] = {}
        """How long staging and starting took the last time, by snapshot."""
        self.builders: dict[str, subprocess.Popen[bytes]] = {}
        """The processes that build environments and were started here, by what they build."""
        self._backends: dict[str, tuple[float, Target]] = {}
        self.targets: list[TargetRecord] = []
        self.untracked = Untracked(folder, lease)
        on_news(wakeup.wake)
        self.sweeps = Sweeps(folder, lease.epoch, wakeup.wake)
        self._version: int | None = None
        self.pools = (
            self.starts,
            self.endings,
            self.answers,
            self.sweeps.pool,
            self.far_starts,
            self.far_endings,
            self.listings,
        )
        self._idle_since = time.monotonic()
        self._looked_for_lost = self._tidied = float("-inf")
        self._tidying = False

    # -- the loop -----------------------------------------------------------------------------------------------

    def run(self, until_idle: bool) -> None:
        """Turn until told to stop, or until nothing has been open for the linger time."""
        well = time.monotonic()
        while not self.stopping:
            try:
                self.tick()
                well = time.monotonic()
                if until_idle and self._leave_if_idle():
                    return
            except LeaseLost:
                log.warning("another service owns this workspace now; leaving it to that one")
                return
            except WorkspaceException as error:
                if time.monotonic() - well > GONE_AFTER and not os.path.exists(self.folder.layout.identity):
                    log.warning("the workspace %s was removed; leaving", self.folder.root)
                    return
                log.error("the workspace cannot be written at the moment, trying again: %s", error)
                self._version = None
                self.wakeup.wait(1.0)
                continue
            except Exception:
                log.exception("unexpected error in the loop, trying again")
                self._version = None
                self.wakeup.wait(1.0)
                continue
            self.wakeup.wait(self._pause())
        with self.folder.store.transaction(epoch=self.lease.epoch) as tx:
            leave_lease(tx)

    def tick(self) -> None:
        """Bring rows and files one step nearer to each other."""
        self.adopt()
        watching.watch(self)
        ending.free_slots(self)
        starting.launch_ahead(self)
        ending.begin_endings(self)
        self.settle()
        preparing.prepare(self)
        starting.launch_claimed(self)
        ingestion.ingest(self)
        requests.answer(self)
        if ending.any_to_write(self) and not self.wakeup.is_woken:
            self.settle()
            starting.launch_claimed(self)
        listing.list_files(self)
        staging.stage_ahead(self)
        self.sweeps.look()
        self.end_lost_runs()
        self.untracked.remove()
        self.tidy_targets()
        if any(record.provisioning_state in ("Stopping", "Deleting") for record in self.targets):
            if compute.settle_targets(self.folder, self.lease.epoch):
                self.queue_may_move = True
            self.targets = list_targets(self.folder.store.read())

    def adopt(self, tx: sqlite3.Connection | None = None) -> None:
        """Read what others changed: new runs, cancel requests, targets, and the runs of an earlier service.

        Inside a transaction nobody else commits, so what is decided after it is decided on the present state.
        """
        version = self.folder.store.version_by_others()
        if version == self._version:
            return
        self._version = version
        db = self.folder.store.read() if tx is None else tx
        self.targets = list_targets(db)
        self.queue_may_move = True
        found = active_runs(db)
        for run_id in self.active.keys() - {run.id for run in found}:
            # A transaction that was not committed had claimed it.
            forgotten = self.active.pop(run_id)
            if forgotten.starting is None:
                forgotten.backend.release(forgotten.handle)
        for run in found:
            known = self.active.get(run.id)
            if known is not None:
                known.run = run
                continue
            try:
                backend = self.backend(run.target)
            except AmlError as error:
                fail(self, run, error, tx)
                continue
            self.active[run.id] = ActiveRun(run, starting.handle_of(run), backend)

    def end_lost_runs(self) -> None:
        """End the interactive runs whose process is gone: at the first turn, and now and then."""
        if time.monotonic() - self._looked_for_lost < LOST_LOOK_EVERY:
            return
        self._looked_for_lost = time.monotonic()
        for run_id in in_process.end_lost_runs(self.folder):
            log.info("run %s: %s", run_id, in_process.LOST)

    def tidy_targets(self, now: bool = False) -> bool:
        """Have removed what ended attempts left outside the workspace: at the first turn, and now and then.

        Returns True while that is under way.
        """
        if now or self._tidying or time.monotonic() - self._tidied >= TIDY_EVERY:
            self._tidied = time.monotonic()
            keep = [active.handle for active in self.active.values()]
            keep += [Handle("", run_id, number) for run_id, number in taken_back(self.folder.store.read())]
            with contextlib.suppress(AmlError):
                self._tidying = self.backend("local").tidy(keep)
        return self._tidying

    def settle(self) -> None:
        """Write down in one transaction what this turn has decided: starts seen, ends, and who goes next."""
        if not (starting.may_claim(self) or watching.any_to_write(self) or ending.any_to_write(self)):
            return
        with self.folder.store.transaction(epoch=self.lease.epoch) as tx:
            self.adopt(tx)
            watching.write_states(self, tx)
            ending.write_ends(self, tx)
            if starting.may_claim(self):
                starting.claim(self, tx)

    def shut_down(self) -> None:
        """Wait for what the pools are doing, and drop what they have not begun."""
        for pool in self.pools:
            pool.shutdown(wait=False, cancel_futures=True)
        for pool in self.pools:
            pool.shutdown(wait=True)

    # -- shared ------------------------------------------------------------------------------------------------

    def backend(self, name: str) -> Target:
        """Return the object that acts on the target called `name`; made anew when its row changes."""
        record = self._target(name)
        known = self._backends.get(name)
        if known is None or known[0] != record.modified:
            known = (record.modified, create_backend(self.folder, record))
            self._backends[name] = known
        return known[1]

    def target_type(self, run: RunRecord) -> str:
        """Return the type of the run's target."""
        return self._target(run.target).type

    def _target(self, name: str) -> TargetRecord:
        """Return the target's row as the last look found it."""
        known = next((record for record in self.targets if record.name == name), None)
        return known or get_target(self.folder.store.read(), name)

    @property
    def somebody_waits(self) -> bool:
        """Tell whether a run may be waiting for room."""
        return self.queue_may_move or bool(self.waiting_on)

    def _pause(self) -> float:
        """Return how long to sleep when nobody wakes us."""
        if self.somebody_waits and self.look_again_soon:
            return starting.FULL_FOR
        if self.somebody_waits and time.monotonic() - self.last_end < 0.25:
            return 0.01  # somebody waits for slots that are about to be free
        if self.active or self.somebody_waits:
            return LOOK_EVERY
        if self._tidying:
            return 0.1
        until_leaving = self._idle_since + self.linger_seconds - time.monotonic()
        return min(IDLE_LOOK_EVERY, until_leaving) if until_leaving > 0 else IDLE_LOOK_EVERY

    def _leave_if_idle(self) -> bool:
        """Leave inside the transaction that finds no open run, when the linger time has passed."""
        if self.active or self.somebody_waits or self.sweeps.any_open:
            self._idle_since = time.monotonic()
        if time.monotonic() - self._idle_since < self.linger_seconds:
            return False
        if self.untracked.any_left():
            return False
        if time.monotonic() - self._idle_since < self.linger_seconds + TIDY_BOUND and self.tidy_targets(now=True):
            return False
        with self.folder.store.transaction(epoch=self.lease.epoch) as tx:
            if count_open_runs(tx):
                self._idle_since = time.monotonic()
                self.queue_may_move = True
                return False
            leave_lease(tx)
        with fault_point("service.left"):
            self.stopping = True
        return True
