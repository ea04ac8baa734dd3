from __future__ import annotations

from pathlib import Path

from aml_jupyter.workspace import WorkspaceFolder, get_run

from .conftest import Aml

LOGGING = """
from azureml.core import Run
import os
run = Run.get_context()
for step in range(3):
    run.log("loss", 1 / (step + 1))
run.log("acc", 0.9)
os.makedirs("outputs", exist_ok=True)
open("outputs/model.bin", "wb").write(bytes(1000))
os.makedirs("outputs/deep", exist_ok=True)
open("outputs/deep/notes.txt", "w").write("notes")
print("done")
"""


def logged(aml: Aml, project: Path, *options: str) -> str:
    (project / "log.py").write_text(LOGGING)
    outcome = aml("submit", "--wait", *options, "log.py")
    assert outcome.code == 0, outcome.err
    return outcome.out.splitlines()[0]


def test_a_run_is_found_by_its_beginning_its_name_and_as_the_last(aml: Aml, project: Path) -> None:
    first = logged(aml, project, "--name", "my run", "-e", "alpha")
    second = logged(aml, project, "-e", "beta")
    for text, wanted in (
        ("last", second),
        ("alpha_", first),
        ("my run", first),
        (second, second),
        (second[-8:], second),
    ):
        assert aml("run", "show", text, "--json").json["id"] == wanted
    logged(aml, project, "-e", "alpha")
    outcome = aml("run", "show", "alpha_")
    assert outcome.code == 2 and "means 2 runs" in outcome.err and first in outcome.err


def test_show_list_metrics_and_logs(aml: Aml, project: Path) -> None:
    run_id = logged(aml, project, "--tag", "stage=one")
    assert "done" in aml("run", "show", "last").out
    found = aml("run", "list", "--json").json
    assert [row["id"] for row in found] == [run_id]
    assert found[0]["metrics"]["acc"] == 0.9 and len(found[0]["metrics"]["loss"]) == 3
    assert aml("run", "metrics", "last", "--json").json == found[0]["metrics"]
    assert aml("run", "metrics", "last", "--name", "loss", "--json").json["values"] == found[0]["metrics"]["loss"]
    outcome = aml("run", "metrics", "last", "--name", "los")
    assert outcome.code == 2 and "did you mean loss?" in outcome.err
    assert aml("run", "logs", "last").out == "done\n"
    assert aml("run", "logs", "last", "--json").json["text"] == "done\n"
    assert aml("run", "logs", "last", "--file", "outputs/deep/notes.txt").out == "notes"
    assert aml("run", "logs", "last", "--file", "../../run.json").code == 2
    assert aml("run", "list", "--tag", "stage=one", "--status", "completed", "--json").json
    assert aml("run", "list", "--tag", "stage=two", "--json").json == []
    assert aml("run", "list", "-e", "other", "--json").json == []


def test_the_log_lines_of_sdk_v1(aml: Aml, project: Path, tmp_path: Path) -> None:
    """`monitor-logs` waits for the end, and `download-logs` brings logs alone."""
    (project / "slow.py").write_text("import time; print('one', flush=True); time.sleep(0.7); print('two')")
    run_id = aml("submit", "slow.py").out.strip()
    assert aml("run", "monitor-logs", "-r", run_id).out == "one\ntwo\n"
    assert aml("run", "show", run_id, "--json").json["status"] == "Completed"
    logged(aml, project)
    fetched = aml("run", "download-logs", "-r", "last", "-d", tmp_path / "logs", "--json").json
    assert [file["name"] for file in fetched["files"]] == ["user_logs/std_log.txt"]
    assert (tmp_path / "logs/user_logs/std_log.txt").read_text() == "done\n"


def test_download_puts_files_where_they_are_wanted(aml: Aml, project: Path, tmp_path: Path) -> None:
    run_id = logged(aml, project)
    assert aml("run", "download", "last", "-d", tmp_path / "all").code == 0
    assert (tmp_path / "all" / "outputs" / "model.bin").read_bytes() == bytes(1000)
    assert (tmp_path / "all" / "user_logs" / "std_log.txt").read_text() == "done\n"
    found = aml("run", "download", run_id, "outputs/deep", "-d", tmp_path / "part", "--json").json
    assert [entry["name"] for entry in found["files"]] == ["outputs/deep/notes.txt"]
    assert not (tmp_path / "part" / "outputs" / "model.bin").exists()
    assert aml("run", "download", "last").code == 0
    assert (project / run_id / "outputs" / "model.bin").is_file()
    outcome = aml("run", "download", "last", "outputs/modle.bin")
    assert outcome.code == 2 and "did you mean outputs/model.bin?" in outcome.err


def test_update_resubmit_and_children(aml: Aml, project: Path, folder: WorkspaceFolder) -> None:
    first = logged(aml, project)
    aml("run", "update", first, "--add-tag", "a=1", "--add-tag", "b", "--name", "renamed")
    assert get_run(folder.store.read(), first).tags == {"a": "1", "b": ""}
    found = aml("run", "update", first, "--remove-tag", "a", "--json").json
    assert found["tags"] == {"b": ""} and found["display_name"] == "renamed"
    again = aml("run", "resubmit", first, "--wait", "--json")
    assert again.code == 0 and again.json["id"] != first and again.json["snapshot"] == found["snapshot"]
    assert aml("run", "children", first, "--json").json == []


def test_cancel_says_what_became_of_each_run(aml: Aml, project: Path) -> None:
    assert aml("compute", "create", "gpu-box", "--type", "computeinstance", "--max-parallel", "1").code == 0
    assert aml("compute", "stop", "gpu-box").code == 0
    first = aml("submit", "-t", "gpu-box", "train.py").out.strip()
    second = aml("submit", "-t", "gpu-box", "train.py").out.strip()
    assert "no. 2 in line" in aml("run", "show", second).out
    outcome = aml("run", "cancel", first, second)
    assert outcome.code == 0 and outcome.out.count("Canceled") == 2
    assert "as it was" in aml("run", "cancel", first).out
    assert aml("run", "wait", first, second).code == 1
    assert aml("run", "wait", first, "--json").json["status"] == "Canceled"
