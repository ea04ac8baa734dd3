"""Find, load, save and delete ``.runconfig`` files by SDK v1's rules.

The folder is ``aml_config`` where it exists, else ``.azureml``. Two rules are kinder than SDK v1's: a missing folder
is created on save, and a configuration saved under a name whose ``<name>.runconfig`` exists changes that file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aml_jupyter.config.conda_dependencies import FILE_NAME, CondaDependencies, read_conda_file
from aml_jupyter.config.reading import Place, warn
from aml_jupyter.errors import ConfigurationError, UserErrorException, nearest

if TYPE_CHECKING:
    from aml_jupyter.config.environment import Environment
    from aml_jupyter.config.previews import FileForm
    from aml_jupyter.config.run_configuration import RunConfiguration

FOLDERS = ("aml_config", ".azureml")
ENDING = ".runconfig"
_reported: set[str] = set()


def config_folder(project: Path) -> Path:
    """Return the folder of a project's run configurations; the old ``aml_config`` wins where it exists."""
    return project / FOLDERS[0] if (project / FOLDERS[0]).is_dir() else project / FOLDERS[1]


def find_file(path: str | os.PathLike[str] | None, name: str | None) -> Path:
    """Return the file that a path and a name mean.

    Raises
    ------
    UserErrorException
        When there is none; names what was searched and what there is.
    """
    project = Path(path) if path else Path.cwd()
    if os.path.isfile(project):
        return project
    folder = config_folder(project)
    tried = [folder / name, folder / f"{name}{ENDING}", project / f"{name}{ENDING}"] if name else []
    for candidate in tried:
        if os.path.isfile(candidate):
            return candidate
    message = f"Failed to load RunConfiguration from path={path} name={name}"
    if not os.path.exists(project):
        raise UserErrorException(f"{message}: {project} does not exist.", field="path")
    if not name:
        message, known = f"{message}: which one is not said", names_in(folder)
        raise UserErrorException(f"{message}. {folder} has: {', '.join(known) or 'none'}.", field="name")
    known = names_in(folder)
    hint = f"{nearest(name, known)}." if known else "It has none yet; RunConfiguration().save() writes one."
    other = project / FOLDERS[1]
    if folder.name == FOLDERS[0] and any(os.path.isfile(other / f"{name}{end}") for end in ("", ENDING)):
        hint = f"{other} has it, but is not searched while {folder} exists; move the file there."
    raise UserErrorException(f"{message}: it is not in {folder}. {hint}", field="name")


def names_in(folder: Path) -> list[str]:
    """Return the names of the run configurations in a folder."""
    files = (file for file in folder.glob("*") if file.suffix in ("", ENDING) and file.is_file())
    return sorted({file.name.removesuffix(ENDING) for file in files})


def reference_folders(file: Path, is_project: bool) -> tuple[str, ...]:
    """Return the folders that a relative path in the file may start at, the likelier one first."""
    folder = file.absolute().parent
    project = folder.parent if folder.name in FOLDERS else folder
    first, second = (project, folder) if is_project else (folder, project)
    return tuple(dict.fromkeys((str(first), str(second))))


def load(path: str | os.PathLike[str] | None, name: str | None) -> RunConfiguration:
    """Return the run configuration of a file, with every note about it logged once."""
    from aml_jupyter.config.yaml_files import read_file

    file = find_file(path, name)
    text = read_file(file, "run configuration")
    config = _from_text(text, file, is_project=not Path(path or ".").is_file())
    config._path = os.fspath(path) if path else os.getcwd()
    config._name = name
    for note in config.notes:
        if note not in _reported:
            _reported.add(note)
            warn(note)
    return config


def _from_text(text: str, file: Path, is_project: bool) -> RunConfiguration:
    from aml_jupyter.config.run_configuration import RunConfiguration
    from aml_jupyter.config.yaml_files import parse

    source = os.path.abspath(file)
    document = parse(text, source)
    if document is None:
        raise ConfigurationError(f"{source}: expected a run configuration, found an empty file.")
    config = RunConfiguration._read(document, Place(source, folders=reference_folders(file, is_project)))
    config._original = (text, _as_file(config, unknown=False, form=config._form))
    return config


def save(
    config: RunConfiguration, path: str | os.PathLike[str] | None, name: str | None, separate_environment: bool
) -> None:
    """Write a run configuration, its conda dependencies in a second file and, if asked, its environment in a third."""
    path = path or config._path
    name = name or (config._name if path == config._path else None)
    place = Path(path) if path else Path.cwd()
    is_project = place.is_dir()
    if is_project and not name:
        raise UserErrorException(
            f"Name the run configuration to save in {place}, for example name='train'.", field="name"
        )
    if not is_project and not place.parent.is_dir():
        raise UserErrorException(f"Cannot save to {place}: the folder {place.parent} does not exist.", field="path")
    file = _file_of_name(place, str(name)) if is_project else place
    file.parent.mkdir(exist_ok=True)
    _write(config, file, is_project, separate_environment)
    config._path, config._name = os.fspath(place), name


def _file_of_name(project: Path, name: str) -> Path:
    if Path(name).name != name:
        raise UserErrorException(f"Expected a plain name for the run configuration, found {name!r}.", field="name")
    folder = config_folder(project)
    with_ending = folder / f"{name}{ENDING}"
    return with_ending if with_ending.is_file() and not (folder / name).exists() else folder / name


def _write(config: RunConfiguration, file: Path, is_project: bool, separate: bool) -> None:
    from aml_jupyter.config.yaml_files import read_file

    present = _from_text(read_file(file, "run configuration"), file, is_project) if file.exists() else None
    text, before = (present or config)._original or (None, None)
    form = (present or config)._form if text is not None else None
    if present is not None and not separate and _says_the_same(config, present):
        config._form, config._original = form, present._original
        return
    _write_dependencies(config, present, file, is_project)
    if separate and not config._environment_file:
        config._environment_file = _beside(file, "environment.yml", is_project)
    after = _as_file(config, unknown=text is None, form=form)
    if config._environment_file:
        _write_environment(config, config._environment_file, file, is_project)
    config._form = form
    config._original = (_write_yaml(file, text, before, after), _as_file(config, unknown=False, form=form))


def _says_the_same(config: RunConfiguration, present: RunConfiguration) -> bool:
    """Say whether the file that is there needs no change."""
    files = [(each._environment_file, each.environment.python.conda_dependencies_file) for each in (config, present)]
    return files[0] == files[1] and config == present


def _as_file(config: RunConfiguration, unknown: bool, form: FileForm | None) -> dict[str, Any]:
    """Return what the file says of a configuration; environment and packages may stand in files of their own."""
    written = config._write(unknown)
    written["environment"] = config._environment_file or _environment_as_file(config.environment, unknown)
    return written if form is None else form.as_file(config, written)


def _environment_as_file(environment: Environment, unknown: bool) -> dict[str, Any]:
    written = environment._write(unknown)
    if "python" in written and not (environment.python._is_inline and environment.python.conda_dependencies):
        del written["python"]["condaDependencies"]
    return written


def _beside(file: Path, name: str, is_project: bool) -> str:
    return f"{file.parent.name}/{name}" if is_project else name


def _resolve(reference: str, file: Path, is_project: bool) -> Path:
    candidates = [Path(folder) / reference for folder in reference_folders(file, is_project)]
    return next((candidate for candidate in candidates if candidate.is_file()), candidates[0])


def _write_dependencies(
    config: RunConfiguration, present: RunConfiguration | None, file: Path, is_project: bool
) -> None:
    """Write the packages to a file of their own, never over other packages that another configuration names."""
    python = config.environment.python
    if config.environment.is_reference or python.conda_dependencies is None or python._is_inline:
        return
    owned = present.environment.python.conda_dependencies_file if present is not None else None
    reference = python.conda_dependencies_file or owned or _beside(file, FILE_NAME, is_project)
    if reference != owned and not _may_write(_resolve(reference, file, is_project), python.conda_dependencies):
        reference = _beside(file, f"{file.name.removesuffix(ENDING)}.{FILE_NAME}", is_project)
    target = _resolve(reference, file, is_project)
    target.parent.mkdir(parents=True, exist_ok=True)
    python.conda_dependencies.save(target)
    python._conda_dependencies_file = reference


def _may_write(path: Path, dependencies: CondaDependencies) -> bool:
    return not path.exists() or read_conda_file(path) == dependencies.as_dict()


def _write_environment(config: RunConfiguration, reference: str, file: Path, is_project: bool) -> None:
    from aml_jupyter.config.run_configuration import read_environment_file
    from aml_jupyter.config.yaml_files import read_file

    target = _resolve(reference, file, is_project)
    if not target.exists():
        _write_yaml(target, None, None, _environment_as_file(config.environment, unknown=True))
        return
    before = read_environment_file(target, Place(folders=reference_folders(file, is_project)))
    after = _environment_as_file(config.environment, unknown=False)
    _write_yaml(target, read_file(target, "environment file"), _environment_as_file(before, unknown=False), after)


def _write_yaml(path: Path, text: str | None, before: dict[str, Any] | None, after: dict[str, Any]) -> str:
    from aml_jupyter.config.yaml_files import dump, edit, write_file

    written = dump(after) if text is None or before is None else edit(text, str(path), before, after)
    if written != text or not path.exists():
        write_file(path, written)
    return written


def delete(path: str | os.PathLike[str], name: str) -> None:
    """Remove ``<name>.runconfig``, or ``<name>`` as `save` writes it, from both folders of a project."""
    names = (f"{name}{ENDING}", name) if "." not in name else (name,) if name.endswith(ENDING) else (f"{name}{ENDING}",)
    found = [file for folder in FOLDERS for each in names if (file := Path(path) / folder / each).is_file()]
    if not found:
        known = [each for folder in FOLDERS for each in names_in(Path(path, folder))]
        raise UserErrorException(
            f"There is no run configuration {name!r} in {Path(path).resolve()}; "
            f"{nearest(name, sorted(set(known))) or 'it has none'}.",
            field="name",
        )
    for file in found:
        file.unlink()
