"""Log in to an SSH server: with a key, the agent, a password or an answer to its questions, as the server allows."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.transports.ssh_address import SshAddress

if TYPE_CHECKING:
    import paramiko

__all__ = ["Credentials", "Hop", "Login", "LoginRefused", "is_locked", "log_in"]


_LOCKED: Final = "which has a passphrase, and none was given"
_WRONG_PASSPHRASE: Final = "whose passphrase is wrong"


class LoginRefused(ComputeTargetException):
    """Say that a server took none of what it was offered; the same again would not help."""


@dataclass(frozen=True, repr=False)
class Credentials:
    """Hold what is secret about a login; never written, shown or logged."""

    password: str | None = None
    passphrase: str | None = None

    def __repr__(self) -> str:
        return "Credentials(...)"


@dataclass(frozen=True)
class Login:
    """Say what let us in: in words, and the key's file, or the agent's key as a file of a public key has it."""

    words: str
    file: str = ""
    public_key: str = ""


@dataclass(frozen=True)
class Hop:
    """Say of one host how it was reached: its address, the key that it showed and that is believed, what let us in."""

    address: SshAddress
    host_key: str
    login: Login


def log_in(transport: paramiko.Transport, address: SshAddress, credentials: Credentials) -> Login:
    """Log in, and return what worked.

    Raises
    ------
    LoginRefused
        When nothing did; the message says what was tried and what the server takes.
    """
    import paramiko

    tried: list[str] = []
    takes: list[str] = []
    with contextlib.closing(_keys(address, credentials, tried)) as keys:
        for what, file, key in keys:
            try:
                left = transport.auth_publickey(address.user, key)
            except paramiko.BadAuthenticationType as error:
                takes = list(error.allowed_types)
                break  # no key is taken here
            except paramiko.AuthenticationException:
                tried.append(what)
                continue
            if not left:
                return Login(what, file, "" if file else f"{key.get_name()} {key.get_base64()}")
            tried.append(f"{what} (it wants {', '.join(left)}, too)")
            takes = list(left)
            break
    if credentials.password is not None and not _is_of_key(address, credentials):
        for what in ("password", "keyboard-interactive"):
            with contextlib.suppress(paramiko.BadAuthenticationType, paramiko.AuthenticationException):
                if what == "password":
                    left = transport.auth_password(address.user, credentials.password, fallback=False)
                else:
                    left = transport.auth_interactive(address.user, _answers(credentials.password))
                if not left:
                    return Login(what)
            tried.append(what)
    raise LoginRefused(_refusal(transport, address, credentials, tried, takes), "username")


def _keys(address: SshAddress, credentials: Credentials, tried: list[str]) -> Generator[tuple[str, str, Any]]:
    """Yield the keys to try with what they are and their files: named files alone, else the agent's before those of files."""
    from_files = list(_from_files(address, credentials, tried))
    if address.only_keys and from_files:
        yield from from_files
        return
    yield from _from_agent(address)
    yield from from_files


def _from_files(address: SshAddress, credentials: Credentials, tried: list[str]) -> Iterator[tuple[str, str, Any]]:
    import paramiko

    for path in address.keys:
        try:
            yield (
                f"the key {path}",
                path,
                paramiko.PKey.from_path(path, credentials.passphrase and credentials.passphrase.encode()),
            )
        except (paramiko.PasswordRequiredException, TypeError):
            tried.append(f"the key {path}, {_LOCKED}")
        except (paramiko.SSHException, OSError, ValueError) as error:
            if path.endswith(".pub"):
                tried.append(
                    f"{path}, which is the public half of a key: name the file of the private one, without .pub"
                )
            elif credentials.passphrase is not None and is_locked(path):
                tried.append(f"the key {path}, {_WRONG_PASSPHRASE}")
            else:
                tried.append(f"the key {path}, which cannot be read: {error}")


def _is_of_key(address: SshAddress, credentials: Credentials) -> bool:
    """Say whether the one secret that was given is the passphrase of the key that was named: no server is told that."""
    one_secret = credentials.password == credentials.passphrase
    return one_secret and address.only_keys and any(is_locked(path) for path in address.keys)


def is_locked(path: str) -> bool:
    """Say whether a key can be read with its passphrase only."""
    import paramiko

    try:
        paramiko.PKey.from_path(path)
    except (paramiko.PasswordRequiredException, TypeError):
        return True
    except (paramiko.SSHException, OSError, ValueError):
        return False
    return False


def _from_agent(address: SshAddress) -> Iterator[tuple[str, str, Any]]:
    """Yield the agent's keys; it signs while it is open, so it is closed after the last one."""
    import paramiko

    if address.agent == "":
        return
    with _socket_of_agent(address.agent):
        try:
            agent = paramiko.Agent()
        except (paramiko.SSHException, OSError):
            return
    try:
        for key in agent.get_keys():
            yield f"the agent's key {key.comment or key.get_name()}", "", key
    finally:
        agent.close()


@contextlib.contextmanager
def _socket_of_agent(path: str | None) -> Iterator[None]:
    """Have paramiko look at the agent that the configuration names: it knows the variable only."""
    if path is None:
        yield
        return
    before = os.environ.get("SSH_AUTH_SOCK")
    os.environ["SSH_AUTH_SOCK"] = path
    try:
        yield
    finally:
        if before is None:
            del os.environ["SSH_AUTH_SOCK"]
        else:
            os.environ["SSH_AUTH_SOCK"] = before


def _answers(password: str) -> Any:
    """Answer each question that is not echoed with the password, and leave the others empty."""

    def answer(title: str, instructions: str, questions: list[tuple[str, bool]]) -> list[str]:
        return ["" if echoed else password for _, echoed in questions]

    return answer


def _refusal(
    transport: paramiko.Transport, address: SshAddress, credentials: Credentials, tried: list[str], takes: list[str]
) -> str:
    if not takes and transport.is_active():
        takes = _taken_by(transport, address)
    offered = ", ".join(tried) or "nothing: there is no key, no agent and no password"
    wants = f" The server takes: {', '.join(takes)}." if takes else ""
    hints = []
    if {"password", "keyboard-interactive"} & set(tried):
        hints.append(
            "look at the password and the user's name again (aml compute update NAME --password-stdin gives a target another one)"
        )
    if any(each.endswith(_WRONG_PASSPHRASE) for each in tried):
        hints.append("give the key's passphrase with --password-stdin")
    if any(each.endswith(_LOCKED) for each in tried):
        hints.append("unlock the key with ssh-add, or give its passphrase with --password-stdin")
    elif {"password", "keyboard-interactive"} & set(takes) and credentials.password is None:
        hints.append("give a password with --password-stdin")
    hints.append(f"put your public key there ({_copying(address)})")
    return f"{address} lets nobody in with what it was offered ({offered}).{wants} What helps: {', or '.join(hints)}."


def _copying(address: SshAddress) -> str:
    """Return the line that puts a key there: ssh-copy-id takes no port behind the host."""
    port = "" if address.port == 22 else f"-p {address.port} "
    key = f"-i {shlex.quote(address.keys[0].removesuffix('.pub'))} " if address.only_keys and address.keys else ""
    return f"ssh-copy-id {key}{port}{address.user}@{address.name}"


def _taken_by(transport: paramiko.Transport, address: SshAddress) -> list[str]:
    import paramiko

    try:
        transport.auth_none(address.user)
    except paramiko.BadAuthenticationType as error:
        return list(error.allowed_types)
    except (paramiko.SSHException, EOFError, OSError):
        pass
    return []
