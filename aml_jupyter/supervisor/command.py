"""Read the command line of the zip: ``supervise``, ``nurse``, ``far``, ``cell``, ``notebook`` and ``spark``."""

import os
import sys
from typing import List

__all__ = ["main"]

USAGE = (
    "usage: supervise <control> [slot descriptor ...] | nurse <socket> | far <base> [workspace target] | "
    "far <base> --engine <socket> | far <base> --clean <days> dry|really | far-build <folder> | cell|notebook|spark <control>"
)


def main(arguments: List[str]) -> int:
    """Do what `arguments` (without the program's name) say; return the exit code."""
    if len(arguments) < 2:
        sys.stderr.write(USAGE + "\n")
        return 2
    verb, place = arguments[0], os.path.abspath(arguments[1])
    # Imported one by one: each is a program of its own, and a run's start-up time counts.
    if verb == "supervise":
        from .supervise import supervise

        return supervise(place, [int(fd) for fd in arguments[2:]])
    if verb == "nurse":
        from .warm_parent import serve

        return serve(place)
    if verb == "far-build":
        from .far_build import build

        return build(place)
    if verb == "far":
        from .far import probe, report_clean
        from .far import serve as serve_far

        if arguments[2:3] == ["--clean"]:
            return report_clean(place, float(arguments[3]), arguments[4] == "dry")
        if arguments[2:3] == ["--engine"]:
            return probe(place, arguments[3])
        return serve_far(place, arguments[2], arguments[3]) if len(arguments) > 3 else probe(place)
    if verb == "cell":
        from .runners.cell import run_cell

        return run_cell(place)
    if verb == "notebook":
        from .runners.notebook import run_notebook

        return run_notebook(place)
    if verb == "spark":
        from .runners.spark import run_spark

        return run_spark(place)
    sys.stderr.write("%s is not a command; %s\n" % (verb, USAGE))
    return 2
