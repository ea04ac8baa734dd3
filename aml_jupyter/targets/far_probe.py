"""Look at a machine that is to be attached: can it be reached, is it the right one, and what has it."""

from __future__ import annotations

import contextlib
import json
import shlex
import time
from dataclasses import dataclass
from typing import Any, Final

from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.targets.far_boot import far_command, greet
from aml_jupyter.transports.openssh import OpenSsh
from aml_jupyter.transports.ssh import HostUnreachable, SshConnection

__all__ = ["Probe", "clean_machine", "probe_machine"]

OLDEST: Final = (3, 8)
ANSWER_WITHIN: Final = 60.0
SKEW: Final = 60.0
"""Seconds that a clock may be off before it is told."""

_PYTHONS: Final = (
    "python3",
    *(f"python3.{minor}" for minor in range(14, 7, -1)),
    "/usr/bin/python3",
    "/usr/local/bin/python3",
    "/opt/conda/bin/python",
    "$HOME/miniconda3/bin/python",
    "$HOME/anaconda3/bin/python",
    "/anaconda/bin/python",
    "python",
)

_NONE: Final = 3
"""The exit code of a shell that was asked for a Python and found none."""


@dataclass(frozen=True)
class Probe:
    """Say what was found: `facts` as `supervisor.far_facts` returns them, and in words what was looked at."""

    facts: dict[str, Any]
    fingerprint: str
    rows: tuple[tuple[str, str], ...]


def probe_machine(ssh: SshConnection, python: str, base: str, engine: str = "") -> Probe:
    """Connect, find Python, or bring one, and ask it what the machine has.

    Parameters
    ----------
    ssh : SshConnection
        The way there.
    python : str
        The Python there, or '' to look for one.
    base : str
        The base folder there; ``~`` is the user's home.
    engine : str
        The socket there of its Docker engine, or '' to look for one.

    Raises
    ------
    HostUnreachable, HostKeyRefused, LoginRefused
        When it cannot be reached.
    ComputeTargetException
        When runs could not execute there; says what is missing.
    """
    begun = time.monotonic()
    ssh.connect()
    took = time.monotonic() - begun
    if "windows" in ssh.server.lower():
        raise ComputeTargetException(
            f"{ssh.address} is a Windows machine ({ssh.server}); runs need Linux or another POSIX system there. WSL with an SSH "
            "server of its own is one.",
            "address",
        )
    try:
        path = _find_python(ssh, python)
    except _NoShell:
        raise
    except ComputeTargetException as missing:
        if python:
            raise
        from aml_jupyter.targets.far_python import bring_python  # here: most machines have one

        path = bring_python(ssh, base, missing)
    facts = _facts(ssh, path, base, engine)
    return Probe(facts, str(ssh.fingerprint), tuple(_rows(ssh, took, facts)))


class _NoShell(ComputeTargetException):
    """Say that a user may log in, and run no commands."""


def _find_python(ssh: SshConnection, wanted: str) -> str:
    """Return the absolute path of the Python there."""
    check = f"import sys; sys.exit(0 if sys.version_info >= {OLDEST} else 9)"
    if wanted:
        candidates = shlex.quote(wanted) if not wanted.startswith("~/") else f'"$HOME"/{shlex.quote(wanted[2:])}'
    else:
        candidates = " ".join(f'"{each}"' for each in _PYTHONS)
    script = (
        f'for p in {candidates}; do q=$(command -v "$p") || continue; '
        f'"$q" -c "{check}" >/dev/null 2>&1 && echo "aml:$q" && exit 0; echo "old:$q $("$q" -V 2>&1)"; done; '
        f"uname -s; exit {_NONE}"
    )
    answer = ssh.run(f"exec sh -c {shlex.quote(script)}")
    for line in answer.text.splitlines():
        if line.startswith("aml:/"):
            return line[len("aml:") :].strip()
    if answer.code != _NONE and "aml:" not in answer.text:
        said = answer.complaint or " ".join(answer.text.split())[-300:]
        raise _NoShell(
            f"{ssh.address} lets the user in and runs no command (exit code {answer.code}; it said: {said or 'nothing'}). Runs "
            "need an account with a shell: neither a closed one nor one for files only (sftp).",
            "username",
        )
    old = ", ".join(line[len("old:") :] for line in answer.text.splitlines() if line.startswith("old:"))
    oldest = ".".join(map(str, OLDEST))
    what = f"no Python at {wanted!r}" if wanted and not old else f"no Python of version {oldest} or later"
    raise ComputeTargetException(
        f"{ssh.address} has {what}{f' (found: {old})' if old else ''}. Install one there, or name it: --python PATH.",
        "python",
    )


def clean_machine(ssh: SshConnection, python: str, base: str, unused_days: float, dry_run: bool) -> dict[str, Any]:
    """Have content and environments removed that nothing has used for a while; see `supervisor.far_clean`."""
    return _told(ssh, python, base, "--clean", str(float(unused_days)), "dry" if dry_run else "really")


def _facts(ssh: SshConnection, python: str, base: str, engine: str) -> dict[str, Any]:
    found = _told(ssh, python, base, *(["--engine", engine] if engine else []))
    found["skew"] = round(float(found["clock"]) - time.time(), 1)
    if abs(found["skew"]) > SKEW:
        found["problems"].append(
            f"its clock is {abs(found['skew']):.0f} s {'ahead of' if found['skew'] > 0 else 'behind'} this machine's: times of "
            "metrics and logs are the ones of that clock"
        )
    return found


def _told(ssh: SshConnection, python: str, base: str, *arguments: str) -> dict[str, Any]:
    """Return what the far side says when it is asked one thing and leaves."""
    with ssh.stream(far_command(python, base, *arguments)) as channel:
        channel.settimeout(ANSWER_WITHIN)
        try:
            heard = bytearray(greet(channel, str(ssh.address)))
            while part := channel.recv(1 << 16):
                heard += part
        except OSError as error:
            raise HostUnreachable(f"{ssh.address} gave no answer in {ANSWER_WITHIN:.0f} s.", "address") from error
        try:
            found: dict[str, Any] = json.loads(bytes(heard).decode())
        except ValueError:
            complaint = bytearray()
            while channel.recv_stderr_ready():
                complaint += channel.recv_stderr(1 << 16)
            said = " ".join(complaint.decode("utf-8", "replace").split())[-400:]
            raise ComputeTargetException(
                f"{ssh.address}: {python} could not say what the machine has: {said}", "python"
            ) from None
    return found


def _rows(ssh: SshConnection, took: float, facts: dict[str, Any]) -> list[tuple[str, str]]:
    gigabytes = 1e9
    engine = facts["engine"]
    with contextlib.closing(OpenSsh(ssh)) as client:
        obstacle = client.obstacle()
    return [
        ("reached", f"{ssh.address} in {took:.2f} s, with {ssh.login}"),
        ("big data", f"over the same connection: {obstacle}" if obstacle else "with OpenSSH's client"),
        ("host key", str(ssh.fingerprint)),
        ("system", f"{facts['system']} {facts['release']}, {facts['machine']}, {facts['libc']}"),
        ("Python", f"{facts['python']} ({facts['version']})"),
        ("base folder", f"{facts['base']}, {facts['disk_free'] / gigabytes:.1f} GB free"),
        ("cores", str(facts["cores"])),
        ("memory", f"{facts['memory'] / gigabytes:.1f} GB"),
        ("GPUs", str(len(facts["gpus"])) if facts["gpus"] else "none that nvidia-smi lists"),
        ("Docker", str(engine.get("problem") or f"{engine['version']} at {engine['socket']}")),
        ("clock", "as here" if abs(facts["skew"]) <= 2 else f"{facts['skew']:+.0f} s"),
        *(("problem", str(problem)) for problem in facts["problems"]),
    ]
