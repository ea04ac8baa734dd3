"""Say where an SSH server is and as whom to log in there: what was written, completed by the user's own ``~/.ssh/config``."""

from __future__ import annotations

import getpass
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from aml_jupyter.errors import ComputeTargetException

__all__ = ["SshAddress", "find_address", "known_names", "without_scheme"]

_SCHEME: Final = re.compile(r"^[a-z][a-z0-9+.\-]*://", re.IGNORECASE)
_WRITTEN: Final = re.compile(
    r"(?:(?P<user>[^@\s]+)@)?"
    r"(?:(?P<bare>[0-9a-fA-F]*:[0-9a-fA-F]*:[0-9a-fA-F:.]*(?:%\w+)?)$"
    r"|(?:\[(?P<six>[0-9a-fA-F:.%\w]+)\]|(?P<host>[^:@\s/\[\]]+))(?::(?P<port>\d+))?$)"
)
MOST_JUMPS: Final = 8


@dataclass(frozen=True)
class SshAddress:
    """Say where and as whom.

    Attributes
    ----------
    name : str
        What the person wrote: the name under which known hosts may list it.
    host : str
        The name or address to connect to.
    port : int
        The port.
    user : str
        The user there.
    keys : tuple of str
        Files of private keys, in the order in which they are tried.
    only_keys : bool
        Try no other key than these (``IdentitiesOnly``, or a key that was named).
    known_hosts : tuple of str
        Files of host keys that are believed.
    agent : str or None
        The agent's socket where the configuration names one; '' for none.
    jumps : tuple of SshAddress
        The hosts on the way, the first one first.
    proxy_command : str or None
        A command whose input and output are the connection.
    """

    name: str
    host: str
    port: int
    user: str
    keys: tuple[str, ...] = ()
    only_keys: bool = False
    known_hosts: tuple[str, ...] = ()
    agent: str | None = None
    jumps: tuple[SshAddress, ...] = ()
    proxy_command: str | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user}@{host}" + ("" if self.port == 22 else f":{self.port}")

    @property
    def key_name(self) -> str:
        """Return the name under which known hosts list its key."""
        return self.host if self.port == 22 else f"[{self.host}]:{self.port}"


def find_address(
    written: str,
    user: str | None = None,
    key: str | os.PathLike[str] | None = None,
    config: str | os.PathLike[str] | None = None,
) -> SshAddress:
    """Return the address that `written` means.

    Parameters
    ----------
    written : str
        ``HOST``, ``HOST:PORT``, ``USER@HOST``, ``IPv6``, ``[IPv6]:PORT``; a scheme before it is left out. HOST may be a name of
        the configuration file.
    user : str, optional
        The user there; wins over what is written and configured.
    key : path, optional
        The file of the private key to log in with.
    config : path, optional
        The configuration file; ``~/.ssh/config`` unless given.

    Raises
    ------
    ComputeTargetException
        When it is no address, the configuration file is broken, or the key's file is not there.
    """
    file = Path(config) if config is not None else Path("~/.ssh/config").expanduser()
    found = _complete(written, user, _configuration(file), 0)
    if key is None:
        return found
    path = Path(key).expanduser()
    if not path.is_file():
        raise ComputeTargetException(f"The key file {path} is not there; name the file of your private key.", "ssh_key")
    return replace(found, keys=(str(path.absolute()),), only_keys=True)


def without_scheme(written: str) -> str:
    """Return an address as it was written, less a scheme (``https://``, ``ssh://``), blanks, and a slash at its end."""
    return _SCHEME.sub("", written.strip()).rstrip("/")


def known_names(config: str | os.PathLike[str] | None = None) -> list[str]:
    """Return the names of hosts that the configuration file has, patterns left out."""
    file = Path(config) if config is not None else Path("~/.ssh/config").expanduser()
    return sorted(name for name in _configuration(file).get_hostnames() if not set(name) & set("*?!"))


def _configuration(file: Path) -> Any:
    import paramiko
    from paramiko.ssh_exception import ConfigParseError

    try:
        return paramiko.SSHConfig.from_path(str(file)) if file.is_file() else paramiko.SSHConfig()
    except (OSError, ValueError, ConfigParseError) as error:
        raise ComputeTargetException(f"The SSH configuration {file} cannot be read: {error}.", "address") from error


def _complete(written: str, user: str | None, configuration: Any, depth: int) -> SshAddress:
    match = _WRITTEN.match(without_scheme(written))
    if match is None or not _is_six(match["bare"] or match["six"] or "::"):
        raise ComputeTargetException(
            f"{written!r} is no address of a host; expected HOST, HOST:PORT, USER@HOST:PORT or [IPv6]:PORT.", "address"
        )
    if depth > MOST_JUMPS:
        raise ComputeTargetException(
            f"{written!r}: the ProxyJump entries of the configuration go in a circle.", "address"
        )
    name = match["bare"] or match["six"] or match["host"]
    said: Mapping[str, Any] = configuration.lookup(name)
    asked = str(match["port"] or said.get("port") or 22)
    port = int(asked) if asked.isdecimal() else 0
    if not 0 < port < 65536:
        raise ComputeTargetException(f"{written!r}: {asked} is no port; expected 1 to 65535.", "address")
    jump = str(said.get("proxyjump") or "none")
    jumps = (
        ()
        if jump.lower() == "none"
        else tuple(_complete(each, None, configuration, depth + 1) for each in jump.split(","))
    )
    command = said.get("proxycommand")
    agent = said.get("identityagent")
    return SshAddress(
        name=name,
        host=str(said.get("hostname") or name),
        port=port,
        user=str(user or match["user"] or said.get("user") or _own_name()),
        keys=_keys(said),
        only_keys=str(said.get("identitiesonly", "no")).lower() == "yes",
        known_hosts=_known_hosts(said),
        agent=None
        if agent is None or agent == "SSH_AUTH_SOCK"
        else ("" if agent == "none" else os.path.expanduser(agent)),
        jumps=jumps,
        proxy_command=None if command in (None, "none") else str(command),
    )


def _is_six(written: str) -> bool:
    try:
        ipaddress.IPv6Address(written.partition("%")[0])
    except ValueError:
        return False
    return True


def _own_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "root"


def _keys(said: Mapping[str, Any]) -> tuple[str, ...]:
    named = [os.path.expanduser(path) for path in said.get("identityfile") or ()]
    defaults = [os.path.expanduser(f"~/.ssh/id_{kind}") for kind in ("ed25519", "ecdsa", "rsa")]
    return tuple(path for path in named or defaults if os.path.isfile(path))


def _known_hosts(said: Mapping[str, Any]) -> tuple[str, ...]:
    own = str(said.get("userknownhostsfile") or "~/.ssh/known_hosts ~/.ssh/known_hosts2").split()
    of_all = str(said.get("globalknownhostsfile") or "/etc/ssh/ssh_known_hosts").split()
    return tuple(path for each in (*own, *of_all) if os.path.isfile(path := os.path.expanduser(each)))
