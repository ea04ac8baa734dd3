"""Own the states of a run and of a compute target, and which of them may follow which.

The names are SDK v1's. The store refuses any transition that is not in these tables.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "ACTIVE",
    "FINAL",
    "PROVISIONING_TRANSITIONS",
    "RUN_STATES",
    "RUN_TRANSITIONS",
    "WAITING",
]

FINAL: Final = frozenset({"Completed", "Failed", "Canceled"})
"""Nothing leaves these."""

WAITING: Final = frozenset({"NotStarted", "Queued", "Paused"})
"""The run holds no slot and no process of it exists."""

ACTIVE: Final = frozenset(
    {"Preparing", "Provisioning", "Starting", "Running", "NotResponding", "CancelRequested", "Finalizing"}
)
"""The service has something to watch."""

RUN_TRANSITIONS: Final[dict[str, frozenset[str]]] = {
    "NotStarted": frozenset({"Queued", "Running", "CancelRequested", "Failed", "Canceled"}),
    "Queued": frozenset({"Preparing", "Provisioning", "Starting", "Paused", "CancelRequested", "Failed", "Canceled"}),
    "Paused": frozenset({"Queued", "CancelRequested", "Canceled", "Failed"}),
    "Preparing": frozenset({"Queued", "Provisioning", "Starting", "CancelRequested", "Failed", "Canceled"}),
    "Provisioning": frozenset({"Queued", "Preparing", "Starting", "CancelRequested", "Failed", "Canceled"}),
    "Starting": frozenset(
        {"Running", "Finalizing", "NotResponding", "Queued", "CancelRequested", "Failed", "Canceled"}
    ),
    "Running": frozenset(
        {"Finalizing", "NotResponding", "Queued", "CancelRequested", "Completed", "Failed", "Canceled"}
    ),
    "NotResponding": frozenset({"Running", "Finalizing", "Queued", "CancelRequested", "Failed", "Canceled"}),
    "CancelRequested": frozenset({"Finalizing", "Completed", "Failed", "Canceled"}),
    "Finalizing": frozenset({"Queued", "Completed", "Failed", "Canceled"}),
    "Completed": frozenset(),
    "Failed": frozenset(),
    "Canceled": frozenset(),
}
"""State -> the states that may follow it. A lost or retried attempt goes back to Queued, never through Failed."""

RUN_STATES: Final = tuple(RUN_TRANSITIONS)

PROVISIONING_TRANSITIONS: Final[dict[str, frozenset[str]]] = {
    "Creating": frozenset({"Succeeded", "Running", "Failed", "Canceled", "Deleting"}),
    "Updating": frozenset({"Succeeded", "Running", "Stopped", "Failed", "Canceled", "Deleting"}),
    "Succeeded": frozenset({"Updating", "Deleting"}),
    "Failed": frozenset({"Creating", "Updating", "Deleting"}),
    "Canceled": frozenset({"Creating", "Deleting"}),
    "Deleting": frozenset({"Failed"}),
    "Starting": frozenset({"Running", "Failed", "Stopping"}),
    "Running": frozenset({"Stopping", "Updating", "Deleting", "Failed"}),
    "Stopping": frozenset({"Stopped", "Failed"}),
    "Stopped": frozenset({"Starting", "Updating", "Deleting"}),
}
"""The same for a target's provisioning_state; a compute instance also has Starting, Running, Stopping, Stopped."""
