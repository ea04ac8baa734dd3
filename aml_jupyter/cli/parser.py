"""Own how a command line is read: one argparse tree whose mistakes are one line with the nearest right word."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from aml_jupyter.errors import UserErrorException, nearest

if TYPE_CHECKING:
    from aml_jupyter.cli.door import Door

__all__ = ["Arguments", "Handler", "Nouns", "Parser", "accept_experiment", "add_noun", "add_verb"]

Arguments = argparse.Namespace
Handler = Callable[[Arguments, "Door"], int]
"""Does what a verb says and returns the exit code."""

Nouns = Any
"""What `ArgumentParser.add_subparsers` returns: a private class of argparse."""

ELSEWHERE = {
    "asset": "a run's files are fetched by: aml run download",
    "compute get-credentials": "nothing here keeps credentials of a compute target",
    "configure": "AML_WORKSPACE names the workspace of a shell, .azureml/config.json that of a folder",
    "dataset": "datasets are not here yet; pass a path as an argument of the script",
    "datastore": "datastores are not here yet; pass a path as an argument of the script",
    "folder detach": "remove its config.json",
    "history": "runs are shown by: aml run list, aml run show, aml run compare",
    "notebook": "a notebook is run by: aml submit NOTEBOOK.ipynb",
    "pipeline": "pipelines are not here yet",
    "project": "a folder is made a project by: aml folder attach",
    "run monitor-tensorboard": "start tensorboard yourself on the run's logs: aml run download-logs -r RUN -d FOLDER",
    "run submit-pipeline": "pipelines are not here yet",
    "service": "web services are not planned",
}
"""What SDK v1's and 2017's command lines had under nouns of their own: where it is here."""


OUTPUTS = ("json", "jsonc", "none", "table", "tsv", "yaml", "yamlc")
"""The forms of Azure's command line; those that are not JSON are the text that is printed anyhow."""


class Parser(argparse.ArgumentParser):
    """Parse a command line; a mistake is a `UserErrorException` that names the nearest verb or option."""

    def __init__(self, **options: Any) -> None:
        # a verb's own option wins over one of those that Azure's command line had everywhere
        super().__init__(
            **options,
            allow_abbrev=False,
            conflict_handler="resolve",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def parse_line(self, words: Sequence[str]) -> Arguments:
        """Return what `words` say.

        Raises
        ------
        UserErrorException
            When they are not a command of this tree.
        """
        arguments, left = self.parse_known_args(list(words))
        if left:
            parser: Parser = getattr(arguments, "parser", self)
            parser.refuse_words(left)
        if not hasattr(arguments, "handler"):
            parser = getattr(arguments, "parser", self)
            parser.error(f"what to do is missing; {nearest('', parser.verbs())}")
        return arguments

    def options(self) -> list[str]:
        """Return the option names of this parser alone, for example ``--json``, without those that are only put up with."""
        shown = self._option_string_actions.items()
        return sorted(name for name, action in shown if action.help is not argparse.SUPPRESS)

    def verbs(self) -> list[str]:
        """Return the words that may come next."""
        return sorted({name for name, parser in self.children().items() if name == parser.prog.split()[-1]})

    def children(self) -> dict[str, Parser]:
        """Return the parsers of the words that may come next."""
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                return dict(action.choices)
        return {}

    def refuse_words(self, words: Sequence[str]) -> NoReturn:
        """Raise what is wrong with words that no parser takes."""
        first = words[0].split("=", 1)[0]
        if first.startswith("-"):
            known = [option for option in self.options() if option.startswith("--")]
            self.error(f"unknown option {first}; {nearest(first, known)}")
        self.error(f"{words[0]!r} is one word too many")

    def error(self, message: str) -> NoReturn:
        """Raise the mistake as one line.

        Raises
        ------
        UserErrorException
            Always.
        """
        wrong = re.search(r"invalid choice: '?([^']*?)'? \(choose from", message)
        if wrong and self.children():
            elsewhere = ELSEWHERE.get(f"{self.prog} {wrong[1]}".removeprefix("aml "))
            message = f"there is no {wrong[1]!r}; {elsewhere or nearest(wrong[1], self.verbs())}"
        raise UserErrorException(f"{message} (aml {' '.join(self.prog.split()[1:])} --help)".replace("aml  ", "aml "))


def add_noun(nouns: Nouns, name: str, what: str, aliases: Sequence[str] = ()) -> Nouns:
    """Add a noun such as ``run`` and return what its verbs are added to."""
    parser = nouns.add_parser(name, help=what, description=what, aliases=list(aliases))
    parser.set_defaults(parser=parser)
    add_common(parser)
    return parser.add_subparsers(title="verbs", metavar="VERB")


def add_verb(nouns: Nouns, name: str, handler: Handler, what: str, example: str, aliases: Sequence[str] = ()) -> Parser:
    """Add a verb with its one-line help and an example, and return its parser for more options."""
    lines = "\n".join(f"  {line}" for line in example.splitlines())
    heading = "examples" if "\n" in example else "example"
    parser: Parser = nouns.add_parser(
        name, help=what, description=what, epilog=f"{heading}:\n{lines}", aliases=list(aliases)
    )
    parser.set_defaults(handler=handler, parser=parser)
    add_common(parser)
    return parser


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the options that stand before or after every verb.

    A default would overwrite what an outer parser has read already, so there is none: see `common_options`.
    """
    group = parser.add_argument_group("everywhere")
    group.add_argument(
        "--workspace",
        metavar="FOLDER",
        default=argparse.SUPPRESS,
        help="the workspace; else AML_WORKSPACE, else the one of config.json here or above, else the default one",
    )
    group.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON with stable names")
    _accept_azures_options(parser)


def _accept_azures_options(parser: argparse.ArgumentParser) -> None:
    """Put up with what every line of Azure's command line could have: old scripts are full of it, and help shows none."""
    hidden: dict[str, Any] = {"default": argparse.SUPPRESS, "help": argparse.SUPPRESS}
    parser.add_argument("-o", "--output", action=_Output, choices=OUTPUTS, **hidden)
    parser.add_argument("-w", "--workspace-name", dest="workspace", **hidden)
    parser.add_argument("-g", "--resource-group", "--subscription", "--subscription-id", dest="azure", **hidden)
    parser.add_argument("--verbose", "--debug", "--only-show-errors", dest="azure", action="store_true", **hidden)


def accept_experiment(parser: Parser) -> None:
    """Put up with ``-e EXPERIMENT`` beside a run: SDK v1 had to be told; here a wrong one is refused (`common.select_run`)."""
    parser.add_argument(
        "-e", "--experiment-name", dest="runs_experiment", default=argparse.SUPPRESS, help=argparse.SUPPRESS
    )


class _Output(argparse.Action):
    """Read ``-o json`` as ``--json``; a table is what is printed anyhow."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        if str(values).startswith("json"):
            namespace.json = True
