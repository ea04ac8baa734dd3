"""Every call that syncs, renames, links, commits, spawns, kills or unlinks stands inside ``fault_point(name)``."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "aml_jupyter"
ROOMS = ("workspace", "service", "targets", "supervisor")

ACTS = {
    "os": {
        "fsync", "fdatasync", "rename", "replace", "link", "symlink", "unlink", "remove", "rmdir", "kill", "killpg",
        "fork", "posix_spawn", "posix_spawnp", "execv", "execve", "execvpe",
    },
    "shutil": {"rmtree", "move"},
    "subprocess": {"Popen", "run", "check_call", "check_output"},
}  # fmt: skip
METHODS = {"unlink", "rename", "hardlink_to", "symlink_to", "rmdir", "commit"}
STATEMENTS = ("COMMIT",)

EXEMPT = {
    # The point itself.
    "supervisor/faults.py",
}


class _Finder(ast.NodeVisitor):
    def __init__(self) -> None:
        self.inside = 0
        self.outside: list[str] = []

    def visit_With(self, node: ast.With) -> None:
        marked = any(
            isinstance(item.context_expr, ast.Call)
            and isinstance(item.context_expr.func, ast.Name)
            and item.context_expr.func.id == "fault_point"
            for item in node.items
        )
        self.inside += marked
        self.generic_visit(node)
        self.inside -= marked

    def visit_Call(self, node: ast.Call) -> None:
        act = _act(node)
        if act and not self.inside:
            self.outside.append(f"line {node.lineno}: {act}")
        self.generic_visit(node)


def _act(node: ast.Call) -> str | None:
    function = node.func
    if not isinstance(function, ast.Attribute):
        return None
    if isinstance(function.value, ast.Name) and function.attr in ACTS.get(function.value.id, ()):
        return f"{function.value.id}.{function.attr}"
    if function.attr in METHODS and not (isinstance(function.value, ast.Name) and function.value.id in ACTS):
        return f".{function.attr}"
    if function.attr == "execute" and node.args and isinstance(node.args[0], ast.Constant):
        return "COMMIT" if str(node.args[0].value).strip().upper() in STATEMENTS else None
    return None


def _files() -> list[Path]:
    return sorted(path for room in ROOMS for path in (PACKAGE / room).rglob("*.py"))


@pytest.mark.parametrize("path", _files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_act_has_a_fault_point(path: Path) -> None:
    if str(path.relative_to(PACKAGE)) in EXEMPT:
        return
    finder = _Finder()
    finder.visit(ast.parse(path.read_text()))
    assert not finder.outside, "\n".join(finder.outside)


def test_the_finder_finds() -> None:
    finder = _Finder()
    finder.visit(ast.parse("import os\nos.rename('a', 'b')\nwith fault_point('x'):\n    os.unlink('a')\n"))
    assert finder.outside == ["line 2: os.rename"]
