"""`aml doctor` says of each use of SDK v1 whether it works here, with the line, and is never wrong about what works."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path

import pytest
from cli.conftest import Aml

from aml_jupyter.cli.doctoring import examine
from aml_jupyter.cli.doctoring.surface import with_tables
from aml_jupyter.views import as_html
from aml_jupyter.views.doctor import Finding

SCRIPT = """\
from azureml.core import Workspace, Experiment, Dataset, ScriptRunConfig, Run as R
from azureml.core.compute import AmlCompute
import azureml.core as ac

ws = Workspace.from_config()
ws.get_default_datastore()
src = ScriptRunConfig(source_directory=".", script="train.py", foo=3)
src.run_config.environment.docker.nonsense = True
run = Experiment(workspace=ws, name="x").submit(config=src)
run.register_model(model_name="m", model_path="p", datasets=[])
R.get_context().log_lst("a", [1])
print(ac.VERSION)
"""


def found(folder: Path) -> dict[tuple[str, int], list[Finding]]:
    by_place: dict[tuple[str, int], list[Finding]] = {}
    for finding in examine(folder).findings:
        by_place.setdefault((finding.file, finding.line), []).append(finding)
    return by_place


def statuses(findings: list[Finding]) -> dict[str, str]:
    return {finding.what: finding.status for finding in findings}


def test_a_script_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    lines = found(tmp_path)
    first = statuses(lines["train.py", 1])
    assert first["from azureml.core import Dataset"] == "missing" and first["from azureml.core import Run"] == "works"
    assert statuses(lines["train.py", 2]) == {"from azureml.core.compute import AmlCompute": "missing"}
    assert statuses(lines["train.py", 6]) == {"Workspace.get_default_datastore": "missing"}
    assert statuses(lines["train.py", 7])["ScriptRunConfig(foo=...)"] == "missing"
    assert statuses(lines["train.py", 8])["DockerSection.nonsense"] == "missing"
    assert any(status == "differs" for status in statuses(lines["train.py", 10]).values())
    (guess,) = [finding for finding in lines["train.py", 11] if finding.status == "missing"]
    assert "did you mean log_list" in guess.text
    assert set(statuses(lines["train.py", 12]).values()) == {"works"}


def test_lines_that_make_targets_are_judged_by_their_type(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text(
        "az ml computetarget attach remotedocker --name myvm --address 1.2.3.4 --username u\n"
        "az ml computetarget create amlcompute -n cpu --max-nodes 4\n"
        "az ml computetarget attach remote --name myvm --address 1.2.3.4 --username u\n"
        "az ml computetarget create nonsense -n cpu\n"
    )
    lines = found(tmp_path)
    judged = [next(iter(statuses(lines["run.sh", number]).values())) for number in (1, 2, 3, 4)]
    assert judged == ["works", "missing", "works", "missing"]


def test_what_only_refuses_is_not_called_covered(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text(
        "from azureml.core import Experiment, Model, Run, Workspace\n"
        "from azureml.core.compute import AmlCompute, DsvmCompute\n"
        "DsvmCompute.create(Workspace.from_config(), 'box', None)\n"
        "Workspace.from_config().delete()\n"
        "Experiment.delete(None, 'x')\n"
        "Model.deploy(None, 'x', [])\n"
        "Run.get_context().take_snapshot('.')\n"
        "AmlCompute.provisioning_configuration(vm_size='x', max_nodes=4)\n"
        "Run.get_context().experiment.workspace.get_default_datastore()\n"
    )
    lines = found(tmp_path)
    for line, what, said in (
        (3, "DsvmCompute.create", "no virtual machine is made here"),
        (4, "Workspace.delete", "holds the only copy of its run history"),
        (5, "Experiment.delete", "an experiment with runs is history"),
        (6, "Model.deploy", "not planned"),
        (7, "Run.take_snapshot", "the submit took one"),
        (9, "Workspace.get_default_datastore", "datastores are not built yet"),
    ):
        (missing,) = [finding for finding in lines["old.py", line] if finding.status == "missing"]
        assert missing.what == what and said in missing.text
    assert "_Unbuilt" not in repr(lines)


def test_notebooks_shell_scripts_and_configurations(aml: Aml, project: Path) -> None:
    cells = [
        {"cell_type": "code", "source": ["!az ml run submit-script -c local t.py\n", "from azureml.core import Run\n"]},
        {"cell_type": "code", "source": "%matplotlib inline\nrun = Run.get_context()\nrun.nothing()"},
        {"cell_type": "markdown", "source": "text"},
    ]
    (project / "n.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4}))
    (project / "go.sh").write_text("az login\naz ml folder attach \\\n  -e x\naz ml run submit-pipeline -c r t.py\n")
    (project / ".azureml").mkdir()
    (project / ".azureml/a.runconfig").write_text(
        "script: t.py\nnodeCount: 4\nframewrok: x\nenvironment:\n  python:\n    userManagedDependencies: true\n"
    )
    (project / ".azureml/config.json").write_text('{"workspace_name": "mine"}')
    (project / "aml_config").mkdir()
    (project / "aml_config/box.compute").write_text("type: remotedocker\naddress: x\n")
    (project / "aml_config/spark.compute").write_text("type: cluster\naddress: x\n")
    (project / "aml_config/docker.compute").write_text("type: localdocker\nbaseDockerImage: microsoft/mmlspark\n")
    done = aml("doctor", "--json")
    assert done.code == 1 and not done.json["good"]
    by = {(entry["file"], entry["line"], entry["status"]) for entry in done.json["findings"]}
    assert ("n.ipynb", 1, "works") in by and ("n.ipynb", 2, "missing") in by
    assert ("go.sh", 1, "works") in by and ("go.sh", 2, "works") in by and ("go.sh", 3, "missing") in by
    assert (".azureml/a.runconfig", 0, "missing") in by and (".azureml/a.runconfig", 0, "differs") in by
    assert ("aml_config/docker.compute", 0, "works") in by
    assert (".azureml/config.json", 0, "works") in by and ("aml_config/spark.compute", 0, "missing") in by
    assert ("aml_config/box.compute", 0, "works") in by
    text = aml("doctor").out
    assert "go.sh:3: missing" in text and "did you mean framework" in " ".join(text.split())
    assert text.strip().splitlines()[-1].endswith("are not here")
    assert "<script" not in as_html(examine(project))


def test_a_folder_where_all_is_covered(aml: Aml, project: Path) -> None:
    (project / "train.py").write_text("from azureml.core import Run\nRun.get_context().log('a', 1)\n")
    done = aml("doctor")
    assert done.code == 0 and done.out.startswith("3 of 3 uses in 1 files work")
    (project / "conda_dependencies.yml").write_text("dependencies:\n- python=3.6.2\n- pip:\n  - azureml-defaults\n")
    done = aml("doctor")
    assert done.code == 0 and "differs: azureml-defaults" in done.out  # nothing has to be changed for it
    assert aml("doctor", project / "nowhere").code == 2


def test_nothing_that_lies_in_a_folder_disturbs_it(tmp_path: Path) -> None:
    (tmp_path / "binary.py").write_bytes(b"azureml\0\xff\xfe" * 100)
    (tmp_path / "two.py").write_text("import azureml.core\nprint 'python 2'\n")
    (tmp_path / "latin.py").write_bytes(b"# caf\xe9 azureml\nimport azureml.core\n")
    (tmp_path / "deep.py").write_text("azureml = " + "(" * 5000 + ")" * 5000)
    (tmp_path / "broken.ipynb").write_text('{"cells": [azureml')
    (tmp_path / "huge.py").write_text("x = 'azureml'\n" * 700_000)
    (tmp_path / "bad.runconfig").write_text("script: [")
    (tmp_path / "odd.compute").write_text("- 1\n")
    os.symlink(tmp_path, tmp_path / "loop")
    os.symlink(tmp_path / "gone", tmp_path / "dangling.py")
    os.mkfifo(tmp_path / "pipe.py")
    report = examine(tmp_path)
    by = {finding.file: finding.status for finding in report.findings}
    assert by["two.py"] == by["broken.ipynb"] == by["bad.runconfig"] == by["odd.compute"] == "broken"
    assert by["latin.py"] == "works"
    assert any("huge.py has more than" in note for note in report.notes)


def test_what_it_calls_covered_can_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from aml_jupyter.cli.doctoring.surface import SURFACE

    monkeypatch.setenv("AML_AZUREML", "self")
    text = "".join(f"from {module} import {name}\n" for module, names in SURFACE.items() for name in names)
    (tmp_path / "all.py").write_text(text)
    works = 0
    for finding in examine(tmp_path).findings:
        _, module, _, name = finding.what.split()
        if finding.status == "works":
            works += 1
            assert getattr(importlib.import_module(module), name) is not None
        else:
            assert finding.text
    assert works > 15


def test_the_migration_page_tells_what_the_package_has() -> None:
    page = Path(__file__).parents[2] / "docs/migration.md"
    text = page.read_text("utf-8")
    assert text == with_tables(text), "run: python -m aml_jupyter.cli.doctoring.surface docs/migration.md"
