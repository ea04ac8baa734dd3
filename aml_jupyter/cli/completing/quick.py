"""Answer a shell that completes a line: ``aml --complete SHELL ...``. Imports almost nothing: a process has 50 ms.

The answer is one word a line. In zsh and fish a tab and a few words about it follow. A line that begins with a tab says what the
shell is to complete itself: ``files`` or ``folders``.
"""

from __future__ import annotations

import sys

from aml_jupyter.cli.completing.shape import kept_shape
from aml_jupyter.cli.completing.words import next_words

TYPE_CHECKING = False  # `typing` costs more than this module
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["answer", "split_line"]


def answer(request: Sequence[str]) -> int:
    """Print what may stand next.

    Parameters
    ----------
    request : sequence of str
        The shell's name; for bash its ``COMP_WORDBREAKS`` and the line up to the cursor, for the others the words after
        ``aml``, the unfinished one at the end.
    """
    shell, *rest = request
    breaks = ""
    if shell == "bash":
        breaks, line = rest
        *before, current = split_line(line)[1:] or [""]
    else:
        *before, current = rest or [""]
    words = next_words(kept_shape(), before, current)
    lines = [f"\t{words.also}"] if words.also else []
    cut = max((current.rfind(letter) + 1 for letter in breaks if letter in ":="), default=0)
    for word, about in words.found.items():
        told = " ".join(about.split())
        lines.append(word[cut:] if shell == "bash" or not told else f"{word}\t{told}")
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def split_line(line: str) -> list[str]:
    """Return the words of a line that is being typed, as a POSIX shell reads them; the last one may be unfinished, or empty."""
    words, word, quote, escaped, begun = [], "", "", False, False
    for letter in line:
        if escaped:
            word, escaped = word + letter, False
        elif letter == "\\" and quote != "'":
            escaped = begun = True
        elif quote:
            quote, word = ("", word) if letter == quote else (quote, word + letter)
        elif letter in "'\"":
            quote, begun = letter, True
        elif letter in " \t\n":
            if begun:
                words.append(word)
            word, begun = "", False
        else:
            word, begun = word + letter, True
    return [*words, word]
