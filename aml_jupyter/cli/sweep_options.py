"""Own the options that say a sweep on a line, of a command and of ``%%aml_submit`` alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from aml_jupyter.errors import UserErrorException

if TYPE_CHECKING:
    import argparse

__all__ = ["SweepLine", "add_sweep_options", "sweep_line"]

GIVEN = ("metric", "goal", "max_runs", "concurrent", "max_minutes", "sampling", "policy")


class SweepLine(NamedTuple):
    """Hold what a line says of a sweep: a file or a parameter space, and what wins over the file; None is not said."""

    what: str
    metric: str | None = None
    goal: str | None = None
    max_runs: int | None = None
    concurrent: int | None = None
    max_minutes: int | None = None
    sampling: str | None = None
    policy: str | None = None


def add_sweep_options(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add ``--sweep`` (under further `names`, too) and what goes with it."""
    add = parser.add_argument
    add(
        *names,
        "--sweep",
        dest="sweep",
        metavar="FILE",
        help="what is sampled: a HyperDrive configuration (a path, or a file in .azureml, aml_config or the source directory), "
        "or a space such as 'lr=loguniform(-6,-1) batch=choice(16,32)'",
    )
    add("--metric", metavar="NAME", help="of a sweep: the primary metric, as it is logged")
    add("--goal", metavar="GOAL", help="of a sweep: maximize or minimize")
    add("--max-runs", type=int, metavar="N", help="of a sweep: how many children in all (20)")
    add("--concurrent", type=int, metavar="N", help="of a sweep: how many children at once; all unless given")
    add("--max-minutes", type=int, metavar="N", help="of a sweep: when it ends at the latest")
    add("--sampling", metavar="NAME", help="of a sweep: random (the default), sobol, grid or bayesian")
    add(
        "--policy",
        metavar="POLICY",
        help="of a sweep: what stops children early: median, 'bandit(slack_factor=0.2)', ...",
    )


def sweep_line(options: Any) -> SweepLine | None:
    """Return what the options say of a sweep, None where there is none.

    Raises
    ------
    UserErrorException
        When an option of a sweep is given without one.
    """
    given = {name: getattr(options, name) for name in GIVEN if getattr(options, name) is not None}
    if options.sweep is None:
        if given:
            option = "--" + next(iter(given)).replace("_", "-")
            raise UserErrorException(f"{option} goes with --sweep, which is missing", "sweep")
        return None
    return SweepLine(options.sweep, **given)
