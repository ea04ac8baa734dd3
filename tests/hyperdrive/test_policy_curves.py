"""What policies save and cost on curves that cross stays within 3 points of the reference's table (`make bench-policies`)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from aml_jupyter.config.sweeps import BanditPolicy

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    import bench_policies

    return bench_policies


@pytest.mark.parametrize(
    "name", ["bandit .1, 1, 5", "bandit .1, 5, 10", "truncation 50, 5, 5", "asha 3, 1", "asha 2, 5"]
)
def test_a_policy_does_on_curves_that_cross_what_the_reference_tells(bench: Any, name: str) -> None:
    saved, regret = bench.rows(bench.hostile_curves(), "B", bench.SEEDS["B"], [name])
    assert saved.holds, saved
    assert regret.holds, regret


def test_a_row_far_from_the_reference_does_not_hold(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, of_a, of_b = bench.POLICIES["bandit .1, 1, 5"]
    monkeypatch.setitem(bench.POLICIES, "bandit .1, 1, 5", (BanditPolicy(1, 0.5, delay_evaluation=5), of_a, of_b))
    saved, _ = bench.rows(bench.hostile_curves(), "B", 2, ["bandit .1, 1, 5"])
    assert not saved.holds


def test_the_curves_are_like_the_references(bench: Any) -> None:
    # epoch 5 against the end: .63 over all curves, .22 over the half that ends best
    assert bench.correlations(bench.hostile_curves()) == pytest.approx((0.63, 0.22), abs=0.1)
