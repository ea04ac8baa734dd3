"""A run sees the GPUs that it asked for, and no run sees another one's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from graphics import put_nvidia_smi
from support import Submit, log_of, until

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.service import SubmitRequest, create_target, submit, update_target, wait_for_run
from aml_jupyter.views import compute_view, run_view
from aml_jupyter.workspace import RunRecord, WorkspaceFolder, get_run

SEES = "import os\nprint(os.environ.get('CUDA_VISIBLE_DEVICES', 'unset'), os.environ.get('CUDA_DEVICE_ORDER', ''), flush=True)\n"


@pytest.fixture(autouse=True)
def _nothing_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AML_GPUS", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def _waits(gate: Path) -> str:
    return SEES + f"import time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)"


def _is_seen(folder: WorkspaceFolder, run: RunRecord, text: str) -> None:
    until(lambda: log_of(folder, run.id), message=f"the first line of {run.id}")
    assert log_of(folder, run.id) == f"{text}\n"


def test_each_run_has_gpus_of_its_own_and_the_next_one_waits(
    folder: WorkspaceFolder, submit_script: Submit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_nvidia_smi(monkeypatch, tmp_path / "bin", 2)
    create_target(folder, "ci-four", "computeinstance", {"max_parallel": 4})
    gates = [tmp_path / "first", tmp_path / "second"]
    first, second = (submit_script(_waits(gate), target="ci-four", gpus=1) for gate in gates)
    _is_seen(folder, first, "0 PCI_BUS_ID")
    _is_seen(folder, second, "1 PCI_BUS_ID")
    both = submit_script(SEES, target="ci-four", gpus=2)
    until(
        lambda: get_run(folder.store.read(), both.id).reason == "waits for 2 free GPUs on ci-four", message="a reason"
    )
    shown = compute_view(folder, "ci-four")
    assert "GPUs         0 of 2 free" in shown.as_text()
    assert f"GPU 1 NVIDIA A100, 43 GB: taken by {second.id}" in shown.as_text()
    assert shown.as_json()["machine"]["gpus_free"] == 0
    assert "GPU 1" in run_view(folder, second.id).as_text()
    for gate in gates:
        gate.touch()
    assert wait_for_run(folder, both.id, timeout=60).status == "Completed"
    assert log_of(folder, both.id) == "0,1 PCI_BUS_ID\n"


def test_a_run_that_asks_for_no_gpu_sees_none(
    folder: WorkspaceFolder, submit_script: Submit, tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = submit_script(SEES)
    assert wait_for_run(folder, before.id, timeout=60).status == "Completed"
    if not any(Path("/dev").glob("nvidia[0-9]*")):
        assert log_of(folder, before.id) == "unset \n"
    update_target(folder, "local", {"gpus": "3,"})
    (project / "train.py").write_text(SEES)
    first = submit(folder, SubmitRequest(ScriptRunConfig(source_directory=str(project), script="train.py"), "tests"))
    assert "the run sees none of the GPUs of local; --gpus 1 asks for one" in first.notes
    hidden = first.run
    config = ScriptRunConfig(source_directory=str(project), script="train.py")
    config.run_config.environment_variables = {"CUDA_VISIBLE_DEVICES": "7"}
    declared = submit(folder, SubmitRequest(config, "tests")).run
    asks = submit_script(SEES, gpus=1)
    for run in (hidden, declared, asks):
        assert wait_for_run(folder, run.id, timeout=60).status == "Completed"
    update_target(folder, "local", {"hide_gpus": False})
    after = submit_script(SEES)
    wait_for_run(folder, after.id, timeout=60)
    assert log_of(folder, hidden.id) == " \n"
    assert [log_of(folder, run.id) for run in (declared, asks)] == ["7 \n", "3 PCI_BUS_ID\n"]
    assert log_of(folder, after.id) == "unset \n"


def test_what_there_is_not_is_refused_with_the_figure(
    folder: WorkspaceFolder, submit_script: Submit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_nvidia_smi(monkeypatch, tmp_path / "bin", 2)
    with pytest.raises(ComputeTargetException, match="it asks for 3 GPUs, and this machine has 2 GPUs"):
        submit_script(SEES, gpus=3)
    create_target(folder, "ci-box", "computeinstance", {"gpus": 1})
    with pytest.raises(ComputeTargetException, match="it asks for 2 GPUs, and ci-box has 1 GPU"):
        submit_script(SEES, gpus=2, target="ci-box")
    for value in ("many", "0,0", 1.5):
        with pytest.raises(ComputeTargetException, match="how many GPUs there are") as refused:
            update_target(folder, "ci-box", {"gpus": value})
        assert refused.value.field == "gpus"
    assert list(folder.layout.runs.iterdir()) == []
    monkeypatch.setenv("AML_GPUS", "two")
    assert "problem      AML_GPUS is 'two'; how many GPUs" in compute_view(folder, "local").as_text()


def test_runs_share_a_gpu_when_that_is_asked_for(
    folder: WorkspaceFolder, submit_script: Submit, tmp_path: Path
) -> None:
    create_target(folder, "shared", "computeinstance", {"max_parallel": 4, "gpus": 1, "runs_per_gpu": 2})
    gate = tmp_path / "gate"
    runs = [submit_script(_waits(gate), target="shared", gpus=1) for _ in range(3)]
    for run in runs[:2]:
        _is_seen(folder, run, "0 PCI_BUS_ID")
    until(
        lambda: get_run(folder.store.read(), runs[2].id).reason == "waits for a free GPU on shared", message="a reason"
    )
    gate.touch()
    assert {wait_for_run(folder, run.id, timeout=60).status for run in runs} == {"Completed"}


def test_two_workspaces_never_have_the_same_gpu(
    folder: WorkspaceFolder, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AML_GPUS", "2")
    ledger = tmp_path / "ledger"
    (project / "train.py").write_text(
        "import json, os, time\n"
        "def note(what):\n"
        f"    with open({str(ledger)!r}, 'a') as stream:\n"
        "        stream.write(json.dumps([what, os.environ['CUDA_VISIBLE_DEVICES'], os.environ['AML_RUN_ID']]) + '\\n')\n"
        "note('begin')\ntime.sleep(0.1)\nnote('end')\n"
    )
    neighbour = WorkspaceFolder.open(tmp_path / "neighbour", create=True)
    try:
        runs: list[tuple[WorkspaceFolder, str]] = []
        for each in (folder, neighbour):
            create_target(each, "box", "computeinstance", {"max_parallel": 4})
        for _ in range(6):
            for each in (folder, neighbour):
                config = ScriptRunConfig(source_directory=str(project), script="train.py")
                config.run_config.target = "box"
                runs.append((each, submit(each, SubmitRequest(config, "tests", gpus=1)).run.id))
        for each, run in runs:
            assert wait_for_run(each, run, timeout=90).status == "Completed"
    finally:
        neighbour.close()
    having: dict[str, str] = {}
    for line in ledger.read_text().splitlines():
        what, gpu, run = json.loads(line)
        if what == "begin":
            assert gpu not in having, f"{run} has GPU {gpu}, which {having[gpu]} has"
            having[gpu] = run
        else:
            assert having.pop(gpu) == run
    assert not having
