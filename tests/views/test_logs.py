from __future__ import annotations

import time
from pathlib import Path

import pytest

from aml_jupyter.views.logs import coloured_html, plain_line, read_tail

from .conftest import read_page


def tail(tmp_path: Path, data: bytes, lines: int = 20) -> list[str]:
    path = tmp_path / "std_log.txt"
    path.write_bytes(data)
    return read_tail(path, lines).plain()


def test_the_last_lines_in_order(tmp_path: Path) -> None:
    assert tail(tmp_path, b"one\ntwo\nthree\n", 2) == ["two", "three"]
    assert tail(tmp_path, b"one\n\nthree", 5) == ["one", "", "three"]
    assert tail(tmp_path, b"") == []


def test_a_progress_bar_is_shown_as_it_was_last_drawn(tmp_path: Path) -> None:
    bar = b"".join(b"\r%3d%%|####" % done for done in range(101))
    assert tail(tmp_path, b"start\n" + bar + b"\ndone\r\n") == ["start", "100%|####", "done"]
    assert tail(tmp_path, b" 50%\r100%\r\x1b[K") == ["100%"]
    assert tail(tmp_path, b"ab\b\bxy\n") == ["xy"]


def test_a_line_without_an_end_still_shows_its_end(tmp_path: Path) -> None:
    data = b"".join(b"\r%07d" % number for number in range(50_000))
    assert tail(tmp_path, data) == ["0049999"]


def test_only_the_end_of_a_huge_log_is_read(tmp_path: Path) -> None:
    path = tmp_path / "std_log.txt"
    with open(path, "wb") as stream:
        stream.seek(100_000_000)
        stream.write(b"\nlast but one\nlast\n")
    begun = time.process_time()
    found = read_tail(path, 2)
    assert time.process_time() - begun < 0.1
    assert found.plain() == ["last but one", "last"]
    assert found.size > 100_000_000
    assert not found.whole


def test_a_cut_in_the_middle_of_a_letter_makes_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "std_log.txt"
    path.write_bytes("é".encode() * 1000)
    assert set("".join(read_tail(path, 1, limit_bytes=101).plain())) == {"é"}
    path.write_bytes(b"\xff\xfe broken\n")
    assert "broken" in read_tail(path).plain()[0]


def test_a_missing_log_has_no_lines(tmp_path: Path) -> None:
    found = read_tail(tmp_path / "none.txt")
    assert (found.lines, found.size) == ((), 0)


@pytest.mark.parametrize(
    "line", ["\x1b[31mred\x1b[0m", "\x1b]0;title\x07red", "\x1b[2K\x1b[1Ared", "\x1b[38;5;196mred", "r\x00ed"]
)
def test_escape_sequences_are_taken_out_of_text(line: str) -> None:
    assert plain_line(line) == "red"


def test_colours_become_inline_styles_and_text_stays_text() -> None:
    html = coloured_html("\x1b[1;31m<b>fail\x1b[0m & \x1b[38;2;1;2;3mrest\x1b[m")
    page = read_page(html)
    assert page.text == "<b>fail & rest"
    assert page.names() == {"span"}
    assert "bold" in html and "color:" in html


def test_backspaces_cost_no_more_than_other_letters(tmp_path: Path) -> None:
    begun = time.process_time()
    assert tail(tmp_path, b"a" * 30_000 + b"\b" * 29_999 + b"\n") == ["a"]
    assert time.process_time() - begun < 1
