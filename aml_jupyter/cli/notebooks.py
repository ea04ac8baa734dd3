"""Check the parameters of a notebook run before anything is queued, and type their values as papermill does."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from aml_jupyter.errors import UserErrorException, nearest

__all__ = ["check_parameters", "known_parameters", "typed_value"]

_WORDS: Final = {"True": True, "False": False, "true": True, "false": False, "None": None, "null": None}


def typed_value(text: str) -> Any:
    """Return the value that `text` stands for: a number, True, False, None, a YAML list or mapping, else the text itself.

    ``True``, ``1e-3`` and the like are read as papermill's ``-p`` reads them; ``[1, 2]`` and ``{a: 1}`` as its ``-y`` does.
    """
    if text in _WORDS:
        return _WORDS[text]
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    if text[:1] in "[{" and text:
        import yaml

        try:
            return json.loads(json.dumps(yaml.safe_load(text)))
        except (TypeError, ValueError, yaml.YAMLError):
            return text
    return text


def check_parameters(notebook: Path, names: Sequence[str]) -> None:
    """Refuse parameters that the notebook does not have.

    Parameters
    ----------
    notebook : Path
        The .ipynb file.
    names : sequence of str
        The parameters that were given.

    Raises
    ------
    UserErrorException
        When the file is no notebook, has no cell tagged ``parameters`` though parameters were given, or lacks one of them.
    """
    content = _read(notebook)
    if not names:
        return
    cell = _parameters_cell(content)
    if cell is None:
        raise UserErrorException(
            f"{notebook.name} has no cell with the tag 'parameters', so it has no parameter {names[0]!r}; "
            "add that tag to the cell that sets the defaults (JupyterLab: property inspector, cell tags)",
            "parameters",
        )
    known = known_parameters(content)
    if known is None:
        return
    for name in names:
        if name not in known:
            raise UserErrorException(
                f"{notebook.name} has no parameter {name!r}; {nearest(name, known) or 'its parameters cell sets none'}",
                "parameters",
            )


def known_parameters(content: Mapping[str, Any]) -> list[str] | None:
    """Return the names that the notebook's parameters cell sets; None when its language cannot be read."""
    cell = _parameters_cell(content)
    if cell is None:
        return []
    source = _source(cell)
    metadata = content.get("metadata") or {}
    language = str(
        (metadata.get("kernelspec") or {}).get("language") or (metadata.get("language_info") or {}).get("name") or ""
    )
    if language and language != "python":
        return None
    lines = [line for line in source.splitlines() if not line.lstrip().startswith(("%", "!"))]
    try:
        tree = ast.parse("\n".join(lines))
    except SyntaxError:
        return None
    names: list[str] = []
    for statement in tree.body:
        targets: list[ast.expr] = []
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        for target in targets:
            names += [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]
    return list(dict.fromkeys(names))


def _read(notebook: Path) -> dict[str, Any]:
    try:
        content = json.loads(notebook.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserErrorException(f"{notebook} cannot be read as a notebook: {error}", "script") from None
    if not isinstance(content, dict) or not isinstance(content.get("cells"), list):
        raise UserErrorException(f"{notebook} is not a notebook of format 4: it has no list of cells", "script")
    return content


def _parameters_cell(content: Mapping[str, Any]) -> dict[str, Any] | None:
    for cell in content["cells"]:
        if "parameters" in ((cell.get("metadata") or {}).get("tags") or []):
            return dict(cell)
    return None


def _source(cell: Mapping[str, Any]) -> str:
    source = cell.get("source", "")
    return "".join(source) if isinstance(source, list) else str(source)
