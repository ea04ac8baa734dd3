"""Decide whether a server is the one that it should be: its key is known, pinned, or confirmed by a person; never just taken."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.transports.ssh_address import SshAddress

if TYPE_CHECKING:
    import paramiko

__all__ = ["Confirm", "HostKeyRefused", "check_host_key", "fingerprint_of", "known_kinds"]

Confirm = Callable[[str], bool]
"""Asked with a sentence that shows the fingerprint; True when the person says that it is right."""


class HostKeyRefused(ComputeTargetException):
    """Say that a server showed a key that nobody vouches for, or another one than before: nothing was sent to it."""


def fingerprint_of(key: paramiko.PKey) -> str:
    """Return a key's fingerprint as OpenSSH writes it: ``SHA256:`` and base64 without padding."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")


def known_kinds(address: SshAddress) -> list[str]:
    """Return the kinds of the keys that are known for a host: a server should show one of these."""
    return [key.get_name() for key in _known(address)]


def check_host_key(
    address: SshAddress, key: paramiko.PKey, pinned: str | None = None, confirm: Confirm | None = None
) -> str:
    """Return the fingerprint of a server's key that may be believed.

    Parameters
    ----------
    address : SshAddress
        Whose key it should be.
    key : paramiko.PKey
        What the server showed.
    pinned : str, optional
        The fingerprint that was believed before, or given by the person.
    confirm : callable, optional
        Asks the person, where there is one to ask.

    Raises
    ------
    HostKeyRefused
        When the key is another one than the known or pinned one, or nobody knows it.
    """
    shown = fingerprint_of(key)
    kind = key.get_name()
    if pinned is not None:
        if _plain(pinned) == _plain(shown):
            return shown
        raise HostKeyRefused(_changed(address, f"{kind} {shown}", pinned), "fingerprint")
    known = list(_known(address))
    if any(each.get_name() == kind and each.asbytes() == key.asbytes() for each in known):
        return shown
    same_kind = [fingerprint_of(each) for each in known if each.get_name() == kind]
    if same_kind:
        raise HostKeyRefused(_changed(address, f"{kind} {shown}", " or ".join(same_kind)), "fingerprint")
    if confirm is not None and confirm(
        f"The host {address} is not known yet. Its {kind} key has the fingerprint {shown}. Is that right?"
    ):
        return shown
    files = ", ".join(address.known_hosts) or "~/.ssh/known_hosts (which is not there)"
    raise HostKeyRefused(
        f"The host {address} is not known: no key of it stands in {files}, and nothing was sent to it. Its {kind} key has the "
        f"fingerprint {shown}. When that is right (ask whoever runs it), name it: --fingerprint {shown}, or log in once with "
        f"{_login(address)}.",
        "fingerprint",
    )


def _login(address: SshAddress) -> str:
    """Return the line that logs in there, and asks about the key."""
    port = "" if address.port == 22 else f"-p {address.port} "
    return f"ssh {port}{address.user}@{address.name}"


def _plain(fingerprint: str) -> str:
    return fingerprint.strip().removeprefix("SHA256:").rstrip("=")


def _changed(address: SshAddress, shown: str, known: str) -> str:
    return (
        f"THE HOST KEY OF {address} HAS CHANGED, or is another one than was named: {shown} was shown, {known} was expected. "
        "Somebody may stand between this machine and that one, or it was installed anew. Nothing was sent. Ask whoever runs it; "
        f"when the key that was shown is right, name it (aml compute attach or update, --fingerprint {shown.split()[-1]}), "
        f"and remove the old one (ssh-keygen -R '{address.key_name}')."
    )


def _known(address: SshAddress) -> Iterable[Any]:
    """Yield the keys that known hosts list for a host, under the name it is connected to or the one that was written."""
    import paramiko

    port = "" if address.port == 22 else f":{address.port}"
    names = {address.key_name, f"[{address.name}]{port}" if port else address.name}
    for path in address.known_hosts:
        keys = paramiko.HostKeys()
        try:
            keys.load(path)
        except (OSError, ValueError, paramiko.SSHException):
            continue  # a broken file vouches for nobody
        for name in sorted(names):
            yield from (keys.lookup(name) or {}).values()
