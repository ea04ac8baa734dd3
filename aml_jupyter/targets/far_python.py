"""Bring a Python to a machine that has none: solved and linked here from conda's packages, unpacked there by a shell and tar."""

from __future__ import annotations

import shlex
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from aml_jupyter.config import CondaDependencies
from aml_jupyter.environments import submitter
from aml_jupyter.environments.choose import has_conda
from aml_jupyter.environments.choose_conda import conda_recipe
from aml_jupyter.environments.choose_there import conda_machine
from aml_jupyter.environments.requirement_lines import Requirements
from aml_jupyter.errors import AmlError, ComputeTargetException
from aml_jupyter.targets.far_conda import linked_here
from aml_jupyter.transports.ssh import HostUnreachable, SshConnection

__all__ = ["bring_python"]

WISH: Final = "python>=3.10,<3.14"
_BLOCK: Final = 1 << 18

_ASK: Final = """
for tool in tar mkdir mv rm uname; do command -v $tool >/dev/null || { echo "lacks=$tool"; exit 0; }; done
echo "system=$(uname -s)"; echo "machine=$(uname -m)"; echo "release=$(uname -r)"
echo "libc=$(getconf GNU_LIBC_VERSION 2>/dev/null)"; cd && echo "home=$(pwd)"
"""
_UNPACK: Final = """
set -e; umask 077; mkdir -p {place}; new={place}/.new.$$; rm -rf "$new"; mkdir "$new"
trap 'rm -rf "$new"' EXIT
tar -xf - -C "$new"; rm -rf {place}/env; mv "$new/env" {place}/env
{place}/env/bin/python -c 'print("aml:ready")'
"""


def bring_python(ssh: SshConnection, base: str, missing: ComputeTargetException) -> str:
    """Return the path of a Python on a machine that has none, after it was put below the base folder.

    Parameters
    ----------
    ssh : SshConnection
        The way there.
    base : str
        The base folder there; ``~`` is the user's home.
    missing : ComputeTargetException
        What was looked for in vain.

    Raises
    ------
    HostUnreachable
        When the link is cut.
    ComputeTargetException
        When none can be brought; says what is missing there, or here.
    """
    if not has_conda():
        raise ComputeTargetException(
            f"{missing.message} Or have one brought: pip install 'aml-jupyter[conda]' here, then attach again.",
            "python",
        ) from missing
    said = dict(line.partition("=")[::2] for line in ssh.run(f"exec sh -c {shlex.quote(_ASK)}").text.splitlines())
    if said.get("lacks") or not said.get("home"):
        what = said.get("lacks") or "a home folder"
        raise ComputeTargetException(f"{missing.message} None can be brought: {what} is missing there, too.", "python")
    folder = said["home"] + base[1:] if base == "~" or base.startswith("~/") else base
    try:
        python = _brought(ssh, folder, said)
    except HostUnreachable:
        raise
    except AmlError as error:
        raise ComputeTargetException(f"{missing.message} None could be brought: {error.message}", "python") from error
    return python


def _brought(ssh: SshConnection, base: str, machine: Mapping[str, str]) -> str:
    who = submitter()["variables"]
    wanted = CondaDependencies.from_dict({"dependencies": [WISH]})
    recipe = conda_recipe(wanted, Requirements(), {"variables": who}, (), (), conda_machine(machine, str(ssh.address)))
    place = f"{base}/python/{recipe.key}"
    python = f"{place}/env/bin/python"
    if ssh.run(f"exec {shlex.quote(python)} -c 'print(\"aml:ready\")' 2>/dev/null").text.strip() == "aml:ready":
        return python
    hold = linked_here(recipe.as_dict(), f"{place}/env", who)
    try:
        unpack = f"exec sh -c {shlex.quote(_UNPACK.format(place=shlex.quote(place)))}"
        answer = ssh.run(unpack, _packed(hold.built.prefix), seconds=None)
    finally:
        hold.close()
    if not answer.text.strip().endswith("aml:ready"):
        raise ComputeTargetException(f"it does not run there: {answer.complaint or answer.text[-300:]}", "python")
    return python


def _packed(prefix: Path) -> Iterator[bytes]:
    """Yield a tar of an environment, as ``env``."""
    with tempfile.TemporaryFile() as stream:
        with tarfile.open(fileobj=stream, mode="w") as archive:
            archive.add(prefix, arcname="env", filter=_as_own)
        stream.seek(0)
        while block := stream.read(_BLOCK):
            yield block


def _as_own(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
