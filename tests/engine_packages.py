"""Install Debian's Docker engine where it is missing, as root; say why there is none elsewhere."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

__all__ = ["DOCKERD", "need_engine"]

DOCKERD = "/usr/sbin/dockerd"
NEEDED = {"docker.io": DOCKERD, "iptables": "iptables", "iproute2": "ip", "busybox-static": "/usr/bin/busybox"}
BOUND = 500.0


def need_engine() -> None:
    """Return when this machine has what a Docker engine of the tests needs; skip, with the reason, where it cannot.

    With ``CI=true`` that is a failure.
    """
    reason = _missing()
    if reason is None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _missing() -> str | None:
    if os.geteuid() != 0:
        return "a Docker engine of its own is started by root only"
    with open(Path(tempfile.gettempdir()) / f".aml-test-apt-{os.getuid()}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one of several workers of a test run installs
        lacking = [package for package, program in NEEDED.items() if shutil.which(program) is None]
        if not lacking:
            return None
        if shutil.which("apt-get") is None:
            return f"{', '.join(lacking)} are not installed, and there is no apt-get to do it"
        # No service is wanted: the tests start the engine by themselves, on a socket of their own.
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
