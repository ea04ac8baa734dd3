"""Every fenced block of Microsoft's pages is listed, and runs where what it needs exists."""

from __future__ import annotations

import json
import os
import shlex
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from base_images import PYTHON_IMAGE
from engine_process import Engine
from missing_parts import NOTHING_TO_TEST
from ssh_server import SshServer

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

from aml_jupyter.workspace import read_definition

from .fences import Block, blocks_of

HERE = Path(__file__).parent
PLACEHOLDERS = {
    "<experiment>": "seed_experiment",
    "<runconfig>": "myrun",
    "<hdconfig>": "hdconfig.yml",
    "<fqdn>": "seedhost",
    "<resource_id>": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/seedhost",
    "<username>": "root",
    "<password>": "not-asked-for",
    "remotevm_IP_address": "seedhost",
    "sshuser": "root",
}
SCRIPT = """
from azureml.core import Run

Run.get_context().log("accuracy", 0.9)
"""
TUNED = """
import argparse
from azureml.core import Run

parser = argparse.ArgumentParser()
parser.add_argument("--penalty", type=float)
Run.get_context().log("Accuracy", parser.parse_args().penalty)
"""


def _seeds() -> Path:
    shared = os.environ.get("AML_SHARED")
    return (Path(shared) if shared else HERE.parents[2] / "shared") / "seeds"


LISTED: list[dict[str, Any]] = tomllib.loads((HERE / "blocks.toml").read_text("utf-8"))["block"]
PAGES = sorted(_seeds().glob("*.txt"))
KEPT = [Block(**entry) for entry in json.loads((HERE / "fenced.json").read_text("utf-8"))]
"""The blocks of the pages, word for word: what is run where the pages themselves are not at hand."""
FOUND = {(block.seed, block.line): block for block in KEPT}


def _sessions() -> dict[str, list[dict[str, Any]]]:
    sessions: dict[str, list[dict[str, Any]]] = {}
    for entry in LISTED:
        if entry["exists"]:
            sessions.setdefault(entry.get("session") or f"{entry['seed']}:{entry['line']}", []).append(entry)
    return sessions


def test_every_block_is_listed_once() -> None:
    listed = [(entry["seed"], entry["line"]) for entry in LISTED]
    assert sorted(listed) == sorted(FOUND)
    assert len(listed) == len(set(listed))


@pytest.mark.skipif(
    not PAGES, reason=f"{NOTHING_TO_TEST}the pages are not in {_seeds()}; AML_SHARED names the folder that holds seeds/"
)
def test_pages_were_read_whole() -> None:
    assert [block for page in PAGES for block in blocks_of(page)] == KEPT
    fences = sum(page.read_text("utf-8").count("\n" + quote + "```") for page in PAGES for quote in ("", "> "))
    assert len(PAGES) == 5
    assert len(FOUND) == 58
    assert fences > len(FOUND)


@pytest.mark.parametrize("session", _sessions())
def test_blocks_run_as_they_stand(
    session: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    for needed in {entry["needs"] for entry in _sessions()[session] if "needs" in entry}:
        request.getfixturevalue(needed)
    project = tmp_path / "project"
    (project / ".azureml").mkdir(parents=True)
    for name in ("train.py", "my_train.py", "myscript.py"):
        (project / name).write_text(SCRIPT)
    monkeypatch.chdir(project)
    reader = Reader(_names(project))
    for entry in _sessions()[session]:
        exec(entry.get("before", ""), reader.names)
        reader.read(FOUND[entry["seed"], entry["line"]], entry.get("how", "python"))
        for check in entry.get("check", []):
            assert eval(check, reader.names), f"{entry['seed']}:{entry['line']}: {check}\n{capfd.readouterr().out}"


@pytest.fixture
def machine(ssh_server: Callable[..., SshServer]) -> None:
    """Have a machine that ``~/.ssh/config`` calls ``seedhost``, and that known hosts vouch for."""
    _call_seedhost(ssh_server())


@pytest.fixture
def docker_machine(
    ssh_server: Callable[..., SshServer], own_engine: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Have such a machine with an engine, which nobody on this one knows of."""
    _call_seedhost(ssh_server(DOCKER_HOST=own_engine(PYTHON_IMAGE).host))
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")


def _call_seedhost(server: SshServer) -> None:
    folder = Path("~/.ssh").expanduser()
    (folder / "known_hosts").write_text(server.known_host)
    (folder / "config").write_text(
        f"Host seedhost\n  HostName 127.0.0.1\n  Port {server.port}\n  User root\n  IdentityFile {server.key}\n"
    )


def _names(project: Path) -> dict[str, Any]:
    """Return the names that the pages use without saying where they come from."""
    import azureml.core
    from azureml.core import ComputeTarget, Environment, Experiment, RunConfiguration, ScriptRunConfig, Workspace
    from azureml.core.compute import ComputeInstance
    from azureml.train.hyperdrive import HyperDriveConfig

    workspace = Workspace.from_config()
    user_managed = Environment("myenv")
    user_managed.python.user_managed_dependencies = True
    configuration = RunConfiguration()
    configuration.environment = user_managed
    configuration.save(str(project), "myrun.runconfig")
    return {
        "ComputeInstance": ComputeInstance,
        "ComputeTarget": ComputeTarget,
        "Experiment": Experiment,
        "RunConfiguration": RunConfiguration,
        "HyperDriveConfig": HyperDriveConfig,
        "ScriptRunConfig": ScriptRunConfig,
        "azureml": azureml,
        "definition_of": lambda run: read_definition(workspace.folder.layout, run.id),
        "experiment": Experiment(workspace, "seeds"),
        "image": PYTHON_IMAGE,
        "json": json,
        "my_compute_target": ComputeTarget(workspace, "local"),
        "myenv": user_managed,
        "os": os,
        "project_folder": str(project),
        "project_of_2017": _project_of_2017,
        "script_folder": str(project),
        "ws": workspace,
    }


def _project_of_2017(image: str, target: str = "docker", kind: str = "localdocker") -> None:
    """Write the files that the Workbench put into a project for a target with Docker; the image is one that is here."""
    folder = Path("aml_config")
    folder.mkdir()
    (folder / f"{target}.compute").write_text(f"baseDockerImage: {image}\nnvidiaDocker: false\ntype: {kind}\n")
    (folder / f"{target}.runconfig").write_text(
        "ArgumentVector:\n- $file\nCondaDependenciesFile: aml_config/conda_dependencies.yml\nEnvironmentVariables: null\n"
        "Framework: Python\nPrepareEnvironment: true\nSparkDependenciesFile: aml_config/spark_dependencies.yml\n"
        f"Target: {target}\nTrackedRun: true\nUseSampling: true\n"
    )
    (folder / "conda_dependencies.yml").write_text(
        "name: project_environment\ndependencies:\n- python=3.5.2\n- pip:\n  - azure-ml-api-sdk==0.1.0a10\n"
    )
    (folder / "spark_dependencies.yml").write_text(
        "configuration:\n  spark.app.name: Azure ML Experiment\nrepositories: []\npackages: []\n"
    )


@dataclass
class Reader:
    """Does what a page says, block by block."""

    names: dict[str, Any]

    def read(self, block: Block, how: str) -> None:
        text = block.text
        for placeholder, value in PLACEHOLDERS.items():
            text = text.replace(placeholder, value)
        if how == "python":
            exec(compile(text, f"<seed {block.seed}, line {block.line}>", "exec"), self.names)
        elif how == "command":
            for line in text.splitlines():
                self._command(line.removeprefix("$").strip())
        elif how == "sweep":
            Path("my_train.py").write_text(TUNED)
            Path(".azureml/hdconfig.yml").write_text(text)
            source = self.names["ScriptRunConfig"](".", "my_train.py")
            self.names["sweep"] = self.names["HyperDriveConfig"].load(".azureml/hdconfig.yml", run_config=source)
        elif how == "run configuration":
            Path("mine.runconfig").write_text(f"ArgumentVector: [train.py]\nTarget: local\nFramework: Python\n{text}")
            self.names["configuration"] = self.names["RunConfiguration"].load("mine.runconfig")
        else:
            self._script(text)

    def _command(self, line: str) -> None:
        from aml_jupyter.cli.main import main

        words = shlex.split(line, comments=True)
        if words:
            assert words[0] == "az"
            assert main(words[2 if words[1] == "ml" else 1 :]) == 0, line

    def _script(self, text: str) -> None:
        """Run the block inside a run whose configuration declares what the page says, and keep its log."""
        Path("block.py").write_text("import os\n" + textwrap.dedent(text))
        source = self.names["ScriptRunConfig"](source_directory=".", script="block.py")
        source.run_config.environment = self.names["myenv"]
        source.run_config.environment_variables = {"EXAMPLE_ENV_VAR1": "Example Value1"}
        run = self.names["experiment"].submit(source)
        run.wait_for_completion()
        self.names["log"] = run.get_details_with_logs()["logFiles"]["user_logs/std_log.txt"]
