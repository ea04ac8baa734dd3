"""Run a notebook's cell as a script, with values sent to it and values brought back.

``python <archive> cell <control>`` reads ``control/cell.json``::

    {"script": "<path relative to the working directory>", "arguments": [..], "inputs": "<values.pkl>" or null,
     "inputs_sha256": ..., "outputs": [names], "python": "3.11", "cloudpickle": "<folder or zip that holds it>" or null,
     "parameters": {name: plain value}}

and leaves ``control/values/outputs.pkl`` and ``outputs.json`` ({"names", "sha256", "size", "python"}) behind. The cell is
the module ``__main__``, as if Python had been started with its file.
"""

import os
import sys
import types
from typing import Any, Dict, List, NoReturn, Optional

from ..protocol import read_json
from .values import load_values, save_values

__all__ = ["run_cell"]

OUTPUTS = "values"


class CellError(Exception):
    """Refuse to run the cell, or say why it brings nothing back."""


def run_cell(control: str) -> int:
    """Run the cell of the control folder `control` in the current working directory; return the exit code."""
    try:
        cell = read_json(os.path.join(control, "cell.json"))
        if cell is None:
            raise CellError("%s is missing" % os.path.join(control, "cell.json"))
        _check_python(cell)
        module = _make_main(cell["script"], cell.get("arguments") or [])
        if cell.get("inputs"):
            _send_in(module, cell)
        vars(module).update(cell.get("parameters") or {})
        source = _read_source(cell["script"])
    except CellError as error:
        return _fail(str(error))
    status = _run(source, module)
    if status:
        return status
    if cell.get("outputs"):
        try:
            _bring_back(module, cell, os.path.join(control, OUTPUTS))
        except CellError as error:
            return _fail(str(error))
    return 0


def _check_python(cell: Dict[str, Any]) -> None:
    here = "%d.%d" % sys.version_info[:2]
    wanted = cell.get("python") or here
    if (cell.get("inputs") or cell.get("outputs")) and wanted != here:
        raise CellError(
            "values cannot travel between Python versions: the notebook has Python %s, and the run has Python %s (%s). "
            "Use an interpreter of version %s for the run, or leave -i and -o out."
            % (wanted, here, sys.executable, wanted)
        )


def _make_main(script: str, arguments: List[str]) -> types.ModuleType:
    """Become what ``python <script> <arguments>`` would be."""
    module = types.ModuleType("__main__")
    path = os.path.abspath(script)
    vars(module).update(__file__=path, __builtins__=__builtins__, __spec__=None, __package__=None)
    sys.modules["__main__"] = module
    sys.argv[:] = [script] + [str(argument) for argument in arguments]
    # The zip stood first; its modules are found through their package from now on.
    sys.path[0] = os.path.dirname(path)
    return module


def _read_source(script: str) -> bytes:
    try:
        with open(script, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise CellError("the cell's script cannot be read: %s" % error) from error


def _send_in(module: types.ModuleType, cell: Dict[str, Any]) -> None:
    try:
        values = load_values(cell["inputs"], cell.get("inputs_sha256"), cell.get("cloudpickle"))
    except Exception as error:
        raise CellError("the values sent with -i cannot be used: %s: %s" % (type(error).__name__, error)) from error
    vars(module).update(values)


def _run(source: bytes, module: types.ModuleType) -> int:
    try:
        exec(compile(source, str(module.__file__), "exec", dont_inherit=True), vars(module))
    except SystemExit as error:
        return _exit_status(error.code)
    except BaseException as error:
        # Our own frame is of no interest; a hook that the cell or the environment installed is.
        trace = error.__traceback__.tb_next if error.__traceback__ else None
        if isinstance(error, KeyboardInterrupt):
            raise
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        return 1
    return 0


def _exit_status(code: Any) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    sys.stderr.write("%s\n" % (code,))
    return 1


def _bring_back(module: types.ModuleType, cell: Dict[str, Any], folder: str) -> None:
    names = cell["outputs"]
    missing = [name for name in names if name not in vars(module)]
    if missing:
        _refuse_missing(missing, module)
    try:
        save_values(folder, {name: vars(module)[name] for name in names}, cell.get("cloudpickle"))
    except Exception as error:
        raise CellError("the values asked for with -o cannot be brought back: %s" % error) from error


def _refuse_missing(missing: List[str], module: types.ModuleType) -> NoReturn:
    import difflib

    known = sorted(name for name in vars(module) if not name.startswith("__"))
    parts = []
    for name in missing:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
        parts.append("%s%s" % (name, " (did you mean %s?)" % " or ".join(near) if near else ""))
    listed = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
    raise CellError(
        "the cell ended, but it did not define what -o asks for: %s. It defined: %s"
        % (", ".join(parts), listed or "nothing")
    )


def _fail(message: str) -> int:
    sys.stdout.flush()
    sys.stderr.write("aml: %s\n" % message)
    sys.stderr.flush()
    report: Optional[str] = os.environ.get("AML_CONTROL")
    if report:
        from ..client.writer import EventsWriter

        EventsWriter(report).event("error", None, {"type": "CellError", "m": message, "trace": ""})
    return 1
