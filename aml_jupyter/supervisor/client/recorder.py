"""Let a run say things about itself: metrics, tags, properties, files, progress.

`Recorder` knows SDK v1's methods and rules; where the events go is its sink's matter (`sinks`): the events file of a
submitted run, the memory of an offline one.
"""

import os
import time
import warnings
from io import BytesIO
from typing import Any, Dict, List, Optional, Union

from .artifacts import Source, artifact_name, check_file, files_below, image_kind
from .charts import chart_body
from .errors import UserErrorException
from .run import Run
from .sinks import Sink
from .values import column_lengths, is_list, metric_name, refuse_list, scalar, scalars, text_of

__all__ = ["Recorder"]

_QUICK = (float, int)


class Recorder(Run):
    """Offer what SDK v1's ``Run`` offers to the script that it belongs to."""

    _sink: Sink
    _owner: Optional[str] = None  # id of the in-process child run; None for the run itself

    def log(self, name: str, value: Any, description: str = "", step: Optional[float] = None) -> None:
        """Log one value of the metric `name`; repeated calls make a series.

        Parameters
        ----------
        name : str
            Name of the metric.
        value : float, int, str, bool, None or a NumPy scalar
            The value; not-a-number and infinity are kept. Anything else is kept as its ``repr()``.
        description : str
            Accepted as in SDK v1, and not kept.
        step : int or float, optional
            Where on the x axis the value belongs.

        Raises
        ------
        UserErrorException
            When `value` is a list, range or generator.
        """
        if type(value) not in _QUICK:
            refuse_list(value)
        self._sink.metric(name, value, step, self._owner)

    def log_list(self, name: str, value: Any, description: str = "") -> None:
        """Log the items of the iterable `value` as values of the metric `name`; an empty one logs nothing."""
        items = scalars(name, value)
        if items:
            self._event("list", n=metric_name(name), v=items)

    def log_row(self, name: str, description: Optional[str] = None, **kwargs: Any) -> None:
        """Add a row, one scalar for each column, to the table `name`."""
        for column, value in kwargs.items():
            if is_list(value):
                raise UserErrorException(
                    "run.log_row(%r, %s=...) got a list: a row holds one scalar for each column. Use run.log_table"
                    % (name, column)
                )
        if kwargs:
            self._event("row", n=metric_name(name), v={column: scalar(value) for column, value in kwargs.items()})

    def log_table(self, name: str, value: Dict[str, Any], description: str = "") -> None:
        """Log the table `value`, a mapping of column names to scalars or to lists of one length."""
        if not isinstance(value, dict):
            raise UserErrorException(
                "run.log_table(%r, ...) got %s: expected a dict of column name to scalar or list" % (name, type(value))
            )
        columns = {}
        for column, cells in value.items():
            listed = is_list(cells) or isinstance(cells, tuple) or hasattr(cells, "tolist")
            columns[str(column)] = scalars(name, cells) if listed and hasattr(cells, "__iter__") else scalar(cells)
        lengths = column_lengths(columns)
        if len(set(lengths.values())) > 1:
            raise UserErrorException(
                "run.log_table(%r, ...): the columns have different lengths (%s)"
                % (name, ", ".join("%s: %d" % item for item in sorted(lengths.items())))
            )
        if columns:
            self._event("table", n=metric_name(name), v=columns)

    def log_image(self, name: str, path: Optional[str] = None, plot: Any = None, description: str = "") -> None:
        """Log an image: the file at `path`, or what ``plot.savefig`` draws (matplotlib's pyplot or a figure).

        Raises
        ------
        UserErrorException
            When both or none are given, or the file is not an image.
        """
        if (path is None) == (plot is None):
            raise UserErrorException("run.log_image(%r, ...): give either path or plot" % (name,))
        metric_name(name)
        if path is not None:
            text = check_file(path)
            image_kind(text)
            artifact = artifact_name(text if _is_inside(text) else os.path.basename(text))
            self._upload(artifact, text)
        else:
            if not hasattr(plot, "savefig"):
                raise UserErrorException(
                    "run.log_image(%r, plot=%s): expected an object with savefig, such as matplotlib.pyplot or a Figure"
                    % (name, type(plot).__name__)
                )
            drawn = BytesIO()
            plot.savefig(drawn, format="png")
            drawn.seek(0)
            artifact = self._free_name(artifact_name("%s_%d.png" % (name, time.time())))
            self._upload(artifact, drawn)
        self._event("image", n=metric_name(name), a=artifact)

    def log_confusion_matrix(self, name: str, value: Union[str, Dict[str, Any]], description: str = "") -> None:
        """Log a confusion matrix: a dict, or its JSON, with ``class_labels`` and ``matrix`` in its ``data``.

        Raises
        ------
        UserErrorException
            When `value` is not JSON, or not a whole chart of this kind (see `charts.chart_body`).
        """
        self._log_chart("confusion_matrix", name, value)

    def log_accuracy_table(self, name: str, value: Union[str, Dict[str, Any]], description: str = "") -> None:
        """Log the counts behind ROC and precision-recall curves; `value` is checked as `log_confusion_matrix` does."""
        self._log_chart("accuracy_table", name, value)

    def log_residuals(self, name: str, value: Union[str, Dict[str, Any]], description: str = "") -> None:
        """Log a histogram of residuals; `value` is checked as `log_confusion_matrix` does."""
        self._log_chart("residuals", name, value)

    def log_predictions(self, name: str, value: Union[str, Dict[str, Any]], description: str = "") -> None:
        """Log binned predictions with their errors; `value` is checked as `log_confusion_matrix` does."""
        self._log_chart("predictions", name, value)

    def _log_chart(self, kind: str, name: str, value: Any) -> None:
        body = chart_body(kind, name, value)
        artifact = artifact_name(metric_name(name))
        self._upload(artifact, BytesIO(text_of(body).encode("utf-8")))
        self._event("chart", n=metric_name(name), type=kind, a=artifact)

    def tag(self, key: str, value: Any = None) -> None:
        """Set the tag `key`; without a value it is empty."""
        self._event("tag", k=_text("tag", key), v="" if value is None else _text("tag", value))

    def set_tags(self, tags: Dict[str, Any]) -> None:
        """Set the tags of the mapping `tags`; others stay."""
        for key, value in dict(tags).items():
            self._event("tag", k=_text("tag", key), v="" if value is None else _text("tag", value))

    def remove_tags(self, tags: Any) -> None:
        """Remove the tags whose keys are in the list `tags` (one key as text will do)."""
        for key in [tags] if isinstance(tags, str) else list(tags):
            self._event("tag", k=str(key), v=None)

    def add_properties(self, properties: Dict[str, Any]) -> None:
        """Add properties, which cannot be changed once they are set.

        Raises
        ------
        UserErrorException
            When one is set to another value already; none is added then.
        """
        wanted = {}
        for key, value in dict(properties).items():
            wanted[_text("property", key)] = _text("property", value)
        known = self.get_properties()
        for key, value in wanted.items():
            if known.get(key, value) != value:
                raise UserErrorException(
                    "property %r is %r and cannot be changed to %r: properties are immutable. Use a tag"
                    % (key, known[key], value)
                )
        for key, value in wanted.items():
            if key not in known:
                self._event("property", k=key, v=value)

    def upload_file(self, name: str, path_or_stream: Source, datastore_name: Optional[str] = None) -> None:
        """Keep a copy of a file, or of what an open stream holds, as the run's artifact `name`.

        Raises
        ------
        UserErrorException
            When the name is not a relative path, or the file is not there.
        AmlError
            When the copy cannot be written.
        """
        _refuse_datastore(datastore_name)
        artifact = artifact_name(name)
        self._upload(artifact, path_or_stream if hasattr(path_or_stream, "read") else check_file(path_or_stream))

    def upload_files(
        self,
        names: List[str],
        paths: List[str],
        return_artifacts: bool = False,
        timeout_seconds: Optional[float] = None,
        datastore_name: Optional[str] = None,
    ) -> None:
        """Keep copies of the files at `paths` as the artifacts `names`; all are checked before the first is copied."""
        _refuse_datastore(datastore_name)
        if len(names) != len(paths):
            raise TypeError(
                "upload_files: names and paths must be of the same length, got %d and %d" % (len(names), len(paths))
            )
        checked = [(artifact_name(name), check_file(path)) for name, path in zip(names, paths)]
        for artifact, path in checked:
            self._upload(artifact, path)

    def upload_folder(self, name: str, path: str, datastore_name: Optional[str] = None) -> None:
        """Keep copies of all files below the folder `path` as artifacts below `name`."""
        _refuse_datastore(datastore_name)
        prefix = artifact_name(name) + "/" if str(name) not in ("", ".") else ""
        for inner, file in list(files_below(path)):
            self._upload(artifact_name(prefix + inner), file)

    def progress(self, done: float, total: Optional[float] = None, unit: str = "", message: str = "") -> None:
        """Say how far the run is, for example ``run.progress(3, 10, "epoch")`` (SDK v1 has no such method)."""
        fields: Dict[str, Any] = {"v": scalar(done), "of": scalar(total), "u": str(unit)}
        if message:
            fields["m"] = str(message)
        self._event("progress", **fields)

    def flush(self, timeout_seconds: float = 300) -> None:
        """Return when what was logged is out of this process; it is so already unless the disk was full."""
        self._sink.flush()

    def _event(self, kind: str, **fields: Any) -> None:
        self._sink.event(kind, self._owner, fields)

    def _upload(self, name: str, source: Source) -> None:
        size = self._sink.keep(name, source)
        self._event("artifact", n=name, p=name, size=size)

    def _free_name(self, name: str) -> str:
        """Return `name`, numbered when this run has an artifact of that name."""
        base, extension = os.path.splitext(name)
        number, free = 1, name
        while self._sink.holds(free):
            number += 1
            free = "%s_%d%s" % (base, number, extension)
        return free


def _text(what: str, value: Any) -> str:
    """Return `value` as text, with a warning at the line that called our caller when it is not."""
    if isinstance(value, str):
        return value
    warnings.warn("%s %r is not a string: str() of it is kept" % (what, value), UserWarning, stacklevel=3)
    return str(value)


def _is_inside(path: str) -> bool:
    return not os.path.isabs(path) and ".." not in path.replace("\\", "/").split("/")


def _refuse_datastore(name: Optional[str]) -> None:
    if name is not None:
        raise UserErrorException("datastore_name=%r: datastores are not built yet; leave it out" % (name,))
