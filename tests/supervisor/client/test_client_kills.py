"""A script killed anywhere in a request leaves whole files behind, and its question is carried out once at the most."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from supervisor.client.inrun import Attempt, Responder, record

from aml_jupyter.supervisor import protocol


@pytest.mark.faults
@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("point", ["client.request", "client.remove_request", "client.waiting"])
def test_killed_while_asking(
    attempt: Attempt, respond: Callable[..., Responder], tmp_path: Path, point: str, side: str
) -> None:
    token = tmp_path / "token"
    token.write_text("")
    responder = respond(
        submit_child=lambda args: record(id=args["id"]),
        wait=lambda args: record(id=args["id"], status="Completed"),
    )
    process = attempt.start(
        """
        from azureml.core import Run
        Run.get_context().submit_child({"script": "a.py"}).wait_for_completion()
        """,
        AML_FAULT_POINT=point,
        AML_FAULT_SIDE=side,
        AML_FAULT_TOKEN=str(token),
    )
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL and not token.exists()
    responder.close()
    submitted = [args["id"] for op, args in responder.asked if op == "submit_child"]
    assert len(submitted) <= 1
    assert len(submitted) == (point != "client.request") or side == "after"
    for folder in (protocol.REQUESTS, protocol.REPLIES):
        for path in (attempt.control / folder).glob("[!.]*.json"):
            assert protocol.read_json(str(path)) is not None
    left = [path.name for path in (attempt.control / protocol.REQUESTS).glob("[!.]*.json")]
    answered = [path.name for path in (attempt.control / protocol.REPLIES).glob("[!.]*.json")]
    assert set(left) <= set(answered) or point == "client.request", "nothing that was answered can be asked again"
