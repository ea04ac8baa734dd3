"""Own the options that say what a run takes up and how long it may go on: the same for a command line and a cell."""

from __future__ import annotations

import argparse

__all__ = ["add_run_options"]


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--priority``, ``--cores``, ``--gpus``, ``--memory`` and what bounds a run's attempts and time."""
    add = parser.add_argument
    add("--priority", type=int, default=0, metavar="N", help="higher goes first")
    add("--cores", type=int, default=1, metavar="N", help="processor cores that the run takes up")
    add("--gpus", type=int, default=0, metavar="N", help="GPUs that the run takes up")
    add(
        "--memory",
        default="0",
        metavar="SIZE",
        help="memory of the run, for example 4GB; it is ended when it uses more",
    )
    add("--max-retries", type=int, default=0, metavar="N", help="how often to start again after a failure")
    add("--max-seconds", type=int, metavar="N", help="time limit of the run")
    add("--grace-seconds", type=float, default=10, metavar="N", help="how long it may go on after TERM (10)")
