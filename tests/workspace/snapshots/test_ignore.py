"""Ignore rules: git's own meaning, one file, and the built-in exclusions."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from source_folders import content_of, write_files

from aml_jupyter.errors import SnapshotException
from aml_jupyter.workspace import WorkspaceFolder, materialise, preview_snapshot, read_tree, take_snapshot
from aml_jupyter.workspace.snapshots.ignore import read_rules

ATOMS = [
    "a", "b", "*", "**", "?", "/", "/", ".py", ".txt", "sub", "[ab]", "[!a]", "[a-c]", "[[:alpha:]]", "\\", "[", "]", " ",
    "ab", "!", "#", "a b", "-", "[^/]", "x", "[]-a]", "[\\]]", "[[:foo:]]", "[a-", "\r",
]  # fmt: skip


def _random_tree(root: Path, chance: random.Random) -> None:
    for _ in range(100):
        names = ["a", "b", "ab", "a.py", "b.txt", "a b", "sub", "x]", "[", "a-b", "*"]
        path = root.joinpath(*(chance.choice(names) for _ in range(chance.randint(1, 4))))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        except OSError:
            continue  # a file and a folder want the same name


def _kept(root: Path) -> set[str]:
    rules = read_rules(str(root), exclude_defaults=False)
    kept: set[str] = set()
    stack = [""]
    while stack:
        place = stack.pop()
        for entry in os.scandir(root / place):
            path = f"{place}/{entry.name}".lstrip("/")
            rule = rules.decide(path, entry.name, entry.is_dir())
            if entry.name == ".git" or (rule is not None and not rule.negated):
                continue
            if entry.is_dir():
                stack.append(path)
            else:
                kept.add(path)
    return kept


@pytest.mark.parametrize("seed", range(4))
def test_patterns_mean_what_git_says(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    _random_tree(tmp_path, chance)
    for _ in range(75):
        lines = [
            ("!" if chance.random() < 0.3 else "")
            + "".join(chance.choice(ATOMS) for _ in range(chance.randint(1, 5)))
            + ("/" if chance.random() < 0.2 else "")
            for _ in range(chance.randint(1, 4))
        ]
        (tmp_path / ".gitignore").write_bytes("\n".join(lines).encode())
        listed = subprocess.run(
            ["git", "-c", "core.excludesFile=", "ls-files", "-o", "--exclude-per-directory=.gitignore", "-z"],
            cwd=tmp_path,
            capture_output=True,
            check=True,
        )
        assert _kept(tmp_path) == {name for name in listed.stdout.decode().split("\0") if name}, lines


@pytest.mark.parametrize(
    ("patterns", "kept"),
    [
        ("*.csv\n!data/a.csv", {"data/a.csv", "keep.py"}),
        ("data\n!data/a.csv", {"keep.py"}),
        ("data/\n!data/a.csv", {"keep.py"}),
        ("/data/*\n!/data/a.csv", {"data/a.csv", "keep.py"}),
        ("*\n!sub/\n!sub/**\n!.gitignore", {"sub/x.txt"}),
        ("\ufeffdata/\r\nsub\r\n", {"keep.py"}),
    ],
)
def test_the_root_file_decides(folder: WorkspaceFolder, tmp_path: Path, patterns: str, kept: set[str]) -> None:
    source = tmp_path / "project"
    write_files(
        source,
        {"keep.py": b"", "data/a.csv": b"", "data/b.csv": b"", "sub/x.txt": b"", ".gitignore": patterns.encode()},
    )
    if patterns.startswith("*.csv"):
        (source / "sub" / "x.txt").unlink()
    if "data" in patterns and patterns.startswith(("data", "/data")):
        (source / "sub" / "x.txt").unlink()
    files = {
        path for path, entry in read_tree(folder, take_snapshot(folder, source).id).items() if entry.kind == "file"
    }
    assert files - {".gitignore"} == kept


def test_amlignore_alone_counts_even_when_empty(folder: WorkspaceFolder, source: Path) -> None:
    write_files(source, {".gitignore": b"*.csv\n", ".amlignore": b""})
    assert "data/a.csv" in read_tree(folder, take_snapshot(folder, source).id)
    assert preview_snapshot(folder, source).ignore_file == ".amlignore"


def test_ignore_files_below_the_root_are_not_read(folder: WorkspaceFolder, source: Path) -> None:
    write_files(source, {"data/.gitignore": b"*\n", "src/.amlignore": b"*\n"})
    assert {"data/a.csv", "src/model.py"} <= read_tree(folder, take_snapshot(folder, source).id).keys()


def test_a_changed_rule_counts_at_once(folder: WorkspaceFolder, source: Path) -> None:
    first = take_snapshot(folder, source)
    write_files(source, {".amlignore": b"data/\n"})
    assert not any(path.startswith("data") for path in read_tree(folder, take_snapshot(folder, source).id))
    (source / ".amlignore").unlink()
    assert take_snapshot(folder, source).id == first.id


def test_an_ignored_name_that_becomes_a_folder_is_judged_again(folder: WorkspaceFolder, source: Path) -> None:
    write_files(source, {".amlignore": b"build\n!build/\n", "build": b""})
    assert "build" not in read_tree(folder, take_snapshot(folder, source).id)
    (source / "build").unlink()
    write_files(source, {"build/a.o": b"1"})
    assert "build/a.o" in read_tree(folder, take_snapshot(folder, source).id)


def test_what_is_left_out_by_default(folder: WorkspaceFolder, source: Path) -> None:
    write_files(
        source,
        {
            ".git/HEAD": b"x",
            "src/.ipynb_checkpoints/a.ipynb": b"x",
            "src/__pycache__/a.pyc": b"x",
            "env/pyvenv.cfg": b"",
            "env/bin/python": b"x",
            "deep/conda/conda-meta/history": b"",
            "deep/conda/bin/python": b"x",
            ".aml-work-1.tmp": b"x",
        },
    )
    kept = read_tree(folder, take_snapshot(folder, source).id).keys()
    assert kept == {"train.py", "src", "src/model.py", "data", "data/a.csv", "deep"}
    reasons = {entry.path: entry.rule.text for entry in preview_snapshot(folder, source).ignored}
    assert reasons["env"] == "virtual environment (pyvenv.cfg)"
    assert reasons["deep/conda"] == "conda environment (conda-meta)"
    assert reasons[".git"] == ".git"
    everything = read_tree(folder, take_snapshot(folder, source, exclude_defaults=False).id)
    assert {".git/HEAD", "env/bin/python", "deep/conda/bin/python", "src/__pycache__/a.pyc"} <= everything.keys()
    assert read_tree(folder, take_snapshot(folder, source).id).keys() == kept


def test_a_pattern_takes_a_default_exclusion_back(folder: WorkspaceFolder, source: Path) -> None:
    write_files(
        source,
        {".amlignore": b"!__pycache__/\n!/env/\n", "__pycache__/a.pyc": b"x", "env/pyvenv.cfg": b"", "env/x": b"x"},
    )
    for _ in range(2):
        assert {"__pycache__/a.pyc", "env/x"} <= read_tree(folder, take_snapshot(folder, source).id).keys()


def test_a_folder_that_becomes_an_environment_is_left_out_then(folder: WorkspaceFolder, source: Path) -> None:
    write_files(source, {"env/x": b"x"})
    assert "env/x" in read_tree(folder, take_snapshot(folder, source).id)
    write_files(source, {"env/pyvenv.cfg": b""})
    assert "env" not in read_tree(folder, take_snapshot(folder, source).id)


def test_a_source_that_is_an_environment_itself_goes(folder: WorkspaceFolder, source: Path) -> None:
    write_files(source, {"pyvenv.cfg": b""})
    assert "train.py" in read_tree(folder, take_snapshot(folder, source).id)


@pytest.mark.parametrize("exclude_defaults", [True, False])
def test_the_workspace_inside_is_left_out(source: Path, tmp_path: Path, exclude_defaults: bool) -> None:
    folder = WorkspaceFolder.open(source / "inner" / "ws", create=True)
    try:
        first = take_snapshot(folder, source, exclude_defaults=exclude_defaults)
        assert take_snapshot(folder, source, exclude_defaults=exclude_defaults).id == first.id
        assert not any("ws" in path for path in read_tree(folder, first.id))
        materialise(folder, first.id, tmp_path / "out")
        assert set(content_of(tmp_path / "out")) == {"train.py", "src", "src/model.py", "data", "data/a.csv", "inner"}
    finally:
        folder.close()


def test_another_workspace_inside_is_left_out(folder: WorkspaceFolder, source: Path) -> None:
    WorkspaceFolder.open(source / "other", create=True).close()
    assert "other" not in read_tree(folder, take_snapshot(folder, source).id)


def test_the_workspace_itself_is_refused(folder: WorkspaceFolder) -> None:
    with pytest.raises(SnapshotException, match="is the workspace itself"):
        take_snapshot(folder, folder.root)


def test_an_ignored_directory_is_not_entered(unprivileged: Callable[[str], Any]) -> None:
    result = unprivileged("""
(source / "secret" / "deep").mkdir(parents=True)
(source / ".gitignore").write_text("secret/")
(source / "secret").chmod(0)
preview = preview_snapshot(folder, source)
result = [preview.notes, [(entry.path, str(entry.rule)) for entry in preview.ignored]]
""")
    assert result == [[], [["secret", ".gitignore:1: secret/"]]]


def test_an_unreadable_ignore_file_stops_the_snapshot(unprivileged: Callable[[str], Any]) -> None:
    result = unprivileged("""
source.mkdir()
(source / ".amlignore").write_text("secret/")
(source / ".amlignore").chmod(0)
try:
    take_snapshot(folder, source)
except AmlError as error:
    result = [type(error).__name__, error.message]
""")
    assert result[0] == "SnapshotException" and ".amlignore" in result[1]
