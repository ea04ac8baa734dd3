"""Own `aml environment`: the environments of a workspace, and what is built of them on this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aml_jupyter.cli.common import current_folder, emit, emit_json, open_workspace, wants_json
from aml_jupyter.cli.environment_options import add_environment_options, line_environment, of_files, with_line
from aml_jupyter.cli.parser import Arguments, Nouns, Parser, add_noun, add_verb
from aml_jupyter.errors import UserErrorException

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aml_jupyter.cli.door import Door
    from aml_jupyter.config import Environment
    from aml_jupyter.environments import Built, Recipe
    from aml_jupyter.workspace import WorkspaceFolder

__all__ = ["add_verbs", "build_and_tell"]

_ID: Final = re.compile(r"[0-9a-f]{4,32}")

_LAST_WORDS: Final = re.compile(r"^The build failed: ", re.MULTILINE)
"""With what the log of a failed build ends; the command's own error says the same."""


def add_verbs(nouns: Nouns) -> None:
    """Add `aml environment` and its verbs."""
    verbs = add_noun(
        nouns, "environment", "register environments, build them, and see what they hold", ["environments"]
    )
    listed = add_verb(
        verbs, "list", _list, "List the environments.", "aml environment list\naml environment list --built --json"
    )
    listed.add_argument("-n", "--name", metavar="NAME", help="only versions of this one; all of them")
    listed.add_argument("-a", "--all", action="store_true", help="every version, also those that submits have saved")
    listed.add_argument("--built", action="store_true", help="what is built on this machine, whoever asked for it")
    show = add_verb(
        verbs,
        "show",
        _show,
        "Show one environment: what was asked, what that was resolved to, its packages, where it lies.",
        "aml environment show train\naml environment show train:2 --json",
    )
    _add_name(show, "NAME, NAME:VERSION, or an id of what is built")
    build = add_verb(
        verbs,
        "build",
        _build,
        "Build an environment now, so that a run finds it ready; shows the build's log.",
        "aml environment build train\naml environment build --pip 'pandas scikit-learn'\naml environment build -c local",
    )
    _add_source(build)
    rebuild = add_verb(
        verbs,
        "rebuild",
        _rebuild,
        "Resolve an environment anew and build that: the only thing that moves its lock. Running runs keep the old one.",
        "aml environment rebuild train",
    )
    _add_source(rebuild)
    _add_register(verbs)
    scaffold = add_verb(
        verbs,
        "scaffold",
        _scaffold,
        "Write the files of a new environment, to be edited and registered.",
        "aml environment scaffold -n train -d train-environment",
    )
    _add_name(scaffold, "the new environment's name")
    scaffold.add_argument("-d", "--directory", required=True, metavar="FOLDER", help="where to; a new folder")
    download = add_verb(
        verbs,
        "download",
        _download,
        "Write a registered environment as a folder of files, which register -d reads.",
        "aml environment download train -d train-environment",
    )
    _add_name(download)
    download.add_argument("-d", "--directory", required=True, metavar="FOLDER", help="where to")
    download.add_argument("--overwrite", action="store_true", help="write into a folder that is there")
    delete = add_verb(
        verbs,
        "delete",
        _delete,
        "Delete a version from the registry and what was built of it; refused while a run needs it.",
        "aml environment delete train:1\naml environment delete 3fa94c0d12",
    )
    _add_name(delete, "NAME:VERSION, or an id of what is built")


def _add_name(parser: Parser, kind: str = "NAME or NAME:VERSION; the newest version without one") -> None:
    parser.add_argument("word", nargs="?", metavar="ENVIRONMENT", help=kind)
    parser.add_argument("-n", "--name", metavar="ENVIRONMENT", help="the same, as an option")
    parser.add_argument("-v", "--version", dest="version", metavar="VERSION", help="which version")


def _add_source(parser: Parser) -> None:
    _add_name(parser)
    parser.add_argument(
        "-c", "--run-configuration", metavar="NAME", help="the environment of a run configuration of this folder"
    )
    add_environment_options(parser)


def _add_register(verbs: Nouns) -> None:
    register = add_verb(
        verbs,
        "register",
        _register,
        "Keep an environment under a name. Unchanged it keeps its version, changed it gets the next.",
        "aml environment register -n train --conda-specification environment.yml\n"
        "aml environment register -n train --pip 'pandas scikit-learn'\naml environment register -d train-environment",
    )
    add = register.add_argument
    add("-d", "--directory", metavar="FOLDER", help="a folder that download or save_to_directory wrote")
    add("--conda-specification", "--conda-file", metavar="FILE", help="a conda environment file")
    add("--pip-requirements", metavar="FILE", help="a requirements file")
    add("--existing-conda", metavar="NAME", help="exactly the packages of a conda environment of this machine")
    add("--dockerfile", metavar="FILE", help="a Dockerfile")
    _add_source(register)


def _named(arguments: Arguments) -> tuple[str, str | None]:
    """Return name and version that the line gives, as ``NAME:VERSION`` or with options."""
    written = arguments.name or arguments.word
    if not written:
        arguments.parser.error("which environment is missing: NAME, or NAME:VERSION")
    name, _, version = str(written).partition(":")
    if version and arguments.version not in (None, version):
        raise UserErrorException(f"{written} and --version {arguments.version} are two versions", "version")
    return name, version or arguments.version


def _list(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.environments import submitter
    from aml_jupyter.service.environment_facts import list_built, list_facts
    from aml_jupyter.views.environments import built_table, environment_table

    if arguments.built:
        return emit(arguments, door, built_table(list_built()))
    folder = open_workspace(arguments)
    every = arguments.all or arguments.name is not None
    return emit(arguments, door, environment_table(list_facts(folder, submitter(), every, arguments.name)))


def _show(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.environments import submitter
    from aml_jupyter.service.environment_facts import built_facts, facts_of
    from aml_jupyter.views.environments import built_view, environment_view
    from aml_jupyter.workspace import find_environment

    folder = open_workspace(arguments)
    name, version = _named(arguments)
    if _ID.fullmatch(name) and find_environment(folder.store.read(), name) is None:
        return emit(arguments, door, built_view(built_facts(name)))
    return emit(arguments, door, environment_view(facts_of(folder, name, version, submitter())))


def _build(arguments: Arguments, door: Door) -> int:
    return _built(arguments, door, anew=False)


def _rebuild(arguments: Arguments, door: Door) -> int:
    return _built(arguments, door, anew=True)


def _built(arguments: Arguments, door: Door, anew: bool) -> int:
    from aml_jupyter.environments import submitter

    folder = open_workspace(arguments)
    who = submitter()
    environment, notes = _environment(arguments, folder, who)
    return build_and_tell(arguments, door, environment, notes, who, current_folder(), anew)


def build_and_tell(
    arguments: Arguments,
    door: Door,
    environment: Environment,
    notes: Sequence[str],
    who: Mapping[str, Any],
    source: Path,
    anew: bool = False,
    engine: str = "",
) -> int:
    """Build what an environment asks for, show the build's log, and say where the result lies, or that it is there already."""
    from aml_jupyter.environments import EnvironmentCache, begin_build, stop_builder
    from aml_jupyter.environments.packages import changed_packages
    from aml_jupyter.service import recipe_of

    recipe = recipe_of(environment, who, source, engine)
    for note in (*notes, *(recipe.notes if recipe is not None else ())):
        door.remark(f"note: {note}")
    if recipe is None:
        if wants_json(arguments):
            ids = dict.fromkeys(("asked_id", "resolved_id", "path", "image"))
            return emit_json(door, {"state": "nothing to build", **ids})
        door.write("nothing to build: the environment uses a Python that is there already\n")
        return 0
    before = _lock_of(recipe)
    is_there = not anew and EnvironmentCache().entry(recipe.key).built() is not None
    build = begin_build(recipe, who, anew)
    is_quiet = wants_json(arguments)

    def show(text: str) -> None:
        door.write(_LAST_WORDS.split(text, maxsplit=1)[0])

    try:
        with door.progress(recipe.title) as progress:
            built = build.follow(
                (lambda text: None) if is_quiet else show, None if progress is None else _shown_by(progress)
            )
    except KeyboardInterrupt as error:
        if build.is_own:
            stop_builder(build.entry)  # a run that waits for it begins it again
            error.args = ("the build was ended; it goes on from its lock when it is asked for again",)
        raise
    changes = changed_packages(before, _lock_of(recipe)) if anew and before else []
    if is_quiet:
        found = {"state": "ready", "asked_id": recipe.key, "resolved_id": built.key, **_place(built)}
        return emit_json(door, {**found, "log_path": str(build.entry.log), "changes": changes})
    if anew and before:
        door.write("".join(f"  {change}\n" for change in changes) or "the same packages as before\n")
    there = "is there already" if is_there else "is ready"
    door.write(f"{recipe.key} {there}, resolved to {built.key}: {' '.join(filter(None, _place(built).values()))}\n")
    return 0


def _place(built: Built) -> dict[str, str | None]:
    """Return where an environment lies: a folder, or an image of the engine."""
    image = built.facts.get("image")
    return {"path": None if image else str(built.prefix), "image": str(image) if image else None}


def _shown_by(progress: Any) -> Any:
    """Return what passes a build's words on to a progress bar: how many of how many packages."""

    def look(told: Mapping[str, Any]) -> None:
        count = re.match(r"(\d+) of (\d+)", str(told.get("text")))
        if count:  # the log says the rest
            progress(*map(int, count.groups()))

    return look


def _lock_of(recipe: Recipe) -> str:
    from aml_jupyter.environments import EnvironmentCache

    return str((EnvironmentCache().entry(recipe.key).resolved() or {}).get("lock") or "")


def _environment(
    arguments: Arguments, folder: WorkspaceFolder, who: Mapping[str, Any]
) -> tuple[Environment, tuple[str, ...]]:
    """Return the environment that a line names: a registered one, a run configuration's, or packages."""
    from aml_jupyter.config import RunConfiguration
    from aml_jupyter.service.environments import with_environment

    if arguments.word or arguments.name:
        name, version = _named(arguments)
        if arguments.environment:
            raise UserErrorException(f"{name} and --environment {arguments.environment} are two environments", "name")
        arguments.environment = f"{name}:{version}" if version else name
    wanted = line_environment(arguments)
    if not wanted and not arguments.run_configuration:
        arguments.parser.error("which environment is missing: NAME, -c RUN_CONFIGURATION, --conda or --pip")
    run_config = (
        RunConfiguration.load(str(current_folder()), arguments.run_configuration)
        if arguments.run_configuration
        else RunConfiguration()
    )
    made, notes = wanted.apply(folder, run_config, who)
    made, more = with_environment(folder, made)
    return made.environment, (*notes, *more)


def _register(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.environments import submitter
    from aml_jupyter.service import register_environment
    from aml_jupyter.service.environment_facts import facts_of
    from aml_jupyter.views.environments import environment_view

    folder = open_workspace(arguments)
    environment = _to_register(arguments, folder)
    registered, notes = register_environment(folder, environment)
    for note in notes:
        door.remark(f"note: {note}")
    found = facts_of(folder, str(registered.name), registered.version, submitter())
    return emit(arguments, door, environment_view(found))


def _to_register(arguments: Arguments, folder: WorkspaceFolder) -> Environment:
    from aml_jupyter.config import Environment
    from aml_jupyter.environments import submitter

    written = arguments.name or arguments.word
    name, version = _named(arguments) if written else (None, arguments.version)
    sources = {
        "--directory": arguments.directory,
        "--conda-specification": arguments.conda_specification,
        "--pip-requirements": arguments.pip_requirements,
        "--existing-conda": arguments.existing_conda,
        "--dockerfile": arguments.dockerfile,
    }
    given = [option for option, value in sources.items() if value]
    if len(given) > 1:
        raise UserErrorException(f"{given[0]} and {given[1]} exclude each other", "environment")
    if name is None and not arguments.directory:
        arguments.parser.error("the environment's name is missing: aml environment register -n NAME ...")
    if given:
        made = of_files(arguments, str(name))
        made.name = name or made.name
        made = with_line(arguments, folder, made, given[0])
    else:
        arguments.name = arguments.word = None
        found, _ = _environment(arguments, folder, submitter())
        if found.is_reference:
            raise UserErrorException("nothing to register: the run configuration has no environment", "environment")
        made = found if isinstance(found, Environment) else Environment(name)
        made = made.clone(str(name))
    made.version = version
    return made


def _scaffold(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.config import CondaDependencies, Environment
    from aml_jupyter.workspace import check_environment_name

    name, version = _named(arguments)
    environment = Environment(check_environment_name(name))
    environment.version = version
    environment.environment_variables = {}
    environment.python.conda_dependencies = CondaDependencies.from_dict(
        {"name": "project_environment", "channels": ["conda-forge"], "dependencies": [{"pip": ["numpy"]}]}
    )
    path = Path(arguments.directory).expanduser().absolute()
    environment.save_to_directory(path)
    if wants_json(arguments):
        return emit_json(door, {"name": name, "path": str(path)})
    door.write(f"{path}\n")
    door.remark(f"edit {path / 'conda_dependencies.yml'}, then: aml environment register -d {path}")
    return 0


def _download(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.service import find_registered

    environment, notes = find_registered(open_workspace(arguments), *_named(arguments))
    for note in notes:
        door.remark(f"note: {note}")
    path = Path(arguments.directory).expanduser().absolute()
    environment.save_to_directory(path, overwrite=arguments.overwrite)
    if wants_json(arguments):
        return emit_json(door, {"id": f"{environment.name}:{environment.version}", "path": str(path)})
    door.write(f"{path}\n")
    return 0


def _delete(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.environments import is_curated_name, submitter
    from aml_jupyter.service.environment_facts import delete_built, delete_registered
    from aml_jupyter.views.formats import size_text
    from aml_jupyter.workspace import find_environment, list_environments

    folder = open_workspace(arguments)
    name, version = _named(arguments)
    db = folder.store.read()
    if _ID.fullmatch(name) and find_environment(db, name) is None:
        key, freed = delete_built(folder, name)
        what = key
    else:
        versions = [record.version for record in list_environments(db, name=name)]
        if not versions and is_curated_name(name):
            raise UserErrorException(
                f"{name} is curated: it comes with aml-jupyter and stays. What was built of it goes by its id, which "
                f"aml environment show {name} has.",
                "environment",
            )
        if version is None and len(versions) > 1:
            listed = ", ".join(versions[:10])
            raise UserErrorException(
                f"which version of {name} is missing: aml environment delete {name}:VERSION; its versions: {listed}",
                "version",
            )
        record, freed = delete_registered(folder, name, version, submitter())
        what = record.id
    if wants_json(arguments):
        return emit_json(door, {"id": what, "deleted": True, "freed": freed})
    door.write(f"deleted environment {what}" + (f", {size_text(freed)} of disk space\n" if freed else "\n"))
    return 0
