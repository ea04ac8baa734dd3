"""Own the magics: ``%aml`` and ``%%aml_submit``, and how they are completed."""

from __future__ import annotations

from typing import Any

__all__ = ["register", "unregister"]


def register(shell: Any) -> None:
    """Make the magics and their completions known to the IPython shell `shell`."""
    from .aml import AmlMagics
    from .completion import complete
    from .submit import SubmitMagics

    shell.register_magics(AmlMagics, SubmitMagics)
    if complete not in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.append(complete)


def unregister(shell: Any) -> None:
    """Take the magics and their completions out again."""
    from .completion import complete

    manager = shell.magics_manager
    manager.magics["line"].pop("aml", None)
    manager.magics["cell"].pop("aml_submit", None)
    if complete in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.remove(complete)
