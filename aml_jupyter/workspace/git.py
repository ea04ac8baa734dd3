"""Say which commit a source directory is at, for the run's properties.

Owns SDK v1's ``azureml.git.*`` and ``mlflow.source.git.*`` properties. HEAD, branch, commit and remote are read from git's own
files (linked worktrees and packed refs included), so a submit spawns one process at the most: a bounded ``git status`` that is
ended at its first line of output. A repository kept in git's reftable format is asked with two more. URLs are taken as the
repository's configuration has them (``insteadOf`` is not applied), without credentials.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
from contextlib import suppress
from pathlib import Path

from aml_jupyter.supervisor.faults import fault_point

__all__ = ["git_properties", "without_credentials"]

STATUS_SECONDS = 1.0
"""A working tree whose state is not known by then gets no ``dirty`` property."""

_VARIABLES = {
    "repository_uri": "AZUREML_GIT_REPOSITORY_URI",
    "branch": "AZUREML_GIT_BRANCH",
    "commit": "AZUREML_GIT_COMMIT",
    "dirty": "AZUREML_GIT_DIRTY",
    "build_id": "AZUREML_GIT_BUILD_ID",
    "build_uri": "AZUREML_GIT_BUILD_URI",
}
_MLFLOW = {
    "repository_uri": "mlflow.source.git.repoURL",
    "branch": "mlflow.source.git.branch",
    "commit": "mlflow.source.git.commit",
}
_ELSEWHERE = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"}
"""Variables (git sets them for its hooks) that would point our git at another repository."""

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SECTION = re.compile(r'\[\s*([A-Za-z0-9.-]+)\s*(?:"((?:[^"\\]|\\.)*)")?\s*\]')
_REFTABLE_BRANCH = "refs/heads/.invalid"


def git_properties(source: str | os.PathLike[str]) -> dict[str, str]:
    """Return the git properties of a source directory; empty where there is no repository.

    Parameters
    ----------
    source : str or os.PathLike
        A folder, at the top of a working tree or below it. The process's own folder does not change.

    Returns
    -------
    dict of str to str
        ``azureml.git.repository_uri``, ``.branch``, ``.commit``, ``.dirty`` ("True" or "False", untracked files count),
        ``.build_id``, ``.build_uri`` and MLflow's names of the first three; what is not known is absent. The environment
        variables ``AZUREML_GIT_REPOSITORY_URI``, ``_BRANCH``, ``_COMMIT``, ``_DIRTY``, ``_BUILD_ID``, ``_BUILD_URI`` go first.
    """
    found = {name: os.environ[variable] for name, variable in _VARIABLES.items() if os.environ.get(variable)}
    folder = os.path.realpath(os.fspath(source) or ".")
    repository = _find_repository(folder)
    if repository is not None:
        with suppress(OSError, ValueError):
            for name, value in _read_repository(repository, folder).items():
                found.setdefault(name, value)
        if "dirty" not in found:
            dirty = _is_dirty(folder)
            if dirty is not None:
                found["dirty"] = str(dirty)
    for name in ("repository_uri", "build_uri"):
        if name in found:
            found[name] = without_credentials(found[name])
    properties = {f"azureml.git.{name}": found[name] for name in _VARIABLES if name in found}
    properties.update({key: found[name] for name, key in _MLFLOW.items() if name in found})
    return properties


def without_credentials(url: str) -> str:
    """Return a repository's URL without password, token, query and fragment.

    Of ``ssh://user:secret@host`` the user stays; of other schemes nothing does, for a token is often written in the user's
    place. ``git@host:path`` holds no secret and stays as it is.
    """
    scheme, separator, rest = url.rpartition("://")
    if not separator:
        return url
    rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    authority, slash, path = rest.partition("/")
    # a secret with an unescaped slash: "user:se/cret@host/path"
    if "@" not in authority and "@" in path and re.search(r":(?!\d*$)", authority):
        authority, slash, path = rest.rpartition("@")[2].partition("/")
    user, at, host = authority.rpartition("@")
    if at:
        keeps_user = scheme.rpartition(":")[2].lower() in ("ssh", "git+ssh", "ssh+git")
        authority = f"{user.partition(':')[0]}@{host}" if keeps_user and user.partition(":")[0] else host
    return f"{without_credentials(scheme) if '://' in scheme else scheme}://{authority}{slash}{path}"


def _find_repository(folder: str) -> Path | None:
    """Return the git directory of the working tree that holds `folder`."""
    for place in (Path(folder), *Path(folder).parents):
        candidate = place / ".git"
        if (candidate / "HEAD").is_file():
            return candidate
        if candidate.is_file():
            with suppress(OSError, ValueError):
                text = candidate.read_text("utf-8", "surrogateescape").strip()
                if text.startswith("gitdir:"):
                    return place / text.removeprefix("gitdir:").strip()
            return None
    return None


def _read_repository(repository: Path, folder: str) -> dict[str, str]:
    """Return branch, commit and repository URI as git's files have them."""
    found: dict[str, str] = {}
    common = repository
    with suppress(FileNotFoundError):
        common = repository / _text(repository / "commondir")
    head = _text(repository / "HEAD")
    branch = ""
    if head == f"ref: {_REFTABLE_BRANCH}":
        branch = _ask(folder, "symbolic-ref", "--short", "-q", "HEAD")
        commit = _ask(folder, "rev-parse", "-q", "--verify", "HEAD")
    elif head.startswith("ref:"):
        name = head.removeprefix("ref:").strip()
        branch = name.removeprefix("refs/heads/")
        commit = _resolve(common, name)
    else:
        commit = head
    if branch:
        found["branch"] = branch
    if _COMMIT.fullmatch(commit):
        found["commit"] = commit
    with suppress(OSError):
        url = _remote_url((common / "config").read_text("utf-8", "surrogateescape"), branch)
        if url:
            found["repository_uri"] = url
    return found


def _resolve(common: Path, name: str) -> str:
    """Return the commit that a ref names, from its own file or from packed-refs; '' before the first commit."""
    with suppress(FileNotFoundError, NotADirectoryError):
        return _text(common / name)
    with suppress(FileNotFoundError):
        for line in (common / "packed-refs").read_text("utf-8", "surrogateescape").splitlines():
            commit, _, packed = line.partition(" ")
            if packed == name:
                return commit
    return ""


def _remote_url(config: str, branch: str) -> str:
    """Return the URL of the branch's remote, else of the only remote, else of origin; '' without any."""
    urls: dict[str, str] = {}
    chosen = ""
    section = name = ""
    for line in config.replace("\\\n", "").splitlines():
        line = line.strip()
        header = _SECTION.match(line)
        if header:
            section = header[1].lower()
            name = re.sub(r"\\(.)", r"\1", header[2] or "")
            line = line[header.end() :].strip()
        key, equals, value = line.partition("=")
        if not equals:
            continue
        key = key.strip().lower()
        if section == "remote" and key == "url":
            urls.setdefault(name, _value(value))
        elif section == "branch" and name == branch and key == "remote":
            chosen = _value(value)
    if chosen in urls:
        return urls[chosen]
    if len(urls) == 1:
        return next(iter(urls.values()))
    return urls.get("origin", "")


def _value(text: str) -> str:
    """Return a value of git's configuration without quotes and comment."""
    value = ""
    quoted = False
    position = 0
    text = text.strip()
    while position < len(text):
        char = text[position]
        if char == '"':
            quoted = not quoted
        elif char == "\\" and position + 1 < len(text):
            position += 1
            value += {"n": "\n", "t": "\t"}.get(text[position], text[position])
        elif char in "#;" and not quoted:
            break
        else:
            value += char
        position += 1
    return value.strip()


def _text(path: Path) -> str:
    return path.read_text("utf-8", "surrogateescape").strip()


def _command(folder: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start git so that it asks nothing, locks nothing and starts nothing of its own."""
    environment = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    environment.update(GIT_OPTIONAL_LOCKS="0", GIT_TERMINAL_PROMPT="0", LC_ALL="C")
    with fault_point("git.spawn"):
        return subprocess.Popen(
            ["git", "-c", "core.fsmonitor=false", "-C", folder, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )


def _ask(folder: str, *arguments: str) -> str:
    """Return what git prints, or '' when it fails, is missing or takes too long."""
    try:
        process = _command(folder, *arguments)
    except OSError:
        return ""
    with process:
        try:
            output, _ = process.communicate(timeout=STATUS_SECONDS)
        except subprocess.TimeoutExpired:
            with fault_point("git.kill"):
                process.kill()
            return ""
    return output.decode("utf-8", "surrogateescape").strip() if process.returncode == 0 else ""


def _is_dirty(folder: str) -> bool | None:
    """Say whether the folder differs from its commit; None when git is missing, fails or takes too long."""
    try:
        process = _command(folder, "status", "--porcelain", "--no-renames", "-unormal", ".")
    except OSError:
        return None
    with process:
        assert process.stdout is not None
        answered = True
        if os.name != "nt":  # pipes cannot be waited for there
            answered = bool(select.select([process.stdout], [], [], STATUS_SECONDS)[0])
        if answered and process.stdout.read(1):
            with fault_point("git.kill"):
                process.kill()
            return True
        if not answered:
            with fault_point("git.kill"):
                process.kill()
            return None
    return False if process.returncode == 0 else None
