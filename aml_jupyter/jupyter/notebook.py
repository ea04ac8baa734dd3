"""Answer "which notebook is this kernel's?": for what the magics snapshot."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

__all__ = ["live_host", "notebook_path", "server_url"]

RUNNERS = {"papermill", "jupyter-execute", "jupyter-nbconvert", "nbconvert"}
"""Programs that execute the notebook which their command line names, without telling its kernel."""

PAIRS = {"-p", "--parameters", "-r", "--parameters_raw"}
"""papermill's options that take two words, of which the second may end in .ipynb, too."""

COLAB_FOLDERS = ("", "drive/MyDrive/Colab Notebooks", "drive/My Drive/Colab Notebooks", "drive/MyDrive")
"""Where a notebook of Colab may lie, below its folder ``/content``: only a mounted Drive has it at all."""

TIMEOUT_SECONDS = 1.0
"""Bound for the one question to the Jupyter server of this machine."""


def notebook_path(choice: str | None = None, namespace: dict[str, Any] | None = None) -> Path | None:
    """Return the path of the notebook whose kernel this is, or None where nothing tells.

    Asked in this order: `AML_NOTEBOOK`; `choice` (the magic's ``--notebook``); VS Code's and papermill's variables in
    the notebook's namespace; the Jupyter server's list of sessions (right even after a rename); the session name that
    the kernel was started with; in Colab, its server's list of sessions, and the mounted Drive, where the file is; the
    command line of papermill, ``jupyter execute`` or ``jupyter nbconvert --execute``.

    Parameters
    ----------
    choice : str, optional
        What the user wrote; taken as it stands.
    namespace : dict, optional
        The notebook's global variables.

    Returns
    -------
    Path or None
        Absolute. The file exists, except where `choice` or AML_NOTEBOOK name one that does not.
    """
    written = choice or os.environ.get("AML_NOTEBOOK")
    if written:
        return Path(written).expanduser().absolute()
    names = namespace or {}
    candidates = [
        _existing(names.get("__vsc_ipynb_file__")),
        _existing(os.environ.get("PAPERMILL_INPUT_PATH") or names.get("PAPERMILL_INPUT_PATH")),
    ]
    for found in candidates:
        if found is not None:
            return found
    server = _own_server()
    session = os.environ.get("JPY_SESSION_NAME") or names.get("__session__")
    found = _from_sessions(server) or _from_session_name(session, server) or _from_colab()
    return found or (None if server else _from_runner())


@lru_cache(maxsize=1)
def server_url() -> str | None:
    """Return the URL of the Jupyter server that started this kernel, if it serves our API; its token is not in it.

    Behind a JupyterHub, the server does not know the URL that its user sees: None.
    """
    server = _own_server()
    if server is None or "JUPYTERHUB_SERVICE_PREFIX" in os.environ:
        return None
    return str(server["url"]) if _ask(server, "aml/api/health") is not None else None


@lru_cache(maxsize=1)
def live_host() -> Literal["server", "kernel", "none"]:
    """Tell who can answer a live view in the front end of this kernel.

    ``server``: a Jupyter server of ours, whose pages have the extension, too. ``kernel``: a front end that shows widgets,
    without such a server: VS Code, Colab, a Jupyter server that lacks the package. ``none``: papermill, nbconvert and the
    like, where a widget's state would only hide the HTML of the output; and everything else that is not known.
    """
    import sys

    if _in_colab_or_code(sys.modules):
        return "kernel"
    server = _own_server()
    if server is None:
        return "none"
    return "server" if _ask(server, "aml/api/health") is not None else "kernel"


def _in_colab_or_code(modules: Mapping[str, Any]) -> bool:
    from IPython.core.getipython import get_ipython

    names = getattr(get_ipython(), "user_ns", {})
    is_code = "VSCODE_PID" in os.environ and "JPY_PARENT_PID" in os.environ
    return "google.colab" in modules or "__vsc_ipynb_file__" in names or is_code


def _ask(server: dict[str, Any], path: str) -> Any:
    """Return the JSON that the server answers to a GET, or None when it does not answer so."""
    import urllib.error
    import urllib.request

    if not str(server.get("url", "")).startswith("http"):
        return None
    headers = {"Authorization": f"token {server['token']}"} if server.get("token") else {}
    request = urllib.request.Request(f"{server['url'].rstrip('/')}/{path}", headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # this machine: no proxy in between
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            return json.loads(answer.read())
    except (OSError, ValueError, urllib.error.URLError):
        return None


def _existing(path: Any, base: str | None = None) -> Path | None:
    if not isinstance(path, str) or not path:
        return None
    path = re.sub(r"^RTC:", "", path)  # jupyter-collaboration's drive
    found = Path(base or os.getcwd(), path)
    return found.resolve() if found.suffix == ".ipynb" and found.is_file() else None


def _from_session_name(session: Any, server: dict[str, Any] | None) -> Path | None:
    return _existing(session, (server or {}).get("root_dir") or None)


def _from_colab() -> Path | None:
    """Return the notebook that Colab's server names, where the Drive that holds it is mounted."""
    address, port = os.environ.get("COLAB_JUPYTER_IP"), os.environ.get("KMP_TARGET_PORT", "9000")
    if not address:
        return None
    from urllib.parse import unquote

    kernel = _kernel_id()
    sessions = [session for session in _ask({"url": f"http://{address}:{port}"}, "api/sessions") or [] if session]
    mine = [session for session in sessions if (session.get("kernel") or {}).get("id") == kernel] or sessions
    if len(mine) != 1:
        return None
    name = Path(unquote(str(mine[0].get("name") or ""))).name
    places = [Path(base, folder, name) for base in (os.getcwd(), "/content") for folder in COLAB_FOLDERS]
    return next(filter(None, (_existing(str(place)) for place in places)), None)


def _from_runner() -> Path | None:
    """Return the first notebook on the command line of the program that started this kernel, if it is one of RUNNERS."""
    import psutil

    try:
        parent = psutil.Process(os.getppid())
        words, folder = parent.cmdline(), parent.cwd()
    except (psutil.Error, OSError):
        return None
    if not RUNNERS & {Path(word).name for word in words[:3]}:
        return None
    passed_over = {number + 2 for number, word in enumerate(words) if word in PAIRS}
    named = (word for number, word in enumerate(words) if word.endswith(".ipynb") and number not in passed_over)
    return _existing(next(named, None), folder)


def _own_server() -> dict[str, Any] | None:
    """Return what the Jupyter server that started this kernel wrote about itself: never another server of this user."""
    parent = os.environ.get("JPY_PARENT_PID", "")
    if not parent.isdigit():
        return None
    from jupyter_core.paths import jupyter_runtime_dir

    try:
        info = json.loads(Path(jupyter_runtime_dir(), f"jpserver-{parent}.json").read_text())
    except (OSError, ValueError):
        return None
    return info if isinstance(info, dict) and info.get("pid") == int(parent) else None


def _kernel_id() -> str | None:
    from traitlets.config import MultipleInstanceError

    try:
        from ipykernel.connect import get_connection_file

        name = Path(get_connection_file()).stem
    except (ImportError, RuntimeError, MultipleInstanceError):  # no kernel, or the terminal's IPython
        return None
    return name[len("kernel-") :] if name.startswith("kernel-") else None


def _from_sessions(server: dict[str, Any] | None) -> Path | None:
    kernel = _kernel_id()
    if server is None or kernel is None:
        return None
    for session in _ask(server, "api/sessions") or []:
        if (session.get("kernel") or {}).get("id") == kernel:
            return _existing(session.get("path"), server.get("root_dir"))
    return None
