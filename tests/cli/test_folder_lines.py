"""`aml folder attach`, `aml runconfiguration`, `aml account`: habits of SDK v1's users."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.conftest import Aml

from aml_jupyter.config import RunConfiguration
from aml_jupyter.workspace import WorkspaceFolder


def test_attach_writes_what_sdk_v1_wrote_and_nothing_over_a_user_s_file(
    aml: Aml, project: Path, folder: WorkspaceFolder
) -> None:
    assert aml("compute", "create", "box", "--type", "computeinstance").code == 0
    (project / ".azureml").mkdir()
    (project / ".azureml/conda_dependencies.yml").write_text("name: mine\n")
    done = aml("folder", "attach", "-e", "handwriting")
    assert done.code == 0, done.err
    assert "kept  .azureml/conda_dependencies.yml, which was there" in done.out
    assert (project / ".azureml/conda_dependencies.yml").read_text() == "name: mine\n"
    for name, docker in (("local", False), ("docker", True), ("box", False)):
        read = RunConfiguration.load(str(project), name)
        assert read.environment.docker.enabled is docker, name
        assert read.environment.python.conda_dependencies_file.endswith("conda_dependencies.yml")
        assert str(project) not in (project / f".azureml/{name}.runconfig").read_text()  # the folder may move
    assert RunConfiguration.load(str(project), "box").target == "box"
    assert json.loads((project / ".azureml/config.json").read_text())["experiment_name"] == "handwriting"
    assert "/.azureml" in (project / ".amlignore").read_text()
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    again = aml("folder", "attach", "--json")
    assert again.json["written"] == [] and again.json["experiment"] == "handwriting"
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


def test_submits_from_an_attached_folder_belong_to_its_experiment(
    aml: Aml, project: Path, folder: WorkspaceFolder
) -> None:
    assert aml("folder", "attach", "-e", "handwriting").code == 0
    done = aml("experiment", "submit", "-c", "local", "train.py", "1")
    assert done.code == 0 and "note:" not in done.err
    assert aml("run", "submit-script", "-c", "local", "train.py", "--lr", "0.1").code == 0
    assert aml("submit", "--wait", "-e", "other", "train.py").code == 0
    assert [row["experiment"] for row in aml("run", "list", "--json").json] == ["other", "handwriting", "handwriting"]


def test_attach_leaves_gitignore_in_charge_and_refuses_another_workspace(
    aml: Aml, project: Path, folder: WorkspaceFolder, tmp_path: Path
) -> None:
    (project / ".gitignore").write_text("data\n")
    done = aml("folder", "attach")
    assert done.code == 0 and ".gitignore says" in done.err and not (project / ".amlignore").exists()
    assert aml("workspace", "create", tmp_path / "other", "--name", "other").code == 0
    refused = aml("folder", "attach", "-w", "other")
    assert refused.code == 2 and "belongs to workspace" in refused.err
    assert "not a folder" in aml("folder", "attach", "--path", tmp_path / "nowhere").err
    assert "experiment name" in aml("folder", "attach", "-e", "not allowed!").err


def test_run_configurations_are_listed_shown_created_and_deleted(
    aml: Aml, project: Path, folder: WorkspaceFolder
) -> None:
    assert "aml folder attach" in aml("runconfigurations", "list").out
    assert aml("runconfiguration", "create", "gpu", "-t", "local", "--script", "train.py").code == 0
    refused = aml("runconfiguration", "create", "-n", "gpu")
    assert refused.code == 2 and "is there already" in refused.err
    (row,) = aml("runconfiguration", "list", "--json").json
    assert (row["name"], row["target"], row["script"], row["framework"]) == ("gpu", "local", "train.py", "Python")
    assert "script: train.py" in aml("runconfiguration", "show", "gpu").out
    assert aml("submit", "-c", "gpu", "--wait").code == 0
    assert "did you mean gpu" in aml("runconfiguration", "show", "gpv").err
    (project / ".azureml/broken.runconfig").write_text("script: [")
    broken = next(row for row in aml("runconfiguration", "list", "--json").json if row["name"] == "broken")
    assert "line" in broken["remark"]
    assert aml("runconfiguration", "delete", "gpu").code == 0
    assert not (project / ".azureml/gpu.runconfig").exists()


def test_a_run_configuration_is_created_with_packages(aml: Aml, project: Path, folder: WorkspaceFolder) -> None:
    (project / "environment.yml").write_text("dependencies:\n- pip:\n  - six\n")
    assert aml("runconfiguration", "create", "pip", "--conda-dependencies", "environment.yml").code == 0
    read = RunConfiguration.load(str(project), "pip")
    assert list(read.environment.python.conda_dependencies.pip_packages) == ["six"]


def test_no_account_is_needed(aml: Aml, project: Path) -> None:
    for line in (
        ["login"],
        ["account", "list", "-o", "table"],
        ["account", "set", "-s", "<subscription_id>"],
        ["account", "show"],
    ):
        done = aml(*line)
        assert done.code == 0 and done.out.count("\n") == 1 and "no account is needed" in done.out


def test_a_target_that_only_a_compute_file_knows_is_explained(aml: Aml, project: Path, folder: WorkspaceFolder) -> None:
    settings = project / "aml_config"
    settings.mkdir()
    (settings / "myhdi.compute").write_text("type: cluster\naddress: foo-ssh.example.net\nusername: me\n")
    (settings / "myhdi.runconfig").write_text("ArgumentVector: [train.py]\nTarget: myhdi\nFramework: PySpark\n")
    for line in (["submit", "-c", "myhdi", "train.py"], ["prepare", "-c", "myhdi"]):
        refused = aml("experiment", *line)
        assert refused.code == 2 and "aml_config/myhdi.compute says what it was" in refused.err
        assert "hdinsight" in refused.err and refused.err.count("\n") == 1
    (settings / "myhdi.compute").unlink()
    assert "Known: local" in aml("experiment", "submit", "-c", "myhdi", "train.py").err


def test_what_a_configuration_has_to_say_is_said_once(
    aml: Aml, project: Path, folder: WorkspaceFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")  # the remark names a path, which may be long
    (project / ".azureml").mkdir()
    (project / ".azureml/odd.runconfig").write_text(
        "script: train.py\narguments: [a]\ntarget: local\nframewrok: x\nenvironment:\n"
        "  python:\n    userManagedDependencies: true\n"
    )
    outcome = aml("run", "submit-script", "-c", "odd", "train.py", "b")
    assert outcome.code == 0
    assert "['b']" in outcome.out and "is used" not in outcome.err
    assert outcome.err.count("framewrok") == 1 and outcome.err.startswith("note: ")
    shown = aml("runconfiguration", "show", "odd")
    assert shown.err.count("framewrok") == 1 and shown.err.startswith("note: ")
    listed = aml("runconfiguration", "list")
    assert listed.out.count("framewrok") == 1 and listed.err == ""


def test_nouns_of_other_times_are_told_where_it_is_now(aml: Aml, folder: WorkspaceFolder) -> None:
    assert aml("history", "list").err.startswith("aml: there is no 'history'; runs are shown by: aml run list")
    assert "aml folder attach" in aml("project", "list").err


def test_what_azures_command_line_had_everywhere_is_put_up_with(
    aml: Aml, project: Path, folder: WorkspaceFolder
) -> None:
    named = ["-w", folder.root, "-g", "rg", "--subscription-id", "s", "--debug"]
    done = aml("run", "submit-script", "-e", "digits", *named, "train.py", "-o", "x", "-w", "1")
    assert done.code == 0 and "['-o', 'x', '-w', '1']" in done.out
    shown = aml("run", "show", "-r", "last", "-e", "digits", "-o", "json", *named)
    assert shown.json["experiment"] == "digits"
    assert "Completed" in aml("run", "list", "--minimal", "-o", "table").out
    assert aml("run", "list", "--status", "Failed").out == "no such runs\n"
    refused = aml("run", "cancel", "-r", "last", "-e", "letters")
    assert refused.code == 2 and "belongs to experiment 'digits', not to 'letters'" in refused.err
    assert "no workspace called 'nosuch'" in aml("run", "list", "-w", "nosuch").err
    assert aml("run", "list", "-o", "picture").code == 2
    for line in (["run", "show"], ["compute", "list"], ["environment", "list"]):
        helped = aml(*line, "--help").out
        assert "--output" not in helped and "--resource-group" not in helped
    assert aml("run", "update", "last", "--add-property", "stage=1").code == 0
    assert "immutable" in aml("run", "update", "last", "--add-property", "stage=2").err


def test_compute_instances_and_workspaces_by_sdk_v1s_lines(aml: Aml, folder: WorkspaceFolder) -> None:
    assert aml("computetarget", "create", "computeinstance", "-n", "box", "-s", "STANDARD_D2").code == 0
    assert "Stopped" in aml("computetarget", "computeinstance", "stop", "-n", "box").out
    assert "Running" in aml("computetarget", "computeinstance", "start", "-n", "box").out
    assert aml("workspace", "create", "-w", "second", "-g", "rg", "-l", "eastus").code == 0
    assert aml("workspace", "show", "-w", "second", "-o", "json").json["name"] == "second"
