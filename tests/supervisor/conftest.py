"""Give each test attempts of its own, and see to it that nothing of them is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from supervisor.attempts import BOUND, Attempt

from aml_jupyter.supervisor import bundle, identity


@pytest.fixture(scope="session")
def placed(tmp_path_factory: pytest.TempPathFactory) -> bundle.Bundle:
    return bundle.place(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def make_attempt(tmp_path: Path, placed: bundle.Bundle) -> Iterator[Callable[[], Attempt]]:
    attempts: list[Attempt] = []

    def make() -> Attempt:
        attempts.append(Attempt(tmp_path / f"attempt-{len(attempts) + 1}", placed, len(attempts) + 1))
        return attempts[-1]

    yield make
    for attempt in attempts:
        for process in attempt.supervisors:
            if process.poll() is None:
                process.kill()
            process.wait(BOUND)
        assert identity.end_survivors(attempt.token, 0) == []


@pytest.fixture
def attempt(make_attempt: Callable[[], Attempt]) -> Attempt:
    return make_attempt()
