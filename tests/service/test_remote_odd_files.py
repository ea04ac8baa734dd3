"""Scripts on another machine that leave files of odd names, links, pipes, and folders where files were: what was made comes."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from far_machine import Far
from ssh_server import SshServer, attach_server
from support import sized_disk, until

from aml_jupyter.service import ending
from aml_jupyter.service.reconciler import Reconciler
from aml_jupyter.workspace import RunRecord, WorkspaceFolder, get_run, list_artifacts

pytestmark = pytest.mark.timeout(300)

NOBODY = 65534

ODD = """
import json, os, shutil, socket, time

def write(name, data=b"x"):
    with open(name, "wb") as stream:
        stream.write(data)

def wait(step):
    while not os.path.exists(os.path.join({place!r}, step)):
        time.sleep(0.01)

os.makedirs("outputs/was-folder/deep")
for name in ("あ" * 85, "\\U0001f600" * 63, "a" * 255, "new\\nline", "back\\\\slash", "-rf", " blank ", "...", "$(x)`y`'\\""):
    write("outputs/" + name)
write(b"outputs/\\xff\\xfe.bin")
os.symlink("/etc/shadow", "outputs/shadow")
os.symlink("/dev/zero", "outputs/zero")
os.symlink("loop", "outputs/loop")
os.mkfifo("outputs/pipe")
os.symlink("pipe", "outputs/to-pipe")
end = socket.socket(socket.AF_UNIX)
end.bind("outputs/socket")
write("outputs/no-mode")
os.chmod("outputs/no-mode", 0)
os.utime("outputs/-rf", ns=(1, 1))
write("outputs/hard", b"hard")
os.link("outputs/hard", "outputs/linked")
write("outputs/was-file", b"a file")
write("outputs/was-folder/deep/inner", b"inner")
wait("first")
os.remove("outputs/was-file")
os.makedirs("outputs/was-file/deep")
write("outputs/was-file/deep/inner", b"in a folder now")
shutil.rmtree("outputs/was-folder")
write("outputs/was-folder", b"a file now")
if {steps} == 2:
    wait("second")
names = [os.path.join(where, name)[8:] for where, _, names in os.walk("outputs") for name in names]
plain = {{"shadow", "zero", "loop", "pipe", "to-pipe", "socket"}}.symmetric_difference(names)
truth = {{name: open("outputs/" + name, "rb").read().decode() for name in plain}}
with open(os.path.join({place!r}, "truth.json"), "w") as stream:
    json.dump(truth, stream)
"""


@pytest.mark.parametrize("steps", [1, 2], ids=["at the end", "while it runs"])
def test_what_a_script_made_comes_whatever_its_name_and_whatever_was_in_its_place(
    far: Far, tmp_path: Path, steps: int
) -> None:
    run = far.submit(ODD.format(place=str(tmp_path), steps=steps))

    def listed() -> set[str]:
        return {record.name for record in list_artifacts(far.folder.store.read(), run.id)}

    first = {f"outputs/{name}" for name in ("あ" * 85, "a" * 255, "was-file", "was-folder/deep/inner", "linked")}
    until(lambda: first <= listed(), 60, lambda: f"{first - listed()} in the list")
    (tmp_path / "first").touch()
    if steps == 2:
        until(
            lambda: {"outputs/was-file/deep/inner", "outputs/was-folder"} <= listed(),
            60,
            "the changed ones in the list",
        )
        assert far.status(run) == "Running"
        (tmp_path / "second").touch()
    assert far.end(run).status == "Completed"
    outputs = far.folder.layout.run(run.id).attempt(1).work / "outputs"
    here = {
        os.path.relpath(Path(where, name), outputs): Path(where, name).read_text()
        for where, _, names in os.walk(outputs)
        for name in names
    }
    assert here == json.loads((tmp_path / "truth.json").read_text())


CLOSED = """
import os, time
os.makedirs("outputs/closed/deep")
open("outputs/closed/deep/in.txt", "w").write("inside")
open("outputs/secret.txt", "w").write("mode 0")
os.chmod("outputs/secret.txt", 0)
open("outputs/plain.txt", "w").write("plain")
while {early} and not os.path.exists({go!r}):
    time.sleep(0.01)
os.chmod("outputs/closed/deep", 0)
os.chmod("outputs/closed", 0)
"""


@pytest.mark.parametrize("early", [False, True], ids=["at the end", "while it runs"])
def test_what_a_script_took_its_own_right_to_read_comes(
    folder: WorkspaceFolder, ssh_server: Callable[..., SshServer], tmp_path: Path, early: bool
) -> None:
    place = Path(tempfile.mkdtemp(prefix="aml-nobody-", dir="/tmp"))  # pytest's own folder is root's alone
    try:
        for name in ("home", "runtime"):
            (place / name).mkdir(mode=0o700)
            os.chown(place / name, NOBODY, NOBODY)
        place.chmod(0o755)
        as_nobody = f"setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups"
        server = ssh_server(
            f'ForceCommand {as_nobody} sh -c "$SSH_ORIGINAL_COMMAND"',
            HOME=str(place / "home"),
            AML_RUNTIME=str(place / "runtime"),
        )
        attach_server(folder, server, "box", place / "home/far", python="/usr/bin/python3")
        (tmp_path / "project").mkdir()
        far = Far(folder, server, tmp_path / "project", place / "home/far")
        run = far.submit(CLOSED.format(early=early, go=str(place / "go")))

        def listed() -> set[str]:
            return {record.name for record in list_artifacts(folder.store.read(), run.id)}

        if early:
            until(lambda: "outputs/closed/deep/in.txt" in listed(), 60, "the file in the list")
            (place / "go").touch()
        assert far.end(run).status == "Completed"
        assert {"outputs/closed/deep/in.txt", "outputs/secret.txt", "outputs/plain.txt"} <= listed()
        work = folder.layout.run(run.id).attempt(1).work
        assert (work / "outputs/closed/deep/in.txt").read_text() == "inside"
        assert (work / "outputs/secret.txt").read_text() == "mode 0"
        until(lambda: not far.far_log(run).parents[2].exists(), 30, "its folder over there to be removed")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def test_a_file_that_cannot_be_kept_here_holds_up_no_other_and_its_run_ends_with_what_is_missing(
    far: Far, loop: Reconciler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "AGAIN_AFTER", 0.01)
    wait = f"import os, time\nwhile not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)\n"
    made = "".join(f"open('outputs/{name}', 'w').write('{name}')\n" for name in ("after", "stuck", "zz"))
    run = far.submit(wait + made)

    def now() -> RunRecord:
        loop.tick()
        return get_run(far.folder.store.read(), run.id)

    until(lambda: now().status == "Running", 60, "the run's start")
    outputs = far.folder.layout.run(run.id).attempt(1).work / "outputs"
    outputs.mkdir(parents=True, exist_ok=True)
    with sized_disk(outputs / "stuck", "1m"):  # a folder that cannot be removed
        (tmp_path / "go").touch()
        reasons = set[str]()
        until(
            lambda: reasons.add(now().reason) or now().status in ("Completed", "Failed"),
            90,
            lambda: f"the end: {reasons}",
        )
    done = now()
    assert done.status == "Completed" and done.reason.startswith(
        "not all of its files could be kept here (Device or"
    ), done.reason
    assert "outputs/stuck); they stay on box" in done.reason
    assert any(reason.startswith("waits to be ended: Device or") for reason in reasons), reasons
    assert (outputs / "after").read_text() == "after" and (outputs / "zz").read_text() == "zz"
    there = far.far_log(run).parents[2] / "work/outputs/stuck"
    assert there.read_text() == "stuck"
