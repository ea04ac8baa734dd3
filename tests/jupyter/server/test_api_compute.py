"""Compute targets, kinds, experiments and workspaces over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aml_jupyter.workspace import WorkspaceFolder

COMPUTE = "workspaces/default/compute"


async def test_an_instance_is_created_changed_stopped_started_and_deleted(api: Any) -> None:
    code, made = await api(COMPUTE, "POST", {"name": "ci-box", "settings": {"max_parallel": 2}})
    assert (code, made["target"]["name"], made["target"]["provisioning_state"]) == (201, "ci-box", "Running")
    code, stopped = await api(f"{COMPUTE}/ci-box/stop", "POST")
    assert (code, stopped["target"]["provisioning_state"]) == (202, "Stopped")
    code, started = await api(f"{COMPUTE}/ci-box/start", "POST")
    assert started["target"]["provisioning_state"] == "Running"
    code, changed = await api(f"{COMPUTE}/ci-box", "PATCH", {"settings": {"max_parallel": 3}, "default": True})
    assert code == 200
    assert changed["target"]["settings"]["max_parallel"] == 3
    code, _ = await api(f"{COMPUTE}/ci-box", "DELETE")
    assert code == 202
    _, listed = await api(COMPUTE)
    assert [row["name"] for row in listed["compute"]] == ["local"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"type": "computeinstance"}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "ci-box", "type": "quantum"}, "type"),
        ({"name": "ci-box", "settings": {"max_parallel": 0}}, "max_parallel"),
        ({"name": "ci-box", "settings": {"colour": "red"}}, "colour"),
    ],
)
async def test_a_bad_target_is_refused_by_the_fields_name(api: Any, body: dict[str, Any], field: str) -> None:
    code, answer = await api(COMPUTE, "POST", body)
    assert (code, answer["field"]) == (400, field)


async def test_local_cannot_be_deleted(api: Any) -> None:
    code, answer = await api(f"{COMPUTE}/local", "DELETE")
    assert code == 400
    assert "local" in answer["message"]


async def test_the_rest_of_the_workspace_is_shown(api: Any, folder: WorkspaceFolder, submit_script: Any) -> None:
    submit_script("pass")
    for path, key in (("experiments", "experiments"), ("kinds", "kinds"), ("service", "service")):
        code, answer = await api(f"workspaces/{folder.id}/{path}")
        assert code == 200
        assert answer["workspace"] == folder.id
        assert answer[key]
    _, answer = await api("workspaces")
    assert answer["default"] == folder.id
    assert folder.id in {row["id"] for row in answer["workspaces"]}
    _, answer = await api("workspaces/default")
    assert answer["details"]["name"] == folder.name
    code, answer = await api("health")
    assert (code, answer["status"]) == (200, "ok")


async def test_a_machine_is_attached_tested_and_detached(api: Any, ssh_server: Any, tmp_path: Path) -> None:
    server = ssh_server()
    settings = {"address": server.address, "ssh_key": str(server.key), "base_folder": str(tmp_path / "base")}
    body = {"name": "far-box", "settings": settings}
    code, refused = await api("workspaces/default/attached", "POST", body)
    assert 400 <= code < 600 and server.fingerprint in refused["message"], "nobody vouches for the host's key"
    body["settings"]["fingerprint"] = server.fingerprint
    code, made = await api("workspaces/default/attached", "POST", body)
    assert (code, made["target"]["provisioning_state"], made["target"]["attached"]) == (201, "Succeeded", True)
    code, tested = await api(f"{COMPUTE}/far-box/test", "POST")
    assert (code, tested["target"]["problems"]) == (202, [])
    code, _ = await api(f"{COMPUTE}/local/test", "POST")
    assert code == 400
    code, changed = await api(f"{COMPUTE}/far-box", "PATCH", {"settings": {"max_parallel": 1}})
    assert (code, changed["target"]["settings"]["max_parallel"]) == (200, 1)
    code, _ = await api(f"{COMPUTE}/far-box", "DELETE")
    assert code == 202
