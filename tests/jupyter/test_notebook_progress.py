"""Progress of long work in a notebook."""

from __future__ import annotations

from typing import Any

import pytest

from aml_jupyter.jupyter import progress


def test_short_work_shows_nothing(shell: Any) -> None:
    with progress.notebook_progress("snapshot", "files") as update:
        update(1, 2)
    assert shell.display_pub.outputs == []


def test_long_work_is_one_line_that_changes_in_place(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "DELAY_SECONDS", 0.0)
    monkeypatch.setattr(progress, "INTERVAL_SECONDS", 0.0)
    with progress.notebook_progress("snapshot", "files") as update:
        update(1, 200)
        update(200, 200)
    first, *later = shell.display_pub.outputs
    assert "1 of 200 files" in first["data"]["text/plain"]
    assert "200 of 200 files" in later[-1]["data"]["text/plain"]
    assert not first["update"]
    assert all(output["update"] and output["transient"] == first["transient"] for output in later)
