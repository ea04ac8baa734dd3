"""Give every test a workspace, a user's data folder and a runtime folder of its own, and end what it started."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_fixtures import engine, own_engine, shared_engine  # noqa: F401 (fixtures of every folder)
from missing_parts import pytest_runtest_makereport  # noqa: F401 (hook)
from ssh_server import ssh_server  # noqa: F401 (fixture of every folder)

from aml_jupyter.workspace import WorkspaceFolder

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # The tests were started in the background of a shell: what they start would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[WorkspaceFolder]:
    """A new workspace."""
    opened = WorkspaceFolder.open(tmp_path / "workspace", create=True)
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep tests away from the user's folders; sockets need a short path."""
    runtime = tempfile.mkdtemp(prefix="aml-t-", dir="/tmp")
    os.chmod(runtime, 0o700)
    monkeypatch.setenv("AML_RUNTIME", runtime)
    monkeypatch.setenv("AML_USER_DATA", str(tmp_path / "user-data"))
    monkeypatch.setenv("AML_KEYRING", "off")
    monkeypatch.setenv("AML_SERVICE_LINGER", "20")
    for name in ("AML_WORKSPACE", "AML_RUN_ID", "AML_CONTROL", "AML_WAKE", "AML_FAULT_POINT"):
        monkeypatch.delenv(name, raising=False)
    yield
    _end_everything(Path(runtime))
    shutil.rmtree(runtime, ignore_errors=True)


def _end_everything(runtime: Path) -> None:
    """End the processes that carry this test's runtime folder in their environment: services, warm parents, runs."""
    import psutil

    marker = f"AML_RUNTIME={runtime}".encode()
    me = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for _ in range(100):
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) in me:
                continue
            try:
                environment = Path("/proc", entry, "environ").read_bytes().split(b"\0")
                command = Path("/proc", entry, "cmdline").read_bytes()
            except OSError:
                continue
            if marker in environment or str(runtime).encode() in command:
                found.append(int(entry))
        if not found:
            return
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in found:
            with contextlib.suppress(ChildProcessError, PermissionError):
                os.waitpid(pid, 0)
