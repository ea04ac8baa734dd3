"""Make plain data of the command tree: the words that may come, and what kind of word each option and place takes.

It is kept in the user's data folder, and made anew when the commands have changed.
"""

from __future__ import annotations

import marshal
import os
import sys
import zlib

import aml_jupyter
from aml_jupyter.workspace.locate import user_data_path

TYPE_CHECKING = False  # `typing` costs more than this module
if TYPE_CHECKING:
    import argparse
    from typing import Any

    Shape = dict[str, Any]

__all__ = ["kept_shape", "shape_of"]

FORMAT = 1
_COMMANDS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

_BY_DEST = {
    "target": "targets",
    "environment": "environments",
    "experiment": "experiments",
    "run_configuration": "run configurations",
    "workspace": "folders",
    "status": "states",
    "command": "",
}
_BY_METAVAR = {
    "RUN": "runs",
    "MODEL": "models",
    "TARGET": "targets",
    "ENVIRONMENT": "environments",
    "FILE": "files",
    "FOLDER": "folders",
    "PATH": "files",
}
_BY_NOUN = {
    "compute": "targets",
    "experiment": "experiments",
    "model": "models",
    "runconfiguration": "run configurations",
    "environment": "environments",
}


def kept_shape() -> Shape:
    """Return the shape of the command tree: read from where it is kept, else made and kept."""
    key = f"{FORMAT} {aml_jupyter.__version__} {sys.version_info[:2]} {_newest()}"
    path = os.path.join(user_data_path(), f"completion-{zlib.crc32(_COMMANDS.encode()):08x}.bin")
    try:
        with open(path, "rb") as stream:
            kept: Shape = marshal.load(stream)  # the user's own file; JSON would cost more than all the rest
        if kept["key"] == key:
            return kept
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        pass
    from aml_jupyter.cli.tree import build_parser
    from aml_jupyter.environments.curated import CURATED

    made = {"key": key, "curated": list(CURATED), **shape_of(build_parser())}
    _keep(path, made)
    return made


def _newest() -> int:
    """Return when one of the commands' files was changed last."""
    with os.scandir(_COMMANDS) as found:
        return max(entry.stat().st_mtime_ns for entry in found)


def _keep(path: str, shape: Shape) -> None:
    temporary = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(temporary, "wb") as stream:
            marshal.dump(shape, stream)
        os.replace(temporary, path)
    except OSError:
        return  # it is made again the next time


def shape_of(parser: argparse.ArgumentParser) -> Shape:
    """Return a parser and those below it as plain data.

    ``verbs`` maps words to their own shapes, ``about`` to a few words on each, ``same`` other names to the word that is shown;
    ``options`` maps options to the kind of word that they take (None: none), ``places`` is the kinds of the words that stand
    by their place, the last one again and again where ``many`` says so, and ``rest`` says that the first of them ends what
    is ours.
    """
    import argparse

    found: Shape = {
        "verbs": {},
        "about": {},
        "same": {},
        "options": {},
        "told": {},
        "places": [],
        "many": False,
        "rest": False,
    }
    for action in parser._actions:
        if action.help is argparse.SUPPRESS:
            continue
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, child in action.choices.items():
                own = child.prog.split()[-1]
                if name == own:
                    found["verbs"][name] = shape_of(child)
                    found["about"][name] = helps.get(name, "")
                else:
                    found["same"][name] = own
        elif action.option_strings:
            for option in action.option_strings:
                found["options"][option] = None if action.nargs == 0 else _kind(action, parser)
                found["told"][option] = action.help or ""
        else:
            found["rest"] = found["rest"] or action.nargs == argparse.REMAINDER
            found["many"] = found["many"] or action.nargs in ("*", "+")
            found["places"].append("files" if action.nargs == argparse.REMAINDER else _kind(action, parser))
    return found


def _kind(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    """Return what kind of word an option or a place takes; empty where nothing can be offered."""
    if action.choices:
        return "=" + "\t".join(map(str, action.choices))
    if action.dest in _BY_DEST:
        return _BY_DEST[action.dest]
    if action.metavar in _BY_METAVAR:
        return _BY_METAVAR[str(action.metavar)]
    words = parser.prog.split()
    if action.metavar == "TYPE" and words[1:2] == ["compute"]:
        from aml_jupyter.targets.kinds import KINDS

        return "=" + "\t".join(kind.type for kind in KINDS)
    if action.metavar == "NAME" and len(words) > 2 and words[2] not in ("create", "attach", "register", "submit"):
        return _BY_NOUN.get(words[1], "")
    return ""
