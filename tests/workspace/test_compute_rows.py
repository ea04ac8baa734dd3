"""Compute targets: one name each, found whatever the case, and one of them the default."""

from __future__ import annotations

import pytest

from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.workspace import (
    TargetRecord,
    WorkspaceFolder,
    default_target,
    delete_target,
    events_since,
    get_target,
    insert_target,
    list_targets,
    set_default_target,
    update_target,
)


def target(name: str) -> TargetRecord:
    return TargetRecord(name, "computeinstance", {"max_parallel": 2}, "Running", [], 1.0, 1.0, tags={"a": "b"})


def test_a_target_is_kept_as_it_is(folder: WorkspaceFolder) -> None:
    with folder.store.transaction() as tx:
        insert_target(tx, target("Gpu-Box"))
    assert get_target(folder.store.read(), "gpu-box") == target("Gpu-Box")
    assert [each.name for each in list_targets(folder.store.read())] == ["Gpu-Box", "local"]


def test_names_are_unique_whatever_the_case(folder: WorkspaceFolder) -> None:
    for taken in ("LOCAL", "local"):
        with pytest.raises(ComputeTargetException, match="has a compute target 'local'"):
            with folder.store.transaction() as tx:
                insert_target(tx, target(taken))


def test_an_unknown_target_is_refused_in_the_words_of_sdk_v1(folder: WorkspaceFolder) -> None:
    with pytest.raises(ComputeTargetException, match=r"ComputeTargetNotFound: .* locl not found .* did you mean local"):
        get_target(folder.store.read(), "locl")


def test_a_target_changes_and_tells(folder: WorkspaceFolder) -> None:
    with folder.store.transaction() as tx:
        insert_target(tx, target("ci"))
        update_target(tx, "CI", provisioning_state="Stopping", settings={"max_parallel": 3})
        with pytest.raises(TypeError, match="a target has no column created"):
            update_target(tx, "ci", created=5.0)
    found = get_target(folder.store.read(), "ci")
    assert (found.provisioning_state, found.settings, found.modified > 1.0) == ("Stopping", {"max_parallel": 3}, True)
    told = [event.data for event in events_since(folder.store.read(), 0)]
    assert told == [{"state": "Running"}, {"state": "Stopping"}]


def test_the_default_falls_back_to_local(folder: WorkspaceFolder) -> None:
    with folder.store.transaction() as tx:
        insert_target(tx, target("ci"))
        set_default_target(tx, "CI")
        assert default_target(tx) == "ci"
        delete_target(tx, "ci")
    assert default_target(folder.store.read()) == "local"
    with pytest.raises(ComputeTargetException):
        with folder.store.transaction() as tx:
            set_default_target(tx, "ci")
