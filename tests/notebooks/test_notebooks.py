"""The notebooks are executed as `make demo` does it, in a copy of their folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from nbclient import NotebookClient
from ssh_server import SshServer

from aml_jupyter.cli.main import main
from aml_jupyter.workspace import WorkspaceFolder, find_runs, get_metrics, list_artifacts

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


@pytest.fixture
def notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the folder, in a path with a space."""
    copied = tmp_path / "my clone" / "notebooks"
    shutil.copytree(NOTEBOOKS, copied, ignore=shutil.ignore_patterns(".output", ".ipynb_checkpoints"))
    monkeypatch.chdir(copied)
    return copied


def demo(notebooks: Path) -> subprocess.CompletedProcess[str]:
    """Run demo.py, and see that nothing of it goes on."""
    done = subprocess.run(
        [sys.executable, str(notebooks / "demo.py")],
        env={**os.environ, "IPYTHONDIR": str(notebooks.parent / "ipython"), "COLUMNS": "140"},
        capture_output=True,
        text=True,
        timeout=150,
    )
    left = [
        p.info for p in psutil.process_iter(["pid", "cmdline"]) if str(notebooks) in " ".join(p.info["cmdline"] or [])
    ]
    assert left == []
    return done


def write(path: Path, *cells: str) -> None:
    """Write a notebook with these cells of code."""
    written = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "outputs": [], "execution_count": None, "source": text}
        for n, text in enumerate(cells)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.write_text(json.dumps({"cells": written, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))


def texts(notebook: Path) -> list[str]:
    """Return what each cell of code has shown, as text."""
    shown = []
    for cell in json.loads(notebook.read_text())["cells"]:
        if cell["cell_type"] == "code":
            shown.append("".join(_text(output) for output in cell["outputs"]))
    return shown


def _text(output: dict[str, Any]) -> str:
    assert output["output_type"] != "error", output
    return "".join(output.get("text", "") or output.get("data", {}).get("text/plain", ""))


def test_every_notebook_is_executed_here() -> None:
    assert {path.name for path in NOTEBOOKS.glob("*.ipynb")} == {
        "quickstart.ipynb",
        "parameterised.ipynb",
        "remote.ipynb",
        "sweep.ipynb",
    }


def test_the_demo_executes_the_quickstart_and_prints_its_runs(notebooks: Path) -> None:
    done = demo(notebooks)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    lines = [line.split() for line in done.stdout.splitlines()]
    states = {line[1]: line[3] for line in lines if line and line[0].startswith("digits_")}
    assert states == {"slow": "Completed", "fast": "Completed", "parameterised": "Completed"}

    executed = notebooks / ".output" / "quickstart.ipynb"
    assert str(executed) in done.stdout
    shown = texts(executed)
    assert not any("path is not known" in text for text in shown)
    table = next(text for text in shown if text.startswith("run   rate")).splitlines()
    best = {line.split()[0]: float(line.split()[-1]) for line in table[1:]}
    assert best["fast"] > best["slow"] > 0.8
    assert any("right for 9" in text for text in shown)

    folder = WorkspaceFolder.open(notebooks / ".output" / "workspace")
    runs = find_runs(folder.store.read())
    assert [run.display_name for run in runs] == ["parameterised", "fast", "slow"]
    folder.close()


def test_a_failing_cell_fails_the_demo_and_its_run_is_shown(notebooks: Path) -> None:
    write(
        notebooks / "quickstart.ipynb",
        "%load_ext aml_jupyter",
        "%%aml_submit -e digits --name broken --wait\nraise ValueError('no such digit')",
        "never = 1",
    )
    done = demo(notebooks)
    assert done.returncode == 1
    assert "The demo failed: cell 2 of the notebook" in done.stderr
    assert "no such digit" in done.stderr
    assert "broken" in done.stdout and "Failed" in done.stdout
    assert str(notebooks / ".output" / "quickstart.ipynb") in done.stdout


def test_a_run_that_nobody_waited_for_fails_the_demo_too(notebooks: Path) -> None:
    write(
        notebooks / "quickstart.ipynb",
        "%load_ext aml_jupyter",
        "%%aml_submit -e digits --name broken\nraise SystemExit(3)",
        "import time\nwhile broken.status != 'Failed': time.sleep(0.05)",
    )
    done = demo(notebooks)
    assert done.returncode == 1
    assert "The demo failed: 1 of 1 runs did not complete." in done.stderr


def test_the_parameterised_notebook_runs_with_its_defaults_and_refuses_what_it_does_not_know(
    notebooks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AML_WORKSPACE", str(tmp_path / "workspace"))
    assert main(["submit", "parameterised.ipynb", "-e", "digits", "-p", "alfa=0.1"]) != 0
    assert "alpha" in capsys.readouterr().err
    assert main(["submit", "parameterised.ipynb", "-e", "digits", "--wait"]) == 0

    folder = WorkspaceFolder.open(tmp_path / "workspace")
    [run] = find_runs(folder.store.read())
    assert len(get_metrics(folder.store.read(), run.id)["accuracy"]) == 3
    assert "outputs/parameterised.ipynb" in [found.name for found in list_artifacts(folder.store.read(), run.id)]
    folder.close()


def test_the_sweep_finds_good_hyperparameters_and_is_gone_on_with(
    notebooks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AML_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(notebooks / "sweep.ipynb", as_version=4)
    NotebookClient(notebook, timeout=150, resources={"metadata": {"path": str(notebooks)}}).execute()
    nbformat.write(notebook, notebooks / "executed.ipynb")
    shown = texts(notebooks / "executed.ipynb")
    assert "12 of 12 children" in shown[2] and "best: no." in shown[2]
    assert shown[4].startswith("('Completed', 2)")

    folder = WorkspaceFolder.open(tmp_path / "workspace")
    sweeps = [run for run in find_runs(folder.store.read()) if run.kind == "hyperdrive"]
    children = [child for sweep in sweeps for child in find_runs(folder.store.read(), parent=sweep.id)]
    assert len({child.properties["hyperparameters"] for child in children}) == 14
    assert len({child.snapshot for child in children}) == 1
    folder.close()


def test_the_remote_notebook_runs_a_cell_on_another_machine(
    notebooks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ssh_server: Callable[..., SshServer]
) -> None:
    server = ssh_server()
    ssh = Path("~/.ssh").expanduser()
    (ssh / "known_hosts").write_text(server.known_host)
    (ssh / "config").write_text(f"Host far\n  HostName 127.0.0.1\n  Port {server.port}\n  IdentityFile {server.key}\n")
    monkeypatch.setenv("AML_REMOTE", "root@far")
    monkeypatch.setenv("AML_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(notebooks / "remote.ipynb", as_version=4)
    NotebookClient(notebook, timeout=100, resources={"metadata": {"path": str(notebooks)}}).execute()
    nbformat.write(notebook, notebooks / "executed.ipynb")
    shown = texts(notebooks / "executed.ipynb")
    assert "'cores':" in shown[1] and "'problems': []" in shown[1]
    assert "outputs/where.txt" in shown[3]
    assert shown[4].split() == [os.uname().nodename, "20"]
    assert server.fingerprint in shown[5] and "far-box  Deleted" in shown[6]
