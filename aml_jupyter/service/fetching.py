"""Fetch outputs of a run that stayed on the machine where it ran."""

from __future__ import annotations

import os
from collections.abc import Collection

from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.targets import Handle
from aml_jupyter.targets.far_bulk import link_to
from aml_jupyter.targets.far_host import connection_to, credentials_of
from aml_jupyter.targets.far_kept import bring
from aml_jupyter.targets.far_line import Listener
from aml_jupyter.workspace import WorkspaceFolder, find_target, get_run
from aml_jupyter.workspace.files_there import files_there

__all__ = ["fetch_there"]


def fetch_there(folder: WorkspaceFolder, run_id: str, names: Collection[str] | None = None) -> list[str]:
    """Bring files of a run here that stayed on its machine, and return the names of those that came; most often there are none.

    Parameters
    ----------
    names : collection of str, optional
        Which of the run's files; all of them when left out.

    Raises
    ------
    ComputeTargetException
        When the machine is not attached any more, cannot be reached, or does not have a file any more.
    """
    wanted = [file for name, file in sorted(files_there(folder, run_id).items()) if names is None or name in names]
    if not wanted:
        return []
    run = get_run(folder.store.read(), run_id)
    target = wanted[0].target
    record = find_target(folder.store.read(), target)
    if record is None or record.type not in ("remote", "remotedocker"):
        raise ComputeTargetException(
            f"{wanted[0].name} of run {run.id} stayed on the machine that was attached as {target!r}, which it is not any more. "
            f"Attach it again by that name, then: aml run download {run.id}.",
            "target",
        )
    ssh = connection_to(record.settings, credentials_of(folder, record.name))
    ssh.connect()
    python, base = str(record.settings["python"]), str(record.settings["base_folder"])
    # A far side of its own: that of the service goes on.
    link = link_to(ssh, python, base, folder.id, f"{record.name}-fetch-{os.getpid()}", Listener())
    try:
        came = bring(
            link, Handle(target, run.id, run.attempt), folder.layout.run(run.id).attempt(run.attempt).path, wanted
        )
    finally:
        link.close()
    gone = [file.name for file in wanted if file.path not in came]
    if gone:
        raise ComputeTargetException(
            f"{', '.join(gone[:5])} of run {run.id} stayed on {target}, and is not there any more as it was: somebody "
            f"removed or changed it in {base}/outputs.",
            "name",
        )
    return [file.name for file in wanted]
