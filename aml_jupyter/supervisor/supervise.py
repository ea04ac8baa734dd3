"""Start the process of one attempt, watch it to its end, and write down what happened.

``python <archive> supervise <control> [slot descriptor ...]``. Owns ``attempt.json``, ``result.json``, the heartbeat, the
opening of the run's log, and the supervisor's own log (see `protocol`). An attempt starts at most once: the process is
forked and held back, ``attempt.json`` is linked into place, and who finds that name taken ends its held process.
"""

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any, Dict, NamedTuple, Optional, Sequence, Tuple

from . import identity
from .durable import link_json, sync_file
from .epochs import StaleEpoch, hold_epoch
from .family import Family
from .faults import fault_point
from .held import HeldProcess, fork_held
from .keeper import read_place
from .kernel import become_subreaper, oom_kills
from .launch import Launch, LaunchError, read_launch
from .protocol import ATTEMPT, CANCEL, FORMAT, LOG, RESULT, started_path
from .pulse import Pulse
from .supervisor_log import SupervisorLog
from .verdict import Verdict, judge
from .waiting import AttemptSlots
from .wake import wake_service
from .watch import watch

if TYPE_CHECKING:
    from .memory import MemoryLimit

__all__ = ["supervise", "supervise_wholly"]


class _Files(NamedTuple):
    attempt: str
    started: str
    result: str
    cancel: str


def supervise(control: str, slot_fds: Sequence[int] = ()) -> int:
    """Run the attempt whose control folder is `control` to its end.

    Parameters
    ----------
    control : str
        Absolute path; it holds ``launch.json``.
    slot_fds : sequence of int
        Descriptors of the lock files that the attempt's slots are; held until the process has ended.

    Returns
    -------
    int
        0 when the attempt's result is written, or another supervisor has the attempt; 1 when nothing was started and
        the attempt can be started again.
    """
    return supervise_wholly(control, slot_fds)[0]


def supervise_wholly(control: str, slot_fds: Sequence[int] = ()) -> Tuple[int, bool]:
    """Do what `supervise` does; tell besides whether all went its usual way, with a result that this process wrote."""
    _own_session()
    become_subreaper()
    log = SupervisorLog(control)
    slots = AttemptSlots(control, slot_fds, log)
    try:
        output = _open_output(control)
    except OSError as error:
        log.say("the log of the run cannot be opened: %s" % error)
        slots.close()
        return 1, False
    pulse = Pulse(control)
    try:
        try:
            launch = read_launch(control)
        except OSError as error:
            log.say("nothing was started: %s" % error)
            return 1, False
        except LaunchError as error:
            nothing = Launch(control, 0, "", "", [], "", {}, None, 0.0, None)
            return _Supervision(nothing, slots, log, pulse, output).refuse("start failed", str(error)), False
        supervision = _Supervision(launch, slots, log, pulse, output)
        return supervision.run(), supervision.is_whole
    finally:
        slots.close()
        pulse.close()
        os.close(output)


class _Supervision:
    def __init__(self, launch: Launch, slots: AttemptSlots, log: SupervisorLog, pulse: Pulse, output: int) -> None:
        self._launch = launch
        self._slots = slots
        self._log = log
        self._pulse = pulse
        self._output = output
        attempt, result, cancel = (os.path.join(launch.control, name) for name in (ATTEMPT, RESULT, CANCEL))
        self._files = _Files(attempt, started_path(launch.control), result, cancel)
        self._started: Optional[float] = None
        self._memory: "Optional[MemoryLimit]" = None
        self.is_whole = False

    def run(self) -> int:
        """Start, watch, conclude."""
        held = self._claim()
        if isinstance(held, int):
            return held
        counted = oom_kills()
        failure = held.release()
        released = time.monotonic()
        family = Family(held.pid, self._pulse)
        if failure is not None:
            family.wait(5)
            self._tell_user(failure)
            return self._conclude(Verdict(None, None, "start failed", failure), family)
        ending = watch(self._launch, family, self._pulse, self._slots, self._log, released, self._memory)
        return self._conclude(judge(family, ending, counted, self._memory_of_container()), family)

    def _memory_of_container(self) -> int:
        place = read_place(self._launch.control) or {}
        return int(place.get("memory") or 0)

    def _claim(self) -> Any:
        """Return the held process when the attempt is ours; otherwise the exit code to leave with."""
        launch = self._launch
        if any(map(os.path.exists, (self._files.attempt, self._files.started, self._files.result))):
            return 0
        if os.path.exists(self._files.cancel):
            return self.refuse("canceled", "canceled before it was started")
        try:
            held = fork_held(self._with_gpus(launch), self._output)
        except OSError as error:
            self._log.say("no process could be forked: %s" % error)
            return 1
        if launch.memory:
            from .memory import MemoryLimit  # here: most runs have no limit

            self._memory = MemoryLimit(launch.memory, held.pid, self._log)
        try:
            with hold_epoch(launch.control, launch.epoch):
                if self._link_attempt(held):
                    return held
                self._log.say("another supervisor has this attempt")
                code = 0
        except StaleEpoch as error:
            self._log.say("nothing was started: %s" % error)
            code = 1
        except OSError as error:
            self._log.say("nothing was started, attempt.json cannot be written: %s" % error)
            code = 1
        held.discard()
        if self._memory is not None:
            self._memory.close()
        return code

    def _with_gpus(self, launch: Launch) -> Launch:
        """Return `launch` with the variables that show the run its GPUs, and no others."""
        devices = self._slots.devices
        if not devices:
            return launch
        variables = dict(launch.environment, CUDA_VISIBLE_DEVICES=",".join(devices))
        if devices[0].isdigit():
            variables["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"  # else CUDA counts the fastest one first, nvidia-smi does not
        return launch._replace(environment=variables)

    def _link_attempt(self, held: Optional[HeldProcess]) -> bool:
        self._started = time.time()
        attempt = {
            "format": FORMAT,
            "epoch": self._launch.epoch,
            "token": self._launch.token,
            "supervisor": identity.describe(os.getpid()),
            "process": identity.describe(held.pid) if held else None,
            "process_group": held.pid if held else None,
            "started": self._started,
            "command": self._launch.command,
            "memory": self._memory.describe() if self._memory else None,
            "gpus": self._slots.devices,
        }
        attempt.update(identity.here())
        if not link_json(self._files.attempt, attempt, point="supervisor.attempt", sync_name=False):
            return False
        with fault_point("supervisor.second_name"):
            try:
                os.link(self._files.attempt, self._files.started)
            except FileExistsError:
                return False  # the script of an earlier start removed the first name
        return True

    def refuse(self, reason: str, message: str) -> int:
        """End the attempt without a process: none was started, and none will be."""
        self._log.say("nothing was started: %s" % message)
        try:
            if not self._link_attempt(None):
                return 0
        except OSError as error:
            self._log.say("attempt.json cannot be written: %s" % error)
            return 1
        return self._conclude(Verdict(None, None, reason, message), None)

    def _conclude(self, verdict: Verdict, family: Optional[Family]) -> int:
        """Write the result, however long the disk stays full, and wake the service."""
        self._slots.close()
        result = {
            "format": FORMAT,
            "token": self._launch.token,
            "exit_code": verdict.exit_code,
            "signal": verdict.signal,
            "reason": verdict.reason,
            "message": verdict.message,
            "note": verdict.note,
            "started": self._started,
            "ended": time.time(),
            "peak_memory": self._peak_memory(family),
            "cpu_time": round(family.cpu_time, 6) if family else 0.0,
            "memory_limit": self._launch.memory or None,
            "leftovers": len(family.signalled - {family.main}) if family else 0,
        }
        if self._write_result(result):
            wake_service(self._launch.wake)
            with contextlib.suppress(OSError):
                sync_file(self._files.result)  # whoever waits for the slots has been told already
        if self._memory is not None:
            self._memory.close()
        return 0

    def _peak_memory(self, family: Optional[Family]) -> int:
        if self._memory is not None and self._memory.peak >= self._memory.size:
            return self._memory.peak  # of all its processes together
        return family.peak_memory if family else 0

    def _write_result(self, result: Dict[str, Any]) -> bool:
        pause = 0.1
        while True:
            try:
                self.is_whole = link_json(self._files.result, result, point="supervisor.result", sync=False)
                if not self.is_whole:
                    self._log.say("a result was written by somebody else; it stands")
                return True
            except OSError as error:
                if not os.path.isdir(self._launch.control):
                    return False
                self._log.say("result.json cannot be written, trying again: %s" % error)
            deadline = time.monotonic() + pause
            while time.monotonic() < deadline:
                self._pulse.pause(deadline - time.monotonic())
            pause = min(pause * 2, 5.0)

    def _tell_user(self, text: str) -> None:
        try:
            os.write(self._output, ("aml: %s\n" % text).encode("utf-8", "replace"))
        except OSError as error:
            self._log.say("%s (and the log cannot be written: %s)" % (text, error))


def _own_session() -> None:
    try:
        os.setsid()
    except PermissionError:
        pass  # This process leads a group already: whoever started it has detached it.


def _open_output(control: str) -> int:
    path = os.path.join(control, LOG)
    try:
        os.mkdir(os.path.dirname(path))
    except FileExistsError:
        pass
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
