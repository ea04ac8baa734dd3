"""What scripts import beside ``azureml.core`` is there: 2017's logger, telemetry, widgets, and the real azureml-core."""

from __future__ import annotations

import json

import pytest
from real_packages import python_with_azureml_core
from supervisor.client.chart_bodies import BODIES
from supervisor.client.inrun import Attempt

import aml_jupyter
from aml_jupyter.supervisor import protocol
from aml_jupyter.supervisor.client import get_azureml_logger, get_context

BESIDE = """
from azureml.logging import get_azureml_logger
from azureml.telemetry import set_diagnostics_collection
from azureml.widgets import RunDetails
from azureml.core import Run
from azureml.exceptions import ActivityFailedException, ServiceException, UserErrorException

set_diagnostics_collection(send_diagnostics=True)
logger = get_azureml_logger()
logger.log("auc", 0.5)
logger.log("losses", [3, 2, 1])
RunDetails(Run.get_context()).show()
try:
    Run.get_context().input_datasets["prices"]
except KeyError as error:
    print("datasets are not built yet" in str(error))
print(dict(Run.get_context().input_datasets), dict(Run.get_context().output_datasets))
"""


def test_old_and_side_packages_import_in_a_run(attempt: Attempt) -> None:
    out = attempt.run(BESIDE, AML_REPLY_SECONDS="0.05")
    assert out == "Run exp_1_abcdef12: Running (aml run show exp_1_abcdef12)\nTrue\n{} {}\n"
    assert [(event["e"], event["n"], event["v"]) for event in attempt.events()] == [
        ("metric", "auc", 0.5),
        ("list", "losses", [3, 2, 1]),
    ]


def test_outside_a_run_the_logger_of_2017_keeps_in_memory() -> None:
    from azureml.logging import get_azureml_logger as again
    from azureml.telemetry import set_diagnostics_collection

    assert again is get_azureml_logger
    set_diagnostics_collection(send_diagnostics=False)
    again().log("from 2017", [1, 2])
    assert get_context().get_metrics("from 2017") == {"from 2017": [1, 2]}


@pytest.fixture(scope="session")
def real_core() -> str:
    """Return a Python with the real azureml-core 1.61."""
    return python_with_azureml_core()


def test_it_works_where_azureml_core_is_installed(attempt: Attempt, real_core: str) -> None:
    log = attempt.control / protocol.LOG
    log.parent.mkdir()
    log.write_text("printed\n")
    out = attempt.run(
        BESIDE
        + f"""
import json
import azureml.core
from azureml.core import Dataset, Environment, ScriptRunConfig
from azureml.core.conda_dependencies import CondaDependencies
from azureml.exceptions import TrainingException
run = Run.get_context()
run.log_confusion_matrix("matrix", {BODIES["confusion_matrix"]!r})
run.log_row("rows", a=1, b=2)
run.log_row("rows", a=3)
run.tag("kind", "real")
children = run.create_children(tag_key="lr", tag_values=["0.1", "0.2"])
for child in children:
    child.log("loss", 1.0)
    child.complete()
print(json.dumps([Run.__module__, Dataset.__module__, azureml.core.VERSION, run.get_tags(), run.get_metrics(populate=True),
                  [child.get_tags() for child in children], run.get_details_with_logs()["logFiles"]]))
print(run.get_all_logs("fetched"), open(run.get_all_logs("fetched")[0]).read())
""",
        real_core,
        AML_REPLY_SECONDS="0.05",
        HOME=str(attempt.work),
    )
    module, dataset, version, tags, metrics, children, logs = json.loads(out.splitlines()[3])
    assert (module, tags) == ("aml_supervisor.client.run", {"kind": "real"})
    assert dataset == "azureml.core.dataset" and version == aml_jupyter.__version__
    assert metrics["matrix"] == BODIES["confusion_matrix"]
    assert metrics["rows"] == {"a": [1, 3], "b": [2, None]} and metrics["losses"] == [3, 2, 1]
    assert children == [{"lr": "0.1"}, {"lr": "0.2"}]
    assert logs == {"user_logs/std_log.txt": "printed\n"}
    assert out.splitlines()[4].endswith("printed")
