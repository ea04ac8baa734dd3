"""Give tests a real Docker engine: one shared by all tests of a session, or one of their own that they may kill."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from base_images import PYTHON_IMAGE, SHELL_IMAGE, load_images
from engine_packages import need_engine
from engine_process import Engine

__all__ = ["engine", "own_engine", "shared_engine"]


@pytest.fixture(scope="session")
def shared_engine() -> Iterator[Engine]:
    need_engine()
    made = Engine(live_restore=True)
    try:
        made.start()
        load_images(made.host, PYTHON_IMAGE, SHELL_IMAGE)
        yield made
    finally:
        made.close()


@pytest.fixture
def engine(shared_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A running engine with both images, which ``DOCKER_HOST`` names; other tests use it, too."""
    monkeypatch.setenv("DOCKER_HOST", shared_engine.host)
    return shared_engine


@pytest.fixture
def own_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Engine]]:
    """Return a function that starts an engine of the test's own; ``DOCKER_HOST`` names the last one."""
    need_engine()
    engines: list[Engine] = []

    def make(*images: str, live_restore: bool = False, hidden: Sequence[Path] = ()) -> Engine:
        engines.append(Engine(live_restore, hidden))
        engines[-1].start()
        load_images(engines[-1].host, *images)
        monkeypatch.setenv("DOCKER_HOST", engines[-1].host)
        return engines[-1]

    yield make
    for made in engines:
        made.close()
