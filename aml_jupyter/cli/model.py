"""Own `aml model`: the registry of models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aml_jupyter.cli.common import emit, emit_json, open_workspace, pairs, select_run, wants_json
from aml_jupyter.cli.parser import Arguments, Nouns, Parser, add_noun, add_verb
from aml_jupyter.errors import UserErrorException

if TYPE_CHECKING:
    from aml_jupyter.cli.door import Door
    from aml_jupyter.workspace import ModelRecord, WorkspaceFolder

__all__ = ["add_verbs"]


def add_verbs(nouns: Nouns) -> None:
    """Add `aml model` and its verbs."""
    verbs = add_noun(nouns, "model", "register models, and find and fetch them again")
    _add_list(verbs)
    _add_model(
        add_verb(verbs, "show", _show, "Show one model.", "aml model show digits\naml model show digits:2 --json")
    )
    _add_register(verbs)
    download = add_verb(
        verbs, "download", _download, "Copy a model's files.", "aml model download digits -t models --exist-ok"
    )
    download.add_argument("-t", "--target-dir", default=".", metavar="FOLDER", help="where to (the current folder)")
    download.add_argument("--exist-ok", "--overwrite", action="store_true", help="replace what is there")
    _add_model(download)
    _add_model(
        add_verb(verbs, "delete", _delete, "Delete one version with its files.", "aml model delete digits:2"), False
    )


def _add_list(verbs: Nouns) -> None:
    parser = add_verb(
        verbs,
        "list",
        _list,
        "List the models, the newest first.",
        "aml model list\naml model list -n digits --tag area",
    )
    add = parser.add_argument
    add("-n", "--name", "--model-name", metavar="NAME", help="only versions of this model")
    add("-l", "--latest", action="store_true", help="of each model only the newest version")
    add("--tag", "--tags", dest="tag", metavar="KEY[=VALUE]", action="append", help="only models with this tag")
    add("--property", metavar="KEY[=VALUE]", action="append", help="only models with this property")
    add("--run-id", metavar="RUN", help="only models of this run")


def _add_model(parser: Parser, newest: bool = True) -> None:
    kind = "NAME or NAME:VERSION" + ("; the newest version without one" if newest else "")
    parser.add_argument("model", nargs="?", metavar="MODEL", help=kind)
    parser.add_argument(
        "-n", "--name", "--model-name", "-i", "--model-id", dest="name", metavar="MODEL", help="the same"
    )
    parser.add_argument("-v", "--version", type=int, metavar="N", help="which version")


def _add_register(verbs: Nouns) -> None:
    parser = add_verb(
        verbs,
        "register",
        _register,
        "Register a file or folder, of this machine or of a run, as the next version of a model.",
        "aml model register -n digits -p model.pkl\naml model register -n digits --asset-path outputs/model.pkl --run last",
    )
    add = parser.add_argument
    add("word", nargs="?", metavar="NAME", help="the model's name")
    add("-n", "--name", metavar="NAME", help="the same, as an option")
    add(
        "-p",
        "--model-path",
        "--path",
        dest="path",
        metavar="PATH",
        help="a file or folder; with --run, one of the run's",
    )
    add("--asset-path", metavar="PATH", help="a file or folder of the run")
    add("-r", "--run", "--run-id", "--experiment-run", dest="run", metavar="RUN", help="the run that made it")
    add("--tag", action="append", metavar="KEY[=VALUE]", help="set a tag; may be repeated")
    add("--property", action="append", metavar="KEY=VALUE", help="set a property; may be repeated")
    add("-d", "--description", metavar="TEXT", help="what it is")
    add("--model-framework", metavar="NAME", help="what it was made with")
    add("--model-framework-version", metavar="VERSION", help="and which version of that")


def _named(arguments: Arguments) -> tuple[str, int | None]:
    """Return name and version that the line gives, as ``NAME:VERSION`` or with options."""
    named = arguments.model or arguments.name
    if named is None:
        arguments.parser.error("which model is missing: NAME, or NAME:VERSION")
    name, colon, number = str(named).rpartition(":")
    if not colon:
        return str(named), arguments.version
    if not number.isdigit() or not name:
        raise UserErrorException(f"{named!r}: NAME or NAME:VERSION was expected, the version being a number", "model")
    if arguments.version not in (None, int(number)):
        raise UserErrorException(f"{named} and --version {arguments.version} are two versions", "version")
    return name, int(number)


def _list(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.views import model_rows

    folder = open_workspace(arguments)
    filters: dict[str, Any] = {
        option: [
            [key, value] if value else key for key, value in pairs(words, f"--{word}", value_optional=True).items()
        ]
        for option, word, words in (("tags", "tag", arguments.tag), ("properties", "property", arguments.property))
        if words
    }
    run = select_run(folder, arguments.run_id).id if arguments.run_id else None
    return emit(arguments, door, model_rows(folder, name=arguments.name, run=run, latest=arguments.latest, **filters))


def _show(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.views import model_view

    return emit(arguments, door, model_view(open_workspace(arguments), *_named(arguments)))


def _register(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.views import model_view

    name = arguments.name or arguments.word
    path = arguments.asset_path or arguments.path
    if name is None:
        arguments.parser.error("the model's name is missing: aml model register -n NAME -p PATH")
    if path is None and arguments.run is None:
        arguments.parser.error("what to register is missing: -p PATH, or --run RUN with a path of the run's files")
    if arguments.asset_path and arguments.run is None:
        arguments.parser.error("--asset-path is a file of a run, and --run is missing")
    folder = open_workspace(arguments)
    record = _registered(folder, arguments, name, path)
    return emit(arguments, door, model_view(folder, record.name, record.version))


def _registered(folder: WorkspaceFolder, arguments: Arguments, name: str, path: str | None) -> ModelRecord:
    from aml_jupyter.service import register_run_model
    from aml_jupyter.workspace import files_of_path, register_model

    fields: dict[str, Any] = {
        "tags": pairs(arguments.tag, "--tag", value_optional=True),
        "properties": pairs(arguments.property, "--property"),
        "description": arguments.description,
        "framework": arguments.model_framework,
        "framework_version": arguments.model_framework_version,
    }
    if arguments.run is not None:
        return register_run_model(folder, select_run(folder, arguments.run).id, name, path, **fields)
    return register_model(folder, name, *files_of_path(str(path)), **fields)


def _download(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.workspace import download_model, get_model

    folder = open_workspace(arguments)
    record = get_model(folder.store.read(), *_named(arguments))
    path = download_model(folder, record, arguments.target_dir, arguments.exist_ok)
    if wants_json(arguments):
        return emit_json(door, {"id": record.id, "path": str(path)})
    door.write(f"{path}\n")
    return 0


def _delete(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.workspace import delete_model

    folder = open_workspace(arguments)
    name, version = _named(arguments)
    if version is None:
        raise UserErrorException(f"which version of {name} is missing: aml model delete {name}:VERSION", "version")
    delete_model(folder, name, version)
    if wants_json(arguments):
        return emit_json(door, {"id": f"{name}:{version}", "deleted": True})
    door.write(f"deleted model {name}:{version}\n")
    return 0
