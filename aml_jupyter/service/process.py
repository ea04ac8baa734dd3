"""Be the service's process: take the lease, listen, turn the loop, leave."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aml_jupyter
from aml_jupyter.errors import AmlError, LeaseLost, WorkspaceException
from aml_jupyter.service.client import STARTING_GATE, is_older, socket_path
from aml_jupyter.service.lease import acquire
from aml_jupyter.service.reconciler import Reconciler
from aml_jupyter.service.wakeup import WakeSocket
from aml_jupyter.workspace import WorkspaceFolder

__all__ = ["log_to_standard_error", "main", "serve"]

LINGER_SECONDS = 120.0
"""How long an idle service stays; ``AML_SERVICE_LINGER`` changes it."""

log = logging.getLogger("aml_jupyter.service")


def serve(folder: WorkspaceFolder, until_idle: bool = True) -> int:
    """Serve `folder` until idle (or until told to stop) and return the exit code.

    0: it has served, or another service does already. 1: the workspace cannot be served.
    """
    path = socket_path(folder)
    lease = _acquire(folder, str(path))
    if lease is None:
        _open_gate()
        log.info("another service works on %s", folder.root)
        return 0
    reconciler: Reconciler | None = None

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        stopping = reconciler is None or reconciler.stopping
        reply = {
            "ok": True,
            "version": aml_jupyter.__version__,
            "pid": os.getpid(),
            "leaving": bool(stopping and reconciler),
        }
        operation = request.get("op")
        newer = operation == "handover" and is_older(aml_jupyter.__version__, str(request.get("version", "")))
        if reconciler is not None and (operation == "stop" or newer):
            reconciler.stopping = True
            wakeup.wake()
            reply["leaving"] = True
        return reply

    wakeup = WakeSocket(path, answer)
    _open_gate()
    try:
        reconciler = Reconciler(folder, lease, wakeup, _linger_seconds())
        _stop_on_signals(reconciler, wakeup.wake)
        log.info("service %d of %s, epoch %d", os.getpid(), folder.root, lease.epoch)
        reconciler.run(until_idle)
        log.info("service %d leaves", os.getpid())
    finally:
        if reconciler is not None:
            reconciler.shut_down()
        wakeup.close()
        lease.release()
    return 0


def _linger_seconds() -> float:
    """Return how long to stay when idle; what is no number in ``AML_SERVICE_LINGER`` is passed over."""
    written = os.environ.get("AML_SERVICE_LINGER", "")
    try:
        return max(0.0, float(written or LINGER_SECONDS))
    except ValueError:
        log.warning("AML_SERVICE_LINGER=%r is no number of seconds; staying %g s", written, LINGER_SECONDS)
        return LINGER_SECONDS


def _acquire(folder: WorkspaceFolder, path: str) -> Any:
    """Take the lease; wait for disk space when the workspace cannot be written just now."""
    deadline = time.monotonic() + 600
    while True:
        try:
            return acquire(folder, path)
        except (WorkspaceException, OSError) as error:
            if isinstance(error, LeaseLost) or time.monotonic() > deadline:
                raise
            log.error("the lease cannot be written at the moment, trying again: %s", error)
            time.sleep(1)


def _open_gate() -> None:
    """Let another service start from now on: this one has the lease and listens."""
    gate = os.environ.pop(STARTING_GATE, None)
    if gate is not None:
        with contextlib.suppress(OSError):
            os.close(int(gate))


def _stop_on_signals(reconciler: Reconciler, wake: Callable[[], None]) -> None:
    def stop(number: int, frame: Any) -> None:
        reconciler.stopping = True
        wake()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def log_to_standard_error() -> None:
    """Write what the service does to standard error."""
    logging.getLogger("paramiko").setLevel(logging.WARNING)  # it tells of every connection
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(process)d %(levelname)s %(message)s"
    )


def main(arguments: list[str]) -> int:
    """Serve the workspace named by the first argument; with ``--until-idle``, until nothing is open."""
    log_to_standard_error()
    os.chdir("/")
    try:
        folder = WorkspaceFolder.open(Path(arguments[0]))
        try:
            return serve(folder, until_idle="--until-idle" in arguments)
        finally:
            folder.close()
    except AmlError as error:
        log.error("%s", error)
        return 1
