"""The same tree at another door, and progress bars."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from aml_jupyter.cli import run_line
from aml_jupyter.views.progress import progress_bar, progress_line


class PaperDoor:
    """Write down what a notebook would show."""

    width = 100

    def __init__(self, takes_runs: bool) -> None:
        self.takes_runs = takes_runs
        self.written = ""
        self.remarks: list[str] = []
        self.html: list[str] = []
        self.submissions: list[Any] = []

    def write(self, text: str) -> None:
        self.written += text

    def remark(self, text: str) -> None:
        self.remarks.append(text)

    def show(self, view: Any) -> None:
        self.html.append(view.as_html())

    def submitted(self, folder: Any, submission: Any) -> bool:
        self.submissions.append(submission)
        return self.takes_runs

    def ask(self, question: str) -> bool:
        return False

    def forget(self, secret: str) -> None:
        self.remarks.append(f"forgot {len(secret)} letters")

    def progress(self, label: str, unit: str = "") -> AbstractContextManager[Callable[[int, int], None] | None]:
        return nullcontext(None)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_notebooks_door_gets_html_and_takes_its_runs(project: Path) -> None:
    door = PaperDoor(takes_runs=True)
    assert run_line(["submit", "--wait", "train.py"], door) == 0
    assert len(door.submissions) == 1
    assert door.written == ""  # the live handle shows id and log
    assert run_line(["run", "list"], door) == 0
    assert "<table" in door.html[0]
    assert run_line(["run", "list", "--json"], door) == 0
    assert door.written.startswith("[")
    assert run_line(["run", "nosuch"], door) == 2
    assert door.remarks[-1].startswith("aml: ")


def test_a_bar_is_drawn_on_a_terminal_only(monkeypatch: Any) -> None:
    from aml_jupyter.views import progress as module

    monkeypatch.setattr(module, "DELAY_SECONDS", 0.0)
    monkeypatch.setattr(module, "INTERVAL_SECONDS", 0.0)
    with progress_bar("snapshot", "bytes", io.StringIO()) as update:
        assert update is None
    terminal = Terminal()
    with progress_bar("snapshot", "bytes", terminal) as update:
        assert update is not None
        update(500_000, 1_000_000)
    drawn = terminal.getvalue()
    assert "snapshot [" in drawn and "500 kB of 1.0 MB" in drawn
    assert drawn.endswith("\r\x1b[K")


def test_quick_work_draws_nothing() -> None:
    terminal = Terminal()
    with progress_bar("snapshot", "", terminal) as update:
        assert update is not None
        update(1, 2)
    assert terminal.getvalue() == ""


def test_a_bar_fits_its_line() -> None:
    assert len(progress_line("download", 5, 10, "", 40)) <= 40
    assert "##" in progress_line("download", 5, 10, "", 60)
    assert progress_line("counting", 7, 0, "files", 40) == "counting  7 files"
    assert progress_line("a very long label of something", 5, 10, "", 20) == "a very lon…  5 of 10"
