"""Run blocking work beside the server's event loop, in a bounded number of threads.

The threads are daemons: a thread that waits for a slow disk never holds up the server's exit, which the threads of
`concurrent.futures` (joined when the interpreter ends) would.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

__all__ = ["Pool"]

P = ParamSpec("P")
T = TypeVar("T")


class Pool:
    """Hold at most `size` daemon threads that run blocking functions for coroutines.

    Parameters
    ----------
    size : int
        How many functions run at once; further calls wait in line.
    """

    def __init__(self, size: int = 8) -> None:
        self.size = size
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._closed = False

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` in one of the threads and return what it returns, or raise what it raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(method: Callable[[Any], None], value: Any) -> None:
            if not future.done():
                method(value)

        def work() -> None:
            if future.cancelled():
                return
            try:
                result = function(*args, **kwargs)
            except BaseException as error:  # handed to the caller, whatever it is
                outcome: tuple[Callable[[Any], None], Any] = (future.set_exception, error)
            else:
                outcome = (future.set_result, result)
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
                loop.call_soon_threadsafe(settle, *outcome)

        self._submit(work)
        return await future

    def close(self) -> None:
        """Let every thread end after what it is doing now."""
        with self._lock:
            self._closed = True
            for _ in self._threads:
                self._work.put(None)

    def _submit(self, work: Callable[[], None]) -> None:
        with self._lock:
            if self._closed:
                raise RuntimeError("the server is stopping")
            if not self._idle.acquire(blocking=False) and len(self._threads) < self.size:
                thread = threading.Thread(target=self._serve, name=f"aml-pool-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._work.put(work)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()
            self._idle.release()
