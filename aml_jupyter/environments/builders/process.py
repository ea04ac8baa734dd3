"""Be the process that builds one recipe: resolve it unless it has a lock, make what the lock says, say that it is ready.

Started by the service (detached, with the entry's lock inherited) and by ``aml environment build``. It may be killed at any
instruction: without ``READY.json`` nothing counts, and the next one starts from the lock.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
import traceback
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NoReturn, cast

from aml_jupyter.environments.builders import Builder, BuildError, Progress
from aml_jupyter.environments.cache import Built, Entry, EnvironmentCache
from aml_jupyter.environments.recipe import key_of, without_credentials
from aml_jupyter.supervisor import identity

__all__ = ["build", "main"]

_BUILDERS: Final = {
    "venv": "aml_jupyter.environments.builders.venv",
    "conda": "aml_jupyter.environments.builders.conda",
    "conda-there": "aml_jupyter.environments.builders.conda_there",
    "image": "aml_jupyter.environments.builders.image",
}


def main(arguments: list[str]) -> NoReturn:
    """Build the entry whose folder is the first argument, and end the process; the second one is the descriptor of its held lock.

    A third one, ``anew``, means that its lock is made again.
    """
    path = Path(arguments[0])
    entry = EnvironmentCache(path.parent.parent).entry(path.name)
    os.set_inheritable(int(arguments[1]), False)
    code = 0
    try:
        build(entry, anew=arguments[2:] == ["anew"])
    except BuildError:
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # threads of py-rattler's that are still there crash an interpreter that is taken down in order


def build(entry: Entry, anew: bool = False) -> Built:
    """Build what `entry` asks for and return it; the caller holds its lock.

    Parameters
    ----------
    entry : Entry
        The recipe.
    anew : bool
        Resolve again, even though there is a lock.

    Raises
    ------
    BuildError
        When it cannot be built; the entry's ``failure.json`` says so, too.
    """
    begin = time.time()
    entry.write("builder.json", {**identity.here(), "supervisor": identity.describe(os.getpid()), "started": begin})
    try:
        entry.forget("failure.json")
        return _build(entry, anew, begin)
    except BaseException as error:
        message = (
            str(error) if isinstance(error, BuildError) else f"{type(error).__name__}: {' '.join(str(error).split())}"
        )
        message += _origins(message, (entry.recipe() or {}).get("origins") or {})
        if not isinstance(error, BuildError):
            traceback.print_exc(file=sys.stdout)
        message = without_credentials(message)
        print(f"The build failed: {message}", flush=True)
        passes = isinstance(error, BuildError) and error.passes
        entry.write(
            "failure.json", {"message": message, "time": time.time(), "type": type(error).__name__, "passes": passes}
        )
        raise BuildError(message) from error


def _build(entry: Entry, anew: bool, begin: float) -> Built:
    recipe = entry.recipe()
    if recipe is None:
        raise BuildError(f"{entry.path}/recipe.json is not there; submit the run again")

    def progress(stage: str, text: str) -> None:
        print(f"[{time.time() - begin:6.1f} s] {stage}: {text}", flush=True)
        entry.write("progress.json", {"stage": stage, "text": text, "time": time.time()}, sync=False)

    asked = dict(recipe["asked"])
    builder = cast(Builder, import_module(_BUILDERS[recipe["kind"]]))
    print(f"Building {recipe['title']} ({entry.key})", flush=True)
    resolved = None if anew else entry.resolved()
    lock = str(resolved["lock"]) if resolved else builder.resolve(asked, entry.cache.root, progress)
    lock_key = key_of({"kind": recipe["kind"], "base": _base(recipe["kind"], asked), "lock": lock})
    locked = {"lock_key": lock_key, "lock": lock, "time": time.time()}
    if resolved is None and not anew:
        entry.write("lock.json", locked)  # a build that is killed from here on is built again from its lock
    with entry.cache.building(lock_key) as place:
        found = entry.cache.built(lock_key)
        if found is None:
            try:
                found = _make(builder, asked, lock, lock_key, place, entry.cache, recipe, progress)
            except BuildError:
                if resolved is None and not anew:
                    entry.forget("lock.json")
                raise
        elif resolved is None:
            before = (entry.resolved() or {}).get("lock_key") if anew else None
            whose = "It was" if before == lock_key else "Another environment was"
            print(f"{whose} resolved to the same packages; what is there is used.", flush=True)
    if anew:
        entry.write("lock.json", locked)
    print(
        f"Ready after {time.time() - begin:.1f} s: {found.facts.get('python') or found.facts.get('image')}", flush=True
    )
    return found


def _origins(message: str, origins: Mapping[str, str]) -> str:
    """Return where the packages that a message speaks of are asked for: file and line."""
    said = re.sub(r"[-_.]+", "-", message).lower()
    named = [
        f"{name}: {where}"
        for name, where in origins.items()
        if re.search(rf"(?<![\w-]){re.escape(re.sub(r'[-_.]+', '-', name))}(?![\w-])", said)
    ]
    return f" ({'; '.join(named[:3])})" if named else ""


def _base(kind: str, asked: dict[str, Any]) -> Any:
    """Return what the lock's text leaves open: whose Python it is, which engine has an image, where it will lie."""
    if kind == "image":
        return {"engine": asked["engine"], "python": asked.get("python")}
    if kind == "conda-there":
        return asked["prefix"]
    return asked.get("python") if kind == "venv" else None


def _make(
    builder: Builder,
    asked: dict[str, Any],
    lock: str,
    lock_key: str,
    place: Path,
    cache: EnvironmentCache,
    recipe: dict[str, Any],
    progress: Progress,
) -> Built:
    if place.exists():
        print("A build before this one did not come to its end; starting from its lock.", flush=True)
        shutil.rmtree(place)
    place.mkdir(parents=True, mode=0o700)
    Path(place, "lock.txt").write_text(str(without_credentials(lock)), encoding="utf-8")
    begin = time.monotonic()
    facts = builder.make(asked, lock, place / "env", cache.root, progress)
    facts |= {"kind": recipe["kind"], "title": recipe["title"], "seconds": round(time.monotonic() - begin, 3)}
    return cache.mark_ready(lock_key, facts)


if __name__ == "__main__":
    main(sys.argv[1:])
