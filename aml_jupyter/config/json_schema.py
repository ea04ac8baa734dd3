"""Make the JSON Schema of run configuration files from the tables of fields.

``python -m aml_jupyter.config.json_schema`` writes it to ``runconfig.schema.json`` beside this module, which editors can
use; a test checks that the file is fresh.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aml_jupyter.config.fields import Section
from aml_jupyter.config.run_configuration import RunConfiguration
from aml_jupyter.config.workbench import WorkbenchRunConfiguration

FILE = Path(__file__).with_name("runconfig.schema.json")


def run_configuration_schema() -> dict[str, Any]:
    """Return the JSON Schema of a ``.runconfig`` file of 2017, of the 2018 previews, and of SDK v1.

    Keys stand in the spelling in which they are written; other spellings of them are read, too. Unknown keys are
    allowed, for they are kept.
    """
    made: dict[str, Any] = {}
    properties = {**_properties(RunConfiguration, made), **_properties(WorkbenchRunConfiguration, made)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Run configuration of Azure ML SDK v1, its previews, and Azure ML Workbench",
        "type": "object",
        "properties": properties,
        "$defs": dict(sorted(made.items())),
    }


def _properties(kind: type[Section], made: dict[str, Any]) -> dict[str, Any]:
    return {key: _shape(field.schema, made) for field in kind._fields for key in (field.key, *field.aliases) if key}


def _shape(schema: Any, made: dict[str, Any]) -> Any:
    """Return a schema in which classes of sections have become references to their definition in `made`."""
    if isinstance(schema, type):
        if schema.__name__ not in made:
            made[schema.__name__] = {}  # a section may hold others of its kind
            made[schema.__name__] = {
                "description": str(schema.__doc__).splitlines()[0],
                "type": ["object", "null"],
                "properties": _properties(schema, made),
            }
        return {"$ref": f"#/$defs/{schema.__name__}"}
    if isinstance(schema, Mapping):
        return {key: _shape(value, made) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_shape(value, made) for value in schema]
    return schema


def text() -> str:
    """Return the content of the published file."""
    return json.dumps(run_configuration_schema(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
