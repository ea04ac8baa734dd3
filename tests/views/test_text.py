from __future__ import annotations

import pytest

from aml_jupyter.views.text import Column, clip, display_width, printable, table_text

COLUMNS = (Column("name", least=6), Column("size", right=True))


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("手書き", 6), ("é", 1), ("e\u0301", 1), ("👩", 2)])
def test_display_width(text: str, width: int) -> None:
    assert display_width(text) == width


def test_clip_counts_columns_not_letters() -> None:
    assert clip("手書き数字", 5) == "手書…"
    assert clip("short", 5) == "short"
    assert clip("anything", 0) == ""


def test_a_table_fits_the_terminal_and_keeps_its_columns_in_line() -> None:
    rows = [["手書き数字の実験" * 5, "1 kB"], ["digits", "20 MB"]]
    lines = table_text(COLUMNS, rows, 40).splitlines()
    assert max(display_width(line) for line in lines) <= 40
    assert lines[1].endswith("1 kB") and lines[2].endswith("20 MB")
    assert display_width(lines[1]) == display_width(lines[2])
    assert "…" in lines[1]


def test_what_may_not_be_cut_stays_whole() -> None:
    assert "digits_1700000000_abcdef12" in table_text((Column("run"),), [["digits_1700000000_abcdef12"]], 10)


def test_a_name_cannot_steer_the_terminal() -> None:
    shown = table_text(COLUMNS, [["a\x1b[2Jb\nc", "1"]], 80)
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 2
    assert printable("one\ntwo", keep_newlines=True) == "one\ntwo"
