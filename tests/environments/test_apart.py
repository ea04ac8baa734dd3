"""The environment truly is the environment: it runs where the Python that it was made from cannot be seen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from wheels import make_wheel

from aml_jupyter import environments
from aml_jupyter.config import CondaDependencies, Environment
from aml_jupyter.environments import Built, EnvironmentCache
from aml_jupyter.environments.builders.process import build

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="folders are hidden in a mount namespace")

LOOK = """
import importlib.metadata, json, sys, sysconfig
print(json.dumps({
    "prefix": sys.prefix, "executable": sys.executable, "path": [entry for entry in sys.path if entry],
    "purelib": sysconfig.get_path("purelib"),
    "packages": sorted(d.metadata["Name"] + "==" + d.version for d in importlib.metadata.distributions()),
}))
"""


def apart(hidden: list[str], command: list[str]) -> str:
    """Run a command in a mount namespace in which the folders `hidden` are empty."""
    if os.geteuid() != 0:
        pytest.skip("hiding folders needs root")
    for folder in hidden:
        assert not command[0].startswith(folder)
    covers = " && ".join(f"mount -t tmpfs none '{folder}'" for folder in hidden)
    program = f'{covers} && exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", program, "sh", *command],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        cwd="/",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def made(content: dict[str, object], home: Path) -> Built:
    environment = Environment("apart")
    environment.python.conda_dependencies = CondaDependencies.from_dict(content)
    recipe = environments.choose_recipe(environment, {**environments.submitter(), "variables": {"HOME": str(home)}})
    assert recipe is not None
    entry = EnvironmentCache().entry(recipe.key)
    entry.write("recipe.json", recipe.as_dict())
    return build(entry)


def test_a_conda_environment_needs_nothing_of_the_machines_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from conda_channel import MINOR, conda_channel

    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    make_wheel(tmp_path / "wheels", "beside", "1.0")
    pip = {"pip": ["--no-index", f"--find-links {tmp_path / 'wheels'}", "beside"]}
    content = {"channels": [conda_channel().as_uri()], "dependencies": [f"python={MINOR}", "purelib", pip]}
    built = made(content, tmp_path)
    python, prefix = str(built.facts["python"]), str(built.prefix)
    hidden = [os.path.realpath(sys.base_prefix), sys.prefix, str(conda_channel()), str(tmp_path / "wheels")]
    hidden = [folder for folder in dict.fromkeys(hidden) if folder not in ("/", "/usr")]
    found = json.loads(apart(hidden, [python, "-c", LOOK]))
    assert found["prefix"] == prefix and found["purelib"].startswith(prefix)
    assert all(entry.startswith(prefix) for entry in found["path"])
    assert "purelib==3.1" in found["packages"] and "beside==1.0" in found["packages"]
    assert not {"pytest", "aml-jupyter"} & {entry.partition("==")[0] for entry in found["packages"]}
    for line in apart(hidden, ["/usr/bin/ldd", os.path.realpath(python)]).splitlines():
        assert "not found" not in line
        assert "libpython" not in line or prefix in line
    assert apart(hidden, [python, "-c", "import ssl, sqlite3, ctypes, zlib; print('whole')"]) == "whole\n"


def test_a_virtual_environment_has_what_was_asked_for_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    make_wheel(tmp_path / "wheels", "tiny", "1.0")
    pip = {"pip": ["--no-index", f"--find-links {tmp_path / 'wheels'}", "tiny"]}
    built = made({"dependencies": [pip]}, tmp_path)
    python, prefix = str(built.facts["python"]), str(built.prefix)
    # its standard library is that of the Python it is made of; the submitter's own environment is not
    hidden = [folder for folder in [sys.prefix, str(tmp_path / "wheels")] if folder != sys.base_prefix]
    found = json.loads(apart(hidden, [python, "-c", LOOK]))
    assert found["prefix"] == prefix and found["packages"] == ["tiny==1.0"]
    assert not [entry for entry in found["path"] if "site-packages" in entry and not entry.startswith(prefix)]
