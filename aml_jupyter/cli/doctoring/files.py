"""Find what run configurations, packages, workspace files and command lines of SDK v1 become here."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from aml_jupyter.cli.common import config_says
from aml_jupyter.errors import AmlError, ComputeTargetException, UserErrorException
from aml_jupyter.views.doctor import Finding

__all__ = [
    "command_findings",
    "compute_findings",
    "line_findings",
    "packages_findings",
    "run_configuration_findings",
    "sweep_findings",
]

_LINE: Final = re.compile(r"(?:^|[\s`$>;&|(])az\s+((?:ml|login|account)\b[^`|;&>]*)")


def run_configuration_findings(file: str, path: Path) -> Iterator[Finding]:
    """Yield what a run configuration asks for: what has no effect, what is not here, and that it can be read."""
    from aml_jupyter.config import RunConfiguration
    from aml_jupyter.config.unbuilt import unbuilt
    from aml_jupyter.environments import without_effect

    try:
        with config_says(lambda text: None):  # the notes have it
            read = RunConfiguration.load(str(path))
    except (AmlError, OSError, ValueError) as error:
        yield Finding(file, _line_in(str(error)), "run configuration", "broken", str(error))
        return
    yield Finding(file, 0, "run configuration", "works")
    for note in dict.fromkeys([*read.notes, *without_effect(read)]):
        yield Finding(file, 0, "run configuration", "differs", note)
    for demand in unbuilt(read):
        yield Finding(file, 0, demand.field, "missing", f"{demand.field} = {demand.value!r:.80}: {demand.instead}")


def compute_findings(file: str, path: Path) -> Iterator[Finding]:
    """Yield whether the target of a ``.compute`` file of 2017 can be had here."""
    from aml_jupyter.config.compute_files import read_compute_file
    from aml_jupyter.targets.kinds import kind_of

    try:
        with config_says(lambda text: None):
            read = read_compute_file(path)
        kind = kind_of("docker" if read.type == "localdocker" else str(read.type))
    except (OSError, AmlError) as error:
        yield Finding(file, _line_in(str(error)), "compute target", "broken", str(error))
        return
    if kind.built:
        yield Finding(file, 0, f"compute target of type {kind.type}", "works")
    else:
        text = kind.note or f"targets of type {kind.type} are not here yet; aml compute kinds lists those that are"
        yield Finding(file, 0, f"compute target of type {kind.type}", "missing", text)


def sweep_findings(file: str, path: Path) -> Iterator[Finding]:
    """Yield whether a HyperDrive configuration can be read."""
    from aml_jupyter.config.sweeps import read_hdconfig

    try:
        with config_says(lambda text: None):  # the notes have it
            read_hdconfig(path)
    except AmlError as error:
        yield Finding(file, _line_in(str(error)), "HyperDrive configuration", "broken", str(error))
    else:
        yield Finding(file, 0, "HyperDrive configuration", "works")


def packages_findings(file: str, path: Path) -> Iterator[Finding]:
    """Yield whether a file of packages can be read, and what it needs here."""
    from aml_jupyter.config import CondaDependencies
    from aml_jupyter.config.conda_dependencies import package_name

    try:
        read = CondaDependencies(path)
    except (AmlError, OSError, ValueError) as error:
        yield Finding(file, _line_in(str(error)), "packages", "broken", str(error))
        return
    yield Finding(file, 0, "packages", "works")
    conda = [entry for entry in read.conda_packages if package_name(entry) not in ("python", "pip")]
    if conda:
        text = (
            "conda packages need pip install 'aml-jupyter[conda]' where runs are submitted, and a channel that answers"
        )
        yield Finding(file, 0, f"conda packages ({', '.join(conda[:3])}, ...)", "differs", text)
    served = [entry for entry in read.pip_packages if package_name(entry) == "azureml-defaults"]
    if served:
        text = "it is not installed: aml-jupyter serves azureml.core inside the run"
        yield Finding(file, 0, "azureml-defaults", "differs", text)


def command_findings(file: str, text: str) -> Iterator[Finding]:
    """Yield the ``az ml`` lines of a shell script or a page."""
    joined = re.sub(r"[\\`^]\s*\n\s*", " ", text)
    for number, line in enumerate(joined.splitlines(), 1):
        for match in _LINE.finditer(line):
            yield from line_findings(file, number, f"az {match[1].strip()}")


def line_findings(file: str, number: int, line: str) -> Iterator[Finding]:
    """Judge one command line by the command tree itself."""
    from aml_jupyter.cli.tree import build_parser

    shown = re.sub(r"(--password|-w)\s+\S+", r"\1 ***", line)
    try:
        words = shlex.split(re.sub(r"[<>]", "", line), comments=True)
    except ValueError as error:
        yield Finding(file, number, shown, "broken", str(error))
        return
    words = words[2:] if words[1:2] == ["ml"] else words[1:]
    ours = "aml " + " ".join(words)
    if not words:
        return
    try:
        read = build_parser().parse_line(words)
    except (UserErrorException, SystemExit) as error:
        yield Finding(file, number, shown, "missing", str(error))
        return
    refused = _refused_kind(words, read)
    if refused:
        yield Finding(file, number, shown, "missing", refused)
        return
    if {"--password"} & set(words):
        yield Finding(file, number, shown, "differs", "a password on a command line can be read by others; use a key")
        return
    yield Finding(file, number, shown, "works", f"as: {ours}" if "***" not in shown else "")


def _refused_kind(words: list[str], read: Any) -> str:
    """Return why a line that makes or attaches a compute target fails for its type; empty for any other line."""
    from aml_jupyter.targets import kind_of

    if words[:1] not in (["compute"], ["computetarget"]) or words[1:2] not in (["create"], ["attach"]):
        return ""
    named = getattr(read, "type", None) or (read.word if read.name else None)
    if not named:
        return ""
    try:
        kind = kind_of(named)
    except ComputeTargetException as error:
        return str(error)
    return "" if kind.built else f"targets of type {kind.type} are not here yet; aml compute kinds lists those that are"


def _line_in(text: str) -> int:
    found = re.search(r"line (\d+)", text)
    return int(found[1]) if found else 0
