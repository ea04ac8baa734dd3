"""Own `aml compute` (also `aml computetarget`, as SDK v1 called it): the places where runs execute."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aml_jupyter.cli.attach import add_attach, add_clean, add_way, change_way, show_ssh, way_of
from aml_jupyter.cli.common import emit, emit_json, open_workspace, pairs, wants_json
from aml_jupyter.cli.parser import Arguments, Nouns, Parser, add_noun, add_verb
from aml_jupyter.errors import UserErrorException

if TYPE_CHECKING:
    from aml_jupyter.cli.door import Door

__all__ = ["add_verbs"]


def add_verbs(nouns: Nouns) -> None:
    """Add `aml compute` and its verbs."""
    verbs = add_noun(
        nouns,
        "compute",
        "create, look at, start and stop compute targets, the places where runs execute",
        ["computetarget"],
    )
    add_verb(verbs, "kinds", _kinds, "List the types of compute targets and what each can do.", "aml compute kinds")
    add_verb(verbs, "list", _list, "List the workspace's compute targets.", "aml compute list")
    show = add_verb(verbs, "show", _show, "Show one compute target.", "aml compute show gpu-box")
    show.add_argument("--ssh", action="store_true", help="the lines that log in to a remote machine, and copy from it")
    _add_name(show)
    create = add_verb(
        verbs,
        "create",
        _create,
        "Create a compute target.",
        "aml compute create gpu-box --type computeinstance --max-parallel 4",
    )
    create.add_argument("--type", metavar="TYPE", help="type of the target, see aml compute kinds")
    create.add_argument("--tag", action="append", metavar="KEY=VALUE", help="tag of the target; may be repeated")
    create.add_argument("--description", default="", metavar="TEXT", help="what it is for")
    _add_settings(create)
    _add_name(create, "with -n NAME, the type: aml compute create computeinstance -n gpu-box")
    add_attach(verbs)
    add_clean(verbs)
    default = add_verb(
        verbs,
        "default",
        _default,
        "Show, or choose, the target of submits that name none.",
        "aml compute default gpu-box",
    )
    _add_name(default)
    for name, what in (
        ("start", "Start a stopped compute instance; its waiting runs go on."),
        ("stop", "Stop a compute instance: what runs goes on to its end, what is queued waits."),
        ("restart", "Stop a compute instance and start it again."),
        ("delete", "Delete a created target; its queued runs are canceled, its running ones asked to end."),
        ("detach", "Forget an attached target."),
    ):
        parser = add_verb(verbs, name, _changer(name), what, f"aml compute {name} gpu-box")
        if name == "detach":
            parser.add_argument(
                "--force",
                action="store_true",
                help="a machine that cannot be reached any more: its runs are canceled here",
            )
        _add_name(parser)
    instance = add_noun(verbs, "computeinstance", "start, stop and restart a compute instance, as SDK v1's lines did")
    for name in ("start", "stop", "restart"):
        line = f"aml computetarget computeinstance {name} -n gpu-box"
        _add_name(add_verb(instance, name, _changer(name), f"The same as aml compute {name}.", line))
    update = add_verb(
        verbs, "update", _update, "Change settings of a target.", "aml compute update gpu-box --max-parallel 2"
    )
    _add_settings(update)
    add_way(update)
    _add_name(update)


def _add_name(parser: Parser, what: str = "name of the compute target") -> None:
    parser.add_argument("word", nargs="?", metavar="NAME", help=what)
    parser.add_argument("-n", "--name", metavar="NAME", help="name of the target, as an option")


def _add_settings(parser: Parser) -> None:
    parser.add_argument("--max-parallel", metavar="N", help="how many runs at once; one a core when left out")
    parser.add_argument(
        "--gpus", metavar="N", help="how many GPUs its runs may have, or which (0,2); all when left out"
    )
    parser.add_argument("--runs-per-gpu", metavar="N", help="how many runs may share a GPU (1)")
    parser.add_argument("--set", action="append", metavar="NAME=VALUE", help="another setting; may be repeated")
    for name in (
        "vm-size",
        "min-nodes",
        "max-nodes",
        "vm-priority",
        "idle-seconds-before-scaledown",
        "assign-identity",
    ):
        names = ["-s"] if name == "vm-size" else []
        parser.add_argument(
            *names, f"--{name}", metavar="VALUE", help=f"setting {name.replace('-', '_')}, as in SDK v1"
        )


def _name_of(arguments: Arguments) -> str:
    name = arguments.name or arguments.word
    if name is None:
        arguments.parser.error("the target's name is missing")
    return str(name)


def _settings(arguments: Arguments) -> dict[str, Any]:
    from aml_jupyter.cli.notebooks import typed_value

    settings: dict[str, Any] = {}
    for name in (
        "max_parallel",
        "gpus",
        "runs_per_gpu",
        "vm_size",
        "min_nodes",
        "max_nodes",
        "vm_priority",
        "idle_seconds_before_scaledown",
        "assign_identity",
    ):
        if getattr(arguments, name) is not None:
            settings[name] = typed_value(getattr(arguments, name))
    settings.update((name, typed_value(text)) for name, text in pairs(arguments.set, "--set").items())
    return settings


def _kinds(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.views import kinds_rows

    return emit(arguments, door, kinds_rows())


def _list(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.views import compute_rows

    return emit(arguments, door, compute_rows(open_workspace(arguments)))


def _show(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.views import compute_view

    folder = open_workspace(arguments)
    if arguments.ssh:
        return show_ssh(folder, _name_of(arguments), door)
    return emit(arguments, door, compute_view(folder, _name_of(arguments)))


def _create(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.service import create_target
    from aml_jupyter.views import compute_view

    name, kind = _name_of(arguments), arguments.type
    if arguments.name is not None and arguments.word is not None:
        if kind is not None:
            raise UserErrorException(f"two names are given: {arguments.word} and {arguments.name}", "name")
        kind = arguments.word
    if kind is None:
        raise UserErrorException(
            "--type is missing, for example --type computeinstance; aml compute kinds lists them", "type"
        )
    folder = open_workspace(arguments)
    tags = pairs(arguments.tag, "--tag")
    record = create_target(folder, name, kind, _settings(arguments), tags, arguments.description)
    return emit(arguments, door, compute_view(folder, record.name))


def _default(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.service import set_default
    from aml_jupyter.views import compute_view
    from aml_jupyter.workspace import default_target

    folder = open_workspace(arguments)
    if arguments.name or arguments.word:
        set_default(folder, _name_of(arguments))
    return emit(arguments, door, compute_view(folder, default_target(folder.store.read())))


def _update(arguments: Arguments, door: Door) -> int:
    from aml_jupyter.service import update_target
    from aml_jupyter.views import compute_view

    settings, way = _settings(arguments), way_of(arguments)
    if not settings and not way and not arguments.password_stdin:
        arguments.parser.error("nothing to change: say --max-parallel N or --set NAME=VALUE")
    folder = open_workspace(arguments)
    if way or arguments.password_stdin:
        change_way(folder, _name_of(arguments), arguments, {**settings, **way}, door)
        return 0
    return emit(arguments, door, compute_view(folder, update_target(folder, _name_of(arguments), settings).name))


def _changer(verb: str) -> Callable[[Arguments, Door], int]:
    """Return what does `verb` to the target that a line names, and says what came of it."""

    def change(arguments: Arguments, door: Door) -> int:
        from aml_jupyter import service
        from aml_jupyter.workspace import count_runs, list_targets
        from aml_jupyter.workspace.files_there import count_there
        from aml_jupyter.workspace.states import FINAL

        doing = {
            "start": service.start_target,
            "stop": service.stop_target,
            "restart": service.restart_target,
            "delete": service.delete_target,
            "detach": service.detach_target,
        }
        folder = open_workspace(arguments)
        if verb == "detach" and arguments.force:
            from aml_jupyter.service.remote import detach_unreachable

            doing["detach"] = detach_unreachable
        runs = count_runs(folder.store.read(), target=_name_of(arguments)) if verb in ("delete", "detach") else {}
        record = doing[verb](folder, _name_of(arguments))
        is_gone = record.name not in {entry.name for entry in list_targets(folder.store.read())}
        state = "Deleted" if is_gone else record.provisioning_state
        if wants_json(arguments):
            return emit_json(door, {"name": record.name, "type": record.type, "provisioning_state": state})
        door.write(f"{record.name}  {state}\n")
        open_runs = sum(count for status, count in runs.items() if status not in FINAL)
        if open_runs:
            which = "1 run of it is" if open_runs == 1 else f"{open_runs} runs of it are"
            door.remark(f"{which} canceled: aml run list --target {record.name}")
        if record.attached and record.type in ("remote", "remotedocker"):
            door.remark(f"the machine {record.settings.get('address')} stays as it is; only the workspace forgets it")
            stay = count_there(folder, record.name)
            if stay:
                door.remark(
                    f"{stay} outputs of runs stay there, too: attach it again as {record.name} to fetch them (aml run download)"
                )
        return 0

    return change
