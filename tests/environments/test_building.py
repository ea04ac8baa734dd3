"""Environments are built once, by real uv, whatever is killed in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import until
from wheels import make_slow_source, make_wheel

from aml_jupyter import environments
from aml_jupyter.config import CondaDependencies, Environment
from aml_jupyter.environments import EnvironmentCache, Recipe
from aml_jupyter.environments.builders import BuildError
from aml_jupyter.environments.builders.process import build

Make = Callable[..., Recipe]


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """A folder of wheels that is all the index there is."""
    folder = tmp_path / "wheels"
    make_wheel(folder, "tiny", "1.0")
    make_wheel(folder, "tiny", "2.0")
    make_wheel(folder, "needs_old", "1.0", ["tiny<2"])
    return folder


@pytest.fixture
def recipe(index: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setenv("UV_CACHE_DIR", str(index.parent / "uv-cache"))

    def make(*packages: str) -> Recipe:
        environment = Environment("e")
        dependencies = CondaDependencies.create(pip_packages=list(packages))
        dependencies.set_pip_option("--no-index")
        dependencies.set_pip_option(f"--find-links {index}")
        environment.python.conda_dependencies = dependencies
        found = environments.choose_recipe(environment, {**environments.submitter(), "variables": {"HOME": str(index)}})
        assert found is not None
        return found

    return make


def ask(found: Recipe) -> environments.Entry:
    entry = EnvironmentCache().entry(found.key)
    entry.write("recipe.json", found.as_dict())
    return entry


def test_what_was_asked_is_resolved_installed_and_found_again(recipe: Make) -> None:
    entry = ask(recipe("needs_old"))
    built = build(entry)
    said = subprocess.run(
        [built.facts["python"], "-c", "import tiny, sys; print(tiny.__version__, sys.prefix)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert said == ["1.0", str(built.prefix)]
    assert "tiny==1.0" in built.lock.read_text() and "--hash=sha256:" in built.lock.read_text()
    assert EnvironmentCache().entry(entry.key).built() == built
    # another wish that comes to the same packages shares the same place
    assert build(ask(recipe("needs_old==1.0", "tiny==1.0"))).path == built.path


def test_environments_of_the_same_packages_have_variables_of_their_own(recipe: Make, index: Path) -> None:
    found = {}
    for value in ("one", "two"):
        environment = Environment("e")
        content = {
            "dependencies": [{"pip": ["--no-index", f"--find-links {index}", "tiny"]}],
            "variables": {"MY_SETTING": value},
        }
        environment.python.conda_dependencies = CondaDependencies.from_dict(content)
        who = environments.submitter()
        wanted = environments.choose_recipe(environment, who)
        assert wanted is not None
        found[value] = build(ask(wanted)).path
        definition = {"id": "r", "submitter": who, "environment": wanted.as_dict(), "run_config": {}}
        assert environments.resolve(definition).variables["MY_SETTING"] == value
    assert found["one"] == found["two"]


def test_a_build_that_cannot_be_says_which_package_and_why(recipe: Make) -> None:
    entry = ask(recipe("needs_old", "tiny==2.0"))
    with pytest.raises(BuildError, match=r"needs.old.*tiny<2|tiny==2\.0"):
        build(entry)
    failure = entry.failure()
    assert failure is not None and "tiny" in failure["message"]
    assert entry.built() is None and entry.resolved() is None


def test_only_a_build_that_is_asked_for_anew_moves_the_lock(recipe: Make, index: Path) -> None:
    entry = ask(recipe("tiny"))
    first = build(entry)
    assert "tiny==2.0" in first.lock.read_text()
    make_wheel(index, "tiny", "3.0")
    assert build(entry).path == first.path
    second = build(entry, anew=True)
    assert "tiny==3.0" in second.lock.read_text() and second.path != first.path
    assert first.prefix.exists()  # runs may use it still


@pytest.mark.faults
@pytest.mark.parametrize("point", ["environment.entry", "environment.ready"])
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_killed_builder_leaves_nothing_that_counts_and_the_next_one_goes_on(
    recipe: Make, tmp_path: Path, point: str, side: str
) -> None:
    entry = ask(recipe("tiny"))
    token = tmp_path / "token"
    token.touch()
    skip = "4" if point == "environment.entry" else "0"  # in the middle: resolved, and not made yet
    armed = {
        "AML_FAULT_POINT": point,
        "AML_FAULT_SIDE": side,
        "AML_FAULT_TOKEN": str(token),
        "AML_FAULT_SKIP": skip,
    }
    lock = entry.try_lock()
    assert lock is not None
    program = "import sys; from aml_jupyter.environments.builders.process import main; main(sys.argv[1:])"
    died = subprocess.run(
        [sys.executable, "-c", program, str(entry.path), str(lock)],
        env={**os.environ, **armed},
        pass_fds=(lock,),
        check=False,
    )
    os.close(lock)
    assert died.returncode == -signal.SIGKILL and not token.exists()
    assert not entry.is_building()
    assert (entry.built() is None) == ((point, side) != ("environment.ready", "after"))
    assert "tiny==2.0" in build(entry).lock.read_text()


def test_two_builders_of_one_environment_make_it_once(recipe: Make) -> None:
    found = recipe("tiny")
    entry = EnvironmentCache().entry(found.key)
    variables = dict(os.environ)
    one = environments.start_builder(entry, found.as_dict(), variables)
    assert one is not None
    assert environments.start_builder(entry, found.as_dict(), variables) is None
    assert one.wait(60) == 0
    assert entry.built() is not None
    assert entry.log.read_text().count("making a virtual environment") == 1


def test_a_builder_that_nobody_waits_for_is_ended(recipe: Make, index: Path) -> None:
    make_slow_source(index, "slow")
    found = recipe("slow")
    entry = EnvironmentCache().entry(found.key)
    builder = environments.start_builder(entry, found.as_dict(), dict(os.environ))
    assert builder is not None
    until(lambda: entry.builder_pid() == builder.pid, message="the builder says who it is")
    environments.stop_builder(entry)
    assert builder.wait(20) == -signal.SIGKILL
    assert not entry.is_building() and entry.built() is None


def test_what_a_run_holds_cannot_be_taken_exclusively(recipe: Make) -> None:
    import fcntl

    entry = ask(recipe("tiny"))
    build(entry)
    hold = entry.hold()
    assert hold is not None
    with open(hold.built.path / ".use", "rb") as other:
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        hold.close()
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
