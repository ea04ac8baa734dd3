"""`aml run compare` shows runs side by side."""

from __future__ import annotations

from pathlib import Path

from cli.conftest import Aml

from aml_jupyter.views import as_html, run_comparison
from aml_jupyter.workspace import WorkspaceFolder

SCRIPT = """
import sys
from azureml.core import Run
run = Run.get_context()
rate = float(sys.argv[2])
for step in range(3):
    run.log("loss", rate / (step + 1))
run.tag("rate", sys.argv[2])
open("outputs/model.txt", "w").write("x" * int(rate * 10))
"""


def _two(aml: Aml, project: Path) -> list[str]:
    (project / "train.py").write_text(SCRIPT)
    ids = []
    for rate in ("0.5", "1.5"):
        ids.append(aml("submit", "--wait", "--json", "train.py", "--lr", rate, "--seed", "7").json["id"])
        (project / "notes.txt").write_text("changed in between")
    return ids


def test_two_runs_side_by_side(aml: Aml, project: Path, folder: WorkspaceFolder) -> None:
    first, second = _two(aml, project)
    found = aml("run", "compare", first, second, "--json").json
    assert found["runs"] == [first, second]
    assert found["arguments"]["--lr"] == {"values": ["0.5", "1.5"], "differs": True}
    assert found["arguments"]["--seed"] == {"values": ["7", "7"], "differs": False}
    assert found["metrics"]["loss"]["values"][1] == [1.5, 0.75, 0.5]
    assert found["files"]["outputs/model.txt"]["values"] == [5, 15]
    assert found["run"]["status"] == {"values": ["Completed", "Completed"], "differs": False}
    assert found["snapshot"][1] == {"added": ["notes.txt"], "removed": [], "changed": []}
    text = aml("run", "compare", first, second).out
    assert "0.166667 (last of 3)" in text and "--lr" in text and "differs" in text
    assert f"{second}: added notes.txt" in text


def test_only_differences(aml: Aml, project: Path, folder: WorkspaceFolder) -> None:
    first, second = _two(aml, project)
    found = aml("run", "compare", "--differences", first, second, "--json").json
    assert "--lr" in found["arguments"] and "--seed" not in found["arguments"]
    html = as_html(run_comparison(folder, [first, second]))
    assert "<b>1.5</b>" in html and "<script" not in html


def test_one_run_is_nothing_to_compare(aml: Aml, project: Path, folder: WorkspaceFolder) -> None:
    run = aml("submit", "--wait", "--json", "train.py").json["id"]
    refused = aml("run", "compare", run, "last")
    assert refused.code == 2 and "two runs at least" in refused.err
