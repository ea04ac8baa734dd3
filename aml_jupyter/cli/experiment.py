"""Own `aml experiment`: list and create experiments, and submit as in 2017."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aml_jupyter.cli.common import emit, emit_json, open_workspace, wants_json
from aml_jupyter.cli.parser import Arguments, Nouns, add_noun, add_verb
from aml_jupyter.cli.sdk_lines import add_experiment_prepare, add_experiment_submit

if TYPE_CHECKING:
    from aml_jupyter.cli.door import Door

__all__ = ["add_verbs"]


def add_verbs(nouns: Nouns) -> None:
    """Add `aml experiment` and its verbs."""
    verbs = add_noun(nouns, "experiment", "list and create experiments, the named series of runs")
    add_verb(verbs, "list", _list, "List the experiments.", "aml experiment list")
    create = add_verb(
        verbs,
        "create",
        _create,
        "Create an experiment (a submit does it by itself).",
        "aml experiment create -n digits",
    )
    create.add_argument("word", nargs="?", metavar="NAME", help="letters, digits, _ and -")
    create.add_argument("-n", "--name", metavar="NAME", help="the same, as an option")
    add_experiment_submit(verbs)
    add_experiment_prepare(verbs)


def _list(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.views import experiment_rows

    return emit(arguments, door, experiment_rows(open_workspace(arguments)))


def _create(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.service import create_experiment
    from aml_jupyter.views import experiment_table
    from aml_jupyter.workspace import check_experiment_name

    name = arguments.name or arguments.word
    if name is None:
        arguments.parser.error("the experiment's name is missing: aml experiment create -n NAME")
    check_experiment_name(name)
    view = experiment_table(create_experiment(open_workspace(arguments), name))
    if wants_json(arguments):
        return emit_json(door, view.as_json()[0])
    return emit(arguments, door, view)
