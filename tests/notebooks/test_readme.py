"""Every block of the README works as it is written."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from base_images import PYTHON_IMAGE
from engine_process import Engine
from IPython.core.interactiveshell import InteractiveShell
from ssh_server import SshServer
from support import log_of
from traitlets.config import Config
from wheels import make_wheel

from aml_jupyter.cli.main import main
from aml_jupyter.service import wait_for_run
from aml_jupyter.workspace import WorkspaceFolder, find_runs

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """Return the README's blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkspaceFolder]:
    """The workspace that the blocks use, and a folder with a script, a notebook and a Makefile."""
    project = tmp_path / "project"
    project.mkdir()
    [script] = [block for block in blocks("python") if "get_context" in block]
    (project / "train.py").write_text(script)
    (project / "train.ipynb").write_bytes((ROOT / "notebooks" / "parameterised.ipynb").read_bytes())
    (project / "Makefile").write_text("train:\n\tpython train.py\n")
    monkeypatch.chdir(project)
    opened = WorkspaceFolder.open(tmp_path / "workspace", create=True)
    monkeypatch.setenv("AML_WORKSPACE", str(opened.root))
    yield opened
    opened.close()


def test_the_commands_for_a_terminal(folder: WorkspaceFolder, capsys: pytest.CaptureFixture[str]) -> None:
    block, _ = blocks("sh")
    for line in block.splitlines():
        command, *words = shlex.split(line)
        assert command == "aml"
        assert main(words) == 0, f"{line}\n{capsys.readouterr()}"
    cancelled, notebook, script = find_runs(folder.store.read())
    assert (script.status, notebook.status) == ("Completed", "Completed")
    assert cancelled.target == "gpu-box"


def test_the_lines_for_another_machine(
    folder: WorkspaceFolder,
    engine: Engine,
    ssh_server: Callable[..., SshServer],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With a machine, a key, an image and a package that are here in place of those that the README names."""
    server = ssh_server()
    wheel = make_wheel(tmp_path / "wheels", "tiny", "1.5")
    known = ["--fingerprint", server.fingerprint]
    for line in blocks("sh")[1].splitlines():
        for named, here in (
            ("gpu-box.example.org", f"127.0.0.1:{server.port}"),
            ("--username ml", "--username root"),
            ("~/.ssh/id_ed25519", str(server.key)),
            ("scikit-learn", str(wheel)),
            ("python:3.12-slim", PYTHON_IMAGE),
        ):
            line = line.replace(named, here)
        command, *words = shlex.split(line)
        assert command == "aml"
        if "attach" in words:
            words += [*known, "--base-folder", str(tmp_path / words[2])]
        if "remotedocker" in words:
            words += ["--engine", str(engine.socket)]
        assert main(words) == 0, f"{line}\n{capsys.readouterr()}"
    in_docker, on_machine = find_runs(folder.store.read())
    assert (in_docker.target, on_machine.target) == ("docker-box", "gpu-box")
    for run in (in_docker, on_machine):
        done = wait_for_run(folder, run.id, timeout=120)
        assert done.status == "Completed", (done.reason, log_of(folder, run.id))


def test_the_cells_of_a_notebook(
    folder: WorkspaceFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    shell: Any = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    try:
        for cell in blocks("ipython"):
            shell.run_cell(cell).raise_error()
        assert shell.user_ns["fitted"].status == "Completed"
        assert shell.user_ns["_"].alpha == 0.001
    finally:
        InteractiveShell.clear_instance()
    assert "SGDClassifier" in capsys.readouterr().out


def test_the_lines_of_python(folder: WorkspaceFolder) -> None:
    for block in blocks("python"):
        names: dict[str, Any] = {}
        exec(block, names)
        if "ws" in names:
            assert len(names["run"].get_metrics()["loss"]) == 10


def test_two_commands_are_to_be_remembered_and_the_makefile_has_them() -> None:
    section = README.split("## Two commands to remember")[1].split("\n## ")[0]
    [block] = re.findall(r"^```\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert [line.split("#")[0].strip() for line in block.splitlines()] == ["make demo", "make test"]
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make (\w+)", README + (ROOT / "CONTRIBUTING.md").read_text()):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_linked_file_is_there() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"
