"""An index that wants a password is used with it; the password gets into no image, lock, log or message."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from base_images import PYTHON_IMAGE
from engine_process import Engine
from guarded_server import guarded_server
from wheels import make_wheel

from aml_jupyter import environments
from aml_jupyter.config import CondaDependencies, Environment
from aml_jupyter.environments import Built, EnvironmentCache, Recipe
from aml_jupyter.environments.builders import BuildError
from aml_jupyter.environments.builders.process import build

PASSWORD = "correct-horse"
Choose = Callable[..., Recipe]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """The place of an index with one package."""
    make_wheel(tmp_path / "index/simple/tiny", "tiny", "1.0")
    with guarded_server(tmp_path / "index", f"ada:{PASSWORD}") as place:
        yield place


@pytest.fixture
def choose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Choose:
    """Return a function that chooses the recipe for packages, with no settings of pip but what a test writes."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CONFIG_FILE", "UV_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)

    def make(*packages: str, engine: str | None = None) -> Recipe:
        environment = Environment("private")
        dependencies = CondaDependencies.create(pip_packages=list(packages), python_version=None)
        environment.python.conda_dependencies = dependencies if packages else None
        environment.docker.base_image = PYTHON_IMAGE
        found = environments.choose_recipe(environment, environments.submitter(), (), engine)
        assert found is not None
        return found

    return make


@pytest.fixture
def pip_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "pip.conf"
    path.touch(mode=0o600)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(path))
    return path


def built_from(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> Built:
    entry = EnvironmentCache().entry(recipe.key)
    entry.write("recipe.json", recipe.as_dict())
    assert stat.S_IMODE((entry.path / "recipe.json").stat().st_mode) == 0o600
    monkeypatch.chdir(entry.path)
    return build(entry)


@pytest.mark.parametrize("name", ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL"])
def test_a_variable_with_a_password_stays_behind_and_that_is_said(
    choose: Choose, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, f"https://ada:{PASSWORD}@packages.example/simple")
    for engine in (None, "unix:///engine.sock"):
        recipe = choose("tiny", engine=engine)
        (note,) = [note for note in recipe.notes if name in note]
        assert "pip config set" in note
        assert PASSWORD not in str(recipe.as_dict())
    assert "withheld" in environments.submitter() and PASSWORD not in str(environments.submitter())
    # an image that nothing is installed on has no use for an index
    assert not choose(engine="unix:///engine.sock").notes


def test_pips_own_file_is_used_and_its_password_stays_out_of_lock_log_and_message(
    choose: Choose, index: str, pip_file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pip_file.write_text(f"[global]\nindex-url = http://ada:wrong-horse@{index}/simple\n")
    with pytest.raises(BuildError, match="tiny") as refused:
        built_from(choose("tiny"), monkeypatch)
    pip_file.write_text(f"[global]\nindex-url = http://ada:{PASSWORD}@{index}/simple\n")
    built = built_from(choose("tiny"), monkeypatch)
    shown = built.lock.read_text() + capfd.readouterr().out + str(refused.value)
    assert "tiny==1.0" in shown and "horse" not in shown
    for path in (each for each in built.path.rglob("*") if each.is_file() and not each.is_symlink()):
        assert PASSWORD.encode() not in path.read_bytes(), path


def test_a_password_of_an_index_gets_into_no_layer_of_an_image(
    choose: Choose, index: str, pip_file: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pip_file.write_text(f"[global]\nindex-url = http://ada:{PASSWORD}@{index}/simple\n")
    built = built_from(choose("tiny", engine=engine.host), monkeypatch)
    assert "tiny==1.0" in built.lock.read_text() and PASSWORD not in built.lock.read_text()
    docker = ["/usr/bin/docker", "-H", engine.host]
    saved = tmp_path / "image.tar"
    subprocess.run([*docker, "save", "-o", saved, built.facts["image"]], check=True, capture_output=True)
    whole = saved.read_bytes()
    assert b"tiny-1.0.dist-info" in whole
    assert PASSWORD.encode() not in whole
