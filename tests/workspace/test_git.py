"""Git properties of a source directory, beside what git itself says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aml_jupyter.workspace import git_properties
from aml_jupyter.workspace.git import without_credentials

IDENTITY = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]


def git(folder: Path, *arguments: str | Path) -> str:
    """Run git and return what it prints."""
    done = subprocess.run(["git", *IDENTITY, "-C", folder, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GLOBAL", "SYSTEM"):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", os.devnull)
    path = tmp_path / "repo"
    subprocess.run(["git", "init", "-q", "-b", "feature/x", path], check=True)
    (path / "src").mkdir()
    (path / "src" / "a.py").write_text("1")
    git(path, "add", ".")
    git(path, "commit", "-q", "-m", "first")
    git(path, "remote", "add", "origin", "https://someone:s3cret@example.org/team/repo.git")
    return path


def test_a_clean_repository(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    expected = {
        "azureml.git.repository_uri": "https://example.org/team/repo.git",
        "azureml.git.branch": "feature/x",
        "azureml.git.commit": commit,
        "azureml.git.dirty": "False",
        "mlflow.source.git.repoURL": "https://example.org/team/repo.git",
        "mlflow.source.git.branch": "feature/x",
        "mlflow.source.git.commit": commit,
    }
    here = os.getcwd()
    assert git_properties(repository) == expected
    assert git_properties(repository / "src") == expected
    assert os.getcwd() == here


def test_dirty_means_this_folder_and_counts_untracked_files(repository: Path) -> None:
    (repository / "other").mkdir()
    (repository / "other" / "new.py").touch()
    assert git_properties(repository)["azureml.git.dirty"] == "True"
    assert git_properties(repository / "src")["azureml.git.dirty"] == "False"
    (repository / "src" / "a.py").write_text("2")
    assert git_properties(repository / "src")["azureml.git.dirty"] == "True"


def test_packed_refs_and_a_detached_head(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    git(repository, "pack-refs", "--all")
    assert git_properties(repository)["azureml.git.commit"] == commit
    git(repository, "checkout", "-q", "--detach")
    properties = git_properties(repository)
    assert properties["azureml.git.commit"] == commit
    assert "azureml.git.branch" not in properties and "mlflow.source.git.branch" not in properties


def test_a_linked_worktree(repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "-q", "-b", "side", tmp_path / "tree")
    (tmp_path / "tree" / "src" / "a.py").write_text("3")
    git(tmp_path / "tree", "commit", "-q", "-a", "-m", "second")
    properties = git_properties(tmp_path / "tree")
    assert properties["azureml.git.branch"] == "side"
    assert properties["azureml.git.commit"] == git(tmp_path / "tree", "rev-parse", "HEAD")
    assert properties["azureml.git.commit"] != git(repository, "rev-parse", "HEAD")
    assert properties["azureml.git.repository_uri"] == "https://example.org/team/repo.git"
    assert properties["azureml.git.dirty"] == "False"


def test_the_branchs_remote_is_taken(repository: Path) -> None:
    git(repository, "remote", "add", "fork", 'ssh://git@example.org/a "b"; c.git')
    assert git_properties(repository)["azureml.git.repository_uri"] == "https://example.org/team/repo.git"
    git(repository, "config", "branch.feature/x.remote", "fork")
    asked = git(repository, "ls-remote", "--get-url")
    assert git_properties(repository)["azureml.git.repository_uri"] == asked == 'ssh://git@example.org/a "b"; c.git'
    git(repository, "remote", "remove", "origin")
    git(repository, "config", "--unset", "branch.feature/x.remote")
    assert git_properties(repository)["azureml.git.repository_uri"] == asked


def test_before_the_first_commit_and_without_remote(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", "-b", "main", tmp_path / "new"], check=True)
    assert git_properties(tmp_path / "new") == {
        "azureml.git.branch": "main",
        "azureml.git.dirty": "False",
        "mlflow.source.git.branch": "main",
    }


def test_without_a_repository_there_is_nothing(tmp_path: Path) -> None:
    assert git_properties(tmp_path) == {}
    (tmp_path / ".git").write_text("no repository at all")
    assert git_properties(tmp_path) == {}
    assert git_properties(tmp_path / "absent") == {}


def test_without_git_the_files_still_tell(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    monkeypatch.setenv("PATH", "")
    properties = git_properties(repository)
    assert properties["azureml.git.commit"] == commit
    assert "azureml.git.dirty" not in properties


def test_variables_go_first_also_outside_a_repository(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZUREML_GIT_REPOSITORY_URI", "https://token@example.org/other")
    monkeypatch.setenv("AZUREML_GIT_COMMIT", "abc")
    monkeypatch.setenv("AZUREML_GIT_DIRTY", "False")
    monkeypatch.setenv("AZUREML_GIT_BUILD_ID", "17")
    monkeypatch.setenv("AZUREML_GIT_BUILD_URI", "https://ci:pw@example.org/17")
    (repository / "new").touch()
    properties = git_properties(repository)
    assert properties["azureml.git.repository_uri"] == "https://example.org/other"
    assert properties["azureml.git.commit"] == properties["mlflow.source.git.commit"] == "abc"
    assert properties["azureml.git.dirty"] == "False"
    assert properties["azureml.git.branch"] == "feature/x"
    assert properties["azureml.git.build_uri"] == "https://example.org/17"
    outside = git_properties(tmp_path)
    assert outside["azureml.git.build_id"] == "17" and "azureml.git.branch" not in outside


def test_variables_that_git_sets_for_hooks_do_not_lead_elsewhere(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "-q", tmp_path / "other"], check=True)
    (tmp_path / "other" / "x").touch()
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "other"))
    assert git_properties(repository)["azureml.git.dirty"] == "False"


def test_a_git_that_hangs_costs_about_a_second(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text(f"#!{sys.executable}\nimport signal\nsignal.pause()\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(slow.parent))
    properties = git_properties(repository)
    assert "azureml.git.dirty" not in properties and properties["azureml.git.branch"] == "feature/x"


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://user:token@github.com/a/b.git", "https://github.com/a/b.git"),
        ("https://ghp_token@github.com/a/b.git", "https://github.com/a/b.git"),
        ("http://a@b:c@host/p", "http://host/p"),
        ("https://user:se/cret@host/p", "https://host/p"),
        ("https://host:8443/p/@scope/x", "https://host:8443/p/@scope/x"),
        ("https://host/p?private_token=x#y", "https://host/p"),
        ("ssh://git:secret@host:22/p", "ssh://git@host:22/p"),
        ("ssh://git@host/p", "ssh://git@host/p"),
        ("git+ssh://git:secret@host/p", "git+ssh://git@host/p"),
        ("ext::https://user:pw@host/p", "ext::https://host/p"),
        ("git@github.com:a/b.git", "git@github.com:a/b.git"),
        ("/srv/git/x@y.git", "/srv/git/x@y.git"),
        ("file:///srv/git", "file:///srv/git"),
    ],
)
def test_credentials_are_removed(url: str, clean: str) -> None:
    assert without_credentials(url) == clean
