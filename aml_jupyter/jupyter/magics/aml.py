"""Own ``%aml``: the command line's own tree, answering in the notebook."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand

from aml_jupyter.errors import AmlError

from .lines import split_line

if TYPE_CHECKING:
    from aml_jupyter.service import Submission
    from aml_jupyter.views import View
    from aml_jupyter.workspace import WorkspaceFolder

    from ..handle import RunHandle

__all__ = ["AmlMagics", "NotebookDoor"]


@magics_class
class AmlMagics(Magics):  # type: ignore[misc]  # IPython is untyped to mypy
    """Hold ``%aml``."""

    @no_var_expand  # type: ignore[untyped-decorator]
    @line_magic("aml")  # type: ignore[untyped-decorator]
    def aml(self, line: str) -> Any:
        """Do what ``aml`` does in a terminal, with the same words. ``%aml --help`` lists the commands."""
        from aml_jupyter.cli import run_line

        door = NotebookDoor(self.shell.user_ns)
        try:
            code = run_line(split_line(line, self.shell.user_ns), door)
        except AmlError as error:
            raise UsageError(str(error)) from None
        except KeyboardInterrupt:
            print("No longer waiting; what was submitted goes on.")
            return
        door.finish(code)


class NotebookDoor:
    """Show a command's results in the cell's output."""

    width = 110

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        self._remark: str | None = None
        self._shown: list[RunHandle] = []

    def write(self, text: str) -> None:
        """Print `text` as it is."""
        self._flush()
        print(text, end="", flush=True)

    def remark(self, text: str) -> None:
        """Keep the line until it is known whether it is the reason of a failure."""
        self._flush()
        self._remark = text

    def show(self, view: View) -> None:
        """Display the view's HTML, with its text beside it."""
        from IPython.display import publish_display_data

        self._flush()
        publish_display_data({"text/plain": view.as_text(self.width), "text/html": view.as_html()})

    def submitted(self, folder: WorkspaceFolder, submission: Submission) -> bool:
        """Display the run's handle, which follows the run; it is also the notebook's ``_``."""
        from ..handle import RunHandle, has_front_end
        from ..opened import opened_once

        handle = RunHandle(opened_once(folder), submission.run.id)
        self._namespace["_"] = handle
        if not has_front_end():
            return False  # a terminal's output cannot change: the command tells as it does there
        self._flush()
        handle.display()
        self._shown.append(handle)
        return True

    def ask(self, question: str) -> bool:
        """Ask in the notebook, where it can be answered."""
        self._flush()
        try:
            return input(f"{question} Type yes or no: ").strip().lower() in ("yes", "y")
        except (EOFError, NotImplementedError):  # nobody is there: papermill, nbconvert
            return False

    def forget(self, secret: str) -> None:
        """Take a secret out of IPython's history; the cell itself still says it."""
        from IPython import get_ipython

        from .forgetting import forget_in_history

        forget_in_history(get_ipython(), secret)

    def progress(self, label: str, unit: str = "") -> AbstractContextManager[Callable[[int, int], None] | None]:
        """Show a line that is updated in place."""
        from aml_jupyter.views.progress import notebook_progress

        return notebook_progress(label, unit)

    def finish(self, code: int) -> None:
        """End the command; one that did not succeed stops the notebook, with its last remark as the reason.

        Raises
        ------
        UsageError
            When `code` is not 0. IPython shows it without a traceback.
        """
        for handle in self._shown:
            handle.settle()
        if code != 0:
            raise UsageError((self._remark or f"the command ended with code {code}").removeprefix("aml: "))
        self._flush()

    def _flush(self) -> None:
        if self._remark is not None:
            print(self._remark, flush=True)
            self._remark = None
