"""The zip is the same for the same content, is put in place as a whole, and runs on every Python of the machine."""

from __future__ import annotations

import ast
import hashlib
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from supervisor.attempts import Attempt

import aml_jupyter.supervisor
from aml_jupyter.supervisor import bundle

PACKAGE = Path(aml_jupyter.supervisor.__file__).parent
PYENV = Path.home() / ".pyenv" / "versions"
PYTHONS = sorted(path for path in PYENV.glob("3.*/bin/python3") if path.exists()) or [Path(sys.executable)]
PRINT_VERSION = "import sys\nprint('%d.%d' % sys.version_info[:2])"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_file_has_the_syntax_of_python_3_6(path: Path) -> None:
    ast.parse(path.read_text(), str(path), feature_version=(3, 6))


def test_the_same_content_makes_the_same_folder(tmp_path: Path) -> None:
    first, second = bundle.place(tmp_path / "a"), bundle.place(tmp_path / "b")
    assert first.root.name == second.root.name
    assert first.archive.read_bytes() == second.archive.read_bytes()
    assert bundle.place(tmp_path / "a") is first
    names = zipfile.ZipFile(first.archive).namelist()
    assert {"__main__.py", "aml_supervisor/supervise.py", "aml_supervisor/runners/cell.py"} <= set(names)
    assert not [name for name in names if "/site/" in name or "__pycache__" in name]


def test_another_process_makes_the_same_folder(tmp_path: Path) -> None:
    here = bundle.place(tmp_path / "a").root.name
    script = f"from aml_jupyter.supervisor import bundle; print(bundle.place({str(tmp_path / 'b')!r}).root.name)"
    for number, before in enumerate(("", "import numpy; ", "import IPython; ")):
        there = subprocess.run(
            [sys.executable, "-c", before + script],
            env={**os.environ, "PYTHONHASHSEED": str(number)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert there.stdout.strip() == here


def test_site_is_copied_beside_the_zip(tmp_path: Path) -> None:
    placed = bundle.place(tmp_path)
    source = PACKAGE / "site"
    expected = {p.relative_to(source) for p in source.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    expected.add(Path("__pycache__", f"sitecustomize.{sys.implementation.cache_tag}.pyc"))
    assert {p.relative_to(placed.site) for p in placed.site.rglob("*") if p.is_file()} == expected


def test_what_was_damaged_is_put_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    placed = bundle.place(tmp_path)
    digest = hashlib.sha256(placed.archive.read_bytes()).digest()
    monkeypatch.setattr(bundle, "_placed", {})
    placed.archive.write_bytes(b"PK torn")
    again = bundle.place(tmp_path)
    assert again == placed
    assert hashlib.sha256(again.archive.read_bytes()).digest() == digest
    # And when somebody cleans up while this process lives.
    placed.archive.unlink()
    assert hashlib.sha256(bundle.place(tmp_path).archive.read_bytes()).digest() == digest
    assert [entry.name for entry in tmp_path.iterdir()] == [placed.root.name]


def test_many_at_once_leave_one_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "_placed", {})
    found: list[bundle.Bundle] = []
    threads = [threading.Thread(target=lambda: found.append(bundle.place(tmp_path))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len({one.root for one in found}) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == [found[0].root.name]


@pytest.mark.parametrize("python", PYTHONS, ids=lambda path: path.parent.parent.name)
def test_the_zip_runs_an_attempt_under_every_python(make_attempt: Callable[[], Attempt], python: Path) -> None:
    attempt = make_attempt()
    (attempt.work / "script.py").write_text(PRINT_VERSION)
    attempt.launch([str(python), "script.py"])
    assert attempt.start(python=str(python)).wait(60) == 0
    result = attempt.result()
    assert (result["exit_code"], result["reason"]) == (0, "exit"), attempt.words
    assert attempt.log == subprocess.check_output([python, "-c", PRINT_VERSION], text=True)
    assert attempt.words == ""


@pytest.mark.parametrize("python", PYTHONS, ids=lambda path: path.parent.parent.name)
def test_cancel_works_under_every_python(attempt: Attempt, python: Path) -> None:
    attempt.python("import time\ntime.sleep(600)")
    attempt.start(python=str(python))
    attempt.started()
    attempt.file("cancel.json", {"grace_seconds": 5})
    assert attempt.result()["reason"] == "canceled", attempt.words


@pytest.mark.parametrize("arguments", [[], ["dance"], ["dance", "x"]])
def test_a_wrong_command_line_is_answered_with_the_right_ones(placed: bundle.Bundle, arguments: list[str]) -> None:
    run = subprocess.run([sys.executable, placed.archive, *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "supervise <control>" in run.stderr
