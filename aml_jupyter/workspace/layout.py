"""Own where everything lies inside a workspace's folder. Does no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aml_jupyter.supervisor import protocol

__all__ = ["AttemptFolder", "Layout", "RunFolder"]


@dataclass(frozen=True)
class AttemptFolder:
    """The folder of one start of a run: the script's working directory, and the control files beside it."""

    path: Path

    @property
    def work(self) -> Path:
        """The snapshot; the script's working directory."""
        return self.path / protocol.WORK

    @property
    def control(self) -> Path:
        """The supervisor's files (see `aml_jupyter.supervisor.protocol`)."""
        return self.path / protocol.CONTROL


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run."""

    path: Path

    @property
    def definition(self) -> Path:
        """``run.json``, written before the acknowledging commit."""
        return self.path / "run.json"

    @property
    def changes(self) -> Path:
        """``changes.jsonl``: what was changed from outside the run."""
        return self.path / "changes.jsonl"

    @property
    def inputs(self) -> Path:
        """Values sent along with the run."""
        return self.path / "inputs"

    @property
    def attempts(self) -> Path:
        """The folder that holds one folder for each attempt."""
        return self.path / "attempts"

    def attempt(self, number: int) -> AttemptFolder:
        """Return the folder of attempt `number`, counted from 1."""
        return AttemptFolder(self.attempts / str(number))


@dataclass(frozen=True)
class Layout:
    """The paths of a workspace whose folder is `root`."""

    root: Path

    @property
    def identity(self) -> Path:
        """``workspace.json``: what makes the folder a workspace."""
        return self.root / "workspace.json"

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.root / "aml.db"

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
        """What was changed from outside a run: targets, experiments, the default target."""
        return self.root / "journal.jsonl"

    @property
    def content(self) -> Path:
        """The content store."""
        return self.root / "content"

    @property
    def runs(self) -> Path:
        """One folder for each run."""
        return self.root / "runs"

    @property
    def logs(self) -> Path:
        """The service's log."""
        return self.root / "logs"

    @property
    def secrets(self) -> Path:
        """Secrets, where there is no system keyring."""
        return self.root / "secrets"

    @property
    def models(self) -> Path:
        """The files of registered models: ``<name>/<version>/``."""
        return self.root / "models"

    def run(self, run_id: str) -> RunFolder:
        """Return the folder of the run `run_id`."""
        return RunFolder(self.runs / run_id)
