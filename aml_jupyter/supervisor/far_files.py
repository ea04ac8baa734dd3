"""List and read what an attempt on a far machine has made; nothing outside its folder."""

import hashlib
import os
import stat
from typing import Any, Iterator, List, Sequence, Tuple

from .far_frames import BLOCK, Frame
from .plain import open_plain

__all__ = ["fetched", "is_below", "is_log", "listed"]


def listed(root: str, folders: Sequence[str]) -> List[List[Any]]:
    """Return name (relative to `root`), size, mtime and ctime (ns) of every plain file in `folders`.

    A link counts as the file that it leads to, when that lies below `root`; other links are left out.
    """
    found: List[List[Any]] = []
    top = os.path.realpath(root)
    for folder in folders:
        if not is_below(folder, top):
            continue
        for where, _, names in os.walk(folder):
            for name in sorted(names):
                path = os.path.join(where, name)
                try:
                    if os.path.islink(path) and not is_below(path, top):
                        continue
                    facts = os.stat(path)
                except OSError:
                    continue
                if stat.S_ISREG(facts.st_mode):
                    found.append([os.path.relpath(path, root), facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns])
    return found


def fetched(root: str, wanted: Sequence[Tuple[str, str, int]]) -> Iterator[Frame]:
    """Yield the content of files (name, path, offset), and at the end of each its size and hash, or that it is ``gone``."""
    top = os.path.realpath(root)
    for name, path, offset in wanted:
        if not is_below(path, top):
            yield {"name": name, "gone": True}, b""
            continue
        try:
            stream = open_plain(path)
        except OSError:
            yield {"name": name, "gone": True}, b""
            continue
        with stream:
            whole, size = hashlib.sha256(), 0
            while True:
                data = stream.read(BLOCK if size >= offset else min(BLOCK, offset - size))
                if not data:
                    break
                whole.update(data)
                if size >= offset:
                    yield {"name": name, "offset": size}, data
                size += len(data)
            facts = os.fstat(stream.fileno())
        said = {"name": name, "size": size, "sha256": whole.hexdigest()}
        yield dict(said, time=facts.st_mtime_ns, ctime=facts.st_ctime_ns), b""


def is_log(name: str) -> bool:
    """Tell whether a file, by its name below the attempt's folder, is a log of the script's own."""
    return name.startswith("work/logs/")


def is_below(path: str, top: str) -> bool:
    """Tell whether a path, with its links resolved, lies in the folder `top`, which has none."""
    real = os.path.realpath(path)
    return real == top or real.startswith(top + os.sep)
