"""Hold what the service remembers of a run between two looks: nothing that cannot be read again from disk."""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from aml_jupyter.targets import Handle, Observation, Target
from aml_jupyter.workspace import RunRecord

__all__ = ["ActiveRun", "Ending"]


@dataclass
class Ending:
    """Say what has to be written when an attempt is over."""

    result: dict[str, Any]
    index: bool
    """True when the list of its files is still to be written, with its last state."""


@dataclass
class ActiveRun:
    """Remember a run that takes up room on a target."""

    run: RunRecord
    handle: Handle
    backend: Target
    starting: Future[None] | None = None
    ending: Future[Ending] | None = None
    started_at: float = field(default_factory=time.monotonic)
    starts: int = 0
    seen: Observation | None = None
    cancel_sent: bool = False
    offsets: dict[str, int] = field(default_factory=dict)
    shrunken: set[str] = field(default_factory=set)
    unreadable: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)
    busy: dict[str, Future[None]] = field(default_factory=dict)
    finalizing_shown: bool = False
    """True when the state Finalizing was committed on its own, because the ending takes long."""
    slots_freed: bool = False
    """True when the attempt is over and its slots were let go of."""
    end_again_at: float = 0.0
    """When an ending that failed is tried again (`time.monotonic`)."""
