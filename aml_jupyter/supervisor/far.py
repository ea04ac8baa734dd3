"""Serve one workspace on a far machine: ``python -I -S <archive> far <base> <workspace id> <target>``, over its input and output.

At the other end of the SSH channel is the workspace's service. It asks (place files, start, cancel, collect: see `FarActs`),
and is told what is new about the attempts that it watches. This process starts nothing by itself and decides nothing: that
it ends, with the link or by a signal, harms no run, since supervisors live on and the next one of its kind goes on from
their files. There is one for each target of a workspace; a new one ends the one before, whose link may be dead without
its knowing.
"""

import fcntl
import hashlib
import os
import select
import signal
import socket
import sys
import time
from typing import Any, Dict, Iterator, List, Optional, Tuple

from . import identity
from .far_acts import FarActs, text_of
from .far_frames import Frame, Frames, pack
from .far_place import Places, runtime_folder
from .far_room import cores_here, memory_here
from .faults import fault_point
from .peers import listen

__all__ = ["probe", "report_clean", "serve"]

LOOK_EVERY = 1.0
"""Seconds between two looks at what is watched; word of a supervisor makes it sooner."""

SILENCE = 60.0
"""Seconds without a word of the service after which the link counts as dead."""

PORTION = 1 << 20
"""Bytes of files that are told at a time."""

PATIENCE = 10.0
"""Seconds that the one before has to leave."""


def serve(base: str, workspace: str, target: str) -> int:
    """Serve until the link ends; return the exit code."""
    try:
        places = Places(base, workspace, target)
        os.makedirs(places.runs, mode=0o700, exist_ok=True)
        runtime = runtime_folder()
        short = hashlib.sha256(("%s %s" % (base, places.who)).encode("utf-8")).hexdigest()[:12]
        lock = _alone(os.path.join(runtime, "far-%s.lock" % short))
        door_path = os.path.join(runtime, "far-%s.sock" % short)
        door = listen(door_path, 64, point="far.listen")
    except (OSError, ValueError) as error:
        sys.stderr.write("aml: %s\n" % error)
        return 1
    # Who opens a file for writing in the moment in which `far_finished` holds a lease on it raises this, and else ended us.
    signal.signal(signal.SIGIO, lambda number, frame: None)
    try:
        _FarSide(places, runtime, door, door_path).run()
    except (BrokenPipeError, ConnectionError):
        pass
    finally:
        door.close()
        os.close(lock)
    return 0


def _alone(path: str) -> int:
    """Return the lock of the workspace's place here, after whoever has it was ended."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + PATIENCE
    number = signal.SIGTERM
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            pid, _, started = os.pread(lock, 64, 0).decode("ascii", "replace").strip().partition(" ")
            if pid.isdigit() and started and identity.start_time(int(pid)) == started:
                with fault_point("far.take_over"):
                    try:
                        os.kill(int(pid), number)
                    except ProcessLookupError:
                        pass
            if time.monotonic() > deadline:
                raise OSError("the one before does not leave: end process %s" % pid) from None
            if time.monotonic() > deadline - PATIENCE / 2:
                number = signal.SIGKILL  # it was stopped, perhaps
            time.sleep(0.02)
    os.ftruncate(lock, 0)
    os.pwrite(lock, ("%d %s" % (os.getpid(), identity.start_time(os.getpid()))).encode("ascii"), 0)
    return lock


class _FarSide:
    def __init__(self, places: Places, runtime: str, door: socket.socket, door_path: str) -> None:
        self._places = places
        self._door = door
        self._acts = FarActs(places, runtime, door_path)
        self._frames = Frames()
        self._streams: List[Tuple[Any, Iterator[Optional[Frame]]]] = []
        self._streams_pause = 0.0
        self._heard = time.monotonic()
        self._looked = float("-inf")
        os.set_blocking(1, False)

    def run(self) -> None:
        """Answer and tell, until the link ends or has been silent for too long."""
        self._say(self._hello())
        while time.monotonic() - self._heard < SILENCE:
            pause = max(0.0, self._looked + LOOK_EVERY - time.monotonic())
            if self._streams:
                pause = min(pause, self._streams_pause)
            ready = select.select([0, self._door.fileno()], [], [], pause)[0]
            if self._door.fileno() in ready:
                self._hear_supervisors()
                self._looked = float("-inf")
            if 0 in ready and not self._hear():
                return
            self._go_on()
            if time.monotonic() - self._looked >= LOOK_EVERY:
                self._looked = time.monotonic()
                self._look()

    def _hello(self) -> Dict[str, Any]:
        return {
            "hello": 1,
            "host": socket.gethostname(),
            "boot_id": identity.boot_id(),
            "pid": os.getpid(),
            "cores": cores_here(),
            "memory": memory_here(),
            "clock": time.time(),
            "version": "%d.%d.%d" % sys.version_info[:3],
        }

    def _hear_supervisors(self) -> None:
        while True:
            try:
                connection, _ = self._door.accept()
            except OSError:
                return
            connection.close()

    def _hear(self) -> bool:
        """Do what is asked; False when the link has ended."""
        data = os.read(0, 1 << 18)
        if not data:
            return False
        self._heard = time.monotonic()
        for header, body in self._frames.feed(data):
            self._answer(header, body)
        return True

    def _answer(self, header: Dict[str, Any], body: bytes) -> None:
        answer = self._acts.do(header, body)
        if answer is None:
            return
        number = header.get("id")
        if isinstance(answer, tuple):
            said, data = answer
            said["id"] = number
            self._say(said, data)
        else:
            self._streams.append((number, answer))
        if header.get("op") in ("watch", "start", "forbid", "bury"):
            self._looked = float("-inf")

    def _go_on(self) -> None:
        """Send the next part of each answer that has many; one that has none at the moment is asked again a little later."""
        self._streams_pause = 0.1
        for entry in list(self._streams):
            number, stream = entry
            try:
                following = next(stream)
            except StopIteration:
                self._streams.remove(entry)
                self._say({"id": number})
                continue
            except (OSError, ValueError) as error:
                self._streams.remove(entry)
                said = text_of(error) if isinstance(error, OSError) else str(error)
                self._say({"id": number, "error": said, "kind": "system", "errno": getattr(error, "errno", 0) or 0})
                continue
            if following is None:
                continue
            self._streams_pause = 0.0
            header, body = following
            header.update(id=number, more=True)
            self._say(header, body)

    def _look(self) -> None:
        """Tell what is new: of files at most a portion, so that questions do not wait long."""
        changed, parts, room, whole = [], [], PORTION, True
        for key, watched in self._acts.watched.items():
            news, data = watched.news(room)
            if news is None:
                continue
            news["key"] = list(key)
            changed.append(news)
            parts += data
            room -= sum(map(len, data))
            whole = whole and not data
        granted = [[list(key), why] for key, why in self._acts.room.settle()]
        finished = self._acts.finishing.look()
        if changed or granted or finished:
            self._say({"news": changed, "room": granted, "finished": finished}, b"".join(parts))
        if not whole:
            self._looked = float("-inf")  # there may be more

    def _say(self, header: Dict[str, Any], body: bytes = b"") -> None:
        left = memoryview(pack(header, body))
        deadline = time.monotonic() + SILENCE
        while left:
            if not select.select([], [1], [], max(0.0, deadline - time.monotonic()))[1]:
                raise BrokenPipeError("nobody takes what is said")
            try:
                left = left[os.write(1, left[:65536]) :]
            except BlockingIOError:
                continue
            deadline = time.monotonic() + SILENCE


def probe(base: str, engine: str = "") -> int:
    """Write what this machine is and has, as JSON, for `aml compute attach`; return 0."""
    import json

    from .far_facts import facts

    sys.stdout.write(json.dumps(facts(base, engine)) + "\n")
    return 0


def report_clean(base: str, unused_days: float, dry_run: bool) -> int:
    """Give disk space back and write how much, as JSON, for `aml compute clean`; return 0."""
    import json

    from .far_clean import clean

    sys.stdout.write(json.dumps(clean(base, unused_days, dry_run)) + "\n")
    return 0
