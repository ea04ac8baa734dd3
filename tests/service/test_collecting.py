"""``aml workspace gc``: what no run needs goes, what a run made or needs stays."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest
from wheels import make_wheel

from aml_jupyter.config import CondaDependencies, ScriptRunConfig
from aml_jupyter.environments import EnvironmentCache
from aml_jupyter.errors import UserErrorException
from aml_jupyter.service import SubmitRequest, collect_garbage, submit, wait_for_run
from aml_jupyter.workspace import (
    WorkspaceFolder,
    find_runs,
    get_run,
    materialise,
    read_tree,
    take_snapshot,
    verify_workspace,
)
from aml_jupyter.workspace.snapshots.collect import content_in_use


def collected(folder: WorkspaceFolder, **options: object) -> dict[str, int]:
    return {each.what: each.count for each in collect_garbage(folder, **options)}  # type: ignore[arg-type]


def ended_run(folder: WorkspaceFolder, source: Path, script: str = "train.py") -> str:
    run = submit(folder, SubmitRequest(ScriptRunConfig(source_directory=str(source), script=script), "gc")).run
    assert wait_for_run(folder, run.id, timeout=60).status == "Completed"
    return run.id


@pytest.fixture
def source(tmp_path: Path) -> Path:
    place = tmp_path / "source"
    place.mkdir()
    (place / "train.py").write_text(
        "import os\nos.makedirs('outputs', exist_ok=True)\nopen('outputs/model', 'w').write('made')\n"
        "open('changed.txt', 'a').write('more')\nprint(open('data.txt').read())\n"
    )
    (place / "data.txt").write_text("data")
    (place / "changed.txt").write_text("as it was")
    return place


def test_a_pack_that_no_run_names_goes_and_the_next_submit_stores_its_content_again(
    folder: WorkspaceFolder, source: Path, tmp_path: Path
) -> None:
    run = ended_run(folder, source)
    other = tmp_path / "other"
    other.mkdir()
    (other / "train.py").write_text("print('other')")
    take_snapshot(folder, other)
    assert collected(folder, dry_run=True)["snapshot packs"] == 1
    assert collected(folder)["snapshot packs"] == 1
    assert collected(folder)["snapshot packs"] == 0
    assert read_tree(folder, str(get_run(folder.store.read(), run).snapshot))
    again = ended_run(folder, other)  # what was seen of the folder before is not believed
    materialise(folder, str(get_run(folder.store.read(), again).snapshot), tmp_path / "copy")
    assert (tmp_path / "copy" / "train.py").read_text() == "print('other')"
    assert verify_workspace(folder).is_clean


def test_a_collection_waits_for_a_submit_that_is_not_committed_yet(folder: WorkspaceFolder, source: Path) -> None:
    found: list[dict[str, int]] = []
    with content_in_use(folder):
        take_snapshot(folder, source)
        thread = threading.Thread(target=lambda: found.append(collected(WorkspaceFolder.open(folder.root))))
        thread.start()
        thread.join(0.3)
        assert thread.is_alive() and not found
    thread.join(30)
    assert found[0]["snapshot packs"] == 1


def test_the_working_copy_of_an_ended_run_keeps_what_the_run_made_or_changed(
    folder: WorkspaceFolder, source: Path
) -> None:
    run = ended_run(folder, source)
    work = folder.layout.run(run).attempt(1).work
    assert collected(folder, unused_days=1, working_copies=True)["files of working copies"] == 0
    assert collected(folder, unused_days=0, working_copies=True)["files of working copies"] == 2
    left = sorted(str(path.relative_to(work)) for path in work.rglob("*") if path.is_file())
    assert left == ["changed.txt", "outputs/model"]
    assert (work / "changed.txt").read_text() == "as it wasmore"
    assert verify_workspace(folder).is_clean


def test_the_folder_of_an_interrupted_submit_goes_when_it_is_old(folder: WorkspaceFolder) -> None:
    place = folder.layout.run("gc_1_interrupted").path
    place.mkdir(parents=True)
    (place / "run.json").write_text("{}")
    assert collected(folder)["interrupted submits"] == 0
    os.utime(place, (time.time() - 2 * 86400,) * 2)
    assert collected(folder)["interrupted submits"] == 1
    assert not place.exists()


def test_an_environment_goes_when_unused_and_not_while_a_run_uses_it(folder: WorkspaceFolder, tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheels", "tiny", "1.0")
    source = tmp_path / "source"
    source.mkdir()
    (source / "train.py").write_text(
        "import tiny, os, time\nopen('started', 'w').close()\nwhile not os.path.exists('go'): time.sleep(0.01)\n"
    )
    config = ScriptRunConfig(source_directory=str(source), script="train.py")
    packages = ["--no-index", f"--find-links {tmp_path / 'wheels'}", "tiny"]
    config.run_config.environment.python.conda_dependencies = CondaDependencies.from_dict(
        {"dependencies": [{"pip": packages}]}
    )
    run = submit(folder, SubmitRequest(config, "gc")).run
    work = folder.layout.run(run.id).attempt(1).work
    deadline = time.monotonic() + 120
    while not (work / "started").exists():
        assert time.monotonic() < deadline and get_run(folder.store.read(), run.id).status != "Failed"
        time.sleep(0.02)
    assert collected(folder, unused_days=0)["environments"] == 0
    (work / "go").touch()
    assert wait_for_run(folder, run.id, timeout=60).status == "Completed"
    assert collected(folder, unused_days=1)["environments"] == 0
    (built,) = EnvironmentCache().all_built()
    long_ago = time.time() - 40 * 86400
    os.utime(built.path / ".use", (long_ago, long_ago))
    assert collected(folder, dry_run=True)["environments"] == 1
    assert built.prefix.is_dir()
    assert collected(folder)["environments"] == 1
    assert not built.path.exists()
    again = submit(folder, SubmitRequest(config, "gc")).run  # it is built again from its lock
    deadline = time.monotonic() + 120
    while not (started := folder.layout.run(again.id).attempt(1).work / "started").exists():
        assert time.monotonic() < deadline and get_run(folder.store.read(), again.id).status != "Failed"
        time.sleep(0.02)
    (started.parent / "go").touch()
    assert wait_for_run(folder, again.id, timeout=60).status == "Completed"
    assert [each.key for each in EnvironmentCache().all_built()] == [built.key]


@pytest.mark.parametrize("days", [-1, float("nan"), True, "ten"])
def test_bad_days_are_refused(folder: WorkspaceFolder, days: object) -> None:
    with pytest.raises(UserErrorException, match="unused_days"):
        collect_garbage(folder, days)  # type: ignore[arg-type]


def test_the_command_says_what_it_would_do(
    folder: WorkspaceFolder, capsys: pytest.CaptureFixture[str], source: Path
) -> None:
    from aml_jupyter.cli.main import main

    take_snapshot(folder, source)
    assert main(["workspace", "gc", "--dry-run", "--workspace", str(folder.root)]) == 0
    assert "would be given back; nothing was removed" in capsys.readouterr().out
    assert main(["workspace", "gc", "--json", "--workspace", str(folder.root)]) == 0
    rows = {row["what"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["snapshot packs"]["count"] == 1
    assert not find_runs(folder.store.read())
