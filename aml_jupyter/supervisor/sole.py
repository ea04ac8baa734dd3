"""Be the only one that does something, by a lock on a file; others look whether somebody is.

Who looks takes the lock, too, shared and for a moment. So who wants to be the one does not take a lock that is held just now
for the work of another, but looks again for a little while.

Standard library only, Python 3.6 syntax, like its neighbours.
"""

import fcntl
import os
import time

__all__ = ["LOOKS", "become", "is_somebody"]

LOOKS = 0.5
"""Seconds after which a lock that is held all the time is no look of others: a look takes less than a millisecond."""


def become(descriptor: int, within: float = LOOKS) -> bool:
    """Lock an open file until it is closed; False when another one has it for `within` seconds.

    Raises
    ------
    OSError
        When the file system has no locks.
    """
    deadline = time.monotonic() + within
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)


def is_somebody(path: str) -> bool:
    """Tell whether somebody has locked the file at `path`; not when it cannot be looked at."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
