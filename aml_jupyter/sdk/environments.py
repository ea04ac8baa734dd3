"""Own what SDK v1 returns from `Environment.build`, and the environment of a run."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from aml_jupyter.environments import Build, begin_build, submitter
from aml_jupyter.errors import UserErrorException
from aml_jupyter.service import find_registered, recipe_of
from aml_jupyter.workspace import read_definition

if TYPE_CHECKING:
    from aml_jupyter.config import Environment
    from aml_jupyter.workspace import RunRecord, WorkspaceFolder

__all__ = ["ImageBuildDetails", "environment_of", "told"]

NOTHING = "Nothing is built for this environment: it uses a Python that is there already."


class ImageBuildDetails:
    """Stand for a build that goes on, or that has ended; SDK v1's name, though most builds make no image.

    Parameters
    ----------
    build : Build, optional
        The build; None when there is nothing to build.
    """

    def __init__(self, build: Build | None) -> None:
        self._build = build

    @classmethod
    def begin(cls, folder: WorkspaceFolder, environment: Environment) -> ImageBuildDetails:
        """Begin to build an environment, registered or not.

        Raises
        ------
        UserErrorException
            When it asks for what cannot be had.
        """
        if environment.is_reference:
            environment = told(find_registered(folder, environment.name or "", environment.version))
        who = submitter()
        recipe = recipe_of(environment, who)
        return cls(None if recipe is None else begin_build(recipe, who))

    @property
    def status(self) -> str:
        """Return ``Running``, ``Succeeded`` or ``Failed``."""
        return "Succeeded" if self._build is None else self._build.status

    @property
    def log_path(self) -> str | None:
        """Return the file of the build's log."""
        return None if self._build is None else str(self._build.entry.log)

    def wait_for_completion(self, show_output: bool = True) -> None:
        """Wait until the build has ended.

        Parameters
        ----------
        show_output : bool
            Print the build's log as it grows.

        Raises
        ------
        UserErrorException
            When it cannot be built; says which package or file, and why.
        """
        if self._build is None:
            if show_output:
                print(NOTHING)
            return
        built = self._build.follow(_write if show_output else _nothing)
        if show_output:
            print(f"Environment {self._build.entry.key} is ready: {built.facts.get('image') or built.prefix}")

    def __repr__(self) -> str:
        return f"ImageBuildDetails(status={self.status!r}, log_path={self.log_path!r})"


def environment_of(folder: WorkspaceFolder, record: RunRecord) -> Environment:
    """Return the environment that a run was submitted with.

    Raises
    ------
    UserErrorException
        For a run that was not submitted.
    """
    from aml_jupyter.config import Environment

    if record.in_process:
        raise UserErrorException(f"Run {record.id} was not submitted; it has the Python of its own process.", "run")
    return Environment.from_dict(read_definition(folder.layout, record.id)["run_config"]["environment"])


def told(found: tuple[Environment, tuple[str, ...]]) -> Environment:
    """Return an environment after telling the person what is to be said about it."""
    environment, notes = found
    for note in notes:
        logging.getLogger("aml_jupyter").warning("%s", note)
    return environment


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _nothing(_: str) -> None:
    pass
