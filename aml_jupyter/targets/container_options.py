"""Read ``docker.arguments``: the options of ``docker run`` that a person may set, as the engine's API takes them.

The list is of what may be allowed: an option that is not on it is refused by name. Left out is what would take the run out
of our hands (its name, its program, its user, its folders), and what would let a script change where it was placed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from aml_jupyter.errors import ConfigurationError, nearest

__all__ = ["read_arguments", "size_in_bytes"]

FIELD: Final = "docker.arguments"

_UNITS: Final = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}

_OURS: Final = {
    "--name": "the container is named after its run",
    "--entrypoint": "the run's own command is started",
    "--user": "files belong to who submits",
    "--workdir": "a run's working directory is its snapshot",
    "--detach": "a run never is attached to a terminal",
    "--interactive": "a run has no keyboard",
    "--tty": "a run has no terminal",
    "--restart": "max_retries starts a run again",
    "--label": "labels are how a run's container is found again",
    "--privileged": "such a container can undo how it was placed; name what it needs with --cap-add or --device",
    "--pid": "a run's processes are told apart by their namespace",
    "--volumes-from": "name the folders with --volume",
    "--cgroup-parent": "limits are set with --memory and --cpus",
    "--env-file": "declare variables in environment_variables",
    "--log-driver": "the run's log is a file of the run",
}
"""Options that are there, and not for a person to set: why."""

_SHORT: Final = {
    "-v": "--volume",
    "-e": "--env",
    "-m": "--memory",
    "-h": "--hostname",
    "-c": "--cpu-shares",
    "-l": "--label",
    "-u": "--user",
    "-w": "--workdir",
    "-d": "--detach",
    "-i": "--interactive",
    "-t": "--tty",
    "--net": "--network",
}

_FLAGS: Final = ("--init", "--rm", "--read-only")
"""Options without a value; the first two hold anyway."""


def size_in_bytes(text: str, option: str) -> int:
    """Return a size such as ``2g`` as the engine counts it, in bytes.

    Raises
    ------
    ConfigurationError
        When it is none.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([bkmgt]?)b?\s*", text.lower())
    if not found:
        raise ConfigurationError(f"{option} is {text!r}; a size such as 2g or 512m was expected.", option)
    return int(float(found.group(1)) * _UNITS[found.group(2)])


def _number(text: str, option: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 < value < 1e9:
        raise ConfigurationError(f"{FIELD}: {option} is {text!r}; a number above 0 was expected.", FIELD)
    return value


def _size(option: str, text: str) -> int:
    try:
        return size_in_bytes(text, option)
    except ConfigurationError as error:
        raise ConfigurationError(f"{FIELD}: {error.message}", FIELD) from error


def _whole(option: str, text: str) -> int:
    if not re.fullmatch(r"-?\d+", text):
        raise ConfigurationError(f"{FIELD}: {option} is {text!r}; a whole number was expected.", FIELD)
    return int(text)


def _volume(option: str, text: str) -> str:
    parts = text.split(":")
    if len(parts) not in (2, 3) or not parts[0] or not parts[1].startswith("/"):
        raise ConfigurationError(
            f"{FIELD}: {option} is {text!r}; /folder/here:/folder/in/container or name:/folder/in/container was "
            "expected, with :ro where it may not be written.",
            FIELD,
        )
    if parts[2:] and not set(parts[2].split(",")) <= {"ro", "rw", "z", "Z", "cached", "delegated", "consistent"}:
        raise ConfigurationError(f"{FIELD}: {option} {text!r} ends with {parts[2]!r}; ro or rw was expected.", FIELD)
    if "docker.sock" in parts[0]:
        raise ConfigurationError(
            f"{FIELD}: {option} {text!r} would give the run the Docker engine itself, and with it this machine.", FIELD
        )
    return text


def _pair(option: str, text: str) -> str:
    if not text or text.startswith("="):
        raise ConfigurationError(f"{FIELD}: {option} is {text!r}; NAME=value was expected.", FIELD)
    return text


def _ulimit(option: str, text: str) -> dict[str, Any]:
    found = re.fullmatch(r"(\w+)=(-?\d+)(?::(-?\d+))?", text)
    if not found:
        raise ConfigurationError(f"{FIELD}: {option} is {text!r}; NAME=soft or NAME=soft:hard was expected.", FIELD)
    return {"Name": found.group(1), "Soft": int(found.group(2)), "Hard": int(found.group(3) or found.group(2))}


def _gpus(option: str, text: str) -> dict[str, Any]:
    request: dict[str, Any] = {"Driver": "", "Count": 0, "DeviceIDs": [], "Capabilities": [["gpu"]], "Options": {}}
    plain = text.strip("\"'")
    if plain == "all":
        return {**request, "Count": -1}
    if plain.isdigit():
        return {**request, "Count": int(plain)}
    if plain.startswith("device="):
        return {**request, "DeviceIDs": plain[len("device=") :].split(",")}
    raise ConfigurationError(f"{FIELD}: {option} is {text!r}; all, a number, or device=0,1 was expected.", FIELD)


def _device(option: str, text: str) -> dict[str, str]:
    parts = text.split(":")
    if not parts[0].startswith("/dev/"):
        raise ConfigurationError(f"{FIELD}: {option} is {text!r}; /dev/... was expected.", FIELD)
    inside = parts[1] if len(parts) > 1 else parts[0]
    return {
        "PathOnHost": parts[0],
        "PathInContainer": inside,
        "CgroupPermissions": parts[2] if len(parts) > 2 else "rwm",
    }


def _text(option: str, text: str) -> str:
    if not text:
        raise ConfigurationError(f"{FIELD}: {option} has no value.", FIELD)
    return text


def _ipc(option: str, text: str) -> str:
    if text not in ("host", "private", "shareable", "none"):
        raise ConfigurationError(
            f"{FIELD}: {option} is {text!r}; host, private, shareable or none was expected.", FIELD
        )
    return text


def _security(option: str, text: str) -> str:
    if not re.match(r"(no-new-privileges|seccomp[=:]|apparmor[=:]|label[=:])", text):
        raise ConfigurationError(f"{FIELD}: {option} is {text!r}; seccomp=..., apparmor=... was expected.", FIELD)
    return text


_READERS: Final[Mapping[str, tuple[str, Callable[[str, str], Any]]]] = {
    "--cpus": ("NanoCpus", lambda option, text: int(_number(text, option) * 1e9)),
    "--cpu-shares": ("CpuShares", _whole),
    "--cpuset-cpus": ("CpusetCpus", _text),
    "--memory": ("Memory", _size),
    "--memory-swap": ("MemorySwap", lambda option, text: -1 if text == "-1" else _size(option, text)),
    "--memory-reservation": ("MemoryReservation", _size),
    "--shm-size": ("ShmSize", _size),
    "--pids-limit": ("PidsLimit", _whole),
    "--oom-score-adj": ("OomScoreAdj", _whole),
    "--gpus": ("+DeviceRequests", _gpus),
    "--runtime": ("Runtime", _text),
    "--network": ("NetworkMode", _text),
    "--ipc": ("IpcMode", _ipc),
    "--uts": ("UTSMode", _text),
    "--volume": ("+Binds", _volume),
    "--tmpfs": ("+Tmpfs", _text),
    "--device": ("+Devices", _device),
    "--cap-add": ("+CapAdd", _text),
    "--cap-drop": ("+CapDrop", _text),
    "--security-opt": ("+SecurityOpt", _security),
    "--ulimit": ("+Ulimits", _ulimit),
    "--group-add": ("+GroupAdd", _text),
    "--sysctl": ("+Sysctls", _pair),
    "--add-host": ("+ExtraHosts", _text),
    "--dns": ("+Dns", _text),
    "--dns-search": ("+DnsSearch", _text),
    "--env": ("+Env", _pair),
    "--hostname": ("Hostname", _text),
}
"""Option -> the name of what it sets (``+``: may be given several times), and how its value is read."""

OPTIONS: Final = sorted([*_READERS, *_FLAGS])


def read_arguments(arguments: Sequence[str]) -> dict[str, Any]:
    """Return what ``docker.arguments`` set, by the names of the engine's API; nothing is asked of an engine.

    Parameters
    ----------
    arguments : sequence of str
        As on a command line, in whatever pieces: ``["--shm-size=2g", "-v", "/data:/data:ro"]`` or ``["--shm-size 2g"]``.

    Raises
    ------
    ConfigurationError
        Names an option that is unknown or not for a person to set, or a value that cannot be read.
    """
    words = [word for text in arguments for word in _split(str(text))]
    found: dict[str, Any] = {}
    while words:
        name, value = _next(words)
        if name in _FLAGS:
            if name == "--read-only":
                found["ReadonlyRootfs"] = value in (None, "true")
            continue
        if name in _OURS:
            raise ConfigurationError(f"{FIELD}: {name} cannot be set: {_OURS[name]}.", FIELD)
        if name not in _READERS:
            raise ConfigurationError(f"{FIELD}: {name} is not known; {nearest(name, OPTIONS, limit=2)}", FIELD)
        if value is None:
            if not words:
                raise ConfigurationError(f"{FIELD}: {name} has no value.", FIELD)
            value = words.pop(0)
        key, read = _READERS[name]
        if key.startswith("+"):
            found.setdefault(key[1:], []).append(read(name, value))
        else:
            found[key] = read(name, value)
    return found


def _split(text: str) -> list[str]:
    """Return the words of one argument; a value with spaces that follows its option stays whole."""
    if not text.lstrip().startswith("-"):
        return [text]
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ConfigurationError(f"{FIELD}: {text!r} cannot be read: {error}.", FIELD) from error


def _next(words: list[str]) -> tuple[str, str | None]:
    word = words.pop(0)
    if not word.startswith("-"):
        raise ConfigurationError(f"{FIELD}: an option such as --shm-size was expected, found {word!r}.", FIELD)
    name, equals, value = word.partition("=")
    if not word.startswith("--") and len(word) > 2 and word[:2] in _SHORT:
        return _SHORT[word[:2]], word[2:].removeprefix("=")
    return _SHORT.get(name, name), value if equals else None
