"""Show the progress of long client-side work: a bar on a terminal, a line below a notebook's cell, nothing anywhere else."""

from __future__ import annotations

import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TextIO

from aml_jupyter.views.formats import size_text

__all__ = ["notebook_progress", "progress_bar", "progress_line", "shown_progress"]

DELAY_SECONDS = 0.5
"""Work that is done sooner shows no bar."""
INTERVAL_SECONDS = 0.1
NOTEBOOK_INTERVAL_SECONDS = 0.25


def shown_progress(label: str, unit: str = "") -> AbstractContextManager[Callable[[int, int], None] | None]:
    """Yield a function that takes (done, total) and shows both where this program's user looks; None where nobody does.

    Parameters
    ----------
    label : str
        What is going on.
    unit : str
        What is counted; ``bytes`` is written as a size.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None and getattr(shell, "kernel", None) is not None:
        return notebook_progress(label, unit)
    return progress_bar(label, unit, sys.stderr)


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
        if now - begun >= DELAY_SECONDS and now - drawn >= NOTEBOOK_INTERVAL_SECONDS:
            show()
            drawn = now

    try:
        yield update
    finally:
        if drawn:
            show()


@contextmanager
def progress_bar(label: str, unit: str, stream: TextIO) -> Iterator[Callable[[int, int], None] | None]:
    """Yield a function that takes (done, total), drawing on `stream`; None when `stream` is no terminal.

    Parameters
    ----------
    label : str
        What is going on, for example ``"snapshot of train/"``.
    unit : str
        What is counted; ``bytes`` is written as a size.
    stream : text stream
        Where to draw, usually standard error.
    """
    if not stream.isatty():
        yield None
        return
    begun = time.monotonic()
    drawn = 0.0

    def update(done: int, total: int) -> None:
        nonlocal drawn
        now = time.monotonic()
        if now - begun < DELAY_SECONDS or now - drawn < INTERVAL_SECONDS:
            return
        drawn = now
        columns = shutil.get_terminal_size((80, 24)).columns
        stream.write("\r" + progress_line(label, done, total, unit, columns - 1) + "\x1b[K")
        stream.flush()

    try:
        yield update
    finally:
        if drawn:
            stream.write("\r\x1b[K")
            stream.flush()


def progress_line(label: str, done: int, total: int, unit: str, width: int) -> str:
    """Return one line of `width` columns at the most: label, bar, how much of how much."""
    say = size_text if unit == "bytes" else (lambda number: f"{number:,}")
    amount = f"{say(done)} of {say(total)}" if total else say(done)
    if unit not in ("", "bytes"):
        amount += f" {unit}"
    room = width - len(label) - len(amount) - 4
    if not total or room < 5:
        least = width - len(amount) - 2  # the amount is what changes: a long label is cut before it
        return f"{label if len(label) <= least else label[: max(0, least - 1)] + '…'}  {amount}"[:width]
    room = min(room, 40)
    full = min(room, round(room * done / total))
    return f"{label} [{'#' * full}{'.' * (room - full)}] {amount}"
