"""Say how uv makes a virtual environment on a far machine from what pip's lists and that machine's own settings of pip say.

uv reads neither ``pip.conf`` nor ``PIP_*`` variables, so what they say is told in uv's variables: a command line can be read by
everybody, and addresses may have credentials.
"""

import os
from typing import Any, Dict, List, Mapping

from .pip_settings import installer_settings

__all__ = ["install_options", "uv_variables", "venv_command"]

_FLAGS = {"--no-deps": "--no-deps", "--require-hashes": "--require-hashes"}
_WITH_VALUE = ("--no-binary", "--only-binary")
_LISTS = {
    "extra-index-url": ("UV_EXTRA_INDEX_URL", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "constraint": ("UV_CONSTRAINT", " "),
}
"""Setting of pip -> the variable of uv that means the same, and what separates several values there."""


def venv_command(uv: str, python: str, place: str) -> List[str]:
    """Return the command that makes the virtual environment `place` of the interpreter `python`."""
    return [uv, "venv", "--python", python, "--no-python-downloads", "--no-project", place]


def install_options(asked: Mapping[str, Any]) -> List[str]:
    """Return the options of ``uv pip install`` that mean what those of a recipe do, but for what `uv_variables` tells."""
    made = []  # type: List[str]
    for name, *values in asked["options"]:
        if name in _FLAGS:
            made.append(_FLAGS[name])
        elif name in _WITH_VALUE:
            for value in values:
                made += [name, value]
    return made


def uv_variables(asked: Mapping[str, Any], variables: Mapping[str, str]) -> Dict[str, str]:
    """Return uv's variables for a recipe on this machine, whose settings of pip count: all but the ones of `variables` itself.

    Parameters
    ----------
    asked : dict
        ``options`` and ``python`` of a recipe.
    variables : dict
        The variables of the build.
    """
    prefix = os.path.dirname(os.path.dirname(str(asked["python"]["path"])))
    said = {name: list(values) for name, values in installer_settings(variables, prefix).items()}
    for name, *values in asked["options"]:
        plain = name[2:]
        if plain == "index-url":
            said[plain] = values
        elif plain in ("no-index", "pre"):
            said[plain] = ["1"]
        elif plain in _LISTS:
            said[plain] = said.get(plain, []) + values
    made = {"UV_INDEX_STRATEGY": "unsafe-best-match"}  # all indexes count alike, as for pip
    for name, (variable, between) in _LISTS.items():
        if said.get(name):
            made[variable] = between.join(said[name])
    if said.get("index-url"):
        made["UV_DEFAULT_INDEX"] = said["index-url"][-1]
    if said.get("cert"):
        made.setdefault("SSL_CERT_FILE", said["cert"][0])
    for name, variable, value in (("no-index", "UV_NO_INDEX", "1"), ("pre", "UV_PRERELEASE", "allow")):
        if said.get(name, [""])[0].lower() in ("1", "true", "yes", "on"):
            made[variable] = value
    return made
