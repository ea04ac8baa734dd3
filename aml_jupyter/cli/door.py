"""Own the door: where the command tree's words go, a terminal (`aml`) or a notebook's output (`%aml`).

The tree itself never prints and never asks; it hands text, views, questions and submitted runs to its door.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from aml_jupyter.service import Submission
    from aml_jupyter.views import View
    from aml_jupyter.workspace import WorkspaceFolder

__all__ = ["Door", "Progress", "TerminalDoor"]

Progress = Callable[[int, int], None]
"""Called with what is done and what there is in all, as often as the work likes; 0 in all means "not known"."""


class Door(Protocol):
    """Say what a command needs from the place it was called from."""

    @property
    def width(self) -> int:
        """Return how many columns a line may take."""

    def write(self, text: str) -> None:
        """Write `text` as it is, without a newline of its own (results: what a pipe would read)."""

    def remark(self, text: str) -> None:
        """Write one line that is not a result: an error, a warning, what to do next."""

    def show(self, view: View) -> None:
        """Show one view: a terminal takes its text, a notebook its HTML with the text beside it."""

    def submitted(self, folder: WorkspaceFolder, submission: Submission) -> bool:
        """Take a run that was just submitted; True when the door shows it itself (a notebook's live handle)."""

    def ask(self, question: str) -> bool:
        """Ask a person and return whether the answer was yes; no where there is nobody to ask."""

    def forget(self, secret: str) -> None:
        """Take a secret of the command's line out of what the place keeps of lines, where that can be done."""

    def progress(self, label: str, unit: str = "") -> AbstractContextManager[Progress | None]:
        """Give a progress bar for the time of the block, or None where nobody looks; `unit` may be ``bytes``."""


class TerminalDoor:
    """Write results to standard output and everything else to standard error."""

    @property
    def width(self) -> int:
        """Return the terminal's width; a pipe gets lines of any length."""
        if not sys.stdout.isatty() and "COLUMNS" not in os.environ:
            return 10_000
        return shutil.get_terminal_size((80, 24)).columns

    def write(self, text: str) -> None:
        """Write to standard output at once, so that a pipe sees a followed log as it grows."""
        try:
            sys.stdout.write(text)
        except UnicodeEncodeError:  # a terminal that is not UTF-8 gets question marks, not an error
            encoding = sys.stdout.encoding
            sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
        sys.stdout.flush()

    def remark(self, text: str) -> None:
        """Write one line to standard error."""
        sys.stdout.flush()
        print(text, file=sys.stderr, flush=True)

    def show(self, view: View) -> None:
        """Write the view's text."""
        self.write(view.as_text(self.width) + "\n")

    def submitted(self, folder: WorkspaceFolder, submission: Submission) -> bool:
        """Leave the telling to the command."""
        return False

    def ask(self, question: str) -> bool:
        """Ask at the terminal, when both ends of it are one."""
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        self.remark(question)
        sys.stderr.write("Type yes or no: ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in ("yes", "y")

    def forget(self, secret: str) -> None:
        """Leave it: the shell's history is not ours, and the process's title is taken care of by who reads the line."""

    def progress(self, label: str, unit: str = "") -> AbstractContextManager[Progress | None]:
        """Draw a bar on standard error when that is a terminal."""
        from aml_jupyter.views.progress import progress_bar

        return progress_bar(label, unit, sys.stderr)
