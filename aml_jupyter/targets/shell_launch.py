"""Say to a supervisor that is a shell script what launch.json says to the other one."""

from __future__ import annotations

import json
import os
import re
import shlex
from importlib import resources
from typing import Any, Final

from aml_jupyter.supervisor import protocol
from aml_jupyter.supervisor.faults import fault_point
from aml_jupyter.supervisor.verdict import size_text

__all__ = ["shell_command", "shell_text", "shell_words"]

LAUNCH: Final = "launch.sh"


def shell_command(control: str, memory: int) -> list[str]:
    """Write ``control/launch.sh``, and return the supervisor's command line for an image that has no Python.

    Parameters
    ----------
    control : str
        The attempt's control folder, with ``launch.json``.
    memory : int
        Bytes that the container may have; 0 for no limit.
    """
    launch: dict[str, Any] = protocol.read_json(f"{control}/{protocol.LAUNCH}") or {}
    text = shell_text(launch, control, memory)
    with fault_point("container.write"):
        descriptor = os.open(f"{control}/{LAUNCH}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
    return shell_words(control)


def shell_words(control: str) -> list[str]:
    """Return the supervisor's command line, for a control folder in which ``launch.sh`` is."""
    script = resources.files("aml_jupyter.supervisor").joinpath("supervisor.sh").read_text(encoding="utf-8")
    return ["/bin/sh", "-c", script, "supervisor.sh", control]


def shell_text(launch: dict[str, Any], control: str, memory: int) -> str:
    """Return ``launch.sh`` for what ``launch.json`` says; the arguments are those of `shell_command`."""
    variables = {
        **launch["environment"],
        protocol.MARKER: launch["token"],
        "AML_CONTROL": control,
    }
    seconds = launch.get("max_seconds")
    lines = [
        f"token={shlex.quote(launch['token'])}",
        f"epoch={int(launch['epoch'])}",
        f"cwd={shlex.quote(launch['cwd'])}",
        f"max_seconds={max(1, round(seconds)) if seconds else ''}",
        f"grace={round(float(launch.get('grace_seconds', 10)))}",
        f"command_json={shlex.quote(json.dumps(launch['command']))}",
        f"memory={shlex.quote(size_text(memory) if memory else '')}",
        # A name that a shell cannot have reaches no process that a shell starts.
        *(
            f"export {name}={shlex.quote(value)}"
            for name, value in variables.items()
            if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII)
        ),
        f"set -- {shlex.join(launch['command'])}",
    ]
    return "\n".join(lines) + "\n"
