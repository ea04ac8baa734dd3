"""Hold the link to the far side of one workspace on one machine: questions with answers, and news, over one SSH channel.

The link makes itself again after a cut, with growing pauses. Nothing that goes on over there depends on it: who asked when it
was cut is told so and asks again, and the news goes on from what was stored (see `Mirror`). What needs a person (a refused
login, a changed host key) is not tried again.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final

from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.supervisor.far_frames import Frames, GarbledFrame, pack
from aml_jupyter.targets.far_boot import far_command, greet
from aml_jupyter.targets.far_claims import Claims
from aml_jupyter.targets.far_line import Answer, Asked, Line, Listener
from aml_jupyter.targets.far_refusal import FarRefusal
from aml_jupyter.targets.news import tell_news
from aml_jupyter.transports.openssh import OpenSsh
from aml_jupyter.transports.ssh import LONGEST_PAUSE, HostUnreachable, SshConnection

if TYPE_CHECKING:
    from aml_jupyter.targets.far_bulk import Bulk
    from aml_jupyter.targets.far_line import Channel

__all__ = ["FarLink"]

PING_EVERY: Final = 5.0
DEAD_AFTER: Final = 20.0
"""Seconds without a word from over there after which the link counts as cut; ``AML_SSH_SILENCE`` is another number."""

IDLE_SECONDS: Final = 60.0
"""How long a link that nobody needs is kept."""

UP_WITHIN: Final = 20.0
"""Seconds that who asks waits for the link to be made."""

ANSWER_WITHIN: Final = 120.0

log = logging.getLogger("aml_jupyter.service")


class FarLink:
    """Talk to one far side. All threads may use it; it is made when it is first needed.

    Parameters
    ----------
    ssh : SshConnection or OpenSsh
        The way there.
    python : str
        The Python there that the far side runs on.
    base : str
        The base folder there.
    workspace, name : str
        The id of the workspace, and the name of the target: there is one far side for each.
    listener : Listener
        Who hears the news.
    """

    def __init__(
        self, ssh: SshConnection | OpenSsh, python: str, base: str, workspace: str, name: str, listener: Listener
    ) -> None:
        self.ssh = ssh
        self.where = str(ssh.address)
        self._dead_after = float(os.environ.get("AML_SSH_SILENCE") or DEAD_AFTER)
        self._command = far_command(python, base, workspace, name)
        self._listener = listener
        self._lock = threading.Lock()
        self._line: Line | None = None
        self._up, self._needed = threading.Event(), threading.Event()
        self._needed_at = 0.0
        self._thread: threading.Thread | None = None
        self._numbers = itertools.count(1)
        self._closed = self._was_lost = False
        self._refused: ComputeTargetException | None = None
        self._failures = 0
        """How often in turn the machine answered, and the far side did not."""
        self.obstacle = f"connects to {self.where}"
        """Why nothing can be asked at the moment."""
        self.down_since = time.monotonic()
        self.round_trips = 0
        """How many questions were sent."""
        self.claims = Claims()
        self.bulk: Bulk | None = None
        """The way that much takes, where there is a better one."""

    # -- for everybody ------------------------------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        """Tell whether the link stands, as far as is known."""
        return self._up.is_set()

    @property
    def is_away(self) -> bool:
        """Tell whether the machine is known not to answer; not while the first link is being made."""
        return self._was_lost and not self._up.is_set()

    def need(self) -> None:
        """Say that the link is needed; it is made in a thread of its own."""
        self._needed_at = time.monotonic()
        self._needed.set()
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._keep, name="aml-far", daemon=True)
                    self._thread.start()

    def ask(
        self,
        operation: str,
        body: bytes = b"",
        seconds: float = ANSWER_WITHIN,
        part: Callable[[dict[str, Any], bytes], None] | None = None,
        given_up: Callable[[], bool] = lambda: False,
        **fields: Any,
    ) -> Answer:
        """Ask, and return the answer.

        Parameters
        ----------
        operation : str
            See `supervisor.far_acts`.
        body : bytes
            What goes with it.
        seconds : float
            How long the far side may be silent about it.
        part : callable, optional
            Takes the parts of an answer that has many, in the link's thread.
        given_up : callable
            Asked once a second; True ends the waiting.

        Raises
        ------
        HostUnreachable
            When the link cannot be made, or was cut: whether it was done is not known then.
        FarRefusal
            When the far side could not do it.
        """
        self.need()
        until = time.monotonic() + UP_WITHIN
        while not self._up.wait(0.2):
            if self._refused is not None or time.monotonic() > until:  # a person has to act: waiting helps nobody
                raise self._refused or self._unreachable()
        future = self.post(operation, body, part=part, **fields)
        until = time.monotonic() + seconds
        while True:
            try:
                return future.result(timeout=1.0)
            except TimeoutError:
                line = self._line
                if given_up():
                    raise HostUnreachable(f"{self.where} is not asked any more", "target") from None
                if time.monotonic() > until and (line is None or time.monotonic() - line.heard > seconds):
                    raise HostUnreachable(f"{self.where} gave no answer in {seconds:.0f} s.", "address") from None

    def post(
        self,
        operation: str,
        body: bytes = b"",
        part: Callable[[dict[str, Any], bytes], None] | None = None,
        **fields: Any,
    ) -> Future[Answer]:
        """Ask without waiting; the answer comes by itself."""
        future: Future[Answer] = Future()
        number = next(self._numbers)
        line = self._line
        if line is None or line.is_cut:
            future.set_exception(self._unreachable())
            return future
        self.round_trips += 1
        line.asked[number] = Asked(future, part)
        line.outbox.put((0, number, pack({"id": number, "op": operation, **fields}, body)))
        if line.is_cut and line.asked.pop(number, None) is not None:  # it was cut between the two looks
            future.set_exception(self._unreachable())
        return future

    def send_bulk(self, operation: str, body: bytes, **fields: Any) -> None:
        """Send what nobody answers, behind everything else; waits while much is on its way already.

        Raises
        ------
        HostUnreachable
            When the link is cut.
        """
        self.need()
        line = self._line
        if line is None:
            raise self._unreachable()
        while not line.bulk.acquire(timeout=0.5):
            if line.is_cut:
                raise self._unreachable()
        if line.is_cut:
            raise self._unreachable()
        line.outbox.put((1, next(self._numbers), pack({"op": operation, **fields}, body)))

    def ask_last(self, operation: str, body: bytes, **fields: Any) -> Answer:
        """Ask behind all that `send_bulk` has sent; raises as `ask` does."""
        line, future, number = self._line, Future[Answer](), next(self._numbers)
        if line is None or line.is_cut:
            raise self._unreachable()
        self.round_trips += 1
        line.asked[number] = Asked(future)
        line.outbox.put((1, number, pack({"id": number, "op": operation, **fields}, body)))
        while True:
            try:
                return future.result(timeout=1.0)
            except TimeoutError:
                if line.is_cut:
                    raise self._unreachable() from None

    def close(self) -> None:
        """Cut the link, for good."""
        self._closed = True
        self._needed.set()
        if self.bulk is not None:
            self.bulk.close()
        line = self._line
        if line is not None:
            line.channel.close()
        self.ssh.close()

    # -- in the link's thread -----------------------------------------------------------------------------------

    def _keep(self) -> None:
        """Make the link whenever it is needed, and again when it was cut."""
        while not self._closed:
            self._needed.wait()
            if self._closed or self._refused is not None:
                return
            try:
                with self.ssh.stream(self._command) as channel:
                    self._serve(channel)
                self._lost(f"The connection to {self.where} was cut.")
            except HostUnreachable as error:
                self._lost(error.message)
            except ComputeTargetException as error:
                self._refused = error  # a person has to act; the next service, or an update of the target, tries again
                self._lost(error.message)
                log.error("the link to %s cannot be made: %s", self.where, error.message)
            except Exception as error:
                log.exception("the link to %s broke", self.where)
                self._lost(f"The connection to {self.where} broke: {type(error).__name__}: {error}")
            if time.monotonic() - self._needed_at > IDLE_SECONDS:
                self._needed.clear()  # also when it was cut: nobody needs that it is tried again
                self.ssh.close()
            elif not self._closed and self._refused is None:
                time.sleep(self._pause)

    @property
    def _pause(self) -> float:
        """Return how long to wait before the link is made again: longer each time that the far side was not to be had."""
        return float(min(LONGEST_PAUSE, 0.2 * 2**self._failures))

    def _unreachable(self) -> HostUnreachable:
        """Return why nothing can be asked; a moment after a cut there is no reason yet."""
        why = f"{self.where} has given no answer yet." if self.obstacle and not self._was_lost else self.obstacle
        return HostUnreachable(why or f"The connection to {self.where} was cut.", "address")

    def _lost(self, why: str) -> None:
        if self._up.is_set() or why != self.obstacle:
            if self._up.is_set():
                self.down_since = time.monotonic()
            self.obstacle = why
            self._was_lost = True
            self._up.clear()
            self._listener.cut()
            tell_news()

    def _serve(self, channel: Channel) -> None:
        """Talk until the link is cut, or nobody needs it any more."""
        channel.settimeout(DEAD_AFTER)
        try:
            left = greet(channel, self.where)
        except OSError as error:
            raise HostUnreachable(f"{self.where} gave no answer: {error}", "address") from error
        line = Line(channel)
        self._failures += 1  # until it says hello
        writer = threading.Thread(target=self._write, args=(line,), name="aml-far-write", daemon=True)
        writer.start()
        frames = Frames()
        try:
            self._hear(line, frames, left)
            channel.settimeout(1.0)
            pinged = ticked = time.monotonic()
            while not line.is_cut:
                try:
                    data = channel.recv(1 << 18)
                except TimeoutError:
                    data = None
                now = time.monotonic()
                if data == b"":
                    if self._line is not line:  # it never said hello
                        said = " ".join(_complaint(channel).split())
                        raise HostUnreachable(
                            f"{self.where}: the far side ended at once: {said or 'no reason given'}.", "target"
                        )
                    return
                if data:
                    line.heard = now
                    self._hear(line, frames, data)
                elif now - line.heard > self._dead_after:
                    raise HostUnreachable(f"{self.where} has been silent for {self._dead_after:.0f} s.", "address")
                if now - ticked > 1.0 and self._line is line:
                    ticked = now
                    self._listener.tick()
                if now - pinged > min(PING_EVERY, self._dead_after / 3) and self._line is line:
                    pinged = now
                    self.post("ping")
                if now - self._needed_at > IDLE_SECONDS and not line.asked:
                    return
        except GarbledFrame as error:
            raise HostUnreachable(f"{self.where} said what nobody understands: {error}", "address") from error
        finally:
            self._end(line)

    def _end(self, line: Line) -> None:
        line.is_cut = True
        self._line = None
        line.outbox.put((9, 0, b""))
        error = HostUnreachable(f"The connection to {self.where} was cut.", "address")
        for number in list(line.asked):
            asked = line.asked.pop(number, None)
            if asked is not None and not asked.future.done():
                asked.future.set_exception(error)

    def _write(self, line: Line) -> None:
        """Write what waits, questions before bulk."""
        from paramiko import SSHException

        while not line.is_cut:
            urgency, _, data = line.outbox.get()
            if line.is_cut or not data:
                return
            left = memoryview(data)
            try:
                while left and not line.is_cut:
                    with contextlib.suppress(TimeoutError):  # the far side has no room yet
                        left = left[line.channel.send(left[: 1 << 17]) :]
            except (OSError, EOFError, SSHException):  # paramiko says EOFError where the socket was closed under it
                line.is_cut = True
                return
            finally:
                if urgency == 1:
                    with contextlib.suppress(ValueError):  # `ask_last` took none
                        line.bulk.release()

    def _hear(self, line: Line, frames: Frames, data: bytes) -> None:
        for header, body in frames.feed(data):
            if "hello" in header:
                self._hail(line, header)
            elif header.get("id") is None:
                self._listener.heard(header, body)
                tell_news()
            else:
                self._answered(line, header, body)

    def _hail(self, line: Line, hello: dict[str, Any]) -> None:
        self._line = line
        self._failures, self.obstacle = 0, ""
        self._listener.linked(hello)
        self._up.set()
        tell_news()

    def _answered(self, line: Line, header: dict[str, Any], body: bytes) -> None:
        asked = line.asked.get(int(header["id"]))
        if asked is None:
            return
        if header.get("more"):
            try:
                if asked.part is not None:
                    asked.part(header, body)
            except Exception as error:
                line.asked.pop(int(header["id"]), None)
                asked.future.set_exception(error)
            return
        line.asked.pop(int(header["id"]), None)
        if "error" in header:
            number = int(header.get("errno") or 0)
            refusal = FarRefusal(f"{self.where}: {header['error']}", str(header.get("kind")))
            refusal.__cause__ = OSError(number, str(header["error"])) if number else None
            asked.future.set_exception(refusal)
        else:
            asked.future.set_result((header, body))


def _complaint(channel: Channel) -> str:
    """Return the end of what was written to standard error."""
    heard = bytearray()
    while channel.recv_stderr_ready():
        heard += channel.recv_stderr(1 << 16)
    return heard.decode("utf-8", "replace")[-400:]
