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


def test_a_password_of_2017_does_not_stay_in_the_history(
    folder: WorkspaceFolder, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    InteractiveShell.clear_instance()
    config = Config()
    config.HistoryManager.hist_file = str(tmp_path / "history.sqlite")
    shell = InteractiveShell.instance(config=config)
    shell.extension_manager.load_extension("aml_jupyter")
    line = "%aml computetarget attach --name box --type remotedocker --address 127.0.0.1:1 --username ml --password hunter22"
    before = "word = 'hunter22'"  # another line that has the word is the person's own
    try:
        shell.run_cell(before, store_history=True)
        shell.history_manager.writeout_cache()
        assert shell.run_cell(line, store_history=True).error_in_exec is not None
        shell.run_cell("after = _i", store_history=True)
        shell.history_manager.writeout_cache()
        kept = [
            *shell.user_ns["In"],
            *shell.history_manager.input_hist_raw,
            shell.user_ns["after"],
            shell.user_ns["_i2"],
        ]
        assert sum("hunter22" in each for each in kept) == 2, kept
        assert shell.user_ns["after"] == line.replace("hunter22", "***")
        rows = [row[2] for row in shell.history_manager.get_range(0, raw=True)]
        stored = [row[2] for row in shell.history_manager.get_tail(10, raw=True, include_latest=True)]
        assert [each for each in (*rows, *stored) if "hunter22" in each and "--password" in each] == []
        assert line.replace("hunter22", "***") in stored and before in stored
    finally:
        shell.history_manager.end_session()
        InteractiveShell.clear_instance()


@pytest.mark.parametrize("line", ["nonsense", "run show nobody", "submit missing.py", "run 'list"])
def test_a_mistake_is_one_line(shell: Any, line: str) -> None:
    with pytest.raises(UsageError):
        shell.run_line_magic("aml", line)
