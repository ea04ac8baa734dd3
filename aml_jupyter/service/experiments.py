"""Create experiments that no run has named yet."""

from __future__ import annotations

from aml_jupyter.workspace import ExperimentRecord, WorkspaceFolder, append_journal, find_experiment
from aml_jupyter.workspace import create_experiment as create_row

__all__ = ["create_experiment"]


def create_experiment(folder: WorkspaceFolder, name: str) -> ExperimentRecord:
    """Return the experiment called `name`, made when it is not there.

    Raises
    ------
    UserErrorException
        When the name cannot be used.
    """
    found = find_experiment(folder.store.read(), name)
    if found is not None:
        return found
    with folder.store.transaction() as tx:
        record = create_row(tx, name)
        append_journal(folder, {"op": "experiment", "name": record.name})
    return record
