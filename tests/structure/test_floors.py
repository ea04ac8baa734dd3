"""Imports go down the floors of docs/structure.md, and never sideways between packages of one floor."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "aml_jupyter"

FLOORS = {
    "azureml": 11,
    "jupyter": 10,
    "cli": 9,
    "sdk": 8,
    "views": 7,
    "service": 6,
    "hyperdrive": 5,
    "pipelines": 5,
    "targets": 4,
    "environments": 3,
    "workspace": 2,
    "transports": 2,
    "config": 1,
    "supervisor": 1,
    "errors": 0,
}


def _files() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE)


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the dotted name (within aml_jupyter) of every import of ours."""
    here = path.relative_to(PACKAGE.parent).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("aml_jupyter."):
                    yield node.lineno, alias.name.removeprefix("aml_jupyter.")
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                base = here[: -node.level]
                dotted = ".".join([*base, *(node.module or "").split(".")]).strip(".")
                if dotted.startswith("aml_jupyter"):
                    inner = dotted.removeprefix("aml_jupyter").strip(".")
                    if inner:
                        yield node.lineno, inner
            elif node.module and node.module.startswith("aml_jupyter."):
                yield node.lineno, node.module.removeprefix("aml_jupyter.")


@pytest.mark.parametrize("path", _files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0]
    wrong = []
    for line, name in _imports(path):
        other = name.split(".")[0]
        assert other in FLOORS, f"{path}:{line} imports {name}, which stands on no floor"
        if other != own and FLOORS[other] >= FLOORS[own]:
            wrong.append(f"line {line}: {own} (floor {FLOORS[own]}) imports {name} (floor {FLOORS[other]})")
    assert not wrong, "\n".join(wrong)


def test_supervisor_imports_the_standard_library_only() -> None:
    import sys

    wrong = []
    optional = {
        "papermill",
        "nbclient",
        "nbformat",
        "cloudpickle",
        "jupyter_client",
        "PIL",
        "matplotlib",
        "nbconvert",
        "mlflow",
    }
    for path in sorted((PACKAGE / "supervisor").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for name in names:
                top = name.split(".")[0]
                if top not in sys.stdlib_module_names and top not in optional and top != "aml_supervisor":
                    wrong.append(f"{path.relative_to(PACKAGE)}:{node.lineno} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_every_package_stands_on_a_floor() -> None:
    packages = {path.name for path in PACKAGE.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert packages <= set(FLOORS), packages - set(FLOORS)
