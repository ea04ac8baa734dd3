"""Wait for another run, and give up this run's slot while doing so.

A run that waits for its own child must not keep the slot that the child needs: while ``control/waiting/<pid>`` is
there, the supervisor holds none; ``<pid>.back`` asks for them again, and ``<pid>.go`` says that it holds them.
"""

import os
import sys
import threading
import time
from types import TracebackType
from typing import Any, Dict, Optional, Type

from .. import protocol
from ..faults import fault_point
from .errors import ActivityFailedException, ExperimentExecutionException, UserErrorException
from .requests import NoAnswer, Requests, reply_seconds

__all__ = ["FINAL", "SlotsGivenUp", "wait_until_final"]

FINAL = ("Completed", "Failed", "Canceled")
_ROUND = 30.0  # seconds that one question stays open
_SUPERVISOR_SILENT = 60.0  # seconds without a heartbeat, after which nobody will give slots back

_lock = threading.Lock()
_waiters: Dict[int, int] = {}  # pid -> how many of its threads wait


def wait_until_final(
    requests: Requests, run_id: str, show_output: bool, raise_on_error: bool, timeout: Optional[float]
) -> str:
    """Return the final state of the run `run_id`.

    Raises
    ------
    UserErrorException
        When the run is the one that asks.
    ActivityFailedException
        When it has failed and `raise_on_error` is set.
    ExperimentExecutionException
        When `timeout` seconds have passed; the run goes on.
    """
    if run_id == os.environ.get("AML_RUN_ID"):
        raise UserErrorException("run %s cannot wait for its own end" % run_id)
    with SlotsGivenUp(requests.control):
        fields = _follow(requests, run_id, show_output, timeout)
    if fields["status"] == "Failed" and raise_on_error:
        raise ActivityFailedException(_explained(run_id, fields))
    return str(fields["status"])


def _explained(run_id: str, fields: Dict[str, Any]) -> str:
    """Return why the run has failed, with the end of its log and the log's path."""
    text = "run %s failed: %s" % (run_id, fields.get("error") or "no reason is recorded")
    if fields.get("log_tail"):
        text += "\nThe end of its log:\n%s" % str(fields["log_tail"]).rstrip("\n")
    if fields.get("log_path"):
        text += "\nLog: %s" % fields["log_path"]
    return text


def _follow(requests: Requests, run_id: str, show_output: bool, timeout: Optional[float]) -> Dict[str, Any]:
    end = None if timeout is None else time.monotonic() + timeout
    seen, said_silent = "", False
    if show_output:
        print("RunId: %s" % run_id)
    while True:
        left = _ROUND if end is None else min(_ROUND, end - time.monotonic())
        if left <= 0:
            raise ExperimentExecutionException(
                "run %s has not ended within %g s (it is %s); it goes on" % (run_id, timeout or 0, seen or "not known")
            )
        try:
            fields: Dict[str, Any] = requests.ask("wait", {"id": run_id, "seconds": left}, left + reply_seconds())
        except NoAnswer:
            if not said_silent:
                sys.stderr.write("aml-jupyter: the service does not answer; run %s is still waited for\n" % run_id)
            said_silent = True
            continue
        if show_output and fields["status"] != seen:
            print(fields["status"])
        seen = fields["status"]
        if seen in FINAL:
            return fields


class SlotsGivenUp:
    """Give up the slots of this attempt while the block runs; on leaving, wait until they are held again."""

    def __init__(self, control: str) -> None:
        self.control = control
        self.file = os.path.join(control, protocol.WAITING, str(os.getpid()))

    def __enter__(self) -> None:
        with _lock:
            count = _waiters.get(os.getpid(), 0)
            if count == 0:
                os.makedirs(os.path.dirname(self.file), exist_ok=True)
                _remove(self.file + ".back")
                _remove(self.file + ".go")
                with open(self.file, "wb"):
                    pass
            _waiters[os.getpid()] = count + 1

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        with _lock:
            count = _waiters.get(os.getpid(), 1) - 1
            _waiters[os.getpid()] = count
            if count == 0:
                # A wait may be over before the supervisor has noticed it: only a file that stays is answered for sure.
                with open(self.file + ".back", "wb"):
                    pass
                _remove(self.file)
                self._wait_for_slots()
                _remove(self.file + ".back")
                _remove(self.file + ".go")

    def _wait_for_slots(self) -> None:
        """Return when the supervisor holds the slots again, or when there is none that could."""
        started, said = time.monotonic(), False
        while not os.path.exists(self.file + ".go") and self._supervisor_is_there(started):
            if not said and time.monotonic() - started > 10:
                sys.stderr.write("aml-jupyter: waits for a free slot to go on\n")
                said = True
            time.sleep(0.02)

    def _supervisor_is_there(self, started: float) -> bool:
        try:
            beat = os.path.getmtime(os.path.join(self.control, protocol.HEARTBEAT))
        except OSError:
            supervised = os.path.exists(os.path.join(self.control, protocol.ATTEMPT))
            return supervised and time.monotonic() - started < 5
        return time.time() - beat < _SUPERVISOR_SILENT or time.monotonic() - started < _SUPERVISOR_SILENT


def _remove(path: str) -> None:
    with fault_point("client.waiting"):
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
