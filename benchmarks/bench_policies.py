"""Measure policies: what they save and what they cost on two sets of learning curves, four workers, 100 children.

``python benchmarks/bench_policies.py [--seeds 20] [--only B]``. The reference's figures are of its own sets, of which ours are
likenesses (policy_curves.py says how near); each row has to be within 3 points of them, saved and regret, or the exit code is 1.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

from policy_curves import correlations, digits_curves, hostile_curves, simulate_policy
from table import Row, print_table

from aml_jupyter.config.sweeps import (
    AshaPolicy,
    BanditPolicy,
    MedianStoppingPolicy,
    NoTerminationPolicy,
    TruncationSelectionPolicy,
)

CACHE = Path(__file__).resolve().parents[1] / ".bench" / "digits-curves.json"
POINTS = 3
"""So near has each figure to be."""
SEEDS = {"A": 20, "B": 10}
"""As many sweeps as the reference took of each set."""


class Told(NamedTuple):
    """Hold what the reference tells of a policy on one set: saved and best child stopped (percent), mean regret (points)."""

    saved: float
    regret: float
    killed: float


POLICIES: dict[str, tuple[Any, Told, Told]] = {
    "none": (NoTerminationPolicy(), Told(0, 0, 0), Told(0, 0, 0)),
    "bandit .1, 1, 0": (BanditPolicy(1, 0.1), Told(90, 0.20, 25), Told(93, 3.0, 90)),
    "bandit .1, 1, 5": (BanditPolicy(1, 0.1, delay_evaluation=5), Told(70, 0, 0), Told(87, 2.1, 90)),
    "bandit .2, 1, 5": (BanditPolicy(1, 0.2, delay_evaluation=5), Told(66, 0, 0), Told(80, 2.0, 90)),
    "bandit amount .05, 1, 5": (
        BanditPolicy(1, slack_amount=0.05, delay_evaluation=5),
        Told(73, 0, 0),
        Told(88, 2.6, 90),
    ),
    "bandit .1, 5, 10": (BanditPolicy(5, 0.1, delay_evaluation=10), Told(55, 0, 0), Told(79, 2.0, 90)),
    "median 1, 0": (MedianStoppingPolicy(1, 0), Told(51, 0, 0), Told(49, 0.12, 30)),
    "median 1, 5": (MedianStoppingPolicy(1, 5), Told(40, 0, 0), Told(31, 0, 0)),
    "truncation 10, 1, 5": (TruncationSelectionPolicy(10, 1, 5), Told(17, 0, 0), Told(26, 0, 0)),
    "truncation 20, 1, 5": (TruncationSelectionPolicy(20, 1, 5), Told(37, 0, 0), Told(49, 0, 0)),
    "truncation 20, 5, 5": (TruncationSelectionPolicy(20, 5, 5), Told(32, 0, 0), Told(40, 0, 0)),
    "truncation 50, 5, 5": (TruncationSelectionPolicy(50, 5, 5), Told(68, 0.01, 5), Told(78, 1.4, 90)),
    "truncation 20, running only": (
        TruncationSelectionPolicy(20, 1, 5, exclude_finished_jobs=True),
        Told(0, 0, 0),
        Told(0, 0, 0),
    ),
    "asha 3, 1": (AshaPolicy(3, 1), Told(86, 0, 0), Told(89, 2.3, 90)),
    "asha 3, 3": (AshaPolicy(3, 3), Told(77, 0, 0), Told(83, 1.7, 90)),
    "asha 4, 2": (AshaPolicy(4, 2), Told(81, 0.04, 15), Told(87, 1.8, 90)),
    "asha 2, 5": (AshaPolicy(2, 5), Told(64, 0.01, 5), Told(74, 1.0, 80)),
}
"""Name -> policy, and what the reference tells of it on its sets A and B."""


def rows(curves: Any, which: str, seeds: int, names: Sequence[str] = tuple(POLICIES)) -> list[Row]:
    """Measure policies on one set: a row for what each saves, a row for its regret."""
    made = []
    for name in names:
        policy, *of_sets = POLICIES[name]
        told = of_sets["AB".index(which)]
        swept = [simulate_policy(policy, curves, seed) for seed in range(seeds)]
        saved = 100 * statistics.mean(each.saved for each in swept)
        regret = 100 * statistics.mean(each.regret for each in swept)
        worst = 100 * max(each.regret for each in swept)
        killed = 100 * statistics.mean(each.best_was_stopped for each in swept)
        for what, figure, budget, peer, near in (
            ("saved", f"{saved:.1f} %", told.saved, "", abs(saved - told.saved)),
            (
                "regret",
                f"{regret:.2f}, at most {worst:.1f}; best stopped in {killed:.0f} %",
                told.regret,
                f", best stopped in {told.killed:g} %",
                abs(regret - told.regret),
            ),
        ):
            peer = f"*reference's own set{peer}"
            made.append(Row(f"{which}: {name}, {what}", figure, f"{budget:g} +- {POINTS}", peer, near <= POINTS))
    return made


def main() -> int:
    """Print the table and return the exit code: 1 when a row is not near the reference's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, help="sweeps of each policy (20 on set A, 10 on set B, as the reference)")
    parser.add_argument("--only", choices=["A", "B"])
    options = parser.parse_args()
    told = []
    for which, make in {"A": lambda: digits_curves(CACHE), "B": hostile_curves}.items():
        if options.only in (None, which):
            curves = make()
            first, second = correlations(curves)
            print(
                f"set {which}: epoch 5 against the end, rank correlation {first:.2f}, of the better half {second:.2f}"
            )
            told += rows(curves, which, options.seeds or SEEDS[which])
    print_table(told)
    return 0 if all(row.holds for row in told) else 1


if __name__ == "__main__":
    sys.exit(main())
