"""Carry out what the controller of a sweep decides: rows in, its actions into rows and requests.

A sweep is a run of kind ``hyperdrive`` that holds no slot and has no process; its children are ordinary runs called
``<sweep>_<number>``, with the sweep's snapshot and environment. Sampling takes its time in a thread of its own, so the loop never
waits for it. A service that is killed in between finds in the rows what was done, and the controller says the rest again.
"""

from __future__ import annotations

import logging
import sqlite3
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from aml_jupyter.config.sweeps import HyperDriveConfig
from aml_jupyter.errors import AmlError, LeaseLost, UserErrorException
from aml_jupyter.hyperdrive import (
    Action,
    Changed,
    FinishSweep,
    Judged,
    ReleaseChild,
    Sampler,
    Say,
    StartChild,
    StopChild,
    Sweep,
    step,
)
from aml_jupyter.service.actions import request_end
from aml_jupyter.service.queueing import Submission
from aml_jupyter.service.submission import SubmitRequest, submit
from aml_jupyter.service.sweep_children import (
    BY_HAND,
    CHOSEN,
    HYPERPARAMETERS,
    KIND,
    check_variables,
    child_definition,
)
from aml_jupyter.service.sweep_rows import SweepRows
from aml_jupyter.supervisor import durable
from aml_jupyter.workspace import (
    RunRecord,
    WorkspaceFolder,
    append_change,
    get_run,
    insert_run,
    latest_event,
    record_event,
    transition,
    update_run,
    write_definition,
)
from aml_jupyter.workspace.events import subjects_since
from aml_jupyter.workspace.queue import open_in_process_runs, runs_of_ended_sweeps, spare_child
from aml_jupyter.workspace.states import FINAL

__all__ = ["BY_HAND", "CHOSEN", "HYPERPARAMETERS", "KIND", "Sweeps", "submit_sweep"]

LOOK_ANYWAY = 2.0
"""Seconds after which a sweep is looked at though nothing has happened: durations and silence are judged by the clock."""

AT_ONCE = 50
"""How many children are made, or asked to end, in one transaction; the first ones start while the others are made."""

SPARES = 2
"""How many children are made ahead, where so many may run at once."""

MANY = 16
"""How many are made ahead at a time where children end quickly: for one alone, the look and the commit cost as much."""

QUICKLY = 4.0
"""Children a second that end quickly."""

PAUSE_WITHOUT_SWEEPS = 0.25
"""Seconds between two looks while there is no sweep, so that a busy queue pays nothing for them."""

log = logging.getLogger("aml_jupyter.service")


def submit_sweep(
    folder: WorkspaceFolder, config: HyperDriveConfig, request: SubmitRequest, seed: int | None = None
) -> Submission:
    """Check, snapshot and begin a sweep; durable when it returns.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    config : HyperDriveConfig
        The sweep.
    request : SubmitRequest
        What each child is submitted with; its `config` is the sweep's `run_config`.
    seed : int, optional
        What stands for the sampling's own seed where it has none; made up unless given.

    Raises
    ------
    UserErrorException
        When something is wrong with it, or what samples is not installed; nothing was copied then.
    """
    config.check_arguments()
    given = {*request.parameters, *((request.cell or {}).get("inputs") or ())}
    check_variables(config.hyperparameter_sampling.parameter_space, request.kind, given)
    _check_earlier(folder, config)
    seed = uuid.uuid4().int % 2**31 if seed is None else seed
    definition = config.to_dict()
    Sampler(config.hyperparameter_sampling, definition["primary_metric_config"]["goal"], seed).suggest([], [], 0)
    sweep = {"config": definition, "seed": seed, "kind": request.kind}
    return submit(folder, replace(request, kind=KIND, sweep=sweep, run_id=request.run_id or f"HD_{uuid.uuid4()}"))


def _check_earlier(folder: WorkspaceFolder, config: HyperDriveConfig) -> None:
    """Refuse earlier sweeps and children that this one cannot go on from.

    Raises
    ------
    UserErrorException
        Naming the run.
    """
    db = folder.store.read()
    told = config.to_dict()
    for run_id in told.get("resume_from", []):
        run = get_run(db, run_id)
        if run.kind != KIND:
            raise UserErrorException(f"resume_from: {run_id} is not a sweep but of kind {run.kind!r}.", "resume_from")
        if run.status not in FINAL:
            raise UserErrorException(
                f"resume_from: sweep {run_id} is {run.status}; it has to end first. `extend` gives a running one more runs.",
                "resume_from",
            )
        metric = run.definition["sweep"]["config"]["primary_metric_config"]
        if metric != told["primary_metric_config"]:
            raise UserErrorException(
                f"resume_from: sweep {run_id} was to {metric['goal']} {metric['name']!r}; what it reached cannot be compared.",
                "resume_from",
            )
    for run_id in told.get("resume_child_runs", []):
        run = get_run(db, run_id)
        if HYPERPARAMETERS not in run.properties or run.parent is None:
            raise UserErrorException(f"resume_child_runs: {run_id} is no child of a sweep.", "resume_child_runs")
        if run.status not in FINAL:
            raise UserErrorException(
                f"resume_child_runs: {run_id} is {run.status}; it has to end first.", "resume_child_runs"
            )


class Sweeps:
    """Own the thread in which sweeps are looked at, and what is remembered between two looks to save time.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    epoch : int
        The service's; every transaction checks it.
    wake : callable
        Ends the loop's sleep when something was done.
    """

    def __init__(self, folder: WorkspaceFolder, epoch: int, wake: Callable[[], None]) -> None:
        self.folder, self.epoch, self.wake = folder, epoch, wake
        self.pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="aml-sweep")
        self.any_open = False
        self._looking: Future[None] | None = None
        self._is_asked = False
        self._seen = -1
        self._looked = float("-inf")
        self._read = 0
        self._rows: dict[str, SweepRows] = {}
        self._stepped: dict[str, float] = {}
        self._samplers: dict[str, tuple[Any, Sampler]] = {}
        self.limits: dict[str, int] = {}
        self._made_ahead: deque[RunRecord] = deque()

    def look(self) -> None:
        """Begin a look at the open sweeps, unless one goes on or nothing can have changed."""
        self._is_asked = True  # before the question below: whoever ends a look asks for the next one
        if self._looking is not None and not self._looking.done():
            return
        self._is_asked = False
        if not self.any_open and time.monotonic() - self._looked < PAUSE_WITHOUT_SWEEPS:
            return
        newest = latest_event(self.folder.store.read())
        if newest == self._seen and time.monotonic() - self._looked < LOOK_ANYWAY:
            return
        self._seen, self._looked = newest, time.monotonic()
        self._looking = self.pool.submit(self._look)
        self._looking.add_done_callback(lambda _: self.wake() if self._is_asked else None)

    def _look(self) -> None:
        try:
            db = self.folder.store.read()
            self._refresh()
            leftover = runs_of_ended_sweeps(db)
            if leftover:
                self._stop({run.id: "the sweep has ended" for run in leftover})
            found = [run for run in open_in_process_runs(db) if run.kind == KIND]
            self.any_open = bool(found)
            self._forget({run.id for run in found})
            for run in found:
                self._safely(run)
        except Exception:
            log.exception("unexpected error while looking at sweeps, trying again")
            self._begin_anew()

    def _safely(self, run: RunRecord) -> None:
        """Take a sweep's next step; one with which something is wrong holds up no other."""
        try:
            self._one(run)
        except LeaseLost:
            raise
        except Exception:
            log.exception("sweep %s: unexpected error, trying again", run.id)
            self._begin_anew()

    def _begin_anew(self) -> None:
        """Read every row with the next look: what is remembered may not be what was committed."""
        self._rows.clear()
        self._stepped.clear()
        self._seen = -1

    def _refresh(self) -> None:
        """Read again what the events since the last look were about."""
        db = self.folder.store.read()
        if not self._rows:
            self._read = latest_event(db)
            return
        self._read, subjects = subjects_since(db, self._read)
        if subjects is None:
            self._begin_anew()
            return
        for run_id, rows in self._rows.items():
            if rows.refresh(subjects):
                self._stepped.pop(run_id, None)

    def _forget(self, still_open: set[str]) -> None:
        """Drop what is remembered of sweeps that have ended."""
        remembered: tuple[dict[str, Any], ...] = (self._rows, self._stepped, self._samplers, self.limits)
        for each in remembered:
            for ended in each.keys() - still_open:
                each.pop(ended, None)

    def _one(self, run: RunRecord) -> None:
        """Take a sweep's next step, where rows or the clock give reason to."""
        if time.monotonic() - self._stepped.get(run.id, float("-inf")) < LOOK_ANYWAY:
            return
        rows = self._rows.get(run.id)
        if rows is None:
            rows = self._rows[run.id] = SweepRows(self.folder, run)
        told, changed = run.definition["sweep"], rows.changed
        sweep = Sweep(
            changed.definition,
            rows.open,
            rows.ended,
            run.created,
            is_paused=changed.is_paused,
            prior=rows.prior,
            prior_curves=rows.prior_curves,
            said=(run.reason,),
            chosen=(*rows.resumed, *changed.added),
            may_repeat=not changed.has_other_space and not told.get("continues"),
            spares=_spares(run, rows, int(changed.definition["max_concurrent_jobs"])),
        )
        try:
            actions = step(sweep, self._sampler(run.id, changed, rows.goal, int(told["seed"])), time.time())
        except AmlError as error:
            actions = [FinishSweep("Failed", str(error))]
        self._set_limit(run.id, sweep, actions)
        starts = [action for action in actions if isinstance(action, (StartChild, ReleaseChild))]
        if starts:
            self._start(run, starts)
        self._stop({f"{run.id}_{action.number}": action.reason for action in actions if isinstance(action, StopChild)})
        for action in actions:
            if isinstance(action, Judged):
                rows.judge(action.number, action.interval)
            elif isinstance(action, Say):
                self._say(run, action.text)
            elif isinstance(action, FinishSweep):
                self._finish(run, action)
        self._stepped[run.id] = time.monotonic()
        if any(not isinstance(action, Judged) for action in actions):
            self.wake()

    def _sampler(self, run_id: str, changed: Changed, goal: str, seed: int) -> Sampler:
        """Return the sweep's sampler, another one when its space was changed."""
        generator = changed.definition["generator_config"]
        known = self._samplers.get(run_id)
        if known is None or known[0] != generator:
            known = self._samplers[run_id] = (generator, Sampler(generator, goal, seed))
        return known[1]

    def _set_limit(self, sweep: str, rows: Sweep, actions: Sequence[Action]) -> None:
        """Let ends release spare children while all goes its usual way."""
        is_usual = not rows.is_paused and not any(isinstance(each, (StopChild, FinishSweep)) for each in actions)
        if is_usual and rows.by_hand == len(rows.chosen):
            self.limits[sweep] = int(rows.definition["max_concurrent_jobs"])
        else:
            self.limits.pop(sweep, None)

    def release_next(self, tx: sqlite3.Connection, sweep: str | None) -> bool:
        """Queue a spare child of a sweep in the transaction that writes another one's end; tell whether there was one."""
        limit = self.limits.get(sweep or "")
        spare = None if sweep is None or limit is None else spare_child(tx, sweep, limit)
        if spare is not None:
            transition(tx, spare, "Queued", "")
        return spare is not None

    def made_ahead(self) -> Iterator[RunRecord]:
        """Yield each spare child once, for its files to be put in place; one that was not committed does no harm there."""
        while self._made_ahead:
            yield self._made_ahead.popleft()

    def _start(self, run: RunRecord, starts: Sequence[StartChild | ReleaseChild]) -> None:
        """Make new children and queue what is to be queued, so many at a time that nobody waits long for the database."""
        for first in range(0, len(starts), AT_ONCE):
            self._start_some(run, starts[first : first + AT_ONCE])

    def _start_some(self, run: RunRecord, starts: Sequence[StartChild | ReleaseChild]) -> None:
        """Write the folders of new children, then their rows, and what is queued, in one transaction."""
        new = [start for start in starts if isinstance(start, StartChild)]
        rows = self._rows[run.id]
        made = [child_definition(self.folder, rows.template, start) for start in new]
        for definition in made:
            self.folder.layout.run(definition["id"]).path.mkdir(parents=True, exist_ok=True)
            write_definition(self.folder.layout, definition)
        if made:
            durable.sync_folder(str(self.folder.layout.runs))
        with self.folder.store.transaction(epoch=self.epoch) as tx:
            if get_run(tx, run.id).status in FINAL:
                return
            for start in starts:
                if isinstance(start, ReleaseChild):
                    spare = get_run(tx, f"{run.id}_{start.number}")
                    if spare.status == "NotStarted":  # an end may have released it meanwhile
                        transition(tx, spare.id, "Queued", "")
            for start, definition in zip(new, made, strict=True):
                status = "NotStarted" if start.is_spare else "Queued"
                child = insert_run(tx, definition, status=status, run_config=rows.shown_run_config)
                if start.is_spare:
                    self._made_ahead.append(child)
        self.wake()

    def _stop(self, reasons: Mapping[str, str]) -> None:
        """Ask runs to end, so many at a time that nobody waits long for the database."""
        ids = list(reasons)
        for first in range(0, len(ids), AT_ONCE):
            with self.folder.store.transaction(epoch=self.epoch) as tx:
                for run_id in ids[first : first + AT_ONCE]:
                    request_end(self.folder, tx, get_run(tx, run_id), reasons[run_id])

    def _say(self, run: RunRecord, text: str) -> None:
        log.info("sweep %s: %s", run.id, text)
        with self.folder.store.transaction(epoch=self.epoch) as tx:
            update_run(tx, run.id, reason=text)
            record_event(tx, "run.note", run.id, {"text": text})

    def _finish(self, run: RunRecord, action: FinishSweep) -> None:
        now = time.time()
        error = {"type": "SweepFailed", "message": action.reason} if action.status == "Failed" else None
        change = {"op": "end", "status": action.status, "reason": action.reason, "ended": now, "error": error}
        with self.folder.store.transaction(epoch=self.epoch) as tx:
            if get_run(tx, run.id).status in FINAL:
                return
            append_change(self.folder, run.id, change)
            transition(tx, run.id, action.status, action.reason, ended=now, error=error)


def _spares(run: RunRecord, rows: SweepRows, concurrent: int) -> int:
    """Return how many children a sweep should have ahead: many at a time where they end quickly, then none for a while."""
    usual = min(SPARES, concurrent)
    are_quick = len(rows.ended.numbers) >= max(MANY, QUICKLY * (time.time() - run.created))
    return MANY if are_quick and sum(child.is_spare for child in rows.open) <= usual else usual
