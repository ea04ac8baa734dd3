"""`aml compute attach`, `test`, `update`, `detach` with a real SSH server; no secret is left anywhere but where secrets are."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.conftest import Aml
from ssh_server import SshServer
from support import files_below, until

from aml_jupyter.cli.attach import _forget
from aml_jupyter.workspace import WorkspaceFolder, get_secret

pytestmark = pytest.mark.timeout(120)


def line(server: SshServer, base: Path, *more: str) -> list[str]:
    way = ["--address", f"127.0.0.1:{server.port}", "--username", "root", "--ssh-key", str(server.key)]
    return ["compute", "attach", "box", "--type", "remote", *way, "--base-folder", str(base), *more]


def test_a_machine_is_attached_looked_at_changed_and_forgotten(
    aml: Aml, project: Path, folder: WorkspaceFolder, ssh_server: Callable[..., SshServer], tmp_path: Path
) -> None:
    server = ssh_server()
    unknown = aml(*line(server, tmp_path / "far"))
    assert unknown.code == 2 and "is not known" in unknown.err and server.fingerprint in unknown.err
    assert aml("compute", "list", "--json").json[0]["name"] == "local"
    done = aml(*line(server, tmp_path / "far", "--fingerprint", server.fingerprint))
    assert done.code == 0 and "wrote" not in done.err, done.err
    for what in (
        "reached",
        "host key",
        "system       Linux",
        "Python",
        "base folder",
        "cores",
        "memory",
        "clock        as here",
    ):
        assert what in done.out
    again = aml(*line(server, tmp_path / "far"))
    assert again.code == 0 and "attached like this already" in again.out
    with_scheme = [
        f"https://{word}/" if word.endswith(f":{server.port}") else word for word in line(server, tmp_path / "far")
    ]
    assert "attached like this already" in aml(*with_scheme).out
    other = aml(*line(server, tmp_path / "elsewhere"))
    assert other.code == 2 and "base_folder" in other.err and "aml compute update box" in other.err
    more = aml(*line(server, tmp_path / "far", "--max-parallel", "4"))
    assert more.code == 2 and "max_parallel: not set there, 4 now" in more.err
    created = aml("compute", "create", "other", "--type", "remote")
    assert created.code == 2 and "aml compute attach other --type remote --address HOST" in created.err
    assert "'fingerprint'" not in other.err
    tested = aml("compute", "test", "box", "--json").json
    assert tested["problems"] == [] and ["host key", server.fingerprint] in tested["checks"]
    shown = aml("compute", "show", "box")
    assert f"address=127.0.0.1:{server.port}" in shown.out and "cores" in shown.out
    lines = aml("compute", "show", "box", "--ssh").out.splitlines()
    assert [line.split()[0] for line in lines] == ["ssh", "scp"] and all(str(server.port) in line for line in lines)
    said = subprocess.run(
        [*shlex.split(lines[0])[:1], "-o", "StrictHostKeyChecking=no", *shlex.split(lines[0])[1:], "echo there"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "there\n"
    assert aml("folder", "attach").code == 0
    assert f'address: "127.0.0.1:{server.port}"' in (project / ".azureml/box.compute").read_text()
    words = line(server, tmp_path / "far", "--fingerprint", server.fingerprint)
    twin = aml(*["twin" if word == "box" else word for word in words])
    assert twin.code == 0 and twin.err.splitlines() == ["wrote .azureml/twin.compute", "wrote .azureml/twin.runconfig"]
    assert f'address: "127.0.0.1:{server.port}"' in (project / ".azureml/twin.compute").read_text()
    assert aml("runconfiguration", "show", "twin", "--json").json["target"] == "twin"
    assert aml("compute", "detach", "twin").code == 0
    run = aml("experiment", "submit", "-c", "box", "train.py")
    assert run.code == 0, run.err + run.out
    run = aml("submit", "--wait", "-t", "box", "train.py")
    assert run.code == 0, run.err + run.out
    server.stop()
    server.new_host_key()
    server.start()
    changed = aml("compute", "test", "box")
    assert changed.code == 2 and "HAS CHANGED" in changed.err
    assert aml("compute", "update", "box", "--fingerprint", server.fingerprint, "--max-parallel", "1").code == 0
    assert aml("compute", "show", "box", "--json").json["settings"]["max_parallel"] == 1
    gone = aml("compute", "detach", "box")
    assert gone.code == 0 and "box  Deleted" in gone.out and "stays as it is" in gone.err
    assert "canceled" not in gone.err


def test_detaching_says_that_runs_are_canceled(
    aml: Aml, project: Path, ssh_server: Callable[..., SshServer], tmp_path: Path
) -> None:
    server = ssh_server()
    words = line(server, tmp_path / "far", "--fingerprint", server.fingerprint, "--max-parallel", "1")
    assert aml(*words).code == 0
    for _ in range(2):
        assert aml("submit", "-t", "box", "--command", "sleep 600").code == 0
    gone = aml("compute", "detach", "box")
    assert gone.code == 0 and "2 runs of it are canceled: aml run list --target box" in gone.err, gone.err
    for run in aml("run", "list", "--target", "box", "--json").json:
        assert "Canceled, compute target box was detached" in aml("run", "wait", run["id"]).err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--type", "remote"], "address of the machine is missing"),
        (["--address", "no such host"], "no address of a host"),
        (["--address", "box", "--ssh-key", "/nowhere"], "key file /nowhere is not there"),
        (["--type", "databricks"], "cannot be attached in this version"),
        (["--type", "local"], "cannot be attached"),
        ([], "--type is missing"),
        (["--address", "127.0.0.1:1", "--max-parallel", "none"], "max_parallel is 'none'"),
    ],
)
def test_what_is_wrong_with_a_line_is_said_before_anything_is_tried(
    aml: Aml, project: Path, folder: WorkspaceFolder, words: list[str], said: str
) -> None:
    done = aml("compute", "attach", "box", *words)
    assert done.code == 2 and said in done.err, done.err
    assert len(aml("compute", "list", "--json").json) == 1


def test_a_password_is_kept_where_secrets_are_and_nowhere_else(
    aml: Aml,
    project: Path,
    folder: WorkspaceFolder,
    ssh_server: Callable[..., SshServer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = ssh_server()
    locked = tmp_path / "locked"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "open-sesame", "-f", str(locked)], check=True)
    with open(server.folder / "authorized_keys", "a") as stream:
        stream.write(Path(f"{locked}.pub").read_text())
    words = line(server, tmp_path / "far", "--fingerprint", server.fingerprint)
    words[words.index(str(server.key))] = str(locked)
    assert "has a passphrase" in aml(*words).err
    done = aml(*words, "--password", "open-sesame")
    assert done.code == 0, done.err
    assert "--password-stdin" in done.err and "open-sesame" not in done.err + done.out
    assert get_secret(folder, "target/box/passphrase") == "open-sesame"
    assert aml("submit", "--wait", "-t", "box", "train.py").code == 0
    files = files_below(folder.root, tmp_path / "far")
    holders = [path for path, content in files.items() if b"open-sesame" in content]
    assert {path.parent for path in holders} == {folder.layout.secrets}
    assert {path.stat().st_mode & 0o777 for path in holders} == {0o600}
    assert aml("compute", "detach", "box").code == 0
    until(lambda: get_secret(folder, "target/box/passphrase") is None, message="the end of the secret")


def test_a_password_is_taken_out_of_the_process_list() -> None:
    text = (
        "import sys, time; from aml_jupyter.cli.attach import _forget; _forget(sys.argv[2]);"
        "print(open('/proc/self/cmdline').read().replace(chr(0), ' '), sys.argv[2], flush=True)"
    )
    said = subprocess.run(
        [sys.executable, "-c", text, "--password", "open-sesame"], capture_output=True, text=True, check=True
    ).stdout
    assert said.count("open-sesame") == 1 and "--password ***********" in said
    _forget("")  # nothing to hide is nothing to do


def test_a_folder_for_sockets_that_is_too_long_is_said_by_the_look_and_by_the_run_that_waits(
    aml: Aml, project: Path, folder: WorkspaceFolder, ssh_server: Callable[..., SshServer], tmp_path: Path
) -> None:
    server = ssh_server()
    server.stop()
    server.variables["AML_RUNTIME"] = f"/tmp/{'r' * 80}"
    server.start()
    looked = aml(*line(server, tmp_path / "far", "--fingerprint", server.fingerprint))
    assert "problem      the folder for sockets cannot be used: AML_RUNTIME has 85 characters" in looked.out, looked.err
    assert aml("submit", "-t", "box", "train.py").code == 0

    def said() -> str:
        return " ".join(aml("run", "show", "last").out.split())  # however wide the terminal is

    until(lambda: "AML_RUNTIME has 85 characters; sockets need" in said(), 60, said)
    assert "Queued" in aml("run", "show", "last").out
    assert aml("run", "cancel", "last").code == 0
