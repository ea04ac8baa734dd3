"""Own `aml sweep`: look at sweeps, and change them while they run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aml_jupyter.cli.common import emit, emit_json, open_workspace, pairs, select_run, wants_json
from aml_jupyter.cli.parser import Arguments, Nouns, Parser, add_noun, add_verb
from aml_jupyter.errors import UserErrorException

if TYPE_CHECKING:
    from aml_jupyter.cli.door import Door
    from aml_jupyter.workspace import RunRecord, WorkspaceFolder

__all__ = ["add_verbs"]


def add_verbs(nouns: Nouns) -> None:
    """Add `aml sweep` and its verbs."""
    verbs = add_noun(nouns, "sweep", "look at sweeps, pause, extend and add to them")
    listed = add_verb(
        verbs, "list", _list, "List sweeps, the newest first.", "aml sweep list\naml sweep list -e digits"
    )
    listed.add_argument("-e", "--experiment", metavar="NAME", help="only this experiment's")
    listed.add_argument("--last", type=int, default=20, metavar="N", help="how many at the most (20); 0 means all")
    _add_sweep(
        add_verb(
            verbs,
            "show",
            _show,
            "Show a sweep: its children with their parameters, the best first, and what matters.",
            "aml sweep show last",
        )
    )
    best = add_verb(verbs, "best", _best, "Name the best child.", "aml sweep best last\naml sweep best last --resubmit")
    best.add_argument("--resubmit", action="store_true", help="queue it again, with the same snapshot and parameters")
    _add_sweep(best)
    _add_sweep(add_verb(verbs, "pause", _pause, "Start no more children; running ones go on.", "aml sweep pause last"))
    _add_sweep(add_verb(verbs, "resume", _resume, "Start children again.", "aml sweep resume last"))
    _add_extend(verbs)
    add = add_verb(
        verbs,
        "add",
        _add,
        "Run a child with chosen parameters next.",
        "aml sweep add last lr=0.01 batch=32",
    )
    add.add_argument("sweep", metavar="SWEEP", help="id, unique beginning of one, name, or last")
    add.add_argument("parameters", nargs="+", metavar="NAME=VALUE", help="a value of each of the sweep's parameters")


def _add_extend(verbs: Nouns) -> None:
    parser = add_verb(
        verbs,
        "extend",
        _extend,
        "Give a sweep more runs, time, runs at once, or another space; one that has ended is gone on with by a new one.",
        "aml sweep extend last --max-runs 80 --concurrent 8\naml sweep extend last --max-runs 80 --space 'lr=loguniform(-9,-1)'",
    )
    add = parser.add_argument
    add("--max-runs", type=int, metavar="N", help="how many children in all, with those that there are")
    add("--max-minutes", type=int, metavar="N", help="how many minutes from its beginning")
    add("--concurrent", type=int, metavar="N", help="how many children at once")
    add("--space", metavar="SPACE", help="other expressions of some of its parameters, such as 'lr=loguniform(-9,-1)'")
    _add_sweep(parser)


def _add_sweep(parser: Parser) -> None:
    parser.add_argument("sweep", metavar="SWEEP", help="id, unique beginning of one, name, or last")


def _selected(arguments: Arguments) -> tuple[WorkspaceFolder, RunRecord]:
    """Return the workspace and the sweep that the line means; ``last`` is the last sweep, not the last run."""
    from aml_jupyter.service.sweeps import KIND

    folder = open_workspace(arguments)
    if arguments.sweep == "last":
        found = _sweeps(folder, last=1)
        if not found:
            raise UserErrorException(
                f"there is no sweep yet in workspace {folder.name!r}; docs/sweeps.md says how one is written down",
                "sweep",
            )
        return folder, found[0]
    run = select_run(folder, arguments.sweep)
    if run.kind != KIND:
        raise UserErrorException(f"run {run.id} is not a sweep but of kind {run.kind!r}; aml sweep list", "sweep")
    return folder, run


def _sweeps(folder: WorkspaceFolder, experiment: str | None = None, last: int = 0) -> list[RunRecord]:
    from aml_jupyter.service.sweeps import KIND
    from aml_jupyter.workspace import find_runs

    found = [run for run in find_runs(folder.store.read(), experiment=experiment) if run.kind == KIND]
    return found[:last] if last else found


def _list(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.views.sweeps import sweep_rows

    folder = open_workspace(arguments)
    return emit(arguments, door, sweep_rows(folder, _sweeps(folder, arguments.experiment, arguments.last)))


def _show(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.service import look_after
    from aml_jupyter.views import run_view

    folder, run = _selected(arguments)
    look_after(folder)
    return emit(arguments, door, run_view(folder, run.id))


def _best(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.service import resubmit_run
    from aml_jupyter.views.sweep import sweep_view

    folder, run = _selected(arguments)
    view = sweep_view(folder, run)
    best = view.best
    if best is None:
        raise UserErrorException(f"no child of sweep {run.id} has logged {view.metric!r} yet", "sweep")
    again = resubmit_run(folder, best.run.id).run.id if arguments.resubmit else None
    if wants_json(arguments):
        return emit_json(door, {**best.as_json(view.as_of), "resubmitted": again})
    door.write((again or best.run.id) + "\n")
    return 0


def _pause(arguments: Arguments, door: Door) -> int:
    return _paused(arguments, door, True)


def _resume(arguments: Arguments, door: Door) -> int:
    return _paused(arguments, door, False)


def _paused(arguments: Arguments, door: Door, paused: bool) -> int:
    from aml_jupyter.service.sweep_actions import pause_sweep

    folder, run = _selected(arguments)
    pause_sweep(folder, run.id, paused)
    return _told(arguments, door, run.id, "paused: it starts no more children" if paused else "goes on")


def _extend(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.config.sweeps.line import read_space_line
    from aml_jupyter.service.sweep_actions import extend_sweep

    folder, run = _selected(arguments)
    after = extend_sweep(
        folder,
        run.id,
        read_space_line(arguments.space) if arguments.space else None,
        max_total_runs=arguments.max_runs,
        max_duration_minutes=arguments.max_minutes,
        max_concurrent_runs=arguments.concurrent,
    )
    said = "extended" if after.id == run.id else f"had ended; sweep {after.id} goes on with its results"
    return _told(arguments, door, run.id, said, after.id)


def _add(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.service.sweep_actions import add_to_sweep

    folder, run = _selected(arguments)
    given = {name: _value(text) for name, text in pairs(arguments.parameters, "parameters").items()}
    add_to_sweep(folder, run.id, given)
    return _told(arguments, door, run.id, "runs a child with these parameters next")


def _told(arguments: Arguments, door: Door, run_id: str, said: str, after: str | None = None) -> int:
    if wants_json(arguments):
        return emit_json(door, {"id": after or run_id, "message": f"sweep {run_id} {said}"})
    door.write(f"sweep {run_id} {said}\n")
    return 0


def _value(text: str) -> Any:
    """Return a number, a boolean or a list as such, and anything else as text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
