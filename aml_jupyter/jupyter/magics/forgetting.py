"""Take a secret out of what IPython keeps of the lines that were typed: history, ``In``, ``_i``."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import Any, Final

__all__ = ["forget_in_history"]

INSTEAD: Final = "***"
MARK: Final = "--password"
"""What a line has that is looked at: a secret may be a word that stands elsewhere, too."""

_LAST: Final = ("_i", "_ii", "_iii", "_i00")


def forget_in_history(shell: Any, secret: str) -> None:
    """Put stars in the place of `secret` in the lines of this session that give one.

    What is in the notebook's file itself is the person's: the cell still says it.
    """
    history = getattr(shell, "history_manager", None)
    if not secret or history is None:
        return

    def without(line: str) -> str:
        return line.replace(secret, INSTEAD) if MARK in line else line

    for lines in (history.input_hist_raw, history.input_hist_parsed):
        lines[:] = map(without, lines)
    for name in _LAST:
        with contextlib.suppress(AttributeError):
            setattr(history, name, without(getattr(history, name)))
    for name, value in list(shell.user_ns.items()):
        if name.startswith("_i") and isinstance(value, str):
            shell.user_ns[name] = without(value)
    with history.db_input_cache_lock:
        history.db_input_cache = [(number, *map(without, texts)) for number, *texts in history.db_input_cache]
    if history.enabled:  # a thread of IPython's may have written the line meanwhile
        with contextlib.suppress(sqlite3.Error), history.db as db:
            db.execute(
                "UPDATE history SET source = replace(source, :secret, :instead), source_raw = replace(source_raw, :secret, "
                ":instead) WHERE session = :session AND instr(source_raw, :mark)",
                {"secret": secret, "instead": INSTEAD, "session": history.session_number, "mark": MARK},
            )
