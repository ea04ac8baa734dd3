"""A run gets the environment that it asks for, before its script starts and never without it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from support import log_of, until
from wheels import make_slow_source, make_wheel

from aml_jupyter.config import CondaDependencies, ScriptRunConfig
from aml_jupyter.environments import EnvironmentCache
from aml_jupyter.errors import UserErrorException
from aml_jupyter.service import (
    SubmitRequest,
    cancel_run,
    create_target,
    resubmit_run,
    service_status,
    start_target,
    stop_target,
    submit,
    wait_for_run,
)
from aml_jupyter.workspace import RunRecord, WorkspaceFolder, get_run, transitions

SCRIPT = "import sys, tiny\nprint(tiny.__version__, sys.prefix)\n"
SubmitPackages = Callable[..., RunRecord]


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    make_wheel(tmp_path / "wheels", "tiny", "1.0")
    return tmp_path / "wheels"


@pytest.fixture
def submit_packages(folder: WorkspaceFolder, project: Path, index: Path) -> SubmitPackages:
    def submit_with(
        *packages: str, option: str | None = None, target: str | None = None, offline: bool = True
    ) -> RunRecord:
        (project / "train.py").write_text(SCRIPT)
        config = ScriptRunConfig(source_directory=str(project), script="train.py")
        dependencies = CondaDependencies.create(pip_packages=[])
        dependencies.set_pip_requirements(list(packages))
        if offline:
            dependencies.set_pip_option("--no-index")
        dependencies.set_pip_option(f"--find-links {index}")
        if target is not None:
            config.run_config.target = target
        if option is not None:
            dependencies.set_pip_option(option)
        config.run_config.environment.python.conda_dependencies = dependencies
        return submit(folder, SubmitRequest(config, "tests")).run

    return submit_with


def test_a_run_waits_for_its_environment_and_has_it(folder: WorkspaceFolder, submit_packages: SubmitPackages) -> None:
    done = wait_for_run(folder, submit_packages("tiny").id, timeout=60)
    assert done.status == "Completed", (done.reason, done.error)
    version, prefix = log_of(folder, done.id).split()
    assert version == "1.0" and prefix.startswith(str(EnvironmentCache().root))
    assert [entry.after for entry in transitions(folder.store.read(), done.id)] == [
        "Queued",
        "Preparing",
        "Starting",
        "Running",
        "Completed",
    ]
    control = folder.layout.run(done.id).attempt(1).control
    assert "installing 1 packages" in (control / "build_log.txt").read_text()
    assert "tiny==1.0" in (control / "environment_lock.txt").read_text()
    again = wait_for_run(folder, resubmit_run(folder, done.id).run.id, timeout=60)
    assert again.status == "Completed"
    assert "Preparing" not in [entry.after for entry in transitions(folder.store.read(), again.id)]
    assert log_of(folder, again.id).split()[1] == prefix
    second = folder.layout.run(again.id).attempt(1).control
    assert not (second / "build_log.txt").exists()
    assert (second / "environment_lock.txt").read_text() == (control / "environment_lock.txt").read_text()


def test_packages_of_azures_that_cannot_be_had_are_left_out_and_every_run_says_so(
    folder: WorkspaceFolder, submit_packages: SubmitPackages
) -> None:
    first = wait_for_run(folder, submit_packages("tiny", "azureml-core==1.61.0").id, timeout=60)
    again = wait_for_run(folder, resubmit_run(folder, first.id).run.id, timeout=60)  # finds it built
    for done in (first, again):
        assert done.status == "Completed", (done.reason, done.error)
        said = get_run(folder.store.read(), done.id).properties["aml.environment_notes"]
        assert said == "azureml-core==1.61.0: could not be installed; aml-jupyter serves what it can of azureml"


def test_a_failed_build_fails_the_run_with_its_reason_and_its_log(
    folder: WorkspaceFolder, submit_packages: SubmitPackages
) -> None:
    done = wait_for_run(folder, submit_packages("tiny==9").id, timeout=60)
    assert done.status == "Failed" and done.error is not None
    assert "tiny==9" in done.error["message"] and "could not be built" in done.error["message"]
    assert "tiny==9" in done.error["log_tail"] and Path(done.error["log_path"]).name == "build_log.txt"


def test_a_second_run_waits_for_the_same_build_and_says_so(
    folder: WorkspaceFolder, submit_packages: SubmitPackages, index: Path
) -> None:
    gate = make_slow_source(index, "slow")
    first, second = submit_packages("tiny", "slow"), submit_packages("tiny", "slow")

    def reason(run: RunRecord) -> str:
        return get_run(folder.store.read(), run.id).reason

    until(lambda: "builds its environment" in reason(first), message="the first run builds")
    if (os.cpu_count() or 1) > 1:
        until(lambda: "that is being built already" in reason(second), message="the second run waits for it")
    gate.unlink()
    assert {wait_for_run(folder, run.id, timeout=60).status for run in (first, second)} == {"Completed"}
    assert len(EnvironmentCache().all_built()) == 1


def test_a_build_outlives_its_service_and_the_next_one_goes_on(
    folder: WorkspaceFolder, submit_packages: SubmitPackages, index: Path
) -> None:
    gate = make_slow_source(index, "slow")
    run = submit_packages("tiny", "slow")
    until(lambda: "solve" in get_run(folder.store.read(), run.id).reason, message="the build is under way")
    entry = EnvironmentCache().entries()[0]
    builder = entry.builder_pid()
    status = service_status(folder)
    assert status is not None and builder is not None
    os.kill(status.pid, signal.SIGKILL)
    done = submit_packages("tiny")  # starts the next service
    assert wait_for_run(folder, done.id, timeout=60).status == "Completed"
    assert entry.builder_pid() == builder
    gate.unlink()
    assert wait_for_run(folder, run.id, timeout=60).status == "Completed"
    log = (folder.layout.run(run.id).attempt(1).control / "build_log.txt").read_text()
    assert log.count("solve: ") == 1 and log.count("Ready after") == 1


def test_a_killed_build_is_built_again(folder: WorkspaceFolder, submit_packages: SubmitPackages, index: Path) -> None:
    gate = make_slow_source(index, "slow")
    run = submit_packages("tiny", "slow")
    until(lambda: "solve" in get_run(folder.store.read(), run.id).reason, message="the build is under way")
    killed = EnvironmentCache().entries()[0].builder_pid()
    assert killed is not None
    os.killpg(killed, signal.SIGKILL)
    gate.unlink()
    assert wait_for_run(folder, run.id, timeout=60).status == "Completed"


def test_canceling_the_only_run_that_waits_ends_the_build(
    folder: WorkspaceFolder, submit_packages: SubmitPackages, index: Path
) -> None:
    make_slow_source(index, "slow")
    run = submit_packages("tiny", "slow")
    until(lambda: "solve" in get_run(folder.store.read(), run.id).reason, message="the build is under way")
    entry = EnvironmentCache().entries()[0]
    cancel_run(folder, run.id)
    assert wait_for_run(folder, run.id, timeout=30).status == "Canceled"
    until(lambda: not entry.is_building(), message="the build is ended")


def test_a_wrong_requirement_is_refused_before_anything_is_copied(
    folder: WorkspaceFolder, submit_packages: SubmitPackages
) -> None:
    with pytest.raises(UserErrorException, match="there is no"):
        submit_packages("./missing-1.0-py3-none-any.whl")
    assert list(folder.layout.runs.iterdir()) == []


def test_a_local_wheel_travels_with_the_run(
    folder: WorkspaceFolder, submit_packages: SubmitPackages, project: Path, tmp_path: Path
) -> None:
    wheel = make_wheel(project, "tiny", "7.0")
    run = submit_packages("./tiny-7.0-py3-none-any.whl")
    wheel.unlink()
    done = wait_for_run(folder, run.id, timeout=60)
    assert done.status == "Completed", done.error
    assert log_of(folder, done.id).startswith("7.0 ")


def test_credentials_of_an_index_stand_in_no_list(folder: WorkspaceFolder, submit_packages: SubmitPackages) -> None:
    run = submit_packages("tiny", option="--extra-index-url https://me:hunter2@localhost:1/simple")
    cancel_run(folder, run.id)
    wait_for_run(folder, run.id, timeout=60)
    for path in folder.root.glob("aml.db*"):
        assert b"hunter2" not in path.read_bytes()
    assert "hunter2" not in repr(get_run(folder.store.read(), run.id))


def test_a_cache_that_is_deleted_under_a_queued_run_is_built_again(
    folder: WorkspaceFolder, submit_packages: SubmitPackages, project: Path
) -> None:
    create_target(folder, "box", "computeinstance", {"max_parallel": 1})
    stop_target(folder, "box")
    make_wheel(project, "tiny", "7.0")
    waiting = [submit_packages("tiny", target="box"), submit_packages("./tiny-7.0-py3-none-any.whl", target="box")]
    built = wait_for_run(folder, submit_packages("tiny").id, timeout=60)
    assert built.status == "Completed", built.error
    until(lambda: len(EnvironmentCache().all_built()) == 1, message="the environment is built")
    shutil.rmtree(EnvironmentCache().root)
    start_target(folder, "box")
    first, second = (wait_for_run(folder, run.id, timeout=90) for run in waiting)
    assert first.status == "Completed", first.error
    assert log_of(folder, first.id).startswith("1.0 ")
    # the wheel that was sent with the other is gone with the cache: it is said, and nothing else runs in its place
    assert second.status == "Failed" and second.error is not None
    assert "tiny-7.0-py3-none-any.whl" in second.error["message"] and "could not be built" in second.error["message"]


def test_an_environment_that_is_gone_under_a_run_that_was_prepared_is_built_again(
    folder: WorkspaceFolder, submit_packages: SubmitPackages
) -> None:
    done = wait_for_run(folder, submit_packages("tiny").id, timeout=60)
    (built,) = EnvironmentCache().all_built()
    lock = built.lock.read_text()
    shutil.rmtree(built.path)
    again = wait_for_run(folder, resubmit_run(folder, done.id).run.id, timeout=60)
    assert again.status == "Completed", again.error
    (rebuilt,) = EnvironmentCache().all_built()
    assert (rebuilt.path, rebuilt.lock.read_text()) == (built.path, lock)  # from its lock, in its place


def test_an_index_that_cannot_be_reached_is_named_in_bounded_time(
    folder: WorkspaceFolder, submit_packages: SubmitPackages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "1")
    run = submit_packages("tiny", "absent", option="--index-url http://localhost:1/simple", offline=False)
    done = wait_for_run(folder, run.id, timeout=60)
    assert done.status == "Failed" and done.error is not None
    assert "http://localhost:1/simple" in done.error["message"] and "\n" not in done.error["message"]


def test_the_line_of_a_file_is_named(folder: WorkspaceFolder, submit_packages: SubmitPackages, project: Path) -> None:
    (project / "requirements.txt").write_text("# mine\ntiny\nnumpy=>1\n")
    with pytest.raises(UserErrorException, match=r"requirements\.txt, line 3: 'numpy=>1'.*"):
        submit_packages("-r requirements.txt")
    assert list(folder.layout.runs.iterdir()) == []
    (project / "requirements.txt").write_text("# mine\ntiny\nno_such-package>=1\n")
    done = wait_for_run(folder, submit_packages("-r requirements.txt").id, timeout=60)
    assert done.error is not None and f"{project}/requirements.txt, line 3" in done.error["message"]
    assert "requirements.txt, line 2" not in done.error["message"]
