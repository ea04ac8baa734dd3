"""Reach one Docker engine: find it as Docker's own command does, ask whether it answers, and say what is wrong when not.

Owns the client and the words for its errors; what is asked of the engine is the business of those who use it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aml_jupyter.errors import ComputeTargetException, nearest
from aml_jupyter.transports.engine_ways import FAILED, far_socket, is_far

if TYPE_CHECKING:
    import docker

__all__ = [
    "DEFAULT_HOST",
    "DockerEngine",
    "EngineAddress",
    "EngineFacts",
    "EngineUnavailable",
    "address_of",
    "find_engine",
]

DEFAULT_HOST = "unix:///var/run/docker.sock"

ANSWER_BOUND = 5.0
"""Seconds that an engine has for its first answer."""

CALL_BOUND = 120.0
"""Seconds that an engine has for any other answer; a start under load takes some."""


class EngineUnavailable(ComputeTargetException):
    """Say that a Docker engine does not answer now; a later try may find it."""


@dataclass(frozen=True)
class EngineAddress:
    """Say where an engine listens, and which file or variable says so.

    `tls` maps ``ca``, ``cert`` and ``key`` to files, and ``verify`` to a boolean, where the engine wants TLS.
    """

    host: str
    source: str = "the default"
    tls: Mapping[str, Any] | None = None

    @property
    def is_local(self) -> bool:
        """Tell whether the engine sees this machine's files under the names that they have here."""
        parts = urlsplit(self.host)
        return parts.scheme in ("unix", "") or parts.hostname in ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class EngineFacts:
    """Say what an engine is: its version, its machine, and which limits it can set."""

    version: str
    api_version: str
    cores: int
    memory: int
    architecture: str
    root: str
    runtimes: tuple[str, ...]
    live_restore: bool
    warnings: tuple[str, ...]


def find_engine(variables: Mapping[str, str] | None = None) -> EngineAddress:
    """Return where Docker's own command would look: ``DOCKER_HOST``, the chosen context, or the default socket.

    Parameters
    ----------
    variables : dict, optional
        The environment to look in; this process's when left out.

    Raises
    ------
    ComputeTargetException
        When the chosen context does not exist, or Docker's configuration file cannot be read.
    """
    found = os.environ if variables is None else variables
    folder = Path(found.get("DOCKER_CONFIG") or Path(found.get("HOME") or "~").expanduser() / ".docker")
    if found.get("DOCKER_HOST"):
        return EngineAddress(_checked(found["DOCKER_HOST"], "DOCKER_HOST"), "DOCKER_HOST", _tls_of(found, folder))
    name = found.get("DOCKER_CONTEXT") or _current_context(folder)
    if not name or name == "default":
        return EngineAddress(DEFAULT_HOST)
    return _of_context(folder, name)


def _checked(host: str, source: str) -> str:
    scheme = urlsplit(host).scheme
    if scheme not in ("unix", "tcp", "http", "https", "npipe", "ssh"):
        raise ComputeTargetException(
            f"{source} is {host!r}; expected an address such as {DEFAULT_HOST} or tcp://127.0.0.1:2375.", "engine"
        )
    return host


def _tls_of(variables: Mapping[str, str], folder: Path) -> dict[str, Any] | None:
    if "DOCKER_TLS_VERIFY" not in variables and not variables.get("DOCKER_TLS"):
        return None
    place = Path(variables.get("DOCKER_CERT_PATH") or folder)
    files = {name: str(place / f"{name}.pem") for name in ("ca", "cert", "key")}
    return {**files, "verify": bool(variables.get("DOCKER_TLS_VERIFY"))}


def _current_context(folder: Path) -> str:
    return str(_read(folder / "config.json").get("currentContext") or "")


def _of_context(folder: Path, name: str) -> EngineAddress:
    """Return the address that the context `name` of Docker's command line has."""
    known = {}
    for path in sorted((folder / "contexts" / "meta").glob("*/meta.json")):
        content = _read(path)
        known[str(content.get("Name"))] = (path, content)
    if name not in known:
        raise ComputeTargetException(
            f"There is no Docker context {name!r} in {folder}; {nearest(name, [*known, 'default'])}", "engine"
        )
    path, content = known[name]
    endpoint = (content.get("Endpoints") or {}).get("docker") or {}
    place = folder / "contexts" / "tls" / path.parent.name / "docker"
    tls: dict[str, Any] | None = None
    if place.is_dir():
        tls = {name: str(place / f"{name}.pem") for name in ("ca", "cert", "key") if (place / f"{name}.pem").exists()}
        tls["verify"] = not endpoint.get("SkipTLSVerify")
    source = f"Docker's context {name}"
    return EngineAddress(_checked(str(endpoint.get("Host") or DEFAULT_HOST), source), source, tls)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ComputeTargetException(f"Docker's file {path} cannot be read: {error}", "engine") from error
    return content if isinstance(content, dict) else {}


def address_of(host: str, source: str) -> EngineAddress:
    """Return the address `host` as this process knows it, with its certificates; one that `source` names where it is another."""
    with contextlib.suppress(ComputeTargetException):
        found = find_engine()
        if found.host == host:
            return found
    return EngineAddress(host, source)


class DockerEngine:
    """Hold the connection to one engine. Nothing is asked before the first call, and all threads may use it.

    Parameters
    ----------
    address : EngineAddress or str, optional
        Where it listens; found as Docker's command finds it when left out.
    """

    def __init__(self, address: EngineAddress | str | None = None) -> None:
        self.address = address_of(address, "the target") if isinstance(address, str) else address or find_engine()
        self._lock = threading.Lock()
        self._client: docker.DockerClient | None = None

    @property
    def host(self) -> str:
        """Return the address, as ``DOCKER_HOST`` has it."""
        return self.address.host

    @property
    def door(self) -> str:
        """Return the address that a client of this machine connects to: another one where the engine is far away."""
        return f"unix://{far_socket(self.host)}" if is_far(self.host) else self.host

    @property
    def client(self) -> docker.DockerClient:
        """Return the SDK's client; no connection is made by asking for it.

        Raises
        ------
        EngineUnavailable
            When the certificates for it cannot be read.
        """
        with self._lock:
            if self._client is None:
                with self.explained():
                    self._client = self._connect()
            return self._client

    def _connect(self) -> docker.DockerClient:
        import docker
        from docker.tls import TLSConfig

        tls: Any = False
        if self.address.tls is not None:
            files = self.address.tls
            pair = (files["cert"], files["key"]) if "cert" in files and "key" in files else None
            tls = TLSConfig(client_cert=pair, ca_cert=files.get("ca"), verify=files.get("verify"))
        # The lowest version that has all that is used here: asking for the engine's own would be a connection.
        return docker.DockerClient(base_url=self.door, version="1.41", timeout=int(CALL_BOUND), tls=tls)

    def ping(self) -> None:
        """Return when the engine answers.

        Raises
        ------
        EngineUnavailable
            When it does not within a few seconds; the message says why and what to do.
        """
        with self.explained():
            self._knock()
            api = self.client.api
            response = api.get(f"{api.base_url}/_ping", timeout=ANSWER_BOUND)
            if FAILED in response.headers:
                raise EngineUnavailable(str(response.json()["message"]), "engine")
            response.raise_for_status()

    def _knock(self) -> None:
        """Try the socket itself: the error that this gives is the system's own, and nothing of it is left open."""
        parts = urlsplit(self.door)
        if parts.scheme != "unix":
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.settimeout(ANSWER_BOUND)
            door.connect(parts.path)

    def facts(self) -> EngineFacts:
        """Ask the engine what it is.

        Raises
        ------
        EngineUnavailable
            When it does not answer.
        """
        with self.explained():
            self.ping()
            version, info = self.client.version(), self.client.info()
        return EngineFacts(
            version=str(version.get("Version", "")),
            api_version=str(version.get("ApiVersion", "")),
            cores=int(info.get("NCPU") or 0),
            memory=int(info.get("MemTotal") or 0),
            architecture=str(info.get("Architecture", "")),
            root=str(info.get("DockerRootDir", "")),
            runtimes=tuple(sorted(info.get("Runtimes") or ())),
            live_restore=bool(info.get("LiveRestoreEnabled")),
            warnings=tuple(info.get("Warnings") or ()),
        )

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Turn errors of the connection into an `EngineUnavailable` that says what to do.

        What the engine itself refuses (docker's ``APIError``) becomes one, too, unless it is taken inside: who waits for a disk
        there to have room, or for an image to be pulled again, goes on by itself then.
        """
        import docker.errors
        import requests

        try:
            yield
        except docker.errors.TLSParameterError as error:
            raise EngineUnavailable(f"The certificates for {self._name()} cannot be used: {error}", "engine") from error
        except (requests.exceptions.Timeout, TimeoutError) as error:
            raise EngineUnavailable(
                f"{self._name()} took the connection and gave no answer in time; it may hang: restart it.", "engine"
            ) from error
        except docker.errors.APIError as error:
            said = str(error.explanation or error)
            if error.response is None or FAILED not in error.response.headers:
                said = f"{self._name()} did not do what it was asked: {said}"
            raise EngineUnavailable(said, "engine") from error
        except (requests.exceptions.ConnectionError, OSError) as error:
            raise EngineUnavailable(self._why(error), "engine") from error
        except docker.errors.DockerException as error:
            if isinstance(error, docker.errors.BuildError | docker.errors.ContainerError):
                raise
            raise EngineUnavailable(self._why(error), "engine") from error

    def _name(self) -> str:
        return f"the Docker engine at {self.host} (from {self.address.source})"

    def _why(self, error: BaseException) -> str:
        """Return what is wrong with the connection, and what to do about it."""
        number, text = _number_of(error), str(error)
        if number == errno.EACCES or "Permission denied" in text:
            return (
                f"{self._name()} may not be used by this user: no rights on the socket. Add the user to the socket's "
                "group (often: sudo usermod -aG docker $USER, then log in again), or use an engine of your own "
                "(rootless Docker) and set DOCKER_HOST."
            )
        if is_far(self.host):
            return f"there is no way to the Docker engine at {self.host} now: {error}"
        if number in (errno.ENOENT, errno.ECONNREFUSED) or "No such file" in text or "Connection refused" in text:
            return (
                f"No Docker engine is running at {self.host} (from {self.address.source}). Start it (sudo systemctl "
                "start docker, or dockerd), or set DOCKER_HOST to one that runs."
            )
        return f"{self._name()} does not answer: {error}"

    def __enter__(self) -> DockerEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()


def _number_of(error: BaseException | None) -> int | None:
    """Return the system's number of the error behind others."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        inner = next((part for part in error.args if isinstance(part, BaseException)), None)
        inner = inner or next(
            (e for part in error.args if isinstance(part, tuple) for e in part if isinstance(e, OSError)), None
        )
        error = inner or error.__cause__ or error.__context__
    return None
