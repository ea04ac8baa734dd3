"""``%aml``: the command line's words, in the notebook."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError

from aml_jupyter.service import wait_for_run
from aml_jupyter.workspace import WorkspaceFolder


def test_a_line_prints_what_the_terminal_would(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shell.user_ns["noun"] = "compute"
    shell.run_line_magic("aml", "$noun list --json")
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == ["local"]


def test_a_list_is_shown_as_a_table(shell: Any) -> None:
    shell.run_line_magic("aml", "compute list")
    shown = shell.display_pub.outputs[-1]["data"]
    assert "local" in shown["text/plain"]
    assert "<table" in shown["text/html"]


@pytest.mark.parametrize("with_kernel", [True, False])
def test_a_submitted_script_shows_its_handle(
    shell: Any, folder: WorkspaceFolder, project: Path, with_kernel: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "train.py").write_text("print('hello')")
    if with_kernel:
        shell.kernel = object()
    shell.run_line_magic("aml", "submit train.py")
    handle = shell.user_ns["_"]
    assert wait_for_run(folder, handle.id, 60).status == "Completed"
    shown = any(handle.id in output["data"].get("text/plain", "") for output in shell.display_pub.outputs)
    assert shown == with_kernel
    assert (handle.id in capsys.readouterr().out) != with_kernel


@pytest.mark.parametrize("line", ["nonsense", "run show nobody", "submit missing.py", "run 'list"])
def test_a_mistake_is_one_line(shell: Any, line: str) -> None:
    with pytest.raises(UsageError):
        shell.run_line_magic("aml", line)
