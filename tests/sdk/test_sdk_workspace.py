"""A workspace is found as SDK v1 finds it, with no subscription at all."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from aml_jupyter import ConfigurationError, UserErrorException, Workspace, WorkspaceException


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "project" / "notebooks").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project" / "notebooks")


def write(path: str, **content: Any) -> None:
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(content))


def test_without_any_configuration_it_is_the_default_workspace(tmp_path: Path) -> None:
    ws = Workspace.from_config()
    assert ws.name == "default"
    assert all([ws.location, ws.resource_group, ws.subscription_id])
    assert ws.folder.root.is_relative_to(tmp_path / "user-data")
    assert ws == Workspace.from_config()


def test_local_is_there_from_birth() -> None:
    ws = Workspace.from_config()
    assert list(ws.compute_targets) == ["local"]
    assert ws.compute_targets()["local"].type == "local"
    assert ws.get_default_compute_target().name == "local"
    with pytest.raises(KeyError, match="did you mean local"):
        ws.compute_targets["lokal"]


def test_a_config_names_a_workspace_that_is_made_once(capsys: pytest.CaptureFixture[str]) -> None:
    write("../.azureml/config.json", subscription_id="s-1", resource_group="rg", workspace_name="team")
    ws = Workspace.from_config()
    assert (ws.name, ws.subscription_id, ws.resource_group) == ("team", "s-1", "rg")
    assert capsys.readouterr().out.count("Created workspace team") == 1
    assert Workspace.from_config() == ws
    assert Workspace.get("team") == ws
    assert Workspace("s-1", "rg", "team") == ws
    assert list(Workspace.list()) == ["team"]
    assert capsys.readouterr().out == ""


def test_where_a_config_is_looked_for_first() -> None:
    write("config.json", workspace_name="plain")
    assert Workspace.from_config().name == "plain"
    write("aml_config/project.json", Scope="/subscriptions/s/resourceGroups/g/x/y/workspaces/of-2018")
    assert Workspace.from_config().name == "of-2018"
    write("aml_config/config.json", workspace_name="old")
    assert Workspace.from_config().name == "old"
    write(".azureml/config.json", workspace_name="new")
    assert Workspace.from_config().name == "new"
    assert Workspace.from_config("aml_config/project.json").resource_group == "g"


def test_the_environment_variable_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("config.json", workspace_name="team")
    monkeypatch.setenv("AML_WORKSPACE", str(tmp_path / "chosen"))
    assert Workspace.from_config().folder.root == tmp_path / "chosen"
    assert Workspace.from_config("config.json").folder.root == tmp_path / "chosen"


def test_a_config_can_name_a_folder() -> None:
    write(".azureml/config.json", workspace_folder="../state")
    assert Workspace.from_config().folder.root == Path("state").resolve()


def test_a_config_of_another_program_is_passed_over() -> None:
    write("config.json", compilerOptions={})
    write("../config.json", workspace_name="team")
    assert Workspace.from_config().name == "team"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"workspace_name": \n "a",,}', "line 2"),
        ('["workspace_name"]', "JSON object"),
        ('{"other": 1}', "workspace_name"),
    ],
)
def test_a_broken_config_is_named(content: str, expected: str) -> None:
    Path(".azureml").mkdir()
    Path(".azureml/config.json").write_text(content)
    with pytest.raises(ConfigurationError, match=re.escape(str(Path(".azureml/config.json").resolve()))) as caught:
        Workspace.from_config()
    assert expected in str(caught.value)


def test_a_path_without_config_is_refused() -> None:
    with pytest.raises(UserErrorException, match=r"No config\.json was found"):
        Workspace.from_config(".")
    with pytest.raises(UserErrorException, match="neither a file nor a folder"):
        Workspace.from_config("nowhere")


def test_what_is_written_is_found_again() -> None:
    ws = Workspace.create("team")
    ws.write_config()
    assert "workspace_folder" not in json.loads(Path(".azureml/config.json").read_text())
    assert Workspace.from_config() == ws


def test_a_workspace_inside_the_project_is_written_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AML_WORKSPACE", str(Path("state").resolve()))
    ws = Workspace.from_config()
    monkeypatch.delenv("AML_WORKSPACE")
    monkeypatch.setenv("AML_USER_DATA", str(tmp_path / "another-user"))
    ws.write_config(".", "mine.json")
    assert json.loads(Path(".azureml/mine.json").read_text())["workspace_folder"] == "../state"
    assert Workspace.from_config(_file_name="mine.json") == ws


def test_an_unknown_name_says_what_is_known() -> None:
    Workspace.create("team")
    with pytest.raises(UserErrorException, match=r"no workspace named 'taem'.*did you mean team.*Workspace\.create"):
        Workspace("s", "g", "taem")
    with pytest.raises(UserErrorException, match="there already"):
        Workspace.create("team")
    assert Workspace.create("team", exist_ok=True).name == "team"
    with pytest.raises(UserErrorException, match="workspace_name"):
        Workspace()


def test_a_workspace_is_not_deleted_by_a_call() -> None:
    with pytest.raises(UserErrorException, match="only copy"):
        Workspace.from_config().delete()


def test_what_is_to_come_says_so() -> None:
    ws = Workspace.from_config()
    for name in ("datastores", "images"):
        with pytest.raises(UserErrorException, match=f"Workspace.{name} is not built yet"):
            getattr(ws, name)
    with pytest.raises(AttributeError, match="did you mean compute_targets"):
        ws.compute_target


def test_details_have_sdk_v1s_keys() -> None:
    details = Workspace.from_config().get_details()
    assert {"id", "name", "location", "type", "workspaceid"} <= details.keys()


def test_a_folder_that_is_no_workspace_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("")
    write(".azureml/config.json", workspace_folder=str(tmp_path / "mine"))
    with pytest.raises(WorkspaceException, match="not empty"):
        Workspace.from_config()
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
