"""One test's workspace, processes and ledger: who is armed, who recovers, and what must hold at the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from faults.acts import STALE, processes_with, services
from faults.scripts import make_project
from ssh_server import SshServer
from support import until

from aml_jupyter.supervisor import protocol
from aml_jupyter.workspace import RunRecord, WorkspaceFolder, attempts, find_runs, verify_workspace
from aml_jupyter.workspace.states import FINAL

__all__ = ["World"]

ACTS = Path(__file__).with_name("acts.py")


class World:
    """A workspace, a source directory and a ledger that nothing else uses.

    Parameters
    ----------
    place : Path
        An empty folder.
    project : dict
        What the source directory has besides the scripts (see `make_project`).
    """

    def __init__(self, place: Path, **project: bool) -> None:
        self.root = place / "workspace"
        self.project = place / "project"
        self.ledger = place / "ledger"
        self.token = place / "may-kill"
        self.place = place
        self.linger = "0.2"
        self.python = sys.executable
        self.python_path = ""
        self.programs = ""
        self.server: SshServer | None = None
        """The machine over there, where the scenario has one."""
        make_project(self.project, self.ledger, **project)
        self._said: list[Path] = []
        self._clients: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> World:
        return self

    def __exit__(self, *failure: object) -> None:
        """End the clients that are left."""
        for process in self._clients:
            process.kill()
            process.wait()

    # -- processes ------------------------------------------------------------------------------------------------

    def start(self, acts: str, faults: dict[str, str] | None = None, **given: Any) -> subprocess.Popen[bytes]:
        """Start a client process that does `acts` (see `acts.py`)."""
        values = {"root": str(self.root), "project": str(self.project), "ledger": str(self.ledger), **given}
        said = self.place / f"said-{len(self._said)}"
        self._said.append(said)
        environment = {**os.environ, "AML_SERVICE_LINGER": self.linger, "AML_REPLY_SECONDS": "10", **(faults or {})}
        if self.programs:
            environment["PATH"] = f"{self.programs}{os.pathsep}{environment['PATH']}"
        if self.python != sys.executable:
            environment.pop("PYTHONPATH", None)  # it would come before the package that this Python has
        if self.python_path:
            environment["PYTHONPATH"] = self.python_path
        with open(said, "wb") as stream:
            process = subprocess.Popen(
                [self.python, str(ACTS), acts, json.dumps(values)],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=self.place,
                start_new_session=True,
            )
        self._clients.append(process)
        return process

    def do(self, acts: str, code: int = 0, **given: Any) -> None:
        """Have a clean process do `acts`, to the end."""
        assert self.start(acts, **given).wait(90) == code, self.story()

    def arm(self, point: str, side: str, skip: int = 0) -> dict[str, str]:
        """Return the variables that have one process killed at `point`."""
        self.token.touch()
        return {
            "AML_FAULT_POINT": point,
            "AML_FAULT_SIDE": side,
            "AML_FAULT_TOKEN": str(self.token),
            "AML_FAULT_SKIP": str(skip),
        }

    def kill_once(self, point: str, side: str, acts: str, skip: int = 0, **given: Any) -> None:
        """Do `acts` with `point` armed; return when a process was killed there.

        Raises
        ------
        AssertionError
            When nobody came to the point.
        """
        self._armed = process = self.start(acts, self.arm(point, side, skip), **given)
        until(
            lambda: not self.token.exists() or (process.poll() is not None and not self._served()),
            seconds=40,
            message=f"a kill {side} {point} in {acts!r}",
        )
        assert not self.token.exists(), f"{acts!r} does not come to {point} ({side})\n{self.story()}"

    def _served(self) -> bool:
        return bool(services(self.root))

    def recover(self, acts: str) -> None:
        """Have a clean process do `acts`, let the armed client come to its end, and stop the service."""
        with suppress(subprocess.TimeoutExpired):
            self._armed.wait(0.1)
        if self._armed.returncode is not None:
            self.do(f"{acts}+end")
        else:  # it goes on while others recover
            self.do(acts)
            self._armed.wait(60)
            self.do("end")
        assert self._armed.returncode in (0, -signal.SIGKILL), self.story()

    def service(self) -> int:
        """Return the pid of the one service process of the workspace."""
        until(lambda: len(services(self.root)) == 1, message="one service")
        return services(self.root)[0]

    def stop_client(self) -> None:
        """End the armed client, which waits for a run that will not come."""
        self._armed.kill()
        self._armed.wait()

    def stale_epoch(self) -> None:
        """Queue a run whose attempt cannot be claimed by a service of this epoch, until `recover` removes the reason."""
        self.do("queue+end")
        (run,) = self.said("ack")
        control = self.root / "runs" / run / "attempts" / "1" / "control"
        control.mkdir(parents=True)
        (control / protocol.EPOCH).write_text(STALE)

    # -- what was said and done -------------------------------------------------------------------------------------

    def said(self, word: str) -> list[str]:
        """Return the runs of which the clients have said `word`."""
        lines = [line.split() for path in self._said for line in path.read_text().splitlines()]
        return [line[1] for line in lines if len(line) == 2 and line[0] == word]

    def ran(self) -> Counter[tuple[str, int]]:
        """Return how often each attempt's script has begun."""
        if not self.ledger.exists():
            return Counter()
        lines = [line.split() for line in self.ledger.read_text().splitlines()]
        return Counter((line[0], int(line[1])) for line in lines if line[2:] != ["end"])

    def story(self) -> str:
        """Return all that a person would want to see of a failure."""
        parts = [f"-- {path.name}\n{path.read_text()}" for path in self._said]
        log = self.root / "logs" / "service.log"
        parts += [f"-- service.log\n{log.read_text()}"] if log.exists() else []
        for path in sorted(self.root.glob(f"runs/*/attempts/*/control/{protocol.SUPERVISOR_LOG}")):
            parts.append(f"-- {path.relative_to(self.root)}\n{path.read_text()}")
        for path in sorted(self.root.glob(f"runs/*/attempts/*/control/{protocol.LOG}")):
            parts.append(f"-- {path.relative_to(self.root)}\n{path.read_text()}")
        parts.append(f"-- ledger\n{self.ledger.read_text() if self.ledger.exists() else ''}")
        return "\n".join(parts)

    # -- what must hold -----------------------------------------------------------------------------------------------

    def check(self, may_be_lost: bool = False, may_fail: str = "") -> list[RunRecord]:
        """Check everything that a fault may not break; return the runs.

        Parameters
        ----------
        may_be_lost : bool
            Whether a supervisor was killed: a run without retries may have ended with that reason.
        may_fail : str
            A reason for which runs of this test may fail.
        """
        folder = WorkspaceFolder.open(self.root)
        try:
            runs = find_runs(folder.store.read(), include_hidden=True, children=True)
            report = verify_workspace(folder)
            counts = {run.id: len(attempts(folder.store.read(), run.id)) for run in runs}
        finally:
            folder.close()
        assert report.is_clean, f"{report}\n{self.story()}"
        acknowledged = {*self.said("ack")}
        assert acknowledged <= {run.id for run in runs}, f"an acknowledged run is lost\n{self.story()}"
        ran = self.ran()
        assert {run for run, _ in ran} <= {run.id for run in runs}, "something ran that is in no list"
        twice = [attempt for attempt, count in ran.items() if count > 1]
        assert not twice, f"ran twice: {twice}\n{self.story()}"
        for run in runs:
            self._check_run(run, counts[run.id], ran, may_be_lost, may_fail)
        self.check_processes()
        return runs

    def _check_run(
        self, run: RunRecord, count: int, ran: Counter[tuple[str, int]], may_be_lost: bool, may_fail: str
    ) -> None:
        said = f"run {run.id} ({run.definition.get('script')}) is {run.status}: {run.reason}\n{self.story()}"
        assert run.status in FINAL, said
        if run.kind == "hyperdrive":  # it has no process of its own
            assert run.status == "Completed", said
            return
        assert run.attempt == count <= run.max_retries + 1, said
        if run.status == "Completed":
            assert ran[run.id, run.attempt] == 1, said
        elif run.status == "Canceled":
            assert run.id in self.said("canceled") or run.cancel_requested is not None, said
        else:
            lost = may_be_lost and run.max_retries == 0 and "supervisor" in run.reason
            assert lost or (may_fail and may_fail in run.reason), said
        if run.id in self.said("canceled"):
            assert run.status == "Canceled", said

    def check_processes(self) -> None:
        """Check that no process of any run is left, and of ours only the warm parent, which leaves by itself."""
        marker = f"{protocol.MARKER}=".encode()
        runtime = f"AML_RUNTIME={os.environ['AML_RUNTIME']}".encode()

        def left() -> list[list[str]]:
            found = []
            for process in psutil.process_iter():
                try:
                    variables = Path(f"/proc/{process.pid}/environ").read_bytes()
                    ours = marker in variables and str(self.root).encode() in variables
                    ours = ours or runtime in variables.split(b"\0")
                    if ours and process.status() != psutil.STATUS_ZOMBIE:
                        found.append([str(process.pid), *process.cmdline()])
                except (OSError, psutil.Error):
                    continue
            return found

        until(lambda: not left(), message=f"the end of {left()}\n{self.story()}")
        until(lambda: not self._supervisors(), message=f"the end of the supervisors\n{self.story()}")

    def _supervisors(self) -> list[int]:
        """Return the processes that share the command line of a warm parent, which are its supervisors."""
        shared: dict[bytes, list[int]] = {}
        for pid in processes_with(os.path.join(os.environ["AML_RUNTIME"], "nurse-").encode()):
            with suppress(OSError):
                shared.setdefault(Path(f"/proc/{pid}/cmdline").read_bytes(), []).append(pid)
        return [pid for pids in shared.values() if len(pids) > 1 for pid in pids]
