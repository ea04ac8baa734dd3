"""Stand between a client and a server of this machine as a long or a narrow line does."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time

__all__ = ["DELAY", "SlowProxy"]

DELAY = 0.1
"""Seconds that each direction of the slow link takes."""


class SlowProxy:
    """Pass bytes on after a while, in order, as a long line does; count those that go there, and those that come.

    `rate` and `back` are the bytes a second that it takes there and back; 0 for as many as there are.
    """

    def __init__(self, port: int, delay: float = DELAY, rate: float = 0.0, back: float = 0.0) -> None:
        self._target = ("127.0.0.1", port)
        self._delay, self._rate, self._back = delay, rate, back
        self.sent = self.came = 0
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._door.getsockname()[1])
        self._ends: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._door.accept()
                self._ends.append(near)
                far = socket.create_connection(self._target)
                self._ends.append(far)
                for end in (near, far):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for source, sink, goes in ((near, far, True), (far, near, False)):
                    threading.Thread(target=self._pass_on, args=(source, sink, goes), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, goes: bool) -> None:
        waiting: list[tuple[float, bytes]] = []
        with selectors.DefaultSelector() as selector, contextlib.suppress(OSError, ValueError):
            selector.register(source, selectors.EVENT_READ)
            while True:
                pause = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
                if selector.select(pause):
                    data = source.recv(1 << 16)
                    waiting.append((time.monotonic() + self._delay, data))
                    if goes:
                        self.sent += len(data)
                    else:
                        self.came += len(data)
                    rate = self._rate if goes else self._back
                    if rate:
                        time.sleep(len(data) / rate)  # as a narrow line does
                while waiting and waiting[0][0] <= time.monotonic():
                    _, data = waiting.pop(0)
                    if not data:
                        sink.shutdown(socket.SHUT_WR)
                        return
                    sink.sendall(data)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._accepting.join(10)
        for end in (self._door, *self._ends):
            end.close()
