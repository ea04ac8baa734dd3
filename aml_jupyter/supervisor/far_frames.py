"""Say how the two ends of an SSH channel talk: frames of a JSON header and a body, for a service and a far side alike.

A frame is two big-endian numbers of four bytes (the lengths of header and body), the header, the body. A request has ``id``
and ``op``; its answers have that ``id``, and ``more`` while further ones follow. What the far side says unasked has no id.
"""

import json
import struct
from typing import Any, Dict, List, Tuple

__all__ = ["BLOCK", "Frames", "Frame", "GarbledFrame", "pack"]

BLOCK = 1 << 18
"""Bytes of a body that one frame carries at the most, where many may follow."""

LONGEST = 1 << 28
"""A frame that says that it is longer is none: something else speaks at the other end."""

_LENGTHS = struct.Struct(">II")

Frame = Tuple[Dict[str, Any], bytes]


class GarbledFrame(ValueError):
    """Say that what came is no frame; the bytes are in the message."""


def pack(header: Dict[str, Any], body: bytes = b"") -> bytes:
    """Return a frame."""
    text = json.dumps(header, separators=(",", ":")).encode("utf-8")
    return b"".join((_LENGTHS.pack(len(text), len(body)), text, body))


class Frames:
    """Cut what arrives into frames."""

    def __init__(self) -> None:
        self._left = bytearray()

    def feed(self, data: bytes) -> List[Frame]:
        """Take in what has arrived, and return the frames that are whole by now.

        Raises
        ------
        GarbledFrame
            When it cannot be a frame.
        """
        self._left += data
        found: List[Frame] = []
        start = 0
        while len(self._left) - start >= _LENGTHS.size:
            header, body = _LENGTHS.unpack_from(self._left, start)
            if header > LONGEST or body > LONGEST:
                raise GarbledFrame(bytes(self._left[start : start + 200]).decode("utf-8", "replace"))
            end = start + _LENGTHS.size + header + body
            if len(self._left) < end:
                break
            middle = start + _LENGTHS.size + header
            try:
                said = json.loads(bytes(self._left[start + _LENGTHS.size : middle]).decode("utf-8"))
            except ValueError as error:
                raise GarbledFrame(str(error)) from None
            found.append((said, bytes(self._left[middle:end])))
            start = end
        if start:
            del self._left[:start]
        return found
