"""A clock that jumps ends no run and loses none: the service runs under libfaketime, whose time the test moves."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from faults.world import World
from support import until

from aml_jupyter.service import wait_for_run
from aml_jupyter.workspace import WorkspaceFolder, get_run, transitions

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("jump", ["+3d", "-3d"])
def test_a_clock_jump_harms_no_run(faketime_library: str, world: World, folder: WorkspaceFolder, jump: str) -> None:
    # A warm parent is there already: libfaketime breaks the sleep with which a service would wait for a new one.
    world.do("script+end", script="short.py")
    clock, go = world.place / "clock", world.place / "go"
    clock.write_text("+0")
    faked = {
        "LD_PRELOAD": faketime_library,
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with world.start("submit_some", faked, scripts=[["gated.py", str(go)]]) as client:
        assert client.wait(60) == 0, world.story()
    run = world.said("ack")[-1]
    service = world.service()
    assert faketime_library in Path(f"/proc/{service}/maps").read_text()
    until(lambda: get_run(folder.store.read(), run).status == "Running", message="running")
    clock.write_text(jump)
    world.do("submit_some", scripts=[["short.py"]])
    assert wait_for_run(folder, world.said("ack")[-1], timeout=30).status == "Completed"
    claimed = next(
        entry.time for entry in transitions(folder.store.read(), world.said("ack")[-1]) if entry.after == "Starting"
    )
    assert abs(abs(claimed - time.time()) - 3 * 86400) < 600, "the service's clock was not moved"
    assert get_run(folder.store.read(), run).status in ("Running", "NotResponding")
    clock.write_text("+0")
    go.touch()
    assert wait_for_run(folder, run, timeout=30).status == "Completed"
    assert "Failed" not in [entry.after for entry in transitions(folder.store.read(), run)]
    world.do("recover+end")
    assert {each.status for each in world.check()} == {"Completed"}
