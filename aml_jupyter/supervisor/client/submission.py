"""Turn what a script gives to ``submit_child`` into the fields of a request."""

import json
import os
import re
import sys
import time
from typing import Any, Dict

from .errors import UserErrorException

__all__ = ["config_fields", "new_run_id"]

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
    "display_name",
)


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
        When it names neither script nor command, or holds what cannot be sent.
    """
    given = dict(config) if isinstance(config, dict) else {name: getattr(config, name, None) for name in _FIELDS}
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


def _plain(value: Any) -> Any:
    """Return a run configuration as its dict, a target object as its name, anything else as it is."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if type(value).__name__ == "RunConfiguration":  # azureml-core's own
        return sys.modules["azureml.core._serialization_utils"].__dict__["_serialize_to_dict"](value)
    if isinstance(value, (list, tuple)):
        return list(value)
    if not isinstance(value, (str, dict, int, float)) and isinstance(getattr(value, "name", None), str):
        return value.name
    return value
