"""Outside any run the same calls work, and what was logged can be asked for."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from aml_jupyter.supervisor.client import Run, RunEnvironmentException, UserErrorException, get_context, offline
from aml_jupyter.supervisor.client.offline import OfflineRun


def test_the_context_is_one_object_and_answers_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline, "workspace_factory", [])  # as where no SDK is loaded
    run = Run.get_context()
    assert run is get_context() and isinstance(run, OfflineRun)
    assert run.id.startswith("OfflineRun_")
    assert (run.experiment.name, run.experiment.workspace.name, run.parent, run.number) == (
        "offline",
        "offline",
        None,
        1,
    )
    assert run.status == "Running" and run.type == "azureml.scriptrun" and run.name == run.id
    assert run.get_details()["runId"] == run.id and run.get_file_names() == [] and run.get_children() == []
    assert dict(run.input_datasets) == {} and "prices" not in run.input_datasets
    with pytest.raises(UserErrorException, match="was not submitted"):
        run.get_environment()


def test_a_context_that_has_to_be_submitted() -> None:
    with pytest.raises(RunEnvironmentException, match=r"aml submit"):
        Run.get_context(allow_offline=False)


def test_metrics_have_the_shape_of_sdk_v1() -> None:
    run = OfflineRun()
    run.log("once", 1.5)
    run.log("often", 1, step=0)
    run.log("often", 2, step=1)
    run.log_list("listed once", [3])
    run.log_row("rows", x=1, y="a")
    run.log_row("rows", x=2, y="b")
    run.log_table("one row", {"x": 1})
    assert run.get_metrics() == {
        "once": 1.5,
        "often": [1, 2],
        "listed once": 3,
        "rows": {"x": [1, 2], "y": ["a", "b"]},
        "one row": {"x": 1},
    }
    assert run.get_metrics("once") == {"once": 1.5}
    assert run.get_metrics("unknown") == {}


def test_tags_properties_and_names() -> None:
    run = OfflineRun()
    run.set_tags({"a": "1", "b": "2"})
    run.remove_tags(["a"])
    run.add_properties({"p": "1"})
    run.add_properties({"p": "1", "q": "2"})
    with pytest.raises(UserErrorException, match=r"immutable"):
        run.add_properties({"r": "3", "p": "2"})
    run.display_name = "mine"
    assert run.get_tags() == run.tags == {"b": "2"}
    assert run.get_properties() == run.properties == {"p": "1", "q": "2"}
    assert run.display_name == "mine"


def test_what_a_run_says_of_itself() -> None:
    run = OfflineRun()
    assert (run.description, run.get_snapshot_id(), run.get_portal_url(), run.portal_url) == (None, None, None, None)
    run.description = "folds of digits"
    assert run.description == "folds of digits" == run.tags["mlflow.note.content"]
    run.description = None
    assert run.description is None and run.tags == {}
    assert run.get_detailed_status() == {"status": "Running", "details": {}}
    run.fail("no data")
    assert run.get_detailed_status() == {"status": "Failed", "details": {"message": "no data"}}


def test_files(tmp_path: Path) -> None:
    run = OfflineRun()
    (tmp_path / "model.txt").write_text("weights")
    run.upload_file("outputs/model.txt", tmp_path / "model.txt")
    run.upload_file("note", io.StringIO("grüße"))
    assert run.get_file_names() == ["note", "outputs/model.txt"]
    run.download_file("note", tmp_path / "got" / "note")
    run.download_files("outputs", tmp_path / "all")
    assert (tmp_path / "got" / "note").read_text() == "grüße"
    assert (tmp_path / "all" / "outputs" / "model.txt").read_text() == "weights"
    with pytest.raises(UserErrorException, match=r"its files: note, outputs/model.txt"):
        run.download_file("other", tmp_path / "other")


def test_children_and_states() -> None:
    run = OfflineRun()
    with run.child_run("fold") as child:
        child.log("auc", 0.9)
        child.tag("k", "v")
    with pytest.raises(ZeroDivisionError), run.child_run("broken") as broken:
        1 / 0
    tagged = run.create_children(tag_key="lr", tag_values=["0.1", "0.2"])
    assert child.parent is run and child.status == "Completed" and child.name == "fold"
    assert broken.status == "Failed" and "division" in broken.get_details()["error"]
    assert [entry.tags for entry in tagged] == [{"lr": "0.1"}, {"lr": "0.2"}]
    assert run.get_children() == [child, broken, *tagged]
    assert run.get_metrics(recursive=True)[child.id] == {"auc": 0.9} and run.get_metrics() == {}
    run.complete()
    assert run.status == "Completed" and run.get_details()["endTimeUtc"] is not None
    with pytest.raises(RunEnvironmentException, match=r"only inside a submitted run"):
        run.submit_child({"script": "a.py"})
