"""Start the process that builds a recipe, and end it when nobody waits for it any more."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Final

from aml_jupyter.environments.cache import Entry
from aml_jupyter.supervisor.faults import fault_point, fault_variables

__all__ = ["start_builder", "stop_builder"]

_PROGRAM: Final = "import sys; from aml_jupyter.environments.builders.process import main; main(sys.argv[1:])"


def start_builder(
    entry: Entry, recipe: Mapping[str, Any], variables: Mapping[str, str], anew: bool = False
) -> subprocess.Popen[bytes] | None:
    """Start the process that builds `entry`, detached from this one; None when somebody builds it already.

    Parameters
    ----------
    entry : Entry
        Where it is built.
    recipe : dict
        As `Recipe.as_dict` returns it.
    variables : dict
        The submitter's variables: its PATH, certificates, and settings of pip and uv.
    anew : bool
        Resolve again, even though there is a lock.

    Raises
    ------
    OSError
        When no process can be started, or the cache cannot be written.
    """
    lock = entry.try_lock()
    if lock is None:
        return None
    try:
        entry.write("recipe.json", dict(recipe))
        scratch = entry.path / "tmp"  # what a killed builder left there goes with the next one
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        environment = {**variables, **fault_variables(), "AML_USER_DATA": str(entry.cache.root.parent)}
        environment["TMPDIR"] = str(scratch)
        for name in ("AML_RUNTIME", "XDG_RUNTIME_DIR", "PYTHONPATH"):  # what was found here is found again
            if name in os.environ:
                environment[name] = os.environ[name]
        with open(entry.log, "wb") as log, fault_point("environment.spawn"):
            return subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(entry.path), str(lock), *(["anew"] if anew else [])],
                env=environment,
                cwd=entry.path,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(lock,),
                start_new_session=True,
            )
    finally:
        os.close(lock)


def stop_builder(entry: Entry) -> None:
    """End the process that builds `entry`, if one does; what it has made so far counts for nothing."""
    group = entry.builder_pid()
    if group is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
