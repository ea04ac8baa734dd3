"""What must not get slow or lost: thousands of children, a log of 100 MB, a million points, a server that is restarted."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_pages import Watch, open_notebook, run_cell, shoot, write_notebook
from jupyter_process import JupyterProcess

from aml_jupyter.workspace import WorkspaceFolder, add_properties, ingest_events, insert_run, transition

CHILDREN = 2_000
LINES = 2_100_000
SHOW = """from IPython.display import publish_display_data
shown = {{"version": 1, "workspace": "{workspace}", "run_id": "{run}"}}
publish_display_data({{"application/vnd.aml.run.v1+json": shown, "text/plain": "-"}})"""


@pytest.fixture
def port() -> int:
    """A port that is free now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def notebook_server(
    folder: WorkspaceFolder, project: Path, tmp_path: Path, port: int
) -> Iterator[list[JupyterProcess]]:
    """A Notebook 7 that a test may replace."""
    running = [JupyterProcess(project, tmp_path / "jupyter", "notebook", port)]
    yield running
    running[-1].close()


def _log(folder: WorkspaceFolder, run: str, name: str, values: list[float]) -> None:
    lines = "".join(
        json.dumps({"t": 1.0 + n / 1000, "e": "metric", "n": name, "v": value}) + "\n" for n, value in enumerate(values)
    )
    ingest_events(folder.store, run, 1, name, 0, lines.encode())


def _sweep(folder: WorkspaceFolder) -> None:
    sweep = {"kind": "script", "config": {"primary_metric_config": {"name": "loss", "goal": "minimize"}}}
    with folder.store.transaction(durable=False) as tx:
        insert_run(
            tx, {"id": "parent", "experiment": "e", "kind": "script", "sweep": sweep}, "Running", in_process=True
        )
        for number in range(CHILDREN):
            run = f"parent_{number}"
            insert_run(
                tx, {"id": run, "experiment": "e", "kind": "script", "parent": "parent"}, "Running", in_process=True
            )
            add_properties(tx, run, {"hyperparameters": json.dumps({"--lr": number / CHILDREN})}, announce=False)
    for number in range(0, CHILDREN, 10):
        _log(folder, f"parent_{number}", "loss", [1.0 + number])


def test_two_thousand_children_and_a_log_of_100_mb_stay_quick_and_a_restarted_server_is_caught_up_with(
    page: Any, notebook_server: list[JupyterProcess], folder: WorkspaceFolder, project: Path, tmp_path: Path, port: int
) -> None:
    server = notebook_server[-1]
    watch = Watch(page, server)
    _sweep(folder)
    _log(folder, "parent", "curve", [float(n % 1000) for n in range(100_000)])
    log = folder.layout.run("parent").attempt(1).control / "user_logs" / "std_log.txt"
    log.parent.mkdir(parents=True)
    with open(log, "w") as stream:
        stream.writelines(f"line {n:>12} of many, with words to fill it\n" for n in range(LINES))
    assert log.stat().st_size > 100_000_000
    write_notebook(project / "many.ipynb", [SHOW.format(workspace=folder.id, run="parent")])
    panel = open_notebook(page, server, "many.ipynb")
    view = run_cell(page, panel, 0).locator(".aml-run[data-state=Running]")
    view.locator("canvas").first.wait_for()

    view.get_by_role("tab", name="logs").click()
    text = view.locator(".aml-log")
    text.get_by_text(f"line {LINES - 1:>12} ").wait_for()
    assert view.locator(".aml-line").count() < 20_000
    view.get_by_placeholder("search the log").fill("line         1234 ")
    view.get_by_placeholder("search the log").press("Enter")
    view.locator(".aml-match").first.click()
    text.get_by_text("line         1234 ").wait_for()
    shoot(page, "log-search")
    with open(log, "a") as stream:
        stream.write("the very last line\n")
    view.get_by_role("button", name="end", exact=True).click()
    text.get_by_text("the very last line").wait_for()

    view.get_by_role("tab", name="child runs").click()
    rows = view.locator(".aml-row")
    rows.first.wait_for()
    assert rows.count() < 60
    view.get_by_role("columnheader", name="loss").click()
    rows.first.get_by_text("parent_0").first.wait_for()
    shoot(page, "children")
    view.locator(".aml-table-scroll").focus()
    page.keyboard.press("End")
    view.get_by_role("columnheader", name="#", exact=True).click()
    view.get_by_text("parent_1999").first.wait_for()

    with page.expect_response(lambda answer: "children?run=parent_1999" in answer.url) as one:
        with folder.store.transaction() as tx:
            transition(tx, "parent_1999", "Completed", "")
    assert len(one.value.body()) < 1_000
    rows.filter(has_text="parent_1999").get_by_text("Completed").first.wait_for()

    server.close()
    view.get_by_text("not connected to the Jupyter server").wait_for()
    with folder.store.transaction() as tx:
        transition(tx, "parent_1998", "Failed", "while nobody looked")
    notebook_server.append(JupyterProcess(project, tmp_path / "jupyter", "notebook", port))
    rows.filter(has_text="parent_1998").get_by_text("Failed").first.wait_for()
    view.get_by_text("not connected to the Jupyter server").wait_for(state="hidden")
    assert watch.foreign == []
    assert [error for error in watch.errors if "ERR_CONNECTION_REFUSED" not in error] == []
