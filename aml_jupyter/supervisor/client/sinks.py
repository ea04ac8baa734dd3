"""Hold the two places that events go to: an attempt's control folder, or this process's memory."""

import atexit
import os
from typing import Any, Dict, Optional, Union

from .. import protocol
from .artifacts import Source, store_artifact
from .history import History, read_history
from .values import metric_name, scalar
from .writer import EventsWriter

__all__ = ["ControlSink", "MemorySink", "Sink"]


class ControlSink:
    """Write to the control folder of a submitted run's attempt."""

    def __init__(self, control: str, run_id: str) -> None:
        self.control = control
        self.run_id = run_id
        self._writer = EventsWriter(control)
        self.metric = self._writer.metric
        self.event = self._writer.event
        self.flush = self._writer.flush
        atexit.register(self._writer.close)

    def keep(self, name: str, source: Source) -> int:
        """Copy `source` into the attempt's artifacts and return its size in bytes."""
        return store_artifact(self.control, name, source)

    def holds(self, name: str) -> bool:
        """Tell whether this attempt has an artifact called `name`."""
        return os.path.exists(self.path_of(name))

    def path_of(self, name: str) -> str:
        """Return where the artifact `name` of this attempt is, or would be."""
        return os.path.join(self.control, protocol.ARTIFACTS, *name.split("/"))

    def history(self) -> History:
        """Return what all processes of the attempt have said so far."""
        self.flush()
        return read_history(self.control, self.run_id)


class MemorySink:
    """Keep everything in memory; of an uploaded file its path, of a stream its content."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.files: Dict[str, Union[str, bytes]] = {}
        self._history = History(run_id)

    def metric(self, name: str, value: Any, step: Optional[float], owner: Optional[str]) -> None:
        """Keep one value of the metric `name`."""
        self._history.add({"e": "metric", "n": metric_name(name), "v": scalar(value), "s": step, "r": owner})

    def event(self, kind: str, owner: Optional[str], fields: Dict[str, Any]) -> None:
        """Keep an event of any kind (see ``protocol``)."""
        self._history.add(dict(fields, e=kind, r=owner))

    def keep(self, name: str, source: Source) -> int:
        """Remember `source` as the artifact `name` and return its size in bytes."""
        if hasattr(source, "read"):
            data = source.read()
            content = data.encode("utf-8") if isinstance(data, str) else bytes(data)
            self.files[name] = content
            return len(content)
        path = os.path.abspath(source)
        self.files[name] = path
        return os.path.getsize(path)

    def holds(self, name: str) -> bool:
        """Tell whether there is an artifact called `name`."""
        return name in self.files

    def history(self) -> History:
        """Return what was said so far."""
        return self._history

    def flush(self) -> bool:
        """Do nothing: nothing leaves this process."""
        return True


Sink = Union[ControlSink, MemorySink]
