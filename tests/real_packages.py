"""Make, once each, environments of their own with real packages under ``.bench``, which git does not see."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from missing_parts import NOTHING_TO_TEST

__all__ = ["python_with", "python_with_azureml_core"]

HOME = Path(__file__).parents[1] / ".bench"
BOUND = 600.0


def python_with_azureml_core() -> str:
    """Return the Python that has azureml-core 1.61."""
    return python_with("azureml-core", "azureml-core==1.61.0.post4", check="import azureml.core.runconfig")


def python_with(name: str, *packages: str, check: str) -> str:
    """Return the Python of the environment `name`, which has `packages`; skip, with the reason, where they cannot be had.

    With ``CI=true`` that is a failure where a package index answers; one that has no such packages gives nothing to test.
    """
    home = HOME / name
    home.parent.mkdir(exist_ok=True)
    python = home / "bin" / "python"
    wanted = " ".join(packages)
    with open(home.parent / f".{name}.lock", "w") as lock:  # several workers of one test run
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = home / ".ready"
        if not ready.exists() or ready.read_text() not in ("", wanted):
            try:
                shutil.rmtree(home, ignore_errors=True)
                _run(sys.executable, "-m", "venv", str(home))
                _install(python, packages)
                _run(str(python), "-c", check)
            except (OSError, subprocess.SubprocessError) as error:
                said = getattr(error, "stderr", None) or str(error)
                reason = f"{wanted} cannot be had here: {str(said).strip()[-300:]}"
                if not _index_answers(python, packages[0].partition("=")[0]):
                    reason = NOTHING_TO_TEST + reason
                pytest.skip(reason)
            ready.write_text(wanted)
    return str(python)


def _install(python: Path, packages: tuple[str, ...]) -> None:
    """Install with uv, which is quick; with pip, which reads settings that uv does not, where uv cannot."""
    uv = Path(sys.executable).with_name("uv")
    try:
        _run(str(uv), "pip", "install", "-q", "--python", str(python), *packages)
    except (OSError, subprocess.SubprocessError):
        _run(str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=BOUND)


def _index_answers(python: Path, package: str) -> bool:
    try:
        _run(str(python), "-m", "pip", "index", "versions", package)
    except (OSError, subprocess.SubprocessError):
        return False
    return True
