"""An interactive run lives in this process, and in the history."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from aml_jupyter import Experiment, Run, UserErrorException, Workspace


def test_what_is_logged_is_in_the_history(experiment: Experiment, ws: Workspace, tmp_path: Path) -> None:
    run = experiment.start_logging(display_name="by hand", tags={"a": "b"})
    assert run.status == "Running"
    assert run.get_snapshot_id() is None
    for step in range(3):
        run.log("loss", 1 / (step + 1), step=step)
    run.log_row("table", x=1)
    (tmp_path / "note.txt").write_text("kept")
    run.upload_file("notes/note.txt", str(tmp_path / "note.txt"))
    assert run.get_metrics("loss") == {"loss": [1.0, 0.5, pytest.approx(1 / 3)]}
    run.complete()
    same = Run.get(ws, run.id)
    assert same.status == "Completed"
    assert same.get_details()["endTimeUtc"]
    assert same.tags == {"a": "b"}
    assert same.get_metrics()["table"] == {"x": 1}
    same.download_file("notes/note.txt", str(tmp_path / "back.txt"))
    assert (tmp_path / "back.txt").read_text() == "kept"
    with pytest.raises(UserErrorException, match="has ended"):
        run.log("late", 1)


def test_a_with_block_tells_how_it_ended(experiment: Experiment) -> None:
    with experiment.start_logging() as good:
        good.log("a", 1)
    assert good.status == "Completed"
    with pytest.raises(ZeroDivisionError), experiment.start_logging() as bad:
        1 / 0
    assert bad.status == "Failed"
    assert bad.get_details()["error"]["error"] == {"code": "ZeroDivisionError", "message": "division by zero"}
    with experiment.start_logging() as canceled:
        canceled.cancel()
    assert canceled.status == "Canceled"


def test_children_and_outputs(experiment: Experiment, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "a.txt").write_text("a")
    parent = experiment.start_logging(outputs=str(tmp_path / "results"))
    with parent.child_run("inner") as child:
        child.log("b", 2)
    assert child.parent == parent
    assert list(parent.get_children()) == [child]
    parent.complete()
    assert parent.get_metrics(recursive=True)[child.id] == {"b": 2}
    assert "outputs/a.txt" in parent.get_file_names()


def test_a_run_that_is_read_from_the_history_gets_children_until_it_has_ended(
    experiment: Experiment, ws: Workspace
) -> None:
    parent = experiment.start_logging()
    same = Run.get(ws, parent.id)
    with same.child_run("from outside") as child:
        child.log("b", 2)
    more = same.create_children(tag_key="fold", tag_values=["1", "2"])
    assert [each.tags["fold"] for each in more] == ["1", "2"]
    assert {each.id for each in parent.get_children()} == {child.id, *(each.id for each in more)}
    assert dict(same.input_datasets) == dict(same.output_datasets) == {}
    with pytest.raises(KeyError, match="datasets are not built yet"):
        same.input_datasets["prices"]
    parent.complete()
    assert {each.status for each in more} == {"Completed"}  # they end with it at the latest
    with pytest.raises(UserErrorException, match="has ended"):
        same.child_run()


def test_errors_are_those_of_this_package(experiment: Experiment) -> None:
    run = experiment.start_logging(run_id="mine")
    with pytest.raises(UserErrorException, match="log_list"):
        run.log("a", [1, 2])
    with pytest.raises(UserErrorException, match="taken"):
        experiment.start_logging(run_id="mine")
    run.fail("on purpose")
    assert run.get_detailed_status() == {"status": "Failed", "details": {"message": "on purpose"}}


def test_a_run_whose_process_is_gone_does_not_stay_running(experiment: Experiment, ws: Workspace) -> None:
    text = (
        "import os\nfrom aml_jupyter import Experiment, Workspace\n"
        "run = Experiment(Workspace.from_config(), 'sdk').start_logging(run_id='lost')\n"
        "run.log('kept', 7)\nos._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", text], check=True)
    lost = Run.get(ws, "lost")
    assert lost.status == "Running"
    with experiment.start_logging():
        pass
    assert lost.status == "Failed"
    assert "without run.complete()" in str(lost.get_details()["error"])
    assert lost.get_metrics() == {"kept": 7}


def test_a_process_that_forgets_to_complete_says_so_at_its_end(ws: Workspace) -> None:
    text = (
        "from aml_jupyter import Experiment, Workspace\n"
        "Experiment(Workspace.from_config(), 'sdk').start_logging(run_id='forgotten').log('kept', 7)\n"
    )
    subprocess.run([sys.executable, "-c", text], check=True)
    forgotten = Run.get(ws, "forgotten")
    assert forgotten.status == "Failed"
    assert forgotten.get_metrics() == {"kept": 7}
