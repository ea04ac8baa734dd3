"""MLflow, as it is installed, logs into the run that its script belongs to; from outside it reads the workspace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from real_packages import python_with

from aml_jupyter import Environment, Experiment, Model, Run, ScriptRunConfig, Workspace

pytestmark = pytest.mark.slow

PINNED = {"2": "mlflow==2.22.5", "3": "mlflow==3.17.2"}
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet", "MLFLOW_ENABLE_ASYNC_LOGGING": "false"}

TRAIN = """
import os, sys
import mlflow
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

mlflow.set_experiment("another")
mlflow.sklearn.autolog()
X, y = load_digits(return_X_y=True)
with mlflow.start_run(run_name="fitted") as active:
    assert active.info.run_id == os.environ["AML_RUN_ID"]
    model = LogisticRegression(max_iter=20).fit(X, y)
    for step in range(3):
        mlflow.log_metric("loss", 1 / (step + 1), step=step * 10)
    mlflow.log_metrics({"a": 1.5, "b": 2})
    mlflow.log_params({"layers": 3})
    mlflow.set_tag("colour", "blue")
    mlflow.log_text("hello", "notes/hello.txt")
    mlflow.log_dict({"x": 1}, "settings.json")
    for number in range(2):
        with mlflow.start_run(nested=True, run_name=f"child {number}") as child:
            mlflow.log_metric("loss", number)
            mlflow.log_param("number", number)
    client = mlflow.MlflowClient()
    assert [point.step for point in client.get_metric_history(active.info.run_id, "loss")] == [0, 10, 20]
    assert client.get_run(active.info.run_id).data.params["layers"] == "3"
    assert len(mlflow.search_runs(filter_string="params.number = '1'", search_all_experiments=True)) == 1
    try:
        mlflow.log_param("layers", 4)
    except mlflow.exceptions.MlflowException:
        pass
    else:
        sys.exit("a parameter was changed")
print(sorted(os.listdir(".")))
"""


@pytest.fixture(params=sorted(PINNED))
def python(request: pytest.FixtureRequest) -> str:
    version = PINNED[request.param]
    return python_with(
        f"mlflow-{request.param}", version, "scikit-learn==1.6.1", "sqlalchemy<2.1", check="import mlflow, sklearn"
    )


@pytest.fixture
def submit(python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    monkeypatch.setenv("AML_WORKSPACE", str(tmp_path / "workspace"))

    def submit_text(text: str, **variables: str) -> Run:
        project = tmp_path / "project"
        project.mkdir(exist_ok=True)
        (project / "train.py").write_text(text)
        environment = Environment("mlflow")
        environment.python.user_managed_dependencies = True
        environment.python.interpreter_path = python
        config = ScriptRunConfig(str(project), script="train.py", environment=environment)
        config.run_config.environment_variables = {**QUIET, **variables}
        run = Experiment(Workspace.from_config(), "digits").submit(config)
        run.wait_for_completion(raise_on_error=False)
        return run

    return submit_text


def shown(run: Run) -> Any:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("aml")), "run", "show", run.id, "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_autologging_and_the_fluent_interface_are_tracked_with_nothing_configured(
    submit: Callable[..., Run], python: str, tmp_path: Path
) -> None:
    run = submit(TRAIN)
    found = shown(run)
    log = run.get_details_with_logs()["logFiles"]["user_logs/std_log.txt"]
    assert found["status"] == "Completed", log
    assert found["display_name"] == "fitted"
    assert found["metrics"]["training_accuracy_score"] > 0.9
    assert found["metrics"]["loss"] == [1, 0.5, pytest.approx(1 / 3)] and found["metrics"]["b"] == 2
    assert found["parameters"]["max_iter"] == "20" and found["parameters"]["layers"] == "3"
    assert found["tags"]["colour"] == "blue" and found["tags"]["estimator_name"] == "LogisticRegression"
    names = {output["name"] for output in found["outputs"]}
    assert {"model/MLmodel", "notes/hello.txt", "settings.json"} <= names
    assert len(found["children"]) == 2
    children = [shown(child) for child in run.get_children()]
    assert {child["display_name"] for child in children} == {"child 0", "child 1"}
    assert {child["parameters"]["number"] for child in children} == {"0", "1"}
    assert {child["status"] for child in children} == {"Completed"}
    assert "another" in log and "has no effect" in log
    assert "mlruns" not in log and "mlflow.db" not in log


REGISTER = """
import mlflow
from sklearn.dummy import DummyClassifier

model = DummyClassifier().fit([[0], [1]], [1, 1])
with mlflow.start_run() as active:
    mlflow.sklearn.log_model(model, "model", registered_model_name="digits")
    mlflow.log_text("weights", "plain/model.txt")
    open("more.txt", "w").write("more")
client = mlflow.MlflowClient()
(newest,) = client.get_latest_versions("digits")
assert (newest.name, newest.version, newest.run_id) == ("digits", "1", active.info.run_id), newest
client.set_model_version_tag("digits", "1", "stage", "try")
client.update_model_version("digits", "1", "first one")
assert client.get_model_version("digits", "1").tags == {"stage": "try"}
assert mlflow.sklearn.load_model("models:/digits/1").predict([[5]])[0] == 1
second = client.create_model_version("digits", "more.txt", tags={"a": 1})
assert second.version == "2"
assert [found.version for found in client.search_model_versions("name='digits'")] == ["2", "1"]
assert client.get_registered_model("digits").latest_versions[0].version == "2"
client.delete_model_version("digits", "2")
for refused in (
    lambda: client.set_registered_model_alias("digits", "best", "1"),
    lambda: client.rename_registered_model("digits", "letters"),
    lambda: client.get_model_version("digits", "7"),
    lambda: client.get_registered_model("letters"),
    lambda: client.search_model_versions("run_id='x'"),
    lambda: client.create_model_version("digits", "nosuch.txt"),
    lambda: client.create_model_version("digits", "s3://bucket/model"),
):
    try:
        refused()
    except mlflow.exceptions.MlflowException as error:
        print("refused:", str(error).splitlines()[0])
    else:
        raise SystemExit("something that the registry does not have was done")
"""


def test_models_are_registered_in_the_workspace(submit: Callable[..., Run], tmp_path: Path) -> None:
    run = submit(REGISTER)
    log = run.get_details_with_logs()["logFiles"]["user_logs/std_log.txt"]
    assert run.get_status() == "Completed", log
    assert log.count("refused:") == 7 and "has no such thing" in log
    (model,) = Model.list(run.workspace)
    assert (model.id, model.tags, model.description) == ("digits:1", {"stage": "try"}, "first one")
    assert model.run == run
    assert (Path(model.download(str(tmp_path / "got"))) / "MLmodel").is_file()


def test_a_tracking_uri_of_the_script_s_own_is_respected(submit: Callable[..., Run], tmp_path: Path) -> None:
    own = tmp_path / "own.db"
    text = "import mlflow\nmlflow.log_metric('x', 1)\n"
    by_call = submit(f"import mlflow\nmlflow.set_tracking_uri('sqlite:///{own}')\n{text}")
    by_variable = submit(text, MLFLOW_TRACKING_URI=f"sqlite:///{own}")
    for run in (by_call, by_variable):
        log = run.get_details_with_logs()["logFiles"]["user_logs/std_log.txt"]
        assert run.get_status() == "Completed" and run.get_metrics() == {}, log
    assert own.exists()


def test_a_failing_script_ends_as_its_process_does(submit: Callable[..., Run]) -> None:
    run = submit("import mlflow\nwith mlflow.start_run():\n    mlflow.log_metric('x', 1)\n    raise SystemExit(3)\n")
    assert run.get_status() == "Failed" and run.get_metrics() == {"x": 1}


OUTSIDE = """
import json, sys, mlflow
client = mlflow.MlflowClient(tracking_uri=sys.argv[1])
(experiment,) = client.search_experiments()
best = client.search_runs([experiment.experiment_id], "metrics.x > 1", order_by=["metrics.x DESC"])[0]
history = client.get_metric_history(best.info.run_id, "x")
files = [file.path for file in client.list_artifacts(best.info.run_id)]
inner = [file.path for file in client.list_artifacts(best.info.run_id, "deep")]
text = open(client.download_artifacts(best.info.run_id, "deep/note.txt")).read()
try:
    client.log_metric(best.info.run_id, "x", 5)
    refused = ""
except mlflow.exceptions.MlflowException as error:
    refused = str(error)
print(json.dumps([experiment.name, best.data.params, best.data.tags["colour"], best.info.status,
    [[point.value, point.step] for point in history], files, inner, text, refused]))
"""


def test_the_history_is_read_from_outside(submit: Callable[..., Run], python: str, tmp_path: Path) -> None:
    text = (
        "import mlflow, sys\nmlflow.log_param('lr', 0.1)\nmlflow.set_tag('colour', 'green')\n"
        "for step in range(3): mlflow.log_metric('x', step + {0}, step=step)\nmlflow.log_text('n{0}', 'deep/note.txt')\n"
    )
    submit(text.format(-5))
    submit(text.format(10))
    # the reader has mlflow and aml-jupyter, as a user's own environment has
    places = [str(path) for path in Path(python).parents[1].glob("lib/*/site-packages")]
    own = [entry for entry in sys.path if entry.endswith("site-packages")]
    environment = {**os.environ, **QUIET, "PYTHONPATH": os.pathsep.join([*places, *own])}
    uri = Workspace.from_config().get_mlflow_tracking_uri()
    done = subprocess.run([python, "-c", OUTSIDE, uri], env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    name, params, colour, status, history, files, inner, note, refused = json.loads(done.stdout.splitlines()[-1])
    assert (name, params, colour, status) == ("digits", {"lr": "0.1"}, "green", "FINISHED")
    assert history == [[10.0, 0], [11.0, 1], [12.0, 2]]
    assert "deep" in files and inner == ["deep/note.txt"] and note == "n10"
    assert "read-only" in refused
