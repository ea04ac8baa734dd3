"""Build an environment outside of a run, and follow the build to its end: for `aml environment build` and `Environment.build`."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Final

from aml_jupyter.environments.cache import Built, Entry, EnvironmentCache
from aml_jupyter.environments.recipe import Recipe
from aml_jupyter.environments.starting import start_builder
from aml_jupyter.errors import UserErrorException

__all__ = ["Build", "begin_build", "keep_sources"]

_PAUSE: Final = 0.05
MOST_BUILDERS: Final = 3
"""How many builders may be killed before it is given up: they may be what uses up the memory."""


def begin_build(recipe: Recipe, submitter: Mapping[str, Any], anew: bool = False) -> Build:
    """Begin the build of a recipe in a process of its own, or find that it is ready, or that somebody builds it.

    Parameters
    ----------
    recipe : Recipe
        What is to be built.
    submitter : dict
        As `submitter()` returns it: its variables count.
    anew : bool
        Resolve again, even though there is a lock.
    """
    cache = EnvironmentCache()
    keep_sources(cache, recipe)
    build = Build(cache.entry(recipe.key), recipe, dict(submitter.get("variables") or {}), anew)
    build.step()
    return build


def keep_sources(cache: EnvironmentCache, recipe: Recipe) -> None:
    """Copy the local files and build contexts that a recipe names into the cache, so that they are there when it is built.

    Raises
    ------
    OSError
        When they cannot be read, or the cache cannot be written.
    """
    for stored, path in recipe.sources.items():
        content = None
        if os.path.isdir(path):
            from aml_jupyter.environments.choose_image import context_archive

            content = context_archive(Path(path), str(recipe.asked["image"]["file"]))
        cache.keep_file(stored, path, content)


class Build:
    """Stand for one build: going on, or at its end.

    Parameters
    ----------
    entry : Entry
        Where it is built.
    recipe : Recipe
        What is built.
    variables : dict
        The variables of the builder.
    anew : bool
        Whether what is there already counts for nothing.
    """

    def __init__(self, entry: Entry, recipe: Recipe, variables: Mapping[str, str], anew: bool) -> None:
        self.entry = entry
        self.recipe = recipe
        self.began = time.time()
        self.is_own = False
        self._variables = variables
        self._anew = anew
        self._process: subprocess.Popen[bytes] | None = None
        self._builders = 0
        self._error: str | None = None
        self._built: Built | None = None

    @property
    def status(self) -> str:
        """Return ``Running``, ``Succeeded`` or ``Failed``."""
        self.step()
        return "Failed" if self._error is not None else "Succeeded" if self._built is not None else "Running"

    @property
    def built(self) -> Built | None:
        """Return what came of it, when it is ready."""
        self.step()
        return self._built

    @property
    def error(self) -> str | None:
        """Return why it failed, when it has."""
        self.step()
        return self._error

    def step(self) -> None:
        """Look how far it is, and begin what nobody else has begun."""
        if self._error is not None or self._built is not None:
            return
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                return
            self._process = None
            self._look_at_end(code)
        elif self.entry.is_building():
            return  # somebody else's: what comes of it is seen when it has ended
        elif not self._anew and (built := self.entry.built()) is not None:
            self._built = built
        elif not self._anew and self._failed_meanwhile():
            return
        else:
            self._start()

    def follow(
        self,
        write: Callable[[str], object],
        look: Callable[[Mapping[str, Any]], None] | None = None,
        tick: Callable[[], None] = lambda: None,
    ) -> Built:
        """Pass the build's log on until it has ended, and return what came of it.

        Parameters
        ----------
        write : callable
            Given the log's text, in portions.
        look : callable, optional
            Given how far it is (``stage``, ``text``), as often as that changes.
        tick : callable
            Called again and again; what it raises ends the following, and the build goes on.

        Raises
        ------
        UserErrorException
            When it cannot be built; says which package or file, and why.
        """
        begun: float | None = None
        told: Mapping[str, Any] | None = None
        log: IO[str] | None = None
        try:
            while True:
                status = self.status
                started = float((self.entry.builder() or {}).get("started") or 0)
                is_this = started >= self.began if self.is_own else status == "Running"
                if is_this and started != begun:
                    begun, log = started, _reopened(log, self.entry)
                if log is not None and (text := log.read()):
                    write(text)
                if status != "Running":
                    return self._result()
                progress = self.entry.progress()
                if look is not None and progress != told and self.entry.is_building():
                    told = progress
                    look(progress)
                tick()
                time.sleep(_PAUSE)
        finally:
            if log is not None:
                log.close()

    def _start(self) -> None:
        self._process = start_builder(self.entry, self.recipe.as_dict(), self._variables, self._anew)
        if self._process is not None:
            self.is_own = True
            self._builders += 1
            # reaped also where nobody follows it to its end
            threading.Thread(target=self._process.wait, name="aml-builder", daemon=True).start()

    def _look_at_end(self, code: int) -> None:
        failure = self.entry.failure()
        built = self.entry.built()
        if code == 0 and built is not None:
            self._built = built
        elif failure is not None and float(failure.get("time") or 0) >= self.began:
            self._error = str(failure.get("message"))
        elif self._builders >= MOST_BUILDERS:
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            self._error = f"its build was ended {self._builders} times ({how}); the machine may be out of memory"

    def _failed_meanwhile(self) -> bool:
        failure = self.entry.failure()
        if failure is not None and float(failure.get("time") or 0) >= self.began:
            self._error = str(failure.get("message"))
        return self._error is not None

    def _result(self) -> Built:
        if self._built is not None:
            return self._built
        raise UserErrorException(
            f"The environment ({self.recipe.title}) could not be built: {self._error} (log: {self.entry.log})",
            "environment",
        )


def _reopened(log: IO[str] | None, entry: Entry) -> IO[str] | None:
    if log is not None:
        log.close()
    try:
        return open(entry.log, encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
