"""Choose how much data goes to a far machine and back: beside the link, with OpenSSH's client, or over the link like all else.

The client takes less of this machine's processors than the library, and none of the service's own time. It speaks with a far
side of its own, in the same words. What it cannot do goes over the link, so it never fails what was to be done.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from typing import Final

from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.targets.far_line import Listener
from aml_jupyter.targets.far_link import FarLink
from aml_jupyter.transports.openssh import NEAR, OpenSsh, find_openssh, openssh_from
from aml_jupyter.transports.ssh import HostUnreachable, SshConnection

__all__ = ["LEAST", "LEAST_TO_CONNECT", "Bulk", "link_to", "way_for"]

LEAST: Final = 64 << 20
"""Bytes from which on it is worth it, once the client is connected."""

LEAST_TO_CONNECT: Final = 256 << 20
"""Bytes from which on it is worth a connection and two processes, which take 0.4 s: our own link sends 100 MB in that time."""

PAUSE: Final = 60.0
"""Seconds before the client is tried again, once it did not get there or was cut twice."""

log = logging.getLogger("aml_jupyter.service")


class Bulk:
    """Own the link by which much data goes to one far machine, made when there is some; `close` it.

    Parameters
    ----------
    link : FarLink
        The link for everything.
    ssh : SshConnection
        Its connection.
    python, base, workspace, name : str
        As of the link.
    """

    def __init__(self, link: FarLink, ssh: SshConnection, python: str, base: str, workspace: str, name: str) -> None:
        self._main = link
        self._ssh = ssh
        self._place = (python, base, workspace, f"{name}.bulk")  # no target has such a name
        self._lock = threading.Lock()
        self._link: FarLink | None = None
        self._not_before = 0.0
        self._cut_at = float("-inf")
        self._why = ""

    def way(self, size: int, back: bool) -> FarLink:
        """Return the link by which `size` bytes go best, connected where it is not the one for everything.

        Parameters
        ----------
        size : int
            How much it is.
        back : bool
            Whether it comes here.

        Raises
        ------
        HostUnreachable
            When the link for everything is cut.
        """
        if (
            size < self._least()
            or time.monotonic() < self._not_before
            or not find_openssh()
            or (back and not self._is_near())
        ):
            return self._main
        with self._lock:
            if time.monotonic() < self._not_before:
                return self._main
            try:
                if self._link is None:
                    client = OpenSsh(self._ssh)
                    client.connect()
                    self._link = FarLink(client, *self._place, Listener())
                self._link.ask("ping")
            except ComputeTargetException as error:
                self._leave(error)
                return self._main
            return self._link

    def _least(self) -> int:
        to_connect = openssh_from(LEAST_TO_CONNECT)
        return to_connect if self._link is None else min(LEAST, to_connect)

    def _is_near(self) -> bool:
        for _ in range(3):  # one may have been held up
            began = time.monotonic()
            self._main.ask("ping")
            took = time.monotonic() - began
            if took < NEAR or took > 10 * NEAR:
                break
        return took < NEAR

    def was_cut(self, error: ComputeTargetException) -> None:
        """Make it anew when it is needed, where it goes on with what has arrived; cut again soon, it is not used for a while."""
        with self._lock:
            is_second = time.monotonic() - self._cut_at < PAUSE
            self._cut_at = time.monotonic()
            if is_second:
                self._leave(error)
                return
            link, self._link = self._link, None
        if link is not None:
            link.close()

    def _leave(self, error: ComputeTargetException) -> None:
        self._not_before = time.monotonic() + PAUSE
        if error.message != self._why:
            log.warning(
                "big data goes to and from %s over the same connection as all else: %s", self._main.where, error.message
            )
        self._why = error.message
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def close(self) -> None:
        """Cut it; it is made again when it is needed."""
        with self._lock:
            link, self._link = self._link, None
        if link is not None:
            link.close()


def link_to(ssh: SshConnection, python: str, base: str, workspace: str, name: str, listener: Listener) -> FarLink:
    """Return a link, with a way for much data beside it; what is asked is what `FarLink` asks."""
    link = FarLink(ssh, python, base, workspace, name, listener)
    link.bulk = Bulk(link, ssh, python, base, workspace, name)
    return link


@contextlib.contextmanager
def way_for(link: FarLink, size: int, back: bool = False) -> Iterator[FarLink]:
    """Give the link by which `size` bytes go best; the caller looks afterwards what is still missing.

    That the better way was cut is no error while `link` itself stands: what was not done yet is done by the next one, which is
    `link` after two cuts.

    Raises
    ------
    HostUnreachable
        When `link` is cut, too.
    """
    bulk = link.bulk
    way = link if bulk is None else bulk.way(size, back)
    try:
        yield way
    except HostUnreachable as error:
        if bulk is None or way is link:
            raise
        bulk.was_cut(error)
        if not link.is_up:
            raise
