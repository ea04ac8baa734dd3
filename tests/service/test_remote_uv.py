"""Virtual environments on another machine are made by uv, which goes along once; where it cannot, venv and pip make them."""

from __future__ import annotations

from pathlib import Path

import pytest
from far_machine import Far
from support import log_of
from wheels import make_wheel

from aml_jupyter.config import CondaDependencies
from aml_jupyter.service import SubmitRequest, submit
from aml_jupyter.targets.far_uv import uv_for
from aml_jupyter.workspace import RunRecord, get_target

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
    assert done.status == "Failed" and "pip could not install" in done.reason
    assert "tiny==3" in build_log(far, done)


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
