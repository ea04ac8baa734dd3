"""Run a real registry of images (Debian's docker-registry) that wants a user's name and password."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from debian_packages import need_packages

__all__ = ["Registry", "running_registry"]

BOUND = 30.0


class Registry:
    """Own one registry on a port of this machine.

    Parameters
    ----------
    folder : Path
        Where it keeps its images.
    """

    user = "ada"
    password = "correct-horse"

    def __init__(self, folder: Path) -> None:
        import bcrypt

        folder.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        word = bcrypt.hashpw(self.password.encode(), bcrypt.gensalt(4)).decode()
        (folder / "htpasswd").write_text(f"{self.user}:{word}\n")
        (folder / "config.yml").write_text(
            f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}/images}}}}\n"
            f"http: {{addr: '{self.address}'}}\nauth: {{htpasswd: {{realm: tests, path: {folder}/htpasswd}}}}\n"
        )
        with open(folder / "log", "w") as log:
            command = ["docker-registry", "serve", str(folder / "config.yml")]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + BOUND
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise RuntimeError(f"docker-registry does not start: {(folder / 'log').read_text()[-1000:]}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"http://{self.address}/v2/", timeout=5).close()
        except urllib.error.HTTPError as error:
            return error.code == 401
        except OSError:
            return False
        return False

    @property
    def credentials(self) -> dict[str, str]:
        """Return user and password, as the engine's API takes them."""
        return {"username": self.user, "password": self.password}

    def push(self, host: str, image: str, name: str) -> str:
        """Put `image` of the engine at `host` there under `name`, and forget that name in the engine; return it whole."""
        import docker

        whole = f"{self.address}/{name}"
        repository, tag = whole.rsplit(":", 1)
        client = docker.DockerClient(base_url=host, version="1.41", timeout=60)
        try:
            client.api.tag(image, repository, tag)
            for line in client.api.push(repository, tag, stream=True, decode=True, auth_config=self.credentials):
                if "error" in line:
                    raise RuntimeError(line["error"])
            client.api.remove_image(whole)
        finally:
            client.close()
        return whole

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(BOUND)


@contextlib.contextmanager
def running_registry(folder: Path) -> Iterator[Registry]:
    """Own a registry inside the block; skip, with the reason, where there can be none."""
    need_packages(**{"docker-registry": "docker-registry"})
    pytest.importorskip("bcrypt")
    registry = Registry(folder)
    try:
        yield registry
    finally:
        registry.close()
