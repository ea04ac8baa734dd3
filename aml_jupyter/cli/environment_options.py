"""Own the options that say a run's environment on a line: of `aml submit`, and of ``%%aml_submit``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aml_jupyter.service.line_environment import LineEnvironment

__all__ = ["add_environment_options", "line_environment"]


def add_environment_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--conda``, ``--pip``, ``--environment`` and ``--image``."""
    add = parser.add_argument
    add("--conda", action="append", default=[], metavar="PACKAGES", help="conda packages that the run needs")
    add("--pip", action="append", default=[], metavar="PACKAGES", help="pip packages that the run needs")
    add("--environment", metavar="NAME[:VERSION]", help="registered environment; packages named beside it are added")
    add("--image", metavar="IMAGE", help="image of the container that the run has; packages go on top")


def line_environment(options: argparse.Namespace) -> LineEnvironment:
    """Return what the options say; those that a line does not have say nothing.

    Raises
    ------
    UserErrorException
        When a value is empty.
    """
    from aml_jupyter.service.line_environment import LineEnvironment

    return LineEnvironment.of(
        getattr(options, "conda", None) or (),
        getattr(options, "pip", None) or (),
        getattr(options, "environment", None),
        getattr(options, "image", None),
    )
