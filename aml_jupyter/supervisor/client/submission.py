"""Turn what a script gives to ``submit_child`` into the fields of a request."""

import json
import os
import re
import sys
import time
from difflib import get_close_matches
from typing import Any, Dict, Iterable

from .errors import UserErrorException

__all__ = ["config_fields", "new_run_id", "refuse_unknown", "submitter"]

_FIELDS = (
    "source_directory",
    "script",
    "command",
    "arguments",
    "run_config",
    "compute_target",
    "target",
    "environment",
    "environment_variables",
    "max_run_duration_seconds",
)

_NOT_FROM_INSIDE = ("HyperDriveConfig", "Pipeline", "Estimator", "AutoMLConfig")


def new_run_id(experiment: str) -> str:
    """Return a run id in SDK v1's form; the experiment's part is cut to 40 ASCII characters."""
    from uuid import uuid4

    part = re.sub(r"[^A-Za-z0-9_-]", "", experiment)[:40] or "run"
    return "%s_%d_%s" % (part, time.time(), uuid4().hex[:8])


def config_fields(config: Any) -> Dict[str, Any]:
    """Return the fields of `config`, a ScriptRunConfig or a dict, as JSON can hold them.

    Raises
    ------
    UserErrorException
        When it names neither script nor command, or holds what is unknown or cannot be sent.
    """
    kind = type(config).__name__
    if kind in _NOT_FROM_INSIDE:
        raise UserErrorException(
            "submit_child: a %s cannot be submitted from inside a run; submit it outside, with Experiment.submit. "
            "A ScriptRunConfig can be submitted here" % kind
        )
    given = dict(config) if isinstance(config, dict) else {name: getattr(config, name, None) for name in _FIELDS}
    refuse_unknown("submit_child", given, _FIELDS)
    fields = {str(name): _plain(value) for name, value in given.items() if value is not None}
    if not fields.get("script") and not fields.get("command"):
        raise UserErrorException("submit_child: %r names neither script nor command" % (config,))
    fields["source_directory"] = os.path.abspath(fields.get("source_directory") or ".")
    if "arguments" in fields:
        fields["arguments"] = [str(argument) for argument in fields["arguments"]]
    target = fields.pop("compute_target", None)
    if target is not None and "target" not in fields:
        fields["target"] = target
    try:
        json.dumps(fields)
    except (TypeError, ValueError) as error:
        raise UserErrorException("submit_child: %r cannot be sent to the service: %s" % (config, error)) from None
    return fields


def submitter() -> Dict[str, str]:
    """Return this process as the one that submits: its Python is the child's, where the child names none."""
    return {"python": sys.executable, "version": "%d.%d.%d" % sys.version_info[:3], "cwd": os.getcwd()}


def refuse_unknown(what: str, given: Iterable[Any], known: Iterable[str]) -> None:
    """Refuse the first name of `given` that is not in `known`, with the nearest known ones.

    Raises
    ------
    UserErrorException
        When there is one.
    """
    names = list(known)
    for name in given:
        if name not in names:
            near = get_close_matches(str(name), names)
            hint = "did you mean %s? " % " or ".join(near) if near else ""
            raise UserErrorException("%s does not know %r; %sKnown: %s" % (what, name, hint, ", ".join(names)))


def _plain(value: Any) -> Any:
    """Return a run configuration as its dict, a target object as its name, anything else as it is."""
    if hasattr(value, "to_dict"):
        written = value.to_dict()
        if not getattr(value, "target_is_set", True):
            written.pop("target", None)  # the workspace's default is meant, not `local`
        return written
    if type(value).__name__ == "RunConfiguration":  # azureml-core's own
        return sys.modules["azureml.core._serialization_utils"].__dict__["_serialize_to_dict"](value)
    if isinstance(value, (list, tuple)):
        return list(value)
    if not isinstance(value, (str, dict, int, float)) and isinstance(getattr(value, "name", None), str):
        return value.name
    return value
