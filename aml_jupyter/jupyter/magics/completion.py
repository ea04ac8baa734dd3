"""Complete ``%aml`` and the option line of ``%%aml_submit`` from the command tree and the local store alone."""

from __future__ import annotations

import argparse
import re
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from IPython.core.completer import SimpleCompletion, context_matcher

from aml_jupyter.errors import AmlError

__all__ = ["candidates", "complete"]

NEWEST_RUNS = 30
_LINE = re.compile(r"^\s*(?:%%(?P<cell>aml_submit)|(?:\w+\s*=\s*)?%(?P<line>aml))\s(?P<words>.*)$", re.DOTALL)


@context_matcher(identifier="aml_jupyter", priority=100)  # type: ignore[untyped-decorator]
def complete(context: Any) -> dict[str, Any]:
    """Answer IPython's completer; outside our magics with nothing."""
    line = context.full_text.split("\n")[context.cursor_line][: context.cursor_position]
    match = _LINE.match(line)
    if match is None or (match["cell"] and context.cursor_line != 0):
        return {"completions": []}
    *before, word = re.split(r"\s+", match["words"])
    found = [text for text in candidates(match["cell"] is not None, before) if text.startswith(word)]
    return {
        "completions": [SimpleCompletion(text=text, type="magic") for text in found],
        "matched_fragment": word,
        "suppress": bool(found),
    }


def candidates(is_cell: bool, before: Sequence[str]) -> list[str]:
    """Return what may stand after the words `before`: verbs, options, names of targets, ids of runs.

    Parameters
    ----------
    is_cell : bool
        True on the line of ``%%aml_submit``, False on that of ``%aml``.
    before : sequence of str
        The words that are complete already.
    """
    if is_cell:
        from .submit import submit_parser

        parser: argparse.ArgumentParser = submit_parser()
        verbs: list[str] = []
    else:
        from aml_jupyter.cli import build_parser

        parser, verbs = _descend(build_parser(), before)
    last = before[-1] if before else ""
    if last in ("-t", "--target"):
        return _names("targets")
    if last == "--environment":
        return _names("environments")
    if last in ("-e", "--experiment"):
        return _names("experiments")
    options = [option for action in parser._actions for option in action.option_strings if option.startswith("--")]
    names = {"compute": "targets", "run": "runs", "experiment": "experiments", "environment": "environments"}
    stored = _names(names[verbs[0]]) if len(verbs) > 1 and verbs[0] in names else []
    if is_cell and not [word for word in before if not word.startswith("-")]:
        stored = _names("targets")
    return [*_verbs(parser), *stored, *options]


def _descend(parser: argparse.ArgumentParser, words: Iterable[str]) -> tuple[argparse.ArgumentParser, list[str]]:
    """Follow the verbs among `words` down the command tree."""
    taken = []
    for word in words:
        branches = _branches(parser)
        if word in branches:
            parser = branches[word]
            taken.append(word)
    return parser, taken


def _branches(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _verbs(parser: argparse.ArgumentParser) -> list[str]:
    return list(_branches(parser))


def _names(of: str) -> list[str]:
    from aml_jupyter.workspace import find_runs, find_workspace, list_experiments, list_targets

    try:
        folder = find_workspace()
        try:
            db = folder.store.read()
            if of == "targets":
                return [target.name for target in list_targets(db)]
            if of == "environments":
                from aml_jupyter.service import environment_names

                return environment_names(folder)
            if of == "experiments":
                return [experiment.name for experiment in list_experiments(db)]
            return [run.id for run in find_runs(db, last=NEWEST_RUNS, children=True)]
        finally:
            folder.close()
    except (AmlError, OSError, sqlite3.Error):
        return []  # no completion is worth an error
