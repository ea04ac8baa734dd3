"""Build a virtual environment with uv: resolve the requirements to pinned ones with hashes, then install exactly those."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from aml_jupyter.config.conda_dependencies import package_name
from aml_jupyter.environments.builders import BuildError, Progress
from aml_jupyter.environments.builders.places import Place, ThisMachine
from aml_jupyter.environments.recipe import without_credentials

__all__ = ["install_requirements", "make", "pin_what_is_missing", "resolve", "resolve_requirements"]

_Result = TypeVar("_Result")

_OPTIONS: Final = {
    "--index-url": "--index-url",
    "--extra-index-url": "--extra-index-url",
    "--find-links": "--find-links",
    "--no-index": "--no-index",
    "--trusted-host": "--allow-insecure-host",
    "--no-binary": "--no-binary",
    "--only-binary": "--only-binary",
    "--pre": "--prerelease=allow",
    "--no-deps": "--no-deps",
    "--require-hashes": "--require-hashes",
}
_VARIABLES: Final = {
    "--index-url": ("UV_INDEX_URL", " "),
    "--extra-index-url": ("UV_EXTRA_INDEX_URL", " "),
    "--find-links": ("UV_FIND_LINKS", ","),
}
"""Where uv looks for the same, and what separates several."""
_RESOLVE_ONLY: Final = frozenset({"--pre", "--no-deps"})


def resolve(asked: dict[str, Any], cache: Path, progress: Progress) -> str:
    """Return the pinned requirements, with hashes, that uv finds for the recipe."""
    progress("solve", f"resolving {len(asked['requirements'])} requirements")
    return resolve_requirements(asked, asked["python"]["path"], ThisMachine(cache), str(cache))


def make(asked: dict[str, Any], lock: str, prefix: Path, cache: Path, progress: Progress) -> dict[str, Any]:
    """Make the virtual environment at `prefix`, and install what the lock says."""
    progress("link", f"making a virtual environment of Python {asked['python']['version']}")
    machine = ThisMachine(cache)
    machine.run(
        [
            machine.uv,
            "venv",
            "--python",
            asked["python"]["path"],
            "--no-python-downloads",
            "--no-project",
            str(prefix),
        ]
    )
    python = prefix / "bin" / "python"
    count = len(re.findall(r"^[A-Za-z0-9]", lock, re.MULTILINE))
    progress("pip", f"installing {count} packages")
    install_requirements(asked, lock, str(python), machine)
    return {
        "python": str(python),
        "version": asked["python"]["version"],
        "packages": count,
    }


def resolve_requirements(asked: dict[str, Any], python: str, place: Place, files: str) -> str:
    """Return the recipe's requirements pinned, with hashes, for the interpreter `python` of `place`.

    `files` is where the kept files of the cache are there.
    """
    lines = [_line(line, files) for line in asked["requirements"]]
    if not lines:
        return ""
    with place.scratch() as (here, there):
        command = [place.uv, "pip", "compile", "--python", python, "--no-python-downloads", "--generate-hashes"]
        command += ["--no-header", "--no-annotate", "--output-file", f"{there}/lock.txt"]
        command += _constraints(asked, files, place, here, there) + _options(asked, place)

        def ask(wanted: Sequence[str]) -> None:
            _write(here / "requirements.in", wanted)
            place.run([*command, f"{there}/requirements.in"], _addresses(asked, place))

        _without_azure_when_needed(ask, lines)
        return (here / "lock.txt").read_text(encoding="utf-8")


def pin_what_is_missing(asked: dict[str, Any], cache: Path, python: Path) -> str:
    """Return pinned requirements, with hashes, for what the environment of `python` lacks of the recipe's requirements."""
    place, files = ThisMachine(cache), str(cache)
    lines = [_line(line, files) for line in asked["requirements"]]
    with place.scratch() as (here, there):
        command = [place.uv, "pip", "install", "--python", str(python), "--dry-run"]
        command += _constraints(asked, files, place, here, there) + _options(asked, place)

        def ask(wanted: Sequence[str]) -> list[str]:
            _write(here / "requirements.in", wanted)
            return place.run([*command, "--requirement", f"{there}/requirements.in"], _addresses(asked, place))

        said = _without_azure_when_needed(ask, lines)
        pins = [match.group(1).strip() for line in said if (match := re.match(r"\s*\+ (.+)$", line))]
        if not pins:
            return ""
        by_name = {package_name(line).lower(): line for line in lines if "@ " in line or "://" in line}
        wanted = [by_name.get(package_name(pin).lower(), pin.split(" (from ")[0]) for pin in pins]
        _write(here / "pins.in", wanted)
        command = [place.uv, "pip", "compile", "--python", str(python), "--no-deps", "--generate-hashes", "--no-header"]
        place.run(
            [
                *command,
                "--no-annotate",
                *_options(asked, place),
                "--output-file",
                f"{there}/lock.txt",
                f"{there}/pins.in",
            ],
            _addresses(asked, place),
        )
        return (here / "lock.txt").read_text(encoding="utf-8")


def _without_azure_when_needed(act: Callable[[Sequence[str]], _Result], lines: Sequence[str]) -> _Result:
    """Do what `act` does with requirements; when it fails, without those of Azure, which the in-run client stands in for."""
    try:
        return act(lines)
    except BuildError as error:
        azure = [line for line in lines if line.lower().startswith("azureml-")]
        if not azure:
            raise
        print(
            f"{error}\nTrying again without {', '.join(azure)}: aml-jupyter serves what it can of azureml.", flush=True
        )
        return act([line for line in lines if line not in azure])


def install_requirements(asked: dict[str, Any], lock: str, python: str, place: Place) -> None:
    """Install exactly what a lock says into the environment of `python` at `place`."""
    if not lock.strip():
        return
    with place.scratch() as (here, there):
        _write(here / "lock.txt", [lock])
        command = [place.uv, "pip", "install", "--python", python, "--no-deps", "--strict"]
        command += _options(asked, place, installing=True)
        place.run([*command, "--requirement", f"{there}/lock.txt"], _addresses(asked, place))


def _line(line: str, files: str) -> str:
    """Return a requirement as uv reads it: local files by their place in the cache."""
    return re.sub(r"file:([0-9a-f]{64}/)", lambda match: f"file://{files}/files/{match.group(1)}", line)


def _options(asked: dict[str, Any], place: Place, installing: bool = False) -> list[str]:
    """Return the options of uv that mean what the recipe's options and pip's settings say, but for those of `_addresses`."""
    made: list[str] = ["--index-strategy", "unsafe-best-match"]  # all indexes count alike, as for pip
    left_out = _secret_options(asked)
    for name, *value in _said(asked, place):
        if name not in left_out and not (installing and name in _RESOLVE_ONLY):
            made += [_OPTIONS[name], *value]
    return made


def _addresses(asked: dict[str, Any], place: Place) -> dict[str, str]:
    """Return the variables that tell uv of addresses with credentials: a command line can be read by everybody."""
    made: dict[str, str] = {}
    for name in sorted(_secret_options(asked)):
        variable, separator = _VARIABLES[name]
        made[variable] = separator.join(value[0] for said, *value in _said(asked, place) if said == name)
    return made


def _secret_options(asked: dict[str, Any]) -> set[str]:
    """Return the options of which a value has credentials; uv takes all values of an option from one place."""
    pairs = [(f"--{name}", value) for name, values in asked.get("settings", {}).items() for value in values]
    pairs += [(name, value) for name, *values in asked.get("options", []) for value in values]
    return {name for name, value in pairs if name in _VARIABLES and without_credentials(value) != value}


def _said(asked: dict[str, Any], place: Place) -> list[list[str]]:
    """Return each option with its value, as pip's settings and the recipe's options say; of two default indexes the last."""
    made: list[list[str]] = []
    for name, values in asked.get("settings", {}).items():
        if name in ("constraint", "cert"):
            continue  # a file of constraints is one below; certificates go by SSL_CERT_FILE
        if name in ("no-index", "pre"):
            if values[0].lower() in ("1", "true", "yes", "on"):
                made.append([f"--{name}"])
            continue
        for value in values:
            there = place.seen(value) if name == "find-links" and "://" not in value else value
            if there is not None:
                made.append([f"--{name}", there])
    for name, *values in asked.get("options", []):
        made.append([name, *(place.seen(each) or each for each in values)])
    last = max((index for index, (name, *_) in enumerate(made) if name == "--index-url"), default=-1)
    return [each for index, each in enumerate(made) if each[0] != "--index-url" or index == last]


def _constraints(asked: dict[str, Any], files: str, place: Place, here: Path, there: str) -> list[str]:
    made: list[str] = []
    if asked.get("constraints"):
        _write(here / "constraints.txt", [_line(line, files) for line in asked["constraints"]])
        made += ["--constraint", f"{there}/constraints.txt"]
    for path in asked.get("settings", {}).get("constraint", []):
        found = place.seen(path)
        if found is not None:
            made += ["--constraint", found]
    return made


def _write(path: Path, lines: Sequence[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
