"""The front end's own tools: types, lint, format, unit tests; and the bundles, made anew from their sources."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FRONT = ROOT / "labextension"
STATIC = Path("aml_jupyter/jupyter/static")
BUILT = Path("aml_jupyter/labextension")


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the front end's sources beside an empty package, with what npm installs."""
    if shutil.which("npm") is None and hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", "nodejs", "npm"]):
            subprocess.run(["apt-get", *command], env=environment, stdout=subprocess.DEVNULL, timeout=280, check=False)
    if shutil.which("npm") is None:
        reason = "npm is not installed (Debian: apt-get install npm; node 20)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    place = tmp_path_factory.mktemp("front")
    shutil.copytree(FRONT, place / "labextension", ignore=shutil.ignore_patterns("node_modules", "lib"))
    installed = FRONT / "node_modules"
    if (installed / ".package-lock.json").exists():
        shutil.copytree(installed, place / "labextension" / "node_modules", symlinks=True, copy_function=_link)
    else:
        run(place, "npm", "ci", "--no-progress", "--loglevel=error")
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
