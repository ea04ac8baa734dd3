"""`aml model`: list, show, register, download, delete; JSON has stable names."""

from __future__ import annotations

from pathlib import Path

from cli.conftest import Aml

from aml_jupyter.workspace import WorkspaceFolder


def test_a_model_at_the_command_line(aml: Aml, project: Path, folder: WorkspaceFolder) -> None:
    assert "no models" in aml("model", "list").out
    (project / "model.txt").write_text("m")
    made = aml("model", "register", "-n", "net", "-p", "model.txt", "--tag", "area=digits", "-d", "first", "--json")
    assert made.code == 0, made.err
    assert {"id": "net:1", "version": 1, "tags": {"area": "digits"}, "root": "model.txt", "files": 1}.items() <= (
        made.json.items()
    )
    assert aml("model", "register", "net", "--model-path", "model.txt", "--property", "p=1").code == 0
    listed = aml("model", "list", "--json").json
    assert [model["id"] for model in listed] == ["net:2", "net:1"]
    assert [model["id"] for model in aml("model", "list", "--tag", "area", "--json").json] == ["net:1"]
    assert [model["id"] for model in aml("model", "list", "-l", "--json").json] == ["net:2"]
    assert "net:2" in aml("model", "show", "net").out and "p=1" in aml("model", "show", "net").out
    shown = aml("model", "show", "-n", "net", "-v", "1")
    assert shown.out.startswith("net:1\n") and "area=digits" in shown.out and "first" in shown.out
    assert aml("model", "download", "net:1", "-t", "got").out.strip().endswith("got/model.txt")
    assert (project / "got" / "model.txt").read_text() == "m"
    again = aml("model", "download", "net:1", "-t", "got")
    assert again.code == 2 and "is there already" in again.err
    assert aml("model", "download", "net:1", "-t", "got", "--exist-ok").code == 0
    assert aml("model", "delete", "net:2").out == "deleted model net:2\n"
    assert [model["id"] for model in aml("model", "list", "--json").json] == ["net:1"]


def test_a_model_of_a_run(aml: Aml, project: Path) -> None:
    (project / "train.py").write_text("open('outputs/m.txt', 'w').write('m')")
    assert aml("submit", "--wait", "train.py").code == 0
    made = aml("model", "register", "-n", "m", "--asset-path", "outputs/m.txt", "--run", "last", "--json")
    assert made.code == 0 and made.json["run_id"] and made.json["experiment_name"]
    wrong = aml("model", "register", "-n", "m", "-p", "outputs/none.txt", "--run", "last")
    assert wrong.code == 2 and "Its files: outputs/m.txt" in wrong.err


def test_mistakes_are_one_line(aml: Aml, project: Path) -> None:
    for words, said in (
        (("register", "-n", "x"), "what to register is missing"),
        (("register", "-p", "train.py"), "the model's name is missing"),
        (("register", "-n", "x", "--asset-path", "outputs/a"), "--run is missing"),
        (("register", "-n", "a b", "-p", "train.py"), "cannot be used"),
        (("register", "-n", "x", "-p", "nowhere"), "there is no file or folder"),
        (("show",), "which model is missing"),
        (("show", "x"), "there is no model 'x'"),
        (("show", "x:y"), "NAME or NAME:VERSION was expected"),
        (("show", "x:1", "-v", "2"), "are two versions"),
        (("delete", "x"), "which version of x is missing"),
    ):
        done = aml("model", *words)
        assert done.code == 2 and said in done.err and len(done.err.strip().splitlines()) == 1, (words, done.err)
