"""Ask a Docker engine in a thread of its own, so that the loop of a service never waits for one.

The loop asks for what was heard last (`obstacle`, `state`) and is answered at once; asking also sees to it that the engine
is asked again soon. Removals wait here until the engine answers.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aml_jupyter.errors import AmlError
from aml_jupyter.supervisor.faults import fault_point
from aml_jupyter.targets.news import tell_news
from aml_jupyter.targets.process import size_text
from aml_jupyter.transports.docker_engine import DockerEngine, EngineUnavailable

__all__ = ["ContainerState", "EngineWatch", "any_removal", "explained", "watch_of"]

FRESH: Final = 2.0
"""Seconds for which what was heard last is believed; older, the engine is asked again."""

SEES_AN_END_WITHIN: Final = 3.0
"""Seconds that an engine may need to see that a container has ended."""

FIRST_WITHIN: Final = 10.0
"""Seconds that `first_obstacle` waits at the most; an engine that hangs is given up on earlier."""

log = logging.getLogger("aml_jupyter.service")


@dataclass(frozen=True)
class ContainerState:
    """Say what the engine knows of one container: ``created``, ``running``, ``exited``, or ``gone`` (it knows none)."""

    state: str
    exit_code: int | None = None
    out_of_memory: bool = False
    message: str = ""


class EngineWatch:
    """Own the talk with one engine.

    Parameters
    ----------
    host : str
        Its address.
    """

    def __init__(self, host: str) -> None:
        self.engine = DockerEngine(host)
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._asked: set[str] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._answered_at = 0.0
        self._complaint = ""
        """What was logged last, since it answered."""
        self._was_heard = threading.Event()
        self._obstacle: str | None = f"asks whether the Docker engine at {host} answers"
        self._states: dict[str, tuple[float, ContainerState | None]] = {}

    # -- for the loop: never waits ------------------------------------------------------------------------------

    def obstacle(self) -> str | None:
        """Return why nothing can be started on the engine, as it was heard last; None when it answers."""
        if time.monotonic() - self._answered_at > FRESH:
            self._ask("ping", self._ping)
        return self._obstacle

    def first_obstacle(self) -> str | None:
        """Return what `obstacle` does, but wait for the first answer: for who looks once, not for the loop."""
        obstacle = self.obstacle()
        if self._answered_at or not self._was_heard.wait(FIRST_WITHIN):
            return obstacle
        return self._obstacle

    @property
    def is_away(self) -> bool:
        """Tell whether the engine is known not to answer."""
        return self._answered_at > 0 and self._obstacle is not None

    @property
    def is_removing(self) -> bool:
        """Tell whether a removal is under way."""
        with self._lock:
            return any(what.startswith("remove ") for what in self._asked)

    def state(self, name: str) -> ContainerState | None:
        """Return what was heard last of the container `name`; None when nothing was, or the engine is away."""
        heard, state = self._states.get(name, (0.0, None))
        if time.monotonic() - heard > FRESH:
            self._ask(f"state {name}", lambda: self._look(name))
        return state

    def remove(self, name: str, note: str, then: Callable[[], None] = lambda: None) -> None:
        """Have the container `name` ended and removed, and after that the file `note`, which says that it is to be."""
        self._ask(f"remove {name}", lambda: self._remove(name, note, then))

    def _ask(self, what: str, work: Callable[[], None]) -> None:
        """Queue `work` unless the same is queued already."""
        with self._lock:
            if what in self._asked:
                return
            self._asked.add(what)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="aml-engine", daemon=True)
                self._thread.start()

        def do() -> None:
            try:
                work()
            finally:
                with self._lock:
                    self._asked.discard(what)

        self._work.put(do)

    # -- in the thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            work = self._work.get()
            try:
                self._do(work)
            except AmlError as error:
                self._heard(error.message)
            except Exception:
                log.exception("the Docker engine at %s gave an answer that was not expected", self.engine.host)

    def _do(self, work: Callable[[], None]) -> None:
        """Do `work`; when it fails, ask whether the engine answers at all."""
        try:
            work()
        except EngineUnavailable as error:
            if error.message != self._complaint:  # it may be away for days
                log.warning("the Docker engine at %s did not do what it was asked: %s", self.engine.host, error)
            self._complaint = error.message
            self._ping()

    def _heard(self, obstacle: str | None) -> None:
        before, self._obstacle, self._answered_at = self._obstacle, obstacle, time.monotonic()
        self._was_heard.set()
        if obstacle != before:
            tell_news()

    def _ping(self) -> None:
        self.engine.ping()
        self._complaint = ""
        self._heard(None)

    def _look(self, name: str) -> None:
        before = self._states.get(name, (0.0, None))[1]
        found = self.ask(name)
        self._states[name] = (time.monotonic(), found)
        if found != before:
            tell_news()
        if len(self._states) > 1000:
            self._states.clear()

    def _remove(self, name: str, note: str, then: Callable[[], None]) -> None:
        import docker.errors

        with self.engine.explained():
            self.engine.ping()
            with fault_point("container.remove"):
                try:
                    self.engine.client.api.remove_container(name, force=True, v=True)
                except docker.errors.NotFound:
                    pass
                except docker.errors.APIError as error:
                    if "already in progress" not in str(error):
                        raise
                    return
        self._states.pop(name, None)
        then()
        with fault_point("container.forget"), contextlib.suppress(FileNotFoundError):
            os.unlink(note)

    # -- for threads that may wait ------------------------------------------------------------------------------

    def ask(self, name: str) -> ContainerState | None:
        """Return what the engine says of the container `name` now; None when it does not answer."""
        import docker.errors

        try:
            with self.engine.explained():
                self.engine.ping()
                try:
                    found: dict[str, Any] = self.engine.client.api.inspect_container(name)["State"]
                except docker.errors.NotFound:
                    return ContainerState("gone")
        except EngineUnavailable as error:
            self._heard(error.message)
            return None
        status = str(found.get("Status"))
        state = "running" if found.get("Running") or status in ("paused", "restarting") else status
        return ContainerState(
            "exited" if state in ("dead", "removing") else state,
            found.get("ExitCode"),
            bool(found.get("OOMKilled")),
            str(found.get("Error") or ""),
        )

    def ask_of_end(self, name: str) -> ContainerState | None:
        """Return what the engine says of a container whose processes are gone; it may need a moment to see that itself."""
        deadline = time.monotonic() + SEES_AN_END_WITHIN
        while True:
            said = self.ask(name)
            if said is None or said.state != "running" or time.monotonic() > deadline:
                return said
            time.sleep(0.05)

    def explain_end(self, placed: Mapping[str, Any], reason: str, message: str) -> tuple[str, str]:
        """Return `reason` and `message` of a lost attempt with what the engine knows of the end of its container."""
        said = self.ask_of_end(placed["name"])
        if said is not None and said.out_of_memory:
            limit = int(placed.get("memory") or 0)
            over = f"the container went over its memory limit of {size_text(limit)}" if limit else explained(said)
            return "out of memory", over
        if said is not None and said.state in ("exited", "gone"):
            return reason, f"{message} {explained(said)}"
        return reason, message


def explained(said: ContainerState | None) -> str:
    """Return what an engine says of a container's end, in words; empty where it says nothing."""
    if said is None:
        return ""
    if said.out_of_memory:
        return "The Docker engine says that the kernel ended a process of its container for lack of memory."
    if said.state == "gone":
        return "The Docker engine has no container of it any more."
    return f"The Docker engine says that its container ended with exit code {said.exit_code}. {said.message}".strip()


def any_removal() -> bool:
    """Tell whether some engine is removing a container."""
    return any(watch.is_removing for watch in list(_watches.values()))


_watches: dict[str, EngineWatch] = {}
_one_watch: Final = threading.Lock()


def watch_of(host: str) -> EngineWatch:
    """Return the watch of the engine at `host`, one for each in a process."""
    with _one_watch:
        if host not in _watches:
            _watches[host] = EngineWatch(host)
        return _watches[host]
