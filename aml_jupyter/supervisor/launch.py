"""Read ``launch.json``: what to start, where, with which variables and limits."""

import os
from typing import Any, Dict, List, NamedTuple, Optional

from .protocol import FORMAT, LAUNCH, MARKER, read_json

__all__ = ["Launch", "LaunchError", "read_launch"]


class LaunchError(Exception):
    """Say what is wrong with ``launch.json``."""


class Launch(NamedTuple):
    """Describe one attempt as the service wants it started (see `protocol` for the fields)."""

    control: str
    epoch: int
    token: str
    run_id: str
    command: List[str]
    cwd: str
    environment: Dict[str, str]
    max_seconds: Optional[float]
    grace_seconds: float
    wake: Optional[str]
    memory: int = 0
    inherit: bool = False

    @property
    def variables(self) -> Dict[str, str]:
        """Return every variable of the user's process."""
        variables = dict(self.environment)
        if self.inherit:
            variables = _on_top(dict(os.environ), variables)
        variables[MARKER] = self.token
        variables["AML_CONTROL"] = self.control
        if self.wake:
            variables["AML_WAKE"] = self.wake
        return variables


def read_launch(control: str) -> Launch:
    """Return the launch file of the control folder `control`.

    Raises
    ------
    LaunchError
        When a field of it cannot be used; the message names file and field.
    OSError
        When it is missing, or cannot be read now.
    """
    path = os.path.join(control, LAUNCH)
    try:
        value = read_json(path)
    except ValueError as error:
        raise LaunchError("%s is not what the service writes: %s" % (path, error)) from error
    if value is None:
        raise FileNotFoundError("%s is missing: the service writes it before it starts a supervisor" % path)
    if value.get("format") != FORMAT:
        raise LaunchError("%s has format %r; this supervisor reads format %d" % (path, value.get("format"), FORMAT))
    command = _field(path, value, "command", list)
    if not command or not all(isinstance(word, str) for word in command):
        raise LaunchError("%s: command is %r; a list of words was expected" % (path, command))
    return Launch(
        control=control,
        epoch=_field(path, value, "epoch", int),
        token=_field(path, value, "token", str),
        run_id=value.get("run_id") or "",
        command=command,
        cwd=_field(path, value, "cwd", str),
        environment=_field(path, value, "environment", dict),
        max_seconds=value.get("max_seconds"),
        grace_seconds=float(value.get("grace_seconds", 10)),
        wake=value.get("wake"),
        memory=int(value.get("memory") or 0),
        inherit=bool(value.get("inherit")),
    )


def _on_top(own: Dict[str, str], declared: Dict[str, str]) -> Dict[str, str]:
    """Return the variables of an image with the run's on top; what an image puts on Python's path stays on it."""
    path = ":".join(filter(None, [declared.get("PYTHONPATH", ""), own.get("PYTHONPATH", "")]))
    own.update(declared)
    own["PYTHONPATH"] = path
    return own


def _field(path: str, value: Dict[str, Any], name: str, kind: type) -> Any:
    if not isinstance(value.get(name), kind):
        raise LaunchError("%s: %s is %r; %s was expected" % (path, name, value.get(name), kind.__name__))
    return value[name]
