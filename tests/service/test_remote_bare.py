"""A machine without Python: one is brought, and its runs are like all others; or what is missing is said."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conda_channel import PYTHON, conda_channel
from far_machine import Far
from ssh_server import SshServer, attach_server
from support import log_of

from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.service.remote import attach_target, look_again
from aml_jupyter.workspace import WorkspaceFolder, list_artifacts, list_targets

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the channel is built from a Linux Python"),
]
HIDE = """
for place in /bin /usr/bin /usr/local/bin /opt/conda/bin /anaconda/bin; do
    for program in "$place"/python*; do [ -x "$program" ] && mount --bind /dev/null "$program"; done
done
exec "$@"
"""


SCRIPT = """
import os, sys
from azureml.core import Run
Run.get_context().log("answer", 42)
print(sys.executable, sys.version.split()[0])
os.makedirs("outputs", exist_ok=True)
open("outputs/made", "w").write("there")
"""


@pytest.fixture
def bare(folder: WorkspaceFolder, ssh_server: Callable[..., SshServer], tmp_path: Path) -> Far:
    """Return a machine where no Python is found, and a channel that has one here."""
    server = ssh_server()
    if subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no mount namespace can be had here")
    server.stop()
    server.variables["PATH"] = "/usr/bin:/bin"
    server.within = ["unshare", "--mount", "sh", "-c", HIDE, "sh"]
    server.start()
    Path.home().joinpath(".condarc").write_text(f"channels: [{conda_channel().as_uri()}]\n")
    project = tmp_path / "project"
    project.mkdir()
    return Far(folder, server, project, tmp_path / "far")


def test_one_is_brought_and_serves_all_runs(bare: Far) -> None:
    attach_server(bare.folder, bare.server, "box", bare.base, max_parallel=2)
    (place,) = (bare.base / "python").iterdir()
    assert [path.name for path in place.iterdir()] == ["env"]
    run = bare.submit(SCRIPT)
    done = bare.end(run)
    assert done.status == "Completed", (done.reason, log_of(bare.folder, run.id))
    assert log_of(bare.folder, run.id).split() == [f"{place}/env/bin/python", PYTHON]
    assert "outputs/made" in [file.name for file in list_artifacts(bare.folder.store.read(), run.id)]
    before = (place / "env").stat().st_ino
    attach_server(bare.folder, bare.server, "twin", bare.base)  # it is there already
    assert (place / "env").stat().st_ino == before
    assert ("Python", f"{place}/env/bin/python ({PYTHON})") in look_again(bare.folder, "box").rows


def test_what_is_missing_is_said(bare: Far) -> None:
    way = {
        "address": bare.server.address,
        "ssh_key": str(bare.server.key),
        "fingerprint": bare.server.fingerprint,
        "base_folder": str(bare.base),
    }
    Path.home().joinpath(".condarc").write_text("channels: ['http://127.0.0.1:1/nowhere']\n")
    with pytest.raises(
        ComputeTargetException,
        match=r"has no Python of version 3.8 or later.*None could be brought.*channel.*name other channels",
    ):
        attach_target(bare.folder, "box", "remote", way)
    with pytest.raises(
        ComputeTargetException, match="no Python at '/nowhere/python3'"
    ):  # one that was named is not replaced
        attach_target(bare.folder, "box", "remote", {**way, "python": "/nowhere/python3"})
    assert not (bare.base / "python").exists() and [each.name for each in list_targets(bare.folder.store.read())] == [
        "local"
    ]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("internal-sftp", "sftp connections only"),
        ("echo this account is closed; exit 1", "it said: this account is closed"),
        ("exit 0", "exit code 0"),
    ],
)
def test_an_account_that_runs_no_commands_is_said(
    folder: WorkspaceFolder, ssh_server: Callable[..., SshServer], tmp_path: Path, command: str, said: str
) -> None:
    with pytest.raises(ComputeTargetException, match="runs no command") as refused:
        attach_server(folder, ssh_server(f"ForceCommand {command}"), "box", tmp_path / "far")
    assert said in refused.value.message and "Python" not in refused.value.message


def test_a_login_script_that_prints_is_passed_over(
    folder: WorkspaceFolder, ssh_server: Callable[..., SshServer], tmp_path: Path
) -> None:
    noise = 'echo welcome; echo quota exceeded >&2; eval "$SSH_ORIGINAL_COMMAND"'
    server = ssh_server(f"ForceCommand {noise}")
    attach_server(folder, server, "box", tmp_path / "far")
    (tmp_path / "project").mkdir()
    far = Far(folder, server, tmp_path / "project", tmp_path / "far")
    run = far.submit("print('there')")
    assert far.end(run).status == "Completed" and log_of(folder, run.id) == "there\n"
