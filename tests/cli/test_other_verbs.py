from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_process import Engine

from aml_jupyter.workspace import WorkspaceFolder

from .conftest import Aml


def test_the_life_of_a_compute_instance(aml: Aml) -> None:
    assert (
        aml("compute", "create", "gpu-box", "--type", "computeinstance", "--max-parallel", "4", "--json").json[
            "settings"
        ]["max_parallel"]
        == 4
    )
    assert aml("compute", "list", "--json").json[0]["name"] in ("gpu-box", "local")
    assert aml("compute", "default", "gpu-box", "--json").json["default"] is True
    assert aml("submit", "--json", "train.py").json["target"] == "gpu-box"
    assert aml("compute", "update", "gpu-box", "--max-parallel", "2", "--json").json["settings"]["max_parallel"] == 2
    assert aml("compute", "update", "gpu-box", "--max-parallel", "0").code == 2
    assert aml("run", "wait", "last").code == 0
    for verb, state in (("stop", "Stopped"), ("start", "Running"), ("restart", "Running"), ("delete", "Deleted")):
        assert aml("compute", verb, "gpu-box", "--json").json["provisioning_state"] == state
    assert [row["name"] for row in aml("compute", "list", "--json").json] == ["local"]
    assert aml("compute", "delete", "local").code == 2


def test_a_command_tells_what_the_engine_of_a_target_says(own_engine: Callable[..., Engine], project: Path) -> None:
    engine = own_engine()
    program = "import sys; from aml_jupyter.cli.main import entry; sys.exit(entry())"

    def said_by(*words: str) -> dict[str, Any]:
        command = [sys.executable, "-c", program, "compute", *words, "--json"]  # in a process that was never answered
        return dict(json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout))

    made = said_by("create", "box", "--type", "docker")
    assert made["problems"] == [] and made["free_slots"] == made["slots"] > 0
    engine.kill()
    shown = said_by("show", "box")
    assert "No Docker engine is running" in shown["problems"][0] and shown["free_slots"] == 0


def test_sdk_v1s_order_of_words(aml: Aml) -> None:
    outcome = aml("computetarget", "create", "computeinstance", "--name", "gpu-box", "--json")
    assert outcome.json["type"] == "computeinstance"
    outcome = aml(
        "computetarget", "create", "amlcompute", "--name", "cpu-cluster", "--vm-size", "NC6", "--max-nodes", "5"
    )
    assert outcome.code == 2 and "amlcompute" in outcome.err


def test_kinds_need_no_workspace(aml: Aml, tmp_path: Path) -> None:
    assert "computeinstance" in {row["type"] for row in aml("compute", "kinds", "--json").json}
    assert not (tmp_path / "workspace").exists()


def test_experiments(aml: Aml) -> None:
    assert aml("experiment", "create", "-n", "digits", "--json").json["name"] == "digits"
    assert aml("experiment", "create", "digits").code == 0
    assert [row["name"] for row in aml("experiment", "list", "--json").json] == ["digits"]


def test_a_snapshot_and_what_changed_since(aml: Aml, project: Path) -> None:
    (project / ".amlignore").write_text("*.tmp\n")
    (project / "x.tmp").write_text("x")
    found = aml("snapshot", "--json").json
    assert found["files"] == 2 and found["ignored"][0]["rule"] == ".amlignore:1: *.tmp"
    aml("submit", "train.py")
    (project / "train.py").write_text("print()")
    assert "train.py" in aml("snapshot", "--diff", "last").out
    assert aml("snapshot", "--diff", "last", "--json").json["changed"][0]["name"] == "train.py"


def test_the_workspace_names_its_service(aml: Aml, tmp_path: Path) -> None:
    assert aml("submit", "--wait", "train.py").code == 0
    service = aml("workspace", "show", "--json").json["service"]
    assert service["state"] == "running" and os.path.exists(f"/proc/{service['pid']}")
    assert service["epoch"] == 1 and service["version"] and service["host"]
    assert aml("serve", "--status", "--json").json["pid"] == service["pid"]
    second = aml("serve")
    assert second.code == 0 and f"pid {service['pid']} works on" in second.err
    assert aml("serve", "--stop").out == "stopped\n"
    assert aml("serve", "--status").code == 1
    assert aml("serve", "--stop", "--json").json == {"stopped": False}


def test_verify_and_rebuild(aml: Aml, tmp_path: Path) -> None:
    run_id = aml("submit", "--wait", "train.py").out.splitlines()[0]
    assert aml("serve", "--stop").code == 0
    assert aml("workspace", "verify", "--json").json["problems"] == []
    for name in ("aml.db", "aml.db-wal", "aml.db-shm"):
        (tmp_path / "workspace" / name).unlink(missing_ok=True)
    assert aml("workspace", "rebuild").code == 0
    assert [row["id"] for row in aml("run", "list", "--json").json] == [run_id]


def test_workspaces_are_created_and_listed(aml: Aml, tmp_path: Path) -> None:
    assert aml("workspace", "create", tmp_path / "team", "--name", "team", "--json").json["name"] == "team"
    assert aml("workspace", "create", "--name", "mine").code == 0
    assert {row["name"] for row in aml("workspace", "list", "--json").json} == {"team", "mine"}
    assert aml("workspace", "show", "--workspace", "team", "--json").json["root"] == str(tmp_path / "team")
    assert aml("workspace", "create").code == 2


def test_takeover_of_a_workspace_that_nobody_serves(aml: Aml, folder: WorkspaceFolder) -> None:
    from aml_jupyter.workspace import current_lease, take_epoch

    with folder.store.transaction() as tx:
        take_epoch(
            tx, {"pid": 1, "start_time": "1", "host": "gone-host", "boot_id": "x", "version": "0", "started": 1.0}
        )
    taken = aml("workspace", "takeover")
    assert taken.code == 0 and "nothing had to be taken over" not in taken.err
    lease = current_lease(folder.store.read())
    assert lease is not None and lease["epoch"] == 2 and lease["host"] != "gone-host"
    assert aml("submit", "--wait", "train.py").code == 0
    assert "nothing had to be taken over" in aml("workspace", "takeover").err


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_reading_verbs_work_on_a_read_only_workspace_without_a_service(aml: Aml, tmp_path: Path) -> None:
    run_id = aml("submit", "--wait", "train.py").out.splitlines()[0]
    assert aml("serve", "--stop").code == 0
    lines = [["run", "list"], ["run", "show", run_id], ["run", "logs", run_id], ["run", "logs", "-f", run_id],
             ["run", "metrics", run_id], ["compute", "list"], ["experiment", "list"], ["workspace", "show"]]  # fmt: skip
    shutil.copytree(tmp_path / "workspace", tmp_path / "copy")
    private = [path for path in (tmp_path, *tmp_path.parents) if path.stat().st_mode & 0o055 != 0o055]
    for path in private:
        path.chmod(path.stat().st_mode | 0o055)
    subprocess.run(["chmod", "-R", "a+rX,a-w", str(tmp_path / "workspace")], check=True)
    program = (
        "import os, sys\nfrom aml_jupyter.cli.main import main\n"
        f"def read(place): return max(main([*line, '--workspace', place]) for line in {lines!r})\n"
        # the other user may not be able to import: everything is loaded before
        f"code = read({str(tmp_path / 'copy')!r})\nprint('as another user')\n"
        "os.setgroups([])\nos.setgid(65534)\nos.setuid(65534)\n"
        f"sys.exit(code or read({str(tmp_path / 'workspace')!r}))"
    )
    environment = {**os.environ, "AML_USER_DATA": str(tmp_path / "other-data")}
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env=environment)
    assert ended.returncode == 0, ended.stderr
    shown = ended.stdout.partition("as another user")[2]
    assert run_id in shown and "arguments []" in shown
    assert aml("serve", "--status").code == 1


def test_a_projects_config_is_found_by_every_verb(aml: Aml, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from aml_jupyter import Workspace

    monkeypatch.delenv("AML_WORKSPACE")
    (project / "config.json").write_text('{"workspace_name": "team"}')
    ws = Workspace.from_config()
    assert aml("workspace", "show", "--json").json["id"] == ws.folder.id
    assert aml("experiment", "create", "-n", "digits").code == 0
    assert list(ws.experiments) == ["digits"]
    assert aml("workspace", "rebuild").code == 0
    assert (ws.folder.root / "aml.db").exists() and list(ws.folder.root.glob("aml.db.before-rebuild-*"))
