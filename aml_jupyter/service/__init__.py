"""Own the queue and drive every run to its end: submission, service process, recovery, actions from outside."""

from __future__ import annotations

from aml_jupyter.service.actions import (
    cancel_run,
    describe_run,
    rename_run,
    resubmit_run,
    set_priority,
    tag_run,
    wait_for_run,
)
from aml_jupyter.service.client import (
    ServiceStatus,
    ensure_service,
    look_after,
    service_status,
    stop_service,
    wake_service,
)
from aml_jupyter.service.collecting import collect_garbage
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
from aml_jupyter.service.environments import (
    environment_names,
    find_registered,
    recipe_of,
    register_environment,
)
from aml_jupyter.service.experiments import create_experiment
from aml_jupyter.service.models import register_run_model
from aml_jupyter.service.submission import Submission, SubmitRequest, submit
from aml_jupyter.service.takeover import take_over

__all__ = [
    "ServiceStatus",
    "Submission",
    "SubmitRequest",
    "cancel_run",
    "collect_garbage",
    "create_experiment",
    "create_target",
    "delete_target",
    "describe_run",
    "detach_target",
    "ensure_service",
    "environment_names",
    "find_registered",
    "look_after",
    "recipe_of",
    "register_environment",
    "register_run_model",
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
    "take_over",
    "update_target",
    "wait_for_run",
    "wake_service",
]


def serve(folder, until_idle=True):  # type: ignore[no-untyped-def]
    """Serve a workspace in this process (see `aml_jupyter.service.process.serve`)."""
    from aml_jupyter.service.process import serve as serve_now

    return serve_now(folder, until_idle)
