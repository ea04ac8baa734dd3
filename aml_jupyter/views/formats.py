"""Own how times, durations, sizes and numbers are written in text, HTML and JSON."""

from __future__ import annotations

import math
import time
from datetime import datetime, timezone
from typing import Any

from aml_jupyter.workspace import ArtifactRecord

__all__ = ["clock_text", "duration_text", "iso_time", "json_value", "number_text", "size_text", "stayed_text"]


def iso_time(moment: float | None) -> str | None:
    """Return Unix seconds as ISO 8601 in UTC with milliseconds, for example ``2026-11-20T14:02:03.120Z``."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock_text(moment: float, now: float | None = None, seconds: bool = False) -> str:
    """Return the local time of day, ``14:02``; with the date when that is not today's, with seconds when asked for."""
    local = time.localtime(moment)
    today = time.localtime(time.time() if now is None else now)
    same_day = local[:3] == today[:3]
    clock = "%H:%M:%S" if seconds else "%H:%M"
    return time.strftime(clock if same_day else f"%Y-%m-%d {clock}", local)


def duration_text(seconds: float) -> str:
    """Return a span of time as a person says it: ``0.4 s``, ``12 s``, ``3 min 05 s``, ``2 h 10 min``, ``3 d 4 h``."""
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def stayed_text(file: ArtifactRecord) -> str:
    """Return where a file of a run is that stayed on another machine, with the beginning of its hash; '' for one that is here."""
    return f"on {file.target}, sha256 {file.sha256[:12]}" if file.target else ""


def size_text(count: int) -> str:
    """Return a number of bytes as a person says it, in powers of 1,000: ``118 MB``."""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.5 or unit == "TB":
            break
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"


def number_text(value: Any, digits: int = 6) -> str:
    """Return a metric's value in few characters; `digits` digits of a float are kept."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int):
        return str(value) if abs(value) < 10**12 else f"{float(value):.6g}" if abs(value) < 10**300 else str(value)
    if math.isfinite(value) and value == int(value) and abs(value) < 10**12:
        return str(int(value))
    return f"{value:.{digits}g}"


def json_value(value: Any) -> Any:
    """Return `value` with what JSON has no word for replaced: NaN and infinities become their names as strings."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {str(key): json_value(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_value(entry) for entry in value]
    return value
