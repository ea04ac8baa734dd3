"""Own `aml serve`: the process that drives a workspace's runs, by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aml_jupyter.cli.common import emit, emit_json, open_workspace, wants_json
from aml_jupyter.cli.parser import Arguments, Nouns, add_verb

if TYPE_CHECKING:
    from aml_jupyter.cli.door import Door

__all__ = ["add_verbs"]


def add_verbs(nouns: Nouns) -> None:
    """Add `aml serve`."""
    parser = add_verb(
        nouns,
        "serve",
        _serve,
        "Run the workspace's service here, in this terminal. A submit starts one by itself; this is for supervision by hand.",
        "aml serve --until-idle\naml serve --status",
    )
    parser.add_argument("--until-idle", action="store_true", help="end when no run is open")
    parser.add_argument("--status", action="store_true", help="say which service runs; exit code 1 when none does")
    parser.add_argument("--stop", action="store_true", help="end the running service; runs go on without it")


def _serve(arguments: Arguments, door: Door) -> int:
    folder = open_workspace(arguments)
    if arguments.status:
        from aml_jupyter.views import service_view

        view = service_view(folder)
        emit(arguments, door, view)
        return 0 if view.state != "stopped" else 1
    if arguments.stop:
        from aml_jupyter.service import stop_service

        stopped = stop_service(folder)
        if wants_json(arguments):
            return emit_json(door, {"stopped": stopped})
        door.write("stopped\n" if stopped else "no service was running\n")
        return 0
    from aml_jupyter.service import service_status
    from aml_jupyter.service.process import log_to_standard_error, serve

    status = service_status(folder)
    if status is not None and status.alive:
        door.remark(f"the service with pid {status.pid} works on workspace {folder.name!r} already")
        return 0
    door.remark(f"serving workspace {folder.name!r}; Ctrl-C ends the service, and no run")
    log_to_standard_error()
    return serve(folder, until_idle=arguments.until_idle)
