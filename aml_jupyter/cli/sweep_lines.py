"""Own what a line that starts a sweep means, and what is said when it has ended."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from aml_jupyter.cli.common import config_says
from aml_jupyter.cli.notebooks import check_parameters
from aml_jupyter.cli.submit import line_request
from aml_jupyter.views.formats import number_text

if TYPE_CHECKING:
    from aml_jupyter.cli.door import Door
    from aml_jupyter.cli.parser import Arguments
    from aml_jupyter.config import ScriptRunConfig
    from aml_jupyter.config.sweeps import HyperDriveConfig
    from aml_jupyter.service import Submission
    from aml_jupyter.workspace import WorkspaceFolder

__all__ = ["read_sweep", "submit_sweep_line", "tell_best"]


def read_sweep(name: str, config: ScriptRunConfig) -> tuple[HyperDriveConfig, list[str]]:
    """Return the sweep that a file describes, and what is to be said about it.

    Parameters
    ----------
    name : str
        A path; or a file in the source directory's ``.azureml``, ``aml_config``, or itself.
    config : ScriptRunConfig
        What each child runs.

    Raises
    ------
    UserErrorException
        When there is no such file, more than one, or something in it is wrong.
    """
    from aml_jupyter.config.sweeps import HyperDriveConfig, find_hdconfig

    path = find_hdconfig(name, config.source_directory)
    said: list[str] = []
    with config_says(said.append):
        return HyperDriveConfig.load(path, run_config=config), said


def submit_sweep_line(arguments: Arguments, door: Door) -> tuple[WorkspaceFolder, Submission]:
    """Begin the sweep that a line asks for."""
    from aml_jupyter.config.sweeps import variable_names
    from aml_jupyter.service.sweeps import submit_sweep

    folder, request = line_request(arguments)
    sweep, said = read_sweep(arguments.sweep, request.config)
    if request.kind == "notebook":
        names = variable_names(sweep.hyperparameter_sampling.parameter_space)
        check_parameters(Path(str(request.config.source_directory), str(request.config.script)), list(names.values()))
    request = replace(request, notes=(*request.notes, *said))
    with door.progress(f"snapshot of {request.config.source_directory}", "bytes") as progress:
        return folder, submit_sweep(folder, sweep, replace(request, progress=progress))


def tell_best(folder: WorkspaceFolder, run_id: str, door: Door) -> None:
    """Write which child did best, with its parameters; say so where none has logged the primary metric."""
    from aml_jupyter.sdk import HyperDriveRun, Run, Workspace

    run = Run.get(Workspace(folder), run_id)
    assert isinstance(run, HyperDriveRun)
    metric = run.hyperdrive_config["primary_metric_config"]["name"]
    best = run.get_children_sorted_by_primary_metric(top=1, discard_no_metric=True)
    if not best:
        door.remark(f"no child has logged {metric}")
        return
    parameters = json.loads(best[0]["hyperparameters"])
    listed = "  ".join(f"{name} {value}" for name, value in parameters.items())
    door.write(f"best: {best[0]['run_id']}  {metric} = {number_text(best[0]['best_primary_metric'])}  {listed}\n")
