"""Build a virtual environment with uv: resolve the requirements to pinned ones with hashes, then install exactly those."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from aml_jupyter.config.conda_dependencies import package_name
from aml_jupyter.environments.builders import BuildError, Progress
from aml_jupyter.environments.pythons import uv_program

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
_RESOLVE_ONLY: Final = frozenset({"--pre", "--no-deps"})


def resolve(asked: dict[str, Any], cache: Path, progress: Progress) -> str:
    """Return the pinned requirements, with hashes, that uv finds for the recipe."""
    progress("solve", f"resolving {len(asked['requirements'])} requirements")
    return resolve_requirements(asked, cache, asked["python"]["path"])


def make(asked: dict[str, Any], lock: str, prefix: Path, cache: Path, progress: Progress) -> dict[str, Any]:
    """Make the virtual environment at `prefix`, and install what the lock says."""
    progress("link", f"making a virtual environment of Python {asked['python']['version']}")
    _run(
        [
            uv_program(),
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
    install_requirements(asked, lock, cache, python)
    return {
        "python": str(python),
        "version": asked["python"]["version"],
        "packages": count,
        "variables": asked.get("variables") or {},
    }


def resolve_requirements(asked: dict[str, Any], cache: Path, python: str) -> str:
    """Return the recipe's requirements pinned, with hashes, for the interpreter `python`."""
    lines = [_line(line, cache) for line in asked["requirements"]]
    if not lines:
        return ""
    with tempfile.TemporaryDirectory(prefix="aml-build-") as folder:
        command = [uv_program(), "pip", "compile", "--python", python, "--no-python-downloads", "--generate-hashes"]
        command += ["--no-header", "--no-annotate", "--output-file", f"{folder}/lock.txt"]
        command += _constraints(asked, cache, folder) + _options(asked)
        _write(f"{folder}/requirements.in", lines)
        try:
            _run([*command, f"{folder}/requirements.in"])
        except BuildError as error:
            azure = [line for line in lines if line.lower().startswith("azureml-")]
            if not azure:
                raise
            print(
                f"{error}\nTrying again without {', '.join(azure)}: aml-jupyter serves what it can of azureml.",
                flush=True,
            )
            _write(f"{folder}/requirements.in", [line for line in lines if line not in azure])
            _run([*command, f"{folder}/requirements.in"])
        return Path(folder, "lock.txt").read_text(encoding="utf-8")


def pin_what_is_missing(asked: dict[str, Any], cache: Path, python: Path) -> str:
    """Return pinned requirements, with hashes, for what the environment of `python` lacks of the recipe's requirements."""
    lines = [_line(line, cache) for line in asked["requirements"]]
    with tempfile.TemporaryDirectory(prefix="aml-build-") as folder:
        command = [uv_program(), "pip", "install", "--python", str(python), "--dry-run"]
        command += _constraints(asked, cache, folder) + _options(asked)

        def ask(wanted: Sequence[str]) -> list[str]:
            _write(f"{folder}/requirements.in", wanted)
            return _run([*command, "--requirement", f"{folder}/requirements.in"])

        said = _without_azure_when_needed(ask, lines)
        pins = [match.group(1).strip() for line in said if (match := re.match(r"\s*\+ (.+)$", line))]
        if not pins:
            return ""
        by_name = {package_name(line).lower(): line for line in lines if "@ " in line or "://" in line}
        wanted = [by_name.get(package_name(pin).lower(), pin.split(" (from ")[0]) for pin in pins]
        _write(f"{folder}/pins.in", wanted)
        command = [
            uv_program(),
            "pip",
            "compile",
            "--python",
            str(python),
            "--no-deps",
            "--generate-hashes",
            "--no-header",
        ]
        _run([*command, "--no-annotate", *_options(asked), "--output-file", f"{folder}/lock.txt", f"{folder}/pins.in"])
        return Path(folder, "lock.txt").read_text(encoding="utf-8")


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


def install_requirements(asked: dict[str, Any], lock: str, cache: Path, python: Path) -> None:
    """Install exactly what a lock says into the environment of `python`."""
    if not lock.strip():
        return
    with tempfile.TemporaryDirectory(prefix="aml-build-") as folder:
        _write(f"{folder}/lock.txt", [lock])
        command = [uv_program(), "pip", "install", "--python", str(python), "--no-deps", "--strict"]
        _run([*command, *_options(asked, installing=True), "--requirement", f"{folder}/lock.txt"])


def _line(line: str, cache: Path) -> str:
    """Return a requirement as uv reads it: local files by their place in the cache."""
    return re.sub(r"file:([0-9a-f]{64}/)", lambda match: f"file://{cache}/files/{match.group(1)}", line)


def _options(asked: dict[str, Any], installing: bool = False) -> list[str]:
    """Return the options of uv that mean what the recipe's options and pip's settings say."""
    made: list[str] = ["--index-strategy", "unsafe-best-match"]  # all indexes count alike, as for pip
    for name, values in asked.get("settings", {}).items():
        if name in ("constraint", "cert"):
            continue  # a file of constraints is one below; certificates go by SSL_CERT_FILE
        if name in ("no-index", "pre"):
            if values[0].lower() in ("1", "true", "yes", "on"):
                made.append(_OPTIONS[f"--{name}"])
            continue
        for value in values:
            if name != "find-links" or "://" in value or os.path.exists(value):
                made += [_OPTIONS[f"--{name}"], value]
    for name, *value in asked.get("options", []):
        if not (installing and name in _RESOLVE_ONLY):
            made += [_OPTIONS[name], *value]
    return made


def _constraints(asked: dict[str, Any], cache: Path, folder: str) -> list[str]:
    made: list[str] = []
    if asked.get("constraints"):
        _write(f"{folder}/constraints.txt", [_line(line, cache) for line in asked["constraints"]])
        made += ["--constraint", f"{folder}/constraints.txt"]
    for path in asked.get("settings", {}).get("constraint", []):
        if os.path.exists(path):
            made += ["--constraint", path]
    return made


def _write(path: str, lines: Sequence[str]) -> None:
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _run(command: Sequence[str]) -> list[str]:
    """Run uv, with what it says in the log, and return that; raise what it says of its failure."""
    environment = {
        **os.environ,
        "UV_NO_PROGRESS": "1",
        "NO_COLOR": "1",
        "UV_NATIVE_TLS": os.environ.get("UV_NATIVE_TLS", "1"),
    }
    environment.setdefault("UV_HTTP_TIMEOUT", "60")
    environment.setdefault("UV_SYSTEM_CERTS", "1")  # certificates of the system, as pip's
    for name in ("UV_NATIVE_TLS", "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONDONTWRITEBYTECODE"):
        environment.pop(name, None)
    said = []
    with subprocess.Popen(
        list(command),
        env=environment,
        cwd=os.sep,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line.rstrip())
            print(line.rstrip(), flush=True)
    if process.returncode:
        raise BuildError(_complaint(said) or f"uv ended with exit code {process.returncode}")
    return said


def _complaint(said: Sequence[str]) -> str:
    """Return uv's account of a failure without its drawing."""
    begin = next((index for index, line in enumerate(said) if re.match(r"\s*(×|error:|x )", line)), None)
    if begin is None:
        return "\n".join(said[-5:])
    lines = [re.sub(r"^[\s×│╰─▶├|]*(error: |cause: )?", "", line).strip() for line in said[begin:]]
    hint = next((index for index, line in enumerate(lines) if line.startswith("hint:")), len(lines))
    lines = lines[:hint] or lines  # the log has uv's advice on its own options
    return re.sub(r"\s+", " ", " ".join(line for line in lines if line)).strip()[:2000]
