"""Lines that nobody means: one line that says what is wrong, and nothing queued."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from aml_jupyter.workspace import WorkspaceFolder, find_runs

from .conftest import Aml


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["submit", ""], "what to run is missing"),
        (["submit", "/"], "folder"),
        (["submit", "x" * 300 + ".py"], "File name too long"),
        (["submit", "x" * 300 + ".ipynb"], "File name too long"),
        (["submit", "a\0b.py"], "null"),
        (["submit", "~nobody-here/train.py"], "script path doesn't exist"),
        (["submit", "train.py/inside.py"], "Not a directory"),
        (["submit", "-e", "", "train.py"], "-e ''"),
        (["submit", "-t", "", "train.py"], "-t ''"),
        (["submit", "-c", "", "train.py"], "-c ''"),
        (["submit", "-c", "x" * 300, "train.py"], "RunConfiguration"),
        (["submit", "--command", ""], "--command ''"),
        (["submit", "--command", " "], "--command ' '"),
        (["submit", "--name", "é" * 257, "train.py"], "display name"),
        (["submit", "--source-directory", "a\0b", "train.py"], "NUL"),
        (["run", "wait", "last", "--timeout", "-1"], "--timeout -1"),
        (["run", "wait", "last", "--timeout", "nan"], "--timeout nan"),
        (["run", "logs", "last", "--tail", "-1"], "--tail -1"),
        (["submit", "--source-directory", "train.py", "train.py"], "a file"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_queued(
    aml: Aml, folder: WorkspaceFolder, words: list[str], said: str
) -> None:
    outcome = aml(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err and outcome.err.count("\n") == 1 and len(outcome.err) < 700
    assert find_runs(folder.store.read()) == []


def test_after_two_dashes_a_script_may_begin_with_one(aml: Aml, project: Path) -> None:
    (project / "-dash.py").write_text("print('ran')")
    assert aml("submit", "-dash.py").code == 2
    outcome = aml("submit", "--wait", "--", "-dash.py")
    assert (outcome.code, outcome.out.splitlines()[1:]) == (0, ["ran"])


def test_the_log_is_shown_before_the_end_is_told(project: Path, folder: WorkspaceFolder) -> None:
    entry = "import sys; from aml_jupyter.cli.main import entry; sys.exit(entry())"
    words = ["submit", "--wait", "train.py"]
    said = subprocess.run(
        [sys.executable, "-c", entry, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
    ).stdout
    assert said.index("arguments") < said.index("Completed")


def test_one_file_that_cannot_be_read_does_not_keep_the_others(aml: Aml, project: Path, tmp_path: Path) -> None:
    (project / "two.py").write_text("for name in 'ab': open(f'outputs/{name}', 'w').write(name)")
    assert aml("submit", "--wait", "two.py").code == 0
    listed = aml("run", "show", "last", "--json").json
    place = tmp_path / "workspace" / "runs" / listed["id"] / "attempts" / "1" / "work" / "outputs" / "a"
    place.unlink()
    outcome = aml("run", "download", "last", "-d", tmp_path / "fetched")
    assert outcome.code == 1 and "outputs/a" in outcome.err
    assert (tmp_path / "fetched" / "outputs" / "b").read_text() == "b"


@pytest.mark.parametrize(
    ("script", "rules", "rule"),
    [
        ("train.py", "*.py\n", ".amlignore:1: *.py"),
        ("venv/train.py", "", "pyvenv.cfg"),
        (".git/train.py", "", "built in: .git"),
        ("sub/deep/train.py", "# ours\nsub/\n", ".amlignore:2: sub/"),
    ],
)
def test_a_script_that_stays_out_of_the_snapshot_is_refused(
    aml: Aml, folder: WorkspaceFolder, project: Path, script: str, rules: str, rule: str
) -> None:
    (project / script).parent.mkdir(parents=True, exist_ok=True)
    (project / script).touch()
    if script.startswith("venv"):
        (project / "venv" / "pyvenv.cfg").touch()
    (project / ".amlignore").write_text(rules)
    outcome = aml("submit", script)
    assert outcome.code == 2 and rule in outcome.err and script in outcome.err
    assert find_runs(folder.store.read()) == []


def test_the_whole_machine_is_no_source_directory(aml: Aml) -> None:
    outcome = aml("submit", "--source-directory", "/", "--command", "true")
    assert outcome.code == 2 and "whole file system" in outcome.err


def test_a_folder_that_was_deleted_is_told(aml: Aml, project: Path) -> None:
    (project / "train.py").unlink()
    project.rmdir()
    for words in (["submit", "train.py"], ["snapshot"]):
        outcome = aml(*words)
        assert outcome.code == 2 and "does not exist any more" in outcome.err
    assert aml("run", "list").code == 0


@pytest.mark.skipif(shutil.which("setpriv") is None or os.geteuid() != 0, reason="rights are dropped with setpriv")
def test_what_cannot_be_read_or_written_is_told(folder: WorkspaceFolder, project: Path) -> None:
    entry = "import sys; from aml_jupyter.cli.main import entry; sys.exit(entry())"
    rights = "-dac_override,-dac_read_search"
    words = [
        "setpriv",
        f"--bounding-set={rights}",
        f"--inh-caps={rights}",
        sys.executable,
        "-c",
        entry,
        "submit",
        "train.py",
    ]
    (project / "train.py").chmod(0)
    said = subprocess.run(words, stderr=subprocess.PIPE, text=True)
    assert said.returncode == 2 and "train.py cannot be read" in said.stderr
    (project / "train.py").chmod(0o600)
    folder.layout.runs.chmod(0o500)
    said = subprocess.run(words, stderr=subprocess.PIPE, text=True)
    assert said.returncode == 1 and "You may not write there" in said.stderr
    folder.layout.runs.chmod(0o700)


def test_ctrl_c_at_any_time_says_one_line(folder: WorkspaceFolder, project: Path) -> None:
    entry = "import sys; from aml_jupyter.cli.main import entry; print(flush=True); sys.exit(entry())"
    known = set()
    for milliseconds in range(30, 330, 30):
        process = subprocess.Popen(
            [sys.executable, "-c", entry, "submit", "train.py"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        process.stdout.readline()
        with suppress(subprocess.TimeoutExpired):
            process.wait(milliseconds / 1000)
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=20)
        assert process.returncode in (0, 130, -signal.SIGINT) and "Traceback" not in said, said
        queued = {run.id for run in find_runs(folder.store.read())} - known
        assert len(queued) <= 1 and all(run in out + said for run in queued), "who interrupts is told what is queued"
        known |= queued


def test_a_tail_may_be_longer_than_the_log(aml: Aml) -> None:
    aml("submit", "--wait", "train.py", "x")
    assert aml("run", "logs", "last", "--tail", "99999999999999").out == "arguments ['x']\n"


def test_a_run_that_is_submitted_again_has_its_own_default_name(aml: Aml) -> None:
    aml("submit", "--wait", "train.py")
    assert aml("run", "resubmit", "last", "--wait").code == 0
    shown = aml("run", "show", "last", "--json").json
    assert shown["display_name"] == f"run_{shown['id']}"


def test_closed_streams_are_no_trouble(folder: WorkspaceFolder, project: Path) -> None:
    entry = "import sys; from aml_jupyter.cli.main import entry; sys.exit(entry())"
    for line, code in (("run list >&-", 0), ("bogus 2>&-", 2), ("submit --wait train.py <&- >&- 2>&-", 0)):
        shell = f'exec "$0" -c "{entry}" {line}'
        done = subprocess.run(["/bin/sh", "-c", shell, sys.executable], capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


def test_a_setting_that_is_no_number_does_not_stop_the_queue(aml: Aml, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AML_SERVICE_LINGER", "soon")
    assert aml("submit", "--wait", "train.py").code == 0


def test_a_workspace_that_a_slip_has_made_is_said(aml: Aml, tmp_path: Path) -> None:
    place = tmp_path / "typo"
    first = aml("run", "list", "--workspace", str(place))
    assert first.code == 0 and f"note: there was no workspace in {place}; a new one was made" in first.err
    assert "there was no workspace" not in aml("run", "list", "--workspace", str(place)).err


def test_a_curated_environment_stays(aml: Aml) -> None:
    refused = aml("environment", "delete", "AmlJupyter-Minimal")
    assert refused.code == 2 and "AmlJupyter-Minimal is curated" in refused.err


def test_a_type_that_cannot_be_made_is_refused_before_its_name(aml: Aml) -> None:
    assert "retired on 29 February 2024" in aml("compute", "create", "x", "--type", "adla").err
    assert "has 1 character;" in aml("compute", "create", "x", "--type", "computeinstance").err
