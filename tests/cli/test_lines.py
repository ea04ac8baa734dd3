"""Mistakes are one line; options stand before or after the verb; help and start-up are cheap."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import aml_jupyter
from aml_jupyter.cli import build_parser
from aml_jupyter.cli.parser import Parser

from .conftest import Aml

HEAVY = ("IPython", "docker", "jupyter_server", "keyring", "numpy", "papermill", "paramiko", "ruamel", "zmq")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["runn", "list"], "did you mean run?"),
        (["run", "lst"], "did you mean list?"),
        (["run", "list", "--experment", "x"], "did you mean --experiment"),
        (["run", "list", "--status", "Complete"], "did you mean Completed?"),
        (["run", "list", "--last", "many"], "--last"),
        (["run", "list", "extra"], "'extra'"),
        (["run"], "what to do is missing"),
        ([], "what to do is missing"),
        (["run", "show"], "which run is missing"),
        (["run", "show", "nosuch"], "there is no run 'nosuch'"),
        (["submit"], "what to run is missing"),
        (["submit", "--wiat", "train.py"], "did you mean --wait?"),
        (["submit", "trian.py"], "did you mean train.py?"),
        (["submit", "-t", "gpu-bax", "train.py"], "gpu-bax"),
        (["submit", "-c", "dokcer", "train.py"], "dokcer"),
        (["submit", "--memory", "much", "train.py"], "512MB"),
        (["submit", "--tag", "novalue", "train.py"], "NAME=VALUE"),
        (["submit", "-p", "a=1", "train.py"], "-p is for notebooks"),
        (["submit", "--command", "make", "train.py"], "exclude each other"),
        (["compute", "create", "gpu-box"], "--type is missing"),
        (["compute", "create", "gpu-box", "--type", "computeinstanc"], "did you mean computeinstance?"),
        (["compute", "create", "x", "--type", "computeinstance"], "3 to 24"),
        (["compute", "attach", "box", "--type", "databricks"], "cannot be attached"),
        (["compute", "show", "nosuch"], "nosuch"),
        (["experiment", "create", "-n", "a b"], "a b"),
        (["snapshot", "nosuch"], "is not a folder"),
        (["run", "update", "last"], "there is no"),
        (["run", "logs", "-f", "--json", "last"], "exclude each other"),
    ],
)
def test_a_mistake_is_one_line_with_the_right_word(aml: Aml, words: list[str], said: str) -> None:
    if "-f" in words:
        assert aml("submit", "--wait", "train.py").code == 0
    outcome = aml(*words)
    assert outcome.code == 2
    assert outcome.out == ""
    assert said in outcome.err
    assert outcome.err.startswith("aml: ") and outcome.err.count("\n") == 1


def test_aml_debug_shows_where(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from aml_jupyter.cli.main import main

    monkeypatch.setenv("AML_DEBUG", "1")
    assert main(["run", "show", "nosuch"]) == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--json", "run", "list"], ["run", "--json", "list"], ["run", "list", "--json"]])
def test_json_and_workspace_stand_before_or_after_the_verb(aml: Aml, tmp_path: Path, words: list[str]) -> None:
    place = words.index("--json")
    other = tmp_path / "other"
    line = [*words[:place], "--workspace", str(other), *words[place:]]
    assert aml(*line).json == []
    assert (other / "workspace.json").is_file()
    assert not (tmp_path / "workspace").exists()


def test_version_and_help(aml: Aml) -> None:
    assert aml("--version").out == f"aml {aml_jupyter.__version__}\n"
    outcome = aml("run", "list", "--help")
    assert outcome.code == 0
    assert "--status" in outcome.out and "example" in outcome.out


def test_every_verb_has_a_line_of_help_and_an_example() -> None:
    def leaves(parser: Parser) -> list[Parser]:
        children = parser.children().values()
        return [leaf for child in children for leaf in leaves(child)] if children else [parser]

    found = leaves(build_parser())
    assert len(found) > 30
    for parser in found:
        assert parser.description, parser.prog
        assert "  aml " in (parser.epilog or ""), parser.prog
        for line in (parser.epilog or "").splitlines()[1:]:
            said = re.search(r"\baml ([^)>#]*)", line)  # it may stand in a line for the shell
            assert said and build_parser().parse_known_args(said[1].split()), line


@pytest.mark.parametrize("line", ["--help", "run list", "run show last", "--version"])
def test_start_up_imports_nothing_heavy(aml: Aml, line: str) -> None:
    if "last" in line:
        assert aml("submit", "--wait", "train.py").code == 0
    program = (
        "import sys\nfrom aml_jupyter.cli.main import main\n"
        f"code = main({line.split()!r})\n"
        "print('loaded:', sorted({name.split('.')[0] for name in sys.modules} & set("
        f"{HEAVY!r})), file=sys.stderr)\nsys.exit(code)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert "loaded: []" in ended.stderr


def test_a_closed_pipe_ends_quietly(aml: Aml) -> None:
    (Path.cwd() / "much.py").write_text(
        "print('x' * 99 + '\\n', end='' )\n" * 1 + "print(('y' * 99 + '\\n') * 20000)\n"
    )
    assert aml("submit", "--wait", "much.py").code == 0
    program = "import sys; from aml_jupyter.cli.main import entry; sys.exit(entry())"
    command = f"'{sys.executable}' -c '{program}' run logs last | head -1"
    ended = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.startswith("xxx")
    assert ended.stderr == ""


def test_a_terminal_that_is_not_utf_8_is_no_reason_to_fail(aml: Aml) -> None:
    assert aml("submit", "--wait", "--name", "手書き数字", "train.py").code == 0
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    program = "import sys; from aml_jupyter.cli.main import entry; sys.exit(entry())"
    for words in (["show", "last"], ["list"], ["show", "last", "--json"]):
        ended = subprocess.run(
            [sys.executable, "-c", program, "run", *words], capture_output=True, timeout=60, env=environment
        )
        assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["display_name"] == "手書き数字"
