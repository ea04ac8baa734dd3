"""Show the progress of long client-side work in a notebook: one line, updated in place, only when it takes a while."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aml_jupyter.cli.progress import progress_line

__all__ = ["notebook_progress"]

DELAY_SECONDS = 0.5
INTERVAL_SECONDS = 0.25


@contextmanager
def notebook_progress(label: str, unit: str = "") -> Iterator[Callable[[int, int], None]]:
    """Yield a function that takes (done, total) and shows both below the cell.

    Parameters
    ----------
    label : str
        What is going on.
    unit : str
        What is counted; ``bytes`` is written as a size.
    """
    from IPython.display import publish_display_data

    begun = time.monotonic()
    drawn = 0.0
    last = (0, 0)
    where = {"display_id": uuid.uuid4().hex}

    def show() -> None:
        text = progress_line(label, *last, unit, 100)
        publish_display_data({"text/plain": text}, transient=where, update=drawn > 0)

    def update(done: int, total: int) -> None:
        nonlocal drawn, last
        last = (done, total)
        now = time.monotonic()
        if now - begun >= DELAY_SECONDS and now - drawn >= INTERVAL_SECONDS:
            show()
            drawn = now

    try:
        yield update
    finally:
        if drawn:
            show()
