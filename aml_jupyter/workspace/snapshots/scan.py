"""Look at a source directory: which files are in its snapshot, and which of them have to be read.

Walks with `os.scandir`, compares each file's `stat` with what the last look saw (`cache.py`), and never enters an ignored
directory. Opens nothing but directories.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from .cache import EXECUTABLE, FOLLOWED, RACY, KnownFolder, KnownSource, Record
from .ignore import BUILT_IN, IgnoreRules, Rule
from .links import examine_link
from .notes import Notes

__all__ = ["Folder", "Ignored", "Pending", "Scan", "flags_of", "is_racy", "note_unreadable", "scan_source"]

LONGEST_PATH = 2500
"""Bytes of a directory's relative path: the run's folder comes before it, and systems end at 4,096."""

_MARKERS = frozenset({"pyvenv.cfg", "conda-meta", "workspace.json"})
_VIRTUAL = Rule(BUILT_IN, 0, "virtual environment (pyvenv.cfg)")
_CONDA = Rule(BUILT_IN, 0, "conda environment (conda-meta)")
_WORKSPACE = Rule(BUILT_IN, 0, "workspace of aml-jupyter")
_SPECIAL = {stat.S_IFSOCK: "socket", stat.S_IFIFO: "pipe"}
_NOTHING = KnownFolder()
_TICK, _COARSE = 100_000_000, 2_000_000_000


@dataclass(frozen=True, order=True)
class Ignored:
    """Name an entry that stays out of the snapshot, and the rule that did it."""

    path: str
    is_directory: bool
    rule: Rule


class Folder:
    """Describe one directory of the source that is part of the snapshot."""

    __slots__ = ("changed", "files", "folders", "ignored", "known", "links", "name", "path", "reincluded", "tree")

    def __init__(self, path: str, name: str, known: KnownFolder, reincluded: bool = False) -> None:
        self.path = path
        self.name = name
        self.known = known
        self.reincluded = reincluded
        self.files: dict[str, Record] = {}
        self.links: dict[str, str] = {}
        self.folders: dict[str, Folder] = {}
        self.ignored: dict[str, tuple[bool, int]] = {}
        self.changed = False
        self.tree: tuple[bytes, int, int] = (b"", 0, 0)
        """Hash of the manifest, number of files, and their size (set by `trees.add_trees`)."""


@dataclass
class Pending:
    """Describe a file that must be read, because it is new or its `stat` is not what it was."""

    folder: Folder
    name: str
    size: int
    followed: bool = False
    is_doubtful: bool = False
    """Whether its `stat` is what it was, but the last look came too soon after a change to trust that."""

    @property
    def path(self) -> str:
        """Return the path relative to the source directory."""
        return f"{self.folder.path}/{self.name}" if self.folder.path else self.name

    @property
    def previous(self) -> Record | None:
        """Return what was known of the file, if anything."""
        return self.folder.known.files.get(self.name)


@dataclass
class Scan:
    """Say what one look at a source directory saw."""

    source: str
    rules: IgnoreRules
    signature: str
    started_ns: int
    known: KnownSource | None
    folders: list[Folder] = field(default_factory=list)
    """In an order in which each directory comes before those in it; the source itself is the first."""
    pending: list[Pending] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)
    files: int = 0
    size: int = 0

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Give every file's relative path and size in bytes."""
        for folder in self.folders:
            prefix = f"{folder.path}/" if folder.path else ""
            for name, record in folder.files.items():
                yield prefix + name, record[0]
        for item in self.pending:
            yield item.path, item.size


def flags_of(status: os.stat_result, followed: bool = False) -> int:
    """Return the flags of a `Record`."""
    executable = EXECUTABLE if status.st_mode & stat.S_IXUSR and os.name != "nt" else 0
    return executable | (FOLLOWED if followed else 0)


def is_racy(status: os.stat_result, started_ns: int) -> bool:
    """Say whether a file changed so shortly before the look that a later change might leave the same times."""
    changed = status.st_mtime_ns if os.name == "nt" else status.st_ctime_ns
    return changed > started_ns - (_TICK if changed % 10_000_000 else _COARSE)


def scan_source(
    source: str, rules: IgnoreRules, known: KnownSource | None, workspace: str, exclude_defaults: bool = True
) -> Scan:
    """Look at every directory below `source` that is not ignored.

    Parameters
    ----------
    source : str
        Real path of a directory that exists.
    rules : IgnoreRules
        What stays out.
    known : KnownSource or None
        What the last look saw.
    workspace : str
        Real path of the workspace, left out where it lies inside.
    exclude_defaults : bool
        Whether virtual and conda environments and other workspaces stay out.
    """
    signature = f"{rules.digest()} {exclude_defaults} {workspace}"
    scan = Scan(source, rules, signature, time.time_ns(), known)
    return _Walk(scan, workspace, exclude_defaults).run()


class _Walk:
    """Hold what is needed at every directory of one look."""

    def __init__(self, scan: Scan, workspace: str, exclude_defaults: bool) -> None:
        self.scan = scan
        self.exclude_defaults = exclude_defaults
        prefix = scan.source.rstrip(os.sep) + os.sep
        self.workspace = workspace[len(prefix) :].replace(os.sep, "/") if workspace.startswith(prefix) else None
        self.known = scan.known.folders if scan.known else {}
        self.decided = scan.known is not None and scan.known.rules == scan.signature
        self.inner_links: list[tuple[str, str]] = []

    def run(self) -> Scan:
        """Look at all directories, then at what can only be judged when all are known."""
        stack = [Folder("", "", self.known.get("", _NOTHING))]
        kept: dict[str, Folder] = {}
        while stack:
            folder = stack.pop()
            inner = self.look(folder)
            if inner is None:
                continue
            self.scan.folders.append(folder)
            kept[folder.path] = folder
            if folder.path:
                kept[folder.path.rpartition("/")[0]].folders[folder.name] = folder
            stack += inner
        for folder in self.scan.folders:
            if folder.folders.keys() != folder.known.folders or folder.links != folder.known.links:
                folder.changed = True
        self.check_links(kept)
        self.scan.ignored.sort(key=lambda entry: entry.path)
        return self.scan

    def look(self, folder: Folder) -> list[Folder] | None:
        """Read one directory; return those in it, or None when it is no part of the snapshot after all."""
        try:
            with os.scandir(os.path.join(self.scan.source, folder.path)) as iterator:
                entries = list(iterator)
        except OSError as error:
            if not folder.path:
                raise
            self.unreadable(folder.path + "/", error)
            return None
        rule = self.environment_rule(folder, entries)
        if rule is not None:
            self.scan.ignored.append(Ignored(folder.path, True, rule))
            return None
        quick = folder.known.files if self.decided else {}
        files = folder.files
        inner: list[Folder] = []
        pending: list[Pending] = []
        for entry in entries:
            name = entry.name
            record = quick.get(name)
            if record is None or not entry.is_file(follow_symlinks=False):
                self.consider(folder, entry, inner, pending)
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError as error:
                self.unreadable(f"{folder.path}/{name}".lstrip("/"), error)
                continue
            if (
                status.st_mtime_ns == record[1]
                and status.st_size == record[0]
                and status.st_ctime_ns == record[2]
                and status.st_ino == record[3]
                and record[4] < FOLLOWED
            ):
                files[name] = record
            else:
                self.keep_file(folder, name, status, pending)
        self.scan.files += len(files) + len(pending)
        self.scan.size += sum([record[0] for record in files.values()]) + sum([item.size for item in pending])
        self.scan.pending += pending
        folder.changed = bool(pending) or len(files) != len(folder.known.files)
        return inner

    def environment_rule(self, folder: Folder, entries: list[os.DirEntry[str]]) -> Rule | None:
        """Return the built-in rule for a directory that is an environment or another workspace."""
        if not self.exclude_defaults or not folder.path or folder.reincluded:
            return None
        for entry in entries:
            name = entry.name
            if name not in _MARKERS or (self.decided and (name in folder.known.files or name in folder.known.folders)):
                continue
            if name == "pyvenv.cfg" and entry.is_file():
                return _VIRTUAL
            if name == "conda-meta" and entry.is_dir():
                return _CONDA
            if name == "workspace.json" and any(other.name == "aml.db" for other in entries):
                return _WORKSPACE
        return None

    def consider(self, folder: Folder, entry: os.DirEntry[str], inner: list[Folder], pending: list[Pending]) -> None:
        """Judge an entry that is new, or no plain file."""
        name = entry.name
        path = f"{folder.path}/{name}" if folder.path else name
        is_directory = entry.is_dir(follow_symlinks=False)
        rule = self.rule_for(folder, path, name, is_directory)
        if rule is not None and not rule.negated:
            if rule is not _WORKSPACE:
                folder.ignored[name] = (is_directory, self.scan.rules.positions[rule])
            self.scan.ignored.append(Ignored(path, is_directory, rule))
        elif is_directory:
            if len(os.fsencode(path)) > LONGEST_PATH:
                self.scan.notes.add("has too long a path for a run's folder: left out", path[:80] + "...")
            else:
                inner.append(Folder(path, name, self.known.get(path, _NOTHING), rule is not None))
        elif entry.is_symlink():
            self.keep_link(folder, path, name, pending)
        else:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError as error:
                self.unreadable(path, error)
                return
            if stat.S_ISREG(status.st_mode):
                self.keep_file(folder, name, status, pending)
            else:
                kind = _SPECIAL.get(stat.S_IFMT(status.st_mode), "device")
                self.scan.notes.add(f"is a {kind}: left out", path)

    def rule_for(self, folder: Folder, path: str, name: str, is_directory: bool) -> Rule | None:
        """Return the rule that decides about an entry, from memory where the rules are still the same."""
        if path == self.workspace:
            return _WORKSPACE
        if self.decided:
            known = folder.known
            if name in known.folders if is_directory else (name in known.files or name in known.links):
                return None
            remembered = known.ignored.get(name)
            if remembered is not None and remembered[0] == is_directory:
                return self.scan.rules.rules[remembered[1]]
        return self.scan.rules.decide(path, name, is_directory)

    def keep_link(self, folder: Folder, path: str, name: str, pending: list[Pending]) -> None:
        """Keep a symbolic link, or take the content of the file it leads to."""
        link = examine_link(self.scan.source, path, os.path.join(self.scan.source, path), self.scan.notes)
        if link.target is not None:
            folder.links[name] = link.target
            if link.inside is not None:
                self.inner_links.append((path, link.inside.replace(os.sep, "/")))
        elif link.status is not None:
            self.keep_file(folder, name, link.status, pending, followed=True)

    def keep_file(
        self, folder: Folder, name: str, status: os.stat_result, pending: list[Pending], followed: bool = False
    ) -> None:
        """Keep a file: as it is known, or to be read."""
        record = folder.known.files.get(name)
        is_doubtful = False
        if record is not None:
            same = record[:4] == (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
            is_doubtful = same and record[4] == flags_of(status, followed) | RACY
            if same and record[4] == flags_of(status, followed):
                folder.files[name] = record
                return
        pending.append(Pending(folder, name, status.st_size, followed, is_doubtful))

    def unreadable(self, path: str, error: OSError) -> None:
        """Note an entry that could not be looked at."""
        note_unreadable(self.scan.notes, path, error)

    def check_links(self, kept: dict[str, Folder]) -> None:
        """Note the links whose target stays behind."""
        if not self.inner_links:
            return
        awaited = {item.path for item in self.scan.pending}
        for path, target in self.inner_links:
            place, _, name = target.rpartition("/")
            folder = kept.get(place)
            found = target in kept or target == "." or target in awaited
            if not found and (folder is None or (name not in folder.files and name not in folder.links)):
                self.scan.notes.add("is a link to something that is left out: it will be broken in the run", path)


def note_unreadable(notes: Notes, path: str, error: OSError) -> None:
    """Note an entry that cannot be read, and why."""
    if isinstance(error, FileNotFoundError):
        notes.add("disappeared while the snapshot was taken: left out", path)
    else:
        notes.add("cannot be read: left out", path, f" ({error.strerror})")
