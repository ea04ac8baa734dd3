"""Runs: their order, their states, and what may follow what."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workspace_support import Definition, NewRun

from aml_jupyter.errors import UserErrorException, WorkspaceException
from aml_jupyter.workspace import (
    WorkspaceFolder,
    attempts,
    events_since,
    find_runs,
    get_run,
    insert_run,
    list_experiments,
    new_attempt,
    new_run_id,
    open_runs,
    place_in_line,
    places_in_line,
    set_tags,
    transition,
    transitions,
    update_attempt,
    update_run,
)
from aml_jupyter.workspace.states import FINAL, RUN_STATES, RUN_TRANSITIONS


def test_a_run_id_has_the_form_of_sdk_v1() -> None:
    assert re.fullmatch(r"digits_\d{10}_[0-9a-f]{8}", new_run_id("digits"))
    assert re.fullmatch(r"x{40}_\d{10}_[0-9a-f]{8}", new_run_id("x" * 255))
    assert re.fullmatch(r"Zahlen-erkennen_\d{10}_[0-9a-f]{8}", new_run_id("Zählen-erkennen"))
    assert re.fullmatch(r"run_\d{10}_[0-9a-f]{8}", new_run_id("実験"))


def test_a_run_gets_its_place_and_its_number(folder: WorkspaceFolder, definition: Definition) -> None:
    with folder.store.transaction() as tx:
        runs = [insert_run(tx, definition(name)) for name in ("a", "b", "a")]
    assert [(run.seq, run.number) for run in runs] == [(1, 1), (2, 1), (3, 2)]
    assert [(each.name, each.run_count) for each in list_experiments(folder.store.read())] == [("a", 2), ("b", 1)]


def test_a_run_that_is_there_already_stays_as_it_is(folder: WorkspaceFolder, definition: Definition) -> None:
    wanted = definition(tags={"a": "1"})
    with folder.store.transaction() as tx:
        first = insert_run(tx, wanted)
        transition(tx, first.id, "Preparing", "its turn")
        again = insert_run(tx, {**wanted, "tags": {"a": "2"}})
    assert (again.seq, again.status, again.tags) == (first.seq, "Preparing", {"a": "1"})
    assert len(find_runs(folder.store.read())) == 1


@pytest.mark.parametrize(("field", "value"), [("id", "../x"), ("id", ""), ("id", "a/b"), ("experiment", "-x")])
def test_names_that_cannot_be_folders_are_refused(
    folder: WorkspaceFolder, definition: Definition, field: str, value: str
) -> None:
    with pytest.raises(UserErrorException, match="cannot be used"):
        with folder.store.transaction() as tx:
            insert_run(tx, definition(**{field: value}))
    assert find_runs(folder.store.read()) == []


def test_an_unknown_run_names_the_nearest(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    with pytest.raises(UserErrorException, match=f"did you mean {run.id}"):
        get_run(folder.store.read(), run.id[:-1])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=st.lists(st.sampled_from(RUN_STATES), min_size=1, max_size=25))
def test_only_legal_transitions_happen(folder: WorkspaceFolder, definition: Definition, wanted: list[str]) -> None:
    """Whatever is asked for, refused changes change nothing, final states are final, and the history is a legal walk."""
    with folder.store.transaction(durable=False) as tx:
        run = insert_run(tx, definition())
    status = "Queued"
    for after in wanted:
        try:
            with folder.store.transaction(durable=False) as tx:
                transition(tx, run.id, after, "asked for")
        except WorkspaceException as error:
            assert after not in RUN_TRANSITIONS[status]
            assert run.id in error.message and status in error.message
        else:
            assert after in RUN_TRANSITIONS[status]
            status = after
        found = get_run(folder.store.read(), run.id)
        assert found.status == status
        assert (found.ended is not None) == (status in FINAL)
    walk = transitions(folder.store.read(), run.id)
    assert walk[0].before is None and walk[-1].after == status
    assert all(one.after == two.before for one, two in pairwise(walk))
    assert all(step.after in RUN_TRANSITIONS[step.before] for step in walk[1:] if step.before)


def test_times_follow_the_states(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    with folder.store.transaction() as tx:
        transition(tx, run.id, "Starting", "")
        running = transition(tx, run.id, "Running", "", started=5.0)
        assert running.started == 5.0
        again = transition(tx, run.id, "Queued", "its node was lost", exit_code=None)
        assert (again.started, again.reason) == (None, "its node was lost")
        transition(tx, run.id, "Starting", "")
        done = transition(tx, run.id, "Failed", "exit code 3", exit_code=3, error={"type": "exit", "message": "x"})
    assert done.ended is not None and done.exit_code == 3 and done.error == {"type": "exit", "message": "x"}


def test_runs_inside_a_process_end_with_it(folder: WorkspaceFolder, new_run: NewRun) -> None:
    parent = new_run()
    child = new_run(parent=parent.id, in_process=True, status="Running")
    with folder.store.transaction() as tx:
        inner = insert_run(tx, {**child.definition, "id": "inner", "parent": child.id}, "Running", in_process=True)
        transition(tx, parent.id, "Starting", "")
        transition(tx, parent.id, "Running", "")
        transition(tx, parent.id, "Failed", "exit code 1")
    db = folder.store.read()
    assert [get_run(db, each).status for each in (child.id, inner.id)] == ["Failed", "Failed"]
    assert open_runs(db) == []


def test_events_tell_what_changed_and_nothing_else(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    with folder.store.transaction() as tx:
        update_run(tx, run.id, progress={"done": 1}, display_name="mine", reason="waits for a free slot")
        update_run(tx, run.id, progress={"done": 1}, reason="waits for a free slot")
    told = [event.kind for event in events_since(folder.store.read(), 1)]
    assert sorted(told) == ["run.name", "run.progress", "run.state"]


def test_columns_that_do_not_exist_are_refused(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run()
    for change in ({"status": "Running"}, {"statsu": 1}):
        with pytest.raises(TypeError, match="a run has no column"):
            with folder.store.transaction() as tx:
                update_run(tx, run.id, **change)
    assert get_run(folder.store.read(), run.id).status == "Queued"


def test_attempts_are_counted_and_kept(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run(attempt=False)
    with folder.store.transaction() as tx:
        assert [new_attempt(tx, run.id, epoch, {"n": epoch}).number for epoch in (4, 5)] == [1, 2]
        update_attempt(tx, run.id, 1, exit_code=3, reason="exit", handle={"n": 9})
    first, second = attempts(folder.store.read(), run.id)
    assert (first.exit_code, first.handle, second.epoch) == (3, {"n": 9}, 5)
    assert get_run(folder.store.read(), run.id).attempt == 2


def test_the_place_in_line_follows_priority_then_order(folder: WorkspaceFolder, new_run: NewRun) -> None:
    first, second, urgent, other = (
        new_run(attempt=False),
        new_run(attempt=False),
        new_run(attempt=False, priority=3),
        new_run(attempt=False, target="ci"),
    )
    db = folder.store.read()
    assert [place_in_line(db, run.id) for run in (urgent, first, second, other)] == [1, 2, 3, 1]
    with folder.store.transaction() as tx:
        transition(tx, urgent.id, "Starting", "")
    assert [place_in_line(db, run.id) for run in (urgent, first, second)] == [None, 1, 2]


def test_runs_are_found_by_what_is_asked(folder: WorkspaceFolder, new_run: NewRun) -> None:
    a = new_run("a", tags={"color": "red"})
    b = new_run("b", tags={"color": "blue"})
    child = new_run("a", parent=a.id)
    hidden = new_run("a", hidden=True)
    db = folder.store.read()

    def ids(**asked: object) -> list[str]:
        return [run.id for run in find_runs(db, **asked)]  # type: ignore[arg-type]

    assert ids() == [b.id, a.id]
    assert ids(children=True, include_hidden=True) == [hidden.id, child.id, b.id, a.id]
    assert ids(parent=a.id) == [child.id]
    assert ids(experiment="a") == [a.id]
    assert ids(tags={"color": "red"}) == [a.id]
    assert ids(tags={"color": None}) == [b.id, a.id]
    assert ids(status=["Running"]) == [] and ids(status="Queued", last=1) == [b.id]
    assert ids(before_seq=b.seq) == [a.id]
    with folder.store.transaction() as tx:
        set_tags(tx, a.id, {"color": None})
    assert ids(tags={"color": None}) == [b.id]


def test_of_two_changes_of_a_tag_the_later_one_stands(folder: WorkspaceFolder, new_run: NewRun) -> None:
    run = new_run(tags={"x": "from the submit"})
    with folder.store.transaction() as tx:
        set_tags(tx, run.id, {"x": "late"}, at=run.created + 20)
        set_tags(tx, run.id, {"x": "early, but heard of later"}, at=run.created + 10)
    assert get_run(folder.store.read(), run.id).tags == {"x": "late"}


def test_the_package_imports_nothing_heavy(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys, aml_jupyter.workspace as w\n"
        "folder = w.WorkspaceFolder.open(sys.argv[1], create=True)\n"
        "w.find_runs(folder.store.read())\n"
        "w.list_metrics(folder.store.read(), 'x')\n"
        "print([name for name in ('numpy', 'keyring', 'IPython') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "w")], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_places_in_line_are_those_of_each_run(folder: WorkspaceFolder, new_run: NewRun) -> None:
    runs = [new_run(attempt=False, priority=number % 3, target=f"t{number % 2}") for number in range(9)]
    db = folder.store.read()
    places = places_in_line(db)
    assert places == {run.id: place_in_line(db, run.id) for run in runs}
    assert sorted(places.values()) == [1, 1, 2, 2, 3, 3, 4, 4, 5]
