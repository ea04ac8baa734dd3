"""Have GPUs where there are none: a program on PATH that answers as nvidia-smi does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

__all__ = ["make_nvidia_smi", "put_nvidia_smi"]

ANSWERS = """#!/bin/sh
echo asked >> "$0.log"
if [ "$*" != "--query-gpu=index,uuid,name,memory.total --format=csv,noheader,nounits" ]; then
    echo "Invalid combination of input arguments."
    exit 2
fi
"""


def make_nvidia_smi(folder: Path, gpus: int, then: str = "exit 0") -> Path:
    """Put an nvidia-smi that knows `gpus` GPUs into a new folder; return where it notes that it was asked."""
    folder.mkdir()
    program = folder / "nvidia-smi"
    lines = [f"echo '{n}, GPU-{n}1111111-2222-3333-4444-555555555555, NVIDIA A100, 40960'" for n in range(gpus)]
    program.write_text(ANSWERS + "\n".join([*lines, then, ""]))
    program.chmod(0o755)
    return folder / "nvidia-smi.log"


def put_nvidia_smi(monkeypatch: pytest.MonkeyPatch, folder: Path, gpus: int, then: str = "exit 0") -> Path:
    """Put such an nvidia-smi first on PATH."""
    notes = make_nvidia_smi(folder, gpus, then)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return notes
