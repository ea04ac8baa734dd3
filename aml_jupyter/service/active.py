"""Hold what the service remembers of a run between two looks: nothing that cannot be read again from disk."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from aml_jupyter.environments import Hold
from aml_jupyter.targets import Handle, Observation, Target
from aml_jupyter.workspace import RunRecord

__all__ = ["ActiveRun", "Ending", "Full", "Preparation"]


@dataclass
class Ending:
    """Say what has to be written when an attempt is over."""

    result: dict[str, Any]
    index: bool
    """True when the list of its files is still to be written, with its last state."""
    empty: frozenset[str] = frozenset()
    """Folders of the attempt that are known to hold no file."""
    note: str = ""
    """What is missing from the run history, and why."""


@dataclass(frozen=True)
class Full:
    """Remember that a target had no room for the first in line."""

    first: str
    obstacle: str
    since: float
    """When that was found (`time.monotonic`)."""


@dataclass
class Preparation:
    """Remember how the environment of an attempt is coming along."""

    since: float
    """When the attempt was claimed (Unix seconds): a build that failed before that is no reason to give up."""
    build: float | None = None
    """When the build began whose log is being copied (Unix seconds)."""
    builders: int = 0
    own: bool = False
    """True when this service began the build for this very run."""


@dataclass
class ActiveRun:
    """Remember a run that takes up room on a target."""

    run: RunRecord
    handle: Handle
    backend: Target
    starting: Future[None] | None = None
    preparation: Preparation | None = None
    hold: Hold | None = None
    """Keeps the environment from being collected until the supervisor holds it, too."""
    ending: Future[Ending] | None = None
    started_at: float = field(default_factory=time.monotonic)
    starts: int = 0
    seen: Observation | None = None
    cancel_sent: bool = False
    ahead_since: float | None = None
    """Since when it is claimed without room for it (`time.monotonic`); see `service/ahead.py`."""
    offsets: dict[str, int] = field(default_factory=dict)
    events_files: tuple[str, ...] = ()
    events_changed: int = -1
    """When a name was last added to the events folder (ns), as far as `events_files` knows."""
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
    end_tries: int = 0
    """How often its ending failed for an error of this machine's."""
    listed_again_at: float = 0.0
    """When its files are listed again while it runs (`time.monotonic`)."""
    listing_pause: float = 0.0
    """Seconds between the last two looks at its files."""
    listing: threading.Lock = field(default_factory=threading.Lock)
    """Held while its files are listed."""
    is_over: bool = False
    """True when its end has begun, which lists its files for the last time."""
    failures: int = 0
    """How many unexpected errors there were with this run (see `service/isolation.py`)."""
    failure: Exception | None = None
    again_at: float = 0.0
    """When a run with unexpected errors is looked at again (`time.monotonic`)."""
    ingest_again_at: float = 0.0
    """When events that could not be taken in are tried again (`time.monotonic`)."""
