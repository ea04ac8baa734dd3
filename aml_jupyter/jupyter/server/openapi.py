"""Make the OpenAPI 3.1 document of the HTTP API from the routes, the handlers and the types they declare.

``python -m aml_jupyter.jupyter.server.openapi docs/openapi.json`` writes it; the server has it at ``/aml/api/openapi.json``.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aml_jupyter

from .answers import Refusal
from .base import API_VERSION, Unknown, methods_of
from .endpoint import Declared
from .schema import Schemas

__all__ = ["document", "shown_routes"]

ROOT = "/aml/api"

_REFUSALS = {
    400: "What was sent is wrong: `field` and `message` say what.",
    403: "No token, a wrong one, or a user who may not do this.",
    404: "What the path names is not there.",
    409: "What was asked does not fit the state of things.",
    503: "The workspace cannot be read or written now, or its service cannot be reached.",
}

_ABOUT = (
    "Runs, compute targets and experiments of the workspaces that this Jupyter server has. Every answer has the version of "
    "the API and the workspace that it speaks of; every refusal says what happened, why, and what to do."
)

_PATHS = {
    "workspace_id": "Id of a workspace; `default` is the server's own.",
    "run_id": "Id of a run.",
    "target_name": "Name of a compute target.",
    "metric_name": "Name of a metric.",
    "path": "Name of a file of the run; a slash in it may be written as it is.",
    "action": "What to do.",
}


def document(url: str = ROOT) -> dict[str, Any]:
    """Return the document for a server whose API lies at `url`."""
    schemas = Schemas()
    paths: dict[str, Any] = {}
    for path, handler in shown_routes():
        operations = {
            method.lower(): _operation(path, handler, method.lower(), schemas) for method in methods_of(handler)
        }
        paths[path] = {"summary": _first_line(handler), **operations}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "aml-jupyter",
            "description": _ABOUT,
            "version": aml_jupyter.__version__,
            "x-api-version": API_VERSION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": url}],
        "security": [{"header": []}, {"query": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.named.items())),
            "securitySchemes": {
                "header": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "The word `token`, a space, and the Jupyter server's token.",
                },
                "query": {"type": "apiKey", "in": "query", "name": "token", "description": "The server's token."},
            },
        },
    }


def shown_routes() -> Iterator[tuple[str, type]]:
    """Yield the path of each route, relative to the API's root and with the names of its parts, and its handler."""
    from .routes import ROUTES

    for pattern, handler in ROUTES:
        if handler is Unknown:
            continue
        path = pattern.replace("\\", "").removeprefix(ROOT)
        for name in _arguments(handler):
            path = re.sub(r"\([^()]*\)", f"{{{name}}}", path, count=1)
        yield path, handler


def _arguments(handler: type) -> list[str]:
    method = getattr(handler, methods_of(handler)[0].lower())
    return list(inspect.signature(method).parameters)[1:]


def _operation(path: str, handler: type, method: str, schemas: Schemas) -> dict[str, Any]:
    function = getattr(handler, method)
    declared: Declared = function.declared
    parts = re.findall(r"{(\w+)}", path)
    codes = [400, 403, 503, *([404] if parts else []), *([409] if method != "get" else [])]
    operation: dict[str, Any] = {
        "operationId": f"{method}{handler.__name__}",
        "summary": _first_line(function),
        "parameters": [*_path_parameters(function, parts, schemas), *_query_parameters(declared.query, schemas)],
        "responses": {
            str(declared.status): _answer(declared, schemas),
            **{str(code): _refusal(code, schemas) for code in sorted(codes)},
        },
    }
    if declared.body is not None:
        schema = schemas.of(declared.body)
        needed = "required" in schemas.named[declared.body.__name__]
        operation["requestBody"] = {"required": needed, "content": {"application/json": {"schema": schema}}}
    return operation


def _path_parameters(function: Any, names: list[str], schemas: Schemas) -> Iterator[dict[str, Any]]:
    hints = typing.get_type_hints(function)
    for name in names:
        schema = schemas.of(hints[name])
        if "enum" not in schema:
            schema["minLength"] = 1
        yield {"name": name, "in": "path", "required": True, "description": _PATHS[name], "schema": schema}


def _query_parameters(query: type, schemas: Schemas) -> Iterator[dict[str, Any]]:
    """Yield the fields of a query; null is said by leaving a field out."""
    own = Schemas()
    own.of(query)
    for name, schema in own.named[query.__name__]["properties"].items():
        shown = dict(schema)
        note = shown.pop("description", None)
        if shown.get("default", 0) is None:
            del shown["default"]
        if isinstance(shown.get("type"), list):
            (shown["type"],) = (kind for kind in shown["type"] if kind != "null")
        if "anyOf" in shown:
            (rest,) = (choice for choice in shown.pop("anyOf") if choice.get("type") != "null")
            shown |= rest
        yield {"name": name, "in": "query", "schema": shown} | ({"description": note} if note else {})


def _answer(declared: Declared, schemas: Schemas) -> dict[str, Any]:
    if declared.answer is None:
        return {"description": "A WebSocket, on which events come as they happen."}
    if declared.answer is bytes:
        return {"description": "The bytes of the file, of a type that is safe to show.", "content": {"*/*": {}}}
    schema = schemas.of(declared.answer)
    said = schemas.named[declared.answer.__name__]["description"]
    content: dict[str, Any] = {"application/json": {"schema": schema}}
    if declared.binary:
        content["application/octet-stream"] = {}
    return {"description": said, "content": content}


def _refusal(code: int, schemas: Schemas) -> dict[str, Any]:
    return {"description": _REFUSALS[code], "content": {"application/json": {"schema": schemas.of(Refusal)}}}


def _first_line(thing: Any) -> str:
    return str(inspect.getdoc(thing) or "").splitlines()[0]


def main(words: list[str]) -> int:
    """Write the document into the file that `words` name."""
    if len(words) != 1:
        print("one file is needed: python -m aml_jupyter.jupyter.server.openapi docs/openapi.json", file=sys.stderr)
        return 2
    Path(words[0]).write_text(json.dumps(document(), indent=1, ensure_ascii=False) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
