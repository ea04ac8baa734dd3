"""`aml sweep`: what its verbs answer and refuse, on a sweep that a real service runs."""

from __future__ import annotations

from pathlib import Path

from cli.conftest import Aml

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.config.sweeps import GridParameterSampling, HyperDriveConfig, choice
from aml_jupyter.sdk import Experiment, Workspace
from aml_jupyter.service import wait_for_run
from aml_jupyter.workspace import WorkspaceFolder

SCRIPT = """
import sys
from azureml.core import Run
Run.get_context().log("loss", float(sys.argv[2]))
"""


def test_verbs_on_a_sweep(aml: Aml, folder: WorkspaceFolder, project: Path) -> None:
    assert "there is no sweep yet" in aml("sweep", "show", "last").err
    assert "no sweep yet" in aml("sweep", "list").out
    (project / "train.py").write_text(SCRIPT)
    space = GridParameterSampling({"--x": choice(3, 1, 2)})
    config = HyperDriveConfig(space, "loss", "minimize", 3, run_config=ScriptRunConfig(str(project), "train.py"))
    run = Experiment(Workspace(folder), "tuning").submit(config)
    assert wait_for_run(folder, run.id, timeout=60).status == "Completed"

    (listed,) = aml("sweep", "list", "--json").json
    assert (listed["id"], listed["status"], listed["best_value"]) == (run.id, "Completed", 1.0)
    assert run.id in aml("sweep", "list").out and "3 of 3" in aml("sweep", "list").out
    assert "best: no. 1, loss 1 (--x 1)" in aml("sweep", "show", "last").out
    assert aml("sweep", "best", "last").out == f"{run.id}_1\n"
    assert aml("sweep", "best", run.id, "--json").json["hyperparameters"] == {"--x": 1}

    for words, said in (
        (("pause", "last"), "has ended"),
        (("add", "last", "y=1"), "y: the sweep has no such parameter"),
        (("add", "last", "x"), "NAME=VALUE was expected"),
        (("extend", "last"), "Nothing to change was given"),
        (("extend", "last", "--max-runs", "2"), "is less than the 3 children"),
        (("extend", "last", "--space", "y=choice(1)"), "y: the sweep has no such parameter"),
        (("extend", "last", "--space", "x=choise(1)"), "did you mean choice"),
        (("show", f"{run.id}_0"), "is not a sweep"),
    ):
        outcome = aml("sweep", *words)
        assert outcome.code != 0 and said in outcome.err, words

    again = aml("sweep", "best", "last", "--resubmit").out.strip()
    assert wait_for_run(folder, again, timeout=60).status == "Completed"
    assert aml("run", "metrics", again, "--json").json["loss"] == 1.0
    assert "3 of 3" in aml("sweep", "show", "last").out  # it is none of the sweep's children

    after = aml("sweep", "extend", "last", "--max-runs", "5", "--space", "x=choice(4, 5)", "--json").json["id"]
    assert after != run.id and wait_for_run(folder, after, timeout=60).status == "Completed"
    (ended,) = (each for each in aml("sweep", "list", "--json").json if each["id"] == after)
    assert ended["best_value"] == 4.0 and "2 of 2" in aml("sweep", "show", after).out
