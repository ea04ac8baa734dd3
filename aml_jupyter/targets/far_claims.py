"""Say which blobs are on their way to a far machine, so that two runs that need the same one do not send it at once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator

__all__ = ["Claims"]


class Claims:
    """Hold the blobs that threads of this process send by one link; each is sent by one of them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken: set[str] = set()

    @contextlib.contextmanager
    def take(self, digests: Iterable[str]) -> Iterator[set[str]]:
        """Give those of `digests` that nobody else sends, until the block is left.

        Where all of them are on their way, the block gets none and is entered when somebody is through with some: what is
        missing is to be asked anew then. Who holds some waits for none, so nobody waits for ever.
        """
        wanted = set(digests)
        with self._changed:
            mine = wanted - self._taken
            if mine:
                self._taken |= mine
            else:
                self._changed.wait_for(lambda: not wanted <= self._taken)
        try:
            yield mine
        finally:
            with self._changed:
                self._taken -= mine
                self._changed.notify_all()
