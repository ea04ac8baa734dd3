"""Own the list of what happened in a workspace: the durable stream of events."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aml_jupyter.views.formats import iso_time, json_value
from aml_jupyter.views.text import Column
from aml_jupyter.views.view import TableView
from aml_jupyter.workspace import events_since

if TYPE_CHECKING:
    from aml_jupyter.workspace import WorkspaceFolder
    from aml_jupyter.workspace.records import EventRecord

__all__ = ["EventRow", "event_rows"]

COLUMNS = (
    Column("id", right=True),
    Column("time"),
    Column("kind"),
    Column("subject", least=20),
    Column("data", least=16),
)


@dataclass(frozen=True)
class EventRow:
    """Describe one event."""

    event: EventRecord

    def as_json(self) -> dict[str, Any]:
        """Return id, time, kind, subject and data."""
        event = self.event
        return {
            "id": event.id,
            "time": iso_time(event.time),
            "kind": event.kind,
            "subject": event.subject,
            "data": json_value(event.data),
        }

    def cells(self) -> tuple[str, ...]:
        """Return one text for each column."""
        event = self.event
        return str(event.id), iso_time(event.time) or "", event.kind, event.subject, json.dumps(event.data)


def event_rows(folder: WorkspaceFolder, since: int = 0, limit: int = 1000) -> TableView[EventRow]:
    """Return up to `limit` events after the one with the id `since`, the oldest first."""
    rows = tuple(EventRow(event) for event in events_since(folder.store.read(), since, limit))
    return TableView(rows, COLUMNS, "nothing happened")
