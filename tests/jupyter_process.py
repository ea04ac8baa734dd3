"""A real Jupyter server in a process of its own, for tests that end it or look at it in a browser."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

TOKEN = "a-token-of-the-test"


class JupyterProcess:
    """A server whose root directory is `root`; its folders lie in `home`.

    Parameters
    ----------
    root, home : Path
        What it serves, and where its configuration, data and runtime files go.
    application : str
        ``server``, ``lab`` or ``notebook``.
    port : int
        0 takes any that is free.
    with_ours : bool
        False: as where the package is not beside the server, but in a kernel's environment only.
    """

    def __init__(
        self, root: Path, home: Path, application: str = "server", port: int = 0, with_ours: bool = True
    ) -> None:
        self.root, self.home, self.application = root, home, application
        settings = home / "config" / "labconfig"
        settings.mkdir(parents=True, exist_ok=True)
        if not with_ours:
            (settings / "page_config.json").write_text('{"disabledExtensions": {"aml-jupyter": true}}')
        self.log = home / "server.log"
        environment = {
            **os.environ,
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "lab-settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "lab-workspaces"),
            "IPYTHONDIR": str(home / "ipython"),
        }
        extensions = {
            "aml_jupyter": with_ours,
            "jupyterlab": application == "lab",
            "notebook": application == "notebook",
        }
        command = [
            sys.executable, "-m", "jupyter", application, "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
            f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={root}", "--ServerApp.allow_unauthenticated_access=False",
            f"--ServerApp.jpserver_extensions={extensions}",
        ]  # fmt: skip
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=environment,
                cwd=root,
                start_new_session=True,
            )
        self.url = self._wait_for_url()

    def fetch(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """Call an endpoint below ``/aml/api`` and return its JSON."""
        data = json.dumps(body or {}).encode() if method in ("POST", "PATCH") else None
        headers = {"Authorization": f"token {TOKEN}"}
        request = urllib.request.Request(f"{self.url}aml/api/{path}", method=method, data=data, headers=headers)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return json.loads(answer.read())

    def terminate(self, timeout: float = 20) -> float:
        """Send SIGTERM and return how many seconds the server took to end."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout)
        return time.monotonic() - begun

    def close(self) -> None:
        """End the server, whatever it does."""
        if self.process.poll() is None:
            try:
                self.terminate(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _wait_for_url(self) -> str:
        about = self.home / "runtime" / f"jpserver-{self.process.pid}.json"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            try:
                url = str(json.loads(about.read_text())["url"])
                with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                    urllib.request.Request(f"{url}api/status", headers={"Authorization": f"token {TOKEN}"}), timeout=10
                ):
                    return url
            except (OSError, ValueError, KeyError, urllib.error.URLError):
                time.sleep(0.05)
        raise AssertionError(f"the Jupyter server did not answer in 60 s:\n{self.log.read_text()}")
