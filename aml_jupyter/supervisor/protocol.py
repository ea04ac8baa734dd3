"""Name every file and every field that the supervisor, the in-run client and the service exchange.

Owns the layout of an attempt's folder and the shape of its JSON files; does no I/O of its own. Standard library
only, Python 3.6 syntax: this module travels to the compute target.

``launch.json`` (written by the service before ``start``)::

    {"format": 1, "epoch": 3, "token": "<workspace id>/<run id>/<attempt>", "run_id": ..., "attempt": 1,
     "command": ["python", "train.py", "--lr", "0.1"], "cwd": "<absolute path of work/>",
     "environment": {"PATH": ..., every variable of the process, nothing else},
     "max_seconds": 2592000 or null, "grace_seconds": 10, "memory": bytes that the processes may use, or 0,
     "wake": "<path of the service's socket, or of control/wake>" or null,
     "inherit": true when the process also has the variables of its supervisor, as in a container}

``container.json`` (beside the control folder; written by the service where the attempt runs in a container, in which the
script cannot change it)::

    {"format": 1, "name": "<of the container>", "engine": "unix:///...", "image": ..., "token": ...,
     "wake": "<path of the service's socket>" or null, "lock": "<held by the keeper>", "memory": bytes or 0}

In a container nothing reaches the service's socket or a lock of the host. A keeper on the host holds the slots as long as
somebody in the container has the pipe ``control/wake`` open: ``h`` the supervisor is there, ``w`` wake the service, ``f``
free the slots for good, ``q`` nothing was started. ``control/slots_unused`` asks it to give up the slots,
``control/slots_given`` says that it has.

``attempt.json`` (written once by the supervisor; linking it into place is what "started" means)::

    {"format": 1, "epoch": 3, "token": ..., "host": ..., "boot_id": ..., "pid_namespace": ...,
     "supervisor": {"pid": 10, "start_time": "12345"}, "process": {"pid": 11, "start_time": "12346"},
     "process_group": 11, "started": 1700000000.1, "command": [...],
     "memory": {"limit": bytes, "kept_by": "cgroup", "watching" or "nothing"} or null,
     "gpus": [names of those that the run has]}

``result.json`` (its presence is the end of the attempt; the first one written stands)::

    {"format": 1, "token": ..., "exit_code": 0 or null, "signal": null or 9,
     "reason": one of REASONS, "message": "", "note": "what explains an exit code",
     "started": ..., "ended": ..., "peak_memory": bytes, "cpu_time": seconds,
     "memory_limit": bytes or null, "leftovers": number of processes that had to be ended}

An events file holds one JSON object a line; only newline-ended lines count. ``t`` is the time in Unix seconds,
``e`` the kind, ``r`` (optional) the id of the in-process child run that the event belongs to:

=============  ====================================================================================
``metric``     ``n`` name, ``v`` number, string, boolean or null, ``s`` (optional) step
``list``       ``n``, ``v`` list of scalars
``row``        ``n``, ``v`` {column: scalar}
``table``      ``n``, ``v`` {column: scalar or list}
``image``      ``n``, ``a`` artifact name
``chart``      ``n``, ``type`` (confusion_matrix, accuracy_table, residuals, predictions), ``a`` artifact name
``tag``        ``k``, ``v`` string or null (null removes)
``property``   ``k``, ``v`` string
``artifact``   ``n`` artifact name, ``p`` path relative to control/artifacts, ``size`` bytes
``child``      ``id``, ``n`` display name, ``op`` start or end, ``status`` (at end)
``progress``   ``v`` done, ``of`` total, ``u`` unit (cell, step, ...), ``m`` (optional) message
``error``      ``type``, ``m`` message, ``trace`` traceback text
``name``       ``v`` display name
=============  ====================================================================================

A number that is not finite is written as Python's ``json`` writes it: ``NaN``, ``Infinity``, ``-Infinity``.

``requests/<id>.json`` is ``{"op": ..., "args": {...}, "time": ...}``; ``replies/<id>.json`` is
``{"ok": true, "value": ...}`` or ``{"ok": false, "error": {"type": ..., "message": ...}}``, where ``type`` names a
class of ``errors.py``. The service writes a reply (temporary name, then rename, mode 0600) where none is; the client
removes the request, then the reply. A reply whose request is gone, and what is left when the attempt has ended, the
service removes: it may hold a secret. Where ``args`` has ``after`` ({events file: bytes}), the service first takes
in those files of the asking attempt that far.

================  ===============================================================================================
``submit_child``  ``id`` (the child's run id, made by the client; a run that exists already is the answer), ``parent``,
                  ``config`` {source_directory, script, command, arguments, target, run_config, environment,
                  environment_variables, max_run_duration_seconds: those that are set},
                  ``tags``, ``display_name``, ``submitter`` {python, version, cwd} -> RUN
``get_run``       ``id`` -> RUN, and ``log_files`` {name: path as of ``fetch_file``}
``get_metrics``   ``id, name, recursive`` -> SDK v1's shape (``workspace.metrics.get_metrics``)
``get_children``  ``id, recursive, tags, properties, type, status`` (null: any) -> [RUN]
``wait``          ``id, seconds`` -> RUN, when it is in a final state or that time has passed since ``time``
``cancel``        ``id`` -> RUN
``set_tags``      ``id, tags`` {key: text, or null to remove} -> RUN
``list_files``    ``id`` -> [artifact name]
``fetch_file``    ``id, name`` -> ``{"path": absolute, or relative to control/}``; the client copies it from there
``get_secrets``   ``names`` -> {name: value, or null where there is none}
``register_model`` ``name``, ``path`` (file or folder of the run ``id``) or ``staged`` (file or folder below control/;
                  with ``of_run`` it is of the run ``id``, too),
                  ``tags, properties, description, framework, framework_version`` -> MODEL
``get_model``     ``name, version`` (null: the newest), ``lend`` (true: put its files where the run can read them) -> MODEL;
                  ``delete_model`` the same, and it is gone then
``list_models``   ``name, version, tags, properties, run, framework, latest`` (null: any) -> [MODEL]
``update_model``  ``name, version, tags`` {key: text, or null to remove}, ``replace_tags, properties, description`` -> MODEL
``get_environment`` ``run``, or ``name, version, label`` -> the definition of an environment, with ``name`` and ``version``;
                  ``list_environments`` -> [those of the newest versions]
``get_workspace`` ``{"id", "name", "location", "resource_group", "subscription_id"}``
================  ===============================================================================================

RUN is ``{"id", "parent", "experiment", "number", "display_name", "type", "status", "target", "attempt", "exit_code",
"tags", "properties", "created", "start_time", "end_time" (Unix seconds or null), "error", "log_tail", "log_path"
(text or null), "definition" (run.json)}``.

MODEL is ``{"id", "name", "version", "created", "modified", "run", "experiment", "description", "framework",
"framework_version", "tags", "properties", "root", "files", "size", "path"}``; ``path`` is as of ``fetch_file``.

The process of a run finds in its environment: ``AML_CONTROL`` (absolute), ``AML_RUN_ID``, ``AML_EXPERIMENT``,
``AML_BUNDLE`` (the zip), ``AML_WAKE`` (the service's stream socket on this machine, which takes the line
``{"op": "wake"}``; may be missing), MARKER, and ``<bundle>/site`` first in ``PYTHONPATH``.

While the user's code waits for a run of its own, the client keeps ``control/waiting/<pid>`` in place, and the supervisor
gives up its slots. To go on, the client puts ``<pid>.back`` there and removes ``<pid>``; the supervisor writes ``<pid>.go``
when it holds the slots again.
"""

import json
import os
from typing import Any, Dict, Iterator, List, Optional, Tuple

__all__ = [
    "BUILD_LOG",
    "ENVIRONMENT_LOCK",
    "ARTIFACTS",
    "ATTEMPT",
    "CANCEL",
    "CONTAINER",
    "CONTROL",
    "DESCRIPTION",
    "EPOCH",
    "EVENTS",
    "FORMAT",
    "HEARTBEAT",
    "LAUNCH",
    "LOG",
    "LOGGED_PARAMETER",
    "MARKER",
    "REASONS",
    "REPLIES",
    "REQUESTS",
    "RESULT",
    "SLOTS_GIVEN",
    "SLOTS_UNUSED",
    "STARTED",
    "SUPERVISOR_LOG",
    "WAITING",
    "WAKE",
    "WORK",
    "attempt_token",
    "container_path",
    "events_files",
    "read_json",
    "started_path",
    "whole_lines",
]

FORMAT = 1

WORK = "work"
CONTROL = "control"

LAUNCH = "launch.json"
ATTEMPT = "attempt.json"
LOGGED_PARAMETER = "mlflow.param."  # what the name of a property begins with that is a parameter
DESCRIPTION = "mlflow.note.content"  # the tag that says what a run is about
STARTED = "started.json"  # the attempt file's second name, beside the control folder, which a script may empty
RESULT = "result.json"
CANCEL = "cancel.json"  # {"time": ..., "grace_seconds": ..., "reason": ...}; written by the service
EPOCH = "epoch"  # the highest service epoch that was here, as decimal text
HEARTBEAT = "heartbeat"
LOG = os.path.join("user_logs", "std_log.txt")
BUILD_LOG = "build_log.txt"  # of the environment, before the attempt starts
ENVIRONMENT_LOCK = "environment_lock.txt"  # what the environment was resolved to
SUPERVISOR_LOG = "supervisor_log.txt"  # what the supervisor itself has to say
EVENTS = "events"
REQUESTS = "requests"
REPLIES = "replies"
WAITING = "waiting"
CONTAINER = "container.json"  # beside the control folder
WAKE = "wake"  # the pipe to the keeper
SLOTS_UNUSED = "slots_unused"
SLOTS_GIVEN = "slots_given"
ARTIFACTS = "artifacts"

MARKER = "AML_ATTEMPT_TOKEN"
"""Every process of an attempt carries this variable; recovery finds survivors by it in /proc/*/environ."""

REASONS = (
    "exit",  # the process ended by itself; exit_code says how
    "signal",  # the process was ended by a signal that the supervisor did not send
    "timeout",  # max_seconds passed
    "canceled",
    "out of memory",
    "start failed",  # the process could not be started; message says why
    "supervisor lost",  # written by the service, when neither supervisor nor result are there any more
    "host rebooted",  # written by the service, when the boot id is another one
)


def attempt_token(workspace_id: str, run_id: str, attempt: int) -> str:
    """Return the value of MARKER for one attempt of one run."""
    return "%s/%s/%d" % (workspace_id, run_id, attempt)


def started_path(control: str) -> str:
    """Return the second name of the attempt file of a control folder."""
    return os.path.join(os.path.dirname(os.path.abspath(control)), STARTED)


def container_path(control: str) -> str:
    """Return where it stands that the attempt of a control folder runs in a container."""
    return os.path.join(os.path.dirname(os.path.abspath(control)), CONTAINER)


def read_json(path: str) -> Optional[Dict[str, Any]]:
    """Return the object in the file at `path`, or None when the file is not there."""
    try:
        with open(path, "rb", buffering=0) as stream:
            value = json.loads(stream.read().decode("utf-8"))
    except FileNotFoundError:
        return None
    if not isinstance(value, dict):
        raise ValueError("%s does not hold a JSON object" % path)
    return value


def whole_lines(data: bytes) -> Tuple[List[bytes], int]:
    """Split `data` into its newline-ended lines.

    Returns
    -------
    tuple
        The lines without their newline, empty ones left out, and the number of bytes that they and their newlines take.
    """
    end = data.rfind(b"\n") + 1
    return [line for line in data[:end].split(b"\n") if line.strip()], end


def events_files(control: str) -> Iterator[str]:
    """Yield the names of the events files of the control folder `control`, sorted.

    A folder, a pipe or a link that a script put there is none.
    """
    try:
        with os.scandir(os.path.join(control, EVENTS)) as entries:
            names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in sorted(names):
        if name.endswith(".jsonl"):
            yield name
