"""Tell the service's loop that something changed which it can only hear of from a thread of a target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = ["on_news", "tell_news"]

_listeners: Final[list[Callable[[], None]]] = []


def on_news(listener: Callable[[], None]) -> None:
    """Have `listener` called, in another thread, whenever a target hears something else than before."""
    _listeners.append(listener)


def tell_news() -> None:
    """Call every listener."""
    for listener in _listeners:
        listener()
