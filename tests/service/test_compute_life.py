"""A compute target is stopped, started and deleted while runs wait for it and work on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support import Submit, until

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.service import (
    SubmitRequest,
    cancel_run,
    create_target,
    delete_target,
    service_status,
    set_default,
    start_target,
    stop_service,
    stop_target,
    submit,
    update_target,
    wait_for_run,
)
from aml_jupyter.workspace import (
    WorkspaceFolder,
    find_runs,
    find_target,
    get_run,
    get_target,
    list_targets,
    rebuild_workspace,
)
from aml_jupyter.workspace import (
    delete_target as delete_row,
)

Hold = Callable[[], Path]
WAITS = "import os, time\nwhile not os.path.exists({!r}): time.sleep(0.02)"


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """Return the path of a file that lets the runs end which wait for it."""
    return tmp_path / "gate"


def state_of(folder: WorkspaceFolder, name: str) -> str:
    return get_target(folder.store.read(), name).provisioning_state


def test_an_instance_that_is_stopping_can_be_started_again(
    folder: WorkspaceFolder, submit_script: Submit, gate: Path
) -> None:
    create_target(folder, "ci-one", "computeinstance", {"max_parallel": 1})
    first = submit_script(WAITS.format(str(gate)), target="ci-one")
    until(lambda: get_run(folder.store.read(), first.id).status == "Running", message="running")
    second = submit_script("print(2)", target="ci-one")
    assert stop_target(folder, "ci-one").provisioning_state == "Stopping"
    assert start_target(folder, "ci-one").provisioning_state == "Running"
    gate.touch()
    assert wait_for_run(folder, second.id, timeout=60).status == "Completed"


def test_the_reason_of_waiting_follows_the_instance(folder: WorkspaceFolder, submit_script: Submit, gate: Path) -> None:
    create_target(folder, "ci-one", "computeinstance", {"max_parallel": 1})
    first = submit_script(WAITS.format(str(gate)), target="ci-one")
    until(lambda: get_run(folder.store.read(), first.id).status == "Running", message="running")
    second = submit_script("print(2)", target="ci-one")
    stop_target(folder, "ci-one")
    until(lambda: "Stopping" in get_run(folder.store.read(), second.id).reason, message="the reason")
    gate.touch()
    until(lambda: state_of(folder, "ci-one") == "Stopped", message="stopped")
    until(lambda: "Stopped" in get_run(folder.store.read(), second.id).reason, message="the new reason")
    cancel_run(folder, second.id)


def test_a_target_that_is_being_deleted_is_left_alone(
    folder: WorkspaceFolder, submit_script: Submit, gate: Path
) -> None:
    create_target(folder, "ci-one", "computeinstance", {"max_parallel": 1})
    stubborn = "import signal\nsignal.signal(15, signal.SIG_IGN)\nprint('up', flush=True)\n" + WAITS.format(str(gate))
    run = submit_script(stubborn, target="ci-one", grace_seconds=60)
    until(lambda: get_run(folder.store.read(), run.id).status == "Running", message="running")
    waiting = submit_script("print(2)", target="ci-one")
    assert delete_target(folder, "ci-one").provisioning_state == "Deleting"
    assert get_run(folder.store.read(), waiting.id).status == "Canceled"
    assert get_run(folder.store.read(), run.id).status == "CancelRequested"
    for act in (
        lambda: create_target(folder, "CI-one", "computeinstance", {"max_parallel": 1}),
        lambda: update_target(folder, "ci-one", {"max_parallel": 2}),
        lambda: set_default(folder, "ci-one"),
    ):
        with pytest.raises(ComputeTargetException, match="being deleted"):
            act()
    gate.touch()
    until(lambda: find_target(folder.store.read(), "ci-one") is None, message="the row is gone")
    assert create_target(folder, "ci-one", "computeinstance").provisioning_state == "Running"


def test_a_rebuilt_workspace_starts_no_run_of_a_deleted_target(
    folder: WorkspaceFolder, submit_script: Submit, gate: Path
) -> None:
    create_target(folder, "ci-one", "computeinstance", {"max_parallel": 1})
    first = submit_script(WAITS.format(str(gate)), target="ci-one")
    waiting = submit_script("print(2)", target="ci-one")
    folder.layout.run(waiting.id).attempt(1).control.mkdir(parents=True, exist_ok=True)  # as if it was staged ahead
    delete_target(folder, "ci-one")
    gate.touch()
    wait_for_run(folder, first.id, timeout=60)
    stop_service(folder)
    folder.close()
    rebuild_workspace(folder.root)
    with_new_database = WorkspaceFolder.open(folder.root)
    assert get_run(with_new_database.store.read(), waiting.id).status == "Canceled"
    assert [target.name for target in list_targets(with_new_database.store.read())] == ["local"]
    with_new_database.close()


def test_a_rebuilt_workspace_takes_runs(folder: WorkspaceFolder, submit_script: Submit) -> None:
    wait_for_run(folder, submit_script("print(1)").id, timeout=60)
    stop_service(folder)
    folder.close()
    rebuild_workspace(folder.root)
    again = WorkspaceFolder.open(folder.root)
    assert service_status(again) is None
    source = Path(find_runs(again.store.read())[0].definition["source_directory"])
    run = submit(again, SubmitRequest(ScriptRunConfig(source_directory=str(source), script="train.py"), "tests")).run
    assert wait_for_run(again, run.id, timeout=60).status == "Completed"
    again.close()


def test_a_run_whose_target_goes_during_the_submit_is_refused(folder: WorkspaceFolder, project: Path) -> None:
    create_target(folder, "ci-one", "computeinstance")
    (project / "train.py").write_text("print(1)")
    for number in range(300):
        (project / f"{number}.txt").write_text(str(number))
    config = ScriptRunConfig(source_directory=str(project), script="train.py")
    config.run_config.target = "ci-one"

    def go(done: int, total: int) -> None:
        if find_target(folder.store.read(), "ci-one") is not None:
            delete_target(folder, "ci-one")

    with pytest.raises(ComputeTargetException, match="ci-one"):
        submit(folder, SubmitRequest(config, "tests", progress=go))
    assert find_runs(folder.store.read()) == []
    assert list(folder.layout.runs.iterdir()) == []


def test_a_waiting_run_whose_target_is_gone_ends(folder: WorkspaceFolder, submit_script: Submit) -> None:
    create_target(folder, "ci-one", "computeinstance")
    stop_target(folder, "ci-one")
    run = submit_script("print(1)", target="ci-one")
    with folder.store.transaction() as tx:
        delete_row(tx, "ci-one")
    done = wait_for_run(folder, run.id, timeout=20)
    assert (done.status, done.reason) == ("Canceled", "compute target ci-one was deleted")


def test_canceling_a_run_whose_process_has_ended_changes_nothing(
    folder: WorkspaceFolder, submit_script: Submit
) -> None:
    run = submit_script(
        "import os\nfor i in range(4000):\n    os.makedirs(f'outputs/{i % 50}', exist_ok=True)\n"
        "    open(f'outputs/{i % 50}/{i}', 'w').close()"
    )
    deadline = time.monotonic() + 30
    while (status := get_run(folder.store.read(), run.id).status) not in ("Finalizing", "Completed"):
        assert time.monotonic() < deadline
    assert cancel_run(folder, run.id).status == status
    assert wait_for_run(folder, run.id, timeout=60).status == "Completed"


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"max_parallel": 1.5}, "max_parallel"),
        ({"max_parallel": True}, "max_parallel"),
        ({"max_parallel": "many"}, "max_parallel"),
        ({"max_paralel": 2}, "max_paralel"),
        ({"ssh_public_access": "perhaps"}, "ssh_public_access"),
        ({"vm_size": 3}, "vm_size"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    folder: WorkspaceFolder, settings: dict[str, object], field: str
) -> None:
    with pytest.raises(ComputeTargetException) as refused:
        create_target(folder, "ci-one", "computeinstance", settings)
    assert refused.value.field == field
    assert find_target(folder.store.read(), "ci-one") is None


@pytest.mark.parametrize(
    ("kind", "said"),
    [("remote", "is attached, not created"), ("adla", "retired on 29 February 2024"), ("aci", "version")],
)
def test_a_type_that_is_not_created_says_why(folder: WorkspaceFolder, kind: str, said: str) -> None:
    with pytest.raises(ComputeTargetException, match=said):
        create_target(folder, "box", kind)
