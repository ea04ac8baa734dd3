"""Tell which files of running attempts are finished, so that they are fetched while the run goes on.

A file is finished when two passes over its folder, `STANDS_STILL` seconds apart, found it the same, and nobody has it open for
writing. Where the system does not tell that, it has to stand still for `STANDS_LONG`. A log is open as long as somebody writes
it, and means something at every length: one that grows is told every `GROWS` seconds, as it is then. A pass costs a `stat` for
each file, so it is cut into slices: all attempts together get `SLICE` seconds at a time and a hundredth of the time, however many
files there are.
"""

import fcntl
import os
import stat
import time
from collections import OrderedDict
from typing import Any, Dict, Iterator, List, Optional, Tuple

from .far_files import is_below, is_log
from .far_place import Key
from .plain import open_plain

__all__ = ["Finished", "Finishing"]

STANDS_STILL = 2.0
"""Seconds between two passes over the files of an attempt, at the least."""

STANDS_LONG = 10.0
"""Seconds for which a file stands still of which nobody can tell whether it is being written."""

GROWS = 10.0
"""Seconds after which a log that never stands still is told, and told again."""

LONGEST_PAUSE = 10.0
"""Seconds between two passes where nothing has changed for long."""

SLICE = 0.01
"""Seconds of the processor that one look spends on passes."""

SLOWEST = 0.1
"""Seconds of the clock that it spends at the most: a slow file system holds up no news."""

SHARE = 100
"""The passes take one part in so many of the time."""

SHARED = ("nfs", "cifs", "smb", "fuse", "9p", "ceph", "lustre", "gpfs", "beegfs", "afs", "glusterfs", "virtiofs")
"""What the names of file systems begin with that several machines write to."""

AT_A_TIME = 1000
"""Files that are told at a time."""

Facts = Tuple[int, int, int, int]
"""Size, time of change (ns), time of the last change of anything (ns), inode."""


class Finished:
    """Remember which files of one attempt were told.

    Parameters
    ----------
    root : str
        The attempt's folder.
    folders : list of str
        The folders below it whose files are wanted.
    largest : int
        Bytes; larger files of the working directory stay here until the end, but for those of ``logs``. 0 for no limit.
    """

    def __init__(self, root: str, folders: List[str], largest: int = 0) -> None:
        self._root = root
        self._folders = folders
        self._largest = largest
        self._told: Dict[str, Facts] = {}
        self._before: Dict[str, Facts] = {}
        self._now: Dict[str, Facts] = {}
        self._still: Dict[str, Tuple[Facts, float]] = {}
        """Since when those stand still of which that cannot be told (`time.monotonic`)."""
        self._logs: Dict[str, float] = {}
        """When each log was told, or seen first (`time.monotonic`)."""
        self._pass: Optional[Iterator[Optional[Tuple[str, Facts]]]] = None
        self._passes = 0
        self._is_whole = True
        self._changed = time.monotonic()
        self.due = 0.0
        """When the next slice is to come (`time.monotonic`)."""

    def look(self, until: float, latest: float = float("inf")) -> Optional[Dict[str, Any]]:
        """Go on with the pass until it ends, or `until` (`time.thread_time`) or `latest` (`time.monotonic`) is over.

        Returns what is new, or None.

        ``made`` are the files that are finished ([name, size, time of change in ns]), ``gone`` the names of those that were
        told and are not there any more. Once, after the second pass, ``others`` are the names of all that are there and
        were not told.
        """
        if self._pass is None:
            self._pass, self._now, self._is_whole = self._walk(), {}, True
        made: List[List[Any]] = []
        for each in self._pass:
            if each is not None:
                name, facts = each
                self._now[name] = facts
                if self._told.get(name) != facts and self._is_finished(name, facts):
                    self._told[name] = facts
                    made.append([name, facts[0], facts[1]])
            if len(made) >= AT_A_TIME or time.thread_time() > until or time.monotonic() > latest:
                return self._news(made, [])
        self._pass = None
        gone = [name for name in self._told if name not in self._now] if self._is_whole else []
        for name in gone:
            del self._told[name]
            self._logs.pop(name, None)
            self._still.pop(name, None)
        if made or gone or self._before != self._now:
            self._changed = time.monotonic()
        self._before = self._now
        now = time.monotonic()
        self.due = now + max(STANDS_STILL, min(LONGEST_PAUSE, 0.1 * (now - self._changed)))
        news = self._news(made, gone)
        self._passes += self._is_whole and os.path.isdir(self._root)
        if self._passes == 2:
            self._passes += 1
            news = dict(news or {"made": [], "gone": []}, others=[name for name in self._now if name not in self._told])
        return news

    def _news(self, made: List[List[Any]], gone: List[str]) -> Optional[Dict[str, Any]]:
        return {"made": made, "gone": gone} if made or gone else None

    def _is_finished(self, name: str, facts: Facts) -> bool:
        if is_log(name):
            now = time.monotonic()
            if self._before.get(name) != facts and now - self._logs.setdefault(name, now) < GROWS:
                return False
            self._logs[name] = now
            return True
        if self._before.get(name) != facts:
            return False
        if self._largest and facts[0] > self._largest and name.startswith("work/"):
            return False
        is_open = is_being_written(os.path.join(self._root, name))
        if is_open is not None:
            return not is_open
        before, since = self._still.get(name, (None, 0.0))
        if before != facts:
            self._still[name] = (facts, time.monotonic())
            return False
        return time.monotonic() - since >= STANDS_LONG

    def _walk(self) -> Iterator[Optional[Tuple[str, Facts]]]:
        """Yield name and facts of each plain file, a link counting as `far_files.listed` has it; None before each folder."""
        top, start = os.path.realpath(self._root), len(self._root) + 1
        for folder in self._folders:
            waiting = [os.path.join(self._root, folder)]
            if not is_below(waiting[0], top):
                continue
            while waiting:
                yield None
                try:
                    with os.scandir(waiting.pop()) as entries:
                        for entry in entries:  # which reads on in the folder: it may have gone meanwhile
                            facts = self._facts(entry, waiting, top)
                            if facts is not None:
                                yield entry.path[start:], facts
                except (FileNotFoundError, NotADirectoryError):
                    continue
                except OSError:
                    self._is_whole = False

    def _facts(self, entry: "os.DirEntry[str]", waiting: List[str], top: str) -> Optional[Facts]:
        """Return the facts of a plain file; None for all else, of which a folder goes to those that are `waiting`."""
        try:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
                return None
            if entry.is_symlink() and not is_below(entry.path, top):
                return None
            found = entry.stat()
        except FileNotFoundError:
            return None
        except OSError:
            self._is_whole = False
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


class Finishing:
    """Look at the files of all watched attempts in turn."""

    def __init__(self) -> None:
        self._attempts: "OrderedDict[Key, Finished]" = OrderedDict()
        self._due = 0.0

    def watch(self, key: Key, root: str, folders: List[str], largest: int) -> None:
        """Begin with an attempt, or begin anew: all that is finished is told again."""
        if folders:
            self._attempts[key] = Finished(root, folders, largest)

    def forget(self, key: Key) -> None:
        """End it."""
        self._attempts.pop(key, None)

    def look(self) -> List[Dict[str, Any]]:
        """Spend a slice, and return what is new (see `Finished.look`), with the ``key`` of each attempt."""
        now, began = time.monotonic(), time.thread_time()
        if now < self._due:
            return []
        until, latest, found = began + SLICE, now + SLOWEST, []
        for key in list(self._attempts):
            attempt = self._attempts[key]
            if attempt.due > now:
                continue
            news = attempt.look(until, latest)
            self._attempts.move_to_end(key)
            if news is not None:
                found.append(dict(news, key=list(key)))
            if time.thread_time() > until or time.monotonic() > latest:
                break
        self._due = now + SHARE * (time.thread_time() - began)
        return found


def is_being_written(path: str) -> Optional[bool]:
    """Tell whether somebody has a file open for writing; None where the system does not tell.

    A lease for reading is refused for such a file. It is given back at once: who opens the file meanwhile waits for that.
    """
    try:
        stream = open_plain(path)
    except OSError:
        return True  # it is not to be had now
    with stream:
        try:
            fcntl.fcntl(stream.fileno(), fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(stream.fileno(), fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except BlockingIOError:
            return None if _is_shared(os.fstat(stream.fileno()).st_dev) else True
        except (OSError, AttributeError):  # another's file, a file system or a system without leases
            return None
    return False


def _is_shared(device: int, mounts: str = "/proc/self/mountinfo") -> bool:
    """Tell whether other machines can write to the file system of a device: a lease is refused there for many reasons."""
    wanted = "%d:%d" % (os.major(device), os.minor(device))
    try:
        with open(mounts, encoding="utf-8", errors="replace") as stream:
            for line in stream:
                words = line.split()
                if words[2] == wanted and "-" in words:
                    return words[words.index("-") + 1].startswith(SHARED)
    except (OSError, IndexError):
        pass
    return False
