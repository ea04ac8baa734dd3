"""Read pip's requirement lines as a person writes them, and make them independent of the files that they name.

Files named by ``-r`` and ``-c`` are read in; local wheels are named by their content. So what is kept with a run says
everything, and the folder that it came from may change.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from aml_jupyter.config.conda_dependencies import package_name
from aml_jupyter.errors import ConfigurationError, nearest

__all__ = ["Requirements", "read_requirements"]

FIELD: Final = "environment.python.conda_dependencies.pip"
LARGEST_FILE: Final = 4 * 2**20
"""Bytes of a requirements file; a larger one is something else."""

_LONG: Final = {
    "-i": "--index-url",
    "--pypi-url": "--index-url",
    "-f": "--find-links",
    "-r": "--requirement",
    "-c": "--constraint",
    "-e": "--editable",
}
_WITH_VALUE: Final = frozenset(
    {"--index-url", "--extra-index-url", "--find-links", "--trusted-host", "--no-binary", "--only-binary"}
)
_FLAGS: Final = frozenset({"--no-index", "--pre", "--require-hashes", "--no-deps"})
_WITHOUT_EFFECT: Final = frozenset(
    {
        "--prefer-binary",
        "--use-feature",
        "--use-deprecated",
        "--no-cache-dir",
        "--quiet",
        "--upgrade",
        "--disable-pip-version-check",
        "--use-pep517",
        "--no-warn-script-location",
        "--user",
    }
)
_ARCHIVE: Final = re.compile(r"\.(whl|tar\.gz|zip|tar\.bz2|tgz)$", re.IGNORECASE)
_HASH: Final = re.compile(r"\s--hash[ =]\S+")


@dataclass
class Requirements:
    """Hold what requirement lines say.

    Attributes
    ----------
    lines : list of str
        Requirements; a local archive is ``file:<sha256>/<file name>``, with ``name @`` before it where that was written.
    constraints : list of str
        The same, as limits only.
    options : list of list of str
        Options of the installer, each a name and, where it has one, its value.
    files : dict
        Local archives: ``<sha256>/<file name>`` to the path where they lie now.
    notes : list of str
        What had no effect.
    origins : dict
        Package to the file and line that ask for it.
    """

    lines: list[str] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    options: list[list[str]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)


def read_requirements(
    lines: Sequence[str],
    folders: Sequence[str | os.PathLike[str]],
    place_of: Callable[[str], str | None] = lambda line: None,
) -> Requirements:
    """Return what the `pip:` list of an environment says.

    Parameters
    ----------
    lines : sequence of str
        Requirements and options, in order.
    folders : sequence of path
        Where relative paths may start; the first folder that has the file counts.
    place_of : callable, optional
        Returns the file and line where one of `lines` stands, where that is known.

    Raises
    ------
    ConfigurationError
        Names the file and line, and what is wrong: a file that is not there, an option that nothing follows from, a
        requirement that is a folder.
    """
    found = Requirements()
    places = [Path(folder) for folder in folders]
    for line in lines:
        for part in str(line).splitlines():
            _read_line(part.strip(), places, place_of(line) or FIELD, found, found.lines, ())
    return found


def _read_line(
    line: str, folders: Sequence[Path], where: str, found: Requirements, into: list[str], above: tuple[Path, ...]
) -> None:
    line = re.sub(r"(^|\s)#.*$", "", line).strip()
    if not line:
        return
    if not line.startswith("-"):
        into.append(_requirement(line, folders, where, found))
        if where != FIELD:
            found.origins.setdefault(package_name(line).lower(), where)
        return
    for name, value in _options(line, where):
        if name in ("--requirement", "--constraint"):
            target = found.constraints if name == "--constraint" or into is found.constraints else found.lines
            _read_file(_file(value or "", folders, where), where, found, target, above)
        elif name == "--editable":
            raise _refusal(
                where,
                f"-e {value}",
                "an editable package changes with its folder, and an environment is built once; build a wheel "
                "(python -m build --wheel) and name that",
            )
        elif name in _WITHOUT_EFFECT:
            found.notes.append(f"{where}: {name} has no effect")
        else:
            if name == "--find-links" and value and "://" not in value:
                value = str(_file(value, folders, where))
            found.options.append([name] if value is None else [name, value])


def _options(line: str, where: str) -> Iterator[tuple[str, str | None]]:
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise _refusal(where, line, str(error)) from None
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if not equals and re.match(r"-[ifrce].", word) and not word.startswith("--"):
            name, value, equals = word[:2], word[2:], "="
        name = _LONG.get(name, name)
        if name in _WITH_VALUE or name in ("--requirement", "--constraint", "--editable"):
            if not equals:
                if not words:
                    raise _refusal(where, line, f"{name} needs a value")
                value = words.pop(0)
            yield name, value
        elif name in _FLAGS:
            yield name, None
        elif name in _WITHOUT_EFFECT:
            if words and not words[0].startswith("-"):
                words.pop(0)
            yield name, None
        else:
            known = sorted({*_WITH_VALUE, *_FLAGS, "--requirement", "--constraint"})
            raise _refusal(where, word, f"this option of pip is not known here; {nearest(name, known)}")


def _read_file(path: Path, where: str, found: Requirements, into: list[str], above: tuple[Path, ...]) -> None:
    if path in above:
        raise _refusal(where, str(path), "it includes itself")
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise _refusal(
                where, str(path), f"it has more than {LARGEST_FILE // 2**20} MB; that is no requirements file"
            )
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise _refusal(where, str(path), f"it cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _refusal(where, str(path), "it is not UTF-8 text") from None
    number, held, begin = 0, "", 1
    for number, line in enumerate(text.splitlines(), 1):
        begin = begin if held else number
        if line.rstrip().endswith("\\") and not line.lstrip().startswith("#"):
            held += line.rstrip()[:-1] + " "
            continue
        _read_line((held + line).strip(), [path.parent], f"{path}, line {begin}", found, into, (*above, path))
        held = ""
    if held:
        _read_line(held.strip(), [path.parent], f"{path}, line {begin}", found, into, (*above, path))


def _requirement(line: str, folders: Sequence[Path], where: str, found: Requirements) -> str:
    """Return a requirement; a local archive is named by its content."""
    hashes = "".join(_HASH.findall(f" {line}"))
    bare = _HASH.sub("", f" {line}").strip()
    marker = ""
    if " ;" in bare:
        bare, _, rest = bare.partition(" ;")
        bare, marker = bare.strip(), f" ;{rest}"
    name, at, reference = bare.partition(" @ ")
    if not at:
        name, reference = "", bare
    extras = re.search(r"\[[\w ,.-]*\]$", reference)
    path = reference[: extras.start()] if extras else reference
    if "://" in path and not path.startswith("file://"):
        return line  # an address
    if path.startswith("file://"):
        path = unquote(urlsplit(path).path)
    elif not _ARCHIVE.search(path) and not re.match(r"\.{0,2}/|~|\.$|\.\.$", path):
        _check_syntax(f"{bare}{marker}", where)
        return line
    where_it_is = _place(path, folders)
    if where_it_is is None:
        raise _missing(path, folders, where)
    if where_it_is.is_dir():
        raise _refusal(
            where,
            reference,
            "it is a folder, which changes, and an environment is built once; build a wheel "
            "(python -m build --wheel) and name that",
        )
    digest = hashlib.sha256()
    with open(where_it_is, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    stored = f"{digest.hexdigest()}/{where_it_is.name}"
    found.files[stored] = str(where_it_is)
    written = f"file:{stored}{extras.group() if extras else ''}"
    return f"{name} @ {written}{marker}{hashes}" if name else f"{written}{marker}{hashes}"


def _check_syntax(requirement: str, where: str) -> None:
    """Refuse what no installer can read, with the line where it stands."""
    from packaging.requirements import InvalidRequirement, Requirement

    bare = re.sub(
        r"\s--?[a-z][\w-]*([ =].*)?$", "", requirement
    )  # options of one requirement, such as --config-settings
    try:
        Requirement(bare)
    except InvalidRequirement as error:
        raise _refusal(where, requirement, str(error).splitlines()[0]) from None


def _file(value: str, folders: Sequence[Path], where: str) -> Path:
    path = _place(value, folders)
    if path is None:
        raise _missing(value, folders, where)
    return path


def _place(value: str, folders: Sequence[Path]) -> Path | None:
    expanded = os.path.expanduser(value)
    for folder in folders or [Path()]:
        path = Path(os.path.normpath(folder / expanded))
        if path.exists():
            return path.absolute()
    return None


def _missing(value: str, folders: Sequence[Path], where: str) -> ConfigurationError:
    looked = " nor ".join(dict.fromkeys(str(folder / os.path.expanduser(value)) for folder in folders or [Path()]))
    return _refusal(where, value, f"there is no {looked}")


def _refusal(where: str, what: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"{where}: {what!r} cannot be used: {why}.", field=FIELD)
