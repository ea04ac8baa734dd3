"""On a network file system one machine at a time writes a workspace. The other machine is a UTS namespace here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import Submit

from aml_jupyter.errors import ServiceException
from aml_jupyter.service import service_status, stop_service, take_over, wait_for_run
from aml_jupyter.workspace import WorkspaceFolder, find_runs

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="another host name in a namespace of its own needs root")

AML = [str(Path(sys.executable).with_name("aml"))]


@pytest.fixture(autouse=True)
def _network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AML_WORKSPACE_FS", "network")


def on_another_host(folder: WorkspaceFolder, *line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command line where the machine has another name."""
    command = ["unshare", "--uts", "sh", "-c", 'hostname other-host && exec "$@"', "sh", *AML, *line]
    environment = {**os.environ, "AML_WORKSPACE": str(folder.root)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_a_second_host_is_refused_by_name_before_anything_is_copied(
    folder: WorkspaceFolder, submit_script: Submit, project: Path
) -> None:
    run = submit_script("print('here')")
    assert wait_for_run(folder, run.id, timeout=60).status == "Completed"
    content = sorted(path.name for path in (folder.root / "content").rglob("*"))
    lines = (
        ["submit", "train.py"],
        ["experiment", "create", "e"],
        ["compute", "create", "box", "--type", "computeinstance"],
        ["run", "resubmit", run.id],
    )
    for line in lines:
        refused = on_another_host(folder, *line, cwd=project)
        assert refused.returncode != 0, line
        assert f"that is {os.uname().nodename} (seen" in refused.stderr and "aml workspace takeover" in refused.stderr
        assert "Traceback" not in refused.stderr
    assert sorted(path.name for path in (folder.root / "content").rglob("*")) == content
    assert [found.id for found in find_runs(folder.store.read())] == [run.id]
    assert len(list(folder.layout.runs.iterdir())) == 1
    seen = on_another_host(folder, "run", "list", cwd=project)
    assert seen.returncode == 0 and run.id in seen.stdout


def test_takeover_moves_it_and_is_refused_while_the_first_host_is_there(
    folder: WorkspaceFolder, submit_script: Submit, project: Path
) -> None:
    gate = project.parent / "gate"
    run = submit_script(f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)")
    refused = on_another_host(folder, "workspace", "takeover", cwd=project)
    assert refused.returncode != 0 and "--force" in refused.stderr
    gate.touch()
    assert wait_for_run(folder, run.id, timeout=60).status == "Completed"
    stop_service(folder)
    moved = on_another_host(folder, "workspace", "takeover", cwd=project)
    assert moved.returncode == 0, moved.stderr
    there = on_another_host(folder, "submit", "--wait", "train.py", cwd=project)
    assert there.returncode == 0, there.stderr
    with pytest.raises(Exception, match="that is other-host"):
        submit_script("print('too late')")
    with pytest.raises(ServiceException, match="other-host was seen"):
        take_over(folder)
    assert take_over(folder, force=True) == "other-host"
    assert wait_for_run(folder, submit_script("print('back')").id, timeout=60).status == "Completed"
    status = service_status(folder)
    assert status is not None and status.host == os.uname().nodename
