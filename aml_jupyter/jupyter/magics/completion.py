"""Complete ``%aml`` and the option line of ``%%aml_submit``: what `aml_jupyter.cli.completing` offers to the shells, too."""

from __future__ import annotations

import re
from typing import Any

from IPython.core.completer import SimpleCompletion, context_matcher

from aml_jupyter.cli.completing.shape import kept_shape, shape_of
from aml_jupyter.cli.completing.words import Words, next_words

__all__ = ["complete"]

_LINE = re.compile(r"^\s*(?:%%(?P<cell>aml_submit)|(?:\w+\s*=\s*)?%(?P<line>aml))\s(?P<words>.*)$", re.DOTALL)


@context_matcher(identifier="aml_jupyter", priority=100)  # type: ignore[untyped-decorator]
def complete(context: Any) -> dict[str, Any]:
    """Answer IPython's completer; outside our magics with nothing. Files are IPython's own to complete."""
    line = context.full_text.split("\n")[context.cursor_line][: context.cursor_position]
    match = _LINE.match(line)
    if match is None or (match["cell"] and context.cursor_line != 0):
        return {"completions": []}
    *before, word = re.split(r"\s+", match["words"])
    words = _after_cell_magic(before, word) if match["cell"] else next_words(kept_shape(), before, word)
    return {
        "completions": [SimpleCompletion(text=text, type="magic") for text in words.found],
        "matched_fragment": word,
        "suppress": bool(words.found) and not words.also,
    }


def _after_cell_magic(before: list[str], word: str) -> Words:
    from .submit import submit_parser

    return next_words({**shape_of(submit_parser()), "curated": kept_shape()["curated"]}, before, word)
