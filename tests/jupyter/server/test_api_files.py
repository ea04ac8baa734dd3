"""Files of runs: served so that nothing in them can act, and never from outside the run's folder."""

from __future__ import annotations

from typing import Any

import pytest
from tornado.httpclient import HTTPClientError

from aml_jupyter.service import wait_for_run
from aml_jupyter.workspace import WorkspaceFolder

FILES = ("aml", "api", "workspaces", "default", "runs")


@pytest.fixture
def run_id(folder: WorkspaceFolder, submit_script: Any) -> str:
    run = submit_script(
        "import os\n"
        "open('outputs/page.html', 'w').write('<script>alert(1)</script>')\n"
        "open('outputs/picture.svg', 'w').write('<svg onload=\"alert(1)\"/>')\n"
        "open('outputs/notes.txt', 'w').write('x' * 600000)\n"
        "open('outputs/empty.png', 'w').close()\n"
        "os.symlink('/etc/passwd', 'outputs/link.txt')\n"
    )
    assert wait_for_run(folder, run.id, 60).status == "Completed"
    return str(run.id)


async def test_text_is_shown_and_active_types_are_downloads(jp_fetch: Any, run_id: str) -> None:
    notes = await jp_fetch(*FILES, run_id, "files", "outputs", "notes.txt")
    assert notes.body == b"x" * 600000
    assert notes.headers["Content-Type"].startswith("text/plain")
    assert "Content-Disposition" not in notes.headers
    for name in ("page.html", "picture.svg"):
        answer = await jp_fetch(*FILES, run_id, "files", "outputs", name)
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"].startswith("attachment")
    for sent in (notes, answer):
        assert sent.headers["Content-Security-Policy"].startswith("sandbox")
        assert sent.headers["X-Content-Type-Options"] == "nosniff"
    empty = await jp_fetch(*FILES, run_id, "files", "outputs", "empty.png")
    assert (empty.body, empty.headers["Content-Type"]) == (b"", "image/png")


@pytest.mark.parametrize(
    "name",
    [
        "outputs/link.txt",
        "outputs/../../../run.json",
        "outputs/%2e%2e/%2e%2e/control/launch.json",
        "..%2f..%2f..%2f..%2faml.db",
        "/etc/passwd",
        "outputs",
        "outputs/missing.txt",
        "outputs/%00",
    ],
)
async def test_no_path_leaves_the_runs_folder(jp_fetch: Any, run_id: str, name: str) -> None:
    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch(*FILES, run_id, "files", name)
    assert refused.value.code == 404
