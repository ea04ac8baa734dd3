"""Keep files that a script uploads: check their names, and copy them whole or not at all."""

import io
import itertools
import os
import stat
from typing import IO, Any, Dict, Iterator, List, Tuple, Union

from .. import protocol
from ..durable import sync_folder
from ..faults import fault_point
from .errors import AmlError, UserErrorException

__all__ = ["artifact_name", "check_file", "copy_to", "files_below", "image_kind", "store_artifact"]

Source = Union[str, "os.PathLike[str]", IO[Any]]

_CHUNK = 1 << 20
_numbers = itertools.count()
_IMAGE_STARTS: Dict[str, Tuple[bytes, ...]] = {
    "png": (b"\x89PNG\r\n\x1a\n",),
    "jpeg": (b"\xff\xd8\xff",),
    "gif": (b"GIF87a", b"GIF89a"),
    "bmp": (b"BM",),
    "tiff": (b"II*\x00", b"MM\x00*"),
    "pnm": (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6"),
    "svg": (b"<svg", b"<?xml"),
}


def artifact_name(name: Any) -> str:
    """Return `name` as the name of an artifact: relative, with ``/`` between its parts.

    Raises
    ------
    UserErrorException
        When it is empty, absolute, or leads out of the run's files.
    """
    text = os.fspath(name) if not isinstance(name, str) else name
    parts = [part for part in text.replace("\\", "/").split("/") if part not in ("", ".")]
    absolute = text.startswith(("/", "\\")) or text[1:3] in (":\\", ":/")
    if not parts or absolute or ".." in parts or "\0" in text:
        raise UserErrorException(
            "artifact name %r: expected a relative path without '..', for example 'outputs/model.pkl'" % (name,)
        )
    return "/".join(parts)


def check_file(path: Any) -> str:
    """Return `path` as text when a regular file is there.

    Raises
    ------
    UserErrorException
        When there is none, or something that is not a file.
    """
    text = str(os.fspath(path))
    try:
        mode = os.stat(text).st_mode
    except OSError as error:
        raise UserErrorException("%s cannot be uploaded: %s" % (os.path.abspath(text), error.strerror)) from None
    if stat.S_ISDIR(mode):
        raise UserErrorException("%s is a folder: use run.upload_folder(name, path)" % text)
    if not stat.S_ISREG(mode):
        raise UserErrorException("%s is not a regular file (pipe, socket or device): it cannot be uploaded" % text)
    return text


def files_below(folder: Any) -> Iterator[Tuple[str, str]]:
    """Yield (name relative to `folder`, path) of every regular file in it, sorted.

    Raises
    ------
    UserErrorException
        When there is no such folder.
    """
    root = str(os.fspath(folder))
    if not os.path.isdir(root):
        raise UserErrorException("%s cannot be uploaded: there is no such folder" % os.path.abspath(root))
    for where, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(where, name)
            if os.path.isfile(path):
                yield os.path.relpath(path, root).replace(os.sep, "/"), path


def store_artifact(control: str, name: str, source: Source) -> int:
    """Copy `source` to ``control/artifacts/<name>`` and return its size in bytes; it is on the disk then.

    Raises
    ------
    AmlError
        When it cannot be written; nothing is left behind then.
    """
    target = os.path.join(control, protocol.ARTIFACTS, *name.split("/"))
    partial = os.path.join(control, "partial")
    temporary = os.path.join(partial, "%d-%d" % (os.getpid(), next(_numbers)))
    try:
        os.makedirs(partial, exist_ok=True)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with fault_point("client.artifact"):
            with open(temporary, "wb") as stream:
                size = copy_to(source, stream)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, target)
        sync_folder(os.path.dirname(target))
    except OSError as error:
        _discard(temporary)
        raise AmlError("the file %s could not be kept in %s: %s" % (name, control, error)) from error
    except BaseException:
        _discard(temporary)
        raise
    return size


def copy_to(source: Source, stream: IO[bytes]) -> int:
    """Copy `source`, a path or an open stream of bytes or text, to `stream`; return the number of bytes."""
    if hasattr(source, "read"):
        return _copy(source, stream)  # type: ignore[arg-type]
    with io.open(source, "rb") as opened:
        return _copy(opened, stream)


def _copy(source: IO[Any], stream: IO[bytes]) -> int:
    size = 0
    while True:
        data = source.read(_CHUNK)
        if not data:
            return size
        size += stream.write(data.encode("utf-8") if isinstance(data, str) else data)


def _discard(temporary: str) -> None:
    with fault_point("client.discard"):
        try:
            os.unlink(temporary)
        except OSError:
            pass


def image_kind(path: str) -> str:
    """Return what kind of image is in the file at `path`.

    Raises
    ------
    UserErrorException
        When it is none that a browser or Pillow would know by its first bytes.
    """
    with open(path, "rb") as stream:
        head = stream.read(64)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    for kind, starts in _IMAGE_STARTS.items():
        if head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(starts) or head.startswith(starts):
            return kind
    known: List[str] = sorted([*_IMAGE_STARTS, "webp"])
    raise UserErrorException("%s is not an image: expected one of %s" % (path, ", ".join(known)))
