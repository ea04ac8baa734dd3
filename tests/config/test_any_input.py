"""Any input of the YAML readers gives a value or one clear error: no traceback, no hang, no code executed."""

from __future__ import annotations

import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aml_jupyter.config import CondaDependencies, Environment, RunConfiguration
from aml_jupyter.config.compute_files import TYPES, ComputeFile, read_compute_file
from aml_jupyter.config.json_schema import run_configuration_schema
from aml_jupyter.config.reading import Place
from aml_jupyter.config.sweeps import read_hdconfig
from aml_jupyter.config.sweeps.line import is_space, read_policy_line, read_space_line
from aml_jupyter.config.workbench import read_spark_file
from aml_jupyter.errors import AmlError

FILES = sorted(path for path in (Path(__file__).parent / "files").rglob("*") if path.is_file())
SWEEP = """sampling:
  type: random
  parameter_space:
  - {name: --lr, expression: loguniform, values: [-6, -1]}
  - {name: --batch, expression: choice, values: [16, 32]}
policy: {type: BanditPolicy, evaluation_interval: 1, slack_factor: 0.2}
primary_metric_name: accuracy
primary_metric_goal: Maximize
max_total_runs: 8
max_concurrent_runs: 2
max_duration_minutes: 100
"""
TEXTS = [SWEEP, *(path.read_text() for path in FILES)]
SCHEMA = run_configuration_schema()
KEYS = sorted(
    {
        *SCHEMA["properties"],
        *(key for part in SCHEMA["$defs"].values() for key in part.get("properties", {})),
        *(field.key for field in ComputeFile._fields),
        "name", "channels", "dependencies", "pip", "variables", "prefix", "configuration", "sampling", "type", "parameter_space",
        "expression", "values", "policy", "slack_factor", "evaluation_interval", "primary_metric_name", "primary_metric_goal",
        "max_total_runs", "max_concurrent_runs", "max_duration_minutes", "seed", "rule", "properties",
    }
)  # fmt: skip
WORDS = [
    "local",
    "docker",
    "Python",
    "PySpark",
    "$file",
    "a.py",
    "",
    "true",
    "~",
    "../x",
    "a/b",
    "\0",
    "é",
    "random",
    "grid",
    "choice",
    "uniform",
    "BanditPolicy",
    "median",
    "maximize",
    *TYPES,
]


def _spark(path: Path) -> None:
    read_spark_file(RunConfiguration(), path, Place(str(path)))


READERS: dict[str, Callable[[Path], Any]] = {
    "x.runconfig": RunConfiguration.load,
    "x.compute": read_compute_file,
    "conda.yml": CondaDependencies,
    "spark.yml": _spark,
    "hdconfig.yml": read_hdconfig,
    "environment.yml": lambda path: Environment.from_conda_specification("e", path),
}

_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(WORDS)
    | st.text(max_size=20)
    | st.dates()
    | st.binary(max_size=8)
)
_keys = st.sampled_from(KEYS) | st.text(max_size=12) | st.integers() | st.none()
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=5), max_leaves=25
)
_documents = st.dictionaries(_keys, _values, max_size=8)
_bits = st.text(string.ascii_letters + string.digits + " \t\n:-#'\"[]{}&*!|>%@`,?~.", max_size=60)


@st.composite
def _edited(draw: st.DrawFn) -> str:
    """A real file in which a stretch was put in the place of another."""
    text = draw(st.sampled_from(TEXTS))
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 40)))
    return text[:start] + draw(_bits) + text[end:]


def _read(folder: Path, data: bytes) -> None:
    for name, reader in READERS.items():
        path = folder / name
        path.write_bytes(data)
        try:
            reader(path)
        except AmlError as error:
            said = str(error)
            assert said and "\n" not in said.strip() and len(said) < 2000
            assert "Traceback" not in said


ANY = settings(max_examples=60, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(_documents)
@ANY
def test_any_document_gives_a_value_or_one_error(tmp_path: Path, document: Any) -> None:
    _read(tmp_path, yaml.safe_dump(document, allow_unicode=True).encode("utf-8", "surrogatepass"))


@given(_documents)
@ANY
def test_any_mapping_gives_a_value_or_one_error(document: Any) -> None:
    for kind in (RunConfiguration, Environment):
        try:
            made = kind.from_dict(document)  # type: ignore[attr-defined]
        except AmlError:
            continue
        again = kind.from_dict(made.to_dict())  # type: ignore[attr-defined]
        assert again.to_dict() == made.to_dict()


@given(_edited())
@ANY
def test_any_change_of_a_real_file_gives_a_value_or_one_error(tmp_path: Path, text: str) -> None:
    _read(tmp_path, text.encode())


@given(st.binary(max_size=200))
@example(b"")
@example(b"\xff\xfe")
@example(b"%YAML 9.9\n---\na: 1\n")
@example(b"--- a\n--- b\n")
@example(b"<<: *a\n")
@example(b"&a a: *a\n")
@example(b"a: &a [*a]\n")
@example(b"? [a]\n: 1\n")
@example(b"Target: 1e400\nnodeCount: .inf\n")
@example(b"arguments: [0o7, 0x1F, 1_000, 12:30:45, 2001-12-14t21:59:43.10-05:00]\nenvironment: {}\n")
@example(b"nodeCount: " + b"9" * 5000 + b"\nenvironment: {}\n")
@ANY
def test_any_bytes_give_a_value_or_one_error(tmp_path: Path, data: bytes) -> None:
    _read(tmp_path, data)


_line = st.lists(
    st.sampled_from(
        ["lr", "--x", "=", "(", ")", "[", "]", ",", " ", "'", '"', "choice", "uniform", "loguniform", "-6", "1e999"]
    )
    | st.sampled_from(
        ["bandit", "slack_factor", "median", "None", "{", "}", ":", "\\", "\n", "#", "*", "f'{x}'", "lambda: 1"]
    )
    | st.text(max_size=3),
    max_size=14,
).map("".join)


@given(_line)
@example("lr=choice(" + "[" * 3000 + "]" * 3000 + ")")
@example("lr=choice(" + "9" * 6000 + ")")
@example("x=uniform(0, 1e400)")
@settings(max_examples=300, deadline=2000)
def test_any_line_is_a_sweep_or_one_error(text: str) -> None:
    for reader in (read_space_line, read_policy_line, is_space):
        try:
            reader(text)  # type: ignore[operator]
        except AmlError as error:
            assert str(error) and "Traceback" not in str(error)


@given(_edited())
@ANY
def test_what_can_be_read_can_be_saved_and_read_again(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.runconfig"
    path.write_text(text)
    try:
        config = RunConfiguration.load(path)
        config.save()
    except AmlError:
        return
    assert path.read_text() == text
    config.script = "another.py"
    config.command = ""
    try:
        config.save()
    except AmlError:
        return
    again = RunConfiguration.load(path)
    assert again.to_dict() == config.to_dict()


@pytest.mark.parametrize(
    "tag",
    ["!!python/object/apply:os.system", "!!python/name:os.system", "!!python/module:os", "!include", "!!python/tuple"],
)
@pytest.mark.parametrize("name", sorted(READERS))
def test_no_code_is_executed(tmp_path: Path, name: str, tag: str) -> None:
    mark = tmp_path / "executed"
    for text in (f'script: {tag} ["touch {mark}"]\n', f'{tag} ["touch {mark}"]\n', f"? {tag} [touch {mark}]\n: 1\n"):
        (tmp_path / name).write_text(text)
        with pytest.raises(AmlError):
            READERS[name](tmp_path / name)
    assert not mark.exists()
