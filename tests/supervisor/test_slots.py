"""Slots are held by whoever has the descriptors, and free when the last one is gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from supervisor.attempts import Attempt, wait_for

from aml_jupyter.supervisor.slots import HeldSlots, SlotFolder


@pytest.fixture
def slots(tmp_path: Path) -> SlotFolder:
    return SlotFolder(tmp_path / "slots")


def test_no_more_than_the_limit(slots: SlotFolder) -> None:
    first = slots.acquire(cores=1, core_limit=2, holder={"token": "a"})
    second = slots.acquire(cores=1, core_limit=2, holder={"token": "b"})
    assert first is not None and second is not None
    assert (first.names, second.names) == (["core-0"], ["core-1"])
    assert slots.acquire(cores=1, core_limit=2) is None
    assert {name: entry["token"] for name, entry in slots.usage(2).items()} == {"core-0": "a", "core-1": "b"}
    first.close()
    assert list(slots.usage(2)) == ["core-1"]
    third = slots.acquire(cores=1, core_limit=2)
    assert third is not None
    for held in (second, third):
        held.close()


def test_all_or_nothing(slots: SlotFolder) -> None:
    one = slots.acquire(cores=1, core_limit=3, gpus=1, devices=["0"])
    assert one is not None and one.names == ["core-0", "gpu-0"]
    assert slots.acquire(cores=2, core_limit=3, gpus=1, devices=["0"]) is None
    assert slots.acquire(cores=3, core_limit=3) is None
    assert list(slots.usage(3, ["0"])) == ["core-0", "gpu-0"]
    one.close()
    assert slots.usage(3, ["0"]) == {}


def test_a_gpu_is_shared_only_by_those_who_agree(slots: SlotFolder) -> None:
    def take(runs_per_gpu: int, *devices: str) -> HeldSlots | None:
        return slots.acquire(core_limit=9, gpus=1, devices=devices, runs_per_gpu=runs_per_gpu)

    alone = take(1, "0")
    assert alone is not None and alone.devices == ["0"]
    assert take(2, "0") is None
    alone.close()
    first, second = take(2, "0"), take(2, "0")
    assert first is not None and second is not None
    assert first.devices == second.devices == ["0"]
    assert take(2, "0") is None and take(1, "0") is None
    assert [name for name in slots.usage(0, ["0"]) if name.startswith("gpu")] == ["gpu-0.0", "gpu-0.1"]
    first.close()
    assert take(1, "0") is None
    third = take(2, "0", "1")
    assert third is not None and third.devices == ["1"]  # the one with fewer users
    for held in (second, third):
        held.close()
    assert slots.usage(9, ["0", "1"]) == {}


def test_memory_is_the_sum_over_those_who_run(slots: SlotFolder) -> None:
    first = slots.acquire(cores=2, core_limit=8, memory=600, memory_limit=1000)
    assert first is not None
    assert slots.acquire(cores=1, core_limit=8, memory=500, memory_limit=1000) is None
    second = slots.acquire(cores=1, core_limit=8, memory=400, memory_limit=1000)
    assert second is not None
    first.close()
    third = slots.acquire(cores=1, core_limit=8, memory=500, memory_limit=1000)
    assert third is not None
    second.close()
    third.close()


def test_a_folder_that_nobody_used_is_free(slots: SlotFolder) -> None:
    assert slots.usage(4) == {}


def test_many_at_once_never_have_more_than_the_limit(slots: SlotFolder) -> None:
    lock, most, now, done = threading.Lock(), 0, 0, 0

    def work() -> None:
        nonlocal most, now, done
        for _ in range(20):
            held = slots.acquire(cores=2, core_limit=5)
            if held is not None:
                with lock:
                    now, done = now + 2, done + 1
                    most = max(most, now)
                with lock:
                    now -= 2
                held.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done > 0
    assert most <= 5
    assert slots.usage(5) == {}


def test_a_holder_that_is_killed_frees_its_slots(slots: SlotFolder) -> None:
    script = (
        "import sys, time; from aml_jupyter.supervisor.slots import SlotFolder\n"
        f"held = SlotFolder({slots.path!r}).acquire(core_limit=1); print(held.names, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"['core-0']\n"
        assert slots.acquire(core_limit=1) is None
        process.send_signal(signal.SIGSTOP)
        assert list(slots.usage(1)) == ["core-0"]
        process.kill()
        process.wait()
    held = slots.acquire(core_limit=1)
    assert held is not None
    held.close()


def test_the_supervisor_holds_the_slot_and_the_users_process_does_not(slots: SlotFolder, attempt: Attempt) -> None:
    held = slots.acquire(cores=1, core_limit=1, holder={"token": attempt.token})
    assert held is not None
    attempt.python("import time\nprint(sorted(os.listdir('/proc/self/fd')), flush=True)\ntime.sleep(600)")
    supervisor = attempt.start(held.fds)
    held.close()
    wait_for(lambda: attempt.ran() and attempt.log, "the script's start")
    assert attempt.log == "['0', '1', '2', '3']\n"
    assert slots.usage(1)["core-0"]["token"] == attempt.token
    supervisor.kill()
    supervisor.wait(30)
    # The process may live for a moment longer; the slot is the supervisor's.
    wait_for(lambda: slots.usage(1) == {}, "the slot's release")


def test_slots_are_free_before_the_result_is_announced(slots: SlotFolder, attempt: Attempt) -> None:
    held = slots.acquire(cores=1, core_limit=1)
    assert held is not None
    attempt.python("")
    attempt.start(held.fds)
    held.close()
    attempt.result()
    assert slots.usage(1) == {}


def test_a_run_that_waits_for_its_child_lends_it_the_slot(
    slots: SlotFolder, make_attempt: Callable[[], Attempt]
) -> None:
    attempt = make_attempt()
    attempt.python(
        "import time\n"
        "folder = os.path.join(os.environ['AML_CONTROL'], 'waiting')\n"
        "os.makedirs(folder, exist_ok=True)\n"
        "mine = os.path.join(folder, str(os.getpid()))\n"
        "open(mine, 'w').close()\n"
        "while not os.path.exists('child-done'):\n    time.sleep(0.01)\n"
        "os.unlink(mine)\n"
        "while not os.path.exists(mine + '.go'):\n    time.sleep(0.01)\n"
        "print('goes on', flush=True)\n"
        "while not os.path.exists('end'):\n    time.sleep(0.01)\n"
    )
    held = slots.acquire(cores=1, core_limit=1, holder={"token": "parent"})
    assert held is not None
    attempt.start(held.fds)
    held.close()

    def borrow() -> HeldSlots | None:
        return slots.acquire(cores=1, core_limit=1, holder={"token": "child"})

    child: HeldSlots = wait_for(borrow, "the slot that the waiting run gives up")
    (attempt.work / "child-done").touch()
    wait_for(lambda: not list((attempt.control / "waiting").glob("[0-9]*[0-9]")), "the run's return")
    assert attempt.log == ""
    child.close()
    wait_for(lambda: attempt.log == "goes on\n", "the run's slot")
    assert slots.usage(1)["core-0"]["token"] == "parent"
    (attempt.work / "end").touch()
    assert attempt.result()["exit_code"] == 0
    assert slots.usage(1) == {}


def test_a_wait_too_short_to_be_noticed_is_answered(slots: SlotFolder, attempt: Attempt) -> None:
    attempt.python(
        "import time\n"
        "folder = os.path.join(os.environ['AML_CONTROL'], 'waiting')\n"
        "os.makedirs(folder)\n"
        "mine = os.path.join(folder, str(os.getpid()))\n"
        "open(mine + '.back', 'w').close()\n"
        "while not os.path.exists(mine + '.go'):\n    time.sleep(0.01)\n"
        "print('goes on', flush=True)\n"
    )
    held = slots.acquire(cores=1, core_limit=1, holder={"token": "parent"})
    assert held is not None
    attempt.start(held.fds)
    held.close()
    assert attempt.result()["exit_code"] == 0
    assert attempt.log == "goes on\n"


def test_a_waiter_that_died_keeps_no_slot_away(slots: SlotFolder, attempt: Attempt) -> None:
    attempt.python(
        "import time\n"
        "folder = os.path.join(os.environ['AML_CONTROL'], 'waiting')\n"
        "os.makedirs(folder)\n"
        "if os.fork() == 0:\n    open(os.path.join(folder, str(os.getpid())), 'w').close(); os._exit(0)\n"
        "os.wait()\n"
        "while not os.path.exists('end'):\n    time.sleep(0.01)\n"
    )
    held = slots.acquire(cores=1, core_limit=1, holder={"token": "parent"})
    assert held is not None
    attempt.start(held.fds)
    held.close()
    attempt.started()
    wait_for(lambda: (attempt.control / "waiting").exists(), "the dead waiter")
    assert slots.usage(1)["core-0"]["token"] == "parent"
    (attempt.work / "end").touch()
    attempt.result()


def test_the_files_say_who_holds_them(slots: SlotFolder) -> None:
    held = slots.acquire(cores=2, core_limit=4, memory=5, memory_limit=9, holder={"token": "w/r/1"})
    assert held is not None
    texts = [json.loads(Path(slots.path, f"{name}.lock").read_text()) for name in held.names]
    assert [(text["token"], text["cores"], text["memory"]) for text in texts] == [("w/r/1", 2, 5)] * 2
    again = HeldSlots.from_descriptors([os.dup(fd) for fd in held.fds])
    assert again.names == held.names
    held.close()
    assert len(slots.usage(4)) == 2
    again.give_up_cores()
    assert slots.usage(4) == {}
    assert again.reacquire()
    assert len(slots.usage(4)) == 2
    again.close()
