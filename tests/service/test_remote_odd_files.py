"""Scripts on another machine that leave files of odd names, links, pipes, and folders where files were: what was made comes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from far_machine import Far
from support import until

from aml_jupyter.workspace import list_artifacts

pytestmark = pytest.mark.timeout(300)

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
