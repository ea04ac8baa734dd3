from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from base_images import PYTHON_IMAGE
from engine_process import Engine
from wheels import make_wheel

from aml_jupyter.config import bytes_of
from aml_jupyter.errors import UserErrorException
from aml_jupyter.workspace import WorkspaceFolder, find_runs, get_run

from .conftest import Aml


def test_everything_after_the_script_goes_to_the_script(aml: Aml, folder: WorkspaceFolder) -> None:
    outcome = aml("submit", "-e", "first", "--wait", "train.py", "--lr", "0.1", "-e", "x", "--json", "--", "--wait")
    assert outcome.code == 0
    assert "arguments ['--lr', '0.1', '-e', 'x', '--json', '--', '--wait']" in outcome.out
    assert "stands after the script" in outcome.err
    run = find_runs(folder.store.read())[0]
    assert (run.experiment, run.status) == ("first", "Completed")


def test_a_target_that_stands_after_the_script_is_not_lost_in_silence(aml: Aml, folder: WorkspaceFolder) -> None:
    aml("compute", "create", "gpu-box", "--type", "computeinstance")
    for words in (["-t", "gpu-box"], ["--target=gpu-box"]):
        outcome = aml("submit", "train.py", *words)
        assert f"note: {' '.join(words)} stands after the script" in outcome.err
        assert get_run(folder.store.read(), outcome.out.strip()).target == "local"
    assert "stands after" not in aml("submit", "train.py", "-t", "0.5").err


def test_submit_returns_at_once_and_says_how_to_follow(aml: Aml, folder: WorkspaceFolder) -> None:
    outcome = aml("submit", "train.py")
    run_id = outcome.out.strip()
    assert outcome.code == 0
    assert get_run(folder.store.read(), run_id).experiment == "digits"
    assert f"aml run logs -f {run_id}" in outcome.err


def test_json_names_the_run_and_its_snapshot(aml: Aml) -> None:
    found = aml(
        "submit", "--json", "--name", "first try", "--tag", "a=b", "--tag", "c=", "--priority", "3", "train.py"
    ).json
    assert list(found)[:4] == ["id", "parent", "experiment", "status"]
    assert found["display_name"] == "first try" and found["tags"] == {"a": "b", "c": ""} and found["priority"] == 3
    assert found["snapshot"] and found["files"] == 1
    waited = aml("submit", "--json", "--wait", "train.py")
    assert waited.code == 0 and waited.json["status"] == "Completed" and waited.json["exit_code"] == 0


def test_wait_fails_with_the_run_and_shows_why(aml: Aml, project: Path) -> None:
    (project / "bad.py").write_text("import sys\nprint('last words')\nsys.exit(3)\n")
    outcome = aml("submit", "--wait", "bad.py")
    assert outcome.code == 1
    assert "last words" in outcome.out
    assert "exit code 3" in outcome.err and "std_log.txt" in outcome.err
    assert aml("submit", "--wait", "--json", "bad.py").json["error"]["message"]


def test_a_command_line_runs_in_place_of_a_script(aml: Aml) -> None:
    outcome = aml("submit", "--wait", "--command", 'echo made $((6 * 7)) in $(basename "$PWD")')
    assert outcome.code == 0 and "made 42 in work" in outcome.out


def test_options_of_the_line_win_over_the_run_configuration(aml: Aml, project: Path) -> None:
    (project / ".azureml").mkdir()
    (project / ".azureml" / "slow.runconfig").write_text(
        "script: train.py\narguments: [--from, file]\ntarget: nosuch\nframework: Python\n"
        "maxRunDurationSeconds: 77\nenvironment:\n  python:\n    userManagedDependencies: true\n"
    )
    assert "nosuch" in aml("submit", "-c", "slow").err
    outcome = aml("submit", "-c", "slow", "-t", "local", "--max-seconds", "55", "--wait")
    assert outcome.code == 0 and "['--from', 'file']" in outcome.out
    definition = json.loads(next(project.parent.glob("workspace/runs/*/run.json")).read_text())
    assert definition["target"] == "local" and definition["max_run_duration_seconds"] == 55
    outcome = aml("submit", "-c", "slow", "-t", "local", "--wait", "train.py", "mine")
    assert "['mine']" in outcome.out


def test_a_targets_name_stands_for_its_run_configuration(aml: Aml) -> None:
    outcome = aml("experiment", "submit", "-c", "local", "train.py", "1")
    assert outcome.code == 0 and "arguments ['1']" in outcome.out


def test_a_project_of_2017_runs_as_it_stands(aml: Aml, project: Path, folder: WorkspaceFolder) -> None:
    settings = project / "aml_config"
    settings.mkdir()
    (project / "myscript.py").write_text("import os, sys\nprint(sys.argv[1:], os.environ['EXAMPLE_ENV_VAR1'])\n")
    (settings / "local.compute").write_text("type: local\npythonLocation: python\nuserManagedEnvironment: true\n")
    (settings / "local.runconfig").write_text(
        'ArgumentVector:\n- "$file"\nTarget: local\nFramework: Python\nEnvironmentVariables:\n'
        '"EXAMPLE_ENV_VAR1": "Example Value1"\nCondaDependenciesFile: aml_config/conda_dependencies.yml\n'
    )
    (settings / "conda_dependencies.yml").write_text("dependencies:\n- python=3.5.2\n- scikit-learn\n")
    outcome = aml("experiment", "submit", "-c", "local", "myscript.py", "7")
    assert outcome.code == 0, outcome.err
    assert "['7'] Example Value1" in outcome.out
    assert "not used on local" in outcome.err and "not indented" in outcome.err
    assert find_runs(folder.store.read())[0].status == "Completed"


def test_submit_script_as_in_sdk_v1(aml: Aml, tmp_path: Path) -> None:
    metadata = tmp_path / "run.json"
    outcome = aml(
        "run",
        "submit-script",
        "-e",
        "sdk",
        "-c",
        "local",
        "--ct",
        "local",
        "--async",
        "-t",
        metadata,
        "train.py",
        "--x",
        "1",
    )
    run_id = outcome.out.strip()
    assert outcome.code == 0 and json.loads(metadata.read_text())["runId"] == run_id
    assert aml("run", "wait", "-r", run_id).code == 0
    outcome = aml("run", "submit-script", "train.py")
    assert outcome.code == 0 and "arguments []" in outcome.out


def test_the_source_directory_is_the_root_of_the_snapshot(aml: Aml, project: Path) -> None:
    (project / "src").mkdir()
    (project / "src" / "main.py").write_text("import os\nprint(sorted(os.listdir()))\n")
    for line in (["src/main.py"], ["main.py"]):
        outcome = aml("submit", "--source-directory", "src", "--wait", *line)
        assert outcome.code == 0 and "main.py" in outcome.out and "train.py" not in outcome.out
    outcome = aml("submit", "--wait", project / "src" / "main.py")
    assert outcome.code == 0 and "train.py" not in outcome.out


@pytest.mark.parametrize(("text", "size"), [("0", 0), ("512MB", 512 * 10**6), ("4g", 4 * 10**9), ("1.5GiB", 3 * 2**29)])
def test_sizes(text: str, size: int) -> None:
    assert bytes_of(text) == size


def test_a_wrong_size_is_refused() -> None:
    with pytest.raises(UserErrorException, match="a size such as"):
        bytes_of("4 apples")


def test_a_run_configuration_may_name_a_command_alone(aml: Aml, project: Path) -> None:
    (project / ".azureml").mkdir()
    (project / ".azureml" / "say.runconfig").write_text("command: echo from the command\ncolour: blue\n")
    outcome = aml("submit", "--wait", "-c", "say")
    assert outcome.code == 0 and "from the command" in outcome.out


def test_a_note_is_said_once(project: Path) -> None:
    (project / ".azureml").mkdir()
    (project / ".azureml" / "odd.runconfig").write_text("script: train.py\ncolour: blue\n")
    entry = "import sys; from aml_jupyter.cli.main import entry; sys.exit(entry())"
    words = [sys.executable, "-c", entry, "submit", "-c", "odd"]
    assert subprocess.run(words, stderr=subprocess.PIPE, text=True, check=True).stderr.count("colour") == 1


def test_packages_that_the_line_names_are_there_in_the_run(
    aml: Aml, folder: WorkspaceFolder, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    for version in ("1.0", "2.0"):
        make_wheel(tmp_path / "wheels", "tiny", version)
    make_wheel(tmp_path / "wheels", "other", "1.0")
    (project / "use.py").write_text("import tiny, other\nprint('has', tiny.__version__, other.__version__)\n")
    (project / ".azureml").mkdir()
    (project / ".azureml" / "old.runconfig").write_text(
        "environment:\n  name: old\n  python:\n    condaDependencies:\n      dependencies:\n      - pip:\n"
        f"        - --no-index\n        - --find-links {tmp_path / 'wheels'}\n        - tiny==1.0\n"
    )
    outcome = aml("submit", "-c", "old", "--pip", "tiny==2.0 other", "--wait", "use.py")
    assert outcome.code == 0 and "has 2.0 1.0" in outcome.out, outcome.err
    refused = aml("submit", "--environment", "odl", "use.py")
    assert refused.code == 2 and "did you mean old" in refused.err
    assert len(find_runs(folder.store.read())) == 1


def test_an_image_that_the_line_names_is_the_runs_container(
    aml: Aml, project: Path, tmp_path: Path, engine: Engine
) -> None:
    make_wheel(tmp_path / "wheels", "tiny", "1.0")
    (project / "where.py").write_text("import sys\nprint('runs in', sys.prefix)\n")
    plain = aml("submit", "--image", PYTHON_IMAGE, "--wait", "where.py")
    assert plain.code == 0 and "runs in /usr/local" in plain.out, plain.err
    (project / "use.py").write_text("import sys, tiny\nprint('has', tiny.__version__, 'in', sys.prefix)\n")
    options = ("--pip", f"--find-links {tmp_path / 'wheels'}", "--pip", "tiny")
    layered = aml("submit", "--image", PYTHON_IMAGE, *options, "--wait", "use.py")
    assert layered.code == 0 and "has 1.0 in" in layered.out, layered.err
