"""Read, write and edit a person's YAML files: safe loading, errors with line and key, comments and order kept.

Knows no configuration; `ruamel.yaml` is imported only when a file is touched.
"""

from __future__ import annotations

import io
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aml_jupyter.config.keys import folded
from aml_jupyter.config.reading import OwnNames
from aml_jupyter.errors import ConfigurationError

_LARGEST_FILE = 4 * 1024 * 1024


def read_file(path: Path, what: str = "file") -> str:
    """Return the text of a configuration file; refuse what is missing, unreadable, huge or not UTF-8."""
    try:
        size = path.stat().st_size
        if size > _LARGEST_FILE:
            raise ConfigurationError(f"{path}: expected a {what}, found {size} bytes; it is not read above 4 MiB.")
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: the {what} cannot be read ({error.strerror or error}).") from error
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigurationError(
            f"{path}, line {line}: expected text in UTF-8, found the byte 0x{data[error.start]:02x}. "
            "Save the file as UTF-8."
        ) from error


def write_file(path: Path, text: str) -> None:
    """Write a file whole or not at all; links are followed and the file's mode is kept."""
    path = Path(os.path.realpath(path))
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise ConfigurationError(f"{path}: the file cannot be written ({error.strerror or error}).") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, path.stat().st_mode & 0o7777 if path.exists() else 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise ConfigurationError(f"{path}: the file cannot be written ({error.strerror or error}).") from error


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def parse(text: str, source: str) -> Any:
    """Return the document of a YAML text with its comments and lines; tags that build objects are refused."""
    yaml = _yaml()
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return yaml.load(text.removeprefix("\ufeff"))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigurationError(_syntax_message(text, source, error, mark.line if mark else None)) from error
    except YAMLError as error:
        raise ConfigurationError(f"{source}: expected YAML, found what cannot be read: {_one_line(error)}") from error
    except RecursionError:
        raise ConfigurationError(f"{source}: expected YAML of a few levels, found nesting too deep to read.") from None
    except ValueError as error:
        raise ConfigurationError(
            f"{source}: expected YAML, found a value that cannot be read: {_one_line(error)}"
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _syntax_message(text: str, source: str, error: Any, line: int | None) -> str:
    problem = str(error.problem or error.context or "it cannot be read").splitlines()[0]
    if line is None:
        return f"{source}: expected YAML, but {problem}."
    lines = text.splitlines()
    shown = lines[line] if line < len(lines) else ""
    key = next((found for found in map(_key_of, reversed(lines[: line + 1])) if found), None)
    where = f"{source}, line {line + 1}" + (f", {key}" if key else "")
    if problem.startswith("could not determine a constructor") or ("tag" in problem and "!" in shown):
        return f"{where}: expected plain YAML without tags, found {shown.strip()!r}. Tags (!...) are not read."
    if "duplicate key" in problem:
        return f"{where}: expected each key once, found it a second time. Keep one of them."
    if "\t" in shown[: len(shown) - len(shown.lstrip())]:
        return f"{where}: expected indentation with spaces, found a tab."
    return f"{where}: expected YAML (key: value, two spaces per level), but {problem}: {shown.strip()!r}."


def _key_of(line: str) -> str | None:
    found = re.match(r"""\s*(?:-\s+)?["']?([\w.\-]+)["']?\s*:""", line)
    return found.group(1) if found else None


def _yaml() -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.constructor import ConstructorError, RoundTripConstructor

    class PlainConstructor(RoundTripConstructor):  # a class of its own: constructors are registered on the class
        def construct_undefined(self, node: Any) -> Any:
            problem = f"could not determine a constructor for the tag {node.tag!r}"
            raise ConstructorError(None, None, problem, node.start_mark)

    PlainConstructor.add_constructor(None, PlainConstructor.construct_undefined)
    yaml = YAML()
    yaml.Constructor = PlainConstructor
    yaml.preserve_quotes = True
    yaml.width = 1_000_000
    return yaml


def dump(data: Any) -> str:
    """Return plain data as YAML, in the order it has."""
    stream = io.StringIO()
    yaml = _yaml()
    yaml.dump(_bare(data), stream)
    return stream.getvalue()


def _bare(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {key: _bare(value) for key, value in data.items()}
    return [_bare(value) for value in data] if isinstance(data, list) else data


def edit(text: str, source: str, before: Any, after: Any) -> str:
    """Return the text changed so that it says `after` where it said `before`; everything else stays as it was.

    Parameters
    ----------
    text, source : str
        The file as it is, and its name for messages.
    before, after : dict
        What the text means, and what it shall mean, both with canonical keys. A text whose meaning does not change
        is returned byte for byte.
    """
    if before == after:
        return text
    from aml_jupyter.config.yaml_edit import change

    document = parse(text, source)
    change(document, before, after)
    yaml = _yaml()
    _indentation(yaml, text)
    yaml.explicit_start = text.removeprefix("\ufeff").lstrip().startswith("---") or None
    stream = io.StringIO()
    yaml.dump(document, stream)
    changed = _with_written_nulls(text, stream.getvalue(), source)
    if "\r\n" in text:
        changed = changed.replace("\r\n", "\n").replace("\n", "\r\n")
    return ("\ufeff" if text.startswith("\ufeff") else "") + changed


def _with_written_nulls(text: str, changed: str, source: str) -> str:
    """Return the changed text with each ``null`` and ``~`` as the person wrote it; the writer leaves them out."""
    found = re.findall(r"^([ ]*[\w.\-\"']+:) (null|Null|NULL|~)[ \t]*(#.*)?\r?$", text, re.MULTILINE)
    if not found:
        return changed
    words = {key: word for key, word, _ in found}
    restored = re.sub(
        r"^([ ]*[\w.\-\"']+:)([ \t]*(?:#.*)?)$",
        lambda line: f"{line[1]} {words[line[1]]}{_narrower(line[2], words[line[1]])}" if line[1] in words else line[0],
        changed,
        flags=re.MULTILINE,
    )
    try:
        same = parse(restored, source) == parse(changed, source)
    except ConfigurationError:  # a key of that name has a mapping elsewhere
        return changed
    return restored if same else changed


def _narrower(comment: str, word: str) -> str:
    """Return a comment with its space, less what a word and a space before it take up."""
    space = len(comment) - len(comment.lstrip())
    return " " * max(space - len(word) - 1, 1) + comment.lstrip() if comment.strip() else ""


def _indentation(yaml: Any, text: str) -> None:
    """Set the writer to the indentation of the first indented list and mapping of the text."""
    mapping = re.search(r"^[\w.\-\"']+:[ \t]*(?:#.*)?\r?\n( +)[\w\"']", text, re.MULTILINE)
    sequence = re.search(r"^( *)[\w.\-\"']+:[ \t]*(?:#.*)?\r?\n( *)-( +)", text, re.MULTILINE)
    offset = len(sequence.group(2)) - len(sequence.group(1)) if sequence else 0
    dash = 1 + len(sequence.group(3)) if sequence else 2
    yaml.indent(mapping=len(mapping.group(1)) if mapping else 2, sequence=max(offset, 0) + dash, offset=max(offset, 0))


def existing_key(document: Mapping[Any, Any], key: str, own: bool) -> Any:
    """Return the spelling under which the document has a key, or None."""
    if key in document:
        return key
    if own or isinstance(document, OwnNames):
        return next((found for found in document if found is not None and str(found) == key), None)
    return next((found for found in document if folded(str(found)) == folded(key)), None)
