"""Measure policies: what they save and what they cost on two sets of learning curves, four workers, 100 children.

``python benchmarks/bench_policies.py [--seeds 20] [--only B]``. The reference's figures are of its own sets, made the same way.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

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

CACHE = Path(__file__).resolve().parents[1] / ".bench" / "digits-curves-sgd.json"
POLICIES: dict[str, tuple[Any, float, float]] = {
    "none": (NoTerminationPolicy(), 0, 0),
    "bandit .1, 1, 0": (BanditPolicy(1, 0.1), 90, 93),
    "bandit .1, 1, 5": (BanditPolicy(1, 0.1, delay_evaluation=5), 70, 87),
    "bandit .2, 1, 5": (BanditPolicy(1, 0.2, delay_evaluation=5), 66, 80),
    "bandit amount .05, 1, 5": (BanditPolicy(1, slack_amount=0.05, delay_evaluation=5), 73, 88),
    "bandit .1, 5, 10": (BanditPolicy(5, 0.1, delay_evaluation=10), 55, 79),
    "median 1, 0": (MedianStoppingPolicy(1, 0), 51, 49),
    "median 1, 5": (MedianStoppingPolicy(1, 5), 40, 31),
    "truncation 10, 1, 5": (TruncationSelectionPolicy(10, 1, 5), 17, 26),
    "truncation 20, 1, 5": (TruncationSelectionPolicy(20, 1, 5), 37, 49),
    "truncation 20, 5, 5": (TruncationSelectionPolicy(20, 5, 5), 32, 40),
    "truncation 50, 5, 5": (TruncationSelectionPolicy(50, 5, 5), 68, 78),
    "truncation 20, running only": (TruncationSelectionPolicy(20, 1, 5, exclude_finished_jobs=True), 0, 0),
    "asha 3, 1": (AshaPolicy(3, 1), 86, 89),
    "asha 3, 3": (AshaPolicy(3, 3), 77, 83),
    "asha 4, 2": (AshaPolicy(4, 2), 81, 87),
    "asha 2, 5": (AshaPolicy(2, 5), 64, 74),
}
"""Name -> policy, and what the reference saved on its sets A and B (percent)."""


def rows(curves: Any, column: int, seeds: int) -> list[Row]:
    """Measure every policy on one set."""
    told = "AB"[column]
    made = []
    for name, (policy, *reference) in POLICIES.items():
        found = [simulate_policy(policy, curves, seed) for seed in range(seeds)]
        saved = 100 * statistics.mean(entry[0] for entry in found)
        regret = 100 * statistics.mean(entry[1] for entry in found)
        worst = 100 * max(entry[1] for entry in found)
        near = abs(saved - reference[column]) <= 3
        figure = f"saves {saved:.0f} %, regret {regret:.2f} ({worst:.1f}) points"
        made.append(Row(f"{told}: {name}", figure, f"{reference[column]} % +- 3", "*reference's own set", near))
    return made


def main() -> int:
    """Print the table and return the exit code: 1 when median stopping, the advised policy, costs anything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", choices=["A", "B"])
    options = parser.parse_args()
    told = []
    for column, make in enumerate([lambda: digits_curves(CACHE), hostile_curves]):
        if options.only in (None, "AB"[column]):
            curves = make()
            first, second = correlations(curves)
            print(
                f"set {'AB'[column]}: epoch 5 against the end, rank correlation {first:.2f}, of the better half {second:.2f}"
            )
            told += rows(curves, column, options.seeds)
    print_table(told)
    return 0 if all(row.holds for row in told if ": median 1, 5" in row.what) else 1


if __name__ == "__main__":
    sys.exit(main())
