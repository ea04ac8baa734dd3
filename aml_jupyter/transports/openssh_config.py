"""Write what OpenSSH's client has to know to go the way that a connection of ours went: the same hosts, keys and logins."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aml_jupyter.transports.ssh_faults import CONNECT_SECONDS
from aml_jupyter.transports.ssh_login import Hop, is_locked

__all__ = ["CONTROL", "FORWARD", "LAST", "NotForOpenSsh", "write_config"]

LAST: Final = "aml-last"
"""The name of the host that is meant: nothing that somebody wrote stands on a command line."""

CONTROL: Final = "c"
FORWARD: Final = "f"
"""Names of sockets in the folder."""

LONGEST_CONTROL: Final = 103 - 17
"""Bytes that the path of a Unix socket may have everywhere, less what the client adds while it makes one."""

PERSISTS: Final = 20
"""Seconds that a connection is kept which nobody uses; it ends then, whatever has become of this process."""

_PLAIN: Final = re.compile(r"[^\0-\x1f\"\\%$]+")
_OPTIONS: Final = f"""
  BatchMode yes
  Ciphers ^aes128-gcm@openssh.com
  ConnectTimeout {CONNECT_SECONDS:.0f}
  EscapeChar none
  ForwardAgent no
  ForwardX11 no
  GlobalKnownHostsFile /dev/null
  IdentitiesOnly yes
  LogLevel ERROR
  PermitLocalCommand no
  PreferredAuthentications publickey
  RequestTTY no
  ServerAliveCountMax 4
  ServerAliveInterval 5
  StreamLocalBindMask 0177
  StreamLocalBindUnlink yes
  StrictHostKeyChecking yes
  UpdateHostKeys no
"""


class NotForOpenSsh(Exception):
    """Say why OpenSSH's client cannot log in as we did."""


def write_config(folder: Path, route: Sequence[Hop]) -> Path:
    """Write a configuration for the host at the end of `route`, named `LAST`, and return its path.

    Parameters
    ----------
    folder : Path
        The folder for it, the user's alone; nothing secret is written.
    route : sequence of Hop
        As `SshConnection.route` returns it.

    Raises
    ------
    NotForOpenSsh
        When a password or passphrase was needed, or a name cannot be written there.
    OSError
        When it cannot be written.
    """
    names = [*(f"aml-{number}" for number in range(len(route) - 1)), LAST]
    control = folder / CONTROL
    if len(os.fsencode(control)) > LONGEST_CONTROL:
        raise NotForOpenSsh(f"the path of its socket would be too long ({control})")
    known, text = "", ""
    for number, (name, hop) in enumerate(zip(names, route, strict=True)):
        known += f"{name} {hop.host_key}\n"
        text += f"Host {name}\n" + "".join(f"  {line}\n" for line in _lines(folder, name, hop))
        if name == LAST:
            text += f"  ControlPath {_quoted(str(control))}\n"
        if number:
            text += f"  ProxyJump {names[number - 1]}\n"
        elif hop.address.proxy_command:
            text += f"  ProxyCommand {_proxy(hop.address.proxy_command)}\n"
    (folder / "known_hosts").write_text(known)
    text += (
        f"Host *{_OPTIONS}  ControlPersist {PERSISTS}\n  UserKnownHostsFile {_quoted(str(folder / 'known_hosts'))}\n"
    )
    path = folder / "config"
    path.write_text(text)
    return path


def _lines(folder: Path, name: str, hop: Hop) -> list[str]:
    address, login = hop.address, hop.login
    lines = [
        f"HostName {_quoted(address.host)}",
        f"Port {address.port}",
        f"User {_quoted(address.user)}",
        f"HostKeyAlias {name}",
    ]
    if login.file:
        if is_locked(login.file):
            raise NotForOpenSsh("its key has a passphrase")
        return [*lines, f"IdentityFile {_quoted(login.file)}", "IdentityAgent none"]
    kind = login.public_key.partition(" ")[0]
    agent = address.agent if address.agent is not None else os.environ.get("SSH_AUTH_SOCK", "")
    if not agent or not kind or kind.startswith("sk-") or "-cert-" in kind:
        raise NotForOpenSsh(f"it was let in with {login.words}")
    path = folder / f"{name}.pub"
    path.write_text(f"{login.public_key}\n")
    return [*lines, f"IdentityFile {_quoted(str(path))}", f"IdentityAgent {_quoted(agent)}"]


def _quoted(value: str) -> str:
    """Return a value that OpenSSH reads as it is."""
    if not _PLAIN.fullmatch(value):
        raise NotForOpenSsh(f"{value!r} has characters that its configuration has another meaning for")
    return f'"{value}"'


def _proxy(command: str) -> str:
    if "\n" in command or "\r" in command:
        raise NotForOpenSsh("its ProxyCommand has several lines")
    return command.replace("%", "%%")
