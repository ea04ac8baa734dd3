"""A file is submitted from the file browser's menu; the page speaks Japanese to who has chosen that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from browser_pages import TOKEN, Watch, shoot
from jupyter_process import JupyterProcess

from aml_jupyter.workspace import WorkspaceFolder, find_runs


@pytest.mark.parametrize(
    ("locale", "entry", "button"),
    [("", "Submit as a run ...", "submit"), ("ja_JP", "実行として送信...", "送信")],
)
def test_a_file_is_submitted_from_the_file_browser(
    page: Any, lab: JupyterProcess, folder: WorkspaceFolder, project: Path, locale: str, entry: str, button: str
) -> None:
    watch = Watch(page, lab)
    if locale:
        settings = lab.home / "lab-settings" / "@jupyterlab" / "translation-extension" / "plugin.jupyterlab-settings"
        settings.parent.mkdir(parents=True)
        settings.write_text(f'{{"locale": "{locale}"}}')
    (project / "work.py").write_text("print('from the file browser')\n")
    page.goto(f"{lab.url}lab/workspaces/test?token={TOKEN}&reset")
    page.locator(".jp-Launcher").wait_for()
    page.locator("#jupyterlab-splash").wait_for(state="detached")
    page.locator(".jp-DirListing-item", has_text="work.py").click(button="right")
    page.get_by_role("menuitem", name=entry).click()
    dialog = page.locator(".jp-Dialog")
    dialog.get_by_role("button", name=button, exact=True).click()
    page.locator(".aml-whole[data-state=Completed]").wait_for()
    shoot(page, f"file-browser{locale and '-'}{locale}")
    [run] = find_runs(folder.store.read())
    assert (run.definition["script"], run.status) == ("work.py", "Completed")
    assert (watch.errors, watch.foreign) == ([], [])
