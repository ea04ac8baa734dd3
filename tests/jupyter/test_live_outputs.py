"""Outputs that follow their runs."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.jupyter import live
from aml_jupyter.jupyter.live import LiveOutput, LiveOutputs
from aml_jupyter.service import SubmitRequest, submit, wait_for_run
from aml_jupyter.views import as_text, run_view
from aml_jupyter.workspace import WorkspaceFolder


class Screen:
    """What a front end shows: the newest output for each display id."""

    def __init__(self) -> None:
        self.shown: dict[str, list[str]] = {}
        self.changed = threading.Condition()

    def send(self, bundle: dict[str, str], display_id: str) -> None:
        with self.changed:
            self.shown.setdefault(display_id, []).append(bundle["text/plain"])
            self.changed.notify_all()

    def wait_for(self, display_id: str, word: str) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: any(word in text for text in self.shown.get(display_id, [])), 60)


def follow(outputs: LiveOutputs, folder: WorkspaceFolder, run_id: str, screen: Screen) -> LiveOutput:
    output = LiveOutput(folder, run_id, lambda: {"text/plain": as_text(run_view(folder, run_id))}, screen.send)
    outputs.follow(output)
    return output


def test_an_output_changes_with_its_run_and_ends_with_it(folder: WorkspaceFolder, project: Path) -> None:
    (project / "train.py").write_text(
        "import os, time\nprint('first line')\n"
        "while not os.path.exists('../../../../../go'): time.sleep(0.01)\nprint('last line')\n"
    )
    run = submit(folder, SubmitRequest(ScriptRunConfig(str(project), "train.py"), "tests")).run
    outputs, screen = LiveOutputs(), Screen()
    output = follow(outputs, folder, run.id, screen)
    screen.wait_for(output.display_id, "first line")
    Path(folder.root, "go").touch()
    wait_for_run(folder, run.id, 60)
    screen.wait_for(output.display_id, "Completed")
    assert "last line" in screen.shown[output.display_id][-1]
    _ends(outputs)


def test_a_settled_run_is_shown_a_last_time_from_the_callers_thread(folder: WorkspaceFolder, project: Path) -> None:
    (project / "train.py").write_text("pass")
    run = submit(folder, SubmitRequest(ScriptRunConfig(str(project), "train.py"), "tests")).run
    outputs, screen = LiveOutputs(), Screen()
    output = follow(outputs, folder, run.id, screen)
    wait_for_run(folder, run.id, 60)
    outputs.settle(run.id)
    assert "Completed" in screen.shown[output.display_id][-1]
    assert outputs.count == 0


def test_the_time_of_a_silent_run_goes_on(
    folder: WorkspaceFolder, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "AT_LEAST_EVERY", 0.5)
    (project / "train.py").write_text("import time; print('up', flush=True); time.sleep(60)")
    run = submit(folder, SubmitRequest(ScriptRunConfig(str(project), "train.py"), "tests")).run
    outputs, screen = LiveOutputs(), Screen()
    output = follow(outputs, folder, run.id, screen)
    screen.wait_for(output.display_id, "node")
    screen.wait_for(output.display_id, " 2.")
    _cancel(folder, run.id)
    screen.wait_for(output.display_id, "Canceled")
    _ends(outputs)


def test_nothing_is_sent_while_nothing_happens(folder: WorkspaceFolder, project: Path) -> None:
    (project / "train.py").write_text("import time; print('up'); time.sleep(60)")
    run = submit(folder, SubmitRequest(ScriptRunConfig(str(project), "train.py"), "tests")).run
    wait_for_run(folder, run.id, 0.1)
    outputs, screen = LiveOutputs(), Screen()
    output = follow(outputs, folder, run.id, screen)
    screen.wait_for(output.display_id, "up")
    before = len(screen.shown[output.display_id])
    assert not threading.Event().wait(1.0)
    assert len(screen.shown[output.display_id]) - before <= 1
    _cancel(folder, run.id)
    screen.wait_for(output.display_id, "Canceled")
    _ends(outputs)


def _cancel(folder: WorkspaceFolder, run_id: str) -> None:
    from aml_jupyter.service import cancel_run

    cancel_run(folder, run_id)


def _ends(outputs: Any) -> None:
    for _ in range(200):
        if outputs.count == 0 and outputs._thread is None:
            return
        threading.Event().wait(0.05)
    raise AssertionError("the thread goes on after its last run has ended")
