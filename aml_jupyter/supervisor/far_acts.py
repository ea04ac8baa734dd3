"""Do what a service asks of a far machine, each act as often as it is asked without a difference.

=============  ====================================================================================================
``ask_room``   ``key``, ``needs`` (see `FarRoom`) -> ``why``: null, or what is waited for; news says when that changes
``free_room``  ``key``
``stage``      ``key``, ``snapshot``, ``inputs`` (entries), ``launch``, ``container`` (its place, or null),
               ``files`` [[name, length]] with the body -> ``need``:
               null, ``tree`` (send it), or ``blobs`` and ``missing`` [[sha256, bytes that are here]]
``tree``       ``snapshot``, the body its entries
``missing``    ``entries`` -> ``missing``: of these, as of ``stage``
``blobs``      ``parts`` [[sha256, size, offset, length]] with the body; answered only where ``last`` is true
``files``      ``environment`` (a key), ``entries``: its local files -> one part, ``missing`` as of ``stage``; none when
               they are in place. ``linked``: they are its packages, linked for their place
``environment`` ``recipe``, ``have`` (bytes of its log) -> many: parts of the log, ``ready``, ``failed`` or ``need``
``start``      ``key``, ``needs`` -> ``why``: null when a supervisor has it, or what is waited for. In a container, it is the
               service that starts the supervisor: ``devices`` are the GPUs that it gets
``let_go``     ``key``: its container was not started
``watch``      ``key``, ``have`` {file: bytes} : news of it is told from then on; ``unwatch`` ends that.
               ``folders``, ``largest``: so are their files that are finished, see `far_finished`
``put``        ``key``, ``name``, ``once``, the body: a file of the attempt
``forbid``     ``key``, ``reason`` -> ``forbidden``
``bury``       ``key``, ``token``, ``reason``, ``message`` -> ``result``
``list``       ``key``, ``folders``, ``is_over`` -> ``files`` [[name, size, mtime, ctime in ns]], ``unread``: folders that
               cannot be read, ``is_there``: whether the attempt is
``hashes``     ``key``, ``names`` -> many: ``name``, ``sha256`` and ``ctime``
``pieces``     ``parts`` [[run, attempt, name, offset, length, size, mtime in ns]] -> many, see `far_pieces`
``fetch``      ``key``, ``files`` [[name, offset]] -> many: ``name``, ``offset`` and a body; at the end ``size`` and ``sha256``
               ``kept``: of what `far_kept` keeps
``keep``       ``key``, ``folders``, ``limit`` -> many: ``name``, ``size``, ``time`` and ``sha256`` of what stays, see `far_kept`
``drop``       ``key``, ``names``: of what was kept
``remove``     ``key``: the attempt's folder, unless something of it lives
``attempts``   -> ``keys``: of the workspace, that are here
``facts``      -> what the machine has; ``room_now`` ``limit`` -> ``free`` slots and their ``holders``
``ping``       nothing
=============  ====================================================================================================
"""

import errno
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple, Union

from . import far_container, identity, last_word, nurse
from .bundle import Bundle
from .control_files import read_attempt, read_result
from .durable import write_json
from .far_build import activated, files_of, follow, linked_of, tool_of
from .far_content import FarContent, unpacked, write_file
from .far_facts import facts
from .far_files import fetched, listed
from .far_finished import Finishing
from .far_frames import Frame
from .far_kept import drop, keep, kept_folder
from .far_pieces import Pieces, hashes
from .far_place import Key, Places, own_variables
from .far_room import FarRoom
from .far_watch import Watched
from .faults import fault_point
from .keeper import let_go, read_place
from .protocol import ATTEMPT, LAUNCH, WORK, started_path

__all__ = ["FarActs", "text_of"]

REMOVALS = 20
"""How often, 10 ms apart, the folder of an attempt that is over is removed until nothing is left of it."""

Answer = Union[Tuple[Dict[str, Any], bytes], Iterator[Optional[Frame]], None]


class FarActs:
    """Act for one workspace.

    Parameters
    ----------
    places : Places
        Where its attempts lie.
    runtime : str
        The user's folder for sockets and slots.
    wake : str
        The socket at which supervisors wake this process.
    """

    def __init__(self, places: Places, runtime: str, wake: str) -> None:
        self._places = places
        self._runtime = runtime
        self._wake = wake
        self._content = FarContent(places.base, places.who)
        self._failed: Dict[int, Dict[str, Any]] = {}
        self.room = FarRoom(runtime)
        self.watched: Dict[Key, Watched] = {}
        self.finishing = Finishing()
        self._pieces_of = Pieces(places)
        self._acts: Dict[str, Callable[[Dict[str, Any], bytes], Any]] = {
            name: getattr(self, "_" + name)
            for name in (
                "ask_room", "free_room", "stage", "tree", "blobs", "start", "let_go", "watch", "unwatch", "put", "forbid", "bury",
                "list", "fetch", "keep", "drop", "remove", "attempts", "facts", "room_now", "files", "environment", "ping",
                "hashes", "pieces", "missing",
            )
        }  # fmt: skip

    def do(self, header: Dict[str, Any], body: bytes) -> Answer:
        """Do what a request says; return its answer, an iterator of many, or None where none is wanted."""
        operation = str(header.get("op"))
        try:
            act = self._acts[operation]
            found = act(header, body)
        except KeyError as error:
            return {"error": "%s: %s is missing or unknown" % (operation, error), "kind": "request"}, b""
        except (ValueError, TypeError) as error:
            return {"error": str(error), "kind": "request"}, b""
        except last_word.StillThere as error:
            return {"error": str(error), "kind": "still"}, b""
        except nurse.NurseError as error:
            return {"error": str(error), "kind": "nurse"}, b""
        except OSError as error:
            return {"error": text_of(error), "kind": "system", "errno": error.errno or 0}, b""
        if found is None and operation == "blobs":
            return None
        if found is None or isinstance(found, dict):
            return found or {}, b""
        return found  # type: ignore[no-any-return]

    # -- room -------------------------------------------------------------------------------------------------------

    def _ask_room(self, header: Dict[str, Any], body: bytes) -> Dict[str, Any]:
        key = _key(header)
        if self._has_started(key) or far_container.is_kept(read_place(self._places.control(key))):
            return {"why": None}
        return {"why": self.room.ask(key, header["needs"])}

    def _free_room(self, header: Dict[str, Any], body: bytes) -> None:
        self.room.release(_key(header))

    def _room_now(self, header: Dict[str, Any], body: bytes) -> Dict[str, Any]:
        free, holders = self.room.free(int(header["limit"]))
        return {"free": free, "holders": holders}

    # -- start ------------------------------------------------------------------------------------------------------

    def _stage(self, header: Dict[str, Any], body: bytes) -> Dict[str, Any]:
        key = _key(header)
        root, control = self._places.attempt(key), self._places.control(key)
        work = os.path.join(root, WORK)
        inputs = os.path.join(os.path.dirname(os.path.dirname(root)), "inputs")
        snapshot = header["snapshot"]
        for entries, path in ((header["inputs"], inputs), (None, work)):
            if path == work:
                entries = self._content.tree(str(snapshot)) if snapshot else []
                if entries is None:
                    return {"need": "tree"}
            if not entries or (os.path.isdir(path) and os.listdir(path)):
                continue
            missing = self._content.missing(entries)
            if not missing:
                missing = [(digest, 0) for digest in self._content.place(entries, path)]
            if missing:
                return {"need": "blobs", "missing": missing}
        os.makedirs(work, exist_ok=True)
        for path in (os.path.join(work, "outputs"), control):
            os.makedirs(path, exist_ok=True)
        start = 0
        for name, length in header["files"]:
            write_file(self._places.inside(key, name), body[start : start + length], 0o600)
            start += length
        launch = dict(header["launch"])
        if header.get("container"):
            far_container.put_place(self._places.base, control, header["container"], self._wake)
            launch.update(cwd=work, wake=launch["environment"]["AML_WAKE"])
        else:
            variables = dict(own_variables())
            variables.update(activated(str(header.get("python") or ""))[0])
            variables.update(launch["environment"])
            launch.update(cwd=work, wake=self._wake, environment=dict(variables, AML_WAKE=self._wake))
        python = str(header.get("python") or "")
        if python:
            _put_first(launch["environment"], python)
        write_json(os.path.join(control, LAUNCH), launch, point="far.launch", sync=False, mode=0o600)
        return {"need": None}

    def _environment(self, header: Dict[str, Any], body: bytes) -> Iterator[Optional[Frame]]:
        recipe, uv = header["recipe"], str(header.get("uv") or "")
        return follow(self._places.base, str(recipe["key"]), recipe, int(header["have"]), uv)

    def _files(self, header: Dict[str, Any], body: bytes) -> Iterator[Optional[Frame]]:
        find = {"linked": linked_of, "tool": tool_of}.get(str(header.get("what")), files_of)
        return self._placed(header["entries"], find(self._places.base, str(header["environment"])))

    def _placed(self, entries: List[List[Any]], place: Optional[str]) -> Iterator[Optional[Frame]]:
        missing = [] if place is None or os.path.isdir(place) else self._content.missing(entries)
        if missing or place is None or os.path.isdir(place):
            yield {"missing": missing}, b""
            return
        for damaged in self._content.placing(entries, place):
            yield None if damaged is None else ({"missing": [(digest, 0) for digest in damaged]}, b"")

    def _tree(self, header: Dict[str, Any], body: bytes) -> Dict[str, Any]:
        self._content.keep_tree(str(header["snapshot"]), body)
        entries = self._content.tree(str(header["snapshot"]))
        return {"missing": self._content.missing(entries or [])}

    def _missing(self, header: Dict[str, Any], body: bytes) -> Dict[str, Any]:
        return {"missing": self._content.missing(header["entries"])}

    def _blobs(self, header: Dict[str, Any], body: bytes) -> Optional[Dict[str, Any]]:
        """Take in blobs; what goes wrong is said with the last ones of a stream, since nobody waits for the others."""
        start, stream = 0, header["stream"]
        try:
            body = unpacked(header, body)
            for digest, size, offset, length in header["parts"] if stream not in self._failed else ():
                self._content.take(digest, size, offset, body[start : start + length])
                start += length
        except OSError as error:
            self._failed[stream] = {"error": text_of(error), "kind": "system", "errno": error.errno or 0}
        except ValueError as error:
            self._failed[stream] = {"error": str(error), "kind": "request"}
        if not header.get("last"):
            return None
        return self._failed.pop(stream, {"taken": True})

    def _start(self, header: Dict[str, Any], body: bytes) -> Dict[str, Any]:
        key = _key(header)
        control = self._places.control(key)
        place = read_place(control)
        if self._has_started(key) or far_container.is_kept(place):
            self.room.release(key)
            return {"why": None, "devices": far_container.devices_of(control)}
        if not os.path.exists(os.path.join(control, LAUNCH)):
            raise ValueError("the files of %s/%d are not in place" % key)
        why = self.room.ask(key, header["needs"])
        if why is not None:
            return {"why": why}
        try:
            if place is not None:
                far_container.make_ready(control, self.room.devices(key))
            with fault_point("far.start"):
                nurse.spawn(Path(self._runtime), _own_bundle(), Path(control), self.room.give(key))
        finally:
            self.room.release(key)
        return {"why": None, "devices": far_container.devices_of(control)}

    def _let_go(self, header: Dict[str, Any], body: bytes) -> None:
        let_go(self._places.control(_key(header)))

    def _has_started(self, key: Key) -> bool:
        control = self._places.control(key)
        return os.path.exists(os.path.join(control, ATTEMPT)) or os.path.exists(started_path(control))

    # -- look, and end ----------------------------------------------------------------------------------------------

    def _watch(self, header: Dict[str, Any], body: bytes) -> None:
        key = _key(header)
        self.watched[key] = Watched(self._places.control(key), header["have"])
        for folder in header.get("folders") or ():
            self._places.inside(key, str(folder))  # it leads nowhere else
        self.finishing.watch(
            key, self._places.attempt(key), list(map(str, header.get("folders") or ())), int(header.get("largest") or 0)
        )

    def _unwatch(self, header: Dict[str, Any], body: bytes) -> None:
        self.watched.pop(_key(header), None)
        self.finishing.forget(_key(header))

    def _put(self, header: Dict[str, Any], body: bytes) -> Dict[str, Any]:
        path = self._places.inside(_key(header), str(header["name"]))
        if header.get("once") and os.path.exists(path):
            return {}
        if not os.path.isdir(self._places.attempt(_key(header))):
            return {}  # it was never started here, or is gone
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_file(path, body, 0o600)
        return {}

    def _forbid(self, header: Dict[str, Any], body: bytes) -> Dict[str, Any]:
        key = _key(header)
        self.room.release(key)
        return {"forbidden": last_word.forbid(self._places.control(key), str(header["reason"]))}

    def _bury(self, header: Dict[str, Any], body: bytes) -> Dict[str, Any]:
        control = self._places.control(_key(header))
        attempt = read_attempt(control)
        if attempt and identity.is_alive(attempt) and not read_result(control):
            raise last_word.StillThere("its supervisor lives")
        arguments = [str(header[name]) for name in ("token", "reason", "message")]
        return {"result": last_word.bury(control, *arguments)}

    def _list(self, header: Dict[str, Any], body: bytes) -> Dict[str, Any]:
        root = self._places.attempt(_key(header))
        folders = [self._places.inside(_key(header), str(name)) for name in header["folders"]]
        unread: List[str] = []
        files = listed(root, folders, bool(header.get("is_over")), unread)
        return {"files": files, "unread": unread, "is_there": os.path.isdir(root)}

    def _hashes(self, header: Dict[str, Any], body: bytes) -> Iterator[Frame]:
        key = _key(header)
        return hashes(
            self._places.attempt(key), [(str(name), self._places.inside(key, str(name))) for name in header["names"]]
        )

    def _pieces(self, header: Dict[str, Any], body: bytes) -> Iterator[Frame]:
        return self._pieces_of.read(header["parts"])

    def _fetch(self, header: Dict[str, Any], body: bytes) -> Iterator[Frame]:
        key = _key(header)
        root = kept_folder(self._places, key) if header.get("kept") else self._places.attempt(key)
        names = [
            (str(name), os.path.relpath(self._places.inside(key, str(name)), self._places.attempt(key)), int(offset))
            for name, offset in header["files"]
        ]
        return fetched(root, [(name, os.path.join(root, inside), offset) for name, inside, offset in names])

    def _keep(self, header: Dict[str, Any], body: bytes) -> Iterator[Optional[Frame]]:
        return keep(self._places, _key(header), [str(name) for name in header["folders"]], int(header["limit"]))

    def _drop(self, header: Dict[str, Any], body: bytes) -> Dict[str, Any]:
        return drop(self._places, _key(header), [str(name) for name in header["names"]])

    def _remove(self, header: Dict[str, Any], body: bytes) -> Dict[str, Any]:
        key = _key(header)
        root, control = self._places.attempt(key), self._places.control(key)
        attempt = read_attempt(control)
        place = read_place(control)
        lives = attempt and (identity.is_alive(attempt) or (place and far_container.lives(place)))
        if lives and not read_result(control):
            return {"removed": False}
        if place is not None:
            far_container.forget_place(place)
        self.watched.pop(key, None)
        self.finishing.forget(key)
        run = os.path.dirname(os.path.dirname(root))
        with fault_point("far.remove"):
            for _ in range(REMOVALS):
                shutil.rmtree(root, ignore_errors=True)
                if not os.path.exists(root):
                    break
                time.sleep(0.01)  # its supervisor has said the last word, and may still write beside it
            if not os.path.isdir(os.path.dirname(root)) or not os.listdir(os.path.dirname(root)):
                shutil.rmtree(run, ignore_errors=True)
        return {"removed": not os.path.exists(root)}

    def _attempts(self, header: Dict[str, Any], body: bytes) -> Dict[str, Any]:
        keys: List[List[Any]] = []
        for run in os.listdir(self._places.runs):
            try:
                numbers = os.listdir(os.path.join(self._places.runs, run, "attempts"))
            except OSError:
                continue
            keys += [[run, int(number)] for number in numbers if number.isdigit()]
        return {"keys": keys}

    # -- the machine ------------------------------------------------------------------------------------------------

    def _facts(self, header: Dict[str, Any], body: bytes) -> Dict[str, Any]:
        return facts(self._places.base)

    def _ping(self, header: Dict[str, Any], body: bytes) -> None:
        return None


def _key(header: Dict[str, Any]) -> Key:
    run, number = header["key"]
    return str(run), int(number)


def _own_bundle() -> Bundle:
    """Return the bundle that this process runs from."""
    archive = Path(sys.argv[0]).absolute()
    return Bundle(archive.parent, archive, archive.parent / "site")


def _put_first(variables: Dict[str, str], python: str) -> None:
    """Have ``python`` and ``pip`` mean the interpreter of the run, and set what its virtual environment sets."""
    folder = os.path.dirname(python)
    before = [entry for entry in variables.get("PATH", os.defpath).split(os.pathsep) if entry and entry != folder]
    variables["PATH"] = os.pathsep.join(activated(python)[1] + [folder] + before)
    prefix = os.path.dirname(folder)
    if os.path.exists(os.path.join(prefix, "pyvenv.cfg")):
        variables.setdefault("VIRTUAL_ENV", prefix)
    elif os.path.isdir(os.path.join(prefix, "conda-meta")):
        variables.setdefault("CONDA_PREFIX", prefix)
        variables.setdefault("CONDA_DEFAULT_ENV", os.path.basename(prefix))


def text_of(error: OSError) -> str:
    """Return what an error of the system means, and where."""
    where = " (%s)" % error.filename if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "there is no room on its disk%s" % where
    if error.errno == errno.ENOENT and error.filename == sys.executable:
        return "%s is not there any more. Name another Python: aml compute update NAME --python PATH" % sys.executable
    return "%s%s" % (error.strerror or error, where)
