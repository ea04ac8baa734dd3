"""Typed charts are checked, kept as files under their names, and logged; wrong ones say what is wrong with them."""

from __future__ import annotations

import json
from typing import Any

import numpy
import pytest
from supervisor.client.chart_bodies import BODIES, changed
from supervisor.client.inrun import Attempt

from aml_jupyter.supervisor import protocol
from aml_jupyter.supervisor.client import UserErrorException
from aml_jupyter.supervisor.client.charts import chart_body
from aml_jupyter.supervisor.client.offline import OfflineRun


@pytest.mark.parametrize("kind", sorted(BODIES))
@pytest.mark.parametrize("shape", ["dict", "json"])
def test_a_chart_is_kept_under_its_name(kind: str, shape: str) -> None:
    run = OfflineRun()
    getattr(run, f"log_{kind}")("my chart", BODIES[kind] if shape == "dict" else json.dumps(BODIES[kind]))
    assert run.get_file_names() == ["my chart"]
    assert run.get_metrics() == {"my chart": f"aml://artifactId/ExperimentRun/dcid.{run.id}/my chart"}
    assert run.get_metrics(populate=True) == {"my chart": BODIES[kind]}
    assert run.get_metrics(recursive=True, populate=True) == {run.id: {"my chart": BODIES[kind]}}


def test_arrays_are_lists() -> None:
    body = changed("confusion_matrix", "matrix", numpy.eye(4, dtype=int))
    assert chart_body("confusion_matrix", "c", body)["data"]["matrix"][1] == [0, 1, 0, 0]
    body = changed("residuals", "bin_edges", tuple(numpy.arange(5)))
    assert chart_body("residuals", "r", body)["data"]["bin_edges"] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("residuals", "{no json", r"run\.log_residuals\('c', \.\.\.\): Invalid JSON provided"),
        ("residuals", "[1, 2]", "expected a dict, or its JSON"),
        ("residuals", 3, "expected a dict, or its JSON"),
        ("residuals", BODIES["predictions"], "schema_type is 'predictions', expected 'residuals'"),
        ("residuals", {"data": {}}, "schema_type is None"),
        ("residuals", changed("residuals", "schema_version", "2.0.0"), "schema_version is '2.0.0', expected '1.0.0'"),
        ("residuals", changed("residuals", "data", [1]), "data is .*expected a dict with bin_edges, bin_counts"),
        ("residuals", changed("residuals", "bin_edges", None), r"data\['bin_edges'\] is missing"),
        ("residuals", changed("residuals", "bin_edges", [1, 2]), "has 2 values, expected 5"),
        ("residuals", changed("residuals", "bin_counts", [1, 2, 3, "4"]), "holds '4', expected numbers"),
        ("residuals", changed("residuals", "bin_counts", [1, 2, 3, True]), "holds True, expected numbers"),
        ("predictions", changed("predictions", "bin_errors", [0.1]), r"data\['bin_errors'\] has 1 values, expected 2"),
        ("predictions", changed("predictions", "bin_edges", [0, 1]), "one more than bin_averages"),
        ("confusion_matrix", changed("confusion_matrix", "class_labels", ["a"]), "4 rows for 1 class_labels"),
        ("confusion_matrix", changed("confusion_matrix", "matrix", [[1]] * 4), r"\[0\] has 1 values, expected 4"),
        ("confusion_matrix", changed("confusion_matrix", "matrix", "x"), r"data\['matrix'\] is 'x', expected a list"),
        ("accuracy_table", changed("accuracy_table", "class_labels", ["0"]), "2 tables for 1 class_labels"),
        ("accuracy_table", changed("accuracy_table", "percentile_thresholds", [0.0]), "5 rows for 1 percentile_thre"),
        ("accuracy_table", changed("accuracy_table", "probability_tables", [[[1]] * 5] * 2), "expected 4 .*TP, FP, TN"),
        ("accuracy_table", changed("accuracy_table", "probability_tables", [3, 4]), "3 rows for 5 probability_thresh"),
    ],
)
def test_a_wrong_chart_says_what_is_wrong(kind: str, value: Any, said: str) -> None:
    run = OfflineRun()
    with pytest.raises(UserErrorException, match=said):
        getattr(run, f"log_{kind}")("c", value)
    assert run.get_metrics() == {} and run.get_file_names() == []


def test_inside_a_run_a_chart_is_a_file_and_an_event(attempt: Attempt) -> None:
    attempt.run(
        f"""
        from azureml.core import Run
        run = Run.get_context()
        with run.child_run("fold") as fold:
            fold.log_confusion_matrix("deep/matrix", {BODIES["confusion_matrix"]!r})
        run.log_residuals("left", {json.dumps(BODIES["residuals"])!r})
        """
    )
    (fold, left) = attempt.of_kind("chart")
    assert (fold["n"], fold["a"], fold["type"]) == ("deep/matrix", "deep/matrix", "confusion_matrix")
    assert fold["r"] and "r" not in left
    kept = attempt.control / protocol.ARTIFACTS
    assert json.loads((kept / "left").read_text()) == BODIES["residuals"]
    assert json.loads((kept / "deep" / "matrix").read_text()) == BODIES["confusion_matrix"]


@pytest.mark.parametrize("name", ["", "x" * 256])
def test_a_name_that_would_be_lost_is_refused(name: str, attempt: Attempt) -> None:
    run = OfflineRun()
    for log in (
        lambda: run.log(name, 1),
        lambda: run.log_list(name, [1]),
        lambda: run.log_row(name, a=1),
        lambda: run.log_table(name, {"a": 1}),
        lambda: run.log_residuals(name, BODIES["residuals"]),
    ):
        with pytest.raises(UserErrorException, match="1 to 255 characters"):
            log()
    out = attempt.run(
        f"""
        from azureml.core import Run
        from azureml.exceptions import UserErrorException
        try:
            Run.get_context().log({name!r}, 1.0)
        except UserErrorException as error:
            print(error)
        """
    )
    assert "1 to 255 characters" in out and attempt.events() == []
