"""Find the Docker engine of a far machine that this user can use, and what it is; asked over its socket, without a client."""

import http.client
import json
import os
import socket
from typing import Any, Dict, List

__all__ = ["find_engine"]

PATIENCE = 5.0
"""Seconds that an engine has to answer."""

LARGEST_ANSWER = 1 << 22


def find_engine(wanted: str = "") -> Dict[str, Any]:
    """Return what is known of the engine.

    Parameters
    ----------
    wanted : str
        Its socket; the usual places are looked at when empty.

    Returns
    -------
    dict
        ``socket``, ``version``, ``cores``, ``memory`` (bytes) and ``machine`` of an engine that answers; else ``problem``,
        which says why there is none.
    """
    problems: List[str] = []
    for path in [_path(wanted)] if wanted else _usual():
        try:
            version, info = _ask(path, "/version"), _ask(path, "/info")
        except PermissionError:
            problems.append(
                "%s has no rights on %s: add the user to the socket's group there (often: sudo usermod -aG docker %s, then "
                "log in again), or use an engine of its own (rootless Docker)" % (_user(), path, _user())
            )
            continue
        except FileNotFoundError:
            if wanted:
                problems.append("there is no socket %s" % path)
            continue
        except (OSError, ValueError, http.client.HTTPException) as error:
            problems.append("no engine answers at %s (%s)" % (path, getattr(error, "strerror", None) or error))
            continue
        return {
            "socket": path,
            "version": str(version.get("Version", "")),
            "cores": int(info.get("NCPU") or 0),
            "memory": int(info.get("MemTotal") or 0),
            "machine": str(info.get("Architecture", "")),
        }
    return {"problem": "; ".join(problems) or "no Docker engine runs there (looked at: %s)" % ", ".join(_usual())}


def _path(written: str) -> str:
    path = written[len("unix://") :] if written.startswith("unix://") else written
    return os.path.abspath(os.path.expanduser(path))


def _usual() -> List[str]:
    """Return where Docker's own client and its rootless engine have their sockets."""
    chosen = os.environ.get("DOCKER_HOST", "")
    own = os.environ.get("XDG_RUNTIME_DIR") or "/run/user/%d" % os.getuid()
    places = [_path(chosen)] if chosen.startswith("unix://") else []
    return places + ["/var/run/docker.sock", os.path.join(own, "docker.sock")]


def _ask(path: str, what: str) -> Dict[str, Any]:
    connection = http.client.HTTPConnection("docker", timeout=PATIENCE)
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.sock.settimeout(PATIENCE)
        connection.sock.connect(path)
        connection.request("GET", what)
        answer = connection.getresponse()
        found = json.loads(answer.read(LARGEST_ANSWER).decode("utf-8"))
        if answer.status != 200 or not isinstance(found, dict):
            raise ValueError("it answers %d" % answer.status)
        return found
    finally:
        connection.close()


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "this user"
