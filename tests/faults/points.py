"""Collect the names of all fault points of the package from its syntax trees, and the few that cannot be reached here."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from support import can_make_groups

import aml_jupyter

__all__ = ["UNREACHABLE", "is_still_true", "point_names"]

PACKAGE = Path(aml_jupyter.__file__).parent

WRITERS = {"write_json": "durable.write", "link_json": "durable.link"}
"""Functions whose point has a name of their own when the caller gives none."""

UNREACHABLE = {
    ("supervisor.exec", "after"): "exec puts another program in this one's place, and that one has no points",
    ("supervisor.probe", "before"): "asked only where there are no subreapers: not on Linux",
    ("supervisor.probe", "after"): "asked only where there are no subreapers: not on Linux",
    ("identity.ps", "before"): "ps is asked only where there is no /proc",
    ("identity.ps", "after"): "ps is asked only where there is no /proc",
    ("kernel.ps", "before"): "ps is asked only where there is no /proc",
    ("kernel.ps", "after"): "ps is asked only where there is no /proc",
    ("durable.write", "before"): "every caller of write_json names its own point",
    ("durable.write", "after"): "every caller of write_json names its own point",
    ("durable.link", "before"): "every caller of link_json names its own point",
    ("durable.link", "after"): "every caller of link_json names its own point",
}
if not can_make_groups():
    UNREACHABLE |= {
        (point, side): "memory cgroups take root, or a group that is handed down to this user"
        for point in ("supervisor.group", "supervisor.drop_group")
        for side in ("before", "after")
    }
"""(point, side) -> why no scenario can reach it on this machine."""


def point_names() -> set[str]:
    """Return every name that stands in ``fault_point("...")``, in ``point="..."``, or as such an argument's default."""
    return {name for path in PACKAGE.rglob("*.py") for name in _names_in(ast.parse(path.read_text()))}


def _names_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if _called(node) == "fault_point":
                yield from _texts(node.args)
            elif _called(node) == "sync_folder":
                yield from _texts(node.args[1:])
            yield from _texts([keyword.value for keyword in node.keywords if keyword.arg == "point"])
        elif isinstance(node, ast.FunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args]
            given = dict(zip([each.arg for each in arguments[::-1]], node.args.defaults[::-1], strict=False))
            given |= {
                each.arg: value
                for each, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
                if value is not None
            }
            yield from _texts([value for name, value in given.items() if name == "point"])


def _called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _texts(nodes: list[ast.expr]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def is_still_true(point: str) -> bool:
    """Tell whether the reason for which `point` cannot be reached still holds."""
    if point == "supervisor.exec":
        return True
    if point in ("supervisor.group", "supervisor.drop_group"):
        return not can_make_groups()
    if point in WRITERS.values():
        return not _unnamed_writes(next(name for name, default in WRITERS.items() if default == point))
    if point == "supervisor.probe":
        return sys.platform.startswith("linux")
    return Path("/proc/self/stat").exists()


def _unnamed_writes(writer: str) -> list[str]:
    """Return where `writer` is called without a point of the caller's own."""
    return [
        f"{path}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and _called(node) == writer
        and not any(keyword.arg == "point" for keyword in node.keywords)
    ]
