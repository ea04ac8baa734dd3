"""A full disk delays a result and loses none; the kernel's out-of-memory killer is told from other signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from supervisor.attempts import Attempt

from aml_jupyter.supervisor import bundle

FULL_DISK = """
import json, os, subprocess, sys, time
root, archive = sys.argv[1:]
control, work = root + "/control", root + "/work"
os.mkdir(control)
os.mkdir(work)

def fill():
    with open(root + "/filler", "ab", 0) as filler:
        try:
            while True:
                filler.write(b"x" * 512)
        except OSError:
            pass

def wait_for(condition, what):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)

def has(name, text=""):
    return lambda: os.path.exists(control + name) and text in open(control + name).read()

script = "import os, time\\nopen('/dev/shm/' + os.environ['NAME'], 'a').write('ran ')\\n"
script += "while os.path.exists('/dev/shm/' + os.environ['NAME'] + '.hold'):\\n    time.sleep(0.01)\\nprint('x' * 100000)\\n"
name = "aml-test-%d" % os.getpid()
ledger, hold = "/dev/shm/" + name, "/dev/shm/" + name + ".hold"
open(hold, "w").close()
launch = {"format": 1, "epoch": 1, "token": "w/%s/1" % name, "run_id": "r", "attempt": 1,
          "command": [sys.executable, "-c", script], "cwd": work, "max_seconds": None, "grace_seconds": 1, "wake": None,
          "environment": {"PATH": os.environ["PATH"], "NAME": name}}
try:
    with open(control + "/launch.json", "w") as stream:
        json.dump(launch, stream)
    command = [sys.executable, "-I", "-S", archive, "supervise", control]
    fill()
    assert subprocess.call(command) == 1, "nothing can be started on a full disk"
    assert not os.path.exists(ledger) and not os.path.exists(control + "/attempt.json")
    os.unlink(root + "/filler")
    supervisor = subprocess.Popen(command)
    wait_for(lambda: os.path.exists(ledger) and open(ledger).read(), "the script's start")
    fill()
    os.unlink(hold)
    child = json.load(open(control + "/attempt.json"))["process"]["pid"]
    wait_for(lambda: not os.path.exists("/proc/%d" % child), "the script's end")
    assert supervisor.poll() is None and not os.path.exists(control + "/result.json")
    os.unlink(root + "/filler")
    assert supervisor.wait(30) == 0
    print(json.dumps([json.load(open(control + "/result.json")), open(ledger).read(), sorted(os.listdir(control))]))
finally:
    for path in (ledger, hold):
        if os.path.exists(path):
            os.unlink(path)
"""


def test_a_full_disk_delays_the_result(tmp_path: Path, placed: bundle.Bundle) -> None:
    mount = (
        f"mount -t tmpfs -o size=256k tmpfs {tmp_path}/disk && exec {sys.executable} - {tmp_path}/disk {placed.archive}"
    )
    (tmp_path / "disk").mkdir()
    run = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount], input=FULL_DISK, capture_output=True, text=True, timeout=120, check=False
    )
    if "mount:" in run.stderr or "unshare:" in run.stderr:
        pytest.skip(f"no small disk can be mounted here: {run.stderr.strip()}")
    assert run.returncode == 0, run.stderr
    result, ledger, names = json.loads(run.stdout)
    # print() met the full disk: the script failed, as it would have without us, and its end is known.
    assert (result["exit_code"], result["reason"]) in ((1, "exit"), (120, "exit"))
    assert ledger == "ran "
    assert not [name for name in names if name.endswith(".tmp")]


@pytest.fixture
def small_memory() -> Iterator[list[str]]:
    """Return the beginning of a command line that puts a program into a cgroup of 64 MB."""
    name = f"aml-test-{os.getpid()}"
    candidates = (
        (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
        (Path("/sys/fs/cgroup"), "memory.max"),
    )
    for root, limit in candidates:
        group = root / name
        try:
            group.mkdir()
            (group / limit).write_text(str(64 * 2**20))
        except OSError:
            if group.is_dir():
                group.rmdir()
            continue
        yield ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"]
        group.rmdir()
        return
    pytest.skip("no memory cgroup can be made here")


def test_lack_of_memory_is_named(attempt: Attempt, small_memory: list[str]) -> None:
    attempt.python("print('starts', flush=True)\nx = b'x' * (500 * 2**20)\nprint(len(x))")
    assert attempt.start(prefix=small_memory).wait(60) == 0
    result = attempt.result()
    assert (result["exit_code"], result["signal"], result["reason"]) == (None, signal.SIGKILL, "out of memory")
    assert result["peak_memory"] > 30 * 2**20
    assert attempt.log == "starts\n"


def test_lack_of_memory_around_a_run_is_told_from_its_own_limit(attempt: Attempt, small_memory: list[str]) -> None:
    attempt.python("x = b'x' * (500 * 2**20)\nprint(len(x))", memory=900 * 2**20)
    assert attempt.start(prefix=small_memory).wait(60) == 0
    result = attempt.result()
    assert (result["signal"], result["reason"]) == (signal.SIGKILL, "out of memory")
    assert "the machine had no memory left (its limit is 944 MB)" in result["message"]


def test_a_kill_by_somebody_else_is_not_called_lack_of_memory(attempt: Attempt) -> None:
    attempt.python("import signal\nos.kill(os.getpid(), signal.SIGKILL)")
    attempt.start().wait(30)
    assert attempt.result()["reason"] == "signal"


def test_a_worker_that_ran_out_of_memory_is_mentioned(attempt: Attempt, small_memory: list[str]) -> None:
    attempt.python(
        "import subprocess, sys\n"
        "code = subprocess.call([sys.executable, '-c', \"x = b'x' * (500 * 2**20); print(len(x))\"])\n"
        "sys.exit(5 if code else 0)"
    )
    attempt.start(prefix=small_memory).wait(60)
    result = attempt.result()
    assert (result["exit_code"], result["reason"]) == (5, "exit")
    assert "lack of memory" in result["message"]
