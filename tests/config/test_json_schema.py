"""The published JSON Schema is fresh, knows every key, takes real files of each generation and refuses wrong values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from aml_jupyter.config import RunConfiguration
from aml_jupyter.config.json_schema import FILE, run_configuration_schema, text

FILES = sorted((Path(__file__).parent / "files").rglob("*.runconfig"))
SCHEMA = run_configuration_schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def test_the_published_file_is_fresh() -> None:
    assert FILE.read_text("utf-8") == text(), "python -m aml_jupyter.config.json_schema writes it anew"
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_real_file_is_valid(path: Path) -> None:
    assert list(VALIDATOR.iter_errors(yaml.safe_load(path.read_text()))) == []


def _keys(value: Any, schema: dict[str, Any]) -> Iterator[str]:
    """Yield each key of `value` that the schema does not know."""
    if "anyOf" in schema:
        schema = next((entry for entry in schema["anyOf"] if "$ref" in entry), schema)
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    if isinstance(value, dict) and "properties" in schema:
        for key, entry in value.items():
            if key not in schema["properties"]:
                yield key
            else:
                yield from (f"{key}.{below}" for below in _keys(entry, schema["properties"][key]))


def test_every_key_is_known() -> None:
    config = RunConfiguration()
    config.batchai.node_count = 2
    config.container_instance.region = "eastus"
    config.tracked_run = False
    config.prepare_environment = True
    written = config.to_dict()
    assert list(_keys(written, SCHEMA)) == []
    assert list(_keys({**written, "history": {"wrong": 1}}, SCHEMA)) == ["history.wrong"]
    assert list(VALIDATOR.iter_errors(written)) == []


@pytest.mark.parametrize(
    ("value", "is_valid"),
    [
        ({"framework": "pyspark"}, True),
        ({"framework": "Pyton"}, False),
        ({"Framework": "PYTHON"}, True),
        ({"nodeCount": "4"}, True),
        ({"nodeCount": 0}, False),
        ({"nodeCount": "four"}, False),
        ({"arguments": ["--rate", 0.1, True]}, True),
        ({"arguments": "--rate 0.1"}, False),
        ({"ArgumentVector": ["a.py", 3]}, True),
        ({"ArgumentVector": {"a": 1}}, False),
        ({"history": {"outputCollection": "no"}}, True),
        ({"history": 3}, False),
        ({"environment": "environment.yml"}, True),
        ({"environment": {"python": {"interpreterPath": ["x"]}}}, False),
        ({"dataReferences": {"my_in": {"dataStoreName": "s", "mode": "Mount"}}}, True),
        ({"dataReferences": {"my_in": {"dataStoreName": "s", "mode": "fly"}}}, False),
        ({"environmentVariables": {"A": [1]}}, False),
        ({"our_own": {"a": [1]}}, True),
    ],
)
def test_values_are_valid_as_they_are_read(value: dict[str, Any], is_valid: bool) -> None:
    assert VALIDATOR.is_valid(value) is is_valid
