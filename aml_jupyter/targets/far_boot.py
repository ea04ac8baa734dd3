"""Bring the supervisor's bundle to a far machine and start its far side there, with one command over one channel.

The command carries a few lines of Python, which ask for the bundle where it is not there yet. What a login script prints
before them is passed over.
"""

from __future__ import annotations

import base64
import io
import shlex
import zipfile
import zlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.supervisor import bundle
from aml_jupyter.supervisor.faults import fault_variables
from aml_jupyter.transports.ssh import HostUnreachable

if TYPE_CHECKING:
    from aml_jupyter.targets.far_line import Channel

__all__ = ["Parcel", "far_command", "far_paths", "greet", "parcel", "unwritable"]

MOST_NOISE: Final = 1 << 18
"""Bytes that a login script may print before ours are expected."""

_HAVE: Final = b"aml:have\n"
_NEED: Final = b"aml:need\n"

_UNWRITABLE: Final = 73
"""What the loader ends with where nothing can be written below the base folder: EX_CANTCREAT of sysexits.h."""

_LOADER: Final = """
import io, os, shutil, sys, tempfile, zipfile
base = os.path.abspath(os.path.expanduser(sys.argv[1]))
root = os.path.join(base, "supervisor", sys.argv[2])
archive = os.path.join(root, "aml_supervisor.zip")
if not os.path.exists(archive):
    os.write(1, b"aml:need\\n")
    left, parts = int(sys.argv[3]), []
    while left:
        part = os.read(0, left)
        if not part:
            sys.exit("aml: the link ended before all had come")
        parts.append(part)
        left -= len(part)
    parent = os.path.dirname(root)
    try:
        for folder in (base, parent):
            if not os.path.isdir(folder):
                os.makedirs(folder, 0o700)
        place = tempfile.mkdtemp(prefix=".placing-", dir=parent)
    except OSError as error:
        os.write(2, ("%s: %s" % (base, error.strerror)).encode("utf-8", "backslashreplace"))
        sys.exit(73)
    try:
        zipfile.ZipFile(io.BytesIO(b"".join(parts))).extractall(place)
        try:
            os.rename(place, root)
        except OSError:
            if not os.path.exists(archive):
                raise
    finally:
        shutil.rmtree(place, ignore_errors=True)
os.write(1, b"aml:have\\n")
os.execv(sys.executable, [sys.executable, "-I", "-S", archive, "far", base] + sys.argv[4:])
"""


@dataclass(frozen=True)
class Parcel:
    """Hold the bundle as it travels: its name there, and the bytes of a zip of it."""

    digest: str
    data: bytes


@cache
def parcel() -> Parcel:
    """Return the bundle of this package."""
    import hashlib

    archive, site = bundle.build()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as packed:
        for name, content in [(bundle.ARCHIVE, archive), *((f"site/{name}", content) for name, content in site)]:
            packed.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), content)
    return Parcel(hashlib.sha256(stream.getvalue()).hexdigest()[:16], stream.getvalue())


def far_command(python: str, base: str, *arguments: str) -> str:
    """Return the command line that starts the far side in any shell."""
    packed = base64.b64encode(zlib.compress(_LOADER.encode(), 9)).decode()
    text = f"import base64,zlib;exec(zlib.decompress(base64.b64decode('{packed}')))"
    found = parcel()
    words = [python, "-I", "-S", "-c", text, base, found.digest, str(len(found.data)), *arguments]
    faults = fault_variables()
    armed = ["env", *(f"{name}={value}" for name, value in faults.items())] if faults else []
    return "exec " + " ".join(map(shlex.quote, [*armed, *words]))


def far_paths(base: str) -> tuple[str, str]:
    """Return where the bundle's zip and ``site/`` lie below the base folder of a far machine."""
    root = f"{base}/supervisor/{parcel().digest}"
    return f"{root}/{bundle.ARCHIVE}", f"{root}/site"


def greet(channel: Channel, where: str) -> bytes:
    """Send the bundle when the far side asks for it; return what came after its word that it has it.

    Raises
    ------
    HostUnreachable
        When the link is cut.
    ComputeTargetException
        When something else answers; says what.
    """
    heard = bytearray()
    while _HAVE not in heard:
        part = channel.recv(1 << 16)
        heard += part
        if not part or len(heard) > MOST_NOISE:
            raise _refusal(channel, where, bytes(heard))
        if _NEED in heard:
            del heard[:]
            channel.sendall(parcel().data)
    return bytes(heard[heard.index(_HAVE) + len(_HAVE) :])


def unwritable(where: str, said: str) -> ComputeTargetException:
    """Return what tells that nothing can be written below a base folder; `said` has the folder and the system's reason."""
    return ComputeTargetException(
        f"The base folder cannot be used: who logs in as {where} cannot write there ({said}). "
        "Name one that this user may write to: --base-folder DIR.",
        "base_folder",
    )


def _refusal(channel: Channel, where: str, heard: bytes) -> ComputeTargetException:
    code = channel.recv_exit_status() if channel.exit_status_ready() or not channel.closed else -1
    complaint = bytearray()
    while channel.recv_stderr_ready():
        complaint += channel.recv_stderr(1 << 16)
    said = " ".join((complaint or heard).decode("utf-8", "replace").split())[-400:]
    if code in (126, 127):
        return ComputeTargetException(
            f"{where} has no Python at the place that was named: {said}. Name another one: --python PATH.", "python"
        )
    if "No space left" in said:
        return HostUnreachable(f"{where} has no room on its disk for what a run needs: {said}.", "base_folder")
    if code == _UNWRITABLE:
        return unwritable(where, said)
    if code == -1:
        return HostUnreachable(f"The connection to {where} was cut.", "address")
    return ComputeTargetException(
        f"{where} did not start what runs need (exit code {code}): {said or 'it said nothing'}. aml compute test tells more.",
        "base_folder",
    )
