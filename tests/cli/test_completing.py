"""Completion of `aml` lines, in the real shells on a terminal and by what it may cost."""

from __future__ import annotations

import json
import marshal
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
from debian_packages import need_packages

from aml_jupyter.cli.completing.quick import split_line
from aml_jupyter.cli.completing.shape import kept_shape
from aml_jupyter.cli.completing.words import next_words, words_of_kind
from aml_jupyter.config import RunConfiguration
from aml_jupyter.config.run_config_files import config_folder, names_in
from aml_jupyter.service import create_target
from aml_jupyter.workspace import WorkspaceFolder, create_experiment, find_workspace, insert_run
from aml_jupyter.workspace.locate import user_data_path, workspace_root

AML = Path(sys.executable).with_name("aml")
RUNS = ("seeds_1700000000_00000001", "seeds_1700000000_00000002", "digits_1700000000_0000000a")
SHELLS = {
    "bash": ["--norc", "--noprofile", "-i"],
    "zsh": ["-f", "-i"],
    "fish": ["--no-config", "-i"],
}


@pytest.fixture
def project(folder: WorkspaceFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a workspace that has one of each, and files to submit."""
    monkeypatch.setenv("AML_WORKSPACE", str(folder.root))
    create_target(folder, "gpu-box", "computeinstance", {})
    with folder.store.transaction() as tx:
        create_experiment(tx, "mnist-2")
        for run in RUNS:
            insert_run(
                tx, {"id": run, "experiment": run.split("_")[0], "kind": "script"}, status="Running", in_process=True
            )
    path = tmp_path / "project"
    path.mkdir()
    monkeypatch.chdir(path)
    (path / "training script.py").write_text("")
    RunConfiguration().save(str(path), "slowly.runconfig")
    return path


class Terminal:
    """A shell on a terminal, in which a person types."""

    def __init__(self, shell: str, home: Path) -> None:
        self.shell = shell
        home.mkdir(exist_ok=True)
        environment = {
            **os.environ,
            "HOME": str(home),
            "PATH": f"{AML.parent}:{os.environ['PATH']}",
            "TERM": "dumb",
            "PS1": "$ ",
        }
        environment |= {
            "XDG_CONFIG_HOME": str(home),
            "XDG_DATA_HOME": str(home),
            "ZDOTDIR": str(home),
            "LC_ALL": "C.UTF-8",
        }
        program = shutil.which(shell)
        assert program is not None
        self.child = pexpect.spawn(
            program, SHELLS[shell], env=environment, encoding="utf-8", timeout=60, dimensions=(50, 200)
        )
        self.child.delaybeforesend = 0.1
        source = f'eval "$(aml completion {shell})"' if shell != "fish" else "aml completion fish | source"
        if shell == "zsh":
            source = f"unsetopt promptcr promptsp; autoload -Uz compinit; compinit -u -D; {source}"
        self.child.sendline(f"{source}; echo rea''dy")
        self.child.expect("ready")

    def completed(self, typed: str, expected: str) -> str:
        """Type, press Tab until `expected` is on the screen, and return the line that the shell would carry out."""
        self.child.send(typed)
        self.child.send("\t")
        self.child.expect_exact(expected)
        self.child.send("\x01echo 'LINE:' \x05 :END\r")
        self.child.expect(r"\nLINE: ([^\r\n]*) :END")
        return " ".join(self.child.match[1].split())

    def listed(self, typed: str, *expected: str) -> None:
        """Type, press Tab until the shell lists what may follow, and see that all of `expected` are shown."""
        self.child.send(typed)
        for _ in range(3):  # bash: what they have in common, a bell, the list
            self.child.send("\t")
        left = list(expected)
        while left:
            left.pop(self.child.expect_exact(left))
        self.child.send("\x03")
        self.child.sendline("echo on''ward")
        self.child.expect("onward")

    def close(self) -> None:
        self.child.close(force=True)


@pytest.fixture(params=list(SHELLS))
def terminal(request: pytest.FixtureRequest, project: Path, tmp_path: Path) -> Iterator[Terminal]:
    need_packages(**{request.param: request.param})
    opened = Terminal(request.param, tmp_path / "home")
    yield opened
    opened.close()


def test_a_real_shell_completes(terminal: Terminal) -> None:
    for typed, expected in (
        ("aml compute sta", "aml compute start"),
        ("aml run list --sta", "aml run list --status"),
        ("aml run list --status Comp", "aml run list --status Completed"),
        ("aml submit --target gpu", "aml submit --target gpu-box"),
        ("aml experiment submit -t gpu", "aml experiment submit -t gpu-box"),
        ("aml submit -e mn", "aml submit -e mnist-2"),
        ("aml submit -c slo", "aml submit -c slowly"),
        ("aml run show dig", f"aml run show {RUNS[2]}"),
        ("aml submit trai", "aml submit training script.py"),
        ("aml completion f", "aml completion fish"),
    ):
        assert terminal.completed(typed, expected.split()[-1]) == expected
    if terminal.shell != "fish":  # on a terminal that can do nothing it has no list
        terminal.listed("aml run show seeds_", RUNS[0], RUNS[1])


def test_after_an_equals_sign_bash_puts_the_value_alone(project: Path, tmp_path: Path) -> None:
    terminal = Terminal("bash", tmp_path / "home")
    try:
        assert terminal.completed("aml run list --target=gpu", "gpu-box") == "aml run list --target=gpu-box"
    finally:
        terminal.close()


def _offered(*words: str) -> list[str]:
    return list(next_words(kept_shape(), words[:-1], words[-1]).found)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        (("",), "submit"),
        (("computetarget", "sta"), "start"),
        (("run", "show", ""), "last"),
        (("run", "compare", RUNS[0], "digits"), RUNS[2]),
        (("runconfiguration", "show", ""), "slowly"),
        (("compute", "create", "--type", "comp"), "computeinstance"),
        (("environment", "show", "AmlJupyter-S"), "AmlJupyter-Sklearn"),
        (("submit", "--environment", "AmlJupyter-S"), "AmlJupyter-Sklearn"),
        (("run", "list", "--target=gp"), "--target=gpu-box"),
        (("run", "submit-hyperdrive", "--hyper"), "--hyperdrive-configuration-name"),
    ],
)
def test_what_may_stand_next(project: Path, line: tuple[str, ...], offered: str) -> None:
    assert offered in _offered(*line)


def test_nothing_of_ours_is_offered_where_it_has_no_place(project: Path) -> None:
    assert _offered("submit", "train.py", "--ta") == []
    assert next_words(kept_shape(), ["submit", "train.py"], "").also == "files"
    assert _offered("compute", "create", "gp") == []
    assert _offered("run", "show", RUNS[0], "dig") == []
    assert _offered("--workspace", "/nowhere", "run", "show", "") == []


def test_run_configurations_are_those_that_are_found(project: Path) -> None:
    (project / ".azureml/bare").write_text("script: x.py\n")
    (project / ".azureml/conda.yml").write_text("{}\n")
    assert sorted(words_of_kind("run configurations", "")) == names_in(config_folder(project)) == ["bare", "slowly"]


def test_the_shape_is_made_anew_when_commands_have_changed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = kept_shape()
    (kept,) = Path(user_data_path()).glob("completion-*.bin")
    kept.write_bytes(marshal.dumps({**shape, "verbs": {"kept": {}}}))
    assert list(kept_shape()["verbs"]) == ["kept"]
    for broken in (marshal.dumps({**shape, "key": "old"}), b"", b"{", marshal.dumps([1])):
        kept.write_bytes(broken)
        assert kept_shape() == shape


def test_a_completion_imports_next_to_nothing(project: Path) -> None:
    """Each of these would take a good part of the 50 ms that a completion has."""
    kept_shape()
    program = (
        "import sys; sys.argv = ['aml', '--complete', 'fish', 'run', 'show', 'dig']; from aml_jupyter.cli.main import entry; "
        "entry(); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], capture_output=True, text=True, check=True, env=_with_path()
    )
    assert done.stdout.split()[0] == RUNS[2]
    heavy = {
        "argparse",
        "typing",
        "dataclasses",
        "pathlib",
        "inspect",
        "platformdirs",
        "json",
        "re",
        "aml_jupyter.cli.tree",
    }
    assert not heavy & set(done.stderr.split())


def _with_path() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


@pytest.mark.parametrize("how", ["variable", "name", "config.json", "project.json", "default", "nothing"])
def test_the_workspace_is_the_one_that_commands_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    place = tmp_path / "some/where"
    place.mkdir(parents=True)
    monkeypatch.chdir(place)
    if how == "nothing":
        assert workspace_root() is None and workspace_root("nobody") is None
        return
    choice = None
    if how == "variable":
        monkeypatch.setenv("AML_WORKSPACE", str(tmp_path / "one"))
    elif how == "name":
        find_workspace(tmp_path / "two").close()
        choice = "two"
    elif how == "config.json":
        (tmp_path / "some/.azureml").mkdir()
        (tmp_path / "some/.azureml/config.json").write_text('{"workspace_name": "three"}')
    elif how == "project.json":
        scope = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/four"
        (tmp_path / "some/aml_config").mkdir()
        (tmp_path / "some/aml_config/project.json").write_text(json.dumps({"Id": "x", "Scope": scope}))
    opened = find_workspace(choice)
    opened.close()
    assert workspace_root(choice) == str(opened.root)


def test_the_users_folder_is_platformdirs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import platformdirs

    monkeypatch.delenv("AML_USER_DATA")
    for value in (None, "", str(tmp_path / "x")):
        if value is None:
            monkeypatch.delenv("XDG_DATA_HOME", raising=False)
        else:
            monkeypatch.setenv("XDG_DATA_HOME", value)
        assert user_data_path() == platformdirs.user_data_dir("aml-jupyter", appauthor=False)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("aml run ", ["aml", "run", ""]),
        ("aml submit 'a b", ["aml", "submit", "a b"]),
        ('aml submit "a \\"b" c', ["aml", "submit", 'a "b', "c"]),
        ("aml a\\ b", ["aml", "a b"]),
        ("aml '' x", ["aml", "", "x"]),
    ],
)
def test_a_line_is_split_as_bash_does(line: str, words: list[str]) -> None:
    assert split_line(line) == words


def test_an_unknown_shell_is_refused(capsys: Any) -> None:
    from aml_jupyter.cli.main import main

    assert main(["completion", "tcsh"]) == 2
    assert "tcsh" in capsys.readouterr().err
