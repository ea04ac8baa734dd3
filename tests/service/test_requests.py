"""What a running script asks of the service is done by the real service."""

from __future__ import annotations

from support import Submit, log_of

from aml_jupyter.service import wait_for_run
from aml_jupyter.workspace import WorkspaceFolder, find_runs


def test_a_script_tags_its_submitted_child(folder: WorkspaceFolder, submit_script: Submit) -> None:
    run = submit_script(
        """
from azureml.core import Run
run = Run.get_context()
open("fold.py", "w").write("print('folded')")
child = run.submit_child({"script": "fold.py"}, tags={"gone": "1", "stays": "1"})
child.wait_for_completion()
other = next(iter(run.get_children()))
other.set_tags({"score": "0.9"})
other.remove_tags("gone") if hasattr(other, "remove_tags") else None
print("tags", sorted(next(iter(run.get_children())).get_tags()))
"""
    )
    done = wait_for_run(folder, run.id, timeout=60)
    assert done.status == "Completed", log_of(folder, run.id)
    child = find_runs(folder.store.read(), parent=run.id)[0]
    assert child.tags["score"] == "0.9"
    assert "score" in log_of(folder, run.id)
