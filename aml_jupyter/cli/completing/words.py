"""Say what may stand next on a line, for every shell and for IPython alike."""

from __future__ import annotations

import os
import sqlite3

from aml_jupyter.workspace.brief import stored_names
from aml_jupyter.workspace.locate import registered, workspace_root

TYPE_CHECKING = False  # `typing` costs more than this module
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

__all__ = ["FILES", "FOLDERS", "Words", "next_words", "words_of_kind"]

FILES, FOLDERS = "files", "folders"
"""Kinds that the shell itself completes."""

STATES = (
    "Completed", "Failed", "Canceled", "Running", "Queued", "Preparing", "Starting", "Finalizing", "Provisioning",
    "CancelRequested", "NotResponding", "NotStarted", "Paused",
)  # fmt: skip


class Words:
    """What may stand next: words with a few words about each, and whether files or folders may, too."""

    def __init__(self, curated: Sequence[str] = ()) -> None:
        self.curated = curated
        """Environments that every workspace has."""
        self.found: dict[str, str] = {}
        self.also = ""
        """``files``, ``folders``, or empty."""


def next_words(shape: dict[str, Any], before: Sequence[str], current: str) -> Words:
    """Return what may stand in the place of the unfinished word `current`, after the words `before` (without ``aml``)."""
    words = Words(shape.get("curated", []))
    node, places, chosen, awaited = shape, 0, None, None
    for word in before:
        if awaited is not None:
            if awaited[0] == "--workspace":
                chosen = word
            awaited = None
        elif word.startswith("-") and not (node["rest"] and places):
            name, equals, value = word.partition("=")
            kind = node["options"].get(name)
            if name == "--workspace" and equals:
                chosen = value
            elif kind is not None and not equals:
                awaited = (name, kind)
        elif node["same"].get(word, word) in node["verbs"] and not places:
            node = node["verbs"][node["same"].get(word, word)]
        else:
            places += 1
    if awaited is not None:
        _add_kind(words, awaited[1], current, chosen)
    elif node["rest"] and places:
        words.also = FILES  # what follows a script is the script's
    elif current.startswith("-"):
        name, equals, value = current.partition("=")
        if equals:
            _add_kind(words, node["options"].get(name) or "", value, chosen)
            words.found = {f"{name}={word}": about for word, about in words.found.items()}
        else:
            words.found = {name: node["told"][name] for name in node["options"] if name.startswith(current)}
    else:
        words.found = {name: about for name, about in node["about"].items() if name.startswith(current)}
        if node["places"] and (places < len(node["places"]) or node["many"]):
            _add_kind(words, node["places"][min(places, len(node["places"]) - 1)], current, chosen)
    return words


def words_of_kind(kind: str, begin: str, workspace: str | None = None) -> dict[str, str]:
    """Return the words of a kind that begin with `begin`, each with a few words about it; whatever goes wrong, none."""
    try:
        if kind.startswith("="):
            return {word: "" for word in kind[1:].split("\t") if word.startswith(begin)}
        if kind == "states":
            return {word: "" for word in STATES if word.lower().startswith(begin.lower())}
        if kind == "run configurations":
            return _run_configurations(begin)
        if kind == FOLDERS:
            return {
                str(each["name"]): str(each["root"]) for each in registered() if str(each["name"]).startswith(begin)
            }
        root = workspace_root(workspace)
        found = dict(stored_names(root, kind, begin)) if root else {}
        if kind == "runs" and "last".startswith(begin) and found:
            found["last"] = "the newest run"
        return found
    except (OSError, ValueError, KeyError, TypeError, AttributeError, sqlite3.Error):
        return {}  # no completion is worth an error


def _add_kind(words: Words, kind: str, begin: str, workspace: str | None) -> None:
    if kind in (FILES, FOLDERS):
        words.also = kind
    elif kind == "run configurations" and "/" in begin:
        words.also = FILES
    if kind and kind != FILES:
        words.found |= words_of_kind(kind, begin, workspace)
    if kind == "environments":
        words.found |= {name: "curated" for name in words.curated if name.startswith(begin)}


def _run_configurations(begin: str) -> dict[str, str]:
    """Return the names of the run configurations of the current folder, as `config.run_config_files.names_in` finds them."""
    place = "aml_config" if os.path.isdir("aml_config") else ".azureml"
    files = [name for name in os.listdir(place) if os.path.splitext(name)[1] in ("", ".runconfig")]
    names = {name.removesuffix(".runconfig") for name in files if os.path.isfile(os.path.join(place, name))}
    return {name: "" for name in sorted(names) if name.startswith(begin)}
