"""Read what a run has left: its logs, the bodies of its charts, its datasets."""

import json
import os
import time
from typing import Any, Dict, List, Optional

from .. import protocol
from .artifacts import copy_to

__all__ = ["NoDatasets", "copy_logs", "own_logs", "populated", "utc", "with_logs"]

_ADDRESS = "aml://artifactId/"


class NoDatasets(Dict[str, Any]):
    """Be the datasets of a run that can have none yet."""

    def __missing__(self, name: str) -> Any:
        raise KeyError(
            "dataset %r: datasets are not built yet in aml-jupyter. Pass a path as an argument of the script" % (name,)
        )


def own_logs(control: str) -> Dict[str, str]:
    """Return the log of the run whose control folder is `control`, where there is one."""
    path = os.path.join(control, protocol.LOG)
    return {protocol.LOG.replace(os.sep, "/"): path} if os.path.isfile(path) else {}


def with_logs(details: Dict[str, Any]) -> Dict[str, Any]:
    """Return a run's details with the text of each log in place of its path."""
    texts = {}
    for name, path in details["logFiles"].items():
        with open(path, "rb") as stream:
            texts[name] = stream.read().decode("utf-8", "replace")
    return dict(details, logFiles=texts)


def copy_logs(details: Dict[str, Any], folder: str) -> List[str]:
    """Copy a run's logs below `folder` and return where they went."""
    found = []
    for name, path in details["logFiles"].items():
        target = os.path.join(folder, *name.split("/"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as stream:
            copy_to(path, stream)
        found.append(target)
    return found


def populated(run: Any, metrics: Dict[str, Any], recursive: bool) -> Dict[str, Any]:
    """Return `metrics` with the body of each typed chart in place of its file's address."""
    if recursive:
        runs = {run.id: run}
        runs.update((child.id, child) for child in run.get_children(recursive=True))
        return {run_id: populated(runs[run_id], found, False) for run_id, found in metrics.items()}
    return {name: _body(run, value) for name, value in metrics.items()}


def _body(run: Any, value: Any) -> Any:
    if isinstance(value, list):
        return [_body(run, item) for item in value]
    if not isinstance(value, str) or not value.startswith(_ADDRESS):
        return value
    name = value[len(_ADDRESS) :].split("/", 2)[2]
    if name.lower().endswith((".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tiff", ".svg", ".webp")):
        return value
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "body")
        run.download_file(name, path)
        with open(path, "rb") as stream:
            try:
                return json.loads(stream.read().decode("utf-8"))
            except ValueError:
                return value


def utc(seconds: Optional[float]) -> Optional[str]:
    """Return Unix seconds as SDK v1 writes a time."""
    if seconds is None:
        return None
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".%06dZ" % (seconds % 1 * 1e6)
