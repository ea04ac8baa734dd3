"""The user's side of the fault tests: scripts that write into a ledger, line by line, who ran in which attempt."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

__all__ = ["make_project"]

NOTE = """
import os

NOTED = {ledger!r}

def note(what=""):
    line = " ".join(filter(None, [os.environ["AML_RUN_ID"], os.environ["AML_ATTEMPT"], what])) + "\\n"
    fd = os.open({ledger!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(fd, line.encode())
    os.close(fd)
"""

SCRIPTS = {
    "short.py": """
from note import note
note()
""",
    "train.py": """
from azureml.core import Run
from note import note
note()
run = Run.get_context()
for step in range(20):
    run.log("loss", 1 / (step + 1), step=step)
run.tag("colour", "blue")
run.upload_file("kept/model.txt", "note.py")
os.makedirs("outputs", exist_ok=True)
with open("outputs/model.txt", "w") as stream:
    stream.write("the model")
""".replace("from azureml", "import os\nfrom azureml"),
    "gated.py": """
import os, sys, time
from note import note
note("begin")
if os.environ["AML_ATTEMPT"] == "1" or "--always" in sys.argv:
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.01)
note("end")
""",
    "span.py": """
import time
from note import note
note("begin")
time.sleep(0.05)
note("end")
""",
    "load.py": """
import os, sys, time
from azureml.core import Run
from note import note
note()
kind, points, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
run = Run.get_context()
for number in range(points):
    run.log("x", number, step=number)
time.sleep(seconds)
if kind == "retried" and os.environ["AML_ATTEMPT"] == "1":
    sys.exit(3)
""",
    "broken_upload.py": """
from azureml.core import Run
from note import note
note()

class Torn:
    def read(self, size=-1):
        raise OSError(5, "the stream broke")

try:
    Run.get_context().upload_file("kept/torn.txt", Torn())
except Exception as error:
    print(type(error).__name__)
""",
    "parent.py": """
from azureml.core import Run
from note import note
note()
child = Run.get_context().submit_child({"script": "short.py"})
assert child.wait_for_completion() == "Completed" or child.get_status() == "Completed"
""",
    "patient_parent.py": """
from azureml.core import Run
from note import note
note()
Run.get_context().submit_child({"script": "slow.py"}).wait_for_completion()
""",
    # Long enough for the slots of whoever waits for it to be noticed as unused.
    "slow.py": """
import time
from note import note
note()
time.sleep(2)
""",
    "sampled.py": """
import sys
from azureml.core import Run
from note import note
note()
Run.get_context().log("loss", float(sys.argv[2]))
""",
    # Its first file has come to the workspace, beside the ledger, before it is removed.
    "changes.py": """
import os, time
from note import NOTED, note
note()
os.makedirs("outputs", exist_ok=True)
for name in ("gone.txt", "stays.txt"):
    open("outputs/" + name, "w").write(name)
place = os.path.join(os.path.dirname(NOTED), "workspace/runs", os.environ["AML_RUN_ID"], "attempts", os.environ["AML_ATTEMPT"])
deadline = time.time() + 60
while not os.path.exists(os.path.join(place, "work/outputs/gone.txt")) and time.time() < deadline:
    time.sleep(0.02)
os.remove("outputs/gone.txt")
open("outputs/late.txt", "w").write("late")
""",
    "borrower.py": """
from azureml.core import Run
from note import note
note()
child = Run.get_context().submit_child({"script": "train.py"})
child.wait_for_completion()
child.download_file("outputs/model.txt", "fetched.txt")
assert open("fetched.txt").read() == "the model"
""",
    "left.py": """
import aml_supervisor.client.requests as requests
from azureml.core import Run
from note import note
note()
requests._remove = lambda path: None
Run.get_context().get_secrets(["token"])
""",
    "long.py": """
import signal, sys, time
from note import note
if "--stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "--child" in sys.argv:
    import subprocess
    sleep = "import time; time.sleep(600)"
    subprocess.Popen([sys.executable, "-c", sleep], start_new_session=True)
note()
time.sleep(600)
""",
}

SCRIPTS["lost.py"] = SCRIPTS["long.py"]
"""The same under a name that recovery does not cancel."""


def make_project(folder: Path, ledger: Path, git: bool = False, link: bool = False) -> None:
    """Fill a source directory.

    Parameters
    ----------
    ledger : Path
        The file that the scripts append to.
    git : bool
        Make it a repository with changes that are not committed.
    link : bool
        Put a symbolic link into it.
    """
    folder.mkdir()
    (folder / "note.py").write_text(NOTE.format(ledger=str(ledger)))
    for name, text in SCRIPTS.items():
        (folder / name).write_text(text)
    cells = ["from note import note; note()", "x = 1"]
    notebook = {
        "cells": [
            {"cell_type": "code", "execution_count": None, "id": f"c{n}", "metadata": {}, "outputs": [], "source": text}
            for n, text in enumerate(cells)
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (folder / "train.ipynb").write_text(json.dumps(notebook))
    if git:
        subprocess.run(["git", "init", "-q", str(folder)], check=True)
    if link:
        (folder / "link.txt").symlink_to("note.py")
