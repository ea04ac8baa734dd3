"""Append events to ``control/events/<pid>.jsonl``: one unbuffered write for each, so that SIGKILL loses none."""

import os
import sys
import threading
from time import time
from typing import Any, Dict, List, Optional

from .. import protocol
from .values import metric_name, scalar, text_of

__all__ = ["EventsWriter"]

_HELD_BACK_LIMIT = 100_000  # lines; about 10 MB


class EventsWriter:
    """Write the events of this process; a forked process gets a file of its own with its first event.

    A full disk does not end the user's script: lines that could not be written are held back, in order, and go out with
    the next event for which there is room, with `flush`, or at the end of the process.

    Parameters
    ----------
    control : str
        Path of the attempt's control folder.
    """

    def __init__(self, control: str) -> None:
        self.folder = os.path.join(control, protocol.EVENTS)
        self._pid = 0
        self._file = -1
        self._held_back: List[bytes] = []
        self._lost = 0
        self._lock = threading.Lock()
        self._names: Dict[str, str] = {}

    def metric(self, name: str, value: Any, step: Optional[float], owner: Optional[str]) -> None:
        """Write one value of the metric `name`."""
        kind = type(value)
        if kind is float and value - value == 0.0:
            text = repr(value)
        elif kind is int:
            text = str(value)
        else:
            text = text_of(scalar(value))
        try:
            shown = self._names[name]
        except (KeyError, TypeError):
            shown = self._shown(name)
        rest = "" if step is None and owner is None else _rest(step, owner)
        self.write(('{"t":%.6f,"e":"metric","n":%s,"v":%s%s}\n' % (time(), shown, text, rest)).encode("ascii"))

    def event(self, kind: str, owner: Optional[str], fields: Dict[str, Any]) -> None:
        """Write an event of any kind (see ``protocol``)."""
        line = {"t": round(time(), 6), "e": kind}
        line.update(fields)
        if owner is not None:
            line["r"] = owner
        self.write(text_of(line).encode("ascii") + b"\n")

    def write(self, line: bytes) -> None:
        """Append the newline-ended `line` to this process's file."""
        if self._pid != os.getpid():
            self._open()
        if self._held_back:
            self._hold_back(line)
            self.flush()
            return
        try:
            if os.write(self._file, line) == len(line):
                return
            reason = "there is no room for a whole line"
        except OSError as error:
            reason = str(error)
        self._hold_back(line)
        if not self.flush():
            self._say_held_back(reason)

    def flush(self) -> bool:
        """Write what was held back; tell whether all of it is on its way to the disk."""
        if self._pid != os.getpid():
            self._open()
        with self._lock:
            if self._held_back and self._file < 0:
                self._open_file()
            while self._held_back:
                batch = self._held_back[:256]
                data = b"\n" + b"".join(batch)  # a torn line may stand before it
                try:
                    count = os.write(self._file, data)
                except OSError:
                    return False
                if count != len(data):
                    written = data[:count].count(b"\n") - 1
                    del self._held_back[: max(written, 0)]
                    return False
                del self._held_back[: len(batch)]
        return True

    def close(self) -> None:
        """Try a last time to write what was held back, and say so when it is lost."""
        if self._pid != os.getpid():
            return
        if not self.flush() or self._lost:
            sys.stderr.write(
                "aml-jupyter: %d logged values are lost: %s could not be written\n"
                % (len(self._held_back) + self._lost, self.folder)
            )

    def _shown(self, name: Any) -> str:
        text = text_of(metric_name(name))
        if isinstance(name, str) and len(self._names) < 10_000:
            self._names[name] = text
        return text

    def _open(self) -> None:
        """Start the file of this process; what another process holds back is that one's to write."""
        self._lock = threading.Lock()
        self._held_back = []
        self._lost = 0
        self._open_file()
        self._pid = os.getpid()

    def _open_file(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        self._file = -1
        try:
            os.makedirs(self.folder, exist_ok=True)
            self._file = os.open(os.path.join(self.folder, "%d.jsonl" % os.getpid()), flags, 0o644)
            os.write(self._file, b"\n")
        except OSError:
            return  # the first write fails, too, and says so

    def _say_held_back(self, reason: str) -> None:
        sys.stderr.write(
            "aml-jupyter: events cannot be written to %s (%s); they are kept in memory until it works again\n"
            % (self.folder, reason)
        )

    def _hold_back(self, line: bytes) -> None:
        with self._lock:
            if len(self._held_back) < _HELD_BACK_LIMIT:
                self._held_back.append(line)
            else:
                self._lost += 1


def _rest(step: Optional[float], owner: Optional[str]) -> str:
    text = ""
    if step is not None:
        text += ',"s":' + (str(step) if type(step) is int else text_of(scalar(step)))
    if owner is not None:
        text += ',"r":' + text_of(owner)
    return text
