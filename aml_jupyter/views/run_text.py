"""Write the view of one run as plain text, readable in 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aml_jupyter.supervisor import protocol
from aml_jupyter.views.formats import clock_text, duration_text, size_text, stayed_text
from aml_jupyter.views.metrics import metrics_text
from aml_jupyter.views.runs import progress_text, state_text
from aml_jupyter.views.text import Column, clip, printable, table_text, wrap
from aml_jupyter.views.typed_charts import charts_text

if TYPE_CHECKING:
    from aml_jupyter.views.run import RunView

__all__ = ["description_of", "facts_of", "run_text"]

MLFLOWS_OWN = "mlflow."
"""What the names of tags begin with in which MLflow keeps its books: JSON has them, people need not read them."""

LISTED = 15
"""How many outputs, children and timeline entries text and HTML name."""


def run_text(view: RunView, width: int) -> str:
    """Return header, error, metrics, log, outputs, children and timeline, and what to do for the current state."""
    run = view.run
    wide = min(width, 200)
    parts = [_header(view, wide)]
    if run.error:
        parts.append(_error(view, wide))
    if view.sweep is not None:
        from aml_jupyter.views.sweep_page import sweep_text  # here: it needs NumPy, which other runs do not

        parts.append("sweep\n" + _indent(sweep_text(view.sweep, wide - 2)))
    if view.metrics:
        parts.append("metrics\n" + _indent(metrics_text(view.metrics, wide - 2)))
    if view.charts:
        parts.append(_indent(charts_text(view.charts, wide - 2)))
    if view.log is not None and view.log.lines:
        head = f"log, last {len(view.log.lines)} lines" if not view.log.whole else "log"
        parts.append(
            f"{head} ({view.log.path})\n" + "\n".join("  " + clip(line, wide - 2) for line in view.log.plain())
        )
    if view.outputs:
        rows = [[file.name, size_text(file.size), stayed_text(file)] for file in view.outputs[:LISTED]]
        table = table_text((Column("", least=20), Column("", right=True), Column("")), rows, wide - 2)
        parts.append("outputs\n" + _indent(table.split("\n", 1)[1] + _more(len(view.outputs))))
    if view.children and view.sweep is None:
        rows = [[child.run.id, child.run.display_name, child.run.status] for child in view.children[:LISTED]]
        table = table_text((Column(""), Column("", least=10), Column("")), rows, wide - 2)
        parts.append("children\n" + _indent(table.split("\n", 1)[1] + _more(len(view.children))))
    if view.timeline:
        lines = [
            clip(
                f"{clock_text(change.time, view.as_of, seconds=True)}  {change.after}" + _because(change.reason),
                wide - 2,
            )
            for change in view.timeline[-LISTED:]
        ]
        parts.append("timeline\n" + _indent("\n".join(lines)))
    if not view.final:
        parts.append(f"{run.status}, as of {clock_text(view.as_of, view.as_of)}. Now: {view.command}")
    return "\n".join(parts)


def description_of(view: RunView) -> str:
    """Return what the run is about, as its script or its user said; empty where nobody did."""
    return str(view.run.tags.get(protocol.DESCRIPTION) or "")


def facts_of(view: RunView) -> list[str]:
    """Return what stands under a run's name: experiment, target, node, attempt, elapsed time, progress."""
    run = view.run
    facts = [f"{run.experiment} no. {run.number}", f"on {run.target}"]
    if view.node:
        facts.append(f"node {view.node}")
    if run.attempt > 1:
        facts.append(f"attempt {run.attempt}")
    if view.elapsed is not None:
        facts.append(("ran " if view.final else "" if run.started else "waiting ") + duration_text(view.elapsed))
    if progress := progress_text(run):
        facts.append(progress)
    if view.gpus:
        facts.append(f"GPU {', '.join(view.gpus)}")
    if memory := _memory(view):
        facts.append(memory)
    if run.exit_code is not None:
        facts.append(f"exit code {run.exit_code}")
    return [printable(fact) for fact in facts]


def _memory(view: RunView) -> str:
    """Return the limit of the run's memory, and the peak when it has ended; empty where there is no limit."""
    limit = int(view.run.definition.get("memory") or 0)
    if not limit:
        return ""
    peak = view.attempts[-1].peak_memory if view.attempts else None
    return f"memory {size_text(peak)} of {size_text(limit)}" if peak else f"memory limit {size_text(limit)}"


def _header(view: RunView, width: int) -> str:
    run = view.run
    named = run.display_name and run.display_name != f"run_{run.id}"
    lines = [run.id + (f"  {printable(run.display_name)}" if named else "")]
    lines.append(wrap(printable(state_text(run, view.place)), width - 2, "  "))
    lines.append(wrap(", ".join(facts_of(view)), width - 2, "  "))
    if view.python:
        lines.append(wrap(printable(f"python {view.python}"), width - 2, "  "))
    if about := description_of(view):
        lines.append(wrap(printable(about), width - 2, "  "))
    shown = {key: value for key, value in run.tags.items() if not key.startswith(MLFLOWS_OWN)}
    if shown:
        tags = ", ".join(f"{key}={value}" if value else key for key, value in sorted(shown.items()))
        lines.append(wrap(printable(f"tags {tags}"), width - 2, "  "))
    return "\n".join(lines)


def _error(view: RunView, width: int) -> str:
    error = view.run.error or {}
    lines = ["error", wrap(printable(str(error.get("message") or error.get("type") or ""), True), width - 2, "  ")]
    tail = error.get("log_tail")
    if tail and not (view.log and view.log.lines):
        text = tail if isinstance(tail, str) else "\n".join(map(str, tail))
        lines += ["  | " + clip(printable(line), width - 4) for line in text.splitlines()]
    if error.get("log_path") and not (view.log and view.log.lines):
        lines.append(f"  log: {error['log_path']}")
    return "\n".join(lines)


def _because(reason: str) -> str:
    return f", {printable(reason)}" if reason else ""


def _indent(text: str) -> str:
    return "\n".join("  " + line for line in text.splitlines())


def _more(count: int) -> str:
    return f"\nand {count - LISTED:,} more" if count > LISTED else ""
