"""Run real OpenSSH servers for tests: on a free port of loopback, with keys and rules of their own, ended by id."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from debian_packages import need_packages

from aml_jupyter.workspace import TargetRecord, WorkspaceFolder

__all__ = ["SshServer", "attach_server", "need_sshd", "ssh_server"]

SSHD = "/usr/sbin/sshd"
BOUND = 30.0


def need_sshd() -> None:
    """Return when an SSH server can be run here; skip with the reason where it cannot."""
    if os.geteuid() != 0:
        pytest.skip("an SSH server of its own is started by root only")
    need_packages(**{"openssh-server": SSHD, "openssh-client": "ssh-keygen"})


class SshServer:
    """Own one sshd and the key that it lets in.

    Parameters
    ----------
    folder : Path
        Where its files lie.
    settings : str
        Further lines of its configuration.
    """

    def __init__(self, folder: Path, *settings: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.host = "127.0.0.1"
        self.within: list[str] = []
        """What its command begins with, to run it in a network namespace."""
        self.port = _free_port()
        self.key = folder / "id_ed25519"
        self.host_key = folder / "host_key"
        self.config = folder / "sshd_config"
        self.log = folder / "sshd.log"
        home = folder / "home"
        home.mkdir(exist_ok=True)
        self.variables = {
            "AML_RUNTIME": os.environ.get("AML_RUNTIME", ""),
            "HOME": str(home),
            "PATH": f"{Path(sys._base_executable).parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        }
        """What its sessions have in their environment. A home of their own: the start files in root's take what locks they like,
        and a session that a test ends would leave them locked for everybody."""
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        for path in (self.key, self.host_key):
            make_key(path)
        shutil.copy(f"{self.key}.pub", folder / "authorized_keys")
        (folder / "authorized_keys").chmod(0o600)

    @property
    def address(self) -> str:
        """Return its address, as a person writes it."""
        return f"root@{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        """Return the id of the process that listens."""
        assert self._process is not None
        return self._process.pid

    @property
    def known_host(self) -> str:
        """Return the line of known hosts that vouches for it."""
        kind, key, *_ = Path(f"{self.host_key}.pub").read_text().split()
        return f"[{self.host}]:{self.port} {kind} {key}\n"

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint of its key, as ssh-keygen shows it."""
        said = subprocess.run(["ssh-keygen", "-lf", f"{self.host_key}.pub"], capture_output=True, text=True, check=True)
        return said.stdout.split()[1]

    def start(self) -> None:
        """Start it, and return when it answers."""
        lines = [
            f"Port {self.port}",
            f"ListenAddress {self.host}",
            f"HostKey {self.host_key}",
            f"AuthorizedKeysFile {self.folder}/authorized_keys",
            f"PidFile {self.folder}/sshd.pid",
            "StrictModes no",
            "UsePAM no",
            "PermitRootLogin yes",
            "Subsystem sftp internal-sftp",
            "SetEnv " + " ".join(f'"{name}={value}"' for name, value in self.variables.items()),
            *self._settings,
        ]
        self.config.write_text("\n".join(lines) + "\n")
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._process = subprocess.Popen(
            [*self.within, SSHD, "-D", "-f", str(self.config), "-E", str(self.log)],
            stdin=subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if not name.startswith("AML_")},
        )
        until = time.monotonic() + BOUND
        while True:
            assert self._process.poll() is None and time.monotonic() < until, self.log.read_text()
            with socket.socket() as probe:
                if probe.connect_ex((self.host, self.port)) == 0:
                    return
            time.sleep(0.02)

    def stop(self) -> None:
        """End it, and with it the connections that it serves."""
        if self._process is None:
            return
        served = subprocess.run(
            ["ps", "--ppid", str(self._process.pid), "-o", "pid="], capture_output=True, text=True, check=False
        ).stdout.split()
        self._process.terminate()
        self._process.wait(BOUND)
        for pid in served:
            subprocess.run(["kill", "-9", pid], check=False, capture_output=True)
        self._process = None

    def new_host_key(self) -> None:
        """Give it another key, as a machine has that was installed anew."""
        self.host_key.unlink()
        Path(f"{self.host_key}.pub").unlink()
        make_key(self.host_key)


def attach_server(
    folder: WorkspaceFolder,
    server: SshServer,
    name: str,
    base: Path,
    type: str = "remote",  # noqa: A002
    **settings: Any,
) -> TargetRecord:
    """Attach a server as a compute target whose base folder is `base`."""
    from aml_jupyter.service.remote import attach_target

    asked = {
        "address": server.address,
        "ssh_key": str(server.key),
        "fingerprint": server.fingerprint,
        "base_folder": str(base),
        **settings,
    }
    return attach_target(folder, name, type, asked).target


def make_key(path: Path, passphrase: str = "") -> None:
    """Write a fresh pair of keys."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(path)], check=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def ssh_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., SshServer]]:
    """Return a function that starts a server; ``HOME`` is a folder of the test's own, without keys and known hosts."""
    need_sshd()
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    servers: list[SshServer] = []

    def start(*settings: str, **variables: str) -> SshServer:
        servers.append(SshServer(tmp_path / f"sshd-{len(servers)}", *settings))
        servers[-1].variables.update(variables)
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
