"""What the browser tests share: notebooks, cells, pictures, and what a page may not do."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jupyter_process import TOKEN, JupyterProcess


def write_notebook(path: Path, cells: list[str], kernel: str = "python3") -> None:
    """Write a notebook of code cells for a kernel."""
    written = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "outputs": [], "execution_count": None, "source": text}
        for n, text in enumerate(cells)
    ]
    metadata = {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}}
    path.write_text(json.dumps({"cells": written, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}))


def open_notebook(page: Any, server: JupyterProcess, notebook: str) -> Any:
    """Open a notebook in JupyterLab or Notebook 7, wait for its kernel, and return its panel."""
    if server.application == "notebook":
        page.goto(f"{server.url}notebooks/{notebook}?token={TOKEN}")
    else:
        page.goto(f"{server.url}lab/workspaces/test/tree/{notebook}?token={TOKEN}&reset")
    panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    panel.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for()
    return panel


def open_panel(page: Any, server: JupyterProcess) -> Any:
    """Open JupyterLab without documents, and return the panel in its sidebar, once what JupyterLab itself opens is there."""
    page.goto(f"{server.url}lab/workspaces/test?token={TOKEN}&reset")
    page.locator(".jp-Launcher").wait_for()  # before that, the sidebar is closed and the focus taken by what starts up
    page.locator("#jupyterlab-splash").wait_for(state="detached")
    page.locator('.jp-SideBar [data-id="aml-panel"]').click()
    side = page.locator("#aml-panel")
    side.wait_for()
    return side


def steps_of(view: Any) -> int:
    """Return how many values the first chart says that it has."""
    found = re.search(r"\(([\d,]+), ", view.locator(".aml-caption").first.inner_text())
    return int(found.group(1).replace(",", "")) if found else 0


def run_cell(page: Any, panel: Any, number: int) -> Any:
    """Press Ctrl+Enter in a cell, again if the kernel did not take the first one, and return the cell."""
    cell = panel.locator(".jp-CodeCell").nth(number)
    cell.locator(".cm-content").click()
    for _ in range(3):
        page.keyboard.press("Control+Enter")
        try:
            page.wait_for_function(
                "n => /\\[[*\\d]+\\]/.test(document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')[n].textContent)",
                arg=number,
                timeout=5_000,
            )
            return cell
        except Exception:
            continue
    raise AssertionError("the cell was not executed")


def save(page: Any, notebook: Path, word: str) -> None:
    """Save the open notebook, and wait until its file holds `word`."""
    for _ in range(100):
        page.keyboard.press("Control+s")
        if word in notebook.read_text():
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"{notebook.name} was saved without {word}")


def shoot(page: Any, name: str) -> None:
    """Keep a picture for people who look: in AML_SCREENSHOTS, if it is set."""
    where = os.environ.get("AML_SCREENSHOTS")
    if where:
        page.screenshot(path=f"{where}/{name}.png")


class Watch:
    """Note what a page asks of whom, and what goes wrong in it."""

    def __init__(self, page: Any, server: JupyterProcess) -> None:
        self.errors: list[str] = []
        self.foreign: list[str] = []
        own = urlsplit(server.url).netloc
        page.on("pageerror", self._fail)
        page.on("console", lambda message: self._take(message))
        page.on("request", lambda request: self._ask(request.url, own))

    def _fail(self, error: Any) -> None:
        """Note an error of ours: Notebook 7.6 has one of its own on each of its pages."""
        if "aml-jupyter" in str(error.stack):
            self.errors.append(f"{error} {error.stack}")

    def _take(self, message: Any) -> None:
        if message.type == "error" and "aml" in f"{message.text} {message.location.get('url', '')}":
            self.errors.append(f"{message.text} {message.location.get('url', '')}")

    def _ask(self, url: str, own: str) -> None:
        found = urlsplit(url)
        if found.scheme in ("http", "https", "ws", "wss") and found.netloc != own:
            self.foreign.append(url)
