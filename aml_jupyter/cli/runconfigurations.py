"""Own `aml runconfiguration`: the run configurations of a project's folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aml_jupyter.cli.common import config_says, current_folder, emit_json, wants_json
from aml_jupyter.cli.parser import Arguments, Nouns, Parser, add_noun, add_verb
from aml_jupyter.errors import UserErrorException

if TYPE_CHECKING:
    from aml_jupyter.cli.door import Door
    from aml_jupyter.config import RunConfiguration

__all__ = ["add_verbs"]


def add_verbs(nouns: Nouns) -> None:
    """Add `aml runconfiguration` and its verbs."""
    verbs = add_noun(
        nouns, "runconfiguration", "list, show, create and delete a folder's run configurations", ["runconfigurations"]
    )
    _add_place(add_verb(verbs, "list", _list, "List the run configurations of a folder.", "aml runconfiguration list"))
    show = add_verb(verbs, "show", _show, "Show one run configuration.", "aml runconfiguration show local")
    _add_name(show)
    create = add_verb(
        verbs,
        "create",
        _create,
        "Write a new run configuration; one that is there is not overwritten.",
        "aml runconfiguration create gpu -t gpu-box --script train.py --conda-dependencies environment.yml",
    )
    add = create.add_argument
    add("-t", "--target", metavar="NAME", help="compute target; else local")
    add("--script", metavar="FILE", help="script, relative to the folder")
    add("-f", "--framework", default="Python", metavar="NAME", help="Python, PySpark, TensorFlow or PyTorch")
    add("-d", "--conda-dependencies", metavar="FILE", help="conda environment file with the packages")
    add("--python", metavar="PATH", help="a Python of your own, which is not changed")
    add("--image", metavar="NAME", help="Docker image to run in")
    _add_name(create)
    delete = add_verb(verbs, "delete", _delete, "Delete a run configuration.", "aml runconfiguration delete gpu")
    _add_name(delete)


def _add_place(parser: Parser) -> None:
    parser.add_argument("--path", metavar="FOLDER", help="the project's folder; else the current one")


def _add_name(parser: Parser) -> None:
    parser.add_argument("word", nargs="?", metavar="NAME", help="name of the run configuration")
    parser.add_argument("-n", "--name", metavar="NAME", help="the same, as an option")
    _add_place(parser)


def _name_of(arguments: Arguments) -> str:
    name = arguments.name or arguments.word
    if not name:
        arguments.parser.error("the run configuration's name is missing")
    return str(name)


def _project(arguments: Arguments) -> Path:
    return Path(arguments.path).expanduser().resolve() if arguments.path else current_folder()


def _list(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.views import run_configuration_rows

    with config_says(lambda text: None):  # the remark has it
        found = run_configuration_rows(_project(arguments))
    if wants_json(arguments):
        return emit_json(door, found.as_json())
    door.write(found.as_text(door.width) + "\n")
    return 0


def _show(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.config import RunConfiguration
    from aml_jupyter.config.yaml_files import dump

    with config_says(lambda text: None):  # it is said below
        read = RunConfiguration.load(str(_project(arguments)), _name_of(arguments))
    if wants_json(arguments):
        return emit_json(door, read.to_dict())
    door.write(dump(read.to_dict()))
    for note in read.notes:
        door.remark(f"note: {note}")
    return 0


def _create(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.config import RunConfiguration
    from aml_jupyter.config.run_config_files import ENDING, config_folder

    project, name = _project(arguments), _name_of(arguments).removesuffix(".runconfig")
    place = config_folder(project)
    for file in (place / name, place / f"{name}{ENDING}"):
        if file.exists():
            raise UserErrorException(
                f"{file} is there already, and stays as it is. Choose another name, or delete it: "
                f"aml runconfiguration delete {name}",
                "name",
            )
    configuration = RunConfiguration(script=arguments.script)
    configuration.framework = arguments.framework
    if arguments.target:
        configuration.target = arguments.target
    _set_environment(configuration, arguments)
    configuration.save(str(project), f"{name}{ENDING}")
    if wants_json(arguments):
        return emit_json(door, {"name": name, "path": str(place / f"{name}{ENDING}")})
    door.write(f"{place / f'{name}{ENDING}'}\n")
    return 0


def _set_environment(configuration: RunConfiguration, arguments: Arguments) -> None:
    from aml_jupyter.config import CondaDependencies

    environment = configuration.environment
    if arguments.conda_dependencies and arguments.python:
        raise UserErrorException("--conda-dependencies and --python exclude each other", "python")
    if arguments.conda_dependencies:
        environment.python.conda_dependencies = CondaDependencies(arguments.conda_dependencies)
    if arguments.python:
        environment.python.user_managed_dependencies = True
        environment.python.interpreter_path = arguments.python
    if arguments.image:
        environment.docker.enabled = True
        environment.docker.base_image = arguments.image


def _delete(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.config import RunConfiguration

    name = _name_of(arguments).removesuffix(".runconfig")
    RunConfiguration.delete(str(_project(arguments)), name)
    if wants_json(arguments):
        return emit_json(door, {"deleted": name})
    door.write(f"{name} is deleted\n")
    return 0
