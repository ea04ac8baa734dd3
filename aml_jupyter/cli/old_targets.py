"""Tell what to do with a compute target that only a ``.compute`` file of 2017 knows."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from aml_jupyter.errors import ComputeTargetException

if TYPE_CHECKING:
    from aml_jupyter.config import RunConfiguration
    from aml_jupyter.workspace import WorkspaceFolder

__all__ = ["refuse_old_target"]


def refuse_old_target(folder: WorkspaceFolder, configuration: RunConfiguration, project: Path) -> None:
    """Refuse a target that the workspace does not have and the project's folder describes, and say how it is attached.

    Raises
    ------
    ComputeTargetException
        With the line that attaches it, or that its type is not here yet.
    """
    from aml_jupyter.config.compute_files import ENDING, read_compute_file
    from aml_jupyter.targets import kind_of
    from aml_jupyter.workspace import find_target

    name = configuration.target
    if not configuration.target_is_set or find_target(folder.store.read(), name) is not None:
        return
    path = project / "aml_config" / f"{Path(name).name}{ENDING}"
    if not path.is_file():
        return
    read = read_compute_file(path)
    if read.is_on_this_machine or read.type is None:
        return
    kind = kind_of(read.type)
    begun = f"ComputeTargetNotFound: {name!r} is not in workspace {folder.name!r}, and aml_config/{path.name} says what it was: "
    if not kind.built:
        said = f"targets of type {kind.type} are not here yet (aml compute kinds)."
    else:
        words = ["aml", "compute", "attach", "--name", name, "--type", kind.type]
        for option, value in (("--address", read.address), ("--username", read.username)):
            words += [option, value] if value else []
        said = f"attach it once with: {shlex.join(words)}"
    raise ComputeTargetException(begun + said, "target")
