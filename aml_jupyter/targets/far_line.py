"""Hold what belongs to one making of a link: its channel, what waits to be written, and who waits for answers."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    import paramiko

    from aml_jupyter.transports.openssh import ChildChannel

    Channel: TypeAlias = paramiko.Channel | ChildChannel

__all__ = ["Answer", "Asked", "Line", "Listener"]

BULK: Final = 8
"""Big frames that wait to be written; who sends more waits."""

Answer = tuple[dict[str, Any], bytes]


class Listener:
    """Be told what happens on a link, in its thread."""

    def linked(self, hello: dict[str, Any]) -> None:
        """Hear that the link stands."""

    def cut(self) -> None:
        """Hear that it does not any more."""

    def heard(self, header: dict[str, Any], body: bytes) -> None:
        """Hear news."""

    def tick(self) -> None:
        """Hear, about once a second, that the link still stands."""


@dataclass
class Asked:
    """Remember who waits for an answer."""

    future: Future[Answer]
    part: Callable[[dict[str, Any], bytes], None] | None = None


@dataclass
class Line:
    """Hold what belongs to one making of the link."""

    channel: Channel
    outbox: queue.PriorityQueue[tuple[int, int, bytes]] = field(default_factory=queue.PriorityQueue)
    asked: dict[int, Asked] = field(default_factory=dict)
    bulk: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(BULK))
    heard: float = field(default_factory=time.monotonic)
    is_cut: bool = False
