"""Say in words what is wrong with the way to a host, and what to look at."""

from __future__ import annotations

import socket
from typing import Final

from aml_jupyter.transports.ssh_address import SshAddress
from aml_jupyter.transports.ssh_proxy import ProxyProcess

__all__ = ["CONNECT_SECONDS", "explained"]

CONNECT_SECONDS: Final = 15.0
"""How long a host has for each step of a connection."""


def explained(error: BaseException, address: SshAddress, proxy: ProxyProcess | None = None) -> str:
    """Return what an error of the way to a host means.

    Parameters
    ----------
    error : Exception
        What the socket or the library raised.
    address : SshAddress
        Whose way it is.
    proxy : ProxyProcess, optional
        The command on the way; what it complains of says more than the error.
    """
    text = str(error) or type(error).__name__
    where = f"{address.host}, port {address.port}"
    if proxy is not None and (complaint := proxy.complaint()):
        return f"The ProxyCommand on the way to {address} ({proxy.command}) {complaint}."
    if isinstance(error, socket.gaierror):
        return f"There is no host {address.host!r} ({error.strerror}). Check the name, or the network of this machine."
    if isinstance(error, ConnectionRefusedError) or "refused" in text.lower():
        return f"{where} refuses connections: no SSH server listens there. Check the port, or start sshd there."
    if isinstance(error, TimeoutError) or "timed out" in text.lower() or "timeout" in text.lower():
        if "banner" in text.lower():
            return f"{where} took the connection and said nothing: it is no SSH server, or it is overloaded."
        return f"{where} gave no answer in {CONNECT_SECONDS:.0f} s. Check that it is up, and that no firewall is in between."
    if "banner" in text.lower():
        return f"{where} took the connection and is no SSH server, or closed it at once ({text})."
    if isinstance(error, OSError) and ("unreachable" in text.lower() or "no route" in text.lower()):
        return f"There is no way to {where} ({error.strerror or text}). Check the network."
    return f"The connection to {address} failed: {text}."
