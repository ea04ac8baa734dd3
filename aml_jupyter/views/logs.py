"""Read the end of a log and make a terminal's byte stream into lines: carriage returns resolved, colours kept or taken out.

Reads only the end of the file, however long it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aml_jupyter.supervisor.plain import open_plain
from aml_jupyter.views.html import COLOURS, Html, element, join

__all__ = ["LogTail", "coloured_html", "plain_line", "read_tail"]

TAIL_BYTES: Final = 64 * 1024
LINE_CHARACTERS: Final = 2_000
"""A longer line is cut in views; the log itself is whole."""

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")
_COLOUR = re.compile(r"\x1b\[([0-9;]*)m")
_PALETTE: Final = {
    0: "currentColor",
    1: COLOURS["bad"],
    2: COLOURS["good"],
    3: COLOURS["wait"],
    4: COLOURS["busy"],
    5: "var(--jp-info-color0, #a45bd6)",
    6: "var(--jp-info-color1, #0097a7)",
    7: "currentColor",
}


@dataclass(frozen=True)
class LogTail:
    """Describe the last lines of a log, with their colour codes still in; `size` is the whole file's, in bytes."""

    path: Path
    lines: tuple[str, ...] = ()
    size: int = 0
    whole: bool = True
    """True when nothing stands before these lines."""

    def plain(self) -> list[str]:
        """Return the lines without colour codes and other control characters."""
        return [plain_line(line) for line in self.lines]


def read_tail(path: Path, lines: int = 20, limit_bytes: int = TAIL_BYTES) -> LogTail:
    """Return the last `lines` lines of the file at `path`, reading at most `limit_bytes` of it.

    A file that is not there, or cannot be read, has no lines: a view of a run never fails for its log.
    """
    if lines <= 0:
        return LogTail(path, (), _size(path), False)
    try:
        with open_plain(path) as stream:
            size = stream.seek(0, 2)
            begin = max(0, size - limit_bytes)
            stream.seek(begin)
            data = stream.read(size - begin)
    except OSError:
        return LogTail(path)
    if begin:
        first = data.find(b"\n", 0, len(data) - 1)
        data = data[first + 1 :] if first >= 0 else data[_character_start(data) :]
    found = data.decode("utf-8", "replace").split("\n")
    if found and not found[-1]:
        found.pop()
    kept = [_resolve(line)[-LINE_CHARACTERS:] for line in found[-lines:]]
    return LogTail(path, tuple(kept), size, begin == 0 and len(found) <= lines)


def plain_line(line: str) -> str:
    """Return a line without escape sequences and control characters."""
    bare = _ESCAPES.sub("", line).replace("\t", "    ")
    return bare if bare.isprintable() else "".join(letter for letter in bare if letter.isprintable())


def coloured_html(line: str) -> Html:
    """Return a line as escaped HTML, with its colours and bold type as inline styles."""
    parts: list[str] = []
    style: dict[str, str] = {}
    position = 0
    for match in _COLOUR.finditer(line):
        parts.append(_span(line[position : match.start()], style))
        style = _restyle(style, match.group(1))
        position = match.end()
    parts.append(_span(line[position:], style))
    return join(parts)


def _span(text: str, style: dict[str, str]) -> Html:
    bare = plain_line(text)
    if not bare:
        return Html("")
    if not style:
        return join([bare])
    return element("span", bare, style=";".join(f"{key}:{value}" for key, value in sorted(style.items())))


def _restyle(style: dict[str, str], codes: str) -> dict[str, str]:
    after = dict(style)
    numbers = [int(code) if code else 0 for code in codes.split(";")]
    while numbers:
        code = numbers.pop(0)
        if code == 0:
            after.clear()
        elif code == 1:
            after["font-weight"] = "bold"
        elif code == 22:
            after.pop("font-weight", None)
        elif 30 <= code <= 37 or 90 <= code <= 97:
            after["color"] = _PALETTE[code % 10]
        elif code == 39:
            after.pop("color", None)
        elif code in (38, 48):
            # an indexed or true colour: its numbers are skipped, the text stays in the front end's own colour
            del numbers[: 2 if numbers[:1] == [5] else 4]
    return after


def _resolve(line: str) -> str:
    """Return what a terminal would show of a line in which a progress bar was redrawn over itself."""
    if line.endswith("\r"):
        line = line.rstrip("\r")
    if "\r" in line:
        line = next((part for part in reversed(line.split("\r")) if plain_line(part).strip()), "")
    if "\b" not in line:
        return line
    kept: list[str] = []
    for letter in line:
        if letter != "\b":
            kept.append(letter)
        elif kept:
            kept.pop()
    return "".join(kept)


def _character_start(data: bytes) -> int:
    """Return the index of the first byte that begins a UTF-8 character."""
    return next((index for index, byte in enumerate(data[:4]) if byte & 0xC0 != 0x80), 0)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
