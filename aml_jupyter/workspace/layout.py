"""Own where everything lies inside a workspace's folder. Does no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from aml_jupyter.supervisor import protocol

__all__ = ["AttemptFolder", "Layout", "RunFolder"]


@dataclass(frozen=True)
class AttemptFolder:
    """Describe the folder of one start of a run: the script's working directory, and the control files beside it."""

    path: Path

    @cached_property
    def work(self) -> Path:
        """Return where the snapshot lies, which is the script's working directory."""
        return self.path / protocol.WORK

    @cached_property
    def control(self) -> Path:
        """Return where the supervisor's files lie (see `aml_jupyter.supervisor.protocol`)."""
        return self.path / protocol.CONTROL


@dataclass(frozen=True)
class RunFolder:
    """Describe the folder of one run."""

    path: Path

    @cached_property
    def definition(self) -> Path:
        """``run.json``, written before the acknowledging commit."""
        return self.path / "run.json"

    @cached_property
    def changes(self) -> Path:
        """``changes.jsonl``: what was changed from outside the run."""
        return self.path / "changes.jsonl"

    @cached_property
    def inputs(self) -> Path:
        """Return the folder of the values that were sent along with the run."""
        return self.path / "inputs"

    @cached_property
    def attempts(self) -> Path:
        """Return the folder that holds one folder for each attempt."""
        return self.path / "attempts"

    def attempt(self, number: int) -> AttemptFolder:
        """Return the folder of attempt `number`, counted from 1."""
        return _attempt_folder(self.attempts, number)


@dataclass(frozen=True)
class Layout:
    """Describe the paths of a workspace whose folder is `root`."""

    root: Path

    @property
    def identity(self) -> Path:
        """``workspace.json``: what makes the folder a workspace."""
        return self.root / "workspace.json"

    @property
    def database(self) -> Path:
        """Return the SQLite file."""
        return self.root / "aml.db"

    @property
    def numbers(self) -> Path:
        """``numbers.jsonl``: which run was given which number, in order."""
        return self.root / "numbers.jsonl"

    @property
    def service_lock(self) -> Path:
        """Held by the service for life."""
        return self.root / "service.lock"

    @property
    def creation_lock(self) -> Path:
        """Held while the database is created or migrated."""
        return self.root / ".create.lock"

    @property
    def journal(self) -> Path:
        """Return the file of what was changed from outside a run: targets, experiments, the default target."""
        return self.root / "journal.jsonl"

    @property
    def content(self) -> Path:
        """Return the content store."""
        return self.root / "content"

    @cached_property
    def runs(self) -> Path:
        """Return the folder that holds one folder for each run."""
        return self.root / "runs"

    @property
    def logs(self) -> Path:
        """Return the folder of the service's log."""
        return self.root / "logs"

    @property
    def secrets(self) -> Path:
        """Secrets, where there is no system keyring."""
        return self.root / "secrets"

    @property
    def models(self) -> Path:
        """Return the files of registered models: ``<name>/<version>/``."""
        return self.root / "models"

    @property
    def environments(self) -> Path:
        """Return the definitions of registered environments: ``<name>/<version>.json``."""
        return self.root / "environments"

    def run(self, run_id: str) -> RunFolder:
        """Return the folder of the run `run_id`."""
        return _run_folder(self.runs, run_id)


@lru_cache(maxsize=512)
def _run_folder(runs: Path, run_id: str) -> RunFolder:
    """Return the folder of a run; those that are under way are asked for all the time."""
    return RunFolder(runs / run_id)


@lru_cache(maxsize=512)
def _attempt_folder(attempts: Path, number: int) -> AttemptFolder:
    return AttemptFolder(attempts / str(number))
