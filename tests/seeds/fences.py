"""Find the fenced blocks of Microsoft's pages, as they were printed: some fences are never closed.

fenced.json keeps what they hold: code samples of the Azure documentation, which Microsoft gives under the MIT licence.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^(?P<indent>[\s>]*)```(?P<language>\S*)\s*$")


@dataclass(frozen=True)
class Block:
    """One fenced block: the page's number, the line of its opening fence (from 1), and its text without indentation."""

    seed: str
    line: int
    language: str
    text: str


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page.

    A fence with a language always opens a block. A block whose next fence is such a one was never closed; it ends before
    the first line that is indented less than its fence.
    """
    lines = page.read_text("utf-8").split("\n")
    number = 0
    while number < len(lines):
        opening = FENCE.match(lines[number])
        number += 1
        if opening is None:
            continue
        end = next((after for after in range(number, len(lines)) if FENCE.match(lines[after])), len(lines))
        closing = FENCE.match(lines[end]) if end < len(lines) else None
        if closing is None or closing["language"]:
            end = next((after for after in range(number, end) if _is_left_of(lines[after], opening["indent"])), end)
        yield Block(page.name[:3], number, opening["language"], _dedented(lines[number:end], opening["indent"]))
        number = end if _is_open(lines, end) else end + 1


def _is_open(lines: list[str], number: int) -> bool:
    """Tell whether the line is not the fence that closes a block."""
    fence = FENCE.match(lines[number]) if number < len(lines) else None
    return fence is None or bool(fence["language"])


def _is_left_of(line: str, indent: str) -> bool:
    return bool(line.strip()) and len(line) - len(line.lstrip()) < len(indent)


def _dedented(body: list[str], indent: str) -> str:
    if indent.strip():  # a block inside a quotation
        body = [line.removeprefix(indent.rstrip(" ")).removeprefix(" ") for line in body]
    return textwrap.dedent("\n".join(body)).strip("\n") + "\n"
