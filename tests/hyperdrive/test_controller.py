"""A sweep's controller: rows in, actions out; whoever carries them out may be killed after any of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.config.sweeps import (
    BanditPolicy,
    BayesianParameterSampling,
    GridParameterSampling,
    HyperDriveConfig,
    NoTerminationPolicy,
    RandomParameterSampling,
    choice,
    uniform,
)
from aml_jupyter.hyperdrive import (
    Child,
    Chosen,
    Curve,
    Ended,
    FinishSweep,
    Judged,
    ReleaseChild,
    Sampler,
    Say,
    StartChild,
    StopChild,
    Sweep,
    Trial,
    step,
)

SPACE = {"x": uniform(0, 1)}


def configure(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "hyperparameter_sampling": RandomParameterSampling(SPACE),
        "primary_metric_name": "loss",
        "primary_metric_goal": "minimize",
        "max_total_runs": 6,
        "max_concurrent_runs": 2,
        "run_config": ScriptRunConfig(".", "train.py"),
    }
    return HyperDriveConfig(**{**given, **changes}).to_dict()


def sampler_of(definition: dict[str, Any]) -> Sampler:
    return Sampler(definition["generator_config"], definition["primary_metric_config"]["goal"], 5)


def sweep_of(definition: dict[str, Any], children: Sequence[Child], **state: Any) -> Sweep:
    goal = definition["primary_metric_config"]["goal"]
    running = [child for child in children if not child.is_final]
    return Sweep(definition, running, Ended(goal, (child for child in children if child.is_final)), 0.0, **state)


def decide(definition: dict[str, Any], *children: Child, now: float = 10.0, **state: Any) -> list[Any]:
    return step(sweep_of(definition, children, **state), sampler_of(definition), now)


def ended(number: int, status: str = "Completed", values: Any = (1.0,), **more: Any) -> Child:
    return Child(number, {"x": 0.1 * number}, status, values, judged=len(values), ended=float(number), **more)


class World:
    """Carry actions out, one at a time, on rows; run children that log three values and end in mixed order."""

    def __init__(self, definition: dict[str, Any]) -> None:
        self.definition, self.children = definition, dict[int, Child]()
        self.ended = Ended(definition["primary_metric_config"]["goal"])
        self.dice = np.random.default_rng(2)
        self.now, self.finished = 0.0, None
        self.most_at_once = 0

    @property
    def open(self) -> list[Child]:
        return [child for child in self.children.values() if not child.is_final]

    def carry_out(self, action: Any) -> None:
        if isinstance(action, StartChild):
            assert action.number not in self.children
            self.children[action.number] = Child(action.number, action.parameters, "Running", started=self.now)
        elif isinstance(action, StopChild):
            self.children[action.number] = replace(self.children[action.number], stop_reason=action.reason)
        elif isinstance(action, Judged):
            self.children[action.number] = replace(self.children[action.number], judged=action.interval)
        elif isinstance(action, FinishSweep):
            self.finished = action
        self.most_at_once = max(self.most_at_once, len(self.open))

    def pass_time(self) -> None:
        self.now += 1
        running = self.open
        child = running[int(self.dice.integers(len(running)))]
        if child.stop_reason is not None:
            after = replace(child, status="Canceled", ended=self.now)
        elif len(child.values) < 3:
            after = replace(child, values=(*child.values, child.parameters["x"] + 1.0), last_logged=self.now)
        else:
            after = replace(child, status="Completed", ended=self.now)
        self.children[child.number] = after
        if after.is_final:
            self.ended.add(after)

    def decide(self, sampler: Sampler) -> list[Any]:
        """Return the next actions; what was added up child by child says what a service says that reads every row anew."""
        actions = step(Sweep(self.definition, self.open, self.ended, 0.0), sampler, self.now)
        children = [self.children[number] for number in sorted(self.children)]
        assert step(sweep_of(self.definition, children), sampler, self.now) == actions
        return actions


def run(definition: dict[str, Any], killed_after: Callable[[int], bool] = lambda _: False) -> World:
    """Run a sweep to its end; a controller that is killed after an action is made anew and asked again."""
    world, sampler, acted = World(definition), sampler_of(definition), 0
    for _ in range(2000):
        for action in world.decide(sampler):
            world.carry_out(action)
            acted += 1
            if world.finished:
                return world
            if killed_after(acted):
                sampler = sampler_of(definition)
                break
        else:
            if world.open:
                world.pass_time()
    raise AssertionError("the sweep did not end")


@pytest.mark.parametrize("sampling", [RandomParameterSampling(SPACE), BayesianParameterSampling(SPACE)])
@pytest.mark.parametrize("policy", [NoTerminationPolicy(), BanditPolicy(slack_factor=0.2)])
def test_a_sweep_keeps_to_its_totals_and_a_killed_controller_goes_on(sampling: Any, policy: Any) -> None:
    definition = configure(hyperparameter_sampling=sampling, policy=policy, max_total_runs=24, max_concurrent_runs=3)
    plain = run(definition)
    assert plain.finished == FinishSweep("Completed", "24 children have ended")
    assert list(plain.children) == list(range(24))
    assert plain.most_at_once == 3
    assert len({str(child.parameters) for child in plain.children.values()}) == 24
    stopped = [child for child in plain.children.values() if child.stop_reason]
    assert bool(stopped) == isinstance(policy, BanditPolicy)
    assert all(child.status == "Canceled" and "Bandit" in str(child.stop_reason) for child in stopped)
    for every in (1, 2, 5):
        killed = run(definition, lambda acted, every=every: acted % every == 0)  # type: ignore[misc]
        assert len(killed.children) == 24 and killed.most_at_once == 3
        assert len({str(child.parameters) for child in killed.children.values()}) == 24


def test_the_first_children_fill_the_room() -> None:
    starts = decide(configure())
    assert [start.number for start in starts] == [0, 1]
    assert decide(configure(max_concurrent_runs=None)) == decide(configure(max_concurrent_runs=9))
    assert len(decide(configure(max_concurrent_runs=9))) == 6
    running = [Child(0, {"x": 0.1}, "Queued"), Child(1, {"x": 0.2}, "Running")]
    assert decide(configure(), *running) == []
    assert [start.number for start in decide(configure(), ended(0), running[1])] == [2]


def test_a_paused_sweep_starts_none_and_does_not_end() -> None:
    assert decide(configure(), ended(0), is_paused=True) == []
    assert decide(configure(max_total_runs=1), ended(0), is_paused=True) == [
        FinishSweep("Completed", "1 child has ended")
    ]


def test_a_grid_that_is_walked_ends_the_sweep() -> None:
    definition = configure(hyperparameter_sampling=GridParameterSampling({"x": choice(0, 1)}))
    assert decide(definition, ended(0), Child(1, {"x": 1}, "Running")) == []
    (finish,) = decide(definition, ended(0), ended(1))
    assert finish == FinishSweep("Completed", "the parameter space has no more than 2 combinations")


def test_a_cancel_ends_all() -> None:
    running = [Child(0, {"x": 0.1}, "Running"), Child(1, {"x": 0.2}, "Running", stop_reason="before")]
    assert decide(configure(), *running, is_cancel_requested=True) == [StopChild(0, "the sweep was canceled")]
    over = [ended(0, "Canceled"), ended(1, "Canceled")]
    assert decide(configure(), *over, is_cancel_requested=True) == [FinishSweep("Canceled", "the sweep was canceled")]


def test_the_duration_is_kept() -> None:
    definition = configure(max_duration_minutes=1)
    child = Child(0, {"x": 0.1}, "Running")
    assert len(decide(definition, child, now=59)) == 1
    assert decide(definition, child, now=61) == [StopChild(0, "max_duration_minutes (1) is over")]
    assert decide(definition, ended(0), now=61) == [FinishSweep("Completed", "max_duration_minutes (1) is over")]


def test_children_that_all_fail_at_once_end_the_sweep_with_their_cause() -> None:
    failed = [ended(number, "Failed", (), error="ModuleNotFoundError: No module named 'torch'") for number in range(5)]
    running = Child(5, {"x": 0.9}, "Running")
    said = "the first 5 children all failed: ModuleNotFoundError: No module named 'torch'"
    assert decide(configure(), *failed, running) == [StopChild(5, said)]
    assert decide(configure(), *failed) == [FinishSweep("Failed", said)]
    assert decide(configure(), *failed, ended(5, "Canceled", (), stop_reason=said)) == [FinishSweep("Failed", said)]
    assert [action.number for action in decide(configure(), *failed[:4])] == [4, 5]
    learned = [*failed[:4], ended(4, "Completed")]
    assert [action.number for action in decide(configure(), *learned)] == [5]


def test_a_child_that_fails_does_not_end_a_sweep() -> None:
    children = [ended(number, "Failed" if number == 2 else "Completed") for number in range(6)]
    assert decide(configure(), *children) == [FinishSweep("Completed", "6 children have ended")]
    late = [ended(number, "Failed", (1.0,), error="boom" if number else "bang") for number in range(6)]
    assert decide(configure(), *late) == [FinishSweep("Failed", "all 6 children failed, 5 of them with: boom")]


def test_values_that_come_together_are_judged_one_by_one() -> None:
    definition = configure(policy=BanditPolicy(slack_amount=0.5), max_total_runs=2)
    leader = ended(0, "Completed", (1.0, 1.0, 0.1))
    child = Child(1, {"x": 0.5}, "Running", (1.2, 1.9, 1.1))
    (stop,) = decide(definition, leader, child)
    assert decide(definition, leader, replace(child, values=(1.2, 1.9))) == [Judged(1, 2)]
    assert stop.number == 1 and "at interval 3" in stop.reason
    assert decide(definition, leader, replace(child, judged=3)) == []
    assert decide(definition, leader, replace(child, judged=2, stop_reason="x")) == []


def test_a_silent_child_is_stopped() -> None:
    definition = configure(policy=NoTerminationPolicy(max_silence_minutes=2), max_total_runs=1)
    child = Child(0, {"x": 0.5}, "Running", started=100.0)
    assert decide(definition, child, now=200) == []
    assert "no value of the primary metric" in decide(definition, child, now=221)[0].reason
    assert decide(definition, replace(child, values=(1.0,), judged=1, last_logged=200.0), now=221) == []
    assert decide(definition, Child(0, {"x": 0.5}, "Queued"), now=500) == []


def test_a_metric_under_another_name_is_noticed_while_the_sweep_runs() -> None:
    definition = configure(max_total_runs=1)
    child = Child(0, {"x": 0.5}, "Running", other_metrics=("Loss", "accuracy"))
    (say,) = decide(definition, child)
    assert say == Say("Child 0 has not logged the primary metric 'loss'. It logged Loss, accuracy; did you mean Loss?")
    assert decide(definition, child, said=(say.text,)) == []
    silent = replace(child, status="Completed", other_metrics=(), ended=1.0)
    (say,) = decide(definition, silent)
    assert "run.log('loss', value)" in say.text
    assert decide(definition, silent, said=(say.text,)) == [FinishSweep("Completed", f"1 child has ended; {say.text}")]
    failed = replace(silent, status="Failed", error="boom")
    assert decide(definition, failed) == [FinishSweep("Failed", "the only child failed: boom")]


def test_what_earlier_sweeps_reached_counts() -> None:
    definition = configure(hyperparameter_sampling=BayesianParameterSampling(SPACE), max_total_runs=40)
    prior = [Trial({"x": i / 20}, (i / 20 - 0.4) ** 2) for i in range(0, 21, 2)]
    (first, _) = decide(definition, prior=prior)
    assert abs(first.parameters["x"] - 0.4) < 0.15


def test_policies_compare_with_children_of_earlier_sweeps() -> None:
    definition = configure(policy=BanditPolicy(slack_amount=0.5), max_total_runs=1)
    child = Child(0, {"x": 0.5}, "Running", (1.2,))
    assert decide(definition, child) == [Judged(0, 1)]  # the first to reach an interval has nothing to be compared with
    (stop,) = decide(definition, child, prior_curves=[Curve(-1, (0.1,), False)])
    assert stop.number == 0 and "the limit is 0.6 (0.1 of a child of an earlier sweep + 0.5)" in stop.reason
    assert decide(definition, child, prior_curves=[Curve(-1, (1.0,), False)]) == [Judged(0, 1)]


def test_a_child_by_hand_takes_no_place_of_the_samplers() -> None:
    definition = configure(max_concurrent_runs=1)
    (first,) = decide(definition)
    by_hand = replace(ended(0), is_by_hand=True)
    (second,) = decide(definition, by_hand)
    assert (second.number, second.parameters) == (1, first.parameters)


def test_what_is_not_a_number_is_no_best_value() -> None:
    from aml_jupyter.hyperdrive import trial_of

    assert trial_of(ended(0, "Completed", (math.nan, 3.0, 2.0, math.inf)), "minimize").value == 2.0
    assert trial_of(ended(0, "Completed", (math.nan,)), "minimize").value is None
    assert trial_of(ended(0, "Canceled"), "maximize").state == "stopped"


def test_chosen_children_come_first_and_count_besides_where_a_person_added_them() -> None:
    definition = configure(max_total_runs=2)
    by_hand, resumed = Chosen({"x": 7.0}), Chosen({"x": 0.5}, "earlier_3")
    starts = decide(definition, chosen=(by_hand,))
    assert [(start.number, start.chosen) for start in starts] == [(0, by_hand), (1, None)]
    assert starts[1].parameters == decide(definition)[0].parameters
    assert decide(definition, chosen=(by_hand,), is_paused=True) == []
    done = [replace(ended(0), is_by_hand=True), ended(1)]
    (last,) = decide(definition, *done, chosen=(by_hand,))
    assert (last.number, last.chosen) == (2, None)
    assert decide(definition, *done, ended(2), chosen=(by_hand,)) == [FinishSweep("Completed", "3 children have ended")]
    assert [start.chosen for start in decide(definition, chosen=(resumed,))] == [resumed, None]
    assert decide(definition, *done, chosen=(resumed,)) == [FinishSweep("Completed", "2 children have ended")]


def test_a_grid_with_another_space_leaves_out_what_was_run() -> None:
    definition = configure(hyperparameter_sampling=GridParameterSampling({"x": choice(0, 1, 2, 3)}))
    run = [Child(number, {"x": x}, "Completed", (1.0,), judged=1, ended=1.0) for number, x in enumerate((3, 1))]
    assert [start.parameters["x"] for start in decide(definition, *run, may_repeat=False)] == [0, 2]
    prior = [Trial({"x": 0}, 1.0)]
    (only,) = decide(definition, *run, may_repeat=False, prior=prior)
    assert (only.number, only.parameters["x"]) == (2, 2)


def test_a_sweep_that_goes_on_draws_no_point_of_the_earlier_one_again() -> None:
    definition = configure(max_total_runs=4, max_concurrent_runs=4)
    whole = [start.parameters for start in decide(definition)]
    prior = [Trial(parameters, 1.0) for parameters in whole[:2]]
    after = [start.parameters for start in decide(definition, prior=prior, may_repeat=False)]
    assert after[:2] == whole[2:]


def test_spare_children_are_made_ahead_and_released_first() -> None:
    definition = configure(max_total_runs=6)
    plain = [start.parameters for start in decide(configure(max_total_runs=6, max_concurrent_runs=6))]
    first = decide(definition, spares=2)
    assert [(start.number, start.is_spare) for start in first] == [(0, False), (1, False)]
    running = [Child(number, plain[number], "Running") for number in range(2)]
    ahead = decide(definition, *running, spares=2)
    assert [(start.number, start.is_spare, start.parameters) for start in ahead] == [
        (2, True, plain[2]),
        (3, True, plain[3]),
    ]
    spare = [Child(number, plain[number], "NotStarted") for number in (2, 3)]
    assert decide(definition, *running, *spare, spares=2) == []
    assert decide(definition, *running, *spare, spares=2, is_paused=True) == []
    release, more = decide(definition, ended(0), running[1], *spare, spares=2)
    assert (release, more.number, more.is_spare) == (ReleaseChild(2), 4, True)
    last = [ended(number) for number in range(4)]
    rest = [Child(4, plain[4], "Running"), Child(5, plain[5], "NotStarted")]
    assert decide(definition, *last, *rest, spares=2) == [ReleaseChild(5)]
    by_hand = Chosen({"x": 7.0})
    assert decide(definition, *running, *spare, spares=2, chosen=(by_hand,)) == []
    (added,) = decide(definition, ended(0), running[1], *spare, spares=2, chosen=(by_hand,))
    assert (added.number, added.chosen) == (4, by_hand)  # the spare ones wait for the next end
    is_there = Child(4, {"x": 7.0}, "Running", is_by_hand=True)
    assert decide(definition, ended(0), running[1], *spare, is_there, spares=2, chosen=(by_hand,)) == []
    release, more = decide(definition, ended(0), ended(1), *spare, is_there, spares=2, chosen=(by_hand,))
    assert (release, more.number, more.is_spare, more.parameters) == (ReleaseChild(2), 5, True, plain[4])
    added, release = decide(definition, ended(0), ended(1), *spare, spares=2, chosen=(by_hand,))[:2]
    assert (added.chosen, release) == (by_hand, ReleaseChild(2))
    learned = configure(hyperparameter_sampling=BayesianParameterSampling(SPACE))
    assert decide(learned, *running, spares=2) == []
    ending = decide(definition, running[0], spare[0], is_cancel_requested=True, spares=2)
    assert [stop.number for stop in ending] == [0, 2]


@pytest.mark.parametrize("order", range(5))
def test_what_ended_children_add_up_to_does_not_depend_on_their_order(order: int) -> None:
    """As a look finds them one after the other, or a service that starts anew in the order of their numbers."""
    dice = np.random.default_rng(order)
    children = [
        Child(
            number,
            {"x": number / 40},
            str(dice.choice(["Completed", "Failed", "Canceled"])),
            tuple(dice.random(int(dice.integers(0, 4)))),
            ended=float(dice.integers(0, 5)),
            error=str(dice.choice(["", "boom", "bang"])),
            other_metrics=("other",) if number % 3 == 0 else (),
            is_by_hand=number % 7 == 0,
        )
        for number in range(40)
    ]
    plain = Ended("minimize", children)
    mixed = Ended("minimize", (children[int(place)] for place in dice.permutation(40)))
    assert (mixed.count, mixed.failed, mixed.by_hand) == (plain.count, plain.failed, plain.by_hand)
    assert (mixed.has_values, mixed.has_completed) == (plain.has_values, plain.has_completed)
    assert mixed.trials == plain.trials and mixed.curves == plain.curves
    assert mixed.without_metric == plain.without_metric and mixed.common_cause() == plain.common_cause()
    assert [curve.child for curve in plain.curves] == sorted(child.number for child in children if child.values)
    in_order = sorted((child.ended, child.number) for child in children)
    assert [trial.parameters["x"] for trial in plain.trials] == [number / 40 for _, number in in_order]
