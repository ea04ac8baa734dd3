"""`aml environment`: what a person registers, builds, sees and deletes."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from base_images import PYTHON_IMAGE
from engine_process import Engine
from support import until
from wheels import make_slow_source, make_wheel

from aml_jupyter import Environment, Workspace
from aml_jupyter.environments import EnvironmentCache
from aml_jupyter.service import cancel_run, wait_for_run
from aml_jupyter.workspace import WorkspaceFolder, get_run, list_environments

from .conftest import Aml


@pytest.fixture
def wheels(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that is all the index there is."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    make_wheel(tmp_path / "wheels", "tiny", "1.0")
    make_wheel(tmp_path / "wheels", "other", "1.0", ["tiny"])
    return tmp_path / "wheels"


def test_an_environment_is_registered_built_shown_and_deleted(aml: Aml, wheels: Path) -> None:
    registered = aml("environment", "register", "-n", "train", "--pip", "other", "--json").json
    assert (registered["id"], registered["state"], registered["resolved_id"]) == ("train:1", "not built", None)
    assert aml("environment", "register", "-n", "train", "--pip", "other", "--json").json["version"] == "1"
    assert aml("environment", "register", "-n", "train", "--pip", "other tiny", "--json").json["version"] == "2"
    built = aml("environment", "build", "train:1")
    assert built.code == 0 and "solve: resolving" in built.out and "installing 2 packages" in built.out
    shown = aml("environment", "show", "train:1", "--json").json
    assert shown["state"] == "ready" and shown["kind"] == "venv" and shown["size"] > shown["size_own"] > 0
    assert shown["asked_id"] == registered["asked_id"] and shown["resolved_id"] in shown["path"]
    assert {(entry["name"], entry["version"], entry["source"]) for entry in shown["packages"]} == {
        ("other", "1.0", "pip"),
        ("tiny", "1.0", "pip"),
    }
    assert Path(shown["log_path"]).exists() and shown["last_used_time"]
    text = aml("environment", "show", "train:1").out
    for words in ("asked", shown["asked_id"], "resolved to", shown["resolved_id"], "tiny 1.0", "last used"):
        assert words in text
    rows = aml("environment", "list", "--json").json
    assert [(row["id"], row["state"]) for row in rows if not row["curated"]] == [("train:2", "not built")]
    assert "AmlJupyter-Sklearn" in [row["name"] for row in rows if row["curated"]]
    assert len(aml("environment", "list", "-n", "train", "--json").json) == 2
    (only,) = aml("environment", "list", "--built", "--json").json
    assert only["resolved_id"] == shown["resolved_id"] and only["asked_ids"] == [shown["asked_id"]]
    assert aml("environment", "show", only["resolved_id"][:8], "--json").json["packages"] == shown["packages"]
    asked = aml("environment", "delete", "train")
    assert asked.code == 2 and "its versions: 2, 1" in asked.err
    assert aml("environment", "delete", "train:1", "--json").json["freed"] > 0
    assert aml("environment", "list", "--built", "--json").json == []


def test_what_two_versions_share_stays_built(aml: Aml, wheels: Path) -> None:
    aml("environment", "register", "-n", "one", "--pip", "tiny")
    aml("environment", "register", "-n", "two", "--pip", "tiny")
    assert aml("environment", "build", "one").code == 0
    assert aml("environment", "delete", "one:1", "--json").json["freed"] == 0
    assert aml("environment", "show", "two", "--json").json["state"] == "ready"


def test_only_rebuild_moves_the_lock_and_says_what_changed(aml: Aml, wheels: Path) -> None:
    aml("environment", "register", "-n", "train", "--pip", "other")
    first = aml("environment", "build", "train", "--json").json
    make_wheel(wheels, "tiny", "2.0")
    assert aml("environment", "build", "train", "--json").json["resolved_id"] == first["resolved_id"]
    said = aml("environment", "rebuild", "train")
    assert said.code == 0 and "tiny 1.0 -> 2.0" in said.out
    second = aml("environment", "show", "train", "--json").json
    assert (second["asked_id"], second["resolved_id"] != first["resolved_id"]) == (first["asked_id"], True)
    assert Path(first["path"]).exists()  # runs may use it still
    assert aml("environment", "rebuild", "train", "--json").json["changes"] == []


def test_nothing_is_deleted_while_a_run_needs_it(
    aml: Aml, wheels: Path, folder: WorkspaceFolder, project: Path
) -> None:
    aml("environment", "register", "-n", "train", "--pip", "tiny")
    (project / "long.py").write_text("import tiny, time\nprint('in', flush=True)\ntime.sleep(60)\n")
    run = aml("submit", "--environment", "train", "long.py").out.strip()
    until(lambda: get_run(folder.store.read(), run).status == "Running", 60, "the run runs")
    key = aml("environment", "show", "train", "--json").json["resolved_id"]
    for what in ("train:1", key):
        refused = aml("environment", "delete", what)
        assert refused.code == 2 and run in refused.err and "Nothing was deleted" in refused.err
    # the file system knows it even where the history does not
    other = aml("environment", "delete", key, "--workspace", str(project.parent / "another"))
    assert other.code == 2 and "in use" in other.err
    assert EnvironmentCache().built(key) is not None
    cancel_run(folder, run)
    assert wait_for_run(folder, run, timeout=60).status == "Canceled"
    assert aml("environment", "delete", "train:1").code == 0
    assert list_environments(folder.store.read()) == [] and EnvironmentCache().built(key) is None


def test_a_folder_of_files_goes_out_and_comes_in_again(aml: Aml, wheels: Path, tmp_path: Path) -> None:
    aml("environment", "register", "-n", "train", "--pip", "tiny")
    place = tmp_path / "files"
    assert aml("environment", "download", "train", "-d", place).out.strip() == str(place)
    assert "exists already" in aml("environment", "download", "train", "-d", place).err
    assert aml("environment", "register", "-d", place, "--json").json["id"] == "train:1"
    assert aml("environment", "register", "-n", "copy", "-d", place, "--json").json["id"] == "copy:1"
    (tmp_path / "requirements.txt").write_text("tiny==1.0\n")
    made = aml("environment", "register", "-n", "pinned", "--pip-requirements", tmp_path / "requirements.txt", "--json")
    assert made.json["asked"]["requirements"] == ["tiny==1.0"]


def test_values_of_variables_are_not_shown(aml: Aml, wheels: Path, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "azureml_environment.json").write_text(
        '{"name": "secretive", "environmentVariables": {"TOKEN": "hunter2"}, "python": {"condaDependencies": '
        '{"dependencies": [{"pip": ["--extra-index-url https://me:hunter2@localhost:1/simple", "tiny"]}]}}}'
    )
    shown = aml("environment", "register", "-d", tmp_path / "files", "--json")
    assert shown.code == 0 and "TOKEN" in shown.out and "hunter2" not in shown.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show"], "which environment is missing"),
        (["show", "trian"], "There is no environment 'trian'"),
        (["show", "abcdef"], "Nothing is built under 'abcdef'"),
        (["build"], "which environment is missing"),
        (["build", "train", "--environment", "other"], "are two environments"),
        (["build", "--pip", "./nowhere-1.0-py3-none-any.whl"], "there is no"),
        (["register", "--pip", "tiny"], "name is missing"),
        (["register", "-n", "AzureML-mine", "--pip", "tiny"], "cannot be used"),
        (["register", "-n", "x", "--conda-file", "nowhere.yml"], "nowhere.yml"),
        (["register", "-n", "x", "-d", "a", "--dockerfile", "b"], "exclude each other"),
        (["delete", "nope"], "There is no environment 'nope'"),
        (["list", "--version"], "unknown option"),
    ],
)
def test_a_mistake_is_one_line(aml: Aml, folder: WorkspaceFolder, words: list[str], said: str) -> None:
    outcome = aml("environment", *words)
    assert outcome.code == 2 and said in outcome.err and outcome.err.count("\n") == 1


def test_a_build_that_fails_names_the_package_and_the_log(aml: Aml, wheels: Path) -> None:
    outcome = aml("environment", "build", "--pip", "no-such-package")
    assert outcome.code == 2 and "no-such-package" in outcome.err and "build.log" in outcome.err
    (reason,) = re.findall(r"could not be built: (.*) \(log: ", outcome.err)
    assert "Building" in outcome.out and reason not in outcome.out  # it is said once
    (log,) = re.findall(r"\(log: (.*)\)", outcome.err)
    assert f"The build failed: {reason}" in " ".join(Path(log).read_text().split("\n"))


def test_ctrl_c_ends_the_build_and_it_can_be_asked_for_again(wheels: Path, project: Path) -> None:
    gate = make_slow_source(wheels, "slow")
    program = "import sys; from aml_jupyter.cli.main import entry; sys.exit(entry())"
    words = [sys.executable, "-c", program, "environment", "build", "--pip", "tiny slow"]
    client = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: [e for e in EnvironmentCache().entries() if e.builder_pid()], 30, "the builder says who it is")
    (entry,) = EnvironmentCache().entries()
    client.send_signal(signal.SIGINT)
    _, said = client.communicate(timeout=30)
    assert client.returncode == 130 and "the build was ended" in said and "Traceback" not in said
    until(lambda: not entry.is_building(), 20, "the builder is gone")
    gate.unlink()
    assert subprocess.run(words, capture_output=True, check=False, timeout=60).returncode == 0
    assert entry.built() is not None


def test_a_scaffold_can_be_registered(aml: Aml, folder: WorkspaceFolder, tmp_path: Path) -> None:
    made = aml("environment", "scaffold", "-n", "train", "-d", tmp_path / "train")
    assert made.code == 0 and sorted(path.name for path in (tmp_path / "train").iterdir()) == [
        "azureml_environment.json",
        "conda_dependencies.yml",
    ]
    assert aml("environment", "register", "-d", tmp_path / "train", "--json").json["id"] == "train:1"
    assert aml("environment", "scaffold", "-n", "train", "-d", tmp_path / "train").code == 2


def test_an_image_with_packages_on_top_is_an_environment_like_others(aml: Aml, wheels: Path, engine: Engine) -> None:
    options = ("--pip", f"--find-links {wheels}", "--pip", "tiny")
    made = aml("environment", "register", "-n", "boxed", "--image", PYTHON_IMAGE, *options, "--json").json
    assert (made["kind"], made["state"]) == ("image", "not built")
    built = aml("environment", "build", "boxed")
    assert built.code == 0 and "sha256:" in built.out, built.err
    shown = aml("environment", "show", "boxed", "--json").json
    assert shown["image"].startswith("sha256:") and shown["path"] is None and shown["size"] > 1_000_000
    assert [(entry["name"], entry["source"]) for entry in shown["packages"]] == [("tiny", "pip")]
    assert "image" in aml("environment", "show", "boxed").out
    assert aml("environment", "build", "boxed", "--json").json["image"] == shown["image"]
    assert aml("environment", "delete", "boxed:1").code == 0
    assert aml("environment", "list", "--built", "--json").json == []
    missing = aml("environment", "build", "--image", "aml-test/no-such-image:1")
    assert missing.code == 2 and "aml-test/no-such-image:1" in missing.err


def test_a_file_and_what_stands_beside_it_on_the_line_are_one_environment(aml: Aml, tmp_path: Path) -> None:
    (tmp_path / "conda.yml").write_text("name: mine\ndependencies:\n  - python=3.11\n  - purelib\n")
    (tmp_path / "Dockerfile").write_text("FROM my/python:3\n")
    line = ["environment", "register", "-n", "mine", "--conda-specification", tmp_path / "conda.yml"]
    assert aml(*line, "--image", "my/python:3", "--pip", "six").code == 0
    found = Environment.get(Workspace.from_config(), "mine")
    assert found.docker.base_image == "my/python:3" and not found.python.user_managed_dependencies
    assert list(found.python.conda_dependencies.conda_packages) == ["python=3.11", "purelib"]
    assert list(found.python.conda_dependencies.pip_packages) == ["six"]
    for words, said in (
        ([*line, "--environment", "other"], "--conda-specification and --environment exclude each other"),
        (
            ["environment", "register", "-n", "d", "--dockerfile", tmp_path / "Dockerfile", "--image", "x"],
            "--dockerfile and --image exclude each other",
        ),
    ):
        refused = aml(*words)
        assert refused.code == 2 and said in refused.err
