"""Completion of the magics' lines."""

from __future__ import annotations

from typing import Any

import pytest

from aml_jupyter.service import create_target
from aml_jupyter.workspace import WorkspaceFolder


def complete(shell: Any, text: str) -> list[str]:
    from IPython.core.completer import provisionalcompleter

    with provisionalcompleter():
        return [text[: found.start] + found.text for found in shell.Completer.completions(text, len(text))]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("%aml comp", "compute"),
        ("%aml compute sta", "start"),
        ("%aml compute start gpu", "gpu-box"),
        ("%aml submit --ta", "--target"),
        ("%aml submit -t gpu", "gpu-box"),
        ("%%aml_submit gpu", "gpu-box"),
        ("%%aml_submit gpu-box --wa", "--wait"),
        ("%aml environment show AmlJupyter-S", "AmlJupyter-Sklearn"),
        ("%%aml_submit --environment AmlJupyter-S", "AmlJupyter-Sklearn"),
    ],
)
def test_verbs_options_and_names_are_completed(shell: Any, folder: WorkspaceFolder, text: str, found: str) -> None:
    create_target(folder, "gpu-box", "computeinstance", {})
    assert text.rpartition(" ")[0] + " " + found in complete(shell, text)


def test_other_lines_are_left_alone(shell: Any) -> None:
    from aml_jupyter.jupyter.magics.completion import complete as matcher

    class Context:
        full_text, cursor_line, cursor_position = "x = aml sub", 0, 11

    assert matcher(Context)["completions"] == []


def test_unloading_takes_everything_out(shell: Any) -> None:
    shell.extension_manager.unload_extension("aml_jupyter")
    assert shell.find_line_magic("aml") is None
    assert shell.find_cell_magic("aml_submit") is None
    assert all(
        getattr(matcher, "matcher_identifier", "") != "aml_jupyter" for matcher in shell.Completer.custom_matchers
    )
