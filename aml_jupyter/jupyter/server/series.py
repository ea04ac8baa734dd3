"""Send the points of a chart as little-endian float64: a third of the bytes of JSON, and nothing to parse.

Over HTTP a frame is: four bytes with the length of a head (little-endian), the head as JSON, zeros up to a multiple of eight
bytes, and then, for each of the head's ``chart.columns``, ``chart.length`` numbers. Over a widget's comm the head is the
message and the numbers are its buffer. Not-a-number and the infinities stay what they are.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import numpy as np

from aml_jupyter.workspace import Chart

__all__ = ["COLUMNS", "frame", "packed"]

COLUMNS: Final = ("x", "y", "low", "high", "time")


def packed(chart: Chart) -> tuple[dict[str, Any], bytes]:
    """Return what a head says of a chart, and its columns one after the other; one without numbers (`time`) is left out."""
    columns = [name for name in COLUMNS if len(getattr(chart, name))]
    data = b"".join(np.asarray(getattr(chart, name), "<f8").tobytes() for name in columns)
    return {"count": chart.count, "length": len(chart.x), "columns": columns}, data


def frame(head: str, data: bytes) -> bytes:
    """Return head and numbers as one body."""
    text = head.encode()
    return struct.pack("<I", len(text)) + text + bytes(-(4 + len(text)) % 8) + data
