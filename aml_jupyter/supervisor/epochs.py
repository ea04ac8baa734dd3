"""Own ``control/epoch``: the highest epoch of a service that was here, so that an older service starts nothing more."""

import os
from contextlib import contextmanager
from typing import Iterator

from .faults import fault_point
from .protocol import EPOCH
from .sole import become

__all__ = ["StaleEpoch", "hold_epoch"]


class StaleEpoch(Exception):
    """Say that a newer service has been here."""


@contextmanager
def hold_epoch(control: str, epoch: int, bound: float = 5.0) -> Iterator[None]:
    """Record `epoch` for the control folder `control`, and keep a higher one out while the block runs.

    Raises
    ------
    StaleEpoch
        When a higher one is recorded, or somebody has held the file for `bound` seconds.
    OSError
        When the file cannot be written.
    """
    fd = os.open(os.path.join(control, EPOCH), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _lock(fd, bound)
        text = os.pread(fd, 32, 0).strip()
        standing = int(text) if text.isdigit() else 0
        if standing > epoch:
            raise StaleEpoch("a service of epoch %d has been here; this start is of epoch %d" % (standing, epoch))
        if standing < epoch:
            with fault_point("supervisor.epoch"):
                # The number only grows, so the new text covers the old one.
                os.pwrite(fd, b"%d\n" % epoch, 0)
        yield
    finally:
        os.close(fd)


def _lock(fd: int, bound: float) -> None:
    if not become(fd, bound):
        raise StaleEpoch("another supervisor of this attempt holds the epoch file, for %g s" % bound)
