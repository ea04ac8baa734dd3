"""Say what an attempt's result means for its run: the last state, the reason, and what a failed run has to show."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from aml_jupyter.errors import UserErrorException
from aml_jupyter.supervisor import protocol
from aml_jupyter.supervisor.plain import open_plain

from .layout import AttemptFolder
from .missing_module import missing_module
from .records import RunRecord

__all__ = ["check_snapshot_kept", "failure", "log_tail", "outcome", "watched_folders"]

_TAIL_LINES: Final = 20
_TAIL_BYTES: Final = 16384


def outcome(result: Mapping[str, Any], cancel_reason: str = "") -> tuple[str, str]:
    """Return the run's last state and why.

    What the supervisor wrote decides: a process that ended by itself before the cancel reached it keeps its own outcome. A
    run that was to be canceled and whose supervisor or host was lost is canceled: nothing of it is left.

    Parameters
    ----------
    result : mapping
        The content of ``result.json``.
    cancel_reason : str
        Why the run was to be canceled, where it was.
    """
    reason, code, message = result["reason"], result.get("exit_code"), str(result.get("message") or "")
    if reason == "canceled":
        return "Canceled", message or cancel_reason or "canceled"
    if reason in ("supervisor lost", "host rebooted") and cancel_reason:
        return "Canceled", cancel_reason
    if reason == "exit" and code == 0:
        return "Completed", ""
    texts = {
        "exit": "; ".join(filter(None, [f"the process ended with exit code {code}", str(result.get("note") or "")])),
        "signal": f"the process was ended by signal {result.get('signal')}",
        "timeout": "the run was ended",
        "out of memory": "out of memory",
        "start failed": "the process could not be started",
        "supervisor lost": "the run's supervisor was lost",
        "host rebooted": "the host was rebooted",
    }
    text = texts.get(reason, str(reason))
    if reason == "signal" and message:
        return "Failed", message  # it names the signal
    return "Failed", f"{text}: {message}" if message and reason != "exit" else text


def failure(
    attempt: AttemptFolder,
    result: Mapping[str, Any],
    reason: str,
    told: Mapping[str, Any] | None = None,
    definition: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the `error` of a failed run: what happened, the end of its log, and where the log is.

    Parameters
    ----------
    told : mapping, optional
        The error that the run itself has reported: a notebook's failing cell, ``run.fail(...)``. It explains an exit code,
        and nothing else.
    definition : mapping, optional
        The run's; with it, an import that failed is explained.
    """
    path = attempt.control / protocol.LOG
    error = {"type": result["reason"], "log_tail": log_tail(path), "log_path": str(path), "message": reason}
    if result["reason"] == "exit" and told and told.get("message"):
        error |= {"type": told.get("type"), "message": f"{told['message']} ({reason})", "trace": told.get("trace")}
    if result["reason"] == "exit" and definition is not None:
        _explain_import(error, attempt, reason, definition, told)
    return error


def _explain_import(
    error: dict[str, Any],
    attempt: AttemptFolder,
    reason: str,
    definition: Mapping[str, Any],
    told: Mapping[str, Any] | None,
) -> None:
    """Say of a failed import which package is missing, in which Python, and how to add it."""
    said = str((told or {}).get("message") or "") or str(error["log_tail"])
    if "No module named" not in said:
        return
    try:
        launch = protocol.read_json(str(attempt.control / protocol.LAUNCH)) or {}
    except (OSError, ValueError):
        launch = {}
    is_built = bool(definition.get("environment"))
    found = missing_module(said, list(launch.get("command") or []), definition, is_built)
    if found is None:
        return
    message = error["message"] if told and told.get("message") else f"No module named {found.module!r} ({reason})"
    error |= {"type": "ModuleNotFoundError", "message": f"{message}. {found.advice}", "missing": found.as_dict()}


def log_tail(path: Path) -> str:
    """Return the last lines of a log, reading only its end."""
    try:
        with open_plain(path) as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - _TAIL_BYTES))
            text = stream.read().decode("utf-8", "replace")
    except OSError:  # gone, or the script took its rights away: a failure never hides behind its log
        return ""
    return "\n".join(text.splitlines()[-_TAIL_LINES:])


def watched_folders(definition: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the folders whose files are kept: outputs, and what the run configuration's history section names.

    With ``outputCollection: false`` there is none.
    """
    history = _history(definition)
    if history.get("outputCollection") is False:
        return ()
    return ("outputs", *(str(name) for name in history.get("directoriesToWatch") or ["logs"]))


def check_snapshot_kept(run: RunRecord) -> None:
    """Refuse what needs the snapshot of a run that was submitted with ``snapshotProject: false``.

    Raises
    ------
    UserErrorException
        When the run has no snapshot, or its history section says that none is kept.
    """
    if _history(run.definition).get("snapshotProject") is False:
        raise UserErrorException(
            f"Run {run.id} was submitted with history.snapshotProject: false, so its files are not kept to compare with "
            "or to submit again. Set it to true and submit from the source directory.",
            "run",
        )
    if run.in_process or run.snapshot is None:
        raise UserErrorException(f"Run {run.id} has no snapshot.", "run")


def _history(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    return (definition.get("run_config") or {}).get("history") or {}
