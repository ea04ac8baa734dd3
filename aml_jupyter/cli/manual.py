"""Write every command and option as a page: ``python -m aml_jupyter.cli.manual docs/commands.md``.

The page is made from the command tree, so it says what the tree says.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from aml_jupyter.cli.parser import Parser
from aml_jupyter.cli.tree import build_parser

__all__ = ["manual"]

HEAD = """# Commands

Made by `python -m aml_jupyter.cli.manual docs/commands.md`; a test keeps it as the commands are. `%aml` in a notebook takes
the same words. A run is named by its id, a unique beginning of it or of its last part, its display name, or `last`. Exit codes:
0 done, 1 failed, 2 a mistake in the line, 124 the time limit of `--timeout` is over, 130 Ctrl-C; with `--wait` it is 0 only when
the run completed.
"""


def manual() -> str:
    """Return the page in Markdown."""
    tree = build_parser()
    lines = [HEAD, "## Everywhere", "", *_options(tree, everywhere=True), ""]
    for name, noun in _named(tree):
        if noun.children():
            lines += [f"## aml {name}", "", _sentence(noun.description), *_other_names(tree, name), ""]
            for verb_name, verb in _named(noun):
                for above, last_name, last in [(verb, *each) for each in _named(verb)] or [(noun, verb_name, verb)]:
                    lines += _verb(above, last_name, last, "###")
        else:
            lines += _verb(tree, name, noun, "##")
    return "\n".join(lines).rstrip() + "\n"


def _named(parser: Parser) -> list[tuple[str, Parser]]:
    """Return the words that may come next with their parsers, in the order of the help, without other names."""
    return [(name, child) for name, child in parser.children().items() if name == child.prog.split()[-1]]


def _verb(above: Parser, name: str, verb: Parser, heading: str) -> Iterator[str]:
    yield f"{heading} {verb.prog}"
    yield ""
    yield _sentence(verb.description)
    yield from _other_names(above, name)
    yield ""
    yield "```"
    yield _usage(verb)
    yield "```"
    yield ""
    options = list(_options(verb))
    if options:
        yield from options
        yield ""
    examples = [line.strip() for line in (verb.epilog or "").splitlines()[1:]]
    if examples:
        yield from ["Example:" if len(examples) == 1 else "Examples:", "", "```", *examples, "```", ""]


def _usage(parser: Parser) -> str:
    """Return the shape of the line: options in brackets, then what stands by its place."""
    words = [parser.prog]
    if any(_is_own(action) for action in parser._actions):
        words.append("[options]")
    for action in parser._actions:
        if not action.option_strings and not isinstance(action, argparse._SubParsersAction):
            shown = str(action.metavar or action.dest)
            many = action.nargs in ("*", "+")
            optional = action.nargs in ("?", "*") or (action.nargs == argparse.REMAINDER and "[" not in shown)
            words.append(f"[{shown}{' ...' if many else ''}]" if optional else shown)
    return " ".join(words)


def _other_names(above: Parser, name: str) -> list[str]:
    parser = above.children()[name]
    others = [f"`{other}`" for other, child in above.children().items() if child is parser and other != name]
    return ["", f"Also: {', '.join(others)}."] if others else []


def _options(parser: Parser, everywhere: bool = False) -> Iterator[str]:
    shown = [
        action
        for action in parser._actions
        if not isinstance(action, argparse._SubParsersAction)
        and action.help is not argparse.SUPPRESS
        and (everywhere or not action.option_strings or _is_own(action))
    ]
    if shown:
        yield "| option | what it says |"
        yield "|---|---|"
    for action in shown:
        words = ", ".join(f"`{option}`" for option in action.option_strings) or f"`{action.metavar or action.dest}`"
        if action.option_strings and action.nargs != 0:
            metavar = action.metavar or "|".join(map(str, action.choices or ())) or action.dest.upper()
            words += f" `{metavar}`"
        yield f"| {_cell(words)} | {_cell(action.help or '')} |"


def _is_own(action: argparse.Action) -> bool:
    """Tell whether an option is this verb's alone, not one of those that are everywhere."""
    return (
        bool(action.option_strings)
        and action.help is not argparse.SUPPRESS
        and not {"--help", "--workspace", "--json"} & set(action.option_strings)
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _sentence(text: str | None) -> str:
    text = (text or "").strip()
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith(".") else ".")


def main(words: list[str]) -> int:
    """Write the page into the file that `words` name."""
    if len(words) != 1:
        print("one file is needed: python -m aml_jupyter.cli.manual docs/commands.md", file=sys.stderr)
        return 2
    Path(words[0]).write_text(manual(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
