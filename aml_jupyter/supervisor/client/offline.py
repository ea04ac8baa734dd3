"""Be a run outside any submitted run: the same calls work, and what was logged stays in memory."""

import os
import sys
import time
from typing import Any, Callable, Dict, List, Optional

from .artifacts import artifact_name, copy_to
from .errors import RunEnvironmentException, UserErrorException
from .own import InProcessRun
from .run import Run
from .sinks import MemorySink
from .workspace import Experiment, Workspace

__all__ = ["OfflineRun", "OfflineWorkspace", "workspace_factory"]

workspace_factory: List[Callable[[], Any]] = []
"""What makes the workspace of an offline run's experiment, once aml-jupyter's SDK put it here (the first counts)."""


class OfflineWorkspace(Workspace):
    """Be the workspace of an offline run where no SDK is loaded: a name, and nothing behind it."""

    def _get(self, field: str) -> str:
        return "offline" if field in ("id", "name") else ""

    def get_details(self) -> Dict[str, Any]:
        """Return the workspace's id and name."""
        return {"id": "offline", "name": "offline"}


class OfflineExperiment(Experiment):
    """Be the experiment of an offline run."""

    @property
    def workspace(self) -> Any:
        """Return the default workspace of an installed aml-jupyter, else an empty one."""
        return workspace_factory[0]() if workspace_factory else OfflineWorkspace()


class OfflineRun(InProcessRun):
    """Be the run of a script that nobody submitted, or a child of it."""

    def __init__(self, run_id: Optional[str] = None, parent: Optional["OfflineRun"] = None, sink: Any = None) -> None:
        from uuid import uuid4

        run_id = run_id or "OfflineRun_%s" % uuid4()
        InProcessRun.__init__(self, OfflineExperiment(name="offline"), run_id, sink or MemorySink(run_id), parent)
        self._started = time.time()
        self._ended_at: Optional[float] = None

    def child_run(
        self, name: Optional[str] = None, run_id: Optional[str] = None, outputs: Optional[str] = None
    ) -> "OfflineRun":
        """Start a child run, kept in memory, too."""
        child = OfflineRun(run_id, self, self._sink)
        self._event("child", id=child.id, op="start", n=name)
        return child

    def get_metrics(
        self,
        name: Optional[str] = None,
        recursive: bool = False,
        run_type: Optional[str] = None,
        populate: bool = False,
    ) -> Dict[str, Any]:
        """Return what was logged (see `Run.get_metrics`)."""
        return self._own_metrics(name, recursive, populate)

    def get_secrets(self, secrets: List[str]) -> Dict[str, Optional[str]]:
        """Return secrets of the default workspace of an installed aml-jupyter."""
        workspace = self.experiment.workspace
        if isinstance(workspace, OfflineWorkspace):
            raise RunEnvironmentException(
                "there is no workspace to ask for secrets: this process is not a submitted run, and aml-jupyter is not "
                "loaded in it. Submit the script, or import Run from aml_jupyter"
            )
        found: Dict[str, Optional[str]] = workspace.get_default_keyvault().get_secrets(list(secrets))
        return found

    def register_model(self, model_name: str, model_path: Optional[str] = None, *args: Any, **kwargs: Any) -> Any:
        """Register a file or folder of this machine in the default workspace of an installed aml-jupyter."""
        workspace = self.experiment.workspace
        if isinstance(workspace, OfflineWorkspace):
            raise RunEnvironmentException(
                "there is no workspace to register %r in: this process is not a submitted run, and aml-jupyter is not "
                "loaded in it. Submit the script, or import Run from aml_jupyter" % (model_name,)
            )
        return workspace._register_model(model_name, model_path or model_name, *args, **kwargs)

    def get_environment(self) -> Any:
        """Say that nobody has submitted this process with one."""
        raise UserErrorException(
            "run %s was not submitted: it has the Python of its own process, %s" % (self._id, sys.executable)
        )

    def get_file_names(self) -> List[str]:
        """Return the names of the files that were uploaded."""
        return sorted(self._sink.history().of(self._id).files)

    def get_children(self, *args: Any, **kwargs: Any) -> List[Run]:
        """Return the child runs, without those below them unless ``recursive=True``."""
        history = self._sink.history()
        recursive = bool(args[0] if args else kwargs.get("recursive", False))
        ids = history.subtree(self._id)[1:] if recursive else history.of(self._id).children
        return [OfflineRun(run_id, self, self._sink) for run_id in ids]

    def submit_child(
        self, config: Any, tags: Optional[Dict[str, str]] = None, display_name: Optional[str] = None, **kwargs: Any
    ) -> Run:
        """Refuse: nothing drives a child of an offline run."""
        raise RunEnvironmentException(
            "submit_child works only inside a submitted run, and this process is none. "
            "Submit with Experiment.submit, %%aml_submit or `aml submit`"
        )

    def complete(self, _set_status: bool = True) -> None:
        """End the run as completed."""
        self._finish("Completed")

    def cancel(self) -> None:
        """End the run as canceled."""
        self._finish("Canceled")

    def wait_for_completion(self, *args: Any, **kwargs: Any) -> Dict[str, Any]:
        """Return `get_details`: nothing goes on behind an offline run."""
        return self.get_details()

    def fail(self, error_details: Any = None, error_code: Any = None, _set_status: bool = True) -> None:
        """Record an error and end the run as failed."""
        InProcessRun.fail(self, error_details)
        self._finish("Failed")

    def _finish(self, status: str) -> None:
        self._end(status)
        self._sink.history().of(self._id).status = status
        self._ended_at = time.time()

    def _find_number(self) -> Optional[int]:
        return 1  # alone in its experiment

    def _fields(self) -> Dict[str, Any]:
        own = self._sink.history().of(self._id)
        return {
            "id": self._id,
            "parent": own.parent,
            "experiment": self.experiment.name,
            "display_name": own.display_name,
            "status": own.status,
            "tags": own.tags,
            "properties": own.properties,
            "start_time": self._started,
            "end_time": self._ended_at,
            "error": "\n".join(own.errors) or None,
            "target": "offline",
        }

    def _fetch(self, name: str, target: str) -> None:
        files = self._sink.files if isinstance(self._sink, MemorySink) else {}
        source = files.get(artifact_name(name))
        if source is None:
            known = ", ".join(self.get_file_names()) or "none"
            raise UserErrorException("run %s has no file %r; its files: %s" % (self._id, name, known))
        with open(target, "wb") as stream:
            if isinstance(source, bytes):
                stream.write(source)
            else:
                copy_to(os.fspath(source), stream)
