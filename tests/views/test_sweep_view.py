"""A sweep is shown: a table with the best child first, charts that are well-formed, and the same facts in JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

import pytest
from views.conftest import read_page, scalars

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.config.sweeps import (
    BanditPolicy,
    HyperDriveConfig,
    RandomParameterSampling,
    choice,
    loguniform,
    uniform,
)
from aml_jupyter.views import RunView, as_html, as_json, as_text, run_view
from aml_jupyter.workspace import (
    WorkspaceFolder,
    add_properties,
    add_sweep_change,
    get_run,
    ingest_events,
    insert_run,
    new_attempt,
    transition,
    update_run,
)

SVG = "{http://www.w3.org/2000/svg}"


class Made:
    """Write a sweep and its children by the workspace's own functions."""

    def __init__(self, folder: WorkspaceFolder, **changes: Any) -> None:
        self.folder = folder
        given: dict[str, Any] = {
            "hyperparameter_sampling": RandomParameterSampling(
                {"--lr": loguniform(-7, 0), "--kind": choice("<a>", "b"), "--width": uniform(0, 1)}
            ),
            "primary_metric_name": "loss",
            "primary_metric_goal": "minimize",
            "max_total_runs": 20,
            "policy": BanditPolicy(slack_factor=0.2),
            "run_config": ScriptRunConfig(".", "train.py"),
        }
        config = HyperDriveConfig(**{**given, **changes}).to_dict()
        definition = {
            "id": "HD_1",
            "experiment": "digits",
            "kind": "hyperdrive",
            "sweep": {"config": config, "seed": 1},
        }
        with folder.store.transaction() as tx:
            insert_run(tx, definition, "Running", in_process=True)

    def child(
        self, number: int, values: Sequence[float], status: str = "Completed", reason: str = "", **more: Any
    ) -> None:
        run_id = f"HD_1_{number}"
        parameters = {"--lr": 0.001 * (number + 1), "--kind": "<a>" if number % 2 else "b", "--width": number / 20}
        with self.folder.store.transaction() as tx:
            insert_run(tx, {"id": run_id, "experiment": "digits", "kind": "script", "parent": "HD_1"})
            add_properties(tx, run_id, {"hyperparameters": json.dumps(parameters), **more})
            new_attempt(tx, run_id, 1, {})
            transition(tx, run_id, "Starting", "")
            transition(tx, run_id, "Running", "")
            update_run(tx, run_id, started=1_700_000_000.0 + number)
        lines = [json.dumps({"t": 1_700_000_000.0, **event}) for event in scalars("loss", list(values))]
        ingest_events(self.folder.store, run_id, 1, "1.jsonl", 0, "".join(f"\n{line}\n" for line in lines).encode())
        if status != "Running":
            with self.folder.store.transaction() as tx:
                if status == "Canceled":
                    transition(tx, run_id, "CancelRequested", reason, cancel_requested=1_700_000_001.0)
                transition(tx, run_id, "Finalizing", reason)
                error = {"message": reason} if status == "Failed" else None
                transition(tx, run_id, status, reason, ended=1_700_000_004.0 + number, error=error)

    @property
    def view(self) -> RunView:
        return run_view(self.folder, get_run(self.folder.store.read(), "HD_1").id)


@pytest.fixture
def sweep(folder: WorkspaceFolder) -> Made:
    made = Made(folder)
    for number in range(12):
        made.child(number, [5.0, 3.0 - 0.1 * number, 2.0 - 0.1 * number])
    made.child(12, [9.0], "Canceled", "Bandit: best so far 9 at interval 1; the limit is 5")
    made.child(13, [], "Failed", "ValueError: <no>")
    made.child(14, [4.0, float("nan")], "Running")
    return made


def test_the_best_child_comes_first_and_unfinished_ones_last(sweep: Made) -> None:
    shown = as_json(sweep.view)["sweep"]
    assert [child["number"] for child in shown["children"]] == [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 12, 13, 14]
    assert (shown["best"], shown["best_value"]) == ("HD_1_11", pytest.approx(0.9))
    stopped = shown["children"][12]
    assert stopped["stopped"] and stopped["remark"].startswith("Bandit: best so far 9")
    assert shown["children"][13]["remark"] == "ValueError: <no>"
    assert (shown["children"][14]["best"], shown["children"][14]["last"], shown["children"][14]["count"]) == (
        4.0,
        None,
        2,
    )
    assert shown["curves"]["14"] == [4.0, "NaN"] and shown["curves"]["11"][-1] == pytest.approx(0.9)
    assert set(shown["importances"]) == {"--lr", "--kind", "--width"}
    json.dumps(shown, allow_nan=False)


def test_stopped_children_say_what_matters_and_count_as_no_better_than_the_worst(folder: WorkspaceFolder) -> None:
    made = Made(folder)
    for number in range(7):
        made.child(number, [2.0 - 0.1 * number])
    assert made.view.sweep is not None and made.view.sweep.importances == {}  # seven are too few
    for number in range(7, 12):
        made.child(number, [0.01], "Canceled", "Bandit: ...")
    shown = as_json(made.view)["sweep"]["importances"]
    assert set(shown) == {"--lr", "--kind", "--width"}
    # The good ones are 6, 5 and 4 of 12, in the middle of --lr and --width; the five that were stopped had 0.01 and are not.
    assert shown["--width"] > shown["--kind"] and shown["--lr"] > shown["--kind"], shown


def test_two_parameters_are_drawn_against_each_other_before_any_is_known_to_matter(folder: WorkspaceFolder) -> None:
    made = Made(folder)
    for number in range(3):
        made.child(number, [2.0 - number])
    page = read_page(as_html(made.view))
    assert "two parameters: the stronger, the better" in page.text and "importance" not in page.text


def test_what_stopping_early_saved_is_said(sweep: Made) -> None:
    shown = as_json(sweep.view)["sweep"]
    # Completed ones ran for 4 s, like the stopped one: nothing was saved.
    assert shown["saved_seconds"] == 0.0 and "stopping early" not in as_text(sweep.view)
    with sweep.folder.store.transaction() as tx:
        update_run(tx, "HD_1_12", ended=1_700_000_013.0)
    shown = as_json(sweep.view)["sweep"]
    assert shown["saved_seconds"] == pytest.approx(3.0) and shown["saved_share"] == pytest.approx(
        3 / (3 + 12 * 4 + 1 + 4)
    )
    assert "stopping early saved about 3.0 s" in as_text(sweep.view)


@pytest.mark.parametrize(
    "reason", ["canceled by the user", "the sweep was canceled", "max_duration_minutes (5) is over", "Banditry"]
)
def test_what_no_policy_stopped_saved_nothing(sweep: Made, reason: str) -> None:
    sweep.child(15, [4.0], "Canceled", reason)
    with sweep.folder.store.transaction() as tx:
        update_run(tx, "HD_1_12", ended=1_700_000_013.0)
        update_run(tx, "HD_1_15", ended=1_700_000_016.0)
    shown = as_json(sweep.view)["sweep"]
    # Child 12 was stopped by a policy after 1 s of 4; child 15 ran for 1 s, and only that counts of it.
    assert shown["saved_seconds"] == pytest.approx(3.0)
    assert shown["saved_share"] == pytest.approx(3 / (3 + 12 * 4 + 1 + 4 + 1))
    sweep.child(16, [4.0], "Canceled", "the metric is nan at interval 2")
    with sweep.folder.store.transaction() as tx:
        update_run(tx, "HD_1_16", ended=1_700_000_018.0)
    assert as_json(sweep.view)["sweep"]["saved_seconds"] == pytest.approx(3.0 + 2.0)
    assert "2 stopped early, 1 failed, 1 running, 1 canceled" in as_text(sweep.view, 200)


def test_text_has_the_table_and_fits_its_width(sweep: Made) -> None:
    text = as_text(sweep.view, 100)
    assert "minimize loss · 15 of 20 children (12 completed, 1 stopped early, 1 failed, 1 running)" in text
    assert "best: no. 11, loss 0.9 (--lr 0.012, --kind <a>, --width 0.55)" in text
    assert text.index(" 11  Completed") < text.index("  0  Completed") < text.index(" 14  Running")
    rows = [line for line in text.splitlines() if "  Completed" in line]
    assert len(rows) == 12 and max(map(len, rows)) <= 100


def test_html_has_charts_that_are_well_formed_and_runs_no_script(sweep: Made) -> None:
    text = as_html(sweep.view)
    page = read_page(text)
    for title in ("best so far", "loss by interval", "parallel coordinates", "importance", "loss by --", "timeline"):
        assert title in page.text
    assert "ValueError: <no>" in page.text and "<a>" in page.text
    drawn = list(ElementTree.fromstring(text).iter(f"{SVG}svg"))
    assert len(drawn) >= 8
    for svg in drawn:
        wide, high = float(svg.attrib["width"]), float(svg.attrib["height"])
        for shape in svg.iter():
            for name, limit in (("x", wide), ("cx", wide), ("y", high), ("cy", high)):
                assert -1 <= float(shape.attrib.get(name, 0)) <= limit + 1
            for point in shape.attrib.get("points", "0,0").split():
                x, y = map(float, point.split(","))
                assert -1 <= x <= wide + 1 and -1 <= y <= high + 1


def test_a_sweep_without_children_is_shown(folder: WorkspaceFolder) -> None:
    made = Made(folder, max_total_runs=1)
    assert "0 of 1 children" in as_text(made.view)
    assert "svg" not in read_page(as_html(made.view)).names()
    made.child(0, [1.0])
    assert "best: no. 0, loss 1" in as_text(made.view)
    assert "1 children" in read_page(as_html(made.view)).text


def test_changes_are_shown(folder: WorkspaceFolder) -> None:
    made = Made(folder)
    made.child(0, [1.0], **{"aml.chosen": "by hand"})
    with folder.store.transaction() as tx:
        add_sweep_change(tx, "HD_1", {"pause": True})
        add_sweep_change(tx, "HD_1", {"limits": {"max_total_runs": 30}})
        add_sweep_change(tx, "HD_1", {"add": {"--lr": 1, "--kind": "b", "--width": 0}})
    text = as_text(made.view, 120)
    assert "1 of 31 children" in text and "paused: it starts no children" in text and "by hand" in text


def test_thousands_of_children_make_no_huge_page(folder: WorkspaceFolder) -> None:
    made = Made(folder, max_total_runs=2000)
    with folder.store.transaction(durable=False) as tx:
        for number in range(1500):
            run_id = f"HD_1_{number}"
            insert_run(tx, {"id": run_id, "experiment": "digits", "kind": "script", "parent": "HD_1"})
            parameters = {"--lr": 0.001 + number / 2000, "--kind": "b", "--width": number / 1500}
            add_properties(tx, run_id, {"hyperparameters": json.dumps(parameters)}, announce=False)
            new_attempt(tx, run_id, 1, {})
            transition(tx, run_id, "Starting", "")
            transition(tx, run_id, "Running", "")
            tx.execute(
                "INSERT INTO metrics (run, attempt, name, kind, count, last, minimum, maximum) "
                "VALUES (?, 1, 'loss', 'scalar', 1, ?, ?, ?)",
                (run_id, str(number / 7), number / 7, number / 7),
            )
            transition(tx, run_id, "Finalizing", "")
            transition(tx, run_id, "Completed", "", ended=1_700_000_000.0 + number)
    text = as_html(made.view)
    assert len(text) < 600_000
    assert "and 1,400 more" in read_page(text).text
