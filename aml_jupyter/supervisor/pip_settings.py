"""Read pip's own settings, so that uv installs from where pip does: indexes, links, certificates, constraints.

uv reads neither ``pip.conf`` nor ``PIP_*`` variables; people behind a company's index have set these and nothing else.
"""

import configparser
import os
import sys
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional

__all__ = ["installer_settings"]

_LISTS = ("extra-index-url", "find-links", "trusted-host", "constraint")
_SINGLE = ("index-url", "cert", "no-index", "pre")


def installer_settings(variables: Mapping[str, str], prefix: Optional[str] = None) -> Dict[str, List[str]]:
    """Return pip's settings in the words of a command line.

    Parameters
    ----------
    variables : dict
        The environment variables that count: ``PIP_INDEX_URL``, ``PIP_CONFIG_FILE``, ``HOME``, ...
    prefix : str, optional
        The Python's prefix; its ``pip.conf`` counts, too.

    Returns
    -------
    dict
        Setting (``index-url``, ``extra-index-url``, ``find-links``, ``trusted-host``, ``constraint``, ``cert``,
        ``no-index``, ``pre``) to its values. A variable wins over a file, the user's file over the system's.
    """
    found: Dict[str, List[str]] = {}
    for path in _files(variables, prefix):
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(path.read_text(encoding="utf-8", errors="replace"))
        except (OSError, configparser.Error):
            continue
        for section in ("global", "install"):
            for written, value in parser.items(section) if parser.has_section(section) else ():
                name = _normal(written)
                if name in _LISTS or name in _SINGLE:
                    found[name] = value.split()
    for name in (*_LISTS, *_SINGLE):
        said = variables.get(f"PIP_{name.upper().replace('-', '_')}")
        if said is not None:
            found[name] = said.split()
    return {name: values for name, values in found.items() if values}


def _normal(written: str) -> str:
    """Return the name of a setting as pip takes it: ``index_url`` and ``--index-url`` are ``index-url``."""
    name = written.lower().replace("_", "-")
    return name[2:] if name.startswith("--") else name


def _files(variables: Mapping[str, str], prefix: Optional[str]) -> Iterator[Path]:
    """Yield pip's configuration files, the weakest first."""
    chosen = variables.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return
    home = Path(variables.get("HOME") or Path.home())
    has_users = not (chosen and os.path.exists(chosen))  # a file that was chosen stands for the user's own
    if sys.platform == "darwin":
        yield Path("/Library/Application Support/pip/pip.conf")
        if has_users:
            yield home / "Library/Application Support/pip/pip.conf"
    for folder in (variables.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"):
        yield Path(folder) / "pip/pip.conf"
    yield Path("/etc/pip.conf")
    if has_users:
        yield home / ".pip/pip.conf"
        yield Path(variables.get("XDG_CONFIG_HOME") or home / ".config") / "pip/pip.conf"
    if prefix:
        yield Path(prefix) / "pip.conf"
    if chosen:
        yield Path(chosen)
