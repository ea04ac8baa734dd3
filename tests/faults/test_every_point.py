"""End a real process at every fault point, before and after it; recover as a user would, and ask the ledger."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults.points import UNREACHABLE, is_still_true, point_names
from faults.scenarios import Case, cases
from faults.world import World

pytestmark = pytest.mark.faults


def test_every_point_has_a_scenario() -> None:
    killed = {(case.point, case.side) for case in cases()}
    named = {(name, side) for name in point_names() for side in ("before", "after")}
    assert named - killed == set(UNREACHABLE), "points without a scenario, or reasons that are not needed any more"
    assert not killed - named, "scenarios for points that are gone"
    assert len(UNREACHABLE) <= 16


@pytest.mark.parametrize("point", sorted({point for point, _ in UNREACHABLE}))
def test_what_cannot_be_reached_here_still_cannot(point: str) -> None:
    assert is_still_true(point)


@pytest.mark.parametrize("case", list(cases()), ids=str)
def test_a_kill_harms_nothing_that_was_acknowledged(case: Case, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    scenario = case.scenario
    if scenario.engine:
        request.getfixturevalue("engine")
    with World(tmp_path, **scenario.project) as world:
        if scenario.ssh:
            world.server = request.getfixturevalue("ssh_server")()
        scenario.prepare(world)
        world.kill_once(case.point, case.side, scenario.acts, case.skip, **scenario.given)
        world.recover(scenario.recovery)
        world.check(scenario.lost, scenario.may_fail)
        scenario.after(world)
