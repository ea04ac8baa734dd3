"""Make sure that a run's environment is there before it starts: wait for its build, begin it, follow it, give up on it.

The build is a process of its own that outlives the service; what it has come to is read from its files. A run holds its slot
while it is prepared, and a hold on what was built until its supervisor has one.
"""

from __future__ import annotations

import contextlib
import logging
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from aml_jupyter.environments import Entry, EnvironmentCache, start_builder, stop_builder
from aml_jupyter.errors import AmlError, UserErrorException
from aml_jupyter.service.active import ActiveRun, Preparation
from aml_jupyter.service.unstarted import fail
from aml_jupyter.supervisor import protocol
from aml_jupyter.workspace import RunRecord, attempts, read_definition, transition, update_run

if TYPE_CHECKING:
    from aml_jupyter.service.reconciler import Reconciler

__all__ = ["build_ahead", "is_ready", "prepare", "prepare_again", "recipe_key"]

MOST_BUILDERS = 3
"""How many builders of one run may be killed before the run fails: they may be what uses up the memory."""

log = logging.getLogger("aml_jupyter.service")


def recipe_key(run: RunRecord) -> str | None:
    """Return the key of what has to be built for a run, or None."""
    environment = run.definition.get("environment")
    return str(environment["key"]) if environment else None


def is_ready(active: ActiveRun) -> bool:
    """Say whether an attempt has its environment, and hold on to it; looks at two files at the most."""
    key = recipe_key(active.run)
    if key is None or active.hold is not None:
        return True
    active.hold = EnvironmentCache().entry(key).hold()
    return active.hold is not None


def prepare_again(active: ActiveRun) -> None:
    """Have an attempt's environment built again, from its lock: it was ready, and is gone."""
    key = recipe_key(active.run)
    if key is None:
        return
    log.warning("run %s: its environment %s is gone; it is built again", active.run.id, key)
    hold, active.hold = active.hold, None
    if hold is not None:
        hold.close()
    EnvironmentCache().entry(key).forget_built()


def prepare(service: Reconciler) -> None:
    """Bring every attempt that has no environment yet one step nearer to it."""
    wanted = set()
    for active in list(service.active.values()):
        key = recipe_key(active.run)
        if key is None or active.hold is not None or active.run.status not in ("Preparing", "Starting"):
            continue
        if active.seen is not None and active.seen.state != "absent":
            continue  # it has started: a service before this one prepared it
        wanted.add(key)
        try:
            _prepare_one(service, active, EnvironmentCache().entry(key))
        except (AmlError, OSError) as error:
            log.error("run %s could not be prepared", active.run.id, exc_info=error)
            _give_up(service, active, str(error))
    _stop_unwanted(service, wanted)


def build_ahead(service: Reconciler, run: RunRecord) -> None:
    """Begin the build that a waiting run will need, so that its slot is not held for it; one at a time."""
    key = recipe_key(run)
    if key is None or service.builders:
        return
    entry = EnvironmentCache().entry(key)
    if entry.built() is None and entry.failure() is None and not entry.is_building():
        with contextlib.suppress(AmlError, OSError):
            _start(service, entry, run)


def _prepare_one(service: Reconciler, active: ActiveRun, entry: Entry) -> None:
    preparation = active.preparation
    if preparation is None:
        claimed = attempts(service.folder.store.read(), active.run.id)[-1].created
        preparation = active.preparation = Preparation(claimed)
    _follow_log(service, active, entry)
    if is_ready(active):
        _follow_log(service, active, entry)
        _keep_lock(active, _control(service, active))
        if active.run.status == "Preparing":
            with service.folder.store.transaction(epoch=service.lease.epoch) as tx:
                active.run = transition(tx, active.run, "Starting", "")
        return
    failure = entry.failure()
    if entry.is_building():
        _explain(service, active, entry)
    elif failure is not None and float(failure.get("time") or 0) >= preparation.since:
        _follow_log(service, active, entry)
        _give_up(service, active, str(failure.get("message")))
    elif preparation.builders >= MOST_BUILDERS:
        _give_up(service, active, f"its build was killed {MOST_BUILDERS} times; the machine may be out of memory")
    elif _start(service, entry, active.run):
        preparation.builders += 1
        preparation.own = True


def _start(service: Reconciler, entry: Entry, run: RunRecord) -> bool:
    """Start the builder; tell whether this was the one to do so."""
    definition = read_definition(service.folder.layout, run.id)
    variables = (definition.get("submitter") or {}).get("variables") or {}
    process = start_builder(entry, definition["environment"], variables)
    if process is None:
        return False
    log.info("building environment %s for run %s in process %d", entry.key, run.id, process.pid)
    service.builders[entry.key] = process
    threading.Thread(target=_wake_at_end, args=(service, process), name="aml-builder", daemon=True).start()
    return True


def _wake_at_end(service: Reconciler, process: subprocess.Popen[bytes]) -> None:
    process.wait()
    service.wakeup.wake()


def _explain(service: Reconciler, active: ActiveRun, entry: Entry) -> None:
    """Say how far the build is, and for whom it was begun when that was another run."""
    preparation = active.preparation
    assert preparation is not None
    progress = entry.progress()
    what = f"{progress.get('stage', 'start')}: {progress.get('text', 'starting the build')}"
    whose = "builds its environment" if preparation.own else "waits for the environment that is being built already"
    reason = f"{whose} ({active.run.definition['environment'].get('title')}): {what}"
    if active.run.reason != reason:
        with service.folder.store.transaction(epoch=service.lease.epoch) as tx:
            update_run(tx, active.run.id, reason=reason)
        active.run = replace(active.run, reason=reason)


def _give_up(service: Reconciler, active: ActiveRun, why: str) -> None:
    """End a run whose environment cannot be had."""
    active.backend.release(active.handle)
    if not active.backend.forbid(active.handle, why):
        return  # it has started after all
    path = _control(service, active) / protocol.BUILD_LOG
    title = active.run.definition["environment"].get("title")
    message = f"The environment ({title}) could not be built: {why}"
    fail(service, active.run, UserErrorException(message, "environment"), log_path=path)


def _stop_unwanted(service: Reconciler, wanted: set[str]) -> None:
    """End the builds that no run waits for any more; those begun ahead go on while their run is in line."""
    in_line = {recipe_key(run) for batch in service.next_up.values() for run in batch}
    for key, process in list(service.builders.items()):
        if process.poll() is not None:
            del service.builders[key]
        elif key not in wanted and key not in in_line:
            log.info("no run waits for environment %s any more; its build is ended", key)
            stop_builder(EnvironmentCache().entry(key))


def _control(service: Reconciler, active: ActiveRun) -> Path:
    return Path(service.folder.layout.run(active.run.id).attempt(active.handle.attempt).control)


def _follow_log(service: Reconciler, active: ActiveRun, entry: Entry) -> None:
    """Append to the run's copy of a build's log what is new; the copy's own size says what it has."""
    preparation = active.preparation
    started = (entry.builder() or {}).get("started")
    if preparation is None or started is None:
        return
    if float(started) < preparation.since and not entry.is_building():
        return  # an earlier build, of which this run saw nothing
    copy = _control(service, active) / protocol.BUILD_LOG
    mode = "ab" if preparation.build == started else "wb"  # another build, or another service: from its beginning
    preparation.build = started
    with contextlib.suppress(FileNotFoundError), open(entry.log, "rb") as stream:
        copy.parent.mkdir(parents=True, exist_ok=True)
        with open(copy, mode) as out:
            stream.seek(out.tell())
            while block := stream.read(1 << 20):
                out.write(block)


def _keep_lock(active: ActiveRun, control: Path) -> None:
    """Keep what the environment was resolved to with the attempt."""
    assert active.hold is not None
    try:
        text = active.hold.built.lock.read_bytes()
    except OSError:
        return
    control.mkdir(parents=True, exist_ok=True)
    (control / protocol.ENVIRONMENT_LOCK).write_bytes(text)
