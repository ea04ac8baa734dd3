"""Change values inside a parsed YAML document in place, so that comments and order survive.

ruamel.yaml hangs the comment lines above a key on the last value before it. Whoever replaces, removes or appends
has to carry those lines along; that is all this module is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aml_jupyter.config.reading import OwnNames
from aml_jupyter.config.yaml_files import existing_key


def change(document: Any, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Change a mapping of a document from what it means, `before`, to `after`, touching nothing else.

    Keys of `before` and `after` are canonical; the document's own spelling is kept. Keys of `OwnNames` mappings
    match exactly.
    """
    own = isinstance(after, OwnNames) or isinstance(before, OwnNames)
    for key in [key for key in before if key not in after]:
        found = existing_key(document, key, own)
        if found is not None:
            _remove(document, found)
    for key, value in after.items():
        if key in before and before[key] == value:
            continue
        found = existing_key(document, key, own)
        if found is None:
            _append(document, key, value)
        else:
            _change_value(document, found, before.get(key), value)


def _change_value(parent: Any, key: Any, before: Any, after: Any) -> None:
    current = parent[key]
    if (
        isinstance(current, Mapping)
        and current
        and isinstance(before, Mapping)
        and isinstance(after, Mapping)
        and after
    ):
        change(current, before, after)
        return
    if isinstance(current, list) and current and isinstance(after, list) and after:
        _change_list(current, before if isinstance(before, list) else [], after)
        return
    lines = _take_trailing(parent, key)
    parent[key] = _as_node(after)
    _put_trailing(parent, key, lines)


def _change_list(current: Any, before: list[Any], after: list[Any]) -> None:
    lines = _take_trailing_of(current)
    while len(current) > len(after):
        current.ca.items.pop(len(current) - 1, None)
        del current[len(current) - 1]
    for index, value in enumerate(after):
        if index >= len(current):
            current.append(_as_node(value))
        elif index >= len(before) or before[index] != value:
            _change_value(current, index, before[index] if index < len(before) else None, value)
    _put_trailing(current, len(current) - 1, lines)


def _append(parent: Any, key: str, value: Any) -> None:
    lines = _take_trailing_of(parent)
    parent[key] = _as_node(value)
    _put_trailing(parent, key, lines)


def _remove(parent: Any, key: Any) -> None:
    keys = list(parent)
    at = keys.index(key)
    lines = _take_trailing(parent, key)
    del parent[key]
    parent.ca.items.pop(key, None)
    if at > 0:
        _put_trailing(parent, keys[at - 1], lines)
    elif lines and len(keys) > 1:
        parent.yaml_set_comment_before_after_key(keys[1], before=_words(lines), indent=parent.lc.col)


def _words(lines: str) -> str:
    return "\n".join(line.strip().removeprefix("#").strip() for line in lines.strip().splitlines())


def _as_node(value: Any) -> Any:
    """Return plain data as nodes that can carry comments."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if isinstance(value, Mapping):
        return CommentedMap((key, _as_node(entry)) for key, entry in value.items())
    if isinstance(value, list):
        return CommentedSeq([_as_node(entry) for entry in value])
    return value


def _last_leaf(parent: Any, key: Any) -> tuple[Any, Any]:
    """Return the collection and key that hold the last line of the value at `key`."""
    value = parent[key]
    while isinstance(value, (Mapping, list)) and value and hasattr(value, "ca") and not _is_flow(value):
        parent, key = value, (list(value)[-1] if isinstance(value, Mapping) else len(value) - 1)
        value = parent[key]
    return parent, key


def _is_flow(value: Any) -> bool:
    return bool(value.fa.flow_style())


def _slot(parent: Any) -> int:
    return 2 if isinstance(parent, Mapping) else 0


def _take_trailing_of(parent: Any) -> str:
    if not parent:
        return ""
    return _take_trailing(parent, list(parent)[-1] if isinstance(parent, Mapping) else len(parent) - 1)


def _take_trailing(parent: Any, key: Any) -> str:
    """Cut off and return the comment lines below the value at `key`; the comment on its own line stays."""
    parent, key = _last_leaf(parent, key)
    tokens = parent.ca.items.get(key)
    token = tokens[_slot(parent)] if tokens else None
    if token is None:
        return ""
    first, newline, rest = token.value.partition("\n")
    if first.strip():
        token.value = first + newline
    else:
        tokens[_slot(parent)] = None
    return str(rest)


def _put_trailing(parent: Any, key: Any, lines: str) -> None:
    """Hang comment lines below the value at `key`."""
    if not lines:
        return
    from ruamel.yaml.error import CommentMark
    from ruamel.yaml.tokens import CommentToken

    parent, key = _last_leaf(parent, key)
    tokens = parent.ca.items.setdefault(key, [None, None, None, None])
    present = tokens[_slot(parent)]
    if present is not None:
        present.value = present.value.rstrip("\n") + "\n" + lines
    else:
        tokens[_slot(parent)] = CommentToken("\n" + lines, CommentMark(0), None)
