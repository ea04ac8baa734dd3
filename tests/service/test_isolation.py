"""What is wrong with one run is that run's alone."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from support import Submit, log_of

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.errors import UserErrorException
from aml_jupyter.service import SubmitRequest, submit, wait_for_run
from aml_jupyter.workspace import RunRecord, WorkspaceFolder, find_runs, new_run_id

POISON = """
import json, os, time
path = os.path.join(os.environ["AML_CONTROL"], "attempt.json")
attempt = json.load(open(path))
attempt["host"] = {"not": "a name"}
json.dump(attempt, open(path + ".new", "w"))
os.replace(path + ".new", path)
time.sleep(0.5)
"""


def test_a_run_whose_end_cannot_be_written_fails_alone(folder: WorkspaceFolder, submit_script: Submit) -> None:
    bad = submit_script(POISON)
    good = [submit_script(f"print({number})", name=f"good{number}.py") for number in range(4)]
    for number, run in enumerate(good):
        done = wait_for_run(folder, run.id, timeout=30)
        assert done.status == "Completed" and log_of(folder, run.id) == f"{number}\n"
    ended = wait_for_run(folder, bad.id, timeout=60)
    assert ended.status == "Failed" and ended.error is not None
    assert "could not be written down" in ended.error["message"] and "UserErrorException" in ended.error["message"]


def test_a_script_that_removes_its_attempt_is_not_started_twice(
    folder: WorkspaceFolder, submit_script: Submit, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    run = submit_script(
        "import os, time\n"
        "os.unlink(os.path.join(os.environ['AML_CONTROL'], 'attempt.json'))\n"
        f"open({str(ledger)!r}, 'a').write('started\\n')\n"
        "time.sleep(600)\n"
    )
    done = wait_for_run(folder, run.id, timeout=60)
    assert done.status == "Failed"  # its supervisor was told to end it
    assert ledger.read_text() == "started\n"


def test_of_two_submits_of_one_id_at_once_one_wins(folder: WorkspaceFolder, project: Path) -> None:
    chosen = new_run_id("tests")
    (project / "train.py").write_text("import sys; print(sys.argv[1:])")
    outcomes: list[RunRecord | str] = []
    together = threading.Barrier(4)

    def submit_one(number: int) -> None:
        own = WorkspaceFolder.open(folder.root)
        config = ScriptRunConfig(str(project), script="train.py", arguments=[number % 2])
        together.wait()
        try:
            outcomes.append(submit(own, SubmitRequest(config, "tests", run_id=chosen)).run)
        except UserErrorException as error:
            outcomes.append(error.message)
        finally:
            own.close()

    threads = [threading.Thread(target=submit_one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    accepted = [outcome for outcome in outcomes if not isinstance(outcome, str)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert len(accepted) == 2 and {run.id for run in accepted} == {chosen}
    assert all("is taken by another run (arguments differs)" in message for message in refused) and len(refused) == 2
    assert [run.id for run in find_runs(folder.store.read())] == [chosen]
    done = wait_for_run(folder, chosen, timeout=60)
    assert log_of(folder, chosen).strip() == repr([str(argument) for argument in done.definition["arguments"]])


def test_a_chosen_id_submitted_again_is_the_same_run(folder: WorkspaceFolder, submit_script: Submit) -> None:
    chosen = new_run_id("tests")
    first = submit_script("print(1)", run_id=chosen)
    assert submit_script("print(1)", run_id=chosen).id == first.id
    with pytest.raises(UserErrorException, match="snapshot differs"):
        submit_script("print(2)", run_id=chosen)
