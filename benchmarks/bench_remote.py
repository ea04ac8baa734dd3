"""Time what goes over SSH beside rsync, with a real server on loopback: uploads, the first line, and watching many runs."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
from table import Row

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.service import SubmitRequest, cancel_run, service_status, stop_service, submit, wait_for_run
from aml_jupyter.service.remote import attach_target
from aml_jupyter.supervisor.far_place import runtime_folder
from aml_jupyter.targets import Handle, Launch, Needs
from aml_jupyter.targets.far_bulk import link_to, way_for
from aml_jupyter.targets.far_fetch import fetch
from aml_jupyter.targets.far_host import host_of
from aml_jupyter.targets.far_line import Listener
from aml_jupyter.targets.far_upload import Sender
from aml_jupyter.targets.remote import RemoteTarget
from aml_jupyter.transports.ssh import SshConnection
from aml_jupyter.transports.ssh_address import find_address
from aml_jupyter.workspace import WorkspaceFolder, find_runs, get_run, get_target, take_snapshot

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

__all__ = ["rows"]

FILES, SIZE = 2000, 50_000
WATCHED = 100
BIG, TURNS = 500_000_000, 3


def rows(folder: WorkspaceFolder, tmp: Path) -> list[Row]:
    """Measure with a server of our own; needs root, rsync and OpenSSH."""
    from ssh_server import SshServer

    if os.geteuid() != 0 or shutil.which("rsync") is None or not os.path.exists("/usr/sbin/sshd"):
        return [Row("over SSH", "-", "-", "needs root, rsync and OpenSSH's server", True)]
    server = SshServer(tmp / "sshd")
    server.start()
    try:
        way = {"address": server.address, "ssh_key": str(server.key), "fingerprint": server.fingerprint}
        attach_target(folder, "box", "remote", {**way, "base_folder": str(tmp / "far"), "max_parallel": WATCHED})
        return [
            *_uploads(folder, tmp, server),
            *_big_data(folder, tmp, server),
            _first_line(folder, tmp),
            *_watching(folder, tmp),
        ]
    finally:
        stop_service(folder)
        server.stop()


def _uploads(folder: WorkspaceFolder, tmp: Path, server: Any) -> list[Row]:
    source = tmp / "files"
    source.mkdir()
    for number in range(FILES):
        (source / f"{number}.bin").write_bytes(os.urandom(SIZE))
    snapshot = take_snapshot(folder, source, limit_files=0).id
    first = _stage(folder, snapshot, "run_1")
    again = _stage(folder, snapshot, "run_2")
    host_of(folder, get_target(folder.store.read(), "box")).link.close()  # the service makes one of its own
    shell = f"ssh -p {server.port} -i {server.key} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -q"
    peer = ["rsync", "-a", "-e", shell, f"{source}/", f"root@127.0.0.1:{tmp / 'synced'}"]
    (rsync_first, rsync_again) = (_timed(peer) for _ in range(2))
    return [
        Row(
            f"{FILES:,} files x {SIZE // 1000} KB over SSH, first",
            f"{first:.2f} s",
            "<= 1.6x rsync",
            f"rsync {rsync_first:.2f} s",
            first <= 1.6 * rsync_first,
        ),
        Row(
            "same, unchanged (a new copy for the run)",
            f"{again:.2f} s",
            "<= 1x rsync",
            f"rsync {rsync_again:.2f} s (no copy)",
            again <= rsync_again,
        ),
    ]


def _big_data(folder: WorkspaceFolder, tmp: Path, server: Any) -> list[Row]:
    """Compare what a big file costs this process, and with it the client's, beside the library, both ways."""
    source = tmp / "big"
    source.mkdir()
    (source / "big.bin").write_bytes(os.urandom(BIG))
    snapshot = take_snapshot(folder, source, limit_files=0, limit_bytes=0).id
    record = get_target(folder.store.read(), "box")
    python, base = str(record.settings["python"]), str(record.settings["base_folder"])
    used: dict[tuple[bool, bool], list[tuple[float, float]]] = {}
    for turn in range(2 * TURNS):
        is_client = turn % 2 == 0
        ssh = SshConnection(find_address(server.address, key=server.key), fingerprint=server.fingerprint)
        link = link_to(ssh, python, base, folder.id, f"bench-{turn}", Listener())
        if not is_client:
            link.bulk = None
        try:
            with way_for(link, BIG) as way:
                way.ask("ping")
            key, back = Handle("box", f"big_{turn}", 1), tmp / f"back-{turn}"
            for is_down in (False, True):
                before = _used_here()
                if is_down:
                    fetch(link, key, back, ["work"])
                else:
                    Sender(folder, link).stage(key, snapshot, None, {"environment": {}}, {}, "")
                used.setdefault((is_client, is_down), []).append(
                    tuple(now - then for now, then in zip(_used_here(), before, strict=True))
                )
        finally:
            link.close()
        for place in (back, Path(base, "content/blobs"), Path(base, "runs", folder.id, f"big_{turn}")):
            shutil.rmtree(place, ignore_errors=True)
    rows = []
    for is_down, what in ((False, "sent"), (True, "fetched")):
        client, library = (statistics.median(own for own, _ in used[which, is_down]) for which in (True, False))
        both = statistics.median(total for _, total in used[True, is_down])
        rows.append(
            Row(
                f"{BIG // 1_000_000} MB {what} with OpenSSH's client, CPU time",
                f"{client:.2f} s, {both:.2f} s with the client's own",
                "<= 0.75x paramiko",
                f"paramiko {library:.2f} s",
                client <= 0.75 * library,
            )
        )
    return rows


def _used_here() -> tuple[float, float]:
    """Return the CPU seconds of this process, and of it and the client's processes."""
    place = f"{runtime_folder()}/ssh/"
    clients = [each for each in psutil.process_iter(["cmdline"]) if place in " ".join(each.info["cmdline"] or ())]
    own = _cpu(psutil.Process())
    return own, own + sum(map(_cpu, clients))


def _stage(folder: WorkspaceFolder, snapshot: str, run: str) -> float:
    """Return how long it takes to connect and to put a snapshot in place."""
    target = RemoteTarget(folder, get_target(folder.store.read(), "box"))
    launch = Launch(f"{folder.id}/{run}/1", 1, ("true",), {}, snapshot, Needs(), None, 1.0)
    link = host_of(folder, get_target(folder.store.read(), "box")).link
    begin = time.perf_counter()
    link.ssh.connect()
    target.stage(Handle("box", run, 1), launch)
    return time.perf_counter() - begin


def _timed(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begin


def _first_line(folder: WorkspaceFolder, tmp: Path) -> Row:
    source = tmp / "small"
    source.mkdir()
    took = []
    for number in range(8):
        begin = time.perf_counter()
        run = _submit(folder, source, "echo here")
        log = folder.layout.run(run).attempt(1).control / "user_logs" / "std_log.txt"
        while not log.exists() or not log.stat().st_size:
            time.sleep(0.002)
        took.append(time.perf_counter() - begin)
        wait_for_run(folder, run, timeout=60)
        assert number >= 0
    figure = statistics.median(took[1:])
    return Row("submit to first line over SSH, warm", f"{figure * 1000:.0f} ms", "<= 400 ms", "-", figure <= 0.4)


def _submit(folder: WorkspaceFolder, source: Path, command: str) -> str:
    config = ScriptRunConfig(source_directory=str(source), command=command)
    config.run_config.target = "box"
    return submit(folder, SubmitRequest(config, "bench", kind="command")).run.id


def _watching(folder: WorkspaceFolder, tmp: Path) -> list[Row]:
    runs = [_submit(folder, tmp / "small", "while :; do sleep 600; done") for _ in range(WATCHED)]
    while any(get_run(folder.store.read(), run).status != "Running" for run in runs):
        time.sleep(0.2)
    status = service_status(folder)
    assert status is not None
    here = psutil.Process(status.pid)
    there = next(
        process
        for process in psutil.process_iter(["cmdline"])
        if "far" in (words := process.info["cmdline"] or ()) and folder.id in words
    )
    time.sleep(2)
    before, seconds = (_cpu(here), _cpu(there)), 15.0
    time.sleep(seconds)
    used = [(_cpu(process) - start) / seconds for process, start in zip((here, there), before, strict=True)]
    for run in runs:
        cancel_run(folder, run)
    for run in find_runs(folder.store.read(), last=WATCHED):
        wait_for_run(folder, run.id, timeout=120)
    return [
        Row(f"{WATCHED} running runs watched, {where}", f"{share:.1%} of a core", "<= 2 %", "-", share <= 0.02)
        for where, share in zip(("here", "there"), used, strict=True)
    ]


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
