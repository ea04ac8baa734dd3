"""The page of the house says what is: its floors, its tables, its doors, and the content of run.json."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from aml_jupyter.config import ScriptRunConfig
from aml_jupyter.service import SubmitRequest, submit
from aml_jupyter.workspace import WorkspaceFolder, read_definition

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "structure.md").read_text()


def _section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"the page has no section {title!r}"
    return found.group(1)


def _doors() -> Iterator[tuple[str, str]]:
    """Yield the room and the text of each line of the doors, with their continuations."""
    room = ""
    block = _section("Doors between the rooms").split("```python\n")[1].split("```")[0]
    for line in re.sub(r"\n +(?=\.)", " ", block).splitlines():
        header = re.match(r"# (\w+)/", line)
        if header:
            room = header.group(1)
        elif line.strip():
            yield room, re.sub(r"^\w+: +", "", line.strip())


CALLS = [
    (room, name, parameters)
    for room, line in _doors()
    for name, parameters in re.findall(r"([A-Za-z_][\w.]*)\(([^)]*)\)", line)
]
ATTRIBUTES = [
    (room, name, attribute)
    for room, line in _doors()
    for name, rest in re.findall(r"([A-Za-z_][\w.]*)((?: \.\w+)+)", line)
    for attribute in rest.replace(".", "").split()
]


def _find(room: str, dotted: str) -> Any:
    found: Any = importlib.import_module(f"aml_jupyter.{room}")
    for part in dotted.split("."):
        if isinstance(found, ModuleType) and not hasattr(found, part):
            found = importlib.import_module(f"{found.__name__}.{part}")
        else:
            found = getattr(found, part)
    return found


def _written(parameter: inspect.Parameter) -> str:
    stars = "**" if parameter.kind is inspect.Parameter.VAR_KEYWORD else ""
    is_needed = parameter.default is inspect.Parameter.empty
    return f"{stars}{parameter.name}{'' if is_needed else '='}"


@pytest.mark.parametrize(("room", "name", "parameters"), CALLS, ids=lambda value: value)
def test_a_door_opens_as_the_page_says(room: str, name: str, parameters: str) -> None:
    known = inspect.signature(_find(room, name)).parameters.values()
    assert parameters == ", ".join(_written(each) for each in known if each.name != "self")


@pytest.mark.parametrize(("room", "name", "attribute"), ATTRIBUTES, ids=lambda value: value)
def test_a_thing_has_what_the_page_says(room: str, name: str, attribute: str) -> None:
    kind = _find(room, name)
    fields = {field.name for field in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else set()
    assigned = set(re.findall(r"self\.(\w+)(?:: [^=\n]+)? = ", inspect.getsource(kind)))
    assert attribute in fields | assigned | set(dir(kind)) | set(inspect.get_annotations(kind))


def test_every_room_stands_on_its_floor() -> None:
    from structure.test_floors import FLOORS

    rows = re.findall(r"^\| (\d+) \| (.+?) \|", PAGE, re.MULTILINE)
    told = {name: int(floor) for floor, names in rows for name in re.findall(r"`(\w+)(?:/|\.py)`", names)}
    assert told == FLOORS


def test_every_table_is_described(tmp_path: Path) -> None:
    told = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`.+?) \|", _section("The database"), re.MULTILINE))))
    folder = WorkspaceFolder.open(tmp_path / "workspace", create=True)
    rows = folder.store.read().execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    assert {row[0] for row in rows} == told
    folder.close()


def test_run_json_has_the_fields_of_the_page(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "train.py").write_text("print(1)")
    folder = WorkspaceFolder.open(tmp_path / "workspace", create=True)
    config = ScriptRunConfig(source_directory=str(tmp_path / "project"), script="train.py")
    run = submit(folder, SubmitRequest(config, "tests")).run
    block = re.sub(r"<[^>]*>", "", _section(r"run\.json").split("```")[1])
    depth, told = 0, set()
    for token in re.findall(r'"\w+"|[{}\[\]]', block):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token, 0)
        if token.startswith('"') and depth == 1:
            told.add(token.strip('"'))
    # "local" is a value; an interactive run alone has a process.
    assert set(read_definition(folder.layout, run.id)) == told - {"local", "process"}
    folder.close()


def test_every_kind_of_event_is_named() -> None:
    (told,) = re.findall(r"^- Kinds of events: (.+)\.$", PAGE, re.MULTILINE)
    used = set()
    for path in (ROOT / "aml_jupyter" / "workspace").rglob("*.py"):
        used |= set(re.findall(r'"((?:run|target|service)\.(?!json|lock|sh)[a-z]+)"', path.read_text()))
    assert used == set(re.findall(r"`([\w.]+)`", told))
