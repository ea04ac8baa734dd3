"""A person's own interpreter is found and checked before anything is queued; real and broken ones."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aml_jupyter.config import RunConfiguration
from aml_jupyter.environments import check, resolve, submitter
from aml_jupyter.environments import interpreter as room
from aml_jupyter.errors import ConfigurationError


def _config(path: str) -> RunConfiguration:
    config = RunConfiguration()
    config.environment.python.user_managed_dependencies = True
    config.environment.python.interpreter_path = path
    return config


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., Path]:
    def make(text: str, mode: int = 0o755, name: str = "python") -> Path:
        path = tmp_path / name
        path.write_text(text)
        path.chmod(mode)
        return path

    return make


def _refusal(path: str, here: dict[str, Any] | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        check(_config(path), here or submitter())
    assert caught.value.field == "environment.python.interpreter_path"
    expected = f"environment.python.interpreter_path: expected a Python interpreter, found {path!r}: "
    assert str(caught.value).startswith(expected)
    return str(caught.value).removeprefix(expected)


def test_the_submitters_own_python_passes() -> None:
    check(RunConfiguration(), submitter())
    check(_config("python"), submitter())
    check(_config(sys.executable), submitter())


def test_a_submitters_python_that_is_gone_is_refused(tmp_path: Path) -> None:
    here = {**submitter(), "python": str(tmp_path / "python")}
    with pytest.raises(ConfigurationError, match=r"there is no file .*python"):
        check(RunConfiguration(), here)


def test_a_missing_one_is_refused_with_the_one_that_was_meant(tmp_path: Path) -> None:
    assert _refusal(str(tmp_path / "python")).startswith(f"there is no file {tmp_path}/python. Write the full path")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    assert _refusal(str(tmp_path)) == f"{tmp_path} is a folder. Did you mean {tmp_path}/bin/python?"
    assert _refusal(str(tmp_path / "python")).endswith(f"Did you mean {tmp_path}/bin/python?")


def test_a_name_that_is_not_on_the_submitters_path_is_refused() -> None:
    assert _refusal("python3.99").startswith("no program of this name is on the PATH (")


def test_a_broken_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "python").symlink_to(tmp_path / "gone")
    assert _refusal(str(tmp_path / "python")).startswith(f"{tmp_path}/python is a broken link to {tmp_path}/gone.")


def test_a_file_that_may_not_be_executed_is_refused(program: Callable[..., Path]) -> None:
    path = program("#!/bin/sh\n", mode=0o644)
    assert _refusal(str(path)).startswith(f"{path} may not be executed by this user.")


def test_what_does_not_run_is_refused(program: Callable[..., Path]) -> None:
    path = program("#!/no/such/interpreter\n")
    assert _refusal(str(path)).startswith(f"{path} does not run (No such file or directory).")


def test_what_fails_is_refused_with_its_last_words(program: Callable[..., Path]) -> None:
    path = program("#!/bin/sh\necho first >&2\necho 'no module named encodings' >&2\nexit 3\n")
    assert _refusal(str(path)).startswith(f"{path} ended with exit code 3, and said: no module named encodings.")


def test_what_is_not_python_is_refused(program: Callable[..., Path]) -> None:
    assert "ended with exit code 0" in _refusal(str(program("#!/bin/sh\nexit 0\n")))


def test_an_old_python_is_refused(program: Callable[..., Path]) -> None:
    path = program("#!/bin/sh\nprintf 'aml-python 2.7.18'\n")
    assert _refusal(str(path)).startswith("it is Python 2.7.18; 3.6 is the oldest that runs.")


def test_what_does_not_answer_is_refused(program: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_PATIENCE", 0.2)
    path = program("#!/bin/sh\nexec sleep 60\n")
    assert "did not answer within" in _refusal(str(path))


def test_a_good_one_is_run_once_until_it_changes(program: Callable[..., Path], tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    path = program(f'#!/bin/sh\necho run >> {ledger}\nexec "{sys.executable}" "$@"\n')
    for _ in range(3):
        check(_config(str(path)), submitter())
    assert ledger.read_text().splitlines() == ["run"]
    os.utime(path, ns=(1, 1))
    check(_config(str(path)), submitter())
    assert ledger.read_text().splitlines() == ["run", "run"]


def test_a_failure_is_tried_again(program: Callable[..., Path], tmp_path: Path) -> None:
    path = program(f'#!/bin/sh\ntest -e {tmp_path}/ready || exit 1\nexec "{sys.executable}" "$@"\n')
    _refusal(str(path))
    (tmp_path / "ready").touch()
    check(_config(str(path)), submitter())


def test_names_and_relative_paths_are_the_submitters(program: Callable[..., Path], tmp_path: Path) -> None:
    path = program(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', name="my-python")
    here = {**submitter(), "cwd": str(tmp_path)}
    here["variables"] = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    for written in ("my-python", "./my-python", f"../{tmp_path.name}/my-python"):
        config = _config(written)
        check(config, here)
        resolved = resolve({"submitter": here, "run_config": config.to_dict()})
        assert (resolved.interpreter, resolved.kind) == (str(path), "user-managed")


def test_a_declared_variable_with_an_illegal_name_is_refused() -> None:
    config = RunConfiguration()
    with pytest.raises(ConfigurationError, match="expected a variable's name without '=' or NUL"):
        config.environment_variables = {"A=B": "1"}
    config.environment_variables["A=B"] = "1"
    with pytest.raises(ConfigurationError, match="name"):
        check(config, submitter())
