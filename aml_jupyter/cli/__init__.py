"""Own the one command tree: `aml` in a terminal and `%aml` in a notebook are two doors to it."""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` would take a good part of the time that a completion has
if TYPE_CHECKING:
    from typing import Any

    from aml_jupyter.cli.door import Door, TerminalDoor
    from aml_jupyter.cli.main import entry, run_line
    from aml_jupyter.cli.tree import build_parser

__all__ = ["Door", "TerminalDoor", "build_parser", "entry", "run_line"]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use."""
    from importlib import import_module

    if name in ("Door", "TerminalDoor"):
        return getattr(import_module("aml_jupyter.cli.door"), name)
    if name == "build_parser":
        return import_module("aml_jupyter.cli.tree").build_parser
    if name in ("entry", "run_line"):
        return getattr(import_module("aml_jupyter.cli.main"), name)
    raise AttributeError(f"module 'aml_jupyter.cli' has no attribute {name!r}")
