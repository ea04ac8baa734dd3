"""Turn an Environment with Docker into a recipe: which image, and which layer of packages on top of it."""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aml_jupyter.config.conda_dependencies import DEFAULT_PYTHON, package_name
from aml_jupyter.config.environment_sections import DEFAULT_CPU_IMAGE, DEFAULT_GPU_IMAGE
from aml_jupyter.environments.choose import (
    TEMPLATE_PYTHONS,
    is_template,
    leave_out_served,
    named_packages,
    needs_conda,
)
from aml_jupyter.environments.recipe import Recipe
from aml_jupyter.environments.requirement_lines import Requirements, read_requirements
from aml_jupyter.errors import ConfigurationError, UserErrorException
from aml_jupyter.supervisor.pip_settings import installer_settings

if TYPE_CHECKING:
    from aml_jupyter.config import Environment

__all__ = ["context_archive", "image_recipe", "is_default_image", "names_image"]

LARGEST_CONTEXT: Final = 100 * 2**20
"""Bytes of a build context that is sent to an engine with every build."""

# The images of SDK v1's templates of all years; nobody asks for them by leaving them there.
_DEFAULT: Final = re.compile(
    r"(mcr\.microsoft\.com/)?azureml/(base(-gpu)?|(intelmpi|openmpi)[\d.]+(-cuda[\d.]+(-cudnn\d+)?)?-ubuntu[\d.]+)(:[\w.\-]+)?"
)
_FOLDERS: Final = ("localfile", "local", "file", None, "")


def is_default_image(name: str | None) -> bool:
    """Say whether an image is one of SDK v1's templates."""
    return name is not None and (name in (DEFAULT_CPU_IMAGE, DEFAULT_GPU_IMAGE) or _DEFAULT.fullmatch(name) is not None)


def names_image(environment: Environment) -> bool:
    """Say whether an environment names an image of its own: the run then needs a container, whatever else it says."""
    docker = environment.docker
    if environment.is_reference:
        return False
    own = docker.base_image is not None and not is_default_image(docker.base_image)
    return bool(docker.enabled or own or docker.base_dockerfile or docker.build_context is not None)


def image_recipe(
    environment: Environment, submitter: Mapping[str, Any], folders: Sequence[str | Path], engine: str
) -> Recipe:
    """Return the recipe of an image that has what an Environment says.

    Parameters
    ----------
    environment : Environment
        What the run needs; no reference.
    submitter : dict
        As `submitter()` returns it: its settings of pip and conda count.
    folders : sequence of path
        Where relative paths of a Dockerfile, a build context and requirement lines may start.
    engine : str
        The address of the engine that will run it: images belong to an engine.

    Raises
    ------
    ConfigurationError
        When a file that it names is not there, or a build context is too big.
    """
    source, sources, name = _source(environment, folders)
    python = environment.python
    dependencies = python.conda_dependencies
    notes: list[str] = []
    layer: dict[str, Any] | None = None
    requirements: Requirements | None = None
    if not python.user_managed_dependencies and dependencies is not None:
        if is_template(dependencies):
            notes.append("the environment asks for no packages of its own: the run has what the image has")
        else:
            lines = [*dependencies.pip_options, *dependencies.pip_packages]
            requirements = read_requirements(lines, folders, dependencies.place_of)
            notes += [*requirements.notes, *leave_out_served(requirements)]
            layer = _layer(environment, requirements, submitter, notes, folders)
    asked: dict[str, Any] = {
        "engine": engine,
        "image": source,
        "python": python.interpreter_path if python.user_managed_dependencies else "python",
        "layer": layer,
        "variables": {} if dependencies is None else _variables(dependencies.as_dict()),
    }
    registry = environment.docker.base_image_registry
    if registry.username or registry.password:
        asked["registry"] = {
            "address": registry.address or "",
            "username": registry.username or "",
            "password": registry.password or "",
        }
    origins: dict[str, str] = {}
    if requirements is not None and dependencies is not None:
        from aml_jupyter.environments.choose_conda import conda_origins

        sources |= requirements.files
        origins = {**requirements.origins, **conda_origins(dependencies)}
    title = name if layer is None else f"{name} with {_layer_title(layer, requirements)}"
    return Recipe("image", asked, title, tuple(notes), sources, origins)


def _variables(content: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in (content.get("variables") or {}).items()}


def _source(environment: Environment, folders: Sequence[str | Path]) -> tuple[dict[str, Any], dict[str, str], str]:
    """Return what the base is, the files that it needs, and its name for people."""
    docker = environment.docker
    if docker.build_context is not None:
        return _context(environment, folders)
    if docker.base_dockerfile:
        text, where = _dockerfile(docker.base_dockerfile, folders)
        return {"dockerfile": text, "name": where}, {}, f"the image of {where}"
    image = docker.base_image or DEFAULT_CPU_IMAGE
    address = docker.base_image_registry.address
    if address and not image.startswith(f"{address}/") and "." not in image.partition("/")[0]:
        image = f"{address}/{image}"
    return {"base": image, "default": is_default_image(image)}, {}, f"the image {image}"


def _dockerfile(written: str, folders: Sequence[str | Path]) -> tuple[str, str]:
    """Return the text of a Dockerfile, and what it is called."""
    if "\n" in written or re.match(r"\s*FROM\s", written, re.IGNORECASE):
        return written, "the environment's Dockerfile"
    field = "environment.docker.base_dockerfile"
    for folder in folders:
        path = Path(folder, written).expanduser()
        if path.is_file():
            try:
                return path.read_text(encoding="utf-8"), str(path)
            except (OSError, ValueError) as error:
                raise ConfigurationError(f"{field}: {path} cannot be read ({error}).", field=field) from error
    looked = ", ".join(dict.fromkeys(str(Path(folder).absolute()) for folder in folders))
    raise ConfigurationError(
        f"{field} = {written!r}: expected a Dockerfile's text or its path; there is no such file in {looked}.",
        field=field,
    )


def _context(environment: Environment, folders: Sequence[str | Path]) -> tuple[dict[str, Any], dict[str, str], str]:
    context = environment.docker.build_context
    assert context is not None
    field = "environment.docker.build_context"
    location = str(context.location or "")
    file = context.dockerfile_path or "Dockerfile"
    if (context.location_type or "").lower() == "git" or re.match(r"(git|https?|ssh)://|git@|github\.com/", location):
        return {"git": location, "file": file}, {}, f"the image of {location}"
    if (context.location_type or "").lower() not in _FOLDERS or "://" in location:
        raise ConfigurationError(
            f"{field}: location_type = {context.location_type!r} cannot be used here; expected 'git' with an address, or "
            "a folder of this machine.",
            field=field,
        )
    folder = next((path for start in folders if (path := Path(start, location).expanduser()).is_dir()), None)
    if folder is None:
        raise ConfigurationError(f"{field}: there is no folder {location!r}.", field=field)
    if not (folder / file).is_file():
        raise ConfigurationError(f"{field}: {folder} has no file {file}.", field=field)
    digest = hashlib.sha256(context_archive(folder, file)).hexdigest()
    stored = f"{digest}/context.tar"
    return {"context": stored, "file": file}, {stored: str(folder)}, f"the image of {folder}/{file}"


def context_archive(folder: Path, file: str) -> bytes:
    """Return a build context as an archive that is equal for equal content; ``.dockerignore`` counts.

    Raises
    ------
    ConfigurationError
        When it is larger than an engine should be sent.
    """
    from docker.utils import exclude_paths

    ignore = folder / ".dockerignore"
    patterns = ignore.read_text(encoding="utf-8").splitlines() if ignore.is_file() else []
    patterns = [line.strip() for line in patterns if line.strip() and not line.startswith("#")]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(exclude_paths(str(folder), patterns, dockerfile=file)):
            path = folder / name
            entry = archive.gettarinfo(path, arcname=name)
            if entry is None:
                continue  # a socket
            entry.mtime = entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            entry.mode = 0o755 if entry.isdir() or os.access(path, os.X_OK) else 0o644
            if entry.isreg():
                with open(path, "rb") as stream:
                    archive.addfile(entry, stream)
            else:
                archive.addfile(entry)
            if out.tell() > LARGEST_CONTEXT:
                raise ConfigurationError(
                    f"The build context {folder} is larger than {LARGEST_CONTEXT >> 20} MB; leave files out with a "
                    ".dockerignore.",
                    field="environment.docker.build_context",
                )
    return out.getvalue()


def _layer(
    environment: Environment,
    requirements: Requirements,
    submitter: Mapping[str, Any],
    notes: list[str],
    folders: Sequence[str | Path],
) -> dict[str, Any]:
    """Return what is installed on top of the image."""
    dependencies = environment.python.conda_dependencies
    assert dependencies is not None
    if environment.python.base_conda_environment is not None:
        raise UserErrorException(
            "environment.python.base_conda_environment names an environment of this machine, which an image does not have. "
            "Name its packages in conda_dependencies.",
            "environment.python.base_conda_environment",
        )
    wish = next((entry for entry in dependencies.conda_packages if package_name(entry) == "python"), None)
    if wish is not None and (dependencies.get_python_version() or DEFAULT_PYTHON) in TEMPLATE_PYTHONS:
        wish = None
    if not needs_conda(environment.python):
        return {
            "kind": "pip",
            "wish": wish,
            "requirements": requirements.lines,
            "constraints": requirements.constraints,
            "options": requirements.options,
            "settings": installer_settings(submitter.get("variables") or {}),
            "files": sorted(requirements.files),
        }
    from aml_jupyter.environments.choose_conda import conda_recipe

    recipe = conda_recipe(dependencies, requirements, submitter, notes, folders)
    return {"kind": "conda", **recipe.asked, "variables": {}}


def _layer_title(layer: Mapping[str, Any], requirements: Requirements | None) -> str:
    if layer["kind"] == "pip":
        return f"{named_packages(requirements)} (pip)" if requirements is not None else "no packages"
    names = [package_name(entry.split("::")[-1]) for entry in layer["specs"]]
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "") + " (conda)"
