"""Know the GPUs of this machine: set by hand, named by ``AML_GPUS``, or found by nvidia-smi.

A GPU is named by its number, as nvidia-smi counts. ``CUDA_VISIBLE_DEVICES`` of whoever asks leaves others out, except in a
run, where it says what the run may see.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.supervisor.faults import fault_point

__all__ = ["Gpu", "GpuFinder", "gpu_names", "may_have_gpus"]

QUESTION: Final = ("nvidia-smi", "--query-gpu=index,uuid,name,memory.total", "--format=csv,noheader,nounits")

BOUND: Final = 20.0
"""Seconds that nvidia-smi has; on a machine with a broken driver it may hang."""

FRESH: Final = 300.0
"""Seconds for which an answer is believed."""


@dataclass(frozen=True)
class Gpu:
    """Describe one GPU: its number, and what nvidia-smi says of it (empty and 0 where it was set by hand)."""

    id: str
    name: str = ""
    memory: int = 0
    uuid: str = ""


class GpuFinder:
    """Ask nvidia-smi, no more than once in a while, and never longer than one can wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._found: tuple[Gpu, ...] | None = None
        self._program = ""
        self._at = 0.0
        self.problem = ""

    def found(self, patience: float) -> tuple[Gpu, ...] | None:
        """Return the GPUs of this machine, or None when nvidia-smi has not answered within `patience` seconds."""
        program = shutil.which(QUESTION[0])
        if program is None:
            return tuple(map(Gpu, _device_files()))
        with self._lock:
            if program != self._program:
                self._program, self._found = program, None
            if self._found is not None and time.monotonic() - self._at < FRESH:
                return self._found
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._ask, args=(program,), daemon=True)
                self._thread.start()
            thread = self._thread
        if self._found is None:
            thread.join(patience)
        return self._found

    def _ask(self, program: str) -> None:
        found: tuple[Gpu, ...] = ()
        try:
            with fault_point("targets.gpus"):
                run = subprocess.run(
                    [program, *QUESTION[1:]],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    timeout=BOUND,
                    check=False,
                )
            text = run.stdout.decode("utf-8", "replace")
            found = tuple(_gpus_in(text)) if run.returncode == 0 else ()
            said = " ".join(text.split())[:200]
            self.problem = f"nvidia-smi ended with exit code {run.returncode}: {said}" if run.returncode else ""
        except (OSError, subprocess.SubprocessError) as error:
            self.problem = f"nvidia-smi could not be asked for the GPUs: {error}"
        self._found, self._at = found, time.monotonic()


_finder = GpuFinder()


def gpus_here(setting: object, patience: float = BOUND) -> tuple[Gpu, ...] | None:
    """Return the GPUs that runs on a target may have.

    Parameters
    ----------
    setting : object
        The target's setting ``gpus``: None, a number of GPUs, or which ones (``"0,2"``).
    patience : float
        Seconds to wait for nvidia-smi.

    Returns
    -------
    tuple of Gpu or None
        None when nvidia-smi has not answered yet.

    Raises
    ------
    ComputeTargetException
        When ``AML_GPUS`` is neither a number nor a list.
    """
    found = _finder.found(patience)
    if found is None:
        return None
    for source, value in (("gpus", setting), ("AML_GPUS", os.environ.get("AML_GPUS", "").strip() or None)):
        if value is not None:
            return _chosen(gpu_names(source, value), value, found)
    return _visible(found, os.environ)


def found_problem() -> str:
    """Return why nvidia-smi did not say which GPUs there are; empty when it did."""
    return _finder.problem


def gpu_names(field: str, value: object) -> tuple[str, ...]:
    """Return the names of GPUs that `value` stands for: a number of them, or a list with commas (``2,`` is GPU 2 alone).

    Raises
    ------
    ComputeTargetException
        When it is neither.
    """
    text = str(value).strip()
    if not isinstance(value, bool) and text.isdecimal() and int(text) <= 1024:
        return tuple(str(number) for number in range(int(text)))
    names = [word.strip() for word in text.split(",")]
    names = names[:-1] if len(names) > 1 and not names[-1] else names
    are_names = all(re.fullmatch(r"\d{1,4}|(GPU|MIG)-[\w-]{4,80}", name) for name in names)
    if isinstance(value, str) and are_names and len(set(names)) == len(names):
        return tuple(names)
    raise ComputeTargetException(
        f"{field} is {value!r}; how many GPUs there are (2), or which ones (0,2), was expected.", field
    )


def may_have_gpus(setting: object) -> bool:
    """Tell, without asking anybody, whether there may be GPUs for runs to see."""
    return setting is not None or surely_has_gpus(setting) or _signs()[1]


def surely_has_gpus(setting: object) -> bool:
    """Tell, without asking anybody, whether somebody says that there are GPUs, or the system has their devices."""
    said = setting if setting is not None else os.environ.get("AML_GPUS", "").strip() or None
    return str(said).strip() != "0" if said is not None else _signs()[0]


def _signs() -> tuple[bool, bool]:
    """Tell whether there are devices, and whether there is an nvidia-smi; asked for every run, so remembered for a while."""
    return _look_for_signs(os.environ.get("PATH", ""), int(time.monotonic() / 10))


@lru_cache(maxsize=2)
def _look_for_signs(path: str, _moment: int) -> tuple[bool, bool]:
    return bool(_device_files()), shutil.which(QUESTION[0], path=path) is not None


def _chosen(names: Sequence[str], value: object, found: Sequence[Gpu]) -> tuple[Gpu, ...]:
    """Return the GPUs called `names`, with what was found out about each; a number means the first so many."""
    if str(value).strip().isdecimal() and len(names) <= len(found):
        return tuple(found[: len(names)])
    known = {key: gpu for gpu in found for key in (gpu.id, gpu.uuid) if key}
    return tuple(known.get(name, Gpu(name)) for name in names)


def _visible(found: tuple[Gpu, ...], variables: Mapping[str, str]) -> tuple[Gpu, ...]:
    """Leave out what ``CUDA_VISIBLE_DEVICES`` hides from whoever has started this process, a batch system above all."""
    words = variables.get("CUDA_VISIBLE_DEVICES")
    if words is None or "AML_RUN_ID" in variables:
        return found
    wanted = [word.strip() for word in words.split(",") if word.strip()]
    return tuple(
        gpu for gpu in found if gpu.id in wanted or any(gpu.uuid.startswith(w) for w in wanted if w[:1] == "G")
    )


def _gpus_in(text: str) -> list[Gpu]:
    """Return what the lines of nvidia-smi say: number, UUID, name, MiB of memory."""
    found = []
    for row in csv.reader(text.splitlines(), skipinitialspace=True):
        if len(row) == 4 and row[0].strip().isdecimal():
            number, uuid, name, memory = (word.strip() for word in row)
            found.append(Gpu(number, name, int(memory) * 2**20 if memory.isdecimal() else 0, uuid))
    return found


def _device_files() -> list[str]:
    """Return the numbers of the NVIDIA devices in /dev."""
    try:
        names = os.listdir("/dev")
    except OSError:
        return []
    return sorted((name[6:] for name in names if name.startswith("nvidia") and name[6:].isdigit()), key=int)
