"""Big outputs that stay on the machine where they were made, and come when they are asked for."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from far_machine import Far
from ssh_server import attach_server

from aml_jupyter.cli.main import main
from aml_jupyter.errors import AmlError
from aml_jupyter.jupyter.server.run_data import files_of
from aml_jupyter.sdk import Workspace
from aml_jupyter.service import collect_garbage
from aml_jupyter.service.remote import change_target, clean_target
from aml_jupyter.views import as_text, run_view
from aml_jupyter.workspace import RunRecord, artifact_path, list_artifacts, rebuild_workspace, verify_workspace

pytestmark = pytest.mark.timeout(300)

MAKES = """
import os
os.makedirs("outputs/deep", exist_ok=True)
os.makedirs("logs", exist_ok=True)
open("outputs/small.txt", "w").write("small")
open("outputs/deep/big.bin", "wb").write(bytes(range(256)) * 8000)
open("outputs/other.bin", "wb").write(b"other" * 300000)
os.link("outputs/small.txt", "outputs/again.txt")
open("logs/long.txt", "w").write("log " * 500000)
"""
BIG = bytes(range(256)) * 8000


def made(far: Far) -> RunRecord:
    """Return a run that has ended, whose big outputs stayed where they were made."""
    change_target(far.folder, "box", {"largest_output": "1MB"})
    run = far.end(far.submit(MAKES))
    assert run.status == "Completed", run.reason
    return run


def there(far: Far) -> list[str]:
    return sorted(path.name for path in (far.base / "outputs").rglob("*") if path.is_file())


def test_they_are_listed_with_size_and_hash_and_come_when_asked_for(
    far: Far, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = made(far)
    db = far.folder.store.read()
    sizes = {record.name: record.size for record in list_artifacts(db, run.id)}
    assert sizes["outputs/deep/big.bin"] == len(BIG) and sizes["outputs/other.bin"] == 1_500_000
    assert sizes["outputs/small.txt"] == 5 and sizes["logs/long.txt"] == 2_000_000  # logs always come
    assert there(far) == ["big.bin", "other.bin"]
    said = as_text(run_view(far.folder, run.id), 200)
    assert f"on box, sha256 {hashlib.sha256(BIG).hexdigest()[:12]}" in said
    told = {file["name"]: file for file in files_of(far.folder, run.id)}
    assert told["outputs/deep/big.bin"]["target"] == "box"
    assert told["outputs/deep/big.bin"]["sha256"] == hashlib.sha256(BIG).hexdigest()
    assert told["outputs/deep/big.bin"]["command"] == f"aml run download {run.id} outputs/deep/big.bin"
    assert told["outputs/small.txt"]["target"] is told["outputs/small.txt"]["command"] is None
    with pytest.raises(AmlError, match=r"stayed on box, where it was made. Fetch it: aml run download"):
        artifact_path(far.folder, run.id, "outputs/deep/big.bin")

    # neither cleaning there nor here, nor a rebuild, loses them
    assert clean_target(far.folder, "box", 0)["outputs"] == [2, len(BIG) + 1_500_000]
    monkeypatch.setenv("AML_WORKSPACE", str(far.folder.root))
    capsys.readouterr()
    assert main(["compute", "clean", "box", "--unused-days", "0"]) == 0
    assert "2 kept" in capsys.readouterr().out
    collect_garbage(far.folder)
    assert verify_workspace(far.folder).is_clean
    assert there(far) == ["big.bin", "other.bin"]
    assert main(["compute", "detach", "box"]) == 0
    assert "2 outputs of runs stay there, too: attach it again as box" in capsys.readouterr().err
    assert main(["run", "download", run.id, "outputs/other.bin", "-d", str(tmp_path / "got")]) == 1
    assert "Attach it again by that name" in capsys.readouterr().err
    attach_server(far.folder, far.server, "box", far.base)

    assert main(["run", "download", run.id, "outputs/deep/big.bin", "-d", str(tmp_path / "got")]) == 0
    assert (tmp_path / "got/outputs/deep/big.bin").read_bytes() == BIG
    assert there(far) == ["other.bin"]
    assert artifact_path(far.folder, run.id, "outputs/deep/big.bin").read_bytes() == BIG
    found = Workspace(far.folder).experiments["far"]
    (again,) = [each for each in found.get_runs() if each.id == run.id]
    assert "outputs/other.bin" in again.get_file_names()
    again.download_file("outputs/other.bin", str(tmp_path / "other.bin"))
    assert (tmp_path / "other.bin").read_bytes() == b"other" * 300000
    assert there(far) == [] and not (far.base / "outputs" / far.folder.id).exists()
    assert sizes == {record.name: record.size for record in list_artifacts(db, run.id)}


def test_what_somebody_removed_there_is_said(
    far: Far, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(far)
    next((far.base / "outputs").rglob("big.bin")).unlink()
    monkeypatch.setenv("AML_WORKSPACE", str(far.folder.root))
    assert main(["run", "download", run.id, "-d", str(far.project / "got")]) == 1
    assert "outputs/deep/big.bin" in (said := capsys.readouterr().err) and "is not there any more as it was" in said
    assert (far.project / "got/outputs/other.bin").exists() and (far.project / "got/outputs/small.txt").exists()


def test_a_list_that_was_made_before_a_kill_is_made_again(far: Far) -> None:
    from aml_jupyter.targets import Handle
    from aml_jupyter.targets.far_host import host_of
    from aml_jupyter.targets.far_kept import leave
    from aml_jupyter.workspace import get_target
    from aml_jupyter.workspace.files_there import THERE, files_in

    run = made(far)
    root = far.folder.layout.run(run.id).attempt(1).path
    before = files_in(root)
    (root / THERE).unlink()
    record = get_target(far.folder.store.read(), "box")
    link = host_of(far.folder, record).link
    try:
        leave(link, Handle("box", run.id, 1), root, ["work/outputs", "work/logs"], record)
    finally:
        link.close()
    assert files_in(root) == before and len(before) == 2


def test_a_rebuild_knows_them(far: Far) -> None:
    run = made(far)
    before = list_artifacts(far.folder.store.read(), run.id)
    root = far.folder.root
    from aml_jupyter.service import stop_service
    from aml_jupyter.workspace import WorkspaceFolder

    stop_service(far.folder)
    far.folder.close()
    rebuild_workspace(root)
    with_all = WorkspaceFolder.open(root)
    assert list_artifacts(with_all.store.read(), run.id) == before
    with_all.close()


@pytest.mark.parametrize("wrong", ["much", "-1", "1 parsec"])
def test_a_limit_that_is_no_size_is_refused(far: Far, wrong: str) -> None:
    with pytest.raises(AmlError, match="largest_output is"):
        change_target(far.folder, "box", {"largest_output": wrong})
