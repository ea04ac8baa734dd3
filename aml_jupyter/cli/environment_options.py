"""Own the options that say a run's environment on a line: of `aml submit`, ``%%aml_submit`` and `aml environment`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from aml_jupyter.errors import UserErrorException

if TYPE_CHECKING:
    from aml_jupyter.cli.parser import Arguments
    from aml_jupyter.config import Environment
    from aml_jupyter.service.line_environment import LineEnvironment
    from aml_jupyter.workspace import WorkspaceFolder

__all__ = ["add_environment_options", "line_environment", "of_files", "with_line"]


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


def with_line(arguments: Arguments, folder: WorkspaceFolder, made: Environment, given: str) -> Environment:
    """Return what a file says with the packages and the image that stand on the line, too."""
    from aml_jupyter.config import RunConfiguration
    from aml_jupyter.environments import submitter

    for option, value in (
        ("--environment", arguments.environment),
        ("--run-configuration", arguments.run_configuration),
        ("--image", given == "--dockerfile" and arguments.image),
    ):
        if value:
            raise UserErrorException(f"{given} and {option} exclude each other", "environment")
    wanted = line_environment(arguments)
    if not wanted:
        return made
    run_config = RunConfiguration()
    run_config.environment = made
    return wanted.apply(folder, run_config, submitter())[0].environment


def of_files(arguments: Arguments, name: str) -> Environment:
    """Return the environment that the files of a line describe."""
    from aml_jupyter.config import Environment

    if arguments.directory:
        return Environment.load_from_directory(arguments.directory)
    if arguments.conda_specification:
        return Environment.from_conda_specification(name, arguments.conda_specification)
    if arguments.pip_requirements:
        return Environment.from_pip_requirements(name, arguments.pip_requirements)
    if arguments.existing_conda:
        return Environment.from_existing_conda_environment(name, arguments.existing_conda)
    return Environment.from_dockerfile(name, arguments.dockerfile)
