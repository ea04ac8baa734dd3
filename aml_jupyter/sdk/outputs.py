"""Fetch the values that a run's cell brought back: unpickled here, in the caller's process, and nowhere else.

Only when the caller asks, only for a run that this workspace submitted, and only when their hash is the one that the run
wrote down.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from typing import Any

from aml_jupyter.errors import ExperimentExecutionException, UserErrorException
from aml_jupyter.workspace import RunRecord, WorkspaceFolder

__all__ = ["load_outputs"]


def load_outputs(folder: WorkspaceFolder, run: RunRecord) -> dict[str, Any]:
    """Return the values that the cell of `run` brought back, by name.

    Raises
    ------
    UserErrorException
        When the run is no cell, or brings nothing back.
    ExperimentExecutionException
        When the values are not there, or are not the bytes that the run wrote.
    """
    wanted = (run.definition.get("cell") or {}).get("outputs") or []
    if run.kind != "cell" or not wanted:
        raise UserErrorException(f"Run {run.id} brings no values back: submit a cell with -o NAMES.", "outputs")
    values = folder.layout.run(run.id).attempt(run.attempt).control / "values"
    try:
        described = json.loads((values / "outputs.json").read_bytes())
        pickled = (values / "outputs.pkl").read_bytes()
    except FileNotFoundError as error:
        raise ExperimentExecutionException(
            f"Run {run.id} is {run.status} and has left no values ({error.filename} is not there)."
        ) from None
    digest = hashlib.sha256(pickled).hexdigest()
    if digest != described.get("sha256"):
        raise ExperimentExecutionException(
            f"The values of run {run.id} are not what the run wrote (their hash is {digest[:12]}, "
            f"not {str(described.get('sha256'))[:12]}); they were not read. They lie in {values}."
        )
    loaded = pickle.loads(pickled)
    if not isinstance(loaded, dict):
        raise ExperimentExecutionException(f"The values of run {run.id} are no dictionary; they lie in {values}.")
    return loaded
