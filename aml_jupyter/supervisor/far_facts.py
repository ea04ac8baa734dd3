"""Say what a far machine is and has: what `aml compute attach` and `aml compute test` show."""

import errno
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from typing import Any, Dict, List

from .far_engine import find_engine
from .far_place import runtime_folder
from .far_room import cores_here, memory_here
from .faults import fault_point

__all__ = ["facts", "gpu_names"]

PATIENCE = 10.0
"""Seconds that a program of this machine has to answer."""


def facts(base: str, engine: str = "") -> Dict[str, Any]:
    """Return what this machine has; ``problems`` lists what is in the way of runs, `engine` is the socket of its Docker."""
    problems: List[str] = []
    docker = find_engine(engine)
    found: Dict[str, Any] = {
        "host": socket.gethostname(),
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()).strip(),
        "python": sys.executable,
        "version": "%d.%d.%d" % sys.version_info[:3],
        "cores": cores_here(),
        "memory": memory_here(),
        "gpus": gpu_names(),
        "cuda": "",
        "docker": docker.get("version", ""),
        "engine": docker,
        "base": base,
        "home": os.path.expanduser("~"),
        "user": _user(),
        "uid": os.getuid(),
        "gid": os.getgid(),
        "clock": time.time(),
        "disk_free": 0,
        "unwritable": "",
    }
    if found["gpus"]:
        said = re.search(r"CUDA Version: *(\d+\.\d+)", _said(["nvidia-smi"]))
        found["cuda"] = said.group(1) if said else ""
    try:
        os.makedirs(base, mode=0o700, exist_ok=True)
        found["disk_free"] = shutil.disk_usage(base).free
        with tempfile.TemporaryFile(dir=base) as stream:
            stream.write(b"aml" * 1000)
            stream.flush()
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            found["unwritable"] = error.strerror
        problems.append("the base folder %s cannot be written: %s" % (base, error.strerror))
    try:
        runtime_folder()
    except OSError as error:
        problems.append("the folder for sockets cannot be used: %s (%s)" % (error.strerror, error.filename))
    if found["disk_free"] and found["disk_free"] < 100 * 2**20:
        problems.append("only %d MB are free below %s" % (found["disk_free"] // 2**20, base))
    found["problems"] = problems
    return found


def gpu_names() -> List[str]:
    """Return the numbers of the GPUs that nvidia-smi lists."""
    text = _said(["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"])
    return [line.strip() for line in text.splitlines() if line.strip().isdigit()]


def _said(command: List[str]) -> str:
    if shutil.which(command[0]) is None:
        return ""
    try:
        with fault_point("far.ask"):
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=PATIENCE,
                check=False,
            )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
