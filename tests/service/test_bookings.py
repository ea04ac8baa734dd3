"""A run that books cores or memory waits for just that, and says so; slots are shared by all workspaces of the user."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
from support import Submit, until

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.errors import ComputeTargetException, UserErrorException
from aml_jupyter.service import (
    SubmitRequest,
    cancel_run,
    create_target,
    set_priority,
    start_target,
    stop_target,
    submit,
    update_target,
    wait_for_run,
)
from aml_jupyter.views import compute_view
from aml_jupyter.workspace import WorkspaceFolder, get_run

WAITS = "import os, time\nwhile not os.path.exists({!r}): time.sleep(0.02)"


def reason_of(folder: WorkspaceFolder, run_id: str) -> str:
    return get_run(folder.store.read(), run_id).reason


def test_a_run_waits_for_the_memory_that_it_books(
    folder: WorkspaceFolder, submit_script: Submit, tmp_path: Path
) -> None:
    create_target(folder, "ci-four", "computeinstance", {"max_parallel": 4})
    most = int(psutil.virtual_memory().total * 0.6)
    first = submit_script(WAITS.format(str(tmp_path / "gate")), target="ci-four", memory=most)
    until(lambda: get_run(folder.store.read(), first.id).status == "Running", message="running")
    second = submit_script("print(2)", target="ci-four", memory=most)
    until(lambda: reason_of(folder, second.id), message="the reason")
    said = f"waits for {most / 1e9:.3g} GB of memory that no other run has booked on ci-four"
    assert reason_of(folder, second.id) == said
    (tmp_path / "gate").touch()
    assert wait_for_run(folder, second.id, timeout=60).status == "Completed"


def test_a_run_waits_for_all_the_cores_that_it_books(
    folder: WorkspaceFolder, submit_script: Submit, tmp_path: Path
) -> None:
    create_target(folder, "ci-four", "computeinstance", {"max_parallel": 4})
    first = submit_script(WAITS.format(str(tmp_path / "gate")), target="ci-four", cores=3)
    until(lambda: get_run(folder.store.read(), first.id).status == "Running", message="running")
    second = submit_script("print(2)", target="ci-four", cores=2)
    until(lambda: reason_of(folder, second.id) == "waits for 2 free slots on ci-four", message="the reason")
    (tmp_path / "gate").touch()
    assert wait_for_run(folder, second.id, timeout=60).status == "Completed"


def test_a_run_that_has_become_too_big_says_so_until_the_target_grows(
    folder: WorkspaceFolder, submit_script: Submit
) -> None:
    create_target(folder, "ci-four", "computeinstance", {"max_parallel": 4})
    stop_target(folder, "ci-four")
    run = submit_script("print(1)", target="ci-four", cores=3)
    update_target(folder, "ci-four", {"max_parallel": 2})
    start_target(folder, "ci-four")
    until(lambda: "asks for 3 cores, and ci-four has 2 slots" in reason_of(folder, run.id), message="the reason")
    update_target(folder, "ci-four", {"max_parallel": 3})
    assert wait_for_run(folder, run.id, timeout=60).status == "Completed"


def test_a_slot_that_another_workspace_has_is_waited_for_and_named(
    folder: WorkspaceFolder, submit_script: Submit, project: Path, tmp_path: Path
) -> None:
    create_target(folder, "ci-one", "computeinstance", {"max_parallel": 1})
    first = submit_script(WAITS.format(str(tmp_path / "gate")), target="ci-one")
    until(lambda: get_run(folder.store.read(), first.id).status == "Running", message="running")
    neighbour = WorkspaceFolder.open(tmp_path / "neighbour", create=True)
    try:
        create_target(neighbour, "box", "computeinstance", {"max_parallel": 1})
        config = ScriptRunConfig(source_directory=str(project), script="train.py")
        config.run_config.target = "box"
        second = submit(neighbour, SubmitRequest(config, "tests")).run
        said = f"waits for a free slot on box, taken by workspace {folder.name}"
        until(lambda: reason_of(neighbour, second.id) == said, message="the reason")
        shown = compute_view(neighbour, "box")
        assert f"0 of 1 free, taken by {first.id} of workspace {folder.name}" in shown.as_text()
        assert (shown.as_json()["slots"], shown.as_json()["free_slots"]) == (1, 0)
        (tmp_path / "gate").touch()
        assert wait_for_run(neighbour, second.id, timeout=60).status == "Completed"
    finally:
        neighbour.close()


def test_what_the_machine_can_never_give_is_refused(
    folder: WorkspaceFolder, submit_script: Submit, tmp_path: Path
) -> None:
    create_target(folder, "ci-one", "computeinstance", {"max_parallel": 1})
    for needs, said in (
        ({"cores": 2}, "asks for 2 cores, and ci-one has 1 slot"),
        ({"gpus": 99}, "asks for 99 GPUs"),
        ({"memory": 10**15}, "asks for 1,000 TB of memory"),
    ):
        with pytest.raises(ComputeTargetException, match=said):
            submit_script("print(1)", target="ci-one", **needs)
    assert list(folder.layout.runs.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("priority", 10**30), ("priority", 1.5), ("grace_seconds", float("nan")), ("max_retries", 10**30)],
)
def test_numbers_that_cannot_be_kept_are_refused(
    folder: WorkspaceFolder, submit_script: Submit, name: str, value: float
) -> None:
    with pytest.raises(UserErrorException) as refused:
        submit_script("print(1)", **{name: value})
    assert refused.value.field == name
    assert list(folder.layout.runs.iterdir()) == []


def test_a_waiting_run_gets_no_priority_that_cannot_be_kept(folder: WorkspaceFolder, submit_script: Submit) -> None:
    create_target(folder, "ci-one", "computeinstance")
    stop_target(folder, "ci-one")
    run = submit_script("print(1)", target="ci-one")
    with pytest.raises(UserErrorException, match="priority"):
        set_priority(folder, run.id, 10**30)
    assert cancel_run(folder, run.id).priority == 0
