"""What the client processes of the fault tests do: ``python acts.py NAME ARGUMENTS`` (JSON), one short life for each.

Prints ``ack <run id>`` as soon as a submit has returned: from then on the run may not be lost.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from aml_jupyter.config import CondaDependencies, ScriptRunConfig
from aml_jupyter.config.sweeps import HyperDriveConfig, RandomParameterSampling, uniform
from aml_jupyter.errors import AmlError
from aml_jupyter.service import (
    SubmitRequest,
    cancel_run,
    collect_garbage,
    create_target,
    delete_target,
    ensure_service,
    rename_run,
    service_status,
    set_priority,
    start_target,
    stop_service,
    stop_target,
    submit,
    tag_run,
    wait_for_run,
)
from aml_jupyter.service.remote import attach_target, clean_target, detach_unreachable
from aml_jupyter.service.sweep_actions import extend_sweep
from aml_jupyter.service.sweeps import submit_sweep
from aml_jupyter.supervisor import faults, protocol
from aml_jupyter.workspace import (
    WorkspaceFolder,
    delete_environment,
    delete_model,
    delete_secret,
    find_environment,
    find_run,
    find_runs,
    find_target,
    find_workspace,
    get_run,
    open_runs,
    rebuild_workspace,
    register_model,
    save_environment,
    set_secret,
)
from aml_jupyter.workspace.environments import keep_wheel

BOUND = 60.0
STALE = "1000\n"
"""An epoch of a service that never was."""


class Client:
    """One process that acts on the workspace of a test."""

    def __init__(self, root: str, project: str, **given: Any) -> None:
        self.root = root
        self.project = project
        self.given = given
        self._folder: WorkspaceFolder | None = None

    @property
    def folder(self) -> WorkspaceFolder:
        """The workspace, made when it is missing."""
        if self._folder is None:
            self._folder = WorkspaceFolder.open(self.root, create=True)
        return self._folder

    def submit(
        self,
        script: str = "short.py",
        *arguments: str,
        target: str | None = None,
        packages: Sequence[str] = (),
        **request: Any,
    ) -> str:
        """Submit a script of the project and acknowledge its run."""
        request = {"max_retries": self.given.get("retries", 0), "grace_seconds": 0.3, **request}
        config = ScriptRunConfig(source_directory=self.project, script=script, arguments=list(arguments))
        if target is not None:
            config.run_config.target = target
        if packages:
            content = {"dependencies": [{"pip": list(packages)}]}
            config.run_config.environment.python.conda_dependencies = CondaDependencies.from_dict(content)
        if self.given.get("declare"):
            config.run_config.environment_variables = faults.fault_variables()
        run = submit(self.folder, SubmitRequest(config, "faults", **request)).run
        print("ack", run.id, flush=True)
        return run.id

    def wait(self, *runs: str) -> None:
        """Wait until the runs are final."""
        for run in runs:
            wait_for_run(self.folder, run, timeout=BOUND)

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for a condition, with a bound."""
        deadline = time.monotonic() + BOUND
        while not condition():
            if time.monotonic() > deadline:
                raise SystemExit(f"{what}: not within {BOUND:.0f} s")
            time.sleep(0.005)

    def running(self, run: str) -> None:
        """Wait until the run's script has written into the ledger."""
        ledger = Path(self.given["ledger"])
        self.until(lambda: ledger.exists() and run in ledger.read_text(), f"run {run} in the ledger")
        self.until(lambda: get_run(self.folder.store.read(), run).status != "Starting", f"run {run} running")

    def attempt(self, run: str, number: int = 1) -> Path:
        """Return the control folder of an attempt."""
        return self.folder.layout.run(run).attempt(number).control


def script(client: Client) -> None:
    """Run one script to its end."""
    asked = {name: client.given.get(name, 0) for name in ("memory", "gpus")}
    client.wait(client.submit(client.given.get("script", "train.py"), target=client.given.get("target"), **asked))


def line(client: Client) -> None:
    """Submit more short scripts than there are slots, until one was put in place before its turn, and somebody killed."""
    token, deadline = Path(os.environ["AML_FAULT_TOKEN"]), time.monotonic() + BOUND / 2
    while token.exists() and time.monotonic() < deadline:
        client.wait(*[client.submit("short.py") for _ in range(6)])


def attach(client: Client) -> None:
    """Attach the machine over there, and run a script on it."""
    way = json.loads(Path(client.project).parent.joinpath("way.json").read_text())
    try:
        attach_target(client.folder, "box", "remote", way)
    except AmlError as error:  # what looks at the machine was killed over there
        print("refused", json.dumps([type(error).__name__, str(error)]), flush=True)
        return
    client.wait(client.submit("short.py", target="box"))


def start_there(client: Client) -> None:
    """Have a script run over there, and leave."""
    client.running(client.submit("slow.py", target="box"))


def clean_there(client: Client) -> None:
    """Remove over there what is not needed, after a run that needed it."""
    client.wait(client.submit("short.py", target="box"))
    try:
        clean_target(client.folder, "box", 0)
    except AmlError as error:
        print("refused", json.dumps([type(error).__name__, str(error)]), flush=True)


def abandon(client: Client) -> None:
    """Forget the machine over there, which does not answer any more."""
    if find_target(client.folder.store.read(), "box") is not None:
        detach_unreachable(client.folder, "box")


def again_there(client: Client) -> None:
    """Have whatever is left over there come to its end, and something more run there."""
    recover(client)
    client.wait(client.submit("short.py", target="box"))


def container(client: Client) -> None:
    """Run one script in a container that sees the ledger."""
    place = Path(client.project).parent
    config = ScriptRunConfig(source_directory=client.project, script=client.given.get("script", "short.py"))
    config.run_config.environment.docker.enabled = True
    config.run_config.environment.docker.base_image = "aml-test/python:1"
    config.run_config.docker.arguments = [f"--volume={place}:{place}"]
    request = SubmitRequest(config, "faults", grace_seconds=0.3, max_retries=client.given.get("retries", 0))
    run = submit(client.folder, request).run
    print("ack", run.id, flush=True)
    client.wait(run.id)


def sweep(client: Client) -> None:
    """Sample two parameters, two at once, and extend the sweep by one."""
    config = HyperDriveConfig(
        RandomParameterSampling({"--x": uniform(0, 1)}, seed=1),
        "loss",
        "minimize",
        max_total_runs=2,
        max_concurrent_runs=2,
        run_config=ScriptRunConfig(source_directory=client.project, script="sampled.py"),
    )
    request = SubmitRequest(config.run_config, "faults", run_id="HD_1")
    run = submit_sweep(client.folder, config, request).run
    print("ack", run.id, flush=True)
    if get_run(client.folder.store.read(), run.id).status == "Running":
        with suppress(AmlError):  # it may have ended meanwhile
            extend_sweep(client.folder, run.id, max_total_runs=3)
    client.wait(run.id)


def environment(client: Client) -> None:
    """Run one script in a virtual environment that has to be built for it."""
    wheels = Path(client.project).parent / "wheels"
    packages = ["--no-index", f"--find-links {wheels}", "tiny"]
    client.wait(client.submit(packages=packages, target=client.given.get("target")))


def stream(client: Client) -> None:
    """Submit a seeded stream of short runs; cancel some of them."""
    dice = random.Random(client.given["seed"])
    submitted: list[tuple[str, str]] = []
    for _ in range(client.given["count"]):
        kind = dice.choice(["plain", "metrics", "retried", "canceled"])
        points = {"metrics": 2000, "plain": 0}.get(kind, 10)
        seconds = 30.0 if kind == "canceled" else dice.choice(client.given["seconds"])
        retries = {"retried": 1, "canceled": 0}.get(kind, client.given.get("retries", 0))
        tags = {"kind": kind, "points": str(points), "seed": str(client.given["seed"])}
        run = client.submit("load.py", kind, str(points), str(seconds), max_retries=retries, tags=tags)
        submitted.append((kind, run))
        if dice.random() < 0.5:
            time.sleep(dice.random() * 0.1)
        for each in [entry for entry in submitted if entry[0] == "canceled" and dice.random() < 0.5]:
            submitted.remove(each)
            cancel_run(client.folder, each[1])
            print("canceled", each[1], flush=True)


def submit_some(client: Client) -> None:
    """Submit scripts, and leave at once."""
    for name, *arguments in client.given["scripts"]:
        client.submit(name, *arguments)


def submit_and_stay(client: Client) -> None:
    """Submit a script in a process that does not end by itself."""
    client.submit("span.py")
    signal.pause()


def untracked(client: Client) -> None:
    """Run what is not to be remembered, and wait until nothing of it is left."""
    os.environ["AML_UNTRACKED_SECONDS"] = "0"
    config = ScriptRunConfig(source_directory=client.project, command="true")
    config.run_config.tracked_run = False
    run = submit(client.folder, SubmitRequest(config, "faults", kind="command")).run
    client.until(lambda: find_run(client.folder.store.read(), run.id) is None, f"the removal of {run.id}")


def after_untracked(client: Client) -> None:
    """Have the service go on, and wait until nothing of what is not remembered is left."""
    os.environ["AML_UNTRACKED_SECONDS"] = "0"
    client.wait(client.submit("short.py"))
    client.until(lambda: len(list(client.folder.layout.runs.iterdir())) == 1, "one run's folder")


def try_submit(client: Client) -> None:
    """Submit a script; say in one line why it cannot be done."""
    try:
        client.submit("short.py")
    except AmlError as error:
        print("refused", json.dumps([type(error).__name__, str(error)]), flush=True)


def bad_then_good(client: Client) -> None:
    """Submit what cannot be snapshotted, then what can."""
    try:
        client.submit("short.py", overlay={"short.py/in_the_way": b""})
    except AmlError:
        client.wait(client.submit("short.py"))


def cell(client: Client) -> None:
    """Run a cell that takes one value and brings one back."""
    from aml_jupyter.jupyter.cell import CellOptions, submit_cell

    options = CellOptions(
        source=Path(client.project),
        experiment="faults",
        inputs=("a",),
        outputs=("b",),
        max_retries=client.given.get("retries", 0),
    )
    text = "from note import note; note()\n" + client.given.get("text", "b = a + 1")
    if client.given.get("declare"):
        declared = Path(client.project, ".azureml", "armed.runconfig")
        declared.parent.mkdir(exist_ok=True)
        lines = [f"  {name}: '{value}'" for name, value in faults.fault_variables().items()]
        declared.write_text("\n".join(["environment:", "  environmentVariables: {}", "environmentVariables:", *lines]))
        options = CellOptions(**{**vars(options), "run_configuration": "armed"})
    submission = submit_cell(client.folder, text, 1, options, {"a": 1})
    print("ack", submission.run.id, flush=True)
    client.wait(submission.run.id)


def notebook(client: Client) -> None:
    """Run a notebook."""
    notebook = {"path": "train.ipynb", "output": "outputs/train.ipynb", "kernel": None}
    client.wait(client.submit("train.ipynb", kind="notebook", notebook=notebook))


def cancel(client: Client) -> None:
    """Cancel a run that goes on."""
    run = client.submit("long.py", *client.given.get("arguments", []))
    client.running(run)
    print("cancel", run, flush=True)
    cancel_run(client.folder, run)
    print("canceled", run, flush=True)
    client.wait(run)


def cancel_starting(client: Client) -> None:
    """Cancel the run that an ended service has left between its claim and its start."""
    (run,) = [run.id for run in open_runs(client.folder.store.read())]
    cancel_run(client.folder, run)
    print("canceled", run, flush=True)
    client.wait(run)


def lose_supervisor(client: Client) -> None:
    """Kill the supervisor of a run whose child has a session of its own."""
    run = client.submit("lost.py", "--child")
    client.running(run)
    attempt = protocol.read_json(str(client.attempt(run) / protocol.ATTEMPT)) or {}
    os.kill(attempt["supervisor"]["pid"], signal.SIGKILL)
    client.wait(run)


def compute(client: Client) -> None:
    """Create a compute instance, stop it, let runs wait for it, start it, delete it under another one."""
    name = "ci-one"
    create_target(client.folder, name, "computeinstance", {"max_parallel": 1})
    stop_target(client.folder, name)
    waits = client.submit("short.py", target=name)
    start_target(client.folder, name)
    client.wait(waits)
    stop_target(client.folder, name)
    last = client.submit("short.py", target=name)
    delete_target(client.folder, name)
    print("canceled", last, flush=True)


def after_compute(client: Client) -> None:
    """Bring what `compute` left unfinished to an end."""
    record = find_target(client.folder.store.read(), "ci-one")
    if record is not None and record.provisioning_state == "Stopped":
        start_target(client.folder, "ci-one")
    recover(client)
    if find_target(client.folder.store.read(), "ci-one") is not None:  # the service may have ended a removal meanwhile
        delete_target(client.folder, "ci-one")


def change(client: Client) -> None:
    """Tag, rename and move a waiting run."""
    create_target(client.folder, "ci-one", "computeinstance", {"max_parallel": 1})
    stop_target(client.folder, "ci-one")
    run = client.submit("short.py", target="ci-one")
    faults.rearm(os.environ)
    tag_run(client.folder, run, {"colour": "blue"})
    rename_run(client.folder, run, "a new name")
    set_priority(client.folder, run, 3)


def open_workspace(client: Client) -> None:
    """Make the workspace, and enter it into the user's list."""
    find_workspace(client.root).close()


def open_without_room(client: Client) -> None:
    """Open the workspace when no file may grow beyond `room` bytes."""
    try:
        with _little_room(client):
            WorkspaceFolder.open(client.root, create=True)
    except AmlError as error:
        print(error)


def submit_without_room(client: Client) -> None:
    """Submit values for which there is no room."""
    try:
        with _little_room(client):
            client.submit(inputs=bytes(2 * client.given["room"]))
    except OSError as error:
        print(error)


@contextmanager
def _little_room(client: Client) -> Iterator[None]:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (client.given["room"], resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def rebuild(client: Client) -> None:
    """Build the database anew."""
    if client.given.get("broken"):
        for name in ("aml.db.new", "aml.db.new-wal"):
            Path(client.root, name).write_bytes(b"left by a rebuild that was killed")
    print(rebuild_workspace(client.root))


def collect(client: Client) -> None:
    """Collect all that is not needed now."""
    collect_garbage(client.folder, 0, working_copies=True)


def secret(client: Client) -> None:
    """Write a secret over another one, then forget a third."""
    set_secret(client.folder, "token", "new")
    delete_secret(client.folder, "old")


def model(client: Client) -> None:
    """Register two versions of a model and delete the first."""
    files = {"note.py": str(Path(client.project, "note.py"))}
    first = register_model(client.folder, "net", files, "note.py")
    register_model(client.folder, "net", files, "note.py")
    delete_model(client.folder, "net", first.version)


def registered_environment(client: Client) -> None:
    """Register two versions of an environment and delete the first; done again after a kill, it goes on from there."""
    wheel = Path(client.project, "tiny-1.0-py3-none-any.whl")
    wheel.write_bytes(b"wheel")
    assert keep_wheel(client.folder, wheel).read_bytes() == b"wheel"
    first = save_environment(client.folder, "net", {"python": "first"}, version="1")
    save_environment(client.folder, "net", {"python": "changed"})
    if find_environment(client.folder.store.read(), "net", first.version) is not None:
        delete_environment(client.folder, "net", first.version)


def leave(client: Client) -> None:
    """Run something, then end the warm parent with SIGTERM."""
    client.wait(client.submit())
    marker = os.path.join(os.environ["AML_RUNTIME"], "nurse-").encode()
    client.until(lambda: len(processes_with(marker)) == 1, "the supervisor's end")
    os.kill(processes_with(marker)[0], signal.SIGTERM)


def processes_with(words: bytes) -> list[int]:
    """Return the processes in whose command line `words` stand."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and words in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def services(root: str | Path) -> list[int]:
    """Return the service processes of the workspace in `root`."""
    command = b"\0%s\0--until-idle" % str(root).encode()
    return processes_with(command)


def queue(client: Client) -> None:
    """Leave a run in the queue of a stopped instance."""
    create_target(client.folder, "ci-one", "computeinstance", {"max_parallel": 1})
    stop_target(client.folder, "ci-one")
    client.submit("short.py", target="ci-one")


def start_queued(client: Client) -> None:
    """Start the instance of `queue`, and wait for its run."""
    start_target(client.folder, "ci-one")
    client.wait(*(run.id for run in open_runs(client.folder.store.read())))


def recover(client: Client) -> None:
    """Go on as a user does: look at everything, wait for all that is open, and run one thing more."""
    for path in Path(client.root).glob(f"runs/*/attempts/*/control/{protocol.EPOCH}"):
        if path.read_text() == STALE:
            path.unlink()
    ensure_service(client.folder)
    after = client.submit("short.py")
    for run in open_runs(client.folder.store.read()):
        if run.definition["script"] == "long.py":
            cancel_run(client.folder, run.id)
            print("canceled", run.id, flush=True)
    for run in open_runs(client.folder.store.read()):
        client.wait(run.id)
    client.wait(*(run.id for run in find_runs(client.folder.store.read(), include_hidden=True, children=True)), after)


def tidied(client: Client) -> None:
    """Have a service run until nothing is noted any more."""
    ensure_service(client.folder)
    notes = Path(client.root, "containers")
    client.until(lambda: not list(notes.glob("*.json")), "the end of the containers")
    end(client)


def end(client: Client) -> None:
    """Stop the service, also one that is only starting."""

    def is_gone() -> bool:
        status = service_status(client.folder, 0.2)
        if status is not None and status.answers:
            stop_service(client.folder)
        return not services(client.root)

    client.until(is_gone, "the end of the service")


def rebuild_and_recover(client: Client) -> None:
    """Build the database anew, then go on."""
    rebuild(client)
    recover(client)


def main() -> None:
    """Do what the command line says."""
    name, given = sys.argv[1], json.loads(sys.argv[2])
    if given.pop("spare_client", False):
        faults.rearm({})  # the children inherit the variables all the same
    for each in name.split("+"):
        globals()[each](Client(**given))


if __name__ == "__main__":
    main()
