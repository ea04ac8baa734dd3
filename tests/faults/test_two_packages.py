"""An older package beside a newer one, as two wheels in two environments: the newer takes over, never the reverse."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from faults.acts import services
from faults.world import World
from support import until

import aml_jupyter
from aml_jupyter.service import service_status, wait_for_run
from aml_jupyter.workspace import WorkspaceFolder, get_run

pytestmark = pytest.mark.faults

SOURCE = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def pythons(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Version -> the Python of an environment that has a wheel of that version."""
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if uv is None:
        pytest.skip("needs uv, which make test installs")
    made = {}
    for version in ("7.1.0", "7.2.0"):
        place = tmp_path_factory.mktemp(f"package-{version}")
        source, venv = place / "source", place / "venv"
        _copy_sources(source, version)
        _run(uv, "build", "-q", "--wheel", "--out-dir", str(place / "dist"), str(source))
        (wheel,) = (place / "dist").glob("aml_jupyter-*.whl")
        _run(uv, "venv", "-q", "--python", sys.executable, str(venv))
        python = str(venv / "bin" / "python")
        _run(uv, "pip", "install", "-q", "--no-deps", "--python", python, str(wheel))
        (site,) = venv.glob("lib/python*/site-packages")
        # The dependencies are those of the environment that runs the tests.
        (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        made[version] = python
    return made


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def _copy_sources(place: Path, version: str) -> None:
    """Copy what the wheel is built from, with another version."""
    place.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(SOURCE / name, place / name)
    for name in ("aml_jupyter", "etc"):
        shutil.copytree(SOURCE / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path, pattern in (
        (place / "pyproject.toml", r'(?m)^version = "[^"]+"'),
        (place / "aml_jupyter" / "__init__.py", r'__version__(: Final)? = "[^"]+"'),
    ):
        text, count = re.subn(pattern, lambda found: re.sub(r'"[^"]+"', f'"{version}"', found[0]), path.read_text())
        assert count == 1, path
        path.write_text(text)


def test_the_newer_package_takes_over_and_runs_go_on(
    pythons: dict[str, str], world: World, folder: WorkspaceFolder
) -> None:
    older, newer = pythons
    go = world.place / "go"

    def submit(version: str, *script: str) -> str:
        world.python = pythons[version]
        world.do("submit_some", scripts=[list(script)])
        return world.said("ack")[-1]

    def served_by(version: str) -> bool:
        status = service_status(folder)
        return status is not None and status.alive and status.answers and status.version == version

    def how_it_stands() -> str:
        return f"another service than {service_status(folder)}; processes {services(world.root)}\n{world.story()}"

    first = submit(older, "gated.py", str(go))
    until(lambda: served_by(older), message=how_it_stands)
    until(lambda: get_run(folder.store.read(), first).status == "Running", message="running")
    second = submit(newer, "short.py")
    until(lambda: served_by(newer), message=how_it_stands)
    assert wait_for_run(folder, second, timeout=30).status == "Completed"
    (pid,) = services(world.root)
    third = submit(older, "short.py")
    assert wait_for_run(folder, third, timeout=30).status == "Completed"
    assert served_by(newer)
    assert services(world.root) == [pid], "the older package has put the newer service aside"
    assert get_run(folder.store.read(), first).status == "Running"
    go.touch()
    assert wait_for_run(folder, first, timeout=30).status == "Completed"
    world.do("end")
    assert {run.status for run in world.check()} == {"Completed"}
    assert aml_jupyter.__version__ not in pythons
