"""Own the two ways into the command tree: the `aml` command, and one line of `%aml`."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # `typing` would take a good part of the time that a completion has
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aml_jupyter.cli.door import Door

__all__ = ["entry", "main", "run_line"]

MISTAKE = 2
FAILURE = 1
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one command line in a terminal and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after ``aml``; those of this process when left out.

    Returns
    -------
    int
        0 when done, 1 when it failed, 2 for a mistake in the line, 130 after Ctrl-C.
    """
    from aml_jupyter.cli.door import TerminalDoor

    return run_line(sys.argv[1:] if argv is None else argv, TerminalDoor())


def run_line(argv: Sequence[str], door: Door) -> int:
    """Carry out one command line at `door` and return its exit code; nothing is raised for a mistake.

    Parameters
    ----------
    argv : sequence of str
        The words after ``aml``.
    door : Door
        Takes what is to be shown.

    Raises
    ------
    BrokenPipeError
        When whoever read the output has gone away.
    """
    import traceback

    from aml_jupyter.cli.common import config_says
    from aml_jupyter.cli.tree import build_parser
    from aml_jupyter.errors import AmlError, UserErrorException

    debug = os.environ.get("AML_DEBUG", "") not in ("", "0")
    try:
        arguments = build_parser().parse_line(argv)
        with config_says(_once(lambda text: door.remark(f"note: {text}"))):
            code = int(arguments.handler(arguments, door))
        made = getattr(arguments, "made_workspace", None)
        if made is not None:
            door.remark(f"note: there was no workspace in {made}; a new one was made")
        return code
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 0
    except KeyboardInterrupt as error:
        door.remark(": ".join(["aml: interrupted", *map(str, error.args)]))
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except AmlError as error:
        if debug:
            door.remark(traceback.format_exc())
        is_mistake = isinstance(error, UserErrorException)
        lines = [line.strip() for line in error.message.splitlines() if line.strip()]
        door.remark("aml: " + (" ".join(lines) if is_mistake else error.message))
        return MISTAKE if is_mistake else FAILURE
    except Exception as error:
        if isinstance(error.__cause__, KeyboardInterrupt):  # Python wraps what comes while it makes a class
            door.remark("aml: interrupted")
            return INTERRUPTED
        if debug:
            door.remark(traceback.format_exc())
        said = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        door.remark(f"aml: {said}; AML_DEBUG=1 shows where")
        return FAILURE


def _once(tell: Callable[[str], None]) -> Callable[[str], None]:
    """Return a function that passes each text on the first time."""
    said: set[str] = set()

    def pass_on(text: str) -> None:
        if text not in said:
            said.add(text)
            tell(text)

    return pass_on


def entry() -> int:
    """Carry out the command line of this process; a reader that has gone (``| head``) ends it quietly."""
    _open_standard_streams()
    try:
        if sys.argv[1:2] == ["--complete"]:
            from aml_jupyter.cli.completing.quick import answer

            return answer(sys.argv[2:])
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:
        # what is still buffered would raise again when the interpreter ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except KeyboardInterrupt:  # while the modules were still being imported
        print("aml: interrupted", file=sys.stderr)
        return INTERRUPTED
    return code


def _open_standard_streams() -> None:
    """Put the null device where the caller has closed a stream (``>&-``): a file of ours would get its number."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8")
