"""Debian's Chromium, driven by Playwright, and a real JupyterLab."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from debian_packages import need_packages
from jupyter_process import JupyterProcess

from aml_jupyter.workspace import WorkspaceFolder

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies here."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return where Chromium is; installed with apt when this is root's machine, a failure in CI when it is missing."""
    found = shutil.which("chromium-browser")
    if found is None:
        need_packages(chromium="chromium")
        found = shutil.which("chromium")
    assert found is not None
    return found


@pytest.fixture
def page(chromium: str) -> Iterator[Any]:
    """A page of a browser with a fresh profile; messages on its console of the kind error are in ``page.errors``."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(60_000)
        yield page
        browser.close()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The folder that JupyterLab shows."""
    path = tmp_path / "project"
    path.mkdir()
    return path


@pytest.fixture
def lab(folder: WorkspaceFolder, project: Path, tmp_path: Path) -> Iterator[JupyterProcess]:
    """A JupyterLab with the extension."""
    home = tmp_path / "jupyter"
    overrides = home / "lab-settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    overrides.parent.mkdir(parents=True)
    overrides.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    process = JupyterProcess(project, home, "lab")
    yield process
    process.close()


@pytest.fixture
def folder(folder: WorkspaceFolder, monkeypatch: pytest.MonkeyPatch) -> WorkspaceFolder:
    """The workspace of kernel and server."""
    monkeypatch.setenv("AML_WORKSPACE", str(folder.root))
    return folder
