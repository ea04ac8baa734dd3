"""Run attempts on a machine that is reached over SSH: the runtime behind `remote`.

The same supervisor runs there as here, started by a far side of ours (`supervisor/far.py`) that one link talks to. The
control folder of each attempt is mirrored into the workspace while it runs (`Mirror`), so that everybody else reads files of
this machine; outputs and logs come when they are finished (`Early`), the rest when it is over (`collect`). The loop never waits
for the link: what it asks is answered from what was heard last.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Collection, Sequence
from concurrent.futures import TimeoutError as StillAsking
from pathlib import Path
from typing import Any, Final

from aml_jupyter.config.sizes import bytes_of
from aml_jupyter.errors import AmlError
from aml_jupyter.supervisor import durable, last_word, protocol
from aml_jupyter.supervisor.control_files import read_attempt, read_result
from aml_jupyter.targets.far_boot import far_paths
from aml_jupyter.targets.far_build import FarBuild
from aml_jupyter.targets.far_fetch import fetch
from aml_jupyter.targets.far_host import DistantTarget, FarHost, host_of
from aml_jupyter.targets.far_kept import leave
from aml_jupyter.targets.far_mirror import COLLECTED, Room, Seen
from aml_jupyter.targets.far_upload import Sender, lend_there
from aml_jupyter.targets.process import refusal_of, size_text
from aml_jupyter.targets.protocol import Capacity, CheckReport, Handle, Launch, Needs, Observation, Paths
from aml_jupyter.transports.ssh import HostUnreachable
from aml_jupyter.workspace import TargetRecord, WorkspaceFolder, read_definition
from aml_jupyter.workspace.outcome import watched_folders

__all__ = ["RemoteTarget"]

SILENT_AFTER: Final = 60.0
"""Seconds without a heartbeat, or without a link, after which a run is said not to respond."""

FORBID_WITHIN: Final = 1.0
"""Seconds that the loop waits for the far side to forbid a start; it asks again later."""

SENT: Final = "sent"
"""Beside the control folder here: something of the attempt may be on the other machine."""

ASKED: Final = "asked"
"""Beside the control folder here: the other machine was asked to start the attempt, or may have been."""

_MIRRORED: Final = (protocol.ATTEMPT, protocol.RESULT)
_LEFT: Final = (protocol.LAUNCH, protocol.REQUESTS, protocol.REPLIES, protocol.WAITING, protocol.EPOCH, "lent", ".")
_STAYS: Final = tuple(f"{protocol.CONTROL}/{name}" for name in (*_MIRRORED, *_LEFT))

_UPLOADS: Final = f"{protocol.CONTROL}/{protocol.ARTIFACTS}"
_GATHERED: Final = {
    "submit_child": (protocol.WORK,),
    "register_model": (f"{protocol.WORK}/outputs", f"{protocol.WORK}/logs", _UPLOADS),
}


class RemoteTarget(DistantTarget):
    """Start supervisors on another machine, within slots that all workspaces of its user share.

    Parameters
    ----------
    folder : WorkspaceFolder
        The workspace.
    record : TargetRecord
        The target; `service.remote` says what its settings mean.
    """

    def __init__(self, folder: WorkspaceFolder, record: TargetRecord) -> None:
        self.name = record.name
        self._folder = folder
        self._record = record
        self._settings = record.settings
        self._facts: dict[str, Any] = dict(record.settings.get("found") or {})
        self._runs = str(folder.layout.runs)
        self._limit = int(record.settings.get("max_parallel") or self._facts.get("cores") or 1)

    @property
    def _host(self) -> FarHost:
        return host_of(self._folder, self._record)

    # -- room ---------------------------------------------------------------------------------------------------

    def check(self) -> CheckReport:
        """Report what the machine had when it was attached or tested."""
        facts = {name: self._facts[name] for name in sorted(self._facts) if name not in ("problems", "clock")}
        gpus = list(facts.pop("gpus", ()))
        facts["engine"] = str((facts.pop("engine", None) or {}).get("socket") or "")
        facts |= {
            "gpus": len(gpus),
            "gpu_list": [{"id": name, "name": "", "memory": 0, "taken_by": []} for name in gpus],
        }
        return CheckReport({**facts, "max_parallel": self._limit}, tuple(self._facts.get("problems") or ()))

    def capacity(self) -> Capacity:
        """Report how many slots there are; how many are free is known over there."""
        return Capacity(self._limit, self._limit, "asked when a run starts")

    def refusal(self, needs: Needs) -> str | None:
        """Return why the machine, as it was seen last, can never give `needs`, or None."""
        memory, gpus = int(self._facts.get("memory") or 0), self._devices()
        if needs.cores > self._limit:
            return f"it asks for {needs.cores} cores, and {self.name} has {self._limit} of them for runs (max_parallel)"
        if needs.gpus > len(gpus):
            return f"it asks for {needs.gpus} GPUs, and {self.name} has {len(gpus) or 'none'}"
        if needs.memory and memory and needs.memory > memory:
            return f"it asks for {size_text(needs.memory)} of memory, and {self.name} has {size_text(memory)}"
        return None

    def _devices(self) -> list[str]:
        chosen = self._settings.get("gpus")
        found = [str(name) for name in self._facts.get("gpus") or ()]
        if chosen is None:
            return found
        from aml_jupyter.targets.gpus import gpu_names

        return list(gpu_names("gpus", chosen))

    def paths(self, handle: Handle) -> Paths:
        """Return where the attempt lies over there."""
        base = str(self._settings["base_folder"])
        run, (archive, site) = f"{base}/runs/{self._folder.id}/{handle.run_id}", far_paths(base)
        attempt = f"{run}/attempts/{handle.attempt}"
        work, control = f"{attempt}/{protocol.WORK}", f"{attempt}/{protocol.CONTROL}"
        python = str(self._settings["python"])
        return Paths(work, control, archive, site, python, f"{run}/inputs", f"{base}/environments")

    def reserve(self, handle: Handle, needs: Needs) -> str | None:
        """Ask for slots over there, and return None when they are held; the answer comes later, and wakes the service."""
        host = self._host
        host.link.need()
        key = (handle.run_id, handle.attempt)
        if not host.link.is_up:
            return f"waits for {self.name}: {host.link.obstacle}"
        now = time.monotonic()
        known = host.mirror.room.get(key)
        if known is not None:
            known.asked_at = now
            if known.why is None:
                known.is_claimed = True
                return None
            return known.why if known.why.startswith("asks") else f"{known.why} on {self.name}"
        asked = Room(f"asks {self.name} for a free slot", now)
        host.mirror.room[key] = asked
        host.mirror.ask_room(key, asked, self._needs(needs, handle))
        return asked.why

    def _needs(self, needs: Needs, handle: Handle) -> dict[str, Any]:
        return {
            "cores": needs.cores,
            "limit": self._limit,
            "gpus": needs.gpus,
            "devices": self._devices(),
            "runs_per_gpu": int(self._settings.get("runs_per_gpu") or 1),
            "memory": needs.memory,
            "holder": {"token": f"{handle.run_id}/{handle.attempt}", "workspace": self._folder.name},
        }

    def release(self, handle: Handle) -> None:
        """Give back what is held over there and no supervisor has."""
        host = self._host
        if host.mirror.room.pop((handle.run_id, handle.attempt), None) is not None:
            host.link.post("free_room", key=[handle.run_id, handle.attempt])

    def is_away(self, needs: Needs) -> bool:
        """Return False: all its runs are on the one machine."""
        return False

    def withdraw(self, handle: Handle, needs: Needs) -> str | None:
        """Ask for no slots any more while the machine is away, when it was not asked to start the attempt."""
        host = self._host
        host.link.need()
        if not host.link.is_away or self._is_marked(handle, ASKED):
            return None
        self.release(handle)
        return f"waits for {self.name}: {host.link.obstacle}"

    # -- one attempt ----------------------------------------------------------------------------------------------

    def stage(self, handle: Handle, launch: Launch, place: dict[str, Any] | None = None) -> None:
        """Send what is missing over there, and have it put in place; `place` says in which container it runs, if in one."""
        here = self._attempt(handle)
        os.makedirs(f"{here}/{protocol.CONTROL}", exist_ok=True)
        os.makedirs(f"{here}/{protocol.WORK}", exist_ok=True)
        self._mark(handle, SENT)
        self._host.mirror.seen(handle, self._control(handle), lambda: self._wants(handle))  # from its first word on
        if launch.recipe is not None:
            FarBuild(self._folder, self._host.link, self._record, handle, launch.recipe).wait()
        inputs = Path(launch.inputs_here)
        hides = (
            place is None
            and not launch.needs.gpus
            and self._settings.get("hide_gpus") is not False
            and bool(self._facts.get("gpus"))
        )
        content = {
            "format": protocol.FORMAT,
            "epoch": launch.epoch,
            "token": launch.token,
            "run_id": handle.run_id,
            "attempt": handle.attempt,
            "command": list(launch.command),
            "environment": {**({"CUDA_VISIBLE_DEVICES": ""} if hides else {}), **launch.environment},
            "max_seconds": launch.max_seconds,
            "grace_seconds": launch.grace_seconds,
            "memory": launch.needs.memory,
            "inherit": place is not None,
        }
        Sender(self._folder, self._host.link).stage(
            handle,
            launch.snapshot,
            inputs if launch.inputs_here and inputs.is_dir() else None,
            content,
            self._files(handle, launch, content, place),
            launch.python,
            place,
        )

    def _files(
        self, handle: Handle, launch: Launch, content: dict[str, Any], place: dict[str, Any] | None
    ) -> dict[str, bytes]:
        """Return the files that are put beside the snapshot."""
        return {
            f"{protocol.CONTROL}/{name}": json.dumps(value).encode() for name, value in launch.control_files.items()
        }

    def start(self, handle: Handle, holds: Sequence[int] = ()) -> None:
        """Have a supervisor started over there; a second call finds the first one's work."""
        self._begin(handle)

    def _begin(self, handle: Handle) -> dict[str, Any]:
        """Have whoever holds the slots of an attempt started over there, and return what is said of it."""
        host = self._host
        asked = read_definition(self._folder.layout, handle.run_id)
        needs = Needs(int(asked.get("cores") or 1), int(asked.get("gpus") or 0), int(asked.get("memory") or 0))
        if not host.link.is_up:
            raise HostUnreachable(host.link.obstacle, "address")  # so it is known that it was not asked
        self._mark(handle, ASKED)
        try:
            answer, _ = host.link.ask("start", key=[handle.run_id, handle.attempt], needs=self._needs(needs, handle))
        finally:
            host.mirror.room.pop((handle.run_id, handle.attempt), None)
        if answer.get("why") is not None:
            host.link.post("free_room", key=[handle.run_id, handle.attempt])
            raise HostUnreachable(f"it {answer['why']} on {self.name}", "target")
        return answer

    def observe(self, handles: Sequence[Handle]) -> dict[Handle, Observation]:
        """Return what was heard of every handle; one of which nothing was heard yet is left out."""
        if not handles:
            return {}
        host = self._host
        host.link.need()
        found = {handle: self._observe(host, handle) for handle in handles}
        return {handle: seen for handle, seen in found.items() if seen is not None}

    def _observe(self, host: FarHost, handle: Handle) -> Observation | None:
        control = self._control(handle)
        result, attempt = read_result(control), read_attempt(control)
        if result:
            return Observation("ended", attempt, result)
        if attempt and "refused" in attempt:
            return Observation("ended", attempt, refusal_of(attempt))
        seen = host.mirror.seen(handle, control, lambda: self._wants(handle))
        if seen.state in ("lost", "rebooted") or (seen.state == "over" and result is not None):
            why = "host rebooted" if seen.state == "rebooted" else "supervisor lost"
            return Observation("lost", attempt, message=why)
        if not attempt:
            return Observation("absent") if seen.state == "absent" else None
        if seen.state == "absent":
            return Observation("lost", attempt, message="supervisor lost")  # its folder is gone over there
        return self._heard(host, handle, seen, attempt)

    def _heard(self, host: FarHost, handle: Handle, seen: Seen, attempt: dict[str, Any]) -> Observation:
        requests = seen.requests
        away = 0.0 if host.link.is_up else time.monotonic() - host.link.down_since
        if away > SILENT_AFTER:
            message = f"no word from {self.name} for {away:.0f} s: {host.link.obstacle} The run goes on there."
            return Observation("silent", attempt, message=message, requests=requests)
        if seen.age > SILENT_AFTER:
            return Observation("silent", attempt, message=f"no heartbeat for {seen.age:.0f} s", requests=requests)
        return Observation("running", attempt, requests=requests)

    def read(self, handle: Handle, file: str, offset: int, size: int = 4 * 2**20) -> bytes:
        """Return up to `size` bytes of the copy here of the control file `file`, from `offset`."""
        with contextlib.suppress(FileNotFoundError), open(f"{self._control(handle)}/{file}", "rb") as stream:
            stream.seek(offset)
            return stream.read(size)
        return b""

    def forbid(self, handle: Handle, reason: str) -> bool:
        """Make sure that it never starts; False, too, while that cannot be asked over there."""
        control = self._control(handle)
        if not self._is_marked(handle, SENT) or self._is_abandoned(handle):
            return last_word.forbid(control, reason)  # nothing of it has left this machine
        standing = read_attempt(control)
        if standing is not None:
            return "refused" in standing
        host = self._host
        host.link.need()
        if not host.link.is_up:
            return False
        asked = host.link.post("forbid", key=[handle.run_id, handle.attempt], reason=reason)
        with contextlib.suppress(AmlError, StillAsking):
            if asked.result(FORBID_WITHIN)[0].get("forbidden"):
                host.mirror.drop(handle)
                return last_word.forbid(control, reason)
        return False

    def cancel(self, handle: Handle, grace_seconds: float, reason: str) -> None:
        """Write the request here; it goes over there now, or when the link stands again."""
        path = f"{self._control(handle)}/{protocol.CANCEL}"
        if not os.path.exists(path):
            content = {"time": time.time(), "grace_seconds": grace_seconds, "reason": reason}
            durable.write_json(path, content, point="target.cancel")
        self.deliver(handle, protocol.CANCEL)

    def deliver(self, handle: Handle, file: str) -> None:
        """Send a file that was written into the control folder here."""
        self._host.mirror.deliver(handle, file)

    # -- end ------------------------------------------------------------------------------------------------------

    def bury(self, handle: Handle, reason: str, message: str) -> dict[str, Any]:
        """Have what a lost supervisor left ended over there, and its result written."""
        token = protocol.attempt_token(self._folder.id, handle.run_id, handle.attempt)
        key = [handle.run_id, handle.attempt]
        answer, _ = self._host.link.ask("bury", key=key, token=token, reason=reason, message=message)
        result: dict[str, Any] = self._host.mirror.in_our_time(answer["result"])
        durable.write_json(f"{self._control(handle)}/{protocol.RESULT}", result, point="remote.mirror", sync=False)
        return result

    def collect(self, handle: Handle) -> None:
        """Bring here all that the attempt made, each file checked by its hash, then have its folder there removed."""
        if self._is_marked(handle, COLLECTED) or not self._is_marked(handle, SENT) or self._is_abandoned(handle):
            return
        (host := self._host).mirror.drop(handle)
        definition, root = read_definition(self._folder.layout, handle.run_id), Path(self._attempt(handle))
        folders = [f"{protocol.WORK}/{name}" for name in watched_folders(definition)]
        output = (definition.get("notebook") or {}).get("output")
        leave(host.link, handle, root, folders, self._record)
        folders += [f"{protocol.WORK}/{output}"] if output else []
        fetch(host.link, handle, root, [*folders, protocol.CONTROL], _STAYS, is_last=True)
        self._mark(handle, COLLECTED)
        self.clean(handle)

    def clean(self, handle: Handle) -> None:
        """Have the attempt's folder over there removed, now or when the link stands again."""
        self._host.link.post("remove", key=[handle.run_id, handle.attempt])

    def gather(self, handle: Handle, request: dict[str, Any]) -> None:
        """Bring here what a question of the run speaks of: the folder of a child, the files of a model."""
        if wanted := _GATHERED.get(str(request.get("op")), ()):
            with self._host.mirror.early.held((handle.run_id, handle.attempt)):
                fetch(self._host.link, handle, Path(self._attempt(handle)), wanted)

    def lend(self, handle: Handle, path: str) -> str:
        """Copy a file or folder of the workspace to where the attempt can read it."""
        own = self._attempt(handle)
        if os.path.realpath(path).startswith(f"{own}/") and os.path.exists(f"{own}/{COLLECTED}"):
            return path
        return lend_there(self._host.link, handle, path)

    def tidy(self, keep: Collection[Handle]) -> bool:
        """Do nothing: what attempts left over there is removed when they are collected."""
        return False

    def _wants(self, handle: Handle) -> tuple[tuple[str, ...], int]:
        """Return the folders whose finished files come while the attempt runs, and the largest size of one (bytes; 0: any)."""
        try:
            definition = read_definition(self._folder.layout, handle.run_id)
        except AmlError:
            return (), 0
        limit = str(self._settings.get("largest_output") or "")
        folders = (f"{protocol.WORK}/{name}" for name in watched_folders(definition))
        return (*folders, _UPLOADS), bytes_of(limit, "largest_output") if limit else 0

    # -- helpers --------------------------------------------------------------------------------------------------

    def _attempt(self, handle: Handle) -> str:
        return f"{self._runs}/{handle.run_id}/attempts/{handle.attempt}"

    def _control(self, handle: Handle) -> str:
        return f"{self._attempt(handle)}/{protocol.CONTROL}"

    def _is_marked(self, handle: Handle, mark: str) -> bool:
        return os.path.exists(f"{self._attempt(handle)}/{mark}")

    def _is_abandoned(self, handle: Handle) -> bool:
        """Tell whether nobody waits any more for what the machine would say of the attempt."""
        return bool((read_result(self._control(handle)) or {}).get("abandoned"))

    def _mark(self, handle: Handle, mark: str) -> None:
        path = f"{self._attempt(handle)}/{mark}"
        if not os.path.exists(path):
            durable.write_json(path, {"target": self.name}, point="remote.mark")
