"""A build outside of a run: followed to its end, whoever does it, and whatever is killed in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from support import until
from wheels import make_slow_source, make_wheel

from aml_jupyter.config import CondaDependencies, Environment
from aml_jupyter.environments import Build, Built, EnvironmentCache, Recipe, begin_build, choose_recipe, submitter
from aml_jupyter.errors import UserErrorException

PROGRAM = """
import json, os, sys
from aml_jupyter.environments import Recipe, begin_build, submitter
build = begin_build(Recipe.from_dict(json.loads(sys.argv[1])), submitter())
print("begun", flush=True)
built = build.follow(lambda text: None)
print(built.key, build.is_own)
"""


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    make_wheel(tmp_path / "wheels", "tiny", "1.0")
    return tmp_path / "wheels"


def recipe_of(wheels: Path, *packages: str) -> Recipe:
    environment = Environment("e")
    content = {"dependencies": [{"pip": ["--no-index", f"--find-links {wheels}", *packages]}]}
    environment.python.conda_dependencies = CondaDependencies.from_dict(content)
    found = choose_recipe(environment, submitter())
    assert found is not None
    return found


def followed(build: Build) -> Callable[[], Built]:
    """Follow a build in a thread; the function that is returned waits for what came of it."""
    found: list[Built] = []
    thread = threading.Thread(target=lambda: found.append(build.follow(lambda text: None)))
    thread.start()

    def wait() -> Built:
        thread.join(60)
        assert found, build.error
        return found[0]

    return wait


def test_a_builder_that_is_killed_is_followed_by_another(wheels: Path) -> None:
    gate = make_slow_source(wheels, "slow")
    build = begin_build(recipe_of(wheels, "tiny", "slow"), submitter())
    until(lambda: build.entry.builder_pid() is not None, message="the builder says who it is")
    wait = followed(build)
    killed = build.entry.builder_pid()
    assert killed is not None
    os.killpg(killed, signal.SIGKILL)
    until(lambda: build.entry.builder_pid() not in (None, killed), message="another builder")
    gate.unlink()
    assert wait().prefix.exists() and build.status == "Succeeded"


def test_one_that_is_killed_again_and_again_is_given_up(wheels: Path) -> None:
    make_slow_source(wheels, "slow")
    build = begin_build(recipe_of(wheels, "slow"), submitter())
    killed: set[int | None] = {None}
    for _ in range(3):
        until(lambda: build.status != "Running" or build.entry.builder_pid() not in killed, message="a builder")
        builder = build.entry.builder_pid()
        assert builder is not None
        killed.add(builder)
        os.killpg(builder, signal.SIGKILL)
    with pytest.raises(UserErrorException, match=r"ended 3 times \(SIGKILL\).*out of memory"):
        build.follow(lambda text: None)


def test_two_processes_that_build_the_same_make_it_once_and_both_have_it(wheels: Path) -> None:
    import json

    gate = make_slow_source(wheels, "slow")
    recipe = recipe_of(wheels, "tiny", "slow")
    both = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, json.dumps(recipe.as_dict())], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in both:
        assert process.stdout is not None and process.stdout.readline() == "begun\n"
    gate.unlink()
    said = [process.communicate(timeout=60)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[0][0] == said[1][0] and sorted(words[1] for words in said) == ["False", "True"]
    log = EnvironmentCache().entry(recipe.key).log.read_text()
    assert log.count("solve: ") == 1 and log.count("making a virtual environment") == 1


def test_two_recipes_that_come_to_the_same_packages_at_once_share_one_place(wheels: Path) -> None:
    gate = make_slow_source(wheels, "slow")
    builds = [
        begin_build(recipe_of(wheels, *names), submitter()) for names in (("tiny", "slow"), ("slow", "tiny==1.0"))
    ]
    waits = [followed(build) for build in builds]
    gate.unlink()
    one, other = (wait() for wait in waits)
    assert one.path == other.path and len(EnvironmentCache().all_built()) == 1
    assert builds[0].entry.key != builds[1].entry.key


def test_one_that_fails_elsewhere_fails_here_with_the_same_words(wheels: Path) -> None:
    recipe = recipe_of(wheels, "no-such-package")
    first, second = begin_build(recipe, submitter()), begin_build(recipe, submitter())
    for build in (first, second):
        with pytest.raises(UserErrorException, match=r"no-such-package.*build\.log"):
            build.follow(lambda text: None)
    assert first.error == second.error


def test_a_build_anew_waits_for_one_that_goes_on(wheels: Path) -> None:
    gate = make_slow_source(wheels, "slow")
    recipe = recipe_of(wheels, "tiny", "slow")
    first = begin_build(recipe, submitter())
    wait_first = followed(first)
    anew = begin_build(recipe, submitter(), anew=True)
    assert anew.status == "Running" and not anew.is_own
    gate.unlink()
    wait_first()
    make_wheel(wheels, "tiny", "2.0")
    assert "tiny==2.0" in followed(anew)().lock.read_text()


def test_a_build_that_nobody_follows_goes_on_and_leaves_no_dead_process(wheels: Path) -> None:
    import gc

    import psutil

    gate = make_slow_source(wheels, "slow")
    build = begin_build(recipe_of(wheels, "tiny", "slow"), submitter())
    entry = build.entry
    until(lambda: entry.builder_pid() is not None, message="the builder says who it is")
    builder = entry.builder_pid()
    del build
    gc.collect()
    gate.unlink()
    until(lambda: entry.built() is not None, 60, "the environment is built")
    until(lambda: builder is not None and not psutil.pid_exists(builder), message="the builder is reaped")
