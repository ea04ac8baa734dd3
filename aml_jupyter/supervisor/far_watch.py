"""Look at the attempts of a far machine, and say what is new about each: bytes that were appended, and what became of it.

The service says once how much it has of each file; from then on only what is new is told. A log that was told up to an
offset is never told again, unless its link was cut: the service then says anew how much it has.
"""

import json
import os
import time
from typing import Any, Dict, List, Optional, Tuple

from . import identity
from .control_files import read_attempt, read_result
from .far_frames import BLOCK
from .keeper import read_place
from .plain import open_plain
from .protocol import EVENTS, HEARTBEAT, LOG, REQUESTS, SUPERVISOR_LOG, started_path

__all__ = ["Watched"]

LARGEST_REQUEST = 1 << 20
"""Bytes; a longer file is no question of the in-run client."""


class Watched:
    """Remember what of one attempt was told.

    Parameters
    ----------
    control : str
        Its control folder.
    offsets : dict
        How many bytes of each file the service has.
    """

    def __init__(self, control: str, offsets: Dict[str, int]) -> None:
        self.control = control
        self._offsets = {str(name): int(size) for name, size in offsets.items()}
        self._told: Dict[str, Any] = {}
        self._requests: List[str] = []
        self._events: Tuple[int, List[str]] = (-1, [])
        self._first: Optional[Tuple[int, str]] = None
        """The first process of the container and its start time, as the process table of this machine has them."""
        self.is_over = False

    def news(self, room: int) -> Tuple[Optional[Dict[str, Any]], List[bytes]]:
        """Return what is new, with at most about `room` bytes of files; None when nothing is.

        The result is told when all that the files have was told before.
        """
        found: Dict[str, Any] = {}
        result = read_result(self.control) or None  # a damaged one is none: see `last_word`
        attempt = read_attempt(self.control)
        parts, is_whole = self._appended(found, room)
        self._tell(found, "attempt", attempt)
        if is_whole:
            self._asked(found)
            if result is not None:
                self._tell(found, "result", result)
        self._tell(found, "state", self._state(attempt, result))
        if found.get("state") is None and self._told.get("state") in ("running", "unseen"):
            age = self._age()
            if age > 30 or self._told.get("old"):  # a living one is not told of each second
                self._told["old"] = age > 30
                found["age"] = age
        return (found or None), parts

    def _tell(self, found: Dict[str, Any], name: str, value: Any) -> None:
        if value is not None and self._told.get(name) != value:
            found[name] = self._told[name] = value

    def _state(self, attempt: Optional[Dict[str, Any]], result: Optional[Dict[str, Any]]) -> str:
        """Return ``absent``, ``refused``, ``running``, ``over``, ``rebooted``, ``lost``, or ``unseen``: ask the engine."""
        if result is not None:
            self.is_over = "result" in self._told
            return "over"
        if attempt is None:
            return "lost" if os.path.exists(started_path(self.control)) else "absent"
        if "refused" in attempt:
            return "refused"
        if not attempt:
            return "lost"
        if attempt.get("boot_id") != identity.boot_id():
            return "rebooted"
        place = read_place(self.control)
        if identity.is_alive(attempt) or (place is not None and self._lives(place)):
            return "running"
        if place is not None and self._first is None:
            return "over" if read_result(self.control) else "unseen"
        # It may have ended between the two looks.
        return "over" if read_result(self.control) else "lost"

    def _lives(self, place: Dict[str, Any]) -> bool:
        """Tell whether the container's first process is in the process table."""
        if self._first is None:
            self._first = identity.first_process(str(place["token"]))
            return self._first is not None
        return identity.start_time(self._first[0]) == self._first[1]

    def _age(self) -> float:
        try:
            return time.time() - os.stat(os.path.join(self.control, HEARTBEAT)).st_mtime
        except OSError:
            return 0.0

    # -- files ------------------------------------------------------------------------------------------------------

    def _appended(self, found: Dict[str, Any], room: int) -> Tuple[List[bytes], bool]:
        """Add to `found` which files grew or shrank; return the bytes, and whether that was all."""
        parts: List[bytes] = []
        files, is_whole = [], True
        for name in self._names():
            have = self._offsets.get(name, 0)
            try:
                size = os.stat(os.path.join(self.control, name)).st_size
            except OSError:
                continue
            if size < have:
                found.setdefault("cut", []).append([name, size])
                self._offsets[name] = have = size
            if size == have:
                continue
            wanted = min(size - have, BLOCK, room)
            data = self._read_at(name, have, wanted) if wanted > 0 else b""
            if data:
                files.append([name, have, len(data)])
                parts.append(data)
                room -= len(data)
                self._offsets[name] = have + len(data)
            is_whole = is_whole and have + len(data) >= size
        if files:
            found["files"] = files
        return parts, is_whole

    def _names(self) -> List[str]:
        return [LOG, SUPERVISOR_LOG] + self._events_files()

    def _events_files(self) -> List[str]:
        folder = os.path.join(self.control, EVENTS)
        try:
            changed = os.stat(folder).st_mtime_ns
            if changed != self._events[0]:
                with os.scandir(folder) as entries:
                    names = sorted(
                        os.path.join(EVENTS, entry.name)
                        for entry in entries
                        if entry.name.endswith(".jsonl") and entry.is_file(follow_symlinks=False)
                    )
                # A file that is added within one tick of the clock would not be seen later.
                self._events = (changed if time.time() * 1e9 - changed > 1e9 else -1, names)
        except OSError:
            return []
        return self._events[1]

    def _read_at(self, name: str, offset: int, size: int) -> bytes:
        try:
            with open_plain(os.path.join(self.control, name)) as stream:
                stream.seek(offset)
                return stream.read(size)
        except OSError:
            return b""

    # -- questions ----------------------------------------------------------------------------------------------------

    def _asked(self, found: Dict[str, Any]) -> None:
        """Add the questions that are open, when they are others than before."""
        folder = os.path.join(self.control, REQUESTS)
        try:
            names = sorted(name for name in os.listdir(folder) if name.endswith(".json"))
        except OSError:
            names = []
        if names == self._requests:
            return
        fresh = {}
        for name in names:
            if name not in self._requests:
                content = _read(os.path.join(folder, name), LARGEST_REQUEST)
                if content is not None:
                    fresh[name] = content
        self._requests = names
        found["asked"] = names
        if fresh:
            found["questions"] = fresh


def _read(path: str, limit: int) -> Optional[Dict[str, Any]]:
    """Return the object in a file, None when there is none, and an empty one for what is none."""
    try:
        with open_plain(path) as stream:
            value = json.loads(stream.read(limit).decode("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
