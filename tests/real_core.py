"""Make, once, an environment of its own with the real azureml-core 1.61 under ``.bench``, which git does not see."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

__all__ = ["python_with_azureml_core"]

HOME = Path(__file__).parents[1] / ".bench" / "azureml-core"
PACKAGE = "azureml-core==1.61.0.post4"
BOUND = 600.0


def python_with_azureml_core() -> str:
    """Return the Python that has azureml-core; skip, with the reason, where it cannot be had.

    With ``CI=true`` a package index that answers must give it: then the test fails.
    """
    HOME.parent.mkdir(exist_ok=True)
    python = HOME / "bin" / "python"
    with open(HOME.parent / ".azureml-core.lock", "w") as lock:  # several workers of one test run
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (HOME / ".ready").exists():
            try:
                _run(sys.executable, "-m", "venv", "--clear", str(HOME))
                _run(str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", PACKAGE)
                _run(str(python), "-c", "import azureml.core.runconfig")
            except (OSError, subprocess.SubprocessError) as error:
                said = getattr(error, "stderr", None) or str(error)
                reason = f"the real azureml-core 1.61 cannot be had here: {str(said).strip()[-300:]}"
                if os.environ.get("CI") == "true" and _index_answers(python):
                    pytest.fail(reason)
                pytest.skip(reason)
            (HOME / ".ready").touch()
    return str(python)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=BOUND)


def _index_answers(python: Path) -> bool:
    try:
        _run(str(python), "-m", "pip", "index", "versions", "azureml-core")
    except (OSError, subprocess.SubprocessError):
        return False
    return True
