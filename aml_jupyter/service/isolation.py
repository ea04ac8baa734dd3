"""Keep what goes wrong with one run from holding up the others.

A turn writes down what it has decided for all runs in one transaction. When something unexpected is wrong with one of them,
that transaction is lost once; from then on the run is a suspect and gets a savepoint of its own, so that only its part
is undone. A disk that is full, or a workspace that is taken away, is nobody's fault: all wait.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from aml_jupyter.errors import LeaseLost
from aml_jupyter.service.active import ActiveRun

__all__ = ["MOST_FAILURES", "is_nobodys_fault", "on_its_own"]

MOST_FAILURES = 4
"""How often an unexpected error is tried again before its run is ended with it."""

log = logging.getLogger("aml_jupyter.service")


def is_nobodys_fault(error: BaseException) -> bool:
    """Tell whether an error comes from the machine (a full disk, a locked or vanished file), not from one run."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, (LeaseLost, OSError, sqlite3.OperationalError)):
            return True
        seen = seen.__cause__
    return False


@contextmanager
def on_its_own(active: ActiveRun, tx: sqlite3.Connection) -> Iterator[None]:
    """Do the block's work for one run; an unexpected error in it undoes only that, once the run is a suspect.

    Raises
    ------
    Exception
        The first one of a run, and those that are nobody's fault.
    """
    if active.failures:
        tx.execute("SAVEPOINT one_run")
    try:
        yield
    except Exception as error:
        if is_nobodys_fault(error):
            raise
        active.failures += 1
        active.failure = error
        active.again_at = time.monotonic() + min(0.25 * 2.0**active.failures, 10.0)
        if active.failures == 1:
            raise  # there is no savepoint to go back to: the turn is lost, this once
        log.exception("run %s: unexpected error %d of %d", active.run.id, active.failures, MOST_FAILURES)
        tx.execute("ROLLBACK TO one_run")
        tx.execute("RELEASE one_run")
        return
    if active.failures and tx.in_transaction:
        tx.execute("RELEASE one_run")
