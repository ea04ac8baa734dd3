"""A chart's numbers as bytes, over HTTP and from a kernel; pictures from a kernel."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import numpy as np
import pytest

from aml_jupyter.jupyter.server.kernel import answer_question
from aml_jupyter.service import wait_for_run
from aml_jupyter.workspace import WorkspaceFolder

RUNS = "workspaces/default/runs"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCRIPT = f"""
import base64, math
from aml_jupyter import Run
run = Run.get_context()
for step in range(5000):
    run.log("loss", math.sin(step / 100))
run.log("odd", 1.5)
run.log("odd", math.nan)
run.log("odd", -math.inf)
open("outputs/dot.png", "wb").write(base64.b64decode("{PIXEL}"))
open("outputs/evil.svg", "w").write("<svg onload='parent.hacked=1'/>")
open("outputs/page.png.html", "w").write("<script>parent.hacked=1</script>")
"""


def _read(body: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return head and columns of a frame, as its description says it is read."""
    (size,) = struct.unpack("<I", body[:4])
    head = json.loads(body[4 : 4 + size])
    data = body[-(-(4 + size) // 8) * 8 :]
    return head, _columns(head["chart"], data)


def _columns(chart: dict[str, Any], data: bytes) -> dict[str, Any]:
    numbers = np.frombuffer(data, "<f8").reshape(len(chart["columns"]), chart["length"])
    return dict(zip(chart["columns"], numbers, strict=True))


@pytest.fixture
def run(folder: WorkspaceFolder, submit_script: Any) -> str:
    """A run that has ended."""
    submitted = submit_script(SCRIPT)
    assert wait_for_run(folder, submitted.id, 60).status == "Completed"
    return str(submitted.id)


async def test_bytes_say_what_json_says_and_are_fewer(
    api: Any, jp_fetch: Any, folder: WorkspaceFolder, run: str
) -> None:
    async def fetch(name: str, **params: Any) -> Any:
        return await jp_fetch("aml", "api", *RUNS.split("/"), run, "metrics", name, params={"binary": "true", **params})

    answer = await fetch("loss", points=1000, times="true")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    head, columns = _read(answer.body)
    told = (await api(f"{RUNS}/{run}/metrics/loss", points=1000, times="true"))[1]
    assert {name: list(values) for name, values in columns.items()} == {name: told["chart"][name] for name in columns}
    assert set(columns) == {"x", "y", "low", "high", "time"}
    assert (head["chart"]["count"], head["metric"], head["workspace"]) == (5000, told["metric"], folder.id)
    assert len(answer.body) < 0.6 * len(json.dumps(told, separators=(",", ":")))

    head, columns = _read((await fetch("odd")).body)
    assert "time" not in columns
    assert columns["y"][0] == 1.5 and np.isnan(columns["y"][1]) and columns["y"][2] == -np.inf

    question = {"method": "GET", "path": f"runs/{run}/metrics/loss", "query": {"points": "1000", "binary": "true"}}
    status, body = answer_question(folder, question)
    assert status == 200
    assert list(_columns(body["chart"], body["binary"])["y"]) == told["chart"]["y"]


async def test_a_kernel_hands_out_pictures_and_nothing_else(folder: WorkspaceFolder, run: str) -> None:
    def ask(name: str) -> tuple[int, dict[str, Any]]:
        return answer_question(folder, {"method": "GET", "path": f"runs/{run}/files/{name}", "query": {}})

    status, body = ask("outputs/dot.png")
    assert (status, body["type"], body["binary"]) == (200, "image/png", base64.b64decode(PIXEL))
    for name in ("outputs/evil.svg", "outputs/page.png.html", "outputs/nothing.png", "../../run.json"):
        assert ask(name)[0] == 404, name
