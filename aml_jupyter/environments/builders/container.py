"""Install packages inside a container, and keep what it has become as an image.

What the installation needs and the image must not have (uv, local wheels, certificates, settings with credentials) is mounted
below a file system in memory, or handed over as variables of one command: no layer ever holds it.
"""

from __future__ import annotations

import io
import os
import posixpath
import shutil
import tarfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from aml_jupyter.environments.builders import BuildError
from aml_jupyter.environments.builders.places import complaint_of
from aml_jupyter.environments.pythons import uv_program

if TYPE_CHECKING:
    from aml_jupyter.transports.docker_engine import DockerEngine

__all__ = ["BUILD_LABEL", "THERE", "BuildContainer", "certificates", "remove_abandoned"]

BUILD_LABEL: Final = "aml.build"
"""Names the entry whose builder made a container: what a killed one left is removed by the next."""

THERE: Final = "/mnt/aml"
"""Where the container sees what is mounted for the build."""

_CACHE_VOLUME: Final = "aml-jupyter-uv-cache"
_WAIT: Final = "import time\ntime.sleep(7200)"
_BUNDLES: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
_TRAVELLING: Final = (
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_HTTP_TIMEOUT",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_INSECURE_HOST",
    *(name for each in ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY") for name in (each, each.lower())),
)


def certificates() -> str | None:
    """Return the file of the certificates that this machine trusts, or None."""
    named = (os.environ.get(name) for name in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"))
    return next((path for path in (*named, *_BUNDLES) if path and os.path.isfile(path)), None)


def remove_abandoned(engine: DockerEngine, key: str) -> None:
    """Remove the containers that builders of this entry left behind; the caller holds the entry's lock."""
    import docker.errors

    api = engine.client.api
    with engine.explained():
        for found in api.containers(all=True, filters={"label": f"{BUILD_LABEL}={key}"}):
            with suppress(docker.errors.NotFound):
                api.remove_container(found["Id"], force=True, v=True)


class BuildContainer:
    """Own a container in which packages are installed; a `Place` once it is started.

    Parameters
    ----------
    engine : DockerEngine
        Where it runs.
    image : str
        What it starts from.
    key : str
        The entry that is built.
    cache : Path
        The environment cache: its kept files are seen in the container.
    python : str
        The Python in the container that keeps it running; it may be put there before the start.
    shown : sequence of str
        Files and folders of this machine that the container sees.
    files : sequence of str
        Names of the kept files that it needs.
    """

    _uv_place = f"{THERE}/uv"

    def __init__(
        self,
        engine: DockerEngine,
        image: str,
        key: str,
        cache: Path,
        python: str,
        shown: Sequence[str] = (),
        files: Sequence[str] = (),
    ) -> None:
        self._engine = engine
        self._image = image
        self._key = key
        self._cache = cache
        self._python = python
        self._shown = {path: f"{THERE}/shown/{number}" for number, path in enumerate(dict.fromkeys(shown))}
        self._files = tuple(files)
        self._tmp = Path(os.environ.get("TMPDIR") or "/tmp") / f"scratch-{uuid.uuid4().hex}"
        self._id = ""
        self._uv = self._uv_place

    def __enter__(self) -> BuildContainer:
        self._tmp.mkdir(mode=0o700, parents=True)
        try:
            with self._engine.explained():
                self._id = self._create()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import docker.errors
        import requests

        if self._id:
            with suppress(docker.errors.DockerException, requests.RequestException, OSError):
                self._engine.client.api.remove_container(self._id, force=True, v=True)
        shutil.rmtree(self._tmp, ignore_errors=True)

    def _mounts(self) -> list[Any]:
        from docker.types import Mount

        (self._cache / "files").mkdir(parents=True, exist_ok=True, mode=0o700)
        readable = {
            f"{THERE}/files": str(self._cache / "files"),
            f"{THERE}/uv": os.path.realpath(uv_program()),
            **{there: here for here, there in self._shown.items()},
        }
        bundle = certificates()
        if bundle is not None:
            readable[f"{THERE}/ca.crt"] = os.path.realpath(bundle)
        return [
            Mount(posixpath.dirname(THERE), None, type="tmpfs"),  # no mount point stays in the image
            Mount(f"{THERE}/tmp", str(self._tmp), type="bind"),
            *(Mount(there, here, type="bind", read_only=True) for there, here in readable.items()),
        ]

    def _create(self) -> str:
        from docker.types import Mount

        api = self._engine.client.api
        mounts = [*self._mounts(), Mount(f"{THERE}/cache", _CACHE_VOLUME, type="volume")]
        # The machine's network: an index or a proxy that listens here only is reached as it is from a terminal.
        host = api.create_host_config(mounts=mounts, network_mode="host", init=True)
        made = api.create_container(
            self._image,
            entrypoint=[self._python],
            command=["-c", _WAIT],
            host_config=host,
            labels={BUILD_LABEL: self._key},
            user="0",
        )
        return str(made["Id"])

    @property
    def uv(self) -> str:
        """Return the path of uv in the container."""
        return self._uv

    def seen(self, path: str) -> str | None:
        """Return where a shown path of this machine is; None for any other."""
        return self._shown.get(path)

    @contextmanager
    def scratch(self) -> Iterator[tuple[Path, str]]:
        """Give a folder that both sides see."""
        name = uuid.uuid4().hex
        (self._tmp / name).mkdir(mode=0o700)
        yield self._tmp / name, f"{THERE}/tmp/{name}"

    def put(self, folder: Path, there: str) -> None:
        """Copy a folder of this machine to `there`; its owner is root there. Works before the start, too."""
        with self._engine.explained():
            self._engine.client.api.put_archive(self._id, "/", _archive(folder, there.lstrip("/")))

    def _begin(self) -> None:
        self._engine.client.api.start(self._id)

    def start(self) -> None:
        """Start the container, and see to it that uv runs there.

        Raises
        ------
        BuildError
            When its Python does not start, or uv neither runs nor can be installed for a moment.
        """
        import docker.errors

        from aml_jupyter.transports.docker_engine import EngineUnavailable

        with self._engine.explained():
            try:
                self._begin()
            except docker.errors.APIError as error:
                if not error.is_client_error():
                    raise
                raise BuildError(f"{self._python} does not start in the image: {error.explanation or error}") from error
        try:
            self.run([self._uv, "--version"])
        except EngineUnavailable:
            self._need_running()
            raise
        except BuildError:
            self._need_running()
            print(
                "uv of this machine does not run in the image; pip of the image fetches one for the build", flush=True
            )
            target = f"{THERE}/tmp/uv"
            try:
                self.run([self._python, "-m", "pip", "install", "--quiet", "--target", target, "uv"])
            except BuildError as error:
                raise BuildError(
                    f"neither uv of this machine nor pip works in the image ({error}); use a base image with pip"
                ) from error
            self._uv = f"{target}/bin/uv"

    def _need_running(self) -> None:
        """Raise what the container said when it ended at once, which the engine may be a moment in telling."""
        api, until = self._engine.client.api, time.monotonic() + 1.0
        with self._engine.explained():
            while api.inspect_container(self._id)["State"]["Status"] != "exited":
                if time.monotonic() > until:
                    return
                time.sleep(0.05)
            said = api.logs(self._id, tail=5).decode("utf-8", "replace")
        raise BuildError(f"{self._python} does not start in the image: {' '.join(said.split()) or 'it ended at once'}")

    def run(self, command: Sequence[str], variables: Mapping[str, str] | None = None) -> list[str]:
        """Run a command as root, with what it says in the log, and return that.

        Raises
        ------
        BuildError
            With what the command says of its failure.
        """
        code, said = self.execute(command, variables)
        if code:
            raise BuildError(complaint_of(said) or f"{command[0]} ended with exit code {code}")
        return said

    def execute(self, command: Sequence[str], variables: Mapping[str, str] | None = None) -> tuple[int, list[str]]:
        """Run a command as root, with what it says in the log; return its exit code and that."""
        import docker.errors

        said: list[str] = []
        api = self._engine.client.api
        with self._engine.explained():
            try:
                made = api.exec_create(
                    self._id,
                    list(command),
                    environment={**self._variables(), **(variables or {})},
                    user="0",
                    workdir="/",
                )["Id"]
                for line in _lines(api.exec_start(made, socket=True)):
                    said.append(line)
                    print(line, flush=True)
                return int(api.exec_inspect(made)["ExitCode"] or 0), said
            except docker.errors.APIError as error:
                if not error.is_client_error():
                    raise
                return 127, [*said, str(error.explanation or error)]

    def _variables(self) -> dict[str, str]:
        made = {
            "HOME": "/root",
            "NO_COLOR": "1",
            "UV_NO_PROGRESS": "1",
            "UV_HTTP_TIMEOUT": "60",
            "UV_CACHE_DIR": f"{THERE}/cache",
            "UV_LINK_MODE": "copy",
            "UV_NO_CONFIG": "1",
            "TMPDIR": f"{THERE}/tmp",
            **{name: os.environ[name] for name in _TRAVELLING if name in os.environ},
        }
        if certificates() is not None:
            made |= dict.fromkeys(("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"), f"{THERE}/ca.crt")
        return made

    def commit(self, variables: Mapping[str, str], labels: Mapping[str, str], repository: str, tag: str) -> str:
        """Keep what the container is now as an image, which starts as the one that it came from; return its id."""
        api = self._engine.client.api
        with self._engine.explained():
            before = api.inspect_image(self._image).get("Config") or {}
            settings: dict[str, Any] = {
                "Entrypoint": before.get("Entrypoint") or [],  # None would mean the container's
                "Cmd": before.get("Cmd") or ["/bin/sh"],
                "User": before.get("User") or "",
                "WorkingDir": before.get("WorkingDir") or "",
                "Env": [
                    *(entry for entry in before.get("Env") or [] if entry.partition("=")[0] not in variables),
                    *(f"{name}={value}" for name, value in variables.items()),
                ],
                "Labels": {**(before.get("Labels") or {}), **labels, BUILD_LABEL: ""},
            }
            return str(api.commit(self._id, repository=repository, tag=tag, conf=settings, pause=True)["Id"])


def _lines(connection: Any) -> Iterator[str]:
    """Yield the lines that come over the connection of a command, and close it."""
    from docker.utils.socket import frames_iter

    rest = b""
    try:
        for _, part in frames_iter(connection, tty=False):
            *lines, rest = (rest + part).split(b"\n")
            yield from (line.decode("utf-8", "replace").rstrip() for line in lines)
        if rest:
            yield rest.decode("utf-8", "replace").rstrip()
    finally:
        getattr(connection, "_response", connection).close()  # the answer that it was taken from closes it, too


def _archive(folder: Path, name: str) -> Iterator[bytes]:
    """Yield the archive of a folder while it is read: an environment has hundreds of megabytes."""
    out = io.BytesIO()

    def owned(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        return entry

    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT, bufsize=1 << 16) as archive:
        parts = name.split("/")
        for number in range(1, len(parts)):
            entry = tarfile.TarInfo("/".join(parts[:number]))
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for root, folders, files in os.walk(folder):
            inner = os.path.relpath(root, folder)
            place = name if inner == "." else f"{name}/{inner}"
            links = [each for each in folders if os.path.islink(os.path.join(root, each))]
            archive.add(root, arcname=place, recursive=False, filter=owned)
            for each in (*files, *links):
                archive.add(os.path.join(root, each), arcname=f"{place}/{each}", recursive=False, filter=owned)
                if out.tell():
                    yield out.getvalue()
                    out.seek(0)
                    out.truncate()
    yield out.getvalue()
