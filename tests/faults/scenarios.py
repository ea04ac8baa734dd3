"""Which scenario comes to which fault point, and how each is prepared, recovered and judged."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import psutil
from faults.points import UNREACHABLE
from faults.world import World
from graphics import make_nvidia_smi
from support import until
from wheels import make_wheel

import aml_jupyter
from aml_jupyter.service import collect_garbage
from aml_jupyter.service.remote import attach_target
from aml_jupyter.workspace import (
    WorkspaceFolder,
    find_runs,
    get_secret,
    list_environments,
    list_models,
    list_workspaces,
    read_environment,
    read_tree,
    take_snapshot,
    verify_workspace,
)
from aml_jupyter.workspace.schema import CURRENT

__all__ = ["SCENARIOS", "Case", "Scenario", "cases"]


def _nothing(world: World) -> None:
    """Prepare or check nothing more."""


@dataclass(frozen=True)
class Scenario:
    """What is done in real processes while one of `points` is armed.

    `acts` is done by the armed client, `recovery` by a clean one afterwards. With ``spare_client`` in `given` the client
    passes the variables on without being killed itself. `skips` says how often a process passes the point before it is
    killed there. `lost` is True when the supervisor or the script may be the one that dies; `engine` when it takes Docker, `ssh`
    when it takes another machine.
    """

    name: str
    points: tuple[str, ...]
    acts: str
    given: dict[str, Any] = field(default_factory=dict)
    project: dict[str, bool] = field(default_factory=dict)
    skips: tuple[int, ...] = (0,)
    recovery: str = "recover"
    prepare: Callable[[World], None] = _nothing
    after: Callable[[World], None] = _nothing
    lost: bool = False
    may_fail: str = ""
    engine: bool = False
    ssh: bool = False


@dataclass(frozen=True)
class Case:
    """One kill."""

    scenario: Scenario
    point: str
    side: str
    skip: int

    def __str__(self) -> str:
        skipped = f"-{self.skip}" if len(self.scenario.skips) > 1 else ""
        return f"{self.scenario.name}-{self.point}-{self.side}{skipped}"


def cases() -> Iterator[Case]:
    """Yield every kill that is tried."""
    for scenario in SCENARIOS:
        for point in scenario.points:
            for side in ("before", "after"):
                for skip in scenario.skips:
                    if (point, side) not in UNREACHABLE:
                        yield Case(scenario, point, side, skip)


# -- preparations and further checks ----------------------------------------------------------------------------------


def _ran_before(world: World) -> None:
    """Have a workspace with one run that has ended, and no service."""
    world.do("script+end", script="short.py")


def _with_wheels(world: World) -> None:
    """Have a folder of wheels beside the project, for an environment to be built from."""
    make_wheel(world.place / "wheels", "tiny", "1.0")


def _with_a_gpu(world: World) -> None:
    """Have an nvidia-smi that knows one GPU."""
    make_nvidia_smi(world.place / "bin", 1)
    world.programs = str(world.place / "bin")


def _no_child_is_sampled_twice(world: World) -> None:
    """Check that the sweep has ended with all its children, and that no two have the same parameters."""
    folder = WorkspaceFolder.open(world.root)
    try:
        sweeps = [run for run in find_runs(folder.store.read()) if run.kind == "hyperdrive"]
        for run in sweeps:
            children = find_runs(folder.store.read(), parent=run.id)
            assert run.status == "Completed" and len(children) in (2, 3), world.story()
            assert {child.id for child in children} == {f"{run.id}_{number}" for number in range(len(children))}
            assert len({child.properties["hyperparameters"] for child in children}) == len(children), world.story()
    finally:
        folder.close()


def _killed_before_start(world: World) -> None:
    """Have a run that is claimed, and whose service was killed before it could start it."""
    world.kill_once("target.spawn", "before", "script", script="long.py", spare_client=True)
    world.stop_client()


def _stale_epoch(world: World) -> None:
    """Have a queued run whose first attempt has heard of a newer service."""
    world.stale_epoch()


def _old_secrets(world: World) -> None:
    with_old = WorkspaceFolder.open(world.root, create=True)
    from aml_jupyter.workspace import set_secret

    set_secret(with_old, "token", "old")
    set_secret(with_old, "old", "old")
    with_old.close()


def _secrets_are_whole(world: World) -> None:
    world.do("secret")
    folder = WorkspaceFolder.open(world.root)
    assert (get_secret(folder, "token"), get_secret(folder, "old")) == ("new", None)
    folder.close()
    assert [path.name for path in (world.root / "secrets").iterdir()] == ["s-token"]


def _models_are_whole(world: World) -> None:
    world.do("model")
    folder = WorkspaceFolder.open(world.root)
    there = {str(record.version) for record in list_models(folder.store.read())}
    assert {path.name for path in (world.root / "models" / "net").iterdir()} == there
    assert list((world.root / "models" / ".tmp").iterdir()) == []
    assert verify_workspace(folder).problems == []
    folder.close()


def _environments_are_whole(world: World) -> None:
    world.do("registered_environment")
    folder = WorkspaceFolder.open(world.root)
    records = list_environments(folder.store.read())
    assert [read_environment(folder.layout, record)["python"] for record in records] == ["changed"] * len(records)
    assert {record.name for record in records} == {"net"} and records[0].version == str(1 + len(records))
    assert verify_workspace(folder).problems == []
    folder.close()


def _is_listed(world: World) -> None:
    world.do("open_workspace")
    assert [entry.root for entry in list_workspaces()] == [world.root]


def _unfinished(world: World) -> None:
    """Have a workspace whose database never got its tables."""
    WorkspaceFolder.open(world.root, create=True).close()
    for name in ("aml.db", "aml.db-wal", "aml.db-shm"):
        (world.root / name).unlink(missing_ok=True)
    with sqlite3.connect(world.root / "aml.db") as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA application_id=1")
    connection.close()


def _newer_package(world: World) -> None:
    """Have a workspace with a run, and a copy of the package that knows one migration more."""
    _ran_before(world)
    copy = world.place / "newer" / "aml_jupyter"
    shutil.copytree(Path(aml_jupyter.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    path = copy / "workspace" / "schema.py"
    text = path.read_text()
    text, count = re.subn(r"= \((_FIRST, [^)]*)\)", r'= (\1, "ALTER TABLE runs ADD COLUMN mood TEXT")', text)
    assert count == 1
    path.write_text(text)
    world.python_path = str(copy.parent)


def _is_newer(world: World) -> None:
    with sqlite3.connect(world.root / "aml.db") as connection:
        assert connection.execute("SELECT count(*) FROM runs WHERE mood IS NULL").fetchone()[0] >= 2
    connection.close()
    assert not list(world.root.glob("*.partial"))
    assert list(world.root.glob(f"aml.db.format-{CURRENT}.*.backup"))


def _leftover(world: World) -> None:
    """Have what a submit leaves behind that was killed while it wrote a pack."""
    _ran_before(world)
    (world.root / "content" / "tmp" / "pack-left.tmp").write_bytes(b"half")


def _dead_content(world: World) -> None:
    """Have what a collection removes: a pack that no run names, an old backup, a working copy as in its snapshot."""
    _ran_before(world)
    folder = WorkspaceFolder.open(world.root)
    unused = world.place / "unused"
    unused.mkdir()
    (unused / "unused.txt").write_text("no run names this")
    take_snapshot(folder, unused)
    folder.close()
    (world.root / "aml.db.format-1.1.backup").write_bytes(b"old")
    os.utime(world.root / "aml.db.format-1.1.backup", (1, 1))


def _only_dead_content_is_gone(world: World) -> None:
    world.do("collect")
    folder = WorkspaceFolder.open(world.root)
    assert verify_workspace(folder).problems == []
    assert all(read_tree(folder, run.snapshot) for run in find_runs(folder.store.read()) if run.snapshot)
    assert not any(each.count for each in collect_garbage(folder, 0, working_copies=True, dry_run=True))
    folder.close()
    assert not list(world.root.glob("*.backup"))


def _no_leftover(world: World) -> None:
    assert not list((world.root / "content" / "tmp").iterdir())


def _no_container_is_left(world: World) -> None:
    """See to it that a service removes what a killed one left, also when it has nothing else to do."""
    world.do("tidied")
    client = docker.DockerClient(base_url=os.environ["DOCKER_HOST"], version="1.41", timeout=30)
    try:
        names = [name for each in client.api.containers(all=True) for name in each["Names"]]
    finally:
        client.close()
    assert not [name for name in names if name.startswith("/aml-faults")]


def _way(world: World) -> dict[str, Any]:
    """Return how the machine over there is reached."""
    assert world.server is not None
    return {
        "address": world.server.address,
        "ssh_key": str(world.server.key),
        "fingerprint": world.server.fingerprint,
        "base_folder": str(world.place / "far"),
    }


def _attached(world: World) -> None:
    """Have the machine over there as the target ``box``."""
    folder = WorkspaceFolder.open(world.root, create=True)
    attach_target(folder, "box", "remote", _way(world))
    folder.close()


def _attached_keeping(world: World) -> None:
    """Have the machine over there as the target ``box``, where outputs stay that have any content."""
    folder = WorkspaceFolder.open(world.root, create=True)
    attach_target(folder, "box", "remote", {**_way(world), "largest_output": "1"})
    folder.close()


def _attached_with_wheels(world: World) -> None:
    """Have the machine over there as the target ``box``, and a folder of wheels that it can read."""
    _attached(world)
    _with_wheels(world)


def _to_attach(world: World) -> None:
    """Have a machine over there with a GPU, which is not attached yet."""
    make_nvidia_smi(world.place / "bin", 1)
    assert world.server is not None
    world.server.stop()
    world.server.variables["PATH"] = f"{world.place / 'bin'}{os.pathsep}{os.environ['PATH']}"
    world.server.start()
    (world.place / "way.json").write_text(json.dumps(_way(world)))


def _dead_link(world: World) -> None:
    """Have a run over there whose service is gone, and whose link is dead without its far side knowing."""
    _attached(world)
    world.do("start_there")
    assert world.server is not None
    for session in psutil.Process(world.server.pid).children(recursive=True):
        if session.name() == "sshd":
            session.suspend()
    os.kill(world.service(), signal.SIGKILL)


def _dead_machine(world: World) -> None:
    """Have a run on a machine that does not answer any more."""
    _attached(world)
    world.do("start_there")
    assert world.server is not None
    world.server.stop()


def _only_what_stayed_came(world: World) -> None:
    """Check that the file that the script removed is not here any more, and that those that it kept are whole."""
    (stays,) = world.root.glob("runs/*/attempts/1/work/outputs/stays.txt")
    assert {path.name: path.read_text() for path in stays.parent.iterdir()} == {
        "stays.txt": "stays.txt",
        "late.txt": "late",
    }
    assert not list(world.root.glob("runs/*/attempts/1/.fetching"))


def _nothing_is_left_there(world: World) -> None:
    """See to it that what a killed process left over there is removed when somebody comes by."""
    world.do("again_there+end")
    until(lambda: not list((world.place / "far").glob("runs/*/*/attempts/*")), message="an empty machine over there")
    assert not list((world.place / "far").rglob(".placing-*"))


# -- the table --------------------------------------------------------------------------------------------------------

_WHOLE_WAY = (
    "workspace.create",
    "store.migrate",
    "git.spawn",
    "git.kill",
    "snapshot.sync_pack",
    "snapshot.rename_pack",
    "snapshot.sync_folder",
    "snapshot.replace",
    "submit.definition",
    "client.spawn_service",
    "service.lease",
    "service.listen",
    "slots.write",
    "bundle.place",
    "bundle.rename",
    "snapshot.link",
    "snapshot.materialise",
    "target.launch",
    "target.spawn",
    "nurse.start",
    "nurse.listen",
    "nurse.detach",
    "nurse.fork",
    "service.left",
    "service.unlisten",
)
_OF_SUPERVISOR = (
    "supervisor.fork",
    "supervisor.epoch",
    "supervisor.attempt",
    "supervisor.second_name",
    "supervisor.release",
    "supervisor.exec",
    "supervisor.result",
)

_OF_CONTAINER = ("container.pipe", "container.keeper", "container.create", "container.start")

SCENARIOS = (
    Scenario(
        "script",
        _WHOLE_WAY,
        "script",
        project={"git": True, "link": True},
    ),
    Scenario("leftover", ("snapshot.remove_abandoned",), "script", prepare=_leftover, after=_no_leftover),
    Scenario("supervisor", _OF_SUPERVISOR, "script", lost=True, may_fail="SIGKILL"),
    Scenario("supervisor_retried", _OF_SUPERVISOR[2:], "script", {"retries": 1}),
    Scenario(
        "environment",
        ("environment.spawn", "environment.ready"),
        "environment",
        {"spare_client": True},
        prepare=_with_wheels,
    ),
    Scenario(
        "environment_files",
        ("environment.entry",),
        "environment",
        {"spare_client": True},
        skips=(0, 1, 3),
        prepare=_with_wheels,
    ),
    Scenario("limited", ("supervisor.group", "supervisor.drop_group"), "script", {"memory": 500 * 10**6}),
    Scenario("gpus", ("targets.gpus",), "script", {"gpus": 1}, prepare=_with_a_gpu),
    Scenario("gpus_of_service", ("targets.gpus",), "script", {"gpus": 1, "spare_client": True}, prepare=_with_a_gpu),
    Scenario(
        "container",
        (*_OF_CONTAINER, "container.remove", "container.forget"),
        "container",
        after=_no_container_is_left,
        engine=True,
    ),
    Scenario(
        "container_files",
        ("container.write",),
        "container",
        skips=(0, 1),
        after=_no_container_is_left,
        engine=True,
    ),
    Scenario(
        "container_slots",
        ("keeper.touch", "keeper.remove"),
        "container",
        {"script": "patient_parent.py", "spare_client": True},
        after=_no_container_is_left,
        engine=True,
    ),
    Scenario(
        "container_files_lent",
        ("container.lend",),
        "container",
        {"script": "borrower.py", "spare_client": True},
        skips=(1,),
        after=_no_container_is_left,
        engine=True,
    ),
    Scenario("sweep", ("journal.append", "store.commit"), "sweep", after=_no_child_is_sampled_twice),
    Scenario(
        "sweep_of_service",
        ("store.commit",),
        "sweep",
        {"spare_client": True},
        skips=(0, 1, 2, 4, 6, 8, 10),
        after=_no_child_is_sampled_twice,
    ),
    Scenario(
        "children_of_sweep",
        ("submit.definition", "durable.sync_folder", "durable.sync_new"),
        "sweep",
        {"spare_client": True},
        skips=(0, 1),
        after=_no_child_is_sampled_twice,
    ),
    Scenario("commits_of_client", ("store.commit",), "script"),
    Scenario("commits_of_service", ("store.commit",), "script", {"spare_client": True}, skips=(0, 1, 2, 3, 4)),
    Scenario("names", ("durable.discard", "durable.sync_folder", "durable.sync_new"), "script"),
    Scenario(
        "names_of_supervisor",
        ("durable.discard",),
        "script",
        {"spare_client": True, "retries": 1},
        skips=(0, 1),
    ),
    Scenario("new_name_of_supervisor", ("durable.sync_new",), "script", {"spare_client": True, "retries": 1}),
    Scenario("result_told", ("durable.sync_file",), "script", {"spare_client": True}),
    Scenario("next_in_line", ("target.spawn_at_once",), "line", {"spare_client": True}),
    Scenario("untracked", ("runs.remove",), "untracked", {"spare_client": True}, recovery="after_untracked"),
    Scenario("untracked_noted", ("journal.append",), "untracked", {"spare_client": True}, recovery="after_untracked"),
    Scenario("bad_snapshot", ("snapshot.discard",), "bad_then_good"),
    Scenario("upload", ("client.artifact",), "script", {"declare": True, "spare_client": True, "retries": 1}),
    Scenario(
        "broken_upload",
        ("client.discard",),
        "script",
        {"script": "broken_upload.py", "declare": True, "spare_client": True, "retries": 1},
    ),
    Scenario(
        "child",
        ("client.request", "client.remove_request", "client.waiting", "supervisor.go"),
        "script",
        {"script": "parent.py", "declare": True, "spare_client": True, "retries": 1},
    ),
    Scenario("child_answered", ("service.reply",), "script", {"script": "parent.py"}, skips=(0, 1)),
    Scenario("answer_left", ("service.discard_answer",), "script", {"script": "left.py"}),
    Scenario("cell", ("submit.inputs", "target.control_file"), "cell"),
    Scenario(
        "cell_outputs",
        ("cell.sync", "cell.outputs", "cell.summary"),
        "cell",
        {"declare": True, "spare_client": True, "retries": 1},
    ),
    Scenario(
        "cell_refused",
        ("cell.discard",),
        "cell",
        {"declare": True, "spare_client": True, "retries": 1, "text": "b = (x for x in ())"},
        may_fail="exit code 1",
    ),
    Scenario("notebook", ("notebook.publish",), "notebook", {"declare": True, "spare_client": True, "retries": 1}),
    Scenario("cancel", ("target.cancel", "supervisor.kill"), "cancel"),
    Scenario("cancel_retried", ("supervisor.kill",), "cancel", {"retries": 1}),
    Scenario("cancel_stubborn", ("supervisor.kill",), "cancel", {"arguments": ["--stubborn"]}, skips=(0, 1, 2)),
    Scenario("cancel_noted", ("journal.append",), "cancel"),
    Scenario("cancel_starting", ("target.forbid",), "cancel_starting", prepare=_killed_before_start),
    Scenario(
        "cancel_starting_noted",
        ("journal.append",),
        "cancel_starting",
        {"spare_client": True},
        prepare=_killed_before_start,
    ),
    Scenario("lost", ("identity.end_survivor", "target.bury"), "lose_supervisor", {"spare_client": True}, lost=True),
    Scenario("older_epoch", ("supervisor.discard",), "start_queued", prepare=_stale_epoch),
    Scenario(
        "compute",
        ("journal.append",),
        "compute",
        skips=(0, 1, 2, 3, 4),
        recovery="after_compute",
    ),
    Scenario("compute_commits", ("store.commit",), "compute", skips=(1, 3, 5), recovery="after_compute"),
    Scenario(
        "change",
        ("journal.append", "store.commit"),
        "change",
        {"spare_client": True},
        skips=(0, 1, 2),
        recovery="after_compute",
    ),
    Scenario("unfinished", ("store.backup", "store.migrate"), "script", prepare=_unfinished),
    Scenario("migrate", ("store.backup", "store.migrate"), "script", prepare=_newer_package, after=_is_newer),
    Scenario("no_room_for_identity", ("workspace.discard",), "open_without_room", {"room": 0}),
    Scenario("no_room_for_values", ("submit.undo",), "submit_without_room", {"room": 500_000}, prepare=_ran_before),
    Scenario("no_room", ("store.discard",), "open_without_room", {"room": 16384}),
    Scenario(
        "no_room_for_backup",
        ("store.discard",),
        "open_without_room",
        {"room": 40_000},
        prepare=_newer_package,
        after=_is_newer,
    ),
    Scenario(
        "rebuild",
        ("rebuild.discard", "rebuild.sync", "rebuild.aside", "rebuild.place"),
        "rebuild",
        {"broken": True},
        prepare=_ran_before,
        recovery="rebuild_and_recover",
    ),
    Scenario(
        "collect",
        ("snapshot.forget_scan", "snapshot.remove_pack", "workspace.remove_backup", "snapshot.thin_copy"),
        "collect",
        prepare=_dead_content,
        after=_only_dead_content_is_gone,
    ),
    Scenario("secret", ("secrets.write", "secrets.remove"), "secret", prepare=_old_secrets, after=_secrets_are_whole),
    Scenario(
        "model",
        ("models.copy", "models.place", "models.discard", "models.remove", "journal.append", "store.commit"),
        "model",
        after=_models_are_whole,
    ),
    Scenario(
        "registered_environment",
        ("environments.definition", "environments.remove", "environments.wheel", "journal.append", "store.commit"),
        "registered_environment",
        after=_environments_are_whole,
    ),
    Scenario(
        "there",
        ("far.blob", "far.place", "far.discard", "far.link", "far.launch", "far.start", "far.listen"),
        "script",
        {"target": "box", "spare_client": True},
        project={"link": True},
        prepare=_attached,
        ssh=True,
    ),
    Scenario(
        "there_removed",
        ("far.remove", "remote.mark"),
        "script",
        {"target": "box", "spare_client": True},
        prepare=_attached,
        after=_nothing_is_left_there,
        ssh=True,
    ),
    Scenario(
        "there_kept",
        ("far.keep", "remote.mark"),
        "script",
        {"target": "box", "spare_client": True},
        prepare=_attached_keeping,
        ssh=True,
    ),
    Scenario(
        "there_and_back",
        ("remote.mark", "remote.mirror", "remote.fetched"),
        "script",
        {"target": "box", "spare_client": True},
        skips=(1,),
        prepare=_attached,
        ssh=True,
    ),
    Scenario(
        "there_early",
        ("remote.fetched", "remote.gone", "remote.room"),
        "script",
        {"target": "box", "script": "changes.py", "spare_client": True},
        prepare=_attached,
        after=_only_what_stayed_came,
        ssh=True,
    ),
    Scenario(
        "there_asked",
        ("remote.forget", "service.reply"),
        "script",
        {"target": "box", "script": "parent.py", "spare_client": True},
        prepare=_attached,
        ssh=True,
    ),
    Scenario(
        "there_built",
        ("far.builder", "far.install", "far.built"),
        "environment",
        {"target": "box", "spare_client": True},
        prepare=_attached_with_wheels,
        ssh=True,
    ),
    Scenario(
        "there_again",
        ("far.take_over",),
        "script",
        {"target": "box", "script": "short.py", "spare_client": True},
        prepare=_dead_link,
        after=_nothing_is_left_there,
        ssh=True,
    ),
    Scenario(
        "cleaned_there",
        ("far.clean",),
        "clean_there",
        prepare=_attached,
        recovery="clean_there+recover",
        ssh=True,
    ),
    Scenario(
        "abandoned",
        ("remote.abandon",),
        "abandon",
        prepare=_dead_machine,
        recovery="abandon+recover",
        ssh=True,
    ),
    Scenario(
        "attach",
        ("far.ask", "journal.append"),
        "attach",
        prepare=_to_attach,
        recovery="recover+attach",
        ssh=True,
    ),
    Scenario("registry", ("registry.write",), "open_workspace", after=_is_listed),
    Scenario("warm_parent", ("nurse.leave",), "leave"),
)
