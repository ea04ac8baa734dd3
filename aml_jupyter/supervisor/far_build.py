"""Build an environment on a far machine: ``python -I <archive> far-build <folder>``, detached, once for each recipe.

``<base>/environments/<key>/`` has ``recipe.json`` (0600: addresses may have credentials), ``log.txt``, ``env/``, and at the
end ``READY.json`` or ``FAILED.json``. Conda packages come linked for that place: ``linked/`` is there, whole, before a build
begins, and becomes ``env/``. Whoever builds holds ``.lock`` (flock); a wreck is begun again. The link, the far side
and the service may go away meanwhile.
"""

import errno
import os
import re
import shutil
import subprocess
import sys
import time
from typing import Any, Dict, Iterator, List, Optional, Tuple

from .activation import ActivationError, activation_variables
from .durable import write_json
from .far_frames import BLOCK
from .far_place import checked, own_variables
from .far_uv import install_options, uv_variables, venv_command
from .faults import fault_point, fault_variables
from .protocol import read_json
from .sole import become, is_somebody

__all__ = ["READY", "TOOLS", "activated", "build", "built", "files_of", "follow", "is_building", "linked_of", "tool_of"]

MOST_STARTS = 3
"""How often a build is begun that was killed."""

MOST_SAID = 800
"""Characters of pip's errors that a run's reason has."""

RECIPE, READY, FAILED, LOG = "recipe.json", "READY.json", "FAILED.json", "log.txt"
FILES = "files"
"""Local wheels and archives that were sent along: ``<sha256>/<name>``."""

LINKED = "linked"
"""Conda packages, linked for `ENV`, until the build takes them."""

ENV = "env"

FULL = (errno.ENOSPC, errno.EDQUOT)

PIP_TRIES = b"uv could not make it; venv and pip try\n"

TOOLS, UV = "tools", "uv"
"""The program that makes virtual environments; it comes along where it runs."""


def built(base: str, key: str) -> Optional[Dict[str, Any]]:
    """Return what is known of an environment that is whole, or None."""
    folder = _folder(base, key)
    found = read_json(os.path.join(folder, READY))
    return found if found is not None and os.path.exists(found["python"]) else None


def follow(
    base: str, key: str, recipe: Dict[str, Any], have: int, uv: str = ""
) -> Iterator[Optional[Tuple[Dict[str, Any], bytes]]]:
    """Have an environment built, unless it is; yield what its log grew by after `have` bytes, then what became of it.

    What became of it is ``ready`` or ``failed``, or ``need``: its linked packages, or the `uv` of that name, which have to be
    sent. Nothing new is None.
    """
    folder = _folder(base, key)
    program = os.path.join(tool_of(base, uv), UV) if uv else ""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    starts = 0
    while True:
        is_over = not is_building(folder)
        data = _grown(os.path.join(folder, LOG), have) if starts or not is_over else b""
        if data:
            yield {"offset": have}, data
            have += len(data)
            continue
        ready, failed = built(base, key), read_json(os.path.join(folder, FAILED))
        if ready is not None:
            os.utime(os.path.join(folder, READY))  # see `far_clean`
            yield {"ready": ready}, b""
            return
        if not is_over:
            yield None
        elif failed is not None and starts:
            if failed.get("full"):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), folder)  # which passes: its runs wait
            yield {"failed": str(failed.get("message"))}, b""
            return
        elif starts == MOST_STARTS:
            yield {"failed": "it was killed %d times; the machine may be out of memory" % starts}, b""
            return
        elif recipe.get("kind") == "conda" and not os.path.isdir(os.path.join(folder, LINKED)):
            yield {"need": LINKED}, b""
            return
        elif program and not os.path.isdir(os.path.dirname(program)):
            yield {"need": UV}, b""
            return
        else:
            starts += 1
            if program:
                os.utime(tool_of(base, uv))  # see `far_clean`
            asked = dict(recipe, uv=program)
            write_json(os.path.join(folder, RECIPE), asked, point="far.launch", sync=False, mode=0o600)
            _start(folder)
            have = 0
            yield {"again": True}, b""


def files_of(base: str, key: str) -> str:
    """Return the folder of the local files that were sent along for an environment."""
    return os.path.join(_folder(base, key), FILES)


def tool_of(base: str, name: str) -> str:
    """Return the folder of a program that was sent along, for whatever is built here."""
    return os.path.join(base, TOOLS, checked(name))


def linked_of(base: str, key: str) -> Optional[str]:
    """Return where the linked packages of an environment are put; None when they are not wanted any more."""
    folder = _folder(base, key)
    return None if built(base, key) is not None or is_building(folder) else os.path.join(folder, LINKED)


def activated(python: str) -> Tuple[Dict[str, str], List[str]]:
    """Return the variables that an environment which was built here sets, and the folders that it puts before the PATH."""
    found = read_json(os.path.join(os.path.dirname(python), os.pardir, os.pardir, READY)) or {}
    if found.get("python") != python:
        return {}, []
    return dict(found.get("variables") or {}), list(found.get("path") or [])


def _grown(path: str, have: int) -> bytes:
    try:
        with open(path, "rb") as stream:
            stream.seek(have)
            return stream.read(BLOCK)
    except OSError:
        return b""


def _folder(base: str, key: str) -> str:
    return os.path.join(base, "environments", checked(key))


def is_building(folder: str) -> bool:
    """Tell whether somebody builds in `folder`."""
    return is_somebody(os.path.join(folder, ".lock"))


def _start(folder: str) -> None:
    """Start the builder; return when it holds its lock, or has gone."""
    variables = dict(own_variables())
    variables.update(fault_variables())
    with fault_point("far.builder"):
        process = subprocess.Popen(
            [sys.executable, "-I", os.path.abspath(sys.argv[0]), "far-build", folder],
            env=variables,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    deadline = time.monotonic() + 5
    while process.poll() is None and not is_building(folder) and time.monotonic() < deadline:
        time.sleep(0.01)


def build(folder: str) -> int:
    """Build what ``recipe.json`` of `folder` asks for; return 0 when it is ready."""
    lock = os.open(os.path.join(folder, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if not become(lock):
        return 0  # another one builds it
    try:
        return _build(folder, lock)
    except OSError as error:
        return _fail(folder, "%s (%s)" % (error.strerror, error.filename), error.errno in FULL)


def _fail(folder: str, message: str, is_full: bool) -> int:
    """Write down why it failed, and return 1; a full disk is given back first what was made so far."""
    if is_full:
        with fault_point("far.discard"):
            shutil.rmtree(os.path.join(folder, ENV), ignore_errors=True)
    failed = {"message": message, "time": time.time(), "full": is_full}
    write_json(os.path.join(folder, FAILED), failed, point="far.built")
    return 1


def _was_full(folder: str) -> bool:
    """Tell whether what was tried last complained of a full disk."""
    try:
        with open(os.path.join(folder, LOG), "rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - BLOCK))
            said = stream.read()
    except OSError:
        return False
    said = said.rpartition(PIP_TRIES)[2]  # uv's cache may lie on another disk, which pip does without
    return any(os.strerror(number).encode() in said for number in FULL)


def _build(folder: str, lock: int) -> int:
    recipe = read_json(os.path.join(folder, RECIPE)) or {}
    asked = recipe["asked"]
    with fault_point("far.discard"):
        for name in (READY, FAILED):
            if os.path.exists(os.path.join(folder, name)):
                os.unlink(os.path.join(folder, name))
        shutil.rmtree(os.path.join(folder, ENV), ignore_errors=True)
    ready: Dict[str, Any] = {"python": os.path.join(folder, ENV, "bin", "python"), "variables": {}, "path": []}
    with open(os.path.join(folder, LOG), "wb", buffering=0) as log:
        message = _make(folder, asked, log, lock, ready, str(recipe.get("uv") or ""))
    if message:
        return _fail(folder, message, _was_full(folder))
    ready["variables"].update(asked.get("variables") or {})
    write_json(os.path.join(folder, READY), ready, point="far.built")
    return 0


def _make(folder: str, asked: Dict[str, Any], log: Any, lock: int, ready: Dict[str, Any], uv: str) -> str:
    """Make the environment and install into it; return why that failed, or '' with `ready` filled in."""
    place = os.path.join(folder, ENV)
    if "specs" not in asked:
        if uv and _make_with_uv(folder, asked, log, lock, uv):
            return ""
        if _run([asked["python"]["path"], "-m", "venv", place], log, lock):
            if not os.path.exists(asked["python"]["path"]):
                return (
                    "%s is not there any more. Name another Python: aml compute update NAME --python PATH"
                    % (asked["python"]["path"])
                )
            return (
                "%s -m venv failed: the machine's Python has no venv or ensurepip (Debian: apt-get install python3-venv)"
                % asked["python"]["path"]
            )
        return _install(folder, asked, log, lock)
    with fault_point("far.install"):
        try:
            os.rename(os.path.join(folder, LINKED), place)
        except OSError as error:
            return "the packages are not there: %s" % error.strerror
    why = _install(folder, asked, log, lock)
    if not why:
        try:
            ready["variables"], ready["path"] = activation_variables(place)
        except ActivationError as error:
            return str(error)
    return why


def _make_with_uv(folder: str, asked: Dict[str, Any], log: Any, lock: int, uv: str) -> bool:
    """Make a virtual environment with uv; False when it could not, and pip is to try: it knows more, and says why."""
    place = os.path.join(folder, ENV)
    variables = dict(os.environ)
    variables.update(uv_variables(asked, os.environ))
    if not _run(venv_command(uv, asked["python"]["path"], place), log, lock, variables):
        lines, more = _lists(folder, asked, with_options=False)
        command = [uv, "pip", "install", "--python", os.path.join(place, "bin", "python")]
        if not lines or not _run(command + install_options(asked) + more, log, lock, variables):
            return True
    log.write(PIP_TRIES)
    with fault_point("far.discard"):
        shutil.rmtree(place, ignore_errors=True)
    return False


def _lists(folder: str, asked: Dict[str, Any], with_options: bool) -> Tuple[List[str], List[str]]:
    """Write what is to be installed to files; return its lines, and the options that name the files."""
    own = "file://%s/" % os.path.join(folder, FILES)
    lines = [" ".join(option) for option in asked["options"]] if with_options else []
    lines += [re.sub(r"file:(?=[0-9a-f]{64}/)", lambda _: own, line) for line in asked["requirements"]]
    wanted = os.path.join(folder, "requirements.txt")
    _write(wanted, lines)
    options = ["-r", wanted]
    if asked["constraints"]:
        _write(os.path.join(folder, "constraints.txt"), asked["constraints"])
        options += ["-c", os.path.join(folder, "constraints.txt")]
    return lines, options


def _install(folder: str, asked: Dict[str, Any], log: Any, lock: int) -> str:
    """Install what pip's list says; return why that failed, or ''."""
    lines, options = _lists(folder, asked, with_options=True)
    command = [
        os.path.join(folder, ENV, "bin", "python"),
        "-m",
        "pip",
        "install",
        "--no-input",
        "--disable-pip-version-check",
    ]
    begin = log.tell()
    if lines and _run(command + options, log, lock):
        return "pip could not install the packages: %s" % (_errors(folder, begin) or "its words are in the build's log")
    return ""


def _errors(folder: str, begin: int) -> str:
    """Return what pip wrote into the log from `begin` on as errors; it shows no password of an address."""
    with open(os.path.join(folder, LOG), "rb") as stream:
        stream.seek(max(begin, os.fstat(stream.fileno()).st_size - BLOCK))
        lines = stream.read().decode("utf-8", "replace").splitlines()
    said = [line[len("ERROR:") :].strip() for line in lines if line.startswith("ERROR:")]
    return "; ".join(said)[:MOST_SAID]


def _write(path: str, lines: List[str]) -> None:
    with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as stream:
        stream.write("".join(line + "\n" for line in lines))


def _run(command: List[str], log: Any, lock: int, variables: Optional[Dict[str, str]] = None) -> int:
    """Run a program that holds the lock, too: nobody begins again while it may still write."""
    log.write((" ".join(command[:4]) + " ...\n").encode("utf-8"))
    with fault_point("far.install"):
        try:
            return subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                pass_fds=(lock,),
                env=variables,
                check=False,
            ).returncode
        except OSError as error:
            log.write(("%s\n" % error).encode("utf-8", "replace"))
            return 1
