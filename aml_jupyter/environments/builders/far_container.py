"""Install packages in a container of another machine's engine: nothing of this machine can be mounted there, so it is sent.

What is mounted elsewhere (uv, local wheels, certificates) is unpacked by the image's own Python below a file system in memory,
where it stays out of the image all the same; scratch folders go there before each command, and come back after it.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from aml_jupyter.environments.builders import BuildError
from aml_jupyter.environments.builders.container import THERE, BuildContainer, certificates
from aml_jupyter.environments.pythons import uv_program

__all__ = ["FarBuildContainer"]

_UNPACK: Final = """
import sys, tarfile
tarfile.TarFile.extraction_filter = staticmethod(lambda entry, path: entry)
with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
    archive.extractall("/")
"""
_PACK: Final = """
import sys, tarfile
with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
    archive.add(sys.argv[1], arcname=".")
"""


class FarBuildContainer(BuildContainer):
    """Own a container of another machine in which packages are installed."""

    _uv_place = f"{THERE}/tmp/sent-uv"  # Docker lets nothing run on a tmpfs
    _opened: dict[Path, str]

    def _mounts(self) -> list[Any]:
        from docker.types import Mount

        self._opened = {}
        return [
            Mount(os.path.dirname(THERE), None, type="tmpfs"),
            Mount(f"{THERE}/tmp", None, type="volume"),  # without a name: it goes with the container
        ]

    def _begin(self) -> None:
        super()._begin()
        sent = [(os.path.realpath(uv_program()), self.uv), *self._shown.items()]
        sent += [(str(self._cache / "files" / name), f"{THERE}/files/{name}") for name in self._files]
        bundle = certificates()
        if bundle is not None:
            sent.append((os.path.realpath(bundle), f"{THERE}/ca.crt"))
        self._send(sent)

    @contextmanager
    def scratch(self) -> Iterator[tuple[Path, str]]:
        """Give a folder that goes there before each command, and comes back after it."""
        with super().scratch() as (here, there):
            self._opened[here] = there
            try:
                yield here, there
            finally:
                del self._opened[here]

    def execute(self, command: Sequence[str], variables: Mapping[str, str] | None = None) -> tuple[int, list[str]]:
        """Run a command as root, with what it says in the log; return its exit code and that."""
        if self._opened:
            self._send((str(here), there) for here, there in self._opened.items())
        found = super().execute(command, variables)
        for here, there in self._opened.items():
            self._fetch(there, here)
        return found

    def _send(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy files and folders of this machine to their places there."""
        with self._running([self._python, "-c", _UNPACK], stdin=True) as (connection, _):
            writer: Any = _Writer(getattr(connection, "_sock", connection))
            with tarfile.open(fileobj=writer, mode="w|", bufsize=1 << 16) as archive:
                for here, there in pairs:
                    archive.add(here, arcname=there.lstrip("/"), filter=_as_root)

    def _fetch(self, there: str, here: Path) -> None:
        """Copy the files of a folder there into one of this machine."""
        with self._running([self._python, "-c", _PACK, there]) as (_, said):
            pass
        with tarfile.open(fileobj=io.BytesIO(bytes(said)), mode="r:") as archive:
            for entry in archive:
                stream = archive.extractfile(entry) if entry.isreg() else None
                if stream is not None:
                    (here / os.path.basename(entry.name)).write_bytes(stream.read())

    @contextmanager
    def _running(self, command: list[str], stdin: bool = False) -> Iterator[tuple[Any, bytearray]]:
        """Give the connection of a command; when the block ends, its output is all there.

        Raises
        ------
        BuildError
            When it fails.
        """
        from docker.utils.socket import frames_iter

        api, said, complaint = self._engine.client.api, bytearray(), bytearray()
        with self._engine.explained():
            made = api.exec_create(self._id, command, stdin=stdin, user="0", workdir="/")["Id"]
            connection = api.exec_start(made, socket=True)
            try:
                yield connection, said
                for stream, part in frames_iter(connection, tty=False):
                    (said if stream == 1 else complaint).extend(part)
            finally:
                getattr(connection, "_response", connection).close()
            code = int(api.exec_inspect(made)["ExitCode"] or 0)
        if code:
            why = complaint.decode("utf-8", "replace").strip().split("\n")[-1]
            raise BuildError(f"files could not be copied into the container of the build: {why or f'exit code {code}'}")


class _Writer:
    """Write to a socket as to a file."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    def write(self, data: bytes) -> int:
        self._socket.sendall(data)
        return len(data)


def _as_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry
