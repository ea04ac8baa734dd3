"""A running script registers, finds and fetches models of its workspace."""

from __future__ import annotations

import json

from support import Submit, log_of

from aml_jupyter.service import wait_for_run
from aml_jupyter.workspace import WorkspaceFolder, get_model, list_models, model_folder

SCRIPT = """
import json, os
from azureml.core import Model as Core, Run, Workspace
from azureml.core.model import Model
from azureml.exceptions import ModelNotFoundException, ModelPathNotFoundException, UserErrorException
assert Core is Model
run = Run.get_context()
ws = run.experiment.workspace
os.makedirs("outputs/net/deep")
for name in ("outputs/model.txt", "outputs/net/a.txt", "outputs/net/deep/b.txt", "local.txt"):
    open(name, "w").write(name)
one = run.register_model("digits", "outputs/model.txt", tags={"n": 1}, properties={"p": "1"})
two = run.register_model(model_name="digits", model_path="outputs/net")
own = Model.register(ws, "local.txt", "own", description="from here", model_framework="PyTorch")
whole = Model.register(workspace=ws, model_path="outputs/net", model_name="whole")
path = Model.get_model_path("digits", version=1)
tree = Model.get_model_path("digits")
assert Model.get_model_path("digits", 1) == path and open(path).read() == "outputs/model.txt"
assert open(os.path.join(tree, "deep", "b.txt")).read() == "outputs/net/deep/b.txt"
model = Model(ws, "digits", version=1)
model.add_tags({"more": "2"})
model.remove_tags(["n"])
model.update(description="new")
said = []
for wrong in (lambda: run.register_model("x", "outputs/nothing"), lambda: Model(ws, "digit"),
              lambda: model.add_properties({"p": "2"}),
              lambda: run.register_model("a b", "outputs/model.txt"), lambda: Model.get_model_path("digits", "1"),
              lambda: Model.register(ws, "nowhere", "x")):
    try:
        wrong()
    except UserErrorException as error:
        said.append("%s: %s" % (type(error).__name__, error))
Model(ws, id="own:1").download("fetched")
whole.delete()
print(json.dumps([one.id, two.id, own.run_id, path, tree, model.tags, model.description, model.run_id == run.id,
                  [found.id for found in Model.list(ws, name="digits", latest=True)], sorted(ws.models), said,
                  open("fetched/local.txt").read(), sorted(os.listdir("azureml-models/digits"))]))
"""


def test_a_script_uses_the_registry(folder: WorkspaceFolder, submit_script: Submit) -> None:
    run = submit_script(SCRIPT)
    done = wait_for_run(folder, run.id, timeout=60)
    assert done.status == "Completed", log_of(folder, run.id)
    found = json.loads(log_of(folder, run.id))
    assert found[:5] == [
        "digits:1",
        "digits:2",
        None,
        "azureml-models/digits/1/model.txt",
        "azureml-models/digits/2/net",
    ]
    assert found[5:10] == [{"more": "2"}, "new", True, ["digits:2"], ["digits", "own"]]
    said = found[10]
    assert [line.partition(":")[0] for line in said] == [
        "ModelException",
        "ModelException",
        "UserErrorException",
        "ModelException",
        "ModelException",
        "ModelException",
    ]
    assert "no file or folder 'outputs/nothing'. Its files: outputs/model.txt" in said[0] and "did you mean" in said[1]
    assert found[11:] == ["local.txt", ["1", "2"]]
    db = folder.store.read()
    assert [record.id for record in list_models(db)] == ["own:1", "digits:2", "digits:1"]
    record = get_model(db, "own")
    assert (record.description, record.framework, record.run) == ("from here", "PyTorch", None)
    assert (model_folder(folder.layout, "digits", 2) / "net" / "deep" / "b.txt").is_file()
    assert list((folder.layout.run(run.id).attempt(1).control / "partial").iterdir()) == []


LISTING = """
from azureml.core import Run
run = Run.get_context()
before = run.get_file_names()
open("outputs/model.txt", "w").write("weights")
run.upload_file("kept.txt", "outputs/model.txt")
print(before, run.get_file_names())
run.download_file("outputs/model.txt", "copy.txt")
print(open("copy.txt").read())
"""


def test_a_script_sees_its_files_as_soon_as_they_are_there(folder: WorkspaceFolder, submit_script: Submit) -> None:
    run = submit_script(LISTING)
    assert wait_for_run(folder, run.id, timeout=60).status == "Completed", log_of(folder, run.id)
    listed, copied = log_of(folder, run.id).splitlines()
    before, after = listed.split("] [")
    assert "outputs/model.txt" not in before
    assert "'kept.txt'" in after and "'outputs/model.txt'" in after
    assert copied == "weights"
