"""The run view in a front end without a Jupyter server of ours: the kernel answers, and tells what happens while it is busy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

from aml_jupyter.workspace import WorkspaceFolder, find_runs

CELL = """%%aml_submit --name job
import os, time
from aml_jupyter import Run
while not os.path.exists(GATE): time.sleep(0.02)
Run.get_context().log("score", 7)
Run.get_context().log("score", 8)
print("went on", flush=True)
while not os.path.exists(GATE + "2"): time.sleep(0.02)
"""
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def kernel(folder: WorkspaceFolder, project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A kernel that takes its front end for VS Code's."""
    monkeypatch.setenv("VSCODE_PID", "1")
    monkeypatch.setenv("JPY_PARENT_PID", "1")
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(project))
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def message(kernel: Any, wanted: Callable[[Any], Any], seconds: float = 30) -> Any:
    """Return what `wanted` makes of the first message that it wants."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found = wanted(kernel.get_iopub_msg(timeout=1))
        except Empty:
            continue
        if found:
            return found
    raise AssertionError(f"no such message came in {seconds} s")


def custom(kind: str, holds: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return what picks a widget's own message of a kind."""

    def pick(found: Any) -> Any:
        content = found["content"].get("data", {}).get("content") or {}
        return content if found["msg_type"] == "comm_msg" and content.get("type") == kind and holds(content) else None

    return pick


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_widget_asks_the_kernel_and_is_told_while_the_kernel_is_busy(
    kernel: Any, folder: WorkspaceFolder, tmp_path: Path
) -> None:
    gate = tmp_path / "go"
    kernel.execute("%load_ext aml_jupyter")
    kernel.execute(CELL.replace("GATE", repr(str(gate))))
    opened: dict[str, Any] = {}

    def shown(found: Any) -> Any:
        content = found["content"]
        if found["msg_type"] == "comm_open" and "run_id" in content["data"].get("state", {}):
            opened.update(content)
        return content["data"] if found["msg_type"] == "display_data" else None

    bundle = message(kernel, shown, 60)
    assert set(bundle) == {"text/plain", "text/html", "application/vnd.aml.run.v1+json", WIDGET}
    [run] = find_runs(folder.store.read())
    assert opened["data"]["state"]["run_id"] == run.id
    assert "render" in opened["data"]["state"]["_esm"]

    def ask(number: int, path: str, **query: str) -> Any:
        content = {"type": "ask", "id": number, "method": "GET", "path": f"runs/{run.id}{path}", "query": query}
        data = {"method": "custom", "content": content}
        kernel.shell_channel.send(kernel.session.msg("comm_msg", {"comm_id": opened["comm_id"], "data": data}))
        return message(kernel, custom("answer", lambda told: told.get("id") == number))

    assert ask(1, "", brief="true")["body"]["run"]["id"] == run.id
    log = ask(2, "/logs", limit="65536", offset="0")["body"]
    assert log["text"] == ""
    assert ask(3, "/metrics")["body"]["metrics"] == []
    assert ask(4, "/nothing")["status"] == 404

    kernel.execute("import time; time.sleep(300)")
    message(kernel, lambda found: found["msg_type"] == "execute_input" and "sleep(300)" in found["content"]["code"])
    gate.touch()
    told: dict[str, Any] = {}

    def gather(found: Any) -> bool:
        content = custom("answer", lambda each: "key" in each)(found)
        if content:
            told[content["key"]] = content["body"]
        has_chart = any(key.endswith("/metrics/score?binary=true&points=400") for key in told)
        return has_chart and any("went on" in str(body.get("text")) for body in told.values())

    message(kernel, gather)
    assert f"runs/{run.id}/logs?limit=65536&offset=0" in told
    Path(f"{gate}2").touch()
    message(kernel, custom("answer", lambda each: (each["body"].get("run") or {}).get("status") == "Completed"))
