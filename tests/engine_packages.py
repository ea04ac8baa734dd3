"""Install Debian's Docker engine where it is missing, as root; say why there is none elsewhere."""

from __future__ import annotations

import os

import pytest
from debian_packages import why_missing

__all__ = ["DOCKERD", "need_engine", "why_no_engine"]

DOCKERD = "/usr/sbin/dockerd"
NEEDED = {"docker.io": DOCKERD, "iptables": "iptables", "iproute2": "ip", "busybox-static": "/usr/bin/busybox"}


def need_engine() -> None:
    """Return when this machine has what a Docker engine of the tests needs; skip, with the reason, where it cannot."""
    reason = why_no_engine()
    if reason is not None:
        pytest.skip(reason)


def why_no_engine() -> str | None:
    """Return why no Docker engine of the tests can be started here, or None."""
    if os.geteuid() != 0:
        return "a Docker engine of its own is started by root only"
    return why_missing(NEEDED)
