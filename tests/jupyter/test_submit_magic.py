"""``%%aml_submit``: a cell becomes a run, values travel, mistakes are one line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from base_images import PYTHON_IMAGE
from engine_process import Engine
from IPython.core.error import UsageError
from wheels import make_wheel

from aml_jupyter.jupyter.handle import RunFailed, RunHandle
from aml_jupyter.views import RUN_TYPE, progress
from aml_jupyter.workspace import WorkspaceFolder, find_runs, get_run


def submit(shell: Any, line: str, cell: str) -> Any:
    return shell.run_cell_magic("aml_submit", line, cell)


def test_a_cell_runs_with_values_sent_and_brought_back(shell: Any, folder: WorkspaceFolder, project: Path) -> None:
    (project / "helper.py").write_text("def twice(x): return 2 * x\n")
    shell.run_cell("class Scale:\n    def __init__(self, by): self.by = by\n    def of(self, x): return self.by * x\n")
    shell.user_ns.update(rows=list(range(1000)), name="a b", rate=0.5)
    shell.run_cell("scale = Scale(3)")
    cell = (
        "import helper\nmodel = [helper.twice(scale.of(x)) for x in rows]\nkind = (alpha, scale)\nprint('done', rate)\n"
    )
    shell.user_ns["sent"] = "rows,scale"
    submit(
        shell, "local -e digits -i $sent -i rate -o model,kind -p alpha=0.25 --wait --name job --tag who='$name'", cell
    )
    assert shell.user_ns["model"] == [6 * x for x in range(1000)]
    assert shell.user_ns["kind"][0] == 0.25
    assert shell.user_ns["kind"][1].of(2) == 6
    handle = shell.user_ns["job"]
    assert isinstance(handle, RunHandle)
    assert handle.status == "Completed"
    assert handle.result()["model"] == shell.user_ns["model"]
    assert handle.logs() == "done 0.5\n"
    record = get_run(folder.store.read(), handle.id)
    assert (record.kind, record.experiment, record.tags) == ("cell", "digits", {"who": "a b"})
    assert record.definition["parameters"] == {"alpha": 0.25}
    assert record.display_name == "job"


def test_without_wait_the_handle_comes_back_at_once_and_shows_itself(shell: Any) -> None:
    handle = submit(shell, "", "from azureml.core import Run\nRun.get_context().log('score', 7)\n")
    assert isinstance(handle, RunHandle)
    bundle = handle._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", RUN_TYPE}
    assert bundle[RUN_TYPE] == {"version": 1, "workspace": handle._folder.id, "run_id": handle.id}
    assert "<script" not in bundle["text/html"]
    assert handle.id in bundle["text/plain"]
    assert handle.wait(60) is handle
    assert handle.metrics() == {"score": 7}
    assert "Completed" in handle._repr_mimebundle_()["text/html"]
    assert handle.run.id == handle.id


def test_a_failing_cell_fails_with_the_end_of_its_log(shell: Any) -> None:
    with pytest.raises(RunFailed, match="no such luck") as failed:
        submit(shell, "--wait", "raise RuntimeError('no such luck')")
    assert "std_log.txt" in str(failed.value)
    assert failed.value._render_traceback_() == [str(failed.value)]


def test_a_cell_hides_no_file_of_the_folder(shell: Any, project: Path) -> None:
    shell.execution_count = 7
    (project / "cell_7.py").write_text("value = 'the user wrote this'")
    submit(shell, "-o value --wait", "import cell_7\nvalue = cell_7.value")
    assert shell.user_ns["value"] == "the user wrote this"


def test_help_is_printed_and_is_no_mistake(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert submit(shell, "--help", "pass") is None
    assert "--max-retries" in capsys.readouterr().out


def test_the_snapshot_shows_its_progress_as_sizes(shell: Any, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "DELAY_SECONDS", 0.0)
    monkeypatch.setattr(progress, "INTERVAL_SECONDS", 0.0)
    (project / "data.bin").write_bytes(bytes(3_000_000))
    submit(shell, "--wait", "pass")
    shown = [output["data"]["text/plain"] for output in shell.display_pub.outputs]
    assert any(text.startswith("snapshot of ") and text.rstrip().endswith("of 3.0 MB") for text in shown), shown


def test_the_grace_time_travels(shell: Any, folder: WorkspaceFolder) -> None:
    handle = submit(shell, "--grace-seconds 2.5 --wait --name job", "pass") or shell.user_ns["job"]
    assert get_run(folder.store.read(), handle.id).definition["grace_seconds"] == 2.5


def test_a_canceled_run_says_so(shell: Any) -> None:
    handle = submit(shell, "", "import time\ntime.sleep(60)")
    handle.cancel()
    with pytest.raises(RunFailed, match="canceled"):
        handle.wait(30)


@pytest.mark.parametrize(
    ("line", "cell", "words"),
    [
        ("-i rows", "pass", ["rows", "rowz"]),
        ("-i lock", "pass", ["lock", "cannot be pickled"]),
        ("-i a-b", "pass", ["a-b", "variable"]),
        ("-i name -p name=3", "pass", ["name", "twice"]),
        ("gpu-box", "pass", ["gpu-box", "local"]),
        ("--core 3x", "pass", ["--core"]),
        ("--nonsense", "pass", ["--nonsense"]),
        ("-p alpha", "pass", ["alpha", "NAME=VALUE"]),
        ("-e 'unclosed", "pass", ["quot"]),
        ("-e $missing", "pass", ["missing"]),
        ("--name 3x", "pass", ["3x"]),
        ("--name class", "pass", ["class", "variable"]),
        ("-o class", "pass", ["class", "variable"]),
        ("-e ''", "pass", ["-e", "empty"]),
        ("''", "pass", ["-t", "empty"]),
        ("", "print('\ud800')", ["surrogate"]),
        ("--notebook nowhere.ipynb", "pass", ["nowhere.ipynb"]),
        ("", "   \n", ["empty"]),
        ("", "x = (", ["not valid Python"]),
        ("", "%matplotlib inline\nx = 1", ["%matplotlib", "notebook only"]),
        ("-c missing", "pass", ["missing"]),
        ("--environment nowhere", "pass", ["nowhere", "AmlJupyter-Sklearn"]),
        ("--pip ./nowhere-1.0-py3-none-any.whl", "pass", ["there is no", "nowhere-1.0"]),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_queued(
    shell: Any, folder: WorkspaceFolder, line: str, cell: str, words: list[str]
) -> None:
    import threading

    shell.user_ns.update(rowz=1, lock=threading.Lock(), name="x")
    with pytest.raises(UsageError) as refused:
        submit(shell, line, cell)
    for word in words:
        assert word in str(refused.value)
    assert find_runs(folder.store.read()) == []


def test_values_are_not_sent_to_another_python(shell: Any, folder: WorkspaceFolder, project: Path) -> None:
    other = project / "python-of-old"
    other.write_text("#!/bin/sh\necho 3.7.9\n")
    other.chmod(0o755)
    (project / ".azureml").mkdir()
    (project / ".azureml" / "old.runconfig").write_text(
        f"environment:\n  python:\n    userManagedDependencies: true\n    interpreterPath: {other}\n"
    )
    shell.user_ns["rows"] = [1]
    with pytest.raises(UsageError, match=r"3\.7\.9") as refused:
        submit(shell, "-c old -i rows", "pass")
    assert ".".join(map(str, sys.version_info[:3])) in str(refused.value)
    assert find_runs(folder.store.read()) == []


def test_packages_that_the_line_names_are_there_in_the_cell(
    shell: Any, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    make_wheel(project, "tiny", "1.0")
    make_wheel(project, "other", "2.0")
    shell.user_ns["x"] = 20
    cell = "import other, sys, tiny\ny = (x + 1, tiny.__version__, other.__version__, sys.prefix)"
    line = "--pip ./tiny-1.0-py3-none-any.whl --pip ./other-2.0-py3-none-any.whl -i x -o y --wait"
    submit(shell, line, cell)
    assert shell.user_ns["y"][:3] == (21, "1.0", "2.0")
    assert shell.user_ns["y"][3] != sys.prefix


def test_a_cell_in_a_container_has_its_values_too(shell: Any, engine: Engine) -> None:
    shell.user_ns["x"] = 20
    submit(shell, f"--image {PYTHON_IMAGE} -i x -o y --wait", "import sys\ny = (x + 1, sys.prefix)")
    assert shell.user_ns["y"] == (21, "/usr/local")


def test_values_that_were_changed_are_not_read(shell: Any, folder: WorkspaceFolder) -> None:
    from aml_jupyter.errors import ExperimentExecutionException

    handle = submit(shell, "-o x", "x = 1")
    handle.wait(60)
    pickled = folder.layout.run(handle.id).attempt(1).control / "values" / "outputs.pkl"
    pickled.write_bytes(pickled.read_bytes() + b".")
    with pytest.raises(ExperimentExecutionException, match="hash"):
        handle.result()


def test_what_is_snapshotted_is_said(shell: Any, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    submit(shell, "", "pass").cancel()
    assert f"the snapshot is of the current folder, {project}" in capsys.readouterr().out
    notebook = project / "train.ipynb"
    notebook.write_text('{"cells": [{"cell_type": "code", "source": ["%%aml_submit\\n", "pass"]}]}')
    handle = submit(shell, f"--notebook {notebook}", "pass")
    said = capsys.readouterr().out
    assert "unsaved" not in said
    assert f"Snapshot of {project}" in said
    assert handle._record().experiment == "train"
    handle.cancel()
    submit(shell, f"--notebook {notebook}", "print('new')").cancel()
    assert "train.ipynb has unsaved edits" in capsys.readouterr().out


def test_the_option_line_alone_is_expanded(shell: Any) -> None:
    shell.user_ns["who"] = "ada"
    handle = submit(shell, "--tag who=$who --tag price=5$$", "print('$who {who}')")
    handle.wait(60)
    assert handle.logs() == "$who {who}\n"
    assert handle._record().tags == {"who": "ada", "price": "5$"}


def test_a_cell_that_is_submitted_again_has_its_values_again(shell: Any, folder: WorkspaceFolder) -> None:
    from aml_jupyter.service import resubmit_run

    shell.user_ns["rows"] = [1, 2]
    first = submit(shell, "-i rows -o total", "total = sum(rows)")
    assert RunHandle(folder, resubmit_run(folder, first.id).run.id).result(60) == {"total": 3}
