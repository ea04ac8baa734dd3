"""Stand in for the workspace and the experiment inside a run: handles that ask the service."""

from typing import Any, Dict, List, Optional

from .errors import RunEnvironmentException, UserErrorException
from .requests import Requests
from .unbuilt import refuse_attribute

__all__ = ["Experiment", "Keyvault", "Workspace"]


class Workspace:
    """Be the workspace that the run belongs to.

    Parameters
    ----------
    subscription_id, resource_group : str, optional
        Accepted as in SDK v1; nothing needs them.
    workspace_name : str, optional
        When it is given, it has to be the name of the run's workspace.
    """

    def __init__(
        self,
        subscription_id: Optional[str] = None,
        resource_group: Optional[str] = None,
        workspace_name: Optional[str] = None,
        **kwargs: Any,
    ) -> None:
        from .context import current_requests

        self._fields: Optional[Dict[str, Any]] = None
        self._requests: Optional[Requests] = current_requests()
        if workspace_name is not None and workspace_name != self.name:
            raise UserErrorException(
                "workspace %r: a run reaches its own workspace only, which is %r" % (workspace_name, self.name)
            )

    @classmethod
    def from_config(cls, path: Optional[str] = None, auth: Any = None, **kwargs: Any) -> "Workspace":
        """Return the run's workspace, whatever a ``config.json`` says."""
        return cls()

    @classmethod
    def get(cls, name: str, auth: Any = None, *args: Any, **kwargs: Any) -> "Workspace":
        """Return the run's workspace, whose name has to be `name`."""
        return cls(workspace_name=name)

    @property
    def id(self) -> str:
        """Return the workspace's id."""
        return self._get("id")

    @property
    def name(self) -> str:
        """Return the workspace's name."""
        return self._get("name")

    @property
    def location(self) -> str:
        """Return the region that the workspace was given."""
        return self._get("location")

    @property
    def resource_group(self) -> str:
        """Return the resource group that the workspace was given."""
        return self._get("resource_group")

    @property
    def subscription_id(self) -> str:
        """Return the subscription id that the workspace was given."""
        return self._get("subscription_id")

    def get_details(self) -> Dict[str, Any]:
        """Return all that is known about the workspace."""
        self._get("id")
        return dict(self._fields or {})

    @property
    def models(self) -> Dict[str, Any]:
        """Return the newest version of each registered model, by name."""
        from .model import Model

        return {model.name: model for model in Model.list(self, latest=True)}

    def get_mlflow_tracking_uri(self) -> str:
        """Return where MLflow tracks inside a run: that run."""
        return "aml-run:"

    def get_default_keyvault(self) -> "Keyvault":
        """Return what reads the workspace's secrets."""
        return Keyvault()

    def _get(self, field: str) -> str:
        if self._fields is None:
            if self._requests is None:
                raise RunEnvironmentException(
                    "there is no workspace to ask: this process is not a submitted run. "
                    "Use Workspace of an installed aml-jupyter"
                )
            self._fields = dict(self._requests.ask("get_workspace", {}))
        return str(self._fields.get(field) or "")

    def __getattr__(self, name: str) -> Any:
        refuse_attribute("Workspace", name, type(self))

    def __repr__(self) -> str:
        return "Workspace(the one of this run)"


class Keyvault:
    """Read the workspace's secrets from inside a run; they are set outside."""

    def __init__(self, workspace: Any = None) -> None:
        pass

    def get_secret(self, name: str) -> str:
        """Return the secret called `name` (see `Run.get_secret`)."""
        from .context import get_context

        return get_context(allow_offline=False).get_secret(name)

    def get_secrets(self, secrets: List[str]) -> Dict[str, Optional[str]]:
        """Return secrets by name; None for one that there is not."""
        from .context import get_context

        return get_context(allow_offline=False).get_secrets(secrets)

    def __getattr__(self, name: str) -> Any:
        refuse_attribute("Keyvault", name, type(self))


class Experiment:
    """Be an experiment of the run's workspace, by name."""

    def __init__(self, workspace: Optional[Workspace] = None, name: str = "", **kwargs: Any) -> None:
        self._workspace = workspace
        self._name = name

    @property
    def name(self) -> str:
        """Return the experiment's name."""
        return self._name

    @property
    def id(self) -> str:
        """Return the experiment's id, which is its name."""
        return self._name

    @property
    def workspace(self) -> Workspace:
        """Return the run's workspace."""
        if self._workspace is None:
            self._workspace = Workspace()
        return self._workspace

    def __getattr__(self, name: str) -> Any:
        refuse_attribute("Experiment", name, type(self))

    def __repr__(self) -> str:
        return "Experiment(Name: %s)" % self._name
