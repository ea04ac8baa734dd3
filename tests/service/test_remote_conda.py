"""Conda packages on another machine: solved and linked here, sent there, run there; no conda and no network over there."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from pathlib import Path

import psutil
import pytest
from conda_channel import MINOR, PYTHON, SUBDIR, conda_channel, write_package
from far_machine import Far
from rattler.index import index_fs
from support import log_of, until
from wheels import make_wheel

from aml_jupyter.cli.main import main
from aml_jupyter.config import CondaDependencies, ScriptRunConfig
from aml_jupyter.environments import EnvironmentCache, choose_there
from aml_jupyter.errors import ConfigurationError
from aml_jupyter.service import SubmitRequest, cancel_run, submit
from aml_jupyter.service.remote import clean_target
from aml_jupyter.workspace import RunRecord

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the channel is built from a Linux Python"),
]

SAYS = """
import json, os, subprocess, sys
said = {"prefix": sys.prefix, "version": sys.version.split()[0], "lib": open(sys.prefix + "/share/tinylib").read()}
said["pinned"] = subprocess.run(["pinned"], stdout=subprocess.PIPE, check=True).stdout.decode()
said.update({name: os.environ.get(name) for name in ("ACTIVATED_HOME", "CONDA_PREFIX", "MINE")})
try:
    import beside
    said["beside"] = beside.__version__
except ImportError:
    pass
print(json.dumps(said))
"""


@pytest.fixture(scope="session")
def channel() -> Path:
    return conda_channel()


def asks(far: Far, channel: Path, *packages: object, **fields: object) -> ScriptRunConfig:
    """Return what runs `SAYS` with packages of the channel."""
    config = far.config(SAYS)
    content = {"channels": [channel.as_uri()], "dependencies": list(packages), **fields}
    config.run_config.environment.python.conda_dependencies = CondaDependencies.from_dict(content)
    return config


def run(far: Far, config: ScriptRunConfig) -> RunRecord:
    return far.end(submit(far.folder, SubmitRequest(config, "far")).run)


def test_packages_are_linked_here_for_their_place_there(far: Far, channel: Path, tmp_path: Path) -> None:
    wanted = ("pinned", "activated", f"python={MINOR}")
    first = run(far, asks(far, channel, *wanted, variables={"MINE": "7"}))
    assert first.status == "Completed", log_of(far.folder, first.id)
    (built,) = (far.base / "environments").iterdir()
    prefix = str(built / "env")
    assert json.loads(log_of(far.folder, first.id)) == {
        "prefix": prefix,
        "version": PYTHON,
        "lib": "tinylib 1.0\n",
        "pinned": "tinylib 1.0\n",  # its path in the script is that of over there
        "ACTIVATED_HOME": f"{prefix}/share",
        "CONDA_PREFIX": prefix,
        "MINE": "7",
    }
    log = (far.folder.layout.run(first.id).attempt(1).control / "build_log.txt").read_text()
    assert "solving" in log and "tinylib 1.0" in log and "sending to" in log

    begun = (built / "READY.json").stat().st_ino
    again = run(far, asks(far, channel, *wanted, variables={"MINE": "7"}))
    assert again.status == "Completed" and (built / "READY.json").stat().st_ino == begun

    # Another environment with packages of the same kind: only what that machine lacks of their files is sent.
    blobs = {path.name for path in (far.base / "content/blobs").glob("*/*")}
    make_wheel(tmp_path / "wheels", "beside", "1.5", ["purelib>=3"])
    pip = {"pip": ["--no-index", f"--find-links {tmp_path / 'wheels'}", "beside"]}
    other = run(far, asks(far, channel, *wanted, "purelib", pip))
    assert other.status == "Completed", log_of(far.folder, other.id)
    assert json.loads(log_of(far.folder, other.id))["beside"] == "1.5"
    more = {path.name for path in (far.base / "content/blobs").glob("*/*")}
    standard = next(path for path in (built / "env/lib").glob("python*/os.py"))
    assert blobs < more and standard.exists()
    assert clean_target(far.folder, "box", 0)["environments"][0] == 2
    back = run(far, asks(far, channel, *wanted, variables={"MINE": "7"}))
    assert back.status == "Completed" and json.loads(log_of(far.folder, back.id))["prefix"] == prefix


def test_a_line_prepares_them(
    far: Far, channel: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AML_WORKSPACE", str(far.folder.root))
    (far.project / "train.py").write_text(SAYS)
    (far.project / "packages.yml").write_text(
        f"channels: [{channel.as_uri()}]\ndependencies: [pinned, python={MINOR}]\n"
    )
    (far.project / "remotevm.runconfig").write_text(
        "script: train.py\ntarget: box\nenvironment:\n  python:\n    condaDependenciesFile: packages.yml\n"
    )
    line = ["experiment", "prepare", "-c", "remotevm", "-p", str(far.project)]
    assert main(line) == 0
    said = capsys.readouterr().out
    assert "tinylib 1.0" in said and "ready: " in said
    (built,) = (far.base / "environments").iterdir()
    begun = (built / "READY.json").stat().st_ino
    assert main(line) == 0
    assert "solving" not in capsys.readouterr().out
    assert main(["experiment", "submit", "-c", "remotevm", "-p", str(far.project), "--wait"]) == 0
    assert (built / "READY.json").stat().st_ino == begun
    (far.project / "packages.yml").write_text(f"channels: [{channel.as_uri()}]\ndependencies: [pinned, tinylib=2.0]\n")
    assert main(line) != 0
    assert "tinylib" in capsys.readouterr().err


def test_a_build_that_is_killed_over_there_is_begun_again(far: Far, channel: Path, tmp_path: Path) -> None:
    for name in ("noarch", SUBDIR):
        (tmp_path / "own" / name).mkdir(parents=True)
    gate, begun = tmp_path / "gate", tmp_path / "begun"
    script = f"echo $$ >> {begun}\nwhile [ ! -e {gate} ]; do sleep 0.05; done\nexport HELD=yes\n"
    write_package(tmp_path / "own", "held", "1.0", {"etc/conda/activate.d/held.sh": script}, ["pinned"])
    asyncio.run(index_fs(tmp_path / "own"))
    config = asks(far, channel, "held", f"python={MINOR}")
    config.run_config.environment.python.conda_dependencies.add_channel((tmp_path / "own").as_uri())
    started = submit(far.folder, SubmitRequest(config, "far")).run
    until(
        lambda: begun.exists() and begun.read_text().strip(), 90, message="the build there is in the activation script"
    )
    shell = psutil.Process(int(begun.read_text().split()[0]))
    builder = shell.parent()
    assert builder is not None and "far-build" in builder.cmdline()
    builder.send_signal(signal.SIGKILL)
    shell.send_signal(signal.SIGKILL)
    until(lambda: len(begun.read_text().split()) > 1, 90, message="the build is begun again")
    gate.touch()
    done = far.end(started)
    assert done.status == "Completed" and done.attempt == 1, (done.reason, log_of(far.folder, started.id))
    assert json.loads(log_of(far.folder, started.id))["lib"] == "tinylib 1.0\n"


def test_a_run_is_canceled_while_its_packages_are_made(far: Far, channel: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # a channel that never answers
        config = asks(far, channel, "pinned")
        dependencies = config.run_config.environment.python.conda_dependencies
        dependencies.add_channel(f"http://127.0.0.1:{silent.getsockname()[1]}/channel")
        started = submit(far.folder, SubmitRequest(config, "far")).run
        log = far.folder.layout.run(started.id).attempt(1).control / "build_log.txt"
        until(lambda: log.exists() and "solving" in log.read_text(), 90, message="the solver works")
        (entry,) = EnvironmentCache().entries()
        assert entry.is_building()
        cancel_run(far.folder, started.id)
        assert far.end(started).status == "Canceled"
        until(lambda: not entry.is_building(), 90, message="nobody waits for the solver")


def test_what_cannot_be_had_says_so_before_or_after_the_submit(far: Far, channel: Path) -> None:
    failed = run(far, asks(far, channel, "no-such-package"))
    assert failed.status == "Failed" and "no-such-package" in failed.reason, failed.reason
    environment = asks(far, channel, "pinned").run_config.environment
    there = {"python": "/usr/bin/python3", "version": "3.11.2", "system": "Darwin", "machine": "arm64"}
    with pytest.raises(ConfigurationError, match="mac is osx-arm64"):
        choose_there(environment, there, "mac")


@pytest.mark.parametrize(("machine", "platform"), [("x86_64", "linux-64"), ("aarch64", "linux-aarch64")])
def test_the_machine_over_there_counts(far: Far, channel: Path, machine: str, platform: str) -> None:
    environment = asks(far, channel, "needcuda").run_config.environment
    there = {
        "python": "/usr/bin/python3",
        "version": "3.11.2",
        "system": "Linux",
        "machine": machine,
        "release": "5.15.0-91-generic",
        "libc": "glibc 2.28",
        "cuda": "12.4",
    }
    recipe = choose_there(environment, there, "box")
    assert recipe is not None and recipe.kind == "conda" and recipe.asked["platform"] == platform
    assert recipe.asked["virtual"] == {"unix": "0", "linux": "5.15", "glibc": "2.28", "cuda": "12.4"}
