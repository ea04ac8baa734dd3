"""An import that fails in a run says which package is missing, in which Python, and how to add it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from support import Submit, log_of
from wheels import make_wheel

from aml_jupyter.config import CondaDependencies, ScriptRunConfig
from aml_jupyter.service import SubmitRequest, stop_service, submit, wait_for_run
from aml_jupyter.views import as_html, as_text, run_view
from aml_jupyter.workspace import WorkspaceFolder, get_run, rebuild_workspace

USE = "print('before')\nimport cv2_not_there\n"


def run_script(folder: WorkspaceFolder, project: Path, text: str, **python: object) -> str:
    (project / "train.py").write_text(text)
    config = ScriptRunConfig(source_directory=str(project), script="train.py")
    for name, value in python.items():
        setattr(config.run_config.environment.python, name, value)
    run = submit(folder, SubmitRequest(config, "tests")).run
    assert wait_for_run(folder, run.id, timeout=90).status == "Failed"
    return run.id


def message_of(folder: WorkspaceFolder, run: str) -> str:
    error = get_run(folder.store.read(), run).error
    assert error is not None and error["type"] == "ModuleNotFoundError"
    assert "Traceback" in error["log_tail"] and "Traceback" in log_of(folder, run)
    return str(error["message"])


def test_the_submitters_python(folder: WorkspaceFolder, project: Path) -> None:
    run = run_script(folder, project, USE)
    said = message_of(folder, run)
    assert said.startswith(
        "No module named 'cv2_not_there' (the process ended with exit code 1). cv2-not-there is missing"
    )
    assert f"{sys.executable}, the Python that the run was submitted from" in said
    assert f"{sys.executable} -m pip install cv2-not-there" in said and "--pip cv2-not-there" in said
    view = run_view(folder, run)
    for shown in (as_text(view, 200), as_html(view)):
        assert "cv2-not-there is missing" in " ".join(shown.split()) and "Traceback" in shown
    error = get_run(folder.store.read(), run).error
    stop_service(folder)
    folder.close()
    rebuild_workspace(folder.root)
    again = WorkspaceFolder.open(folder.root)
    assert get_run(again.store.read(), run).error == error
    again.close()


def test_a_python_of_ones_own_is_named(folder: WorkspaceFolder, project: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    os.makedirs(own / "bin")
    (own / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
    text = "def load():\n    from sklearn_not_there.svm import SVC\nload()\n"
    python = str(own / "bin" / "python")
    run = run_script(folder, project, text, user_managed_dependencies=True, interpreter_path=python)
    said = message_of(folder, run)
    assert f"sklearn-not-there is missing in {python}, a Python of your own" in said
    assert f"{python} -m pip install sklearn-not-there" in said


def test_an_environment_that_was_built(
    folder: WorkspaceFolder, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    make_wheel(tmp_path / "wheels", "tiny", "1.0")
    content = {"dependencies": [{"pip": ["--no-index", f"--find-links {tmp_path / 'wheels'}", "tiny"]}]}
    run = run_script(
        folder, project, "import tiny\nimport yaml\n", conda_dependencies=CondaDependencies.from_dict(content)
    )
    said = message_of(folder, run)
    assert "pyyaml is missing in the environment that was built for the run" in said
    assert "/environments/built/" in said and "--pip pyyaml" in said and "conda dependencies" in said
    assert "of your own" not in said  # it is a known package


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import json.nothing_there\n", "has json, but no json.nothing_there in it"),
        ("try:\n    import nothing_there\nexcept ImportError as e:\n    raise KeyError('x') from e\n", None),
        ("print(\"ModuleNotFoundError: No module named 'x'\")\nraise SystemExit(3)\n", "x is missing"),
        (
            "try:\n    import nothing_there\nexcept ImportError:\n    import traceback\n    traceback.print_exc()\n1 / 0\n",
            None,
        ),
    ],
)
def test_the_last_error_counts_and_no_other(
    folder: WorkspaceFolder, project: Path, text: str, said: str | None
) -> None:
    error = get_run(folder.store.read(), run_script(folder, project, text)).error
    assert error is not None
    if said is None:
        assert error["message"] == "the process ended with exit code 1"
    else:
        assert said in error["message"]


def test_a_command_has_no_interpreter_of_ours(folder: WorkspaceFolder, project: Path) -> None:
    config = ScriptRunConfig(source_directory=str(project), command=f"{sys.executable} -c 'import nothing_there'")
    run = submit(folder, SubmitRequest(config, "tests", kind="command")).run
    wait_for_run(folder, run.id, timeout=60)
    assert "nothing-there is missing in the Python that the command started" in message_of(folder, run.id)


def test_a_cell_and_a_notebook_say_it_too(folder: WorkspaceFolder, project: Path, submit_script: Submit) -> None:
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import nothing_there")])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, project / "look.ipynb")
    config = ScriptRunConfig(source_directory=str(project), script="look.ipynb")
    asked = {"path": "look.ipynb", "output": "outputs/look.ipynb", "kernel": None}
    run = submit(folder, SubmitRequest(config, "tests", kind="notebook", notebook=asked)).run
    wait_for_run(folder, run.id, timeout=120)
    error = get_run(folder.store.read(), run.id).error
    assert error is not None and "cell 1 of the notebook failed" in error["message"]
    assert "nothing-there is missing in" in error["message"] and error["missing"]["module"] == "nothing_there"
