"""Find what a Python script or a notebook uses of SDK v1, by reading its syntax tree; nothing is executed.

The types of names are followed through plain assignments: ``run = Run.get_context()``, ``ws.compute_targets``,
``config.run_config.environment``.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator
from typing import Any, Final

from aml_jupyter.cli.doctoring.coverage import argument, imported, is_stand_in, member, named, result_of
from aml_jupyter.views.doctor import Finding

__all__ = ["notebook_findings", "script_findings"]

_AZ: Final = re.compile(r"^\s*[!%]\s*az\s+(ml\s.*)$")


def script_findings(file: str, text: str, first: int = 1) -> Iterator[Finding]:
    """Yield what a script uses; `first` is the number of its first line."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        if "azureml" in text:
            yield Finding(file, first + line - 1, "Python", "broken", f"it cannot be read as Python 3: {error}")
        return
    yield from _Reader(file, first).read(tree)


def notebook_findings(file: str, text: str) -> Iterator[Finding]:
    """Yield what the code cells of a notebook use; the line is the cell's number."""
    from aml_jupyter.cli.doctoring.files import line_findings

    try:
        cells = json.loads(text)["cells"]
        sources = [
            "".join(cell["source"]) if isinstance(cell["source"], list) else str(cell["source"])
            for cell in cells
            if cell.get("cell_type") == "code"
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if "azureml" in text:
            yield Finding(file, 0, "notebook", "broken", f"it cannot be read as a notebook: {error}")
        return
    reader = _Reader(file, 1)
    for number, source in enumerate(sources, 1):
        plain = []
        for line in source.splitlines():
            command = _AZ.match(line)
            if command:
                yield from line_findings(file, number, f"az {command[1]}")
            plain.append("pass" if re.match(r"\s*[!%?]", line) and not line.lstrip().startswith("%%") else line)
        if plain and plain[0].startswith("%%"):
            continue
        try:
            tree = ast.parse("\n".join(plain))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            if "azureml" in source:
                yield Finding(file, number, f"cell {number}", "broken", f"it cannot be read as Python 3: {error}")
            continue
        for finding in reader.read(tree):
            yield Finding(finding.file, number, finding.what, finding.status, finding.text)


class _Reader(ast.NodeVisitor):
    """Read one file; remember what names stand for: a module, a class, or ``("of", class)`` for an instance."""

    def __init__(self, file: str, first: int) -> None:
        self.file = file
        self.first = first
        self.names: dict[str, Any] = {}
        self.found: list[Finding] = []

    def read(self, tree: ast.AST) -> list[Finding]:
        self.found = []
        self.visit(tree)
        return self.found

    def _say(self, node: ast.AST, what: str, status: str, text: str) -> None:
        line = getattr(node, "lineno", 1) + self.first - 1
        self.found.append(Finding(self.file, line, what, status, text))

    # -- imports ----------------------------------------------------------------------------------------------------

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name.split(".")[0] == "azureml":
                verdict = imported(alias.name)
                self._say(node, f"import {alias.name}", verdict.status, verdict.text)
                if verdict.value is not None:
                    root = imported("azureml").value
                    self.names[alias.asname or "azureml"] = verdict.value if alias.asname else root

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.level or (node.module or "").split(".")[0] != "azureml":
            return
        for alias in node.names:
            verdict = imported(node.module or "", alias.name)
            self._say(node, f"from {node.module} import {alias.name}", verdict.status, verdict.text)
            if verdict.value is not None:
                self.names[alias.asname or alias.name] = verdict.value

    # -- what is done with them -------------------------------------------------------------------------------------

    def visit_Assign(self, node: ast.Assign) -> None:
        kind = self._kind(node.value)
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.names.pop(target.id, None)
                if kind is not None:
                    self.names[target.id] = kind
            else:
                self.visit(target)

    def visit_With(self, node: ast.With) -> None:
        for item in node.items:
            kind = self._kind(item.context_expr)
            if isinstance(item.optional_vars, ast.Name) and kind is not None:
                self.names[item.optional_vars.id] = kind
        for statement in node.body:
            self.visit(statement)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._kind(node)

    def visit_Call(self, node: ast.Call) -> None:
        self._kind(node)

    def _kind(self, node: ast.AST) -> Any:
        """Return what an expression stands for, and note the uses in it."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id)
        if isinstance(node, ast.Await):
            return self._kind(node.value)
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        self.generic_visit(node)
        return None

    def _attribute(self, node: ast.Attribute) -> Any:
        owner = self._kind(node.value)
        if owner is None:
            return None
        if inspect.ismodule(owner):
            if owner.__name__.split(".")[0] != "azureml":
                return None
            verdict = imported(owner.__name__, node.attr)
            self._say(node, f"{owner.__name__}.{node.attr}", verdict.status, verdict.text)
            return verdict.value
        cls: Any = owner[1] if isinstance(owner, tuple) else owner
        if not isinstance(cls, type) or issubclass(cls, BaseException):
            return None
        kind: Any = cls
        verdict = member(kind, node.attr)
        self._say(node, f"{named(cls)}.{node.attr}", verdict.status, verdict.text)
        found = verdict.value
        if isinstance(found, property):
            result = result_of(found)
            return ("of", result) if result is not None else None
        if found is None:
            return None
        section = found if inspect.isclass(found) else getattr(found, "schema", None)
        if isinstance(section, dict):
            section = next((each for each in section.get("anyOf", ()) if inspect.isclass(each)), None)
        if inspect.isclass(section):
            return ("of", section)
        return ("method", found, cls)

    def _call(self, node: ast.Call) -> Any:
        target = self._kind(node.func)
        for each in node.args:
            self._kind(each)
        function = None
        if inspect.isclass(target) or inspect.isfunction(target):
            function = target
        elif isinstance(target, tuple) and target[0] == "method":
            function = target[1]
        if is_stand_in(function):
            function = None
        for keyword in node.keywords:
            self._kind(keyword.value)
            if function is not None and keyword.arg and callable(getattr(function, "__func__", function)):
                verdict = argument(function, keyword.arg)
                if verdict.status != "works":
                    name = getattr(function, "__qualname__", getattr(function, "__name__", "call"))
                    self._say(node, f"{name}({keyword.arg}=...)", verdict.status, verdict.text)
        if function is None:
            return None
        result = result_of(function)
        if result is None and isinstance(target, tuple) and target[1] is not None:
            return None
        return ("of", result) if result is not None else None
