"""Virtual environments on another machine are made by uv, which goes along once; where it cannot, venv and pip make them."""

from __future__ import annotations

import contextlib
import fcntl
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from far_machine import Far
from ssh_server import SshServer, attach_server
from support import log_of, sized_disk, until
from wheels import make_wheel

from aml_jupyter.config import CondaDependencies
from aml_jupyter.service import SubmitRequest, submit
from aml_jupyter.service.remote import change_target
from aml_jupyter.supervisor.durable import write_json
from aml_jupyter.supervisor.far_build import build
from aml_jupyter.targets.far_uv import uv_for
from aml_jupyter.workspace import RunRecord, WorkspaceFolder, get_run, get_target

pytestmark = pytest.mark.timeout(180)

TEXT = "import importlib.util as u, tiny; print(tiny.__version__, 'pip' if u.find_spec('pip') else 'no pip')"


def asks(far: Far, wheels: Path, *packages: str) -> RunRecord:
    config = far.config(TEXT)
    content = {"dependencies": [{"pip": ["--no-index", f"--find-links {wheels}", *packages]}]}
    config.run_config.environment.python.conda_dependencies = CondaDependencies.from_dict(content)
    return submit(far.folder, SubmitRequest(config, "far")).run


def build_log(far: Far, run: RunRecord) -> str:
    return (far.folder.layout.run(run.id).attempt(1).control / "build_log.txt").read_text()


def name_of_uv(far: Far) -> str:
    found = get_target(far.folder.store.read(), "box").settings["found"]
    return uv_for({"kind": "venv"}, found)


def test_uv_goes_along_once_and_makes_them(far: Far, tmp_path: Path) -> None:
    for version in ("1.0", "2.0"):
        make_wheel(tmp_path / "wheels", "tiny", version)
    first = far.end(asks(far, tmp_path / "wheels", "tiny<2"))
    assert first.status == "Completed", first.reason
    assert log_of(far.folder, first.id) == "1.0 no pip\n" and "tools/uv-" in build_log(far, first)
    sent = far.base / "tools" / name_of_uv(far) / "uv"
    before = sent.stat()
    second = far.end(asks(far, tmp_path / "wheels", "tiny"))
    assert log_of(far.folder, second.id) == "2.0 no pip\n", second.reason
    assert (sent.stat().st_ino, sent.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("content", ["#!/bin/sh\necho no such libc >&2\nexit 1\n", "no program\n", None])
def test_where_uv_does_not_run_venv_and_pip_make_them(far: Far, tmp_path: Path, content: str | None) -> None:
    make_wheel(tmp_path / "wheels", "tiny", "1.0")
    broken = far.base / "tools" / name_of_uv(far) / "uv"
    broken.parent.mkdir(parents=True)
    if content is not None:
        broken.write_text(content)
        broken.chmod(0o755)
    done = far.end(asks(far, tmp_path / "wheels", "tiny"))
    assert done.status == "Completed", done.reason
    assert log_of(far.folder, done.id) == "1.0 pip\n" and "venv and pip try" in build_log(far, done)


def test_what_neither_can_install_is_said_in_the_words_of_pip(far: Far, tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheels", "tiny", "1.0")
    done = far.end(asks(far, tmp_path / "wheels", "tiny==3"))
    assert done.status == "Failed" and "pip could not install the packages: Could not find" in done.reason
    assert "No matching distribution found for tiny==3" in done.reason
    assert "tiny==3" in build_log(far, done)


@pytest.mark.parametrize("way", ["uv", "never"])
def test_a_disk_that_gets_full_while_one_is_built_is_waited_for(
    folder: WorkspaceFolder,
    ssh_server: Callable[..., SshServer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    monkeypatch.setenv("AML_FAR_UV", way)
    make_wheel(tmp_path / "wheels", "tiny", "1.0", body=f"text = {'x' * 60_000_000!r}\n")
    (tmp_path / "project").mkdir()
    server = ssh_server()
    with sized_disk(tmp_path / "disk", "120m" if way == "uv" else "50m") as disk:
        attach_server(folder, server, "box", disk / "far")
        far = Far(folder, server, tmp_path / "project", disk / "far")
        run = asks(far, tmp_path / "wheels", "tiny")
        until(lambda: "no room on its disk" in get_run(folder.store.read(), run.id).reason, 60, "the reason")
        assert far.status(run) == "Starting"
        subprocess.run(["mount", "-o", "remount,size=300m", str(disk)], check=True)
        done = far.end(run)
        assert done.status == "Completed", done.reason


def test_a_home_without_room_is_no_reason_to_wait(
    folder: WorkspaceFolder, ssh_server: Callable[..., SshServer], tmp_path: Path
) -> None:
    make_wheel(tmp_path / "wheels", "tiny", "1.0")
    (tmp_path / "project").mkdir()
    with sized_disk(tmp_path / "full", "64k") as home:
        (home / "filler").write_bytes(b"x" * 60_000)
        server = ssh_server(HOME=str(home))
        attach_server(folder, server, "box", tmp_path / "far")
        far = Far(folder, server, tmp_path / "project", tmp_path / "far")
        filled, more = home / "filler", b"x" * 512
        with contextlib.suppress(OSError), filled.open("ab", buffering=0) as stream:
            while stream.write(more):
                pass
        missing = far.end(asks(far, tmp_path / "wheels", "tiny==3"))
        assert missing.status == "Failed" and "pip could not install" in missing.reason, missing.reason
        done = far.end(asks(far, tmp_path / "wheels", "tiny"))
        assert done.status == "Completed", done.reason
        assert "No space left" in build_log(far, done) and log_of(folder, done.id) == "1.0 pip\n"


def test_a_python_that_has_gone_meanwhile_is_named(far: Far, tmp_path: Path) -> None:
    own = tmp_path / "own-python"
    own.symlink_to(sys.executable)
    change_target(far.folder, "box", {"python": str(own)})
    make_wheel(tmp_path / "wheels", "tiny", "1.0")
    assert far.end(far.submit("print('the far side runs')")).status == "Completed"
    own.unlink()
    done = far.end(asks(far, tmp_path / "wheels", "tiny"))
    assert done.status == "Failed" and f"{own} is not there any more" in done.reason


def test_who_asks_whether_one_is_built_does_not_keep_the_builder_from_beginning(tmp_path: Path) -> None:
    asked = {"specs": [], "options": [], "requirements": [], "constraints": []}
    write_json(tmp_path / "recipe.json", {"asked": asked})
    with open(tmp_path / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)  # as `is_building` does for a moment
        threading.Timer(0.2, lambda: fcntl.flock(lock, fcntl.LOCK_UN)).start()
        assert build(str(tmp_path)) == 1  # it began: its linked packages are not there
    assert "packages are not there" in (tmp_path / "FAILED.json").read_text()


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        ({"system": "Linux", "machine": "sparc64", "libc": "glibc 2.36"}, "venv"),
        ({"system": "Darwin", "machine": "x86_64", "libc": ""}, "venv"),
        ({"system": "Linux", "machine": "x86_64", "libc": ""}, "venv"),
        ({}, "venv"),
    ],
)
def test_it_stays_here_where_it_would_not_run(found: dict[str, str], kind: str) -> None:
    assert uv_for({"kind": kind}, found) == ""


def test_it_is_for_virtual_environments_and_can_be_forbidden(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    found = get_target(far.folder.store.read(), "box").settings["found"]
    assert uv_for({"kind": "venv"}, found).startswith("uv-") and uv_for({"kind": "conda"}, found) == ""
    monkeypatch.setenv("AML_FAR_UV", "never")
    assert uv_for({"kind": "venv"}, found) == ""
