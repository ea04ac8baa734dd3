"""Own the queue and drive every run to its end: submission, service process, recovery, actions from outside."""

from __future__ import annotations

from aml_jupyter.service.actions import (
    cancel_run,
    rename_run,
    resubmit_run,
    set_priority,
    tag_run,
    wait_for_run,
)
from aml_jupyter.service.client import ServiceStatus, ensure_service, service_status, stop_service, wake_service
from aml_jupyter.service.compute import (
    create_target,
    delete_target,
    detach_target,
    restart_target,
    set_default,
    start_target,
    stop_target,
    update_target,
)
from aml_jupyter.service.submission import Submission, SubmitRequest, check_experiment_name, find_target, submit

__all__ = [
    "ServiceStatus",
    "Submission",
    "SubmitRequest",
    "cancel_run",
    "check_experiment_name",
    "create_target",
    "delete_target",
    "detach_target",
    "ensure_service",
    "find_target",
    "rename_run",
    "restart_target",
    "resubmit_run",
    "serve",
    "service_status",
    "set_default",
    "set_priority",
    "start_target",
    "stop_service",
    "stop_target",
    "submit",
    "tag_run",
    "update_target",
    "wait_for_run",
    "wake_service",
]


def serve(folder, until_idle=True):  # type: ignore[no-untyped-def]
    """Serve a workspace in this process (see `aml_jupyter.service.process.serve`)."""
    from aml_jupyter.service.process import serve as serve_now

    return serve_now(folder, until_idle)
