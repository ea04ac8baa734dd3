"""Serve a folder over HTTP to who knows a password, and to nobody else."""

from __future__ import annotations

import base64
import contextlib
import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

__all__ = ["guarded_server"]


class _Guarded(http.server.SimpleHTTPRequestHandler):
    credentials = b""

    def do_GET(self) -> None:
        wanted = base64.b64encode(self.credentials).decode()
        if self.headers.get("Authorization") != f"Basic {wanted}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="tests"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        super().do_GET()

    do_HEAD = do_GET  # noqa: N815 (http.server calls it so)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def guarded_server(folder: Path, credentials: str) -> Iterator[str]:
    """Serve `folder` to who sends `credentials` (``user:password``); give the address without its scheme."""
    kind = type("Guarded", (_Guarded,), {"credentials": credentials.encode()})
    handler = functools.partial(kind, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
