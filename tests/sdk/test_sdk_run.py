"""A run is followed, read and changed as SDK v1's notebooks do it."""

from __future__ import annotations

import os
import signal
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from support import until

from aml_jupyter import (
    ActivityFailedException,
    Experiment,
    ExperimentExecutionException,
    Run,
    ScriptRunConfig,
    UserErrorException,
    Workspace,
)
from aml_jupyter.errors import RunEnvironmentException
from aml_jupyter.service import service_status

WORK = """
import os, sys
from azureml.core import Run
run = Run.get_context()
run.log("loss", 2.0); run.log("loss", 1.0)
run.log_list("few", [1, 2, 3])
run.log_row("table", x=1, y="a"); run.log_row("table", x=2, y="b")
run.tag("from", "script")
os.makedirs("outputs/deep", exist_ok=True)
open("outputs/model.txt", "w").write("the model")
open("outputs/deep/more.txt", "w").write("more")
print("hello", *sys.argv[1:])
"""


def test_a_run_from_submit_to_its_files(
    submit_text: Callable[..., Run], ws: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = submit_text(WORK, tags={"try": "1"}, arguments=["--lr", 0.5], display_name="first")
    details = run.wait_for_completion(show_output=True)
    shown = capsys.readouterr().out
    assert shown.startswith(f"RunId: {run.id}\n")
    assert "Streaming user_logs/std_log.txt" in shown
    assert shown.count("hello --lr 0.5\n") == 1
    assert "Status: Completed" in shown

    assert (run.number, run.name, run.type, run.status) == (1, "first", "azureml.scriptrun", "Completed")
    assert details["runId"] == run.id
    assert details["target"] == "local"
    assert details["startTimeUtc"] < details["endTimeUtc"]
    assert details["startTimeUtc"].endswith("Z")
    assert {
        "properties",
        "inputDatasets",
        "outputDatasets",
        "runDefinition",
        "logFiles",
        "submittedBy",
    } <= details.keys()
    assert details["runDefinition"]["arguments"] == ["--lr", "0.5"]
    assert run.get_details_with_logs()["logFiles"]["user_logs/std_log.txt"] == "hello --lr 0.5\n"

    assert run.get_metrics() == {"loss": [2.0, 1.0], "few": [1, 2, 3], "table": {"x": [1, 2], "y": ["a", "b"]}}
    assert run.get_metrics("loss") == {"loss": [2.0, 1.0]}
    assert run.get_metrics("no") == {}
    assert run.get_metrics(recursive=True) == {run.id: run.get_metrics()}

    assert run.tags == {"try": "1", "from": "script"}
    run.tag("quality", 3)
    run.remove_tags(["try"])
    assert run.get_tags() == {"from": "script", "quality": "3"}
    run.add_properties({"fixed": "1"})
    assert run.get_properties()["fixed"] == "1"
    run.display_name = "renamed"
    assert Run.get(ws, run.id).display_name == "renamed"

    assert {"outputs/model.txt", "outputs/deep/more.txt", "user_logs/std_log.txt"} <= set(run.get_file_names())
    run.download_file("outputs/model.txt", str(tmp_path / "m" / "model.txt"))
    assert (tmp_path / "m" / "model.txt").read_text() == "the model"
    run.download_files("outputs", str(tmp_path / "all"))
    assert (tmp_path / "all" / "outputs" / "deep" / "more.txt").read_text() == "more"
    run.download_files("outputs", str(tmp_path / "bare"), append_prefix=False)
    assert sorted(path.name for path in (tmp_path / "bare").iterdir()) == ["deep", "model.txt"]
    with pytest.raises(UserErrorException, match=r"no file 'outputs/modle.txt'; did you mean outputs/model.txt"):
        run.download_file("outputs/modle.txt")
    with pytest.raises(UserErrorException, match="no file that begins with 'out'"):
        run.download_files("out", str(tmp_path / "none"))
    logs = run.get_all_logs(str(tmp_path / "logs"))
    assert str(tmp_path / "logs" / "user_logs" / "std_log.txt") in logs

    assert run.get_snapshot_id()
    assert Path(run.download_snapshot(tmp_path / "snapshot"), "train.py").read_text() == WORK
    assert zipfile.ZipFile(run.restore_snapshot(path=tmp_path / "zips")).namelist() == ["train.py"]


KEEPS_SOME = """
import os, sys, time
for name in ("outputs/kept.pt", "outputs/old.pt", "logs/kept.txt", "logs/old.txt"):
    os.makedirs(os.path.dirname(name), exist_ok=True)
    open(name, "w").write(name)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
"""


def test_what_a_script_that_goes_on_removed_again_keeps_nobody_from_the_rest(
    submit_text: Callable[..., Run], ws: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = submit_text(KEEPS_SOME, arguments=[str(tmp_path / "go")])
    until(lambda: {"outputs/old.pt", "logs/old.txt"} <= set(run.get_file_names()), message="the files in the list")
    service = service_status(ws.folder)
    assert service is not None
    os.kill(service.pid, signal.SIGSTOP)  # the list stays as it is
    try:
        work = ws.folder.layout.run(run.id).attempt(1).work
        for name in ("outputs/old.pt", "logs/old.txt"):
            (work / name).unlink()
        assert "outputs/kept.pt" in run.get_file_names()
        assert "logs/kept.txt" in run.get_details()["logFiles"]
        run.download_files("outputs", str(tmp_path / "got"))
        assert [path.name for path in (tmp_path / "got/outputs").iterdir()] == ["kept.pt"]
        assert "not there any more" in caplog.text and "outputs/old.pt" in caplog.text
        with pytest.raises(UserErrorException, match=r"has no file 'outputs/old.pt'"):
            run.download_file("outputs/old.pt", str(tmp_path / "old.pt"))
    finally:
        os.kill(service.pid, signal.SIGCONT)
    (tmp_path / "go").touch()
    run.wait_for_completion()
    assert {"outputs/old.pt", "logs/old.txt"}.isdisjoint(run.get_file_names())
    (work / "outputs/kept.pt").unlink()
    with pytest.raises(UserErrorException, match=r"has no file 'outputs/kept.pt'"):
        run.download_files("outputs", str(tmp_path / "after"))


def test_a_failure_shows_the_end_of_the_log_and_where_it_lies(submit_text: Callable[..., Run]) -> None:
    run = submit_text("print('before')\nraise ValueError('what went wrong')\n")
    with pytest.raises(ActivityFailedException) as caught:
        run.wait_for_completion()
    message = str(caught.value)
    assert run.id in message
    assert "ValueError: what went wrong" in message
    log = run.get_details()["logFiles"]["user_logs/std_log.txt"]
    assert log in message
    assert run.wait_for_completion(raise_on_error=False)["error"]["error"]["message"]


def test_waiting_reacts_at_once(submit_text: Callable[..., Run], tmp_path: Path) -> None:
    run = submit_text(f"import time\nopen({str(tmp_path / 'end')!r}, 'w').write(str(time.time()))\n")
    run.wait_for_completion(show_output=True)
    returned = time.time()
    ended = float((tmp_path / "end").read_text())
    assert returned - ended < 2.0  # SDK v1 polls every 2 to 60 seconds; the bound leaves room for a busy machine


def test_an_interrupted_wait_leaves_the_run_alone(
    submit_text: Callable[..., Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = tmp_path / "gate"
    run = submit_text(
        f"import os, time\nprint('up', flush=True)\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)\n"
    )
    until(lambda: run.status == "Running", message="the run")
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(ExperimentExecutionException, match=r"interrupted; the run goes on.*run\.cancel"):
        run.wait_for_completion(show_output=True)
    timer.join()
    assert run.status == "Running"
    gate.touch()
    assert run.wait_for_completion()["status"] == "Completed"


def test_cancel_and_resubmit(submit_text: Callable[..., Run], tmp_path: Path) -> None:
    text = f"import os, time\nwhile not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.02)\n"
    run = submit_text(text, grace_seconds=1)
    until(lambda: run.status == "Running", message="the run")
    run.cancel()
    assert run.wait_for_completion(show_output=True)["status"] == "Canceled"
    (tmp_path / "go").touch()
    again = run.resubmit()
    assert again.id != run.id
    assert again.get_snapshot_id() == run.get_snapshot_id()
    assert again.wait_for_completion()["status"] == "Completed"


def test_children(
    submit_text: Callable[..., Run], configure: Callable[..., ScriptRunConfig], experiment: Experiment, ws: Workspace
) -> None:
    parent = submit_text("print(1)\n")
    child = parent.submit_child(configure("print(2)\n"), tags={"role": "child"})
    child.wait_for_completion()
    parent.wait_for_completion()
    assert child.parent == parent
    assert parent.parent is None
    assert list(parent.get_children()) == [child]
    assert list(parent.get_children(tags={"role": "other"})) == []
    assert [run.id for run in experiment.get_runs()] == [parent.id]
    assert [run.id for run in experiment.get_runs(include_children=True)] == [child.id, parent.id]
    assert list(experiment.get_runs(tags="role", include_children=True)) == [child]
    assert list(Run.list(experiment, status="Failed")) == []
    assert list(Run.list(experiment, type="hyperdrive")) == []
    assert list(Run.list(experiment, status="completed")) == [parent]
    assert list(Run.list(experiment, status="Unapproved")) == []
    with pytest.raises(UserErrorException, match="'Complete' is not a state of a run; did you mean Completed"):
        list(Run.list(experiment, status="Complete"))
    with pytest.raises(UserErrorException, match="not a state of a run"):
        list(parent.get_children(status="Done"))


def test_a_property_keeps_its_value_and_says_so(submit_text: Callable[..., Run]) -> None:
    run = submit_text("print(1)\n")
    run.add_properties({"seed": 1})
    run.add_properties({"seed": "1", "more": "x"})
    with pytest.raises(UserErrorException, match="property 'seed' is '1' and cannot be changed to '2'"):
        run.add_properties({"other": "y", "seed": 2})
    assert "other" not in run.get_properties()
    run.wait_for_completion()


def test_a_run_shows_itself_without_scripts(submit_text: Callable[..., Run]) -> None:
    run = submit_text("print('<script>alert(1)</script>')\n")
    run.wait_for_completion()
    bundle = run._repr_mimebundle_()
    assert run.id in bundle["text/plain"]
    assert "Completed" in bundle["text/html"]
    assert "<script" not in bundle["text/html"]
    assert run.id in repr(run)
    assert run.get_portal_url() is None


def test_unknown_runs_and_what_works_only_inside(submit_text: Callable[..., Run], ws: Workspace) -> None:
    with pytest.raises(UserErrorException, match="There is no run 'nope'"):
        Run.get(ws, "nope")
    run = submit_text("print(1)\n")
    with pytest.raises(UserErrorException, match=r"Run\.log works inside the run.*start_logging"):
        run.log("a", 1)
    assert not hasattr(run, "log_row") and getattr(run, "take_snapshot", "nothing") == "nothing"
    with pytest.raises(AttributeError, match="did you mean get_metrics"):
        run.get_metric()
    with pytest.raises(UserErrorException, match="brings no values back"):
        run.result()
    run.wait_for_completion()


def test_the_installed_package_works_inside_a_run_too(submit_text: Callable[..., Run]) -> None:
    run = submit_text(
        "import azureml.core\n"
        "from aml_jupyter import Run\n"
        "run = Run.get_context(allow_offline=False)\n"
        "run.log('a', 1)\n"
        "assert run is azureml.core.Run.get_context()\n"
    )
    run.wait_for_completion()
    assert run.get_metrics() == {"a": 1}


def test_outside_any_run_logging_stays_in_memory() -> None:
    run = Run.get_context()
    run.log("outside", 1)
    assert run.get_metrics("outside") == {"outside": 1}
    with pytest.raises(Exception, match="not a submitted run") as caught:
        Run.get_context(allow_offline=False)
    assert type(caught.value).__module__ == "aml_jupyter.errors"


def test_a_script_and_a_notebook_see_one_description_and_snapshot(
    submit_text: Callable[..., Run], ws: Workspace
) -> None:
    run = submit_text(
        "from azureml.core import Run\n"
        "run = Run.get_context()\n"
        "run.description = 'said inside'\n"
        "print(run.description, run.get_snapshot_id(), run.get_detailed_status()['status'])\n"
    )
    run.wait_for_completion()
    assert run.get_details_with_logs()["logFiles"]["user_logs/std_log.txt"].split() == [
        "said",
        "inside",
        str(run.get_snapshot_id()),
        "Running",
    ]
    assert run.description == "said inside"
    run.tag("mlflow.log-model.history", "[...]")
    shown = run._repr_mimebundle_()
    assert "\n  said inside\n" in shown["text/plain"] and "said inside" in shown["text/html"]
    assert "mlflow." not in shown["text/plain"]
    run.description = "said outside"
    assert ws.get_run(run.id).description == "said outside"
    run.description = None
    assert run.description is None
    assert (run.portal_url, run.get_docs_url()) == (None, None)


def test_runs_are_found_by_their_target(submit_text: Callable[..., Run], ws: Workspace) -> None:
    first, second = submit_text("pass", tags={"a": "1"}), submit_text("pass")
    second.wait_for_completion()
    local = ws.compute_targets["local"]
    assert list(Run.list_by_compute(local)) == [second, first]
    assert list(Run.list_by_compute(local, tags={"a": "1"})) == [first]
    first.wait_for_completion()
    assert list(Run.list_by_compute(local, status="Failed")) == []
    with pytest.raises(RunEnvironmentException, match="not a submitted run"):
        Run.get_submitted_run()
    with pytest.raises(UserErrorException, match="expected a ComputeTarget"):
        next(Run.list_by_compute("local"))  # type: ignore[arg-type]
