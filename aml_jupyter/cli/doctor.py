"""Own `aml doctor`: what of a folder of SDK v1 files and scripts works here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aml_jupyter.cli.common import emit
from aml_jupyter.cli.parser import Arguments, Nouns, add_verb

if TYPE_CHECKING:
    from aml_jupyter.cli.door import Door

__all__ = ["add_verbs"]


def add_verbs(nouns: Nouns) -> None:
    """Add `aml doctor`."""
    parser = add_verb(
        nouns,
        "doctor",
        _doctor,
        "Read a folder of SDK v1 files and scripts and say what works here; exit code 1 when something does not.",
        "aml doctor\naml doctor ~/old-project --json",
    )
    parser.add_argument("folder", nargs="?", default=".", metavar="FOLDER", help="the folder; else the current one")


def _doctor(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.cli.doctoring import examine

    report = examine(arguments.folder)
    emit(arguments, door, report)
    return 0 if report.good else 1
