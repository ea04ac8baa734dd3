"""Own what a line that starts a sweep means, and what is said when it has ended."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aml_jupyter.cli.common import config_says
from aml_jupyter.cli.notebooks import check_parameters
from aml_jupyter.cli.submit import line_request
from aml_jupyter.cli.sweep_options import SweepLine, sweep_line
from aml_jupyter.config.reading import Place
from aml_jupyter.config.sweeps import RandomParameterSampling, find_hdconfig, read_hdconfig, variable_names
from aml_jupyter.config.sweeps.line import is_space, read_policy_line, read_space_line
from aml_jupyter.config.sweeps.sampling import sampling_class
from aml_jupyter.errors import UserErrorException, nearest
from aml_jupyter.views.formats import number_text

if TYPE_CHECKING:
    from aml_jupyter.cli.door import Door
    from aml_jupyter.cli.parser import Arguments
    from aml_jupyter.config import ScriptRunConfig
    from aml_jupyter.config.sweeps import HyperDriveConfig
    from aml_jupyter.service import Submission
    from aml_jupyter.workspace import WorkspaceFolder

__all__ = ["read_sweep", "submit_sweep_line", "tell_best"]

MOST_UNLESS_SAID = 20
"""Children of a sweep whose line does not say how many."""


def read_sweep(line: SweepLine, config: ScriptRunConfig, by_name: bool = False) -> tuple[HyperDriveConfig, list[str]]:
    """Return the sweep that a line means, and what is to be said about it.

    Parameters
    ----------
    line : SweepLine
        A file (a path; or in the source directory's ``.azureml``, ``aml_config``, or itself), or a parameter space.
    config : ScriptRunConfig
        What each child runs.
    by_name : bool
        A name of the line is a variable's; else it is an argument's, ``lr`` means ``--lr``.

    Raises
    ------
    UserErrorException
        When there is no such file, more than one, or something in it or in the line is wrong.
    """
    from aml_jupyter.config.sweeps import HyperDriveConfig

    said: list[str] = []
    with config_says(said.append):
        read = _space_of_line(line, by_name) if is_space(line.what) else _file_of_line(line, config.source_directory)
        wanted = {
            "primary_metric_name": line.metric,
            "primary_metric_goal": line.goal,
            "max_total_runs": line.max_runs,
            "max_concurrent_runs": line.concurrent,
            "max_duration_minutes": line.max_minutes,
            "policy": None if line.policy is None else read_policy_line(line.policy),
        }
        read |= {name: value for name, value in wanted.items() if value is not None}
        return HyperDriveConfig(**read, run_config=config), said


def _space_of_line(line: SweepLine, by_name: bool) -> dict[str, Any]:
    """Return what `HyperDriveConfig` takes of a line that writes its space out."""
    for option, value, example in (("--metric", line.metric, "accuracy"), ("--goal", line.goal, "maximize")):
        if value is None:
            raise UserErrorException(f"{option} is missing beside --sweep; for example {option} {example}", option[2:])
    space = {
        name if by_name or name.startswith("-") else f"--{name}": expression
        for name, expression in read_space_line(line.what).items()
    }
    word = (line.sampling or "random").strip().lower()
    if word == "sobol":
        sampling: Any = RandomParameterSampling(space, rule="sobol")
    else:
        kind: Any = sampling_class(word, Place(keys=("--sampling",)))
        sampling = kind(space)
    return {"hyperparameter_sampling": sampling, "max_total_runs": MOST_UNLESS_SAID}


def _file_of_line(line: SweepLine, project: str | None) -> dict[str, Any]:
    if line.sampling is not None:
        raise UserErrorException("--sampling goes with a space on the line; a file says it itself", "sampling")
    return read_hdconfig(find_hdconfig(line.what, project))


def submit_sweep_line(arguments: Arguments, door: Door) -> tuple[WorkspaceFolder, Submission]:
    """Begin the sweep that a line asks for."""
    from aml_jupyter.service.sweeps import submit_sweep

    folder, request = line_request(arguments)
    line = sweep_line(arguments)
    assert line is not None  # the command has asked for it
    sweep, said = read_sweep(line, request.config, by_name=request.kind == "notebook")
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
        logged = sorted({name for values in run.get_metrics().values() for name in values})
        said = (
            f"they have logged {', '.join(logged[:5])}; {nearest(metric, logged)}"
            if logged
            else "they have logged nothing"
        )
        door.remark(f"no child has logged {metric!r}: {said}")
        return
    parameters = json.loads(best[0]["hyperparameters"])
    listed = "  ".join(f"{name} {value}" for name, value in parameters.items())
    door.write(f"best: {best[0]['run_id']}  {metric} = {number_text(best[0]['best_primary_metric'])}  {listed}\n")
