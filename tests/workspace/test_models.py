"""The model registry: versions, tags, properties, filters, files; whole or not at all, also after a rebuild."""

from __future__ import annotations

import os
import re
import sqlite3
from pathlib import Path

import pytest
from workspace_support import run_killed

from aml_jupyter.errors import ModelException, UserErrorException, WorkspaceException
from aml_jupyter.workspace import (
    ModelRecord,
    WorkspaceFolder,
    delete_model,
    download_model,
    files_of_path,
    find_model,
    get_model,
    list_models,
    model_folder,
    rebuild_workspace,
    register_model,
    update_model,
    verify_workspace,
)
from aml_jupyter.workspace.schema import CURRENT, MIGRATIONS


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a folder with a model of two files."""
    folder = tmp_path / "net"
    (folder / "deep").mkdir(parents=True)
    (folder / "weights.bin").write_bytes(b"w" * 1000)
    (folder / "deep" / "config.json").write_text("{}")
    return folder


def register(folder: WorkspaceFolder, name: str, path: Path, **fields: object) -> ModelRecord:
    return register_model(folder, name, *files_of_path(path), **fields)  # type: ignore[arg-type]


def test_versions_count_from_one_and_are_never_given_again(folder: WorkspaceFolder, source: Path) -> None:
    first = register(folder, "net", source, tags={"area": "digits"}, properties={"p": "1"}, run="r1", description="d")
    second = register(folder, "net", source / "weights.bin")
    assert (first.id, first.root, first.files, first.size) == ("net:1", "net", 2, 1002)
    assert (second.id, second.root, second.size) == ("net:2", "weights.bin", 1000)
    db = folder.store.read()
    assert find_model(db, "net") == second and get_model(db, "net", 1) == first
    assert sorted(path.name for path in model_folder(folder.layout, "net", 1).rglob("*") if path.is_file()) == [
        "config.json",
        "weights.bin",
    ]
    delete_model(folder, "net", 2)
    assert not model_folder(folder.layout, "net", 2).exists()
    assert find_model(folder.store.read(), "net") == first
    assert register(folder, "net", source).version == 3
    assert list((folder.layout.models / ".tmp").iterdir()) == []


def test_tags_change_and_properties_do_not(folder: WorkspaceFolder, source: Path) -> None:
    register(folder, "net", source, tags={"a": "1", "b": "2"}, properties={"p": "1"})
    changed = update_model(folder, "net", 1, tags={"a": None, "c": "3"}, properties={"q": "2"}, description="new")
    assert (changed.tags, changed.properties, changed.description) == (
        {"b": "2", "c": "3"},
        {"p": "1", "q": "2"},
        "new",
    )
    assert update_model(folder, "net", 1, tags={"z": "9"}, replace_tags=True).tags == {"z": "9"}
    with pytest.raises(UserErrorException, match="'p' of model net:1 is '1' and cannot be changed to '2'"):
        update_model(folder, "net", 1, tags={"lost": "1"}, properties={"p": "2"})
    assert get_model(folder.store.read(), "net").tags == {"z": "9"}
    assert get_model(folder.store.read(), "net").modified > get_model(folder.store.read(), "net").created


def test_filters(folder: WorkspaceFolder, source: Path) -> None:
    register(folder, "a", source, tags={"k": "1"}, run="r1", framework="ScikitLearn")
    register(folder, "a", source, tags={"k": "2", "l": ""})
    register(folder, "b", source, tags={"k": "1"}, properties={"p": "1"})
    db = folder.store.read()

    def ids(**wanted: object) -> list[str]:
        return [record.id for record in list_models(db, **wanted)]  # type: ignore[arg-type]

    assert ids() == ["b:1", "a:2", "a:1"] and ids(latest=True) == ["b:1", "a:2"]
    assert ids(name="a") == ["a:2", "a:1"] and ids(run="r1") == ids(framework="ScikitLearn") == ["a:1"]
    assert ids(tags=["k"]) == ["b:1", "a:2", "a:1"] and ids(tags=[["k", "1"]]) == ["b:1", "a:1"]
    assert ids(tags=["l", ["k", "2"]]) == ["a:2"] and ids(properties={"p": "1"}) == ["b:1"]
    assert ids(name="a", tags=[["k", "1"]], latest=True) == ["a:1"]
    with pytest.raises(ModelException, match=r"ModelNotFound: there is no model 'aa'\. did you mean a\?"):
        get_model(db, "aa")
    with pytest.raises(ModelException, match=r"has no version 7; its versions: 1, 2"):
        get_model(db, "a", 7)


@pytest.mark.parametrize("name", ["", ".hidden", "../out", "a/b", "a b", "ä", "x" * 256, None])
def test_names_that_cannot_be_used(folder: WorkspaceFolder, source: Path, name: str) -> None:
    with pytest.raises(ModelException, match="cannot be used"):
        register(folder, name, source)


def test_what_cannot_be_registered(folder: WorkspaceFolder, source: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelException, match="ModelPathNotFound"):
        files_of_path(tmp_path / "nothing")
    with pytest.raises(ModelException, match="no file or folder in"):
        files_of_path(source, ["../secret"])
    assert list(files_of_path(source, ["deep"])[0]) == ["net/deep/config.json"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelException, match="has no files"):
        register(folder, "m", tmp_path / "empty")
    with pytest.raises(ModelException, match="leads out"):
        register_model(folder, "m", {"../x": source / "weights.bin"}, "x")
    with pytest.raises(WorkspaceException, match="Nothing was registered"):
        register_model(folder, "m", {"x": tmp_path / "gone"}, "x")
    assert list_models(folder.store.read()) == []
    assert [path.name for path in folder.layout.models.iterdir()] == [".tmp"]
    assert list((folder.layout.models / ".tmp").iterdir()) == []


def test_a_download_replaces_only_when_told(folder: WorkspaceFolder, source: Path, tmp_path: Path) -> None:
    record = register(folder, "net", source)
    got = download_model(folder, record, tmp_path / "got")
    assert got == tmp_path / "got" / "net" and (got / "deep" / "config.json").read_text() == "{}"
    with pytest.raises(ModelException, match="is there already"):
        download_model(folder, record, tmp_path / "got")
    assert download_model(folder, record, tmp_path / "got", exist_ok=True) == got


def test_a_rebuild_restores_the_registry(folder: WorkspaceFolder, source: Path) -> None:
    register(folder, "net", source, tags={"a": "1"}, properties={"p": "1"}, run="r1")
    register(folder, "net", source)
    register(folder, "gone", source)
    update_model(folder, "net", 1, tags={"a": "2"})
    delete_model(folder, "net", 2)
    delete_model(folder, "gone", 1)
    before = list_models(folder.store.read())
    root = folder.root
    folder.close()
    report = rebuild_workspace(root)
    assert report.problems == [] and report.counts["models"] == 1
    again = WorkspaceFolder.open(root)
    assert list_models(again.store.read()) == before
    assert verify_workspace(again).problems == []
    assert register(again, "net", source).version == 3 and register(again, "gone", source).version == 2
    (model_folder(again.layout, "net", 1) / "net").rename(root / "taken")
    assert any("model net:1 has lost its files" in problem for problem in verify_workspace(again).problems)
    again.close()


def test_a_workspace_of_before_gets_a_registry(folder: WorkspaceFolder, source: Path) -> None:
    root = folder.root
    folder.close()
    with sqlite3.connect(root / "aml.db") as old:
        first = set(re.findall(r"CREATE TABLE (\w+)", MIGRATIONS[0]))
        made = {name for (name,) in old.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table in sorted(made - first - {"sqlite_sequence"}):
            old.execute(f"DROP TABLE {table}")
        old.execute("PRAGMA user_version = 1")
    old.close()
    opened = WorkspaceFolder.open(root)
    assert register(opened, "net", source).id == "net:1"
    assert len(MIGRATIONS) == CURRENT and len(list(root.glob("aml.db.format-1.*.backup"))) == 1
    opened.close()


REGISTER = """
import sys
from aml_jupyter.workspace import WorkspaceFolder, delete_model, files_of_path, register_model
folder = WorkspaceFolder.open(sys.argv[1])
register_model(folder, "net", *files_of_path(sys.argv[2]))
delete_model(folder, "net", 1)
"""


@pytest.mark.faults
@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize(
    "point", ["models.copy", "models.place", "models.discard", "models.remove", "journal.append", "store.commit"]
)
def test_a_kill_leaves_whole_models_only(
    folder: WorkspaceFolder, source: Path, tmp_path: Path, point: str, side: str
) -> None:
    register(folder, "net", source)
    run_killed(REGISTER, point, side, tmp_path / "token", folder.root, source)
    there = list_models(folder.store.read())
    assert {record.version for record in there} <= {1, 2}
    for record in there:
        files = [path for path in model_folder(folder.layout, "net", record.version).rglob("*") if path.is_file()]
        assert sum(path.stat().st_size for path in files) == 1002
    third = register(folder, "net", source)
    assert third.version == max(record.version for record in there) + 1
    kept = {str(record.version) for record in list_models(folder.store.read(), name="net")}
    assert set(os.listdir(folder.layout.models / "net")) == kept
    assert os.listdir(folder.layout.models / ".tmp") == []
    before = list_models(folder.store.read())
    root = folder.root
    folder.close()
    assert rebuild_workspace(root).problems == []
    again = WorkspaceFolder.open(root)
    assert list_models(again.store.read()) == before
    again.close()
