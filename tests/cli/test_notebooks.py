from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aml_jupyter.cli.notebooks import check_parameters, known_parameters, typed_value
from aml_jupyter.errors import UserErrorException
from aml_jupyter.workspace import WorkspaceFolder, find_runs

from .conftest import Aml


def notebook(*cells: tuple[list[str], str], language: str = "python") -> dict[str, Any]:
    return {
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "metadata": {"tags": tags},
                "source": source.splitlines(keepends=True),
                "execution_count": None,
                "outputs": [],
            }
            for number, (tags, source) in enumerate(cells)
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": language}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


PARAMETERS = (["parameters"], "alpha = 0.5\nname: str = 'x'\na = b = 1\n# comment\n%precision 3\n")


@pytest.fixture
def train(project: Path) -> Path:
    path = project / "train.ipynb"
    path.write_text(json.dumps(notebook(PARAMETERS, ([], "print('alpha is', alpha)"))))
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", 0.1), ("1e-3", 0.001), ("7", 7), ("True", True), ("false", False), ("None", None), ("null", None),
        ("adam", "adam"), ("1.2.3", "1.2.3"), ("2020-01-01", "2020-01-01"), ("yes", "yes"), ("", ""),
        ("[1, 2.5, a]", [1, 2.5, "a"]), ("{a: 1}", {"a": 1}), ("[broken", "[broken"),
    ],
)  # fmt: skip
def test_values_are_typed(text: str, value: object) -> None:
    found = typed_value(text)
    assert found == value and type(found) is type(value)


def test_parameters_are_what_the_cell_sets() -> None:
    assert known_parameters(notebook(PARAMETERS)) == ["alpha", "name", "a", "b"]
    assert known_parameters(notebook(([], "alpha = 1"))) == []
    assert known_parameters(notebook((["parameters"], "alpha <- 1"), language="R")) is None


def test_an_unknown_parameter_is_refused_before_anything_is_queued(
    aml: Aml, train: Path, folder: WorkspaceFolder
) -> None:
    outcome = aml("submit", "train.ipynb", "-p", "alpah=0.1")
    assert outcome.code == 2
    assert "did you mean alpha?" in outcome.err and "name" in outcome.err
    assert find_runs(folder.store.read()) == []


def test_a_notebook_without_the_tag_has_no_parameters(project: Path) -> None:
    path = project / "plain.ipynb"
    path.write_text(json.dumps(notebook(([], "alpha = 1"))))
    check_parameters(path, [])
    with pytest.raises(UserErrorException, match="tag 'parameters'"):
        check_parameters(path, ["alpha"])


@pytest.mark.parametrize("text", ["not json", "[]", '{"cells": 1}'])
def test_what_is_no_notebook_is_said(project: Path, text: str) -> None:
    path = project / "broken.ipynb"
    path.write_text(text)
    with pytest.raises(UserErrorException, match="notebook"):
        check_parameters(path, [])


def test_options_may_follow_a_notebook(aml: Aml, train: Path) -> None:
    outcome = aml("submit", "train.ipynb", "-p", "alpha=0.25", "--wait", "--json")
    assert outcome.code == 0, outcome.out
    assert outcome.json["parameters"] == {"alpha": 0.25} and outcome.json["kind"] == "notebook"
    assert "alpha is 0.25" in "\n".join(outcome.json["log_tail"])
    assert "outputs/train.ipynb" in [entry["name"] for entry in outcome.json["outputs"]]


@pytest.mark.parametrize("words", [["stray"], ["-p", "novalue"], ["--parametr", "a=1"]])
def test_a_notebook_takes_no_arguments(aml: Aml, train: Path, words: list[str]) -> None:
    assert aml("submit", "train.ipynb", *words).code == 2


def test_a_failing_cell_is_the_runs_error(aml: Aml, project: Path) -> None:
    failing = notebook(PARAMETERS, ([], "raise ValueError('boom')"), ([], "print('never')"))
    (project / "train.ipynb").write_text(json.dumps(failing))
    outcome = aml("submit", "train.ipynb", "--wait", "--json")
    assert outcome.code == 1
    error = outcome.json["error"]
    assert error["message"].startswith("cell 2 of the notebook failed: ValueError: boom")
    assert "ValueError: boom" in error["trace"] and "ValueError: boom" in error["log_tail"]
    assert "outputs/train.ipynb" in [entry["name"] for entry in outcome.json["outputs"]]
