"""Models are registered, found, changed, fetched and deleted as SDK v1's notebooks do it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from aml_jupyter import Experiment, Model, ModelException, Run, UserErrorException, Workspace

TRAIN = """
import os
os.makedirs("outputs/net", exist_ok=True)
open("outputs/model.txt", "w").write("the model")
open("outputs/net/a.txt", "w").write("a")
"""


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.txt").write_text("w")
    return tmp_path / "weights.txt"


def test_a_model_from_its_registration_to_its_end(ws: Workspace, weights: Path) -> None:
    first = Model.register(
        workspace=ws,
        model_path="weights.txt",
        model_name="net",
        tags={"area": "digits", "n": 3},
        properties={"p": "1"},
        description="first",
        model_framework=Model.Framework.SCIKITLEARN,
        model_framework_version="1.5",
    )
    second = Model.register(ws, str(weights), "net")
    assert (first.id, first.version, first.tags) == ("net:1", 1, {"area": "digits", "n": "3"})
    assert (first.description, first.model_framework, first.model_framework_version) == ("first", "ScikitLearn", "1.5")
    assert first.created_time.tzinfo is not None and first.run is None and second.model_framework == "Custom"
    assert Model(ws, "net") == Model(ws, id="net:2") == second and Model(ws, "net", version=1) == first
    assert Model(ws, name="net", tags=[["area", "digits"]]) == first and Model(ws, "net", properties=["p"]) == first
    assert Model.list(ws) == [second, first] and Model.list(ws, latest=True) == [second]
    assert Model.list(ws, tags=["area", ["n", "3"]]) == [first] and Model.list(ws, name="other") == []
    assert dict(ws.models) == {"net": second}

    first.add_tags({"more": 1})
    first.remove_tags(["area"])
    assert Model(ws, "net", version=1).tags == {"n": "3", "more": "1"}
    first.update(tags={"only": "this"}, description="changed")
    first.add_properties({"q": "2"})
    again = Model(ws, "net", version=1)
    assert (again.tags, again.description, again.properties) == ({"only": "this"}, "changed", {"p": "1", "q": "2"})
    with pytest.raises(UserErrorException, match="properties are immutable"):
        first.add_properties({"p": "2"})

    assert Path(first.download("got")).read_text() == "w"
    with pytest.raises(ModelException, match="is there already"):
        first.download("got")
    assert first.download("got", exist_ok=True) == str(Path("got", "weights.txt"))
    second.delete()
    assert Model(ws, "net") == first
    with pytest.raises(ModelException, match="ModelNotFound"):
        Model(ws, "net", version=2)
    assert repr(first).startswith("Model(name=net, id=net:1, version=1, tags={'only': 'this'}")


def test_the_path_of_a_model(ws: Workspace, weights: Path) -> None:
    with pytest.raises(ModelException, match="neither in azureml-models/net nor in the current folder"):
        Model.get_model_path("net")
    Model.register(ws, weights, "net")
    path = Model.get_model_path("net", _workspace=ws)
    assert Path(path) == Path("azureml-models", "net", "1", "weights.txt") and Path(path).read_text() == "w"
    assert Model.get_model_path("net") == Model.get_model_path("net", version=1) == path
    assert Model.get_model_path("weights.txt") == "weights.txt"
    with pytest.raises(ModelException, match="a model's version is an int"):
        Model.get_model_path("net", version="1")  # type: ignore[arg-type]
    with pytest.raises(ModelException, match="did you mean net"):
        Model.get_model_path("nets", _workspace=ws)


def test_a_run_registers_what_it_left(submit_text: Callable[..., Run], ws: Workspace, weights: Path) -> None:
    run = submit_text(TRAIN)
    run.wait_for_completion()
    one = run.register_model(model_name="digits", model_path="outputs/model.txt", tags={"a": "b"})
    folder = run.register_model("net", "outputs/net/", description="all of it")
    assert (one.id, one.run_id, one.run, one.experiment_name) == ("digits:1", run.id, run, "sdk")
    assert Path(folder.download("got-of-run")).name == "net"
    assert Path("got-of-run", "net", "a.txt").read_text() == "a"
    assert {model.id for model in Model.list(ws, run_id=run.id)} == {"digits:1", "net:1"}
    with pytest.raises(ModelException, match=r"no file or folder 'outputs/modle.txt'\. Its files: .*outputs/model.txt"):
        run.register_model("digits", "outputs/modle.txt")


def test_an_interactive_run_registers_what_it_uploaded(experiment: Experiment, weights: Path) -> None:
    with experiment.start_logging() as run:
        run.upload_file("outputs/w.txt", str(weights))
        assert run.register_model("w", "outputs/w.txt").id == "w:1"


def test_sdk_v1s_names_of_models() -> None:
    from azureml.core import Model as OfCore
    from azureml.core.model import Model as OfModule
    from azureml.exceptions import ModelNotFoundException, ModelPathNotFoundException, WebserviceException

    assert OfCore is OfModule is Model
    assert {ModelNotFoundException, ModelPathNotFoundException, WebserviceException} == {ModelException}


@pytest.mark.parametrize("name", ["deploy", "profile", "package"])
def test_what_a_model_cannot_do_here_is_refused_by_name(name: str) -> None:
    with pytest.raises(UserErrorException, match=f"Model.{name} is not built yet.*deployments are not planned"):
        getattr(Model, name)
    assert not hasattr(Model, name)
    with pytest.raises(AttributeError, match=r"Model\.registr does not exist; did you mean register"):
        Model.registr


def test_a_run_that_nobody_submitted_registers_too(ws: Workspace, weights: Path) -> None:
    run = Run.get_context()
    assert run.register_model("offline", "weights.txt", tags={"k": "v"}).tags == {"k": "v"}
    ws.get_default_keyvault().set_secret("token", "1")
    assert run.get_secret("token") == "1" and run.get_secrets(["none"]) == {"none": None}
