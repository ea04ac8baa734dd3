"""Read and write the files that values travel in: one pickle of a {name: value} dict, made with the sender's cloudpickle."""

import hashlib
import os
import pickle
import sys
from types import ModuleType
from typing import IO, Any, Dict, Optional, cast

from ..durable import sync_folder, write_json
from ..faults import fault_point

__all__ = ["load_values", "save_values"]

CHUNK = 1 << 20


def load_values(path: str, sha256: Optional[str], cloudpickle: Optional[str]) -> Dict[str, Any]:
    """Return the values in the file at `path`.

    Parameters
    ----------
    path : str
        The pickle.
    sha256 : str, optional
        What its hash has to be; checked before anything is unpickled.
    cloudpickle : str, optional
        Folder or zip with the sender's cloudpickle, which the pickle may refer to.

    Raises
    ------
    ValueError
        When the file is not the one that was sent.
    """
    if sha256 is not None and _hash_file(path) != sha256:
        raise ValueError("%s is not the file that was sent: its hash is another one" % path)
    _import_cloudpickle(cloudpickle)
    with open(path, "rb") as stream:
        values = pickle.load(stream)
    if not isinstance(values, dict):
        raise ValueError("%s does not hold a dict of values" % path)
    return values


def save_values(folder: str, values: Dict[str, Any], cloudpickle: Optional[str]) -> None:
    """Write `values` to ``outputs.pkl`` in `folder`, then ``outputs.json``, which says that the first one is whole.

    Raises
    ------
    ValueError
        When a value cannot be pickled; the message names it.
    """
    pickler = _import_cloudpickle(cloudpickle)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "outputs.pkl")
    temporary = "%s.%d.tmp" % (path, os.getpid())
    try:
        with open(temporary, "wb") as stream:
            hashing = _Hashing(stream)
            try:
                pickler.dump(values, cast(Any, hashing))
            except OSError:
                raise
            except Exception as error:
                raise ValueError(_explain(pickler, values, error)) from error
            with fault_point("cell.sync"):
                stream.flush()
                os.fsync(stream.fileno())
        with fault_point("cell.outputs"):
            os.replace(temporary, path)
    except BaseException:
        with fault_point("cell.discard"):
            if os.path.exists(temporary):
                os.unlink(temporary)
        raise
    sync_folder(folder)
    summary = {
        "names": list(values),
        "sha256": hashing.hexdigest(),
        "size": hashing.size,
        "python": "%d.%d" % sys.version_info[:2],
    }
    write_json(os.path.join(folder, "outputs.json"), summary, point="cell.summary")


class _Hashing:
    """Pass on what is written, and hash it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: Any) -> int:
        """Take what the pickler writes: bytes, or a buffer of them."""
        self._hash.update(data)
        size = memoryview(data).nbytes
        self.size += size
        self._stream.write(data)
        return size

    def hexdigest(self) -> str:
        """Return the hash of all that was written."""
        return self._hash.hexdigest()


def _hash_file(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def _import_cloudpickle(folder: Optional[str]) -> ModuleType:
    """Import the sender's cloudpickle, though another one may be installed: what it pickled, only it reads for sure."""
    if folder is not None:
        sys.path.insert(0, folder)
    try:
        import cloudpickle
    except ImportError:
        if folder is not None:
            raise
        return pickle
    finally:
        if folder is not None:
            sys.path.remove(folder)
            sys.path.append(folder)
    return cast(ModuleType, cloudpickle)


def _explain(pickler: ModuleType, values: Dict[str, Any], error: Exception) -> str:
    for name, value in values.items():
        try:
            pickler.dumps(value)
        except Exception as cause:
            return "%s, of type %s, cannot be pickled: %s" % (name, type(value).__name__, cause)
    return str(error)
