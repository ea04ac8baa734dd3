"""Give the owner of an attempt's files a name in a container: what asks the system for it, as Spark does, fails without."""

from __future__ import annotations

import io
import tarfile

from aml_jupyter.targets.container_place import Owner
from aml_jupyter.transports.docker_engine import DockerEngine

__all__ = ["introduce_user"]

_PASSWD = "etc/passwd"


def introduce_user(engine: DockerEngine, container: str, owner: Owner) -> None:
    """Add the user to the container's ``/etc/passwd``, unless it has a user of that number; before it is started.

    An image without that file, and a container whose files cannot be written, stay as they are.

    Raises
    ------
    EngineUnavailable
        When the engine does not answer.
    """
    import docker.errors

    with engine.explained():
        try:
            parts, _ = engine.client.api.get_archive(container, f"/{_PASSWD}")
            known = _read(b"".join(parts))
            if known is not None and not _has(known, owner.uid):
                engine.client.api.put_archive(container, "/", _archive(known.rstrip("\n") + f"\n{_line(owner)}\n"))
        except docker.errors.APIError:
            return


def _has(passwd: str, number: int) -> bool:
    return any(line.split(":")[2:3] == [str(number)] for line in passwd.splitlines())


def _line(owner: Owner) -> str:
    name = "".join(letter if letter.isalnum() or letter in "_-." else "_" for letter in owner.name)
    return f"{name}:x:{owner.uid}:{owner.gid}::/tmp:/bin/sh"


def _read(archive: bytes) -> str | None:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        for entry in opened:
            stream = opened.extractfile(entry) if entry.isreg() else None
            if stream is not None:
                return stream.read().decode("utf-8", "replace")
    return None


def _archive(text: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        data = text.encode()
        entry = tarfile.TarInfo(_PASSWD)
        entry.size, entry.mode = len(data), 0o644
        archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()
