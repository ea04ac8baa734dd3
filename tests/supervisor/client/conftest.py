"""Give the tests of the in-run client a bundle, an attempt's folder, and a service that answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from supervisor.client.inrun import Answer, Attempt, Responder

from aml_jupyter.supervisor import bundle


@pytest.fixture(scope="session")
def placed(tmp_path_factory: pytest.TempPathFactory) -> bundle.Bundle:
    """Return the real bundle, put in place."""
    return bundle.place(tmp_path_factory.mktemp("bundles"))


@pytest.fixture
def attempt(tmp_path: Path, placed: bundle.Bundle) -> Attempt:
    return Attempt(tmp_path / "attempt", placed)


@pytest.fixture
def respond(attempt: Attempt) -> Iterator[Callable[..., Responder]]:
    """Return a function that starts a responder: ``respond(get_run=lambda args: {...})``."""
    started: list[Responder] = []

    def start(**answers: Answer) -> Responder:
        started.append(Responder(attempt.control, answers))
        return started[-1]

    yield start
    for responder in started:
        responder.close()
