"""Typed charts are shown: tables and bars in text, tables and inline SVG in HTML."""

from __future__ import annotations

import copy
import json
from typing import Any
from xml.etree import ElementTree

import pytest
from supervisor.client.chart_bodies import BODIES, changed
from views.conftest import MakeRun, read_page

from aml_jupyter.views import RunView, as_html, as_text, run_view
from aml_jupyter.views.typed_charts import TypedChart, charts_html
from aml_jupyter.workspace import WorkspaceFolder, get_metrics

SVG = "{http://www.w3.org/2000/svg}"


def view_of(folder: WorkspaceFolder, make_run: MakeRun, charts: dict[str, dict[str, Any]]) -> RunView:
    """Return the view of a run that has logged `charts`, by metric; its outputs hold the files."""
    events = [
        {"e": "chart", "n": name, "type": body.get("schema_type", "residuals"), "a": f"outputs/{name}"}
        for name, body in charts.items()
    ]
    outputs = {f"outputs/{name}": json.dumps(body).encode() for name, body in charts.items()}
    return run_view(folder, make_run(events=events, outputs=outputs).id)


def test_every_kind_is_shown_in_text_and_html(folder: WorkspaceFolder, make_run: MakeRun) -> None:
    view = view_of(folder, make_run, {f"my {kind}": body for kind, body in BODIES.items()})
    assert [chart.kind for chart in view.charts] == list(BODIES)
    text = as_text(view, 100)
    assert "my confusion_matrix (confusion_matrix)" in text and "6 of 8 right (75.0%)" in text
    assert "100 to 200" in text and "█" in text and "0.25 ± 0.013" in text and "ROC area" in text
    page = read_page(as_html(view))
    assert "6 of 8 right (75.0%)" in page.text and "50 to 350" in page.text and "class 1, ROC area 0.9" in page.text
    assert [name for name, _ in page.tags].count("svg") == 4  # residuals, predictions, two classes of the table
    assert len([tag for tag in page.tags if tag[0] == "rect"]) == 4


def test_the_area_of_a_perfect_and_of_a_random_classifier() -> None:
    data = copy.deepcopy(BODIES["accuracy_table"]["data"])
    data["probability_tables"] = [[[10, 10, 0, 0], [10, 0, 10, 0], [0, 0, 10, 10]], [[10, 10, 0, 0], [5, 5, 5, 5]]]
    lines = TypedChart("t", "accuracy_table", data).as_text(80).splitlines()
    assert [line.split() for line in lines[2:]] == [["0", "1", "3"], ["1", "0.5", "2"]]


@pytest.mark.parametrize("kind", sorted(BODIES))
def test_svg_is_well_formed_and_inside_its_frame(kind: str) -> None:
    page = charts_html((TypedChart('<name> & "more"', kind, BODIES[kind]["data"]),))
    assert page is not None
    for svg in ElementTree.fromstring(page).iter(f"{SVG}svg"):
        for bar in svg.iter(f"{SVG}rect"):
            x, y, width, height = (float(bar.attrib[name]) for name in ("x", "y", "width", "height"))
            assert x >= 0 and x + width <= 221 and y >= 0 and y + height <= 56


def test_odd_numbers_and_empty_charts_are_shown() -> None:
    nan, inf = float("nan"), float("inf")
    for kind, data in (
        ("residuals", {"bin_edges": [0], "bin_counts": []}),
        ("residuals", {"bin_edges": [0, 0], "bin_counts": [0]}),
        ("residuals", {"bin_edges": [nan, inf, 3], "bin_counts": [inf, nan]}),
        ("predictions", {"bin_edges": [0], "bin_counts": [], "bin_averages": [], "bin_errors": []}),
        ("confusion_matrix", {"class_labels": [], "matrix": []}),
        ("confusion_matrix", {"class_labels": ["<a>"], "matrix": [[nan]]}),
        ("confusion_matrix", {"class_labels": [str(n) for n in range(99)], "matrix": [[1] * 99] * 99}),
        ("accuracy_table", {**BODIES["accuracy_table"]["data"], "probability_tables": [[[0, 0, 0, 0]], []]}),
    ):
        chart = TypedChart("odd", kind, data)
        assert chart.as_text(60).startswith("odd (")
        read_page(chart.as_html())


def test_a_file_that_was_changed_or_lost_leaves_the_metrics_line(folder: WorkspaceFolder, make_run: MakeRun) -> None:
    broken = {"half": changed("residuals", "bin_edges", [1]), "no chart": {"schema_type": "pie"}, "empty": {}}
    view = view_of(folder, make_run, broken)
    assert view.charts == ()
    assert "chart outputs/half" in as_text(view)
    name = {"half": f"aml://artifactId/ExperimentRun/dcid.{view.run.id}/outputs/half"}
    assert get_metrics(folder.store.read(), view.run.id, "half") == name
