"""Own the command tree: which nouns and verbs there are."""

from __future__ import annotations

import aml_jupyter
from aml_jupyter.cli import (
    account,
    compute,
    doctor,
    environment,
    experiment,
    folder,
    model,
    run,
    runconfigurations,
    serve,
    snapshot,
    submit,
    sweep,
    workspace,
)
from aml_jupyter.cli.completing import scripts
from aml_jupyter.cli.parser import Parser, add_common

__all__ = ["build_parser"]

DESCRIPTION = """Run scripts, notebooks and commands on a compute target, and keep what they did.

  aml submit train.py --lr 0.1        queue a script; this returns at once
  aml run logs -f last                follow its output
  aml run list                        what ran, and how it ended"""


def build_parser() -> Parser:
    """Return the parser of every command line of `aml` and `%aml`."""
    parser = Parser(prog="aml", description=DESCRIPTION)
    parser.set_defaults(parser=parser)
    parser.add_argument(
        "--version", action="version", version=f"aml {aml_jupyter.__version__}", help="print the package's version"
    )
    add_common(parser)
    nouns = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    submit.add_verbs(nouns)
    run.add_verbs(nouns)
    sweep.add_verbs(nouns)
    experiment.add_verbs(nouns)
    compute.add_verbs(nouns)
    model.add_verbs(nouns)
    environment.add_verbs(nouns)
    runconfigurations.add_verbs(nouns)
    folder.add_verbs(nouns)
    snapshot.add_verbs(nouns)
    workspace.add_verbs(nouns)
    serve.add_verbs(nouns)
    doctor.add_verbs(nouns)
    account.add_verbs(nouns)
    scripts.add_verbs(nouns)
    return parser
