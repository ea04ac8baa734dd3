"""Turn an Environment with conda packages into a recipe: specs, channels as addresses, the platform that will run it."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aml_jupyter.config.conda_dependencies import package_name
from aml_jupyter.environments.recipe import Recipe
from aml_jupyter.errors import ConfigurationError
from aml_jupyter.supervisor.pip_settings import installer_settings

if TYPE_CHECKING:
    from aml_jupyter.config import CondaDependencies
    from aml_jupyter.environments.requirement_lines import Requirements

__all__ = ["check_packages", "conda_origins", "conda_platform", "conda_recipe"]

FIELD: Final = "environment.python.conda_dependencies"
_MAIN: Final = ("https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/r")
"""What conda means by ``defaults``."""
_MACHINES: Final = {"x86_64": "64", "amd64": "64", "aarch64": "aarch64", "arm64": "arm64", "ppc64le": "ppc64le"}


def conda_platform(system: str = "", machine: str = "") -> str:
    """Return conda's name for a machine, for example ``linux-64``; for this one where nothing is given.

    Parameters
    ----------
    system, machine : str
        As `platform.system` and `platform.machine` say over there.
    """
    system, machine = system or platform.system(), (machine or platform.machine()).lower()
    system = {"Linux": "linux", "Darwin": "osx", "Windows": "win"}.get(system, system.lower())
    machine = _MACHINES.get(machine, machine)
    if system == "linux" and machine == "arm64":
        machine = "aarch64"
    return f"{system}-{machine}"


def conda_recipe(
    dependencies: CondaDependencies,
    requirements: Requirements,
    submitter: Mapping[str, Any],
    notes: Sequence[str],
    folders: Sequence[str | Path] = (),
    there: Mapping[str, Any] | None = None,
) -> Recipe:
    """Return the recipe of an environment that is solved and linked from conda packages.

    Parameters
    ----------
    dependencies : CondaDependencies
        The packages and channels.
    requirements : Requirements
        Its `pip:` list, as `read_requirements` returns it.
    submitter : dict
        As `submitter()` returns it: its settings of conda and pip count.
    notes : sequence of str
        What is to be said already.
    folders : sequence of path
        Where a channel's relative path may start.
    there : dict, optional
        The machine that will run it, where it is not this one: ``platform``, ``architecture`` and what it has (``virtual``).

    Raises
    ------
    ConfigurationError
        When conda packages cannot be built here, or a channel's folder is not there.
    """
    from aml_jupyter.environments.choose import has_conda, named_packages

    wanted = [str(entry) for entry in dependencies.conda_packages]
    if not has_conda():
        raise ConfigurationError(
            f"{FIELD}: {', '.join(wanted)} are conda packages, which need one more package here: "
            "pip install 'aml-jupyter[conda]' (no conda is needed).",
            field=FIELD,
        )
    _check_specs(wanted, dependencies)
    if (requirements.lines or there) and not any(package_name(entry.split("::")[-1]) == "python" for entry in wanted):
        wanted.insert(0, "python")
    if requirements.lines and there and not any(package_name(entry.split("::")[-1]) == "pip" for entry in wanted):
        wanted.append("pip")  # over there, it is what installs the rest
    variables = submitter.get("variables") or {}
    asked = {
        "specs": wanted,
        "channels": list(_channels(dependencies, variables, folders)),
        "platform": there["platform"] if there else conda_platform(),
        **({"architecture": there["architecture"]} if there else {}),
        "virtual": {
            **(there["virtual"] if there else {}),
            **{
                name.removeprefix("CONDA_OVERRIDE_").lower(): value
                for name, value in sorted(variables.items())
                if name.startswith("CONDA_OVERRIDE_") and value
            },
        },
        "requirements": requirements.lines,
        "constraints": requirements.constraints,
        "options": requirements.options,
        "settings": installer_settings(variables) if requirements.lines and not there else {},
        "files": sorted(requirements.files),
        "variables": {str(key): str(value) for key, value in (dependencies.as_dict().get("variables") or {}).items()},
    }
    names = [package_name(entry.split("::")[-1]) for entry in wanted]
    title = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "") + " (conda)"
    if requirements.lines:
        title += f" with {named_packages(requirements)} (pip)"
    origins = {**requirements.origins, **conda_origins(dependencies)}
    return Recipe("conda", asked, title, tuple(notes), requirements.files, origins)


def conda_origins(dependencies: CondaDependencies) -> dict[str, str]:
    """Return the file and line that ask for each conda package, where they are known."""
    places = {entry: dependencies.place_of(entry) for entry in dependencies.conda_packages}
    return {package_name(entry.split("::")[-1]).lower(): place for entry, place in places.items() if place}


def check_packages(dependencies: CondaDependencies) -> None:
    """Refuse conda packages that no installer can read; looks at their syntax alone, and not where py-rattler is missing.

    Raises
    ------
    ConfigurationError
        Names the file and line, where they are known, and the package.
    """
    from aml_jupyter.environments.choose import has_conda

    if has_conda():
        _check_specs(list(dependencies.conda_packages), dependencies)


def _check_specs(wanted: Sequence[str], dependencies: CondaDependencies) -> None:
    """Refuse what is no package spec, before anything is queued."""
    from aml_jupyter.environments.builders import BuildError
    from aml_jupyter.environments.builders.conda import read_spec

    for entry in wanted:
        try:
            read_spec(entry)
        except BuildError as error:
            raise ConfigurationError(
                f"{dependencies.place_of(entry) or FIELD}: {error}. Write for example numpy=1.26 or numpy>=1.26,<2.",
                field=FIELD,
            ) from None


def _channels(
    dependencies: CondaDependencies, variables: Mapping[str, str], folders: Sequence[str | Path]
) -> Iterator[str]:
    """Yield the channels as addresses, in order; those of conda's own settings where none is written."""
    settings = _conda_settings(variables)
    alias = str(settings.get("channel_alias") or "https://conda.anaconda.org").rstrip("/")
    written = [str(entry) for entry in dependencies.conda_channels if entry != "nodefaults"]
    written = written or [str(entry) for entry in settings.get("channels") or ["conda-forge"]]
    seen = set()
    for channel in written:
        for address in _addresses(channel, alias, settings, folders):
            if address not in seen:
                seen.add(address)
                yield address


def _addresses(channel: str, alias: str, settings: Mapping[str, Any], folders: Sequence[str | Path]) -> Sequence[str]:
    if channel == "defaults":
        return [str(entry) for entry in settings.get("default_channels") or _MAIN]
    if "://" in channel:
        return [channel.rstrip("/")]
    if re.match(r"\.{0,2}/|~", channel):
        expanded = os.path.expanduser(channel)
        for folder in [*folders, os.curdir]:
            path = Path(os.path.normpath(os.path.abspath(os.path.join(folder, expanded))))
            if path.is_dir():
                return [path.as_uri()]
        raise ConfigurationError(
            f"{FIELD}: the channel {channel!r} cannot be used: there is no folder {os.path.abspath(expanded)}.",
            field=FIELD,
        )
    return [f"{alias}/{channel}"]


def _conda_settings(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return what conda's own settings say about channels; files that cannot be read say nothing."""
    import yaml

    found: dict[str, Any] = {}
    home = Path(variables.get("HOME") or Path.home())
    for path in ("/etc/conda/.condarc", home / ".conda/.condarc", home / ".condarc", variables.get("CONDARC")):
        if not path:
            continue
        try:
            content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError):
            continue
        if isinstance(content, dict):
            found |= {
                key: content[key] for key in ("channels", "channel_alias", "default_channels") if content.get(key)
            }
    if variables.get("CONDA_CHANNEL_ALIAS"):
        found["channel_alias"] = variables["CONDA_CHANNEL_ALIAS"]
    return found
