"""Own `aml run`: look at runs, follow them, fetch what they made, change them."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

from aml_jupyter.cli import download, logs, sdk_lines
from aml_jupyter.cli.common import emit, emit_json, open_workspace, pairs, select_run, wants_json, watched_workspace
from aml_jupyter.cli.follow import wait_for_runs
from aml_jupyter.cli.parser import Arguments, Nouns, Parser, accept_experiment, add_noun, add_verb
from aml_jupyter.cli.submit import tell
from aml_jupyter.errors import UserErrorException, nearest

if TYPE_CHECKING:
    from aml_jupyter.cli.door import Door

__all__ = ["add_verbs"]


def add_verbs(nouns: Nouns) -> None:
    """Add `aml run` and its verbs."""
    verbs = add_noun(nouns, "run", "look at runs, follow them, fetch what they made, change them")
    _add_list(verbs)
    _add_run(add_verb(verbs, "show", _show, "Show one run: state, metrics, log, outputs.", "aml run show last"))
    logs.add_verb_to(verbs)
    metrics = add_verb(verbs, "metrics", _metrics, "Show a run's metrics.", "aml run metrics last --name loss --json")
    metrics.add_argument("--name", metavar="NAME", help="every value of this metric, with step and time")
    _add_run(metrics)
    _add_runs(
        add_verb(
            verbs, "cancel", _cancel, "End runs: queued ones at once, running ones with TERM.", "aml run cancel last"
        )
    )
    wait = add_verb(
        verbs, "wait", _wait, "Wait until runs have ended; exit code 0 only when all completed.", "aml run wait last"
    )
    wait.add_argument("--timeout", type=float, metavar="SECONDS", help="wait no longer; the exit code is 124 then")
    _add_runs(wait)
    download.add_verb_to(verbs)
    resubmit = add_verb(
        verbs, "resubmit", _resubmit, "Queue a run again, with the same snapshot.", "aml run resubmit last"
    )
    resubmit.add_argument("--wait", action="store_true", help="wait for the end and show the log")
    _add_run(resubmit)
    _add_update(verbs)
    _add_run(add_verb(verbs, "children", _children, "List the child runs of a run.", "aml run children last"))
    compare = add_verb(
        verbs,
        "compare",
        _compare,
        "Show runs side by side: arguments, parameters, environment, metrics, tags, files.",
        "aml run compare 3f2a 91bc\naml run compare last 3f2a --differences",
    )
    compare.add_argument("--differences", action="store_true", help="only what is not the same in all of them")
    _add_runs(compare)
    sdk_lines.add_submit_script(verbs)
    sdk_lines.add_submit_hyperdrive(verbs)


def _add_list(verbs: Nouns) -> None:
    parser = add_verb(
        verbs,
        "list",
        _list,
        "List runs, the newest first.",
        "aml run list --status Failed --last 5\naml run list -e digits --json",
    )
    add = parser.add_argument
    add("-e", "--experiment", "--experiment-name", metavar="NAME", help="only this experiment's")
    add("--status", metavar="STATE", action="append", help="only runs in this state; may be repeated")
    add("-t", "--target", "--compute-target-name", metavar="NAME", help="only runs of this compute target")
    add("--tag", "--tags", dest="tag", metavar="KEY[=VALUE]", action="append", help="only runs with this tag")
    add("--parent", "--parent-run-id", metavar="RUN", help="only child runs of this one")
    add("--last", type=int, default=20, metavar="N", help="how many at the most (20); 0 means all")
    add("--all", action="store_true", help="child runs and hidden runs, too")
    add("--minimal", action="store_true", help=argparse.SUPPRESS)  # SDK v1's; the list is short anyhow


def _add_run(parser: Parser) -> None:
    parser.add_argument("run", nargs="?", metavar="RUN", help="id, unique beginning of one, name, or last")
    parser.add_argument("-r", "--run", dest="run_option", metavar="RUN", help="the same, as an option")
    accept_experiment(parser)


def _add_runs(parser: Parser) -> None:
    parser.add_argument("runs", nargs="*", metavar="RUN", help="ids, unique beginnings of ids, names, or last")
    parser.add_argument("-r", "--run", dest="run_option", metavar="RUN", help="the same, as an option")
    accept_experiment(parser)


def _add_update(verbs: Nouns) -> None:
    parser = add_verb(
        verbs, "update", _update, "Change tags, name or priority of a run.", "aml run update last --add-tag stage=final"
    )
    add = parser.add_argument
    add("--add-tag", action="append", metavar="KEY[=VALUE]", help="set a tag; may be repeated")
    add("--remove-tag", action="append", metavar="KEY", help="remove a tag; may be repeated")
    add("--add-property", action="append", metavar="KEY=VALUE", help="add a property, which cannot be changed any more")
    add("--name", metavar="TEXT", help="another name in lists")
    add("--priority", type=int, metavar="N", help="of a waiting run: higher goes first")
    _add_run(parser)


def named_run(arguments: Arguments) -> str:
    """Return the one run that the line names, as a word or with ``-r``."""
    named = arguments.run if arguments.run is not None else arguments.run_option
    if named is None:
        arguments.parser.error("which run is missing: an id, a unique beginning of one, or last")
    return str(named)


def _named_runs(arguments: Arguments) -> list[str]:
    named = list(arguments.runs) + ([arguments.run_option] if arguments.run_option else [])
    if not named:
        arguments.parser.error("which run is missing: an id, a unique beginning of one, or last")
    return named


def _list(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.views import run_rows
    from aml_jupyter.workspace.states import RUN_STATES

    by_lower = {state.lower(): state for state in RUN_STATES}
    for state in arguments.status or ():
        if state.lower() not in by_lower:
            raise UserErrorException(
                f"--status {state!r}: not a state of a run; {nearest(state, list(RUN_STATES))}", "status"
            )
    if arguments.last < 0:
        raise UserErrorException(f"--last {arguments.last}: a number of at least 0 was expected", "last")
    folder = watched_workspace(arguments)
    tags = pairs(arguments.tag, "--tag", value_optional=True)
    view = run_rows(
        folder,
        with_metrics=wants_json(arguments),
        experiment=arguments.experiment,
        status=[by_lower[state.lower()] for state in arguments.status] if arguments.status else None,
        target=arguments.target,
        parent=select_run(folder, arguments.parent).id if arguments.parent else None,
        tags={key: value or None for key, value in tags.items()} or None,
        include_hidden=arguments.all,
        children=arguments.all,
        last=arguments.last or None,
    )
    return emit(arguments, door, view)


def _show(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.views import run_view

    folder = watched_workspace(arguments)
    return emit(arguments, door, run_view(folder, select_run(folder, named_run(arguments), arguments).id))


def _metrics(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.views import metric_series_view, metrics_view

    folder = open_workspace(arguments)
    run = select_run(folder, named_run(arguments), arguments)
    if arguments.name is None:
        return emit(arguments, door, metrics_view(folder, run.id))
    return emit(arguments, door, metric_series_view(folder, run.id, arguments.name))


def _children(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.views import run_rows

    folder = watched_workspace(arguments)
    run = select_run(folder, named_run(arguments), arguments)
    return emit(arguments, door, run_rows(folder, wants_json(arguments), parent=run.id, include_hidden=True))


def _compare(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.views import run_comparison

    folder = open_workspace(arguments)
    ids = [select_run(folder, text, arguments).id for text in _named_runs(arguments)]
    if len(dict.fromkeys(ids)) < 2:
        arguments.parser.error("two runs at least are needed to compare")
    return emit(arguments, door, run_comparison(folder, list(dict.fromkeys(ids)), arguments.differences))


def _cancel(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.service import cancel_run
    from aml_jupyter.views import run_view

    folder = open_workspace(arguments)
    runs = [select_run(folder, text, arguments) for text in _named_runs(arguments)]
    after = [cancel_run(folder, run.id) for run in runs]
    if wants_json(arguments):
        found = [run_view(folder, run.id).as_json() for run in after]
        return emit_json(door, found[0] if len(found) == 1 else found)
    for run, now in zip(runs, after, strict=True):
        door.write(f"{run.id}  {now.status}" + ("" if now.status != run.status else ", as it was") + "\n")
    return 0


def _wait(arguments: Arguments, door: Door) -> int:
    if arguments.timeout is not None and not 0 <= arguments.timeout < math.inf:
        raise UserErrorException(f"--timeout {arguments.timeout:g}: seconds of at least 0 were expected", "timeout")
    folder = open_workspace(arguments)
    runs = [select_run(folder, text, arguments).id for text in _named_runs(arguments)]
    return wait_for_runs(folder, runs, arguments, door, arguments.timeout, show_log=False)


def _resubmit(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.service import resubmit_run

    folder = open_workspace(arguments)
    submission = resubmit_run(folder, select_run(folder, named_run(arguments), arguments).id)
    return tell(arguments, door, folder, submission, arguments.wait)


def _update(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.service import describe_run, rename_run, set_priority, tag_run
    from aml_jupyter.views import run_view

    folder = open_workspace(arguments)
    run = select_run(folder, named_run(arguments), arguments)
    tags: dict[str, str | None] = dict(pairs(arguments.add_tag, "--add-tag", value_optional=True))
    tags.update(dict.fromkeys(arguments.remove_tag or ()))
    properties = pairs(arguments.add_property, "--add-property")
    if not tags and not properties and arguments.name is None and arguments.priority is None:
        arguments.parser.error("nothing to change: say --add-tag, --remove-tag, --add-property, --name or --priority")
    if properties:
        describe_run(folder, run.id, properties)
    if arguments.priority is not None:
        set_priority(folder, run.id, arguments.priority)
    if arguments.name is not None:
        rename_run(folder, run.id, arguments.name)
    if tags:
        tag_run(folder, run.id, tags)
    return emit(arguments, door, run_view(folder, run.id))
