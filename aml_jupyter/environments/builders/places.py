"""Say where an installer runs: on this machine, or in a container that becomes an image."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from aml_jupyter.environments.builders import BuildError
from aml_jupyter.environments.pythons import uv_program

__all__ = ["Place", "ThisMachine", "complaint_of"]


class Place(Protocol):
    """Run uv somewhere, with files of this machine."""

    @property
    def uv(self) -> str:
        """Return the path of uv there."""

    def seen(self, path: str) -> str | None:
        """Return where `path` of this machine is there; None when it is not."""

    def scratch(self) -> AbstractContextManager[tuple[Path, str]]:
        """Give a folder of this machine that is removed again, and where it is there."""

    def run(self, command: Sequence[str], variables: Mapping[str, str] | None = None) -> list[str]:
        """Run a command, with what it says in the log, and return that.

        Raises
        ------
        BuildError
            With what the command says of its failure.
        """


class ThisMachine:
    """Run uv here.

    Parameters
    ----------
    cache : Path
        The environment cache; kept files are found in it.
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache

    @property
    def uv(self) -> str:
        """Return the path of uv."""
        return uv_program()

    def seen(self, path: str) -> str | None:
        """Return `path`, if it is there."""
        return path if os.path.exists(path) else None

    @contextmanager
    def scratch(self) -> Iterator[tuple[Path, str]]:
        """Give a temporary folder."""
        with tempfile.TemporaryDirectory(prefix="aml-build-") as folder:
            yield Path(folder), folder

    def run(self, command: Sequence[str], variables: Mapping[str, str] | None = None) -> list[str]:
        """Run a command of uv's, with what it says in the log."""
        environment = {
            **os.environ,
            "UV_NO_PROGRESS": "1",
            "NO_COLOR": "1",
            **(variables or {}),
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
            raise BuildError(complaint_of(said) or f"uv ended with exit code {process.returncode}")
        return said


def complaint_of(said: Sequence[str]) -> str:
    """Return uv's account of a failure without its drawing."""
    begin = next((index for index, line in enumerate(said) if re.match(r"\s*(×|error:|x )", line)), None)
    if begin is None:
        return "\n".join(said[-5:])
    lines = [re.sub(r"^[\s×│╰─▶├|]*(error: |cause: )?", "", line).strip() for line in said[begin:]]
    hint = next((index for index, line in enumerate(lines) if line.startswith("hint:")), len(lines))
    lines = lines[:hint] or lines  # the log has uv's advice on its own options
    return re.sub(r"\s+", " ", " ".join(line for line in lines if line)).strip()[:2000]
