"""Keep big outputs on a far machine when the folder of their attempt goes: ``<base>/outputs/<workspace>/<run>/<attempt>/<name>``.

They stay until they are fetched and dropped; nothing else removes them.
"""

import hashlib
import os
import stat
from typing import Any, Dict, Iterator, List, Optional, Tuple

from .far_files import listed
from .far_frames import Frame
from .far_place import Key, Places
from .faults import fault_point

__all__ = ["drop", "keep", "kept_folder", "kept_size"]


def kept_folder(places: Places, key: Key) -> str:
    """Return the folder of what is kept of an attempt."""
    return os.path.join(places.base, "outputs", places.workspace, os.path.relpath(places.attempt(key), places.runs))


def keep(places: Places, key: Key, folders: List[str], limit: int) -> Iterator[Optional[Frame]]:
    """Move the files of an attempt's folders that have more than `limit` bytes to where they are kept.

    Yields the name, size, time of change (ns) and sha256 of everything that is kept of it, also from before; None while a hash
    takes its time. A file that other names lead to, or that cannot be moved, is left where it is.
    """
    root, home = places.attempt(key), kept_folder(places, key)
    for name, size, _, _ in listed(root, [places.inside(key, folder) for folder in folders], is_over=True):
        path, place = os.path.join(root, name), os.path.join(home, name)
        if size > limit and _is_alone(path):
            try:
                os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
                with fault_point("far.keep"):
                    os.rename(path, place)
            except OSError:
                continue
    return _described(home)


def _is_alone(path: str) -> bool:
    facts = os.lstat(path)
    return stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1


def _described(home: str) -> Iterator[Optional[Frame]]:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        for name, size, changed, _ in listed(home, [home]):
            hashed = pool.submit(_sha256, os.path.join(home, name))
            while not hashed.done():
                yield None
            yield {"name": name, "size": size, "time": changed, "sha256": hashed.result()}, b""


def drop(places: Places, key: Key, names: List[str]) -> Dict[str, Any]:
    """Remove files that were kept and are not wanted any more, and the folders that are empty then."""
    home = kept_folder(places, key)
    for name in names:
        places.inside(key, name)  # it leads nowhere else
        path = os.path.join(home, name)
        with fault_point("far.remove"):
            try:
                os.unlink(path)
                os.removedirs(os.path.dirname(path))  # up to the first that is not empty
            except OSError:
                continue
    return {}


def kept_size(base: str) -> Tuple[int, int]:
    """Return how many files of all workspaces are kept, and their bytes."""
    sizes = [
        os.lstat(os.path.join(where, name)).st_size
        for where, _, names in os.walk(os.path.join(base, "outputs"))
        for name in names
    ]
    return len(sizes), sum(sizes)


def _sha256(path: str) -> str:
    found = hashlib.sha256()
    with open(path, "rb") as stream:
        while True:
            data = stream.read(1 << 20)
            if not data:
                return found.hexdigest()
            found.update(data)
