"""Own `Keyvault`: the workspace's secrets under SDK v1's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from aml_jupyter.errors import UserErrorException
from aml_jupyter.workspace import check_secret_name, delete_secret, get_secret, set_secret

if TYPE_CHECKING:
    from aml_jupyter.sdk.workspace import Workspace

__all__ = ["Keyvault"]


class Keyvault:
    """Keep secrets of a workspace: in the system's keyring, or in files of mode 0600 where there is none.

    Parameters
    ----------
    workspace : Workspace
        The workspace.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def set_secret(self, name: str, value: str) -> None:
        """Keep one secret.

        Raises
        ------
        UserErrorException
            When the name is not 1 to 127 letters, digits and hyphens, or the value is no text.
        """
        if not isinstance(value, str):
            raise UserErrorException(
                f"The value of the secret {name!r} is no text but {type(value).__name__}.", "value"
            )
        set_secret(self.workspace.folder, check_secret_name(name), value)

    def set_secrets(self, secrets_batch: Mapping[str, str]) -> None:
        """Keep several secrets, by name."""
        for name in secrets_batch:
            check_secret_name(name)
        for name, value in secrets_batch.items():
            self.set_secret(name, value)

    def get_secret(self, name: str) -> str:
        """Return one secret.

        Raises
        ------
        UserErrorException
            When there is none of that name.
        """
        found = get_secret(self.workspace.folder, check_secret_name(name))
        if found is None:
            raise UserErrorException(f"There is no secret {name!r}; set_secret(name, value) keeps one.", "name")
        return found

    def get_secrets(self, secrets: Sequence[str]) -> dict[str, str | None]:
        """Return secrets by name; None for one that there is not."""
        return {name: get_secret(self.workspace.folder, check_secret_name(name)) for name in secrets}

    def delete_secret(self, name: str) -> None:
        """Forget one secret; nothing happens when there is none."""
        delete_secret(self.workspace.folder, check_secret_name(name))

    def delete_secrets(self, secrets_batch: Sequence[str]) -> None:
        """Forget several secrets."""
        for name in secrets_batch:
            self.delete_secret(name)

    def __repr__(self) -> str:
        return f"Keyvault({self.workspace!r})"
