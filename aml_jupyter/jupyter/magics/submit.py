"""Own ``%%aml_submit``: its option line, and what the notebook shows of the submit."""

from __future__ import annotations

import json
import os
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, magics_class, no_var_expand

from aml_jupyter.cli.environment_options import add_environment_options
from aml_jupyter.cli.run_options import add_run_options
from aml_jupyter.cli.sweep_options import add_sweep_options, sweep_line
from aml_jupyter.errors import AmlError, UserErrorException

from .lines import LineParser, split_line

__all__ = ["SubmitMagics", "submit_parser"]

DESCRIPTION = """Run this cell's text as a script on a compute target.

The notebook's folder is snapshotted, the run joins the target's queue, and the call returns. The output below the cell
follows the run; what the cell prints and logs goes into the run history."""


def submit_parser() -> LineParser:
    """Return the parser of the option line."""
    parser = LineParser(prog="%%aml_submit", description=DESCRIPTION, add_help=False)
    add = parser.add_argument
    add("target", nargs="?", metavar="TARGET", help="compute target; the workspace's default one if left out")
    add("-t", "--target", dest="target_option", metavar="TARGET", help="the same, as an option")
    add("-e", "--experiment", metavar="NAME", help="experiment; the notebook's name if left out")
    add(
        "-c",
        "--run-configuration",
        "--runconfig",
        metavar="NAME",
        help="run configuration (.azureml/NAME.runconfig)",
    )
    add("-i", "--inputs", metavar="NAMES", action="append", default=[], help="variables to send, comma-separated")
    add(
        "-o", "--outputs", metavar="NAMES", action="append", default=[], help="variables to bring back, comma-separated"
    )
    add(
        "-p",
        "--parameter",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="variable to set, kept with the run",
    )
    add_sweep_options(parser)
    add_environment_options(parser)
    add("--wait", action="store_true", help="wait for the end; -o variables then come into the notebook")
    add("--name", metavar="HANDLE", help="variable that the run's handle is put into")
    add("--display-name", metavar="TEXT", help="name of the run in lists")
    add("--tag", metavar="KEY=VALUE", action="append", default=[], help="tag of the run")
    add_run_options(parser)
    add("--notebook", metavar="PATH", help="this notebook's path, where it cannot be found")
    add("--source-directory", metavar="FOLDER", help="folder to snapshot; the notebook's if left out")
    add(
        "--workspace",
        metavar="FOLDER",
        help="workspace; else AML_WORKSPACE, config.json, or the default one",
    )
    add("--help", "-h", action="store_true", help="show this")
    return parser


@magics_class
class SubmitMagics(Magics):  # type: ignore[misc]  # IPython is untyped to mypy
    """Hold ``%%aml_submit``."""

    @no_var_expand  # type: ignore[untyped-decorator]
    @cell_magic("aml_submit")  # type: ignore[untyped-decorator]
    def submit(self, line: str, cell: str) -> Any:
        """Run this cell's text as a script on a compute target. ``%%aml_submit --help`` lists the options."""
        namespace = self.shell.user_ns
        try:
            parser = submit_parser()
            options = parser.parse_args(split_line(line, namespace))
            if options.help:
                print(parser.format_help())
                return None
            return self._submit(options, cell, namespace)
        except AmlError as error:
            if hasattr(error, "_render_traceback_"):
                raise
            raise UsageError(str(error)) from None

    def _submit(self, options: Namespace, cell: str, namespace: dict[str, Any]) -> Any:
        from aml_jupyter.views.progress import notebook_progress

        from ..cell import is_variable, submit_cell
        from ..handle import RunHandle, has_front_end
        from ..opened import kernel_workspace

        for option, given in (("-t", options.target), ("-t", options.target_option), ("-e", options.experiment)):
            if given is not None and not given.strip():
                raise UserErrorException(f"{option} {given!r}: a name was expected, found an empty text", option)
        if options.name and not is_variable(options.name):
            raise UserErrorException(f"--name {options.name}: that is not the name of a variable.", "name")
        source, notebook, remarks = _source_of(options, cell, namespace)
        folder = kernel_workspace(options.workspace)
        wanted = _cell_options(options, source, notebook)
        with notebook_progress(f"snapshot of {source}", "bytes") as progress:
            submission = submit_cell(folder, cell, self.shell.execution_count, wanted, namespace, progress)
        for remark in [*remarks, *_snapshot_remarks(submission)]:
            print(remark)
        handle = RunHandle(folder, submission.run.id)
        if options.name:
            namespace[options.name] = handle
        if not options.wait:
            return handle
        is_live = has_front_end()
        if is_live:
            handle.display()
        try:
            handle.wait()
        except KeyboardInterrupt:
            print(f"No longer waiting; run {handle.id} goes on. To end it: %aml run cancel {handle.id}")
            return None
        if not is_live:
            handle.display()
        if wanted.outputs:
            namespace.update(handle.result())
        return None


def _cell_options(options: Namespace, source: Path, notebook: Path | None) -> Any:
    from aml_jupyter.cli.common import pairs
    from aml_jupyter.cli.environment_options import line_environment
    from aml_jupyter.cli.notebooks import typed_value
    from aml_jupyter.cli.submit import experiment_name
    from aml_jupyter.config import bytes_of
    from aml_jupyter.workspace.project import remembered_experiment

    from ..cell import CellOptions

    if options.target is not None and options.target_option is not None and options.target != options.target_option:
        raise UserErrorException(f"Two targets are named: {options.target} and {options.target_option}.", "target")
    return CellOptions(
        source=source,
        experiment=options.experiment
        or remembered_experiment(source)
        or experiment_name(Path(notebook.stem) if notebook else source),
        target=options.target if options.target is not None else options.target_option,
        run_configuration=options.run_configuration,
        inputs=_names(options.inputs),
        outputs=_names(options.outputs),
        parameters={name: typed_value(text) for name, text in pairs(options.parameter, "-p").items()},
        display_name=options.display_name or options.name,
        tags=pairs(options.tag, "--tag"),
        cores=options.cores,
        gpus=options.gpus,
        memory=bytes_of(options.memory),
        priority=options.priority,
        max_retries=options.max_retries,
        max_seconds=options.max_seconds,
        grace_seconds=options.grace_seconds,
        environment=line_environment(options),
        sweep=sweep_line(options),
    )


def _source_of(options: Namespace, cell: str, namespace: dict[str, Any]) -> tuple[Path, Path | None, list[str]]:
    """Return the folder to snapshot, the notebook if it is known, and what the user should know about both."""
    from ..notebook import notebook_path

    notebook = notebook_path(options.notebook, namespace)
    if options.notebook and (notebook is None or not notebook.is_file()):
        raise UserErrorException(f"--notebook {options.notebook}: there is no such file.", "notebook")
    remarks = []
    if notebook is not None and notebook.is_file():
        if not _holds_cell(notebook, cell):
            saved = time.strftime("%H:%M", time.localtime(notebook.stat().st_mtime))
            remarks.append(f"{notebook.name} has unsaved edits: the snapshot has it as it was saved at {saved}.")
        if not options.source_directory:
            return notebook.parent, notebook, remarks
    if options.source_directory:
        return Path(options.source_directory).expanduser().resolve(), notebook, remarks
    current = Path(os.getcwd()).resolve()
    remarks.append(f"This notebook's own path is not known: the snapshot is of the current folder, {current}.")
    return current, notebook, remarks


def _holds_cell(notebook: Path, cell: str) -> bool:
    """Tell whether the notebook's file has a cell that ends with this cell's text."""
    try:
        cells = json.loads(notebook.read_bytes()).get("cells", [])
    except (OSError, ValueError, AttributeError):
        return True  # not a notebook that can be read: nothing can be said
    sources = (entry.get("source", "") for entry in cells if isinstance(entry, dict))
    return any("".join(source).rstrip().endswith(cell.rstrip()) for source in sources)


def _snapshot_remarks(submission: Any) -> list[str]:
    from aml_jupyter.views.formats import size_text

    snapshot = submission.snapshot
    if snapshot is None:
        return list(submission.notes)
    source = submission.run.definition["source_directory"]
    said = f"Snapshot of {source}: {snapshot.files} files, {size_text(snapshot.size)} ({snapshot.new_files} new)"
    return [f"{said}, {snapshot.id[:12]}", *submission.notes]


def _names(given: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for entry in given for name in entry.split(",") if name.strip()))
