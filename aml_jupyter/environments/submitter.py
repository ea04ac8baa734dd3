"""Describe the Python that a run is submitted from: interpreter, version, and what of its environment travels."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import Any

_PROXIES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
_NAMES = frozenset(
    {
        "PATH",
        "VIRTUAL_ENV",
        "CONDARC",
        "LANG",
        "LANGUAGE",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "NODE_EXTRA_CA_CERTS",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "TMPDIR",
        "TZ",
        "LD_LIBRARY_PATH",
        "DOCKER_BUILDKIT",
        "DOCKER_CONFIG",
        *_PROXIES,
        *(name.lower() for name in _PROXIES),
    }
)
_BEGINNINGS = ("CONDA_", "LC_", "PIP_", "UV_")
_SECRET_NAME = re.compile("TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|KEY", re.IGNORECASE)
_CREDENTIALS_IN_URL = re.compile(r"[a-z][a-z0-9+.\-]*://[^/@\s]+@", re.IGNORECASE)


def may_travel(name: str, value: str) -> bool:
    """Say whether a variable goes with a run without being declared.

    Only what finds programs, packages, certificates and the person's language does; nothing whose name speaks of a
    secret, and no address with credentials.
    """
    if name not in _NAMES and not name.startswith(_BEGINNINGS):
        return False
    return not _SECRET_NAME.search(name) and not _CREDENTIALS_IN_URL.search(value)


def travelling_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return those variables of an environment that go with a run without being declared."""
    return {name: value for name, value in sorted(environment.items()) if may_travel(name, value)}


def withheld_variables(environment: Mapping[str, str]) -> list[str]:
    """Return the names of the settings of pip, uv and conda that stay behind because their addresses hold credentials."""
    return sorted(
        name
        for name, value in environment.items()
        if name.startswith(("CONDA_", "PIP_", "UV_")) and _CREDENTIALS_IN_URL.search(value)
    )


def submitter() -> dict[str, Any]:
    """Return the Python that is running now, as ``run.json`` keeps it.

    Returns
    -------
    dict
        ``python`` (absolute path), ``version`` ("3.11.7"), ``variables`` (name to value), ``withheld`` (names of variables
        with credentials), ``host``, ``user``, ``cwd``.

    Raises
    ------
    UserErrorException
        When the current folder has been deleted, or this program knows no interpreter.
    """
    from aml_jupyter.errors import UserErrorException

    if not sys.executable:
        raise UserErrorException(
            "This program does not know its Python interpreter (sys.executable is empty). "
            "Name one: environment.python.user_managed_dependencies = True and environment.python.interpreter_path."
        )
    try:
        folder = os.getcwd()
    except FileNotFoundError:
        raise UserErrorException("The current folder does not exist any more. Change to one that does.") from None
    return {
        "python": os.path.abspath(sys.executable),
        "version": ".".join(map(str, sys.version_info[:3])),
        "variables": travelling_variables(os.environ),
        "withheld": withheld_variables(os.environ),
        "host": os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", ""),
        "user": _user(),
        "cwd": folder,
    }


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        return str(os.getuid())
