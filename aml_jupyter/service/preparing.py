"""Make sure that a run's environment is there before it starts: wait for its build, begin it, follow it, give up on it.

The build is a process of its own that outlives the service; what it has come to is read from its files. A run holds its slot
while it is prepared, and a hold on what was built until its supervisor has one.
"""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aml_jupyter.environments import Entry, EnvironmentCache, start_builder, stop_builder
from aml_jupyter.environments.packages import left_out
from aml_jupyter.errors import AmlError, UserErrorException
from aml_jupyter.service.active import ActiveRun, Preparation
from aml_jupyter.service.unstarted import fail
from aml_jupyter.service.withdrawing import say, withdraw
from aml_jupyter.supervisor import protocol
from aml_jupyter.targets import asks_for_gpus, said_of_gpus
from aml_jupyter.workspace import RunRecord, attempts, read_definition, transition

if TYPE_CHECKING:
    from aml_jupyter.service.reconciler import Reconciler

__all__ = ["build_ahead", "is_prepared", "is_ready", "keep_lock", "prepare", "prepare_again", "recipe_key"]

MOST_BUILDERS = 3
"""How many builders of one run may be killed before the run fails: they may be what uses up the memory."""

AGAIN_AFTER = 3.0
"""Seconds after which a build is begun again that ended because an engine was away."""

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


def is_prepared(active: ActiveRun) -> bool:
    """Say whether an attempt has a hold on its environment, or needs none; `prepare` gets it, and the end of the log."""
    return active.hold is not None or recipe_key(active.run) is None


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
        if active.run.status == "Preparing":
            with service.folder.store.transaction(epoch=service.lease.epoch) as tx:
                active.run = transition(tx, active.run, "Starting", "")
        return
    failure = entry.failure()
    if entry.is_building():
        _explain(service, active, entry)
    elif failure is not None and failure.get("passes") and time.time() - float(failure["time"]) < AGAIN_AFTER:
        if not withdraw(service, active):
            say(service, active, f"waits to build its environment: {failure.get('message')}")
    elif failure is not None and not failure.get("passes") and float(failure.get("time") or 0) >= preparation.since:
        _follow_log(service, active, entry)
        _give_up(service, active, str(failure.get("message")))
    elif preparation.builders >= MOST_BUILDERS:
        _give_up(service, active, f"its build was killed {MOST_BUILDERS} times; the machine may be out of memory")
    elif _start(service, entry, active.run):
        preparation.builders = 1 if failure is not None and failure.get("passes") else preparation.builders + 1
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
    say(service, active, f"{whose} ({active.run.definition['environment'].get('title')}): {what}")


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
    if started is None:
        return
    is_followed = preparation is not None and preparation.build == started
    is_its_own = float(started) >= float(active.run.definition["created"])  # or was begun while it stood in line
    if not (is_followed or is_its_own or entry.is_building()):
        return  # an earlier build, of which this run saw nothing
    copy = _control(service, active) / protocol.BUILD_LOG
    mode = "ab" if is_followed else "wb"  # another build, or another service: from its beginning
    if preparation is not None:
        preparation.build = started
    with contextlib.suppress(FileNotFoundError), open(entry.log, "rb") as stream:
        copy.parent.mkdir(parents=True, exist_ok=True)
        with open(copy, mode) as out:
            stream.seek(out.tell())
            while block := stream.read(1 << 20):
                out.write(block)


def keep_lock(service: Reconciler, active: ActiveRun) -> None:
    """Keep with an attempt what its environment was resolved to, and in a property what is to be said of that."""
    if active.hold is None:
        return
    control = _control(service, active)
    text = active.hold.built.lock.read_bytes()
    control.mkdir(parents=True, exist_ok=True)
    if active.preparation is None:
        _follow_log(service, active, EnvironmentCache().entry(str(recipe_key(active.run))))
    (control / protocol.ENVIRONMENT_LOCK).write_bytes(text)
    notes = _notes(read_definition(service.folder.layout, active.run.id), active.hold.built.facts, text)
    events = control / protocol.EVENTS / "environment.jsonl"
    if notes and not events.exists():  # a start that is repeated: what was taken in already stays as it is
        events.parent.mkdir(exist_ok=True)
        event = {"t": time.time(), "e": "property", "k": "aml.environment_notes", "v": "; ".join(notes)}
        events.write_text(json.dumps(event) + "\n")


def _notes(definition: Mapping[str, Any], facts: Mapping[str, Any], lock: bytes) -> list[str]:
    """Return what only the build could tell: packages of Azure's that were left out, a GPU that the image cannot use."""
    missing = left_out(definition["environment"]["asked"], lock.decode("utf-8", "replace"))
    notes = (
        [f"{', '.join(missing)}: could not be installed; aml-jupyter serves what it can of azureml"] if missing else []
    )
    arguments = (definition.get("container") or {}).get("arguments") or ()
    if facts.get("for_gpus") is False and asks_for_gpus(arguments, int(definition.get("gpus") or 0)):
        notes.append(said_of_gpus(str(facts.get("name"))))
    return notes
