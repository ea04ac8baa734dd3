"""List and read what an attempt on a far machine has made; nothing outside its folder."""

import hashlib
import os
import stat
from typing import Any, Iterator, List, Optional, Sequence, Tuple

from .far_frames import BLOCK, Frame
from .plain import open_plain

__all__ = ["fetched", "is_below", "is_log", "listed"]


def listed(
    root: str, folders: Sequence[str], is_over: bool = False, unread: Optional[List[str]] = None
) -> List[List[Any]]:
    """Return name (relative to `root`), size, mtime and ctime (ns) of every plain file in `folders`.

    A link counts as the file that it leads to, when that lies below `root`; other links are left out.

    Parameters
    ----------
    is_over : bool
        Whoever made them has ended: what took its owner the right to read is given it back, since nobody could collect it else.
    unread : list of str, optional
        The names of folders that cannot be read are added to it.
    """
    found: List[List[Any]] = []
    top = os.path.realpath(root)

    def cannot(error: OSError) -> None:
        if unread is not None and not isinstance(error, (FileNotFoundError, NotADirectoryError)):
            unread.append(os.path.relpath(str(error.filename), root))

    for folder in folders:
        if not is_below(folder, top):
            continue
        if is_over:
            _open_up(folder, 0o700)
        for where, inner, names in os.walk(folder, onerror=cannot):
            for name in inner if is_over else ():
                _open_up(os.path.join(where, name), 0o700)
            for name in sorted(names):
                path = os.path.join(where, name)
                try:
                    if os.path.islink(path) and not is_below(path, top):
                        continue
                    facts = os.stat(path)
                    if is_over and stat.S_ISREG(facts.st_mode) and _open_up(path, 0o400):
                        facts = os.stat(path)
                except OSError:
                    continue
                if stat.S_ISREG(facts.st_mode):
                    found.append([os.path.relpath(path, root), facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns])
    return found


def _open_up(path: str, rights: int) -> bool:
    """Give the owner of a file or folder `rights` to it, where they lack; tell whether that was done."""
    if os.access(path, os.R_OK | (os.X_OK if rights & 0o100 else 0)) or os.path.islink(path):
        return False
    try:
        os.chmod(path, stat.S_IMODE(os.lstat(path).st_mode) | rights)
    except OSError:
        return False
    return True


def fetched(root: str, wanted: Sequence[Tuple[str, str, int]]) -> Iterator[Frame]:
    """Yield the content of files (name, path, offset), and at the end of each its size and hash, or that it is ``gone``."""
    top = os.path.realpath(root)
    for name, path, offset in wanted:
        if not is_below(path, top):
            yield {"name": name, "gone": True}, b""
            continue
        try:
            stream = open_plain(path)
        except FileNotFoundError:
            yield {"name": name, "gone": True}, b""
            continue
        except OSError as error:
            yield {"name": name, "gone": True, "why": error.strerror}, b""
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
