"""Which workspaces there are, and where the user's folders lie."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import pytest
from workspace_support import run_python

from aml_jupyter.errors import ConfigurationError, UserErrorException, WorkspaceException
from aml_jupyter.workspace import (
    WorkspaceFolder,
    default_target,
    find_workspace,
    list_targets,
    list_workspaces,
    runtime_folder,
    user_data_folder,
    workspace_by_name,
)


def test_the_default_workspace_is_made_when_it_is_needed() -> None:
    first, second = find_workspace(), find_workspace()
    assert first.root == user_data_folder() / "workspaces" / "default" == second.root
    assert (first.id, first.name, first.location) == (second.id, "default", "local")
    assert [(target.name, target.type) for target in list_targets(first.store.read())] == [("local", "local")]
    assert default_target(first.store.read()) == "local"
    assert [(entry.id, entry.exists) for entry in list_workspaces()] == [(first.id, True)]
    first.close()
    second.close()


def test_a_workspace_is_chosen_by_folder_variable_or_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = find_workspace(tmp_path / "one")
    assert find_workspace("one").id == workspace_by_name("one").id == one.id
    monkeypatch.setenv("AML_WORKSPACE", str(tmp_path / "one"))
    assert find_workspace().id == one.id
    monkeypatch.chdir(tmp_path)
    assert find_workspace("./one").id == find_workspace("one").id == one.id
    with pytest.raises(UserErrorException, match=r"no workspace called 'onne'. did you mean one"):
        find_workspace("onne")
    two = workspace_by_name("two", create=True, location="here")
    assert (two.root, two.location) == (user_data_folder() / "workspaces" / "two", "here")
    assert [entry.name for entry in list_workspaces()] == ["one", "two"]


def test_a_workspace_that_is_gone_or_moved_is_told(tmp_path: Path) -> None:
    one = find_workspace(tmp_path / "one")
    one.close()
    os.rename(tmp_path / "one", tmp_path / "moved")
    assert [entry.exists for entry in list_workspaces()] == [False]
    find_workspace(tmp_path / "moved").close()
    assert [(entry.root, entry.exists) for entry in list_workspaces()] == [(tmp_path / "moved", True)]


def test_a_folder_with_other_things_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "train.py").write_text("")
    with pytest.raises(WorkspaceException, match=r"is not a workspace .* not empty \(train.py\)"):
        find_workspace(tmp_path / "work")
    assert os.listdir(tmp_path / "work") == ["train.py"]
    with pytest.raises(WorkspaceException, match="There is no workspace in"):
        WorkspaceFolder.open(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["x", "-x", "a b", "../up", "a" * 34, ""])
def test_names_that_no_workspace_may_have(name: str) -> None:
    with pytest.raises(UserErrorException, match="cannot be used"):
        workspace_by_name(name, create=True)


def test_a_newer_folder_format_is_refused(folder: WorkspaceFolder) -> None:
    identity = json.loads(folder.layout.identity.read_text())
    folder.layout.identity.write_text(json.dumps({**identity, "format": 2}))
    with pytest.raises(WorkspaceException, match=r"format 2; this package reads up to 1. Upgrade"):
        WorkspaceFolder.open(folder.root)
    folder.layout.identity.write_text("{")
    with pytest.raises(WorkspaceException, match=r"workspace\.json cannot be read"):
        WorkspaceFolder.open(folder.root)


def test_a_broken_list_says_what_to_do(tmp_path: Path) -> None:
    (user_data_folder() / "workspaces.json").write_text("{")
    with pytest.raises(WorkspaceException, match="Remove it"):
        list_workspaces()
    find_workspace(tmp_path / "one").close()  # work goes on


def test_the_runtime_folder_is_private(monkeypatch: pytest.MonkeyPatch) -> None:
    short = Path(os.environ["AML_RUNTIME"])
    place = short / "run"
    monkeypatch.setenv("AML_RUNTIME", str(place))
    assert runtime_folder() == place and stat.S_IMODE(place.stat().st_mode) == 0o700
    place.chmod(0o755)
    runtime_folder()
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    monkeypatch.setenv("AML_RUNTIME", str(short / "link"))
    (short / "link").symlink_to(place)
    with pytest.raises(WorkspaceException, match="is not a folder"):
        runtime_folder()


def test_the_runtime_folder_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("giving a folder away needs root")
    place = Path(os.environ["AML_RUNTIME"], "run")
    place.mkdir(mode=0o700)
    os.chown(place, 65534, 65534)
    monkeypatch.setenv("AML_RUNTIME", str(place))
    with pytest.raises(WorkspaceException, match="belongs to user 65534"):
        runtime_folder()


def test_without_a_choice_the_runtime_folder_is_short(tmp_path: Path) -> None:
    code = "from aml_jupyter.workspace import runtime_folder as r; print(r())"
    home = tmp_path / ("long-" * 20)
    home.mkdir()
    done = run_python(code, AML_RUNTIME="", XDG_RUNTIME_DIR=str(home), HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.strip()) <= 60 and Path(done.stdout.strip()).is_dir()


def test_opening_asks_for_nothing_outside_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of workspaces that cannot be written does not stand in the way."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("AML_USER_DATA", str(blocked / "below"))
    find_workspace(tmp_path / "w").close()
    with pytest.raises(WorkspaceException, match="AML_USER_DATA"):
        find_workspace()


def test_a_path_with_a_separator_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    state = find_workspace("./state")
    assert state.root == tmp_path / "state"
    state.close()
    other = find_workspace("other/")
    assert other.root == tmp_path / "other"
    other.close()


def test_nobody_else_can_enter_a_workspace(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        (tmp_path / "empty").mkdir()
        for name in ("new", "empty"):
            find_workspace(tmp_path / name).close()
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o700
        (tmp_path / "new").chmod(0o750)
        find_workspace(tmp_path / "new").close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o750, "its owner's decision stands"


def test_a_projects_config_names_its_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "project" / ".azureml").mkdir(parents=True)
    (tmp_path / "project" / "notebooks").mkdir()
    config = tmp_path / "project" / ".azureml" / "config.json"
    config.write_text('{"workspace_name": "team", "resource_group": "rg"}')
    monkeypatch.chdir(tmp_path / "project" / "notebooks")
    team = find_workspace()
    assert (team.name, team.resource_group) == ("team", "rg")
    assert find_workspace(tmp_path / "other").name == "other"
    monkeypatch.setenv("AML_WORKSPACE", str(tmp_path / "other"))
    assert find_workspace().name == "other"
    monkeypatch.delenv("AML_WORKSPACE")
    config.write_text('{\n "workspace_name": "our team"\n}')
    with pytest.raises(ConfigurationError, match=r"config\.json, line 2, workspace_name: .*'our team' cannot be used"):
        find_workspace()
    config.unlink()
    os.rmdir(tmp_path / "project" / "notebooks")  # the current folder is gone
    assert find_workspace().name == "default"


def test_of_two_workspaces_with_one_name_neither_is_guessed(tmp_path: Path) -> None:
    for place in ("mine", "theirs"):
        find_workspace(tmp_path / place / "team").close()
    with pytest.raises(
        UserErrorException, match=r"2 workspaces are called 'team': .*mine/team, .*theirs/team\. Name the"
    ):
        find_workspace("team")
    with pytest.raises(UserErrorException, match=r"Known: team$"):
        find_workspace("stage")
    home = WorkspaceFolder.open(user_data_folder() / "workspaces" / "team", create=True)
    assert find_workspace("team").id == home.id
    home.close()


def test_a_runtime_folder_too_long_for_sockets_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AML_RUNTIME", str(tmp_path / ("r" * 100)))
    with pytest.raises(WorkspaceException, match=r"AML_RUNTIME has .* at most 72"):
        runtime_folder()


def test_a_copied_workspace_does_not_take_the_place_of_the_first(tmp_path: Path) -> None:
    find_workspace(tmp_path / "first").close()
    shutil.copytree(tmp_path / "first", tmp_path / "copy")
    find_workspace(tmp_path / "copy").close()
    assert [entry.root for entry in list_workspaces()] == [tmp_path / "copy", tmp_path / "first"]
    with pytest.raises(UserErrorException, match="2 workspaces are called 'first'"):
        find_workspace("first")
