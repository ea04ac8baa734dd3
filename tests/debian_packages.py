"""Install Debian's packages that a test needs, as root; say why there are none elsewhere."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

__all__ = ["need_packages", "why_missing"]

BOUND = 500.0


def need_packages(**needed: str) -> None:
    """Return when each program of ``package="program"`` is there; skip, with the reason, where it cannot be had."""
    reason = why_missing(needed)
    if reason is not None:
        pytest.skip(reason)


def why_missing(needed: Mapping[str, str]) -> str | None:
    """Install the packages of which the program is not there; return why that is not possible, or None."""
    with open(Path(tempfile.gettempdir()) / f".aml-test-apt-{os.getuid()}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one of several workers of a test run installs
        lacking = [package for package, program in needed.items() if shutil.which(program) is None]
        if not lacking:
            return None
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            return f"{', '.join(lacking)} are not installed, and there is no apt-get, or no root, to do it"
        # No service is wanted: what the tests need of it they start by themselves.
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        install = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "install", "-qy", "--no-install-recommends", *lacking]
        try:
            for command in (install, ["apt-get", "update", "-q"], install):
                done = subprocess.run(command, env=quiet, capture_output=True, text=True, timeout=BOUND, check=False)
                if command is install and done.returncode == 0:
                    return None
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{', '.join(lacking)} cannot be installed: {error}"
    return f"{', '.join(lacking)} cannot be installed: {done.stderr.strip()[-300:]}"
