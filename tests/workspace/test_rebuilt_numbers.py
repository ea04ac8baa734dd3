"""Runs keep their order and their numbers when the database is built anew."""

from __future__ import annotations

from contextlib import closing

import pytest
from workspace_life import Life
from workspace_support import Definition

from aml_jupyter.supervisor.durable import write_json
from aml_jupyter.workspace import WorkspaceFolder, find_runs, insert_run, rebuild_workspace


@pytest.fixture
def life(folder: WorkspaceFolder, definition: Definition) -> Life:
    return Life(folder, definition)


def test_runs_of_the_same_moment_keep_order_and_numbers(life: Life) -> None:
    """A run inside a process comes in when its line is read, which may be after a run that was submitted later."""
    parent = life.submit()
    life.start(parent)
    began = life.tick()
    later = life.submit()
    life.log(parent, 1, {"e": "child", "id": "kid", "n": "fold 1", "op": "start", "t": began})
    early = life.submit(created=began - 100)  # its snapshot took long
    before = [(run.id, run.number) for run in find_runs(life.folder.store.read(), children=True)]
    assert before == [(early.id, 4), ("kid", 3), (later.id, 2), (parent.id, 1)]
    for _ in range(2):
        life.folder.store.close()
        rebuild_workspace(life.folder.root)
        with closing(WorkspaceFolder.open(life.folder.root)) as again:
            found = find_runs(again.store.read(), children=True)
            assert [(run.id, run.number) for run in found] == before
            with again.store.transaction() as tx:
                added = insert_run(tx, life.definition("other"))
            assert added.number == 1
        (life.folder.root / "aml.db").unlink()


def test_a_number_whose_commit_never_came_goes_to_the_run_that_has_it(life: Life) -> None:
    """Killed before the commit, a run has left its line, and the next run has its number."""
    first = life.submit()
    with pytest.raises(KeyboardInterrupt), life.folder.store.transaction() as tx:
        insert_run(tx, life.definition("digits", id="never"))
        raise KeyboardInterrupt
    second = life.submit()
    (life.folder.root / "aml.db").unlink()
    definition = life.definition("digits", id="never", created=first.created + 0.5)
    place = life.folder.layout.run("never")
    place.path.mkdir(parents=True)
    write_json(place.definition, definition)
    rebuild_workspace(life.folder.root)
    with closing(WorkspaceFolder.open(life.folder.root)) as again:
        numbers = {run.id: run.number for run in find_runs(again.store.read())}
    assert numbers[first.id] == 1
    assert numbers[second.id] == 2
    assert numbers["never"] == 3
