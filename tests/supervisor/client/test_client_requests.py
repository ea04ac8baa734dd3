"""A run asks the service: questions are answered once, refusals have their class, silence has a bound."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from supervisor.client.inrun import Attempt, Responder, record

from aml_jupyter.supervisor import protocol
from aml_jupyter.supervisor.client import RunEnvironmentException, UserErrorException
from aml_jupyter.supervisor.client.requests import NoAnswer, Requests
from aml_jupyter.supervisor.client.submission import config_fields, new_run_id

Respond = Callable[..., Responder]


def test_what_the_service_knows_of_the_run(attempt: Attempt, respond: Respond) -> None:
    respond(
        get_run=lambda args: record(id=args["id"], parent="exp_0_parent", tags={"a": "1"}, properties={"p": "1"}),
        get_workspace=lambda args: {"id": "w", "name": "lab", "location": "here", "resource_group": "g"},
    )
    out = attempt.run(
        """
        import json
        from azureml.core import Run, Workspace
        run = Run.get_context()
        assert run is Run.get_context()
        ws = run.experiment.workspace
        print(json.dumps([run.id, run.number, run.display_name, run.status, run.tags, run.properties, run.parent.id,
                          run.experiment.name, ws.name, ws.location, Workspace.from_config().name,
                          run.get_details()["startTimeUtc"], run.get_details()["runDefinition"]]))
        """
    )
    assert json.loads(out) == [
        "exp_1_abcdef12",
        7,
        "first try",
        "Running",
        {"a": "1"},
        {"p": "1"},
        "exp_0_parent",
        "exp",
        "lab",
        "here",
        "lab",
        "2023-11-14T22:13:21.500000Z",
        {"script": "train.py"},
    ]


def test_metrics_are_asked_for_after_all_that_was_logged(attempt: Attempt, respond: Respond) -> None:
    def metrics(args: dict[str, Any]) -> dict[str, Any]:
        for name, size in args["after"].items():
            assert (attempt.control / protocol.EVENTS / name).stat().st_size >= size
        return {"count": len([event for event in attempt.events() if event["e"] == "metric"]), "loss": float("nan")}

    respond(get_metrics=metrics)
    out = attempt.run(
        """
        from azureml.core import Run
        run = Run.get_context()
        for i in range(10):
            run.log("loss", i)
        print(run.get_metrics())
        """
    )
    assert out == "{'count': 10, 'loss': nan}\n"


def test_without_a_service_the_attempts_own_files_answer(attempt: Attempt) -> None:
    out = attempt.run(
        """
        import os
        from azureml.core import Run
        run = Run.get_context()
        if os.fork() == 0:
            run.log("loss", 1)
            os._exit(0)
        os.wait()
        run.log("loss", 2); run.tag("k", "v")
        child = run.child_run("c"); child.log("x", 3)
        print(run.get_metrics(), run.get_tags(), run.get_metrics(recursive=True) == {run.id: run.get_metrics(),
              child.id: {"x": 3}}, [entry.id for entry in run.get_children()] == [child.id], run.status)
        """,
        AML_REPLY_SECONDS="0.1",
    )
    assert out == "{'loss': [1, 2]} {'k': 'v'} True True Running\n"
    assert "no service answered within 0.1 s; these metrics are what this attempt itself has written" in attempt.stderr


def test_a_child_is_submitted_waited_for_and_read(attempt: Attempt, respond: Respond) -> None:
    waits = iter(["Running", "Completed"])
    responder = respond(
        submit_child=lambda args: record(id=args["id"], parent=args["parent"]),
        wait=lambda args: record(id=args["id"], status=next(waits)),
        get_run=lambda args: record(id=args["id"], status="Completed"),
        get_metrics=lambda args: {"auc": 0.9},
    )
    out = attempt.run(
        """
        import os
        from azureml.core import Run
        run = Run.get_context()
        child = run.submit_child({"script": "fold.py", "arguments": ["--lr", 0.1]}, tags={"fold": "1"})
        details = child.wait_for_completion(show_output=True)
        print(child.id.startswith("exp_"), details["status"], child.get_metrics(), os.listdir(
            os.path.join(os.environ["AML_CONTROL"], "waiting")))
        """
    )
    assert out.splitlines()[1:] == ["Running", "Completed", "True Completed {'auc': 0.9} []"]
    op, args = responder.asked[0]
    assert (op, args["parent"], args["tags"]) == ("submit_child", "exp_1_abcdef12", {"fold": "1"})
    assert args["config"] == {
        "script": "fold.py",
        "arguments": ["--lr", "0.1"],
        "source_directory": str(attempt.work.resolve()),
    }
    assert not list((attempt.control / protocol.REQUESTS).iterdir())
    assert not list((attempt.control / protocol.REPLIES).iterdir())


def test_a_failed_child_raises_with_its_error(attempt: Attempt, respond: Respond) -> None:
    respond(wait=lambda args: record(id=args["id"], status="Failed", error="exit code 3"))
    out = attempt.run(
        """
        from azureml.core.run import Run
        from azureml.exceptions import ActivityFailedException, UserErrorException
        child = Run(None, "exp_2_child")
        try:
            child.wait_for_completion()
        except ActivityFailedException as error:
            print(error)
        try:
            Run.get_context().wait_for_completion()
        except UserErrorException as error:
            print(error)
        """
    )
    assert out == "run exp_2_child failed: exit code 3\nrun exp_1_abcdef12 cannot wait for its own end\n"


def test_the_slot_is_given_up_while_waiting_and_taken_back(attempt: Attempt, respond: Respond) -> None:
    waiting = attempt.control / protocol.WAITING
    (attempt.control / protocol.HEARTBEAT).write_text("")
    seen: list[str] = []

    def wait(args: dict[str, Any]) -> dict[str, Any]:
        seen.extend(path.name for path in waiting.iterdir())
        return record(id=args["id"], status="Completed")

    respond(wait=wait, get_run=lambda args: record(id=args["id"], status="Completed"))
    process = attempt.start(
        """
        from azureml.core import Run
        Run(None, "exp_2_child").wait_for_completion()
        print("goes on")
        """
    )
    for _ in range(3000):
        if seen and not (waiting / seen[0]).exists():
            break
        threading.Event().wait(0.01)
    assert seen == [str(process.pid)]
    assert process.poll() is None, "it has to wait until the supervisor holds the slot again"
    (waiting / (seen[0] + ".go")).write_text("")
    out, err = process.communicate(timeout=30)
    assert out == "goes on\n", err
    assert not list(waiting.iterdir())


def test_refusals_have_the_class_that_the_service_names(attempt: Attempt, respond: Respond) -> None:
    def refuse(args: dict[str, Any]) -> None:
        raise UserErrorException("run 'nope' is not known")

    respond(get_run=refuse)
    out = attempt.run(
        """
        from azureml.core import Run
        from azureml.exceptions import UserErrorException
        try:
            Run.get(None, "nope")
        except UserErrorException as error:
            print(error)
        """
    )
    assert out == "run 'nope' is not known\n"


def test_properties_cannot_be_changed(attempt: Attempt, respond: Respond) -> None:
    respond(get_run=lambda args: record(properties={"set": "before"}))
    out = attempt.run(
        """
        from azureml.core import Run
        from azureml.exceptions import UserErrorException
        run = Run.get_context()
        run.add_properties({"set": "before", "new": "1"})
        try:
            run.add_properties({"other": "1", "set": "after"})
        except UserErrorException as error:
            print(error)
        """
    )
    assert "immutable" in out
    assert [(event["k"], event["v"]) for event in attempt.of_kind("property")] == [("new", "1")]


def test_cancelling_oneself_only_warns(attempt: Attempt) -> None:
    attempt.run(
        """
        from azureml.core import Run
        with Run.get_context() as run:
            run.cancel()
        """
    )
    assert "does nothing" in attempt.stderr and attempt.events() == []


def test_silence_has_a_bound_and_the_question_is_withdrawn(tmp_path: Path) -> None:
    with pytest.raises(NoAnswer, match=r"did not answer 'cancel' within 0.05 s.*aml serve"):
        Requests(str(tmp_path)).ask("cancel", {"id": "x"}, 0.05)
    assert not list((tmp_path / protocol.REQUESTS).iterdir())


def test_the_services_socket_is_poked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(os.environ["AML_RUNTIME"]) / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        server.listen(1)
        monkeypatch.setenv("AML_WAKE", str(path))
        with pytest.raises(NoAnswer):
            Requests(str(tmp_path)).ask("cancel", {}, 0.01)
        connection, _ = server.accept()
        with connection:
            assert json.loads(connection.recv(100)) == {"op": "wake"}


def test_handles_need_a_run_to_ask_from() -> None:
    from aml_jupyter.supervisor.client import Run, Workspace

    with pytest.raises(RunEnvironmentException, match="not a submitted run"):
        Run(None, "exp_1_a").get_status()
    with pytest.raises(RunEnvironmentException, match="not a submitted run"):
        Workspace.from_config().name


def test_a_configuration_becomes_fields() -> None:
    class Target:
        name = "gpu-box"

    class Config:
        script = "train.py"
        source_directory = "src"
        arguments = ("--n", 3)
        compute_target = Target()
        command = None

    fields = config_fields(Config())
    assert fields == {
        "script": "train.py",
        "source_directory": os.path.abspath("src"),
        "arguments": ["--n", "3"],
        "target": "gpu-box",
    }
    with pytest.raises(UserErrorException, match="neither script nor command"):
        config_fields({"arguments": []})
    with pytest.raises(UserErrorException, match="a HyperDriveConfig cannot be submitted from inside a run"):
        config_fields(type("HyperDriveConfig", (), {})())
    with pytest.raises(UserErrorException, match="cannot be sent"):
        config_fields({"script": "a", "environment": {"x": object()}})
    assert new_run_id("größe " + "x" * 50).startswith("gre" + "x" * 37 + "_")


def test_what_only_the_own_run_can_do_says_so(attempt: Attempt, respond: Respond) -> None:
    respond(get_run=lambda args: record(id=args["id"], parent="exp_0_parent"))
    out = attempt.run(
        """
        from azureml.core import Run
        for name in ("log", "log_list", "upload_file", "child_run"):
            try:
                getattr(Run.get_context().parent, name)
            except AttributeError as error:
                print(error)
        """
    )
    lines = out.splitlines()
    assert len(lines) == 4
    assert lines[0].endswith(
        "another run than the script's own, and only a run itself can do that. Use Run.get_context().log"
    )
