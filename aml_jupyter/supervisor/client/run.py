"""Be a run, any run of the workspace, inside a run: a handle that asks the service.

The run that a script belongs to, and its in-process children, extend it (`own`), as does the offline run (`offline`).
"""

import os
from typing import Any, Dict, List, Optional, Union

from . import reading
from .about import About
from .artifacts import copy_to
from .errors import RunEnvironmentException, UserErrorException
from .requests import Requests
from .unbuilt import refuse_attribute
from .waiting import wait_until_final
from .workspace import Experiment

__all__ = ["Run", "get_run"]


class Run(About):
    """Be the run with the id `run_id`.

    Parameters
    ----------
    experiment : Experiment or None
        Its experiment; None asks the service when it is needed.
    run_id : str
        Its id.
    """

    def __init__(self, experiment: Optional[Experiment], run_id: str, **kwargs: Any) -> None:
        self._experiment = experiment
        self._id = run_id

    @staticmethod
    def get_context(allow_offline: bool = True, used_for_context_manager: bool = False, **kwargs: Any) -> "Run":
        """Return the run that this process belongs to, one object per process and run.

        Raises
        ------
        RunEnvironmentException
            When the process is not a submitted run and `allow_offline` is False.
        """
        from .context import get_context

        return get_context(allow_offline)

    @staticmethod
    def get_submitted_run(**kwargs: Any) -> "Run":
        """Return the submitted run that this process belongs to (SDK v1's old name)."""
        return Run.get_context(allow_offline=False)

    @staticmethod
    def get(workspace: Any, run_id: str) -> "Run":
        """Return the run `run_id` of the workspace; it has to exist."""
        run = Run(None, run_id)
        run._fields()
        return run

    @staticmethod
    def add_type_provider(runtype: str, run_factory: Any) -> None:
        """Accept what an installed azureml-core registers when it is imported; every run is a `Run` here."""

    @property
    def id(self) -> str:
        """Return the run's id."""
        return self._id

    @property
    def experiment(self) -> Experiment:
        """Return the run's experiment."""
        if self._experiment is None:
            self._experiment = Experiment(name=str(self._fields()["experiment"]))
        return self._experiment

    @property
    def parent(self) -> Optional["Run"]:
        """Return the parent run, or None."""
        return self._find_parent()

    @property
    def number(self) -> Optional[int]:
        """Return the run's number in its experiment."""
        return self._find_number()

    @property
    def type(self) -> str:
        """Return the run's type."""
        return str(self._fields().get("type") or "azureml.scriptrun")

    @property
    def display_name(self) -> str:
        """Return the run's display name."""
        return self._find_display_name()

    @property
    def name(self) -> str:
        """Return the run's display name."""
        return self.display_name

    @property
    def status(self) -> str:
        """Return the run's state."""
        return self.get_status()

    @property
    def tags(self) -> Dict[str, str]:
        """Return the run's tags."""
        return self.get_tags()

    @property
    def properties(self) -> Dict[str, str]:
        """Return the run's properties."""
        return self.get_properties()

    def get_status(self) -> str:
        """Return the run's state."""
        return str(self._fields()["status"])

    def get_tags(self) -> Dict[str, str]:
        """Return the run's tags."""
        return dict(self._fields().get("tags") or {})

    def get_properties(self) -> Dict[str, str]:
        """Return the run's properties."""
        return dict(self._fields().get("properties") or {})

    def tag(self, key: str, value: Any = None) -> None:
        """Set a tag of the run."""
        self.set_tags({key: value})

    def set_tags(self, tags: Dict[str, Any]) -> None:
        """Set the tags of the mapping `tags`; others stay."""
        texts = {str(key): "" if value is None else str(value) for key, value in dict(tags).items()}
        self._ask("set_tags", tags=texts)

    def remove_tags(self, tags: Any) -> None:
        """Remove the tags whose keys are in the list `tags`."""
        self._ask("set_tags", tags={str(key): None for key in ([tags] if isinstance(tags, str) else tags)})

    def get_metrics(
        self,
        name: Optional[str] = None,
        recursive: bool = False,
        run_type: Optional[str] = None,
        populate: bool = False,
    ) -> Dict[str, Any]:
        """Return the metrics: a single value as a scalar, several as a list, a table as its columns.

        Parameters
        ----------
        name : str, optional
            This metric only; an unknown name gives an empty dict.
        recursive : bool
            Whether to return {run id: metrics} for the run and all runs below it.
        populate : bool
            Whether a typed chart is its body, in place of the address of its file.
        """
        found = dict(self._ask("get_metrics", name=name, recursive=recursive))
        return reading.populated(self, found, recursive) if populate else found

    def get_details(self) -> Dict[str, Any]:
        """Return what is known about the run under SDK v1's keys."""
        fields = self._fields()
        return {
            "runId": self._id,
            "target": fields.get("target"),
            "status": fields["status"],
            "startTimeUtc": reading.utc(fields.get("start_time")),
            "endTimeUtc": reading.utc(fields.get("end_time")),
            "properties": dict(fields.get("properties") or {}),
            "tags": dict(fields.get("tags") or {}),
            "inputDatasets": [],
            "outputDatasets": [],
            "runDefinition": fields.get("definition"),
            "logFiles": {name: self._place(path) for name, path in (fields.get("log_files") or {}).items()},
            "error": fields.get("error"),
        }

    def get_details_with_logs(self) -> Dict[str, Any]:
        """Return `get_details` with the text of each log in place of its path."""
        return reading.with_logs(self.get_details())

    def get_all_logs(self, destination: Optional[str] = None) -> List[str]:
        """Copy the run's logs below `destination` (``./assets/<run id>``) and return their paths."""
        return reading.copy_logs(self.get_details(), destination or os.path.join("assets", self._id))

    def get_secret(self, name: str) -> str:
        """Return the workspace's secret called `name`.

        Raises
        ------
        UserErrorException
            When there is none.
        """
        value = self.get_secrets([name])[name]
        if value is None:
            raise UserErrorException(
                "the workspace has no secret %r. Outside the run, Workspace.get_default_keyvault().set_secret(name, value) "
                "keeps one" % (name,)
            )
        return value

    def get_secrets(self, secrets: List[str]) -> Dict[str, Optional[str]]:
        """Return the workspace's secrets by name; None for one that there is not."""
        return dict(self._requests().ask("get_secrets", {"names": [str(name) for name in secrets]}))

    def register_model(
        self,
        model_name: str,
        model_path: Optional[str] = None,
        tags: Optional[Dict[str, str]] = None,
        properties: Optional[Dict[str, str]] = None,
        model_framework: Optional[str] = None,
        model_framework_version: Optional[str] = None,
        description: Optional[str] = None,
        **kwargs: Any,
    ) -> Any:
        """Register a file or folder of the run, such as ``outputs/model.pkl``, as the next version of a model.

        Files that are still in ``./outputs`` count as well. Without `model_path` it is `model_name`.

        Raises
        ------
        ModelException
            When the run has no such file; lists those it has.
        """
        from .model import Model, fields_of

        fields = fields_of(tags, properties, description, model_framework, model_framework_version)
        return Model._of(self._ask("register_model", name=model_name, path=model_path, **fields))

    def get_environment(self) -> Any:
        """Return the environment that the run was submitted with, under the name and version that it was saved as."""
        from .environment import environment_of

        return environment_of(self._id)

    @property
    def input_datasets(self) -> Dict[str, Any]:
        """Return the run's input datasets: none yet; a missing one says so."""
        return reading.NoDatasets()

    @property
    def output_datasets(self) -> Dict[str, Any]:
        """Return the run's output datasets: none yet; a missing one says so."""
        return reading.NoDatasets()

    def get_children(
        self,
        recursive: bool = False,
        tags: Union[str, Dict[str, str], None] = None,
        properties: Union[str, Dict[str, str], None] = None,
        type: Optional[str] = None,  # noqa: A002 - SDK v1's name
        status: Optional[str] = None,
        **kwargs: Any,
    ) -> List["Run"]:
        """Return the runs below this one."""
        found = self._ask(
            "get_children", recursive=recursive, tags=tags, properties=properties, type=type, status=status
        )
        return [Run(None, str(fields["id"])) for fields in found]

    def get_file_names(self) -> List[str]:
        """Return the names of the run's files."""
        return [str(name) for name in self._ask("list_files")]

    def download_file(self, name: str, output_file_path: Optional[str] = None, **kwargs: Any) -> None:
        """Copy the run's file `name` to `output_file_path`, a file or a folder, else to the current folder."""
        base = name.rstrip("/").split("/")[-1]
        target = os.fspath(output_file_path) if output_file_path else base
        if os.path.isdir(target):
            target = os.path.join(target, base)
        if os.path.dirname(target):
            os.makedirs(os.path.dirname(target), exist_ok=True)
        self._fetch(name, target)

    def download_files(
        self,
        prefix: Optional[str] = None,
        output_directory: Optional[str] = None,
        output_paths: Union[str, List[str], None] = None,
        batch_size: int = 100,
        append_prefix: bool = True,
        timeout_seconds: Optional[float] = None,
    ) -> None:
        """Copy the run's files below `prefix` to `output_directory`, or one by one to `output_paths`.

        Raises
        ------
        UserErrorException
            When the run has no such file.
        """
        start = prefix or ""
        names = [name for name in self.get_file_names() if name.startswith(start)]
        if not names:
            raise UserErrorException("run %s has no file whose name starts with %r" % (self._id, start))
        if output_paths is not None:
            targets = [output_paths] if isinstance(output_paths, str) else list(output_paths)
            if len(targets) != len(names):
                raise UserErrorException("output_paths has %d entries for %d files" % (len(targets), len(names)))
        else:
            cut = 0 if append_prefix else len(start)
            folder = os.fspath(output_directory) if output_directory else "."
            targets = [os.path.join(folder, *(name[cut:].strip("/") or name).split("/")) for name in names]
        for name, target in zip(names, targets):
            self.download_file(name, target)

    def wait_for_completion(
        self,
        show_output: bool = False,
        wait_post_processing: bool = False,
        raise_on_error: bool = True,
        timeout_seconds: Optional[float] = None,
    ) -> Dict[str, Any]:
        """Return `get_details` when the run has ended; the waiting run gives up its slot meanwhile.

        Parameters
        ----------
        show_output : bool
            Whether to print the states that the run goes through.
        raise_on_error : bool
            Whether a failed run raises.
        timeout_seconds : float, optional
            How long to wait at the most (SDK v1 has no bound).

        Raises
        ------
        ActivityFailedException
            When the run has failed.
        ExperimentExecutionException
            When it has not ended within `timeout_seconds`; it goes on.
        """
        wait_until_final(self._requests(), self._id, show_output, raise_on_error, timeout_seconds)
        return self.get_details()

    def cancel(self) -> None:
        """Ask the service to cancel the run."""
        self._ask("cancel")

    def _requests(self) -> Requests:
        from .context import current_requests

        requests = current_requests()
        if requests is None:
            raise RunEnvironmentException(
                "run %s cannot be asked for: this process is not a submitted run. Use Run of an installed aml-jupyter"
                % self._id
            )
        return requests

    def _ask(self, op: str, **args: Any) -> Any:
        requests = self._requests()
        return requests.ask(op, dict(args, id=self._id, after=requests.written()))

    def _fields(self) -> Dict[str, Any]:
        """Return what the service says about the run (RUN of ``protocol``)."""
        return dict(self._ask("get_run"))

    def _find_parent(self) -> Optional["Run"]:
        parent = self._fields().get("parent")
        return None if parent is None else Run(self._experiment, str(parent))

    def _find_number(self) -> Optional[int]:
        number = self._fields().get("number")
        return None if number is None else int(number)

    def _find_display_name(self) -> str:
        return str(self._fields().get("display_name") or self._id)

    def _fetch(self, name: str, target: str) -> None:
        """Copy the run's file `name` to the path `target`."""
        where = self._place(str(self._ask("fetch_file", name=name)["path"]))
        with open(target, "wb") as stream:
            copy_to(where, stream)

    def _place(self, path: str) -> str:
        """Return a path that the service gave, which may be relative to the control folder."""
        return path if os.path.isabs(path) else os.path.join(self._requests().control, path)

    def __getattr__(self, name: str) -> Any:
        refuse_attribute("Run", name, type(self))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and other._id == self._id

    def __hash__(self) -> int:
        return hash(self._id)

    def __repr__(self) -> str:
        return "Run(Id: %s)" % self._id


def get_run(experiment: Any, run_id: str, rehydrate: bool = True, clean_up: bool = True) -> Run:
    """Return the run `run_id` (SDK v1's function of ``azureml.core.run``)."""
    return Run.get(None, run_id)
