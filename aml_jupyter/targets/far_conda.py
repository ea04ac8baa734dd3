"""Have conda packages for another machine solved and linked here, and sent there: what it lacks of them, file by file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from aml_jupyter.environments import Hold, Recipe, begin_build, stop_builder
from aml_jupyter.errors import UserErrorException
from aml_jupyter.targets.far_link import FarLink
from aml_jupyter.targets.far_upload import Entries, Sender
from aml_jupyter.workspace import WorkspaceFolder

__all__ = ["linked_entries", "linked_here", "send_linked"]


def send_linked(
    link: FarLink,
    folder: WorkspaceFolder,
    recipe: Mapping[str, Any],
    base: str,
    variables: Mapping[str, str],
    write: Callable[[str], object],
    look: Callable[[], None] = lambda: None,
) -> None:
    """Have the conda packages of a recipe in place over there, linked for it; the build there takes them.

    Parameters
    ----------
    recipe : dict
        As ``run.json`` has it.
    base : str
        The base folder over there.
    variables : dict
        The submitter's: proxies and certificates count.
    write : callable
        Takes what the solver and the linker say.
    look : callable
        Called again and again while they work; what it raises ends the waiting.

    Raises
    ------
    UserErrorException
        When they cannot be had; says which package, and why.
    HostUnreachable
        When the link is cut; what has arrived is not sent again.
    """
    hold = linked_here(recipe, f"{base}/environments/{recipe['key']}/env", variables, write, look)
    try:
        look()
        prefix = hold.built.prefix
        write(f"sending to {link.where} what it lacks of the packages\n")
        Sender(folder, link).send_files(str(recipe["key"]), linked_entries(prefix), prefix, "linked")
    finally:
        hold.close()


def linked_here(
    recipe: Mapping[str, Any],
    prefix: str,
    variables: Mapping[str, str],
    write: Callable[[str], object] = lambda _: None,
    look: Callable[[], None] = lambda: None,
) -> Hold:
    """Have the conda packages of a recipe solved and linked here as they will lie at `prefix` over there; return a hold on them.

    Raises
    ------
    UserErrorException
        When they cannot be had; says which package, and why.
    """
    asked = {
        name: value for name, value in recipe["asked"].items() if name not in ("requirements", "files", "variables")
    }
    asked = {**asked, "requirements": [], "prefix": prefix}
    whole = Recipe.from_dict(recipe)
    here = replace(whole, kind="conda-there", asked=asked, title=f"{whole.title}, linked for another machine")
    build = begin_build(here, {"variables": dict(variables)})
    try:
        build.follow(write, tick=look)
    except BaseException:
        if build.is_own:
            stop_builder(build.entry)  # whoever else waits for it begins it again
        raise
    hold = build.entry.hold()
    if hold is None:
        raise UserErrorException(
            f"The environment ({here.title}) was removed here meanwhile. Submit the run again.", "environment"
        )
    return hold


def linked_entries(prefix: Path) -> Entries:
    """Return the files, folders and links of an environment as entries of a tree, folders before what is in them."""
    found: Entries = []

    def walk(folder: str, below: str) -> None:
        with os.scandir(folder) as listed:
            entries = sorted(listed, key=lambda entry: entry.name)
        for entry in entries:
            name = f"{below}{entry.name}"
            if entry.is_symlink():
                found.append([name, "l", os.readlink(entry.path), 0])
            elif entry.is_dir(follow_symlinks=False):
                found.append([name, "d", "", 0])
                walk(entry.path, f"{name}/")
            else:
                facts = entry.stat(follow_symlinks=False)
                with open(entry.path, "rb") as stream:
                    digest = hashlib.sha256()
                    while data := stream.read(1 << 20):
                        digest.update(data)
                found.append([name, "x" if facts.st_mode & 0o111 else "f", digest.hexdigest(), facts.st_size])

    walk(str(prefix), "")
    return found
