"""The registry of environments: versions, what submits save, for the owner's eyes only; there again after a rebuild."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any

import pytest

from aml_jupyter.errors import UserErrorException, WorkspaceException
from aml_jupyter.workspace import (
    WorkspaceFolder,
    delete_environment,
    find_environment,
    get_environment,
    list_environments,
    read_environment,
    rebuild_workspace,
    save_environment,
    verify_workspace,
)


def packages(*names: str, **variables: str) -> dict[str, Any]:
    return {
        "name": "x",
        "version": None,
        "environmentVariables": variables,
        "python": {"condaDependencies": {"dependencies": [{"pip": list(names)}]}},
    }


def test_unchanged_keeps_its_version_and_changed_gets_the_next(folder: WorkspaceFolder) -> None:
    first = save_environment(folder, "train", packages("numpy"))
    again = save_environment(folder, "train", packages("numpy"))
    second = save_environment(folder, "train", packages("numpy", "scipy"))
    back = save_environment(folder, "train", packages("numpy"))
    assert [record.version for record in (first, again, second, back)] == ["1", "1", "2", "3"]
    assert save_environment(folder, "other", packages("numpy")).version == "1"
    db = folder.store.read()
    assert find_environment(db, "train") == back and get_environment(db, "train", "2") == second
    assert read_environment(folder.layout, second)["python"] == packages("numpy", "scipy")["python"]
    assert [record.id for record in list_environments(db, latest=True)] == ["other:1", "train:3"]


def test_a_version_of_ones_own_is_honoured_and_never_overwritten(folder: WorkspaceFolder) -> None:
    assert save_environment(folder, "train", packages("numpy"), version="2021-03").version == "2021-03"
    assert save_environment(folder, "train", packages("numpy"), version="2021-03").version == "2021-03"
    assert save_environment(folder, "train", packages("scipy"), version="2021-03").version == "1"
    assert save_environment(folder, "train", packages("pandas"), version="2").version == "2"
    assert save_environment(folder, "train", packages("polars")).version == "3"
    first = get_environment(folder.store.read(), "train", "2021-03")
    assert read_environment(folder.layout, first)["python"] == packages("numpy")["python"]


def test_a_deleted_number_is_not_given_again(folder: WorkspaceFolder) -> None:
    save_environment(folder, "train", packages("numpy"))
    newest = save_environment(folder, "train", packages("scipy"))
    delete_environment(folder, "train", "2")
    assert find_environment(folder.store.read(), "train", "2") is None
    assert not (folder.layout.environments / "train" / "2.json").exists()
    with pytest.raises(WorkspaceException, match="is gone"):
        read_environment(folder.layout, newest)
    assert save_environment(folder, "train", packages("scipy")).version == "3"


def test_what_a_submit_saves_is_not_what_is_meant_by_a_name_alone(folder: WorkspaceFolder) -> None:
    saved = save_environment(folder, "train", packages("numpy"), autosave=True)
    assert re.fullmatch(r"Autosave_\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ_[0-9a-f]{8}", saved.version) and saved.autosaved
    assert save_environment(folder, "train", packages("numpy"), autosave=True) == saved
    assert find_environment(folder.store.read(), "train") == saved  # there is nothing else
    registered = save_environment(folder, "train", packages("numpy"))
    assert (registered.version, registered.autosaved) == ("1", False)
    save_environment(folder, "train", packages("scipy"), autosave=True)
    assert find_environment(folder.store.read(), "train") == registered
    assert save_environment(folder, "train", packages("numpy"), autosave=True) == registered
    assert [record.version for record in list_environments(folder.store.read(), autosaved=False)] == ["1"]


def test_values_of_variables_are_for_the_owner_alone(folder: WorkspaceFolder) -> None:
    record = save_environment(folder, "train", packages("numpy", TOKEN="hunter2"))
    path = folder.layout.environments / "train" / "1.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_environment(folder.layout, record)["environmentVariables"] == {"TOKEN": "hunter2"}
    for other in [folder.layout.journal, *folder.root.glob("aml.db*")]:
        assert b"hunter2" not in other.read_bytes()
    changed = save_environment(folder, "train", packages("numpy", TOKEN="hunter3"))
    assert changed.version == "2"


def test_a_rebuild_finds_every_version_again(folder: WorkspaceFolder) -> None:
    save_environment(folder, "train", packages("numpy"))
    save_environment(folder, "train", packages("scipy"))
    save_environment(folder, "gone", packages("numpy"))
    delete_environment(folder, "gone", "1")
    save_environment(folder, "train", packages("pandas"), autosave=True)
    before = list_environments(folder.store.read())
    root = folder.root
    assert verify_workspace(folder).problems == []
    folder.close()
    report = rebuild_workspace(root)
    assert report.problems == [] and report.counts["environments"] == 3
    opened = WorkspaceFolder.open(root)
    assert list_environments(opened.store.read()) == before
    assert save_environment(opened, "gone", packages("numpy")).version == "2"
    (opened.layout.environments / "train" / "1.json").unlink()
    assert any("train:1" in problem for problem in verify_workspace(opened).problems)
    opened.close()


@pytest.mark.parametrize(
    "name", ["", "a b", "../x", ".x", "x" * 256, "AzureML-mine", "microsoft-x", "AmlJupyter-x", None]
)
def test_names_that_cannot_be_used_are_refused(folder: WorkspaceFolder, name: Any) -> None:
    with pytest.raises(UserErrorException, match="cannot be used"):
        save_environment(folder, name, packages("numpy"))
    assert list_environments(folder.store.read()) == []


def test_an_unknown_one_is_refused_with_the_nearest(folder: WorkspaceFolder) -> None:
    save_environment(folder, "train-gpu", packages("numpy"))
    with pytest.raises(UserErrorException, match="did you mean train-gpu"):
        get_environment(folder.store.read(), "train-gp")
    with pytest.raises(UserErrorException, match="no version '7'; its versions: 1"):
        get_environment(folder.store.read(), "train-gpu", "7")
    with pytest.raises(UserErrorException, match="cannot be used"):
        save_environment(folder, "train", packages("numpy"), version="../../x")


def test_two_processes_that_register_at_once_get_two_versions_or_one(folder: WorkspaceFolder, tmp_path: Path) -> None:
    import subprocess
    import sys

    program = (
        "import sys\n"
        "from aml_jupyter.workspace import WorkspaceFolder, save_environment\n"
        "folder = WorkspaceFolder.open(sys.argv[1])\n"
        "for number in range(5):\n"
        "    save_environment(folder, 'e', {'python': number if sys.argv[2] == 'same' else [number, sys.argv[2]]})\n"
    )
    for words, count in ((("a", "b"), 10), (("same", "same"), None)):
        both = [subprocess.Popen([sys.executable, "-c", program, str(folder.root), word]) for word in words]
        assert [process.wait(60) for process in both] == [0, 0]
        versions = [int(record.version) for record in list_environments(folder.store.read(), name="e")]
        assert sorted(versions) == list(range(1, len(versions) + 1))
        assert count is None or len(versions) == count
