"""Conda environments are solved and linked from a real channel, with no conda installed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from guarded_server import guarded_server
from wheels import make_wheel

from aml_jupyter import environments
from aml_jupyter.config import CondaDependencies, Environment
from aml_jupyter.environments import Built, EnvironmentCache
from aml_jupyter.environments.builders import BuildError
from aml_jupyter.environments.builders.process import build
from aml_jupyter.environments.choose_conda import conda_platform

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the channel is built from a Linux Python")

Make = Callable[..., Built]
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(scope="session")
def channel() -> Path:
    from conda_channel import conda_channel

    return conda_channel()


@pytest.fixture
def make(channel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))

    def make_environment(
        *packages: str,
        pip: tuple[str, ...] = (),
        channels: tuple[str, ...] = (),
        variables: Any = None,
        **submitter: str,
    ) -> Built:
        content = {
            "channels": list(channels) or [channel.as_uri()],
            "dependencies": [*packages, *([{"pip": list(pip)}] if pip else [])],
            "variables": variables or {},
        }
        environment = Environment("e")
        environment.python.conda_dependencies = CondaDependencies.from_dict(content)
        who = {**environments.submitter(), "variables": {"HOME": str(tmp_path), **submitter}}
        recipe = environments.choose_recipe(environment, who, [tmp_path])
        assert recipe is not None and recipe.kind == "conda"
        entry = EnvironmentCache().entry(recipe.key)
        entry.write("recipe.json", recipe.as_dict())
        return build(entry)

    return make_environment


def run(built: Built, *command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_environment_is_the_environment(make: Make) -> None:
    built = make(f"python={HERE}", "pinned", "purelib")
    python = built.facts["python"]
    program = "import sys, sysconfig, purelib; print(sys.prefix, sysconfig.get_path('purelib'), purelib.__version__)"
    prefix, purelib, version = run(built, python, "-c", program).split()
    assert prefix == str(built.prefix) and purelib.startswith(prefix) and version == "3.1"
    libraries = run(built, "/usr/bin/ldd", os.path.realpath(python))
    assert all(str(built.prefix) in line for line in libraries.splitlines() if "libpython" in line)
    assert run(built, str(built.prefix / "bin/pinned")) == "tinylib 1.0\n"  # tinylib<2, and the prefix in its text
    assert "tinylib-1.0-0.tar.bz2" in built.lock.read_text()
    assert not list(Path(built.prefix).glob("**/*.tmp"))


@pytest.mark.parametrize(
    "spec",
    ["tinylib=1.*", "tinylib==1.0", "tinylib 1.0", "tinylib>=1,<2", "tinylib=1.0=0", "tinylib=1.*=*0*", "tinylib <2"],
)
def test_every_form_of_a_spec_is_read(make: Make, spec: str) -> None:
    assert (make(spec).prefix / "share/tinylib").read_text() == "tinylib 1.0\n"


def test_pip_adds_to_what_conda_has_and_leaves_it_alone(make: Make, tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheels", "beside", "1.0", ["purelib>=3"])
    make_wheel(tmp_path / "wheels", "purelib", "9.9")
    built = make("purelib", pip=("--no-index", f"--find-links {tmp_path / 'wheels'}", "beside"))
    said = run(
        built, built.facts["python"], "-c", "import beside, purelib; print(beside.__version__, purelib.__version__)"
    )
    assert said.split() == ["1.0", "3.1"]
    assert "beside==1.0" in built.lock.read_text() and "purelib==9.9" not in built.lock.read_text()


def test_activation_is_honoured(make: Make) -> None:
    built = make("activated", variables={"MY_SETTING": 7})
    assert built.facts["variables"] == {"ACTIVATED_HOME": f"{built.prefix}/share"}  # what is asked for is the recipe's


def test_the_machine_that_will_run_it_counts(make: Make) -> None:
    with pytest.raises(BuildError, match="__cuda"):
        make("needcuda")
    built = make("needcuda", CONDA_OVERRIDE_CUDA="12.4")
    assert (built.prefix / "share/needcuda").exists()


@pytest.mark.parametrize(
    ("packages", "said"),
    [
        (("no-such-package",), "no-such-package"),
        (("pinned", "tinylib=2.0"), "tinylib"),
        (("python=2.6",), f"python=2.6 cannot be had; the nearest in these channels is Python {HERE}"),
    ],
)
def test_a_set_that_cannot_be_had_says_which_package_and_why(make: Make, packages: tuple[str, ...], said: str) -> None:
    with pytest.raises(BuildError) as caught:
        make(*packages)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_channel_that_cannot_be_reached_is_named_in_bounded_time(make: Make) -> None:
    for place in ("http://localhost:1/nowhere", "https://nowhere.invalid/channel"):
        with pytest.raises(BuildError, match=f"a channel cannot be used .{place}") as failed:
            make("tinylib", channels=(place,))
        assert "\n" not in str(failed.value)


def test_a_channel_of_a_folder_that_is_not_there_is_refused_at_once(make: Make) -> None:
    with pytest.raises(environments.choose.ConfigurationError, match="there is no folder"):
        make("tinylib", channels=("./nowhere",))


def test_the_first_channel_that_has_a_package_wins(make: Make, channel: Path, tmp_path: Path) -> None:
    import asyncio

    from conda_channel import write_package
    from rattler.index import index_fs

    first = tmp_path / "first"
    (first / conda_platform()).mkdir(parents=True)
    (first / "noarch").mkdir()
    write_package(first, "tinylib", "0.5", {"share/tinylib": "tinylib 0.5\n"})
    asyncio.run(index_fs(first))
    built = make("tinylib", channels=("./first", channel.as_uri()))
    assert (built.prefix / "share/tinylib").read_text() == "tinylib 0.5\n"


def test_two_environments_share_their_files_and_the_second_is_quick(make: Make) -> None:
    one, other = make(f"python={HERE}", "purelib"), make(f"python={HERE}", "tinylib")
    assert one.path != other.path
    name = f"lib/libpython{HERE}.so.1.0"
    if (one.prefix / name).exists():
        assert (one.prefix / name).stat().st_ino == (other.prefix / name).stat().st_ino
    assert other.facts["seconds"] < 5


def test_an_environment_on_top_of_one_that_is_there(make: Make, tmp_path: Path) -> None:
    base = make(f"python={HERE}", "tinylib=1.0")
    environment = Environment("more")
    environment.python.base_conda_environment = str(base.prefix)
    environment.python.conda_dependencies = CondaDependencies.from_dict({"dependencies": ["purelib"]})
    who = {**environments.submitter(), "variables": {"HOME": str(tmp_path)}}
    recipe = environments.choose_recipe(environment, who)
    assert recipe is not None and recipe.kind == "conda"
    entry = EnvironmentCache().entry(recipe.key)
    entry.write("recipe.json", recipe.as_dict())
    built = build(entry)
    assert (built.prefix / "share/tinylib").read_text() == "tinylib 1.0\n"  # the channel has 2.0, the base has not
    assert run(built, built.facts["python"], "-c", "import purelib; print(purelib.__version__)") == "3.1\n"
    copy = Environment.from_existing_conda_environment("copy", str(base.prefix))
    assert copy.python.conda_dependencies is not None
    assert "tinylib=1.0=0" in list(copy.python.conda_dependencies.conda_packages)
    alike = environments.choose_recipe(copy, who)
    assert alike is not None
    again = EnvironmentCache().entry(alike.key)
    again.write("recipe.json", alike.as_dict())
    assert build(again).path == base.path  # exactly the same packages are the same place


def test_the_line_of_a_file_is_named(channel: Path, tmp_path: Path) -> None:
    file = tmp_path / "conda.yml"

    def recipe(*entries: str) -> environments.Recipe:
        lines = "".join(f"  - {entry}\n" for entry in entries)
        file.write_text(f"name: mine\nchannels: [{channel.as_uri()}]\ndependencies:\n{lines}")
        made = environments.choose_recipe(
            Environment.from_conda_specification("mine", file), environments.submitter(), [tmp_path]
        )
        assert made is not None
        return made

    with pytest.raises(
        environments.choose.ConfigurationError, match=r"conda\.yml, line 5: 'tinylib=>1' is no package spec"
    ):
        recipe(f"python={HERE}", "tinylib=>1")
    with pytest.raises(environments.choose.ConfigurationError, match=r"conda\.yml, line 6: 'six=>1' cannot be used"):
        recipe(f"python={HERE}", "pip:\n    - six=>1")
    for entries, said in (
        ((f"python={HERE}", "purelib", "no-such-package"), "line 6"),
        ((f"python={HERE}", "tinylib=2.0", "pinned"), "line 5"),
        (("purelib", "python=2.6"), "line 5"),
    ):
        made = recipe(*entries)
        entry = EnvironmentCache().entry(made.key)
        entry.write("recipe.json", made.as_dict())
        with pytest.raises(BuildError) as failed:
            build(entry)
        assert f"{file}, {said}" in str(failed.value), failed.value


def test_a_channel_that_wants_a_password_is_used_with_it_and_it_stays_out_of_lock_log_and_message(
    make: Make, channel: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with guarded_server(channel, "ada:correct-horse") as place:
        with pytest.raises(BuildError, match="401") as refused:
            make("tinylib=1.0", channels=(f"http://ada:wrong-horse@{place}",))
        built = make("tinylib=1.0", channels=(f"http://ada:correct-horse@{place}",))
    assert (built.prefix / "share/tinylib").read_text() == "tinylib 1.0\n"
    shown = built.lock.read_text() + capfd.readouterr().out + str(refused.value)
    assert place in shown and "horse" not in shown


def test_what_is_no_spec_is_refused_before_anything_is_built(make: Make) -> None:
    with pytest.raises(environments.choose.ConfigurationError, match=r"'tinylib=>1' is no package spec"):
        make("tinylib=>1")
    assert EnvironmentCache().entries() == []
