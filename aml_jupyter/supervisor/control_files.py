"""Read what a supervisor wrote, and tell what is not its writing: the script's hands reach these files, too."""

from typing import Any, Dict, Mapping, Optional, Tuple, Type, Union

from . import protocol

__all__ = ["DAMAGED", "read_attempt", "read_result"]

DAMAGED: Dict[str, Any] = {}
"""Stands for a file that is there and says nothing that a supervisor would say."""


def read_result(control: str) -> Optional[Dict[str, Any]]:
    """Return ``result.json``, None when there is none, or `DAMAGED`."""
    result = _read("%s/%s" % (control, protocol.RESULT))
    if not result:
        return result
    is_whole = (
        result.get("reason") in protocol.REASONS
        and all(_is(result, name, int) for name in ("exit_code", "signal", "peak_memory"))
        and all(_is(result, name, (int, float)) for name in ("started", "ended", "cpu_time"))
    )
    return result if is_whole else DAMAGED


def read_attempt(control: str) -> Optional[Dict[str, Any]]:
    """Return ``attempt.json``, None when there is none, or `DAMAGED`."""
    attempt = _read("%s/%s" % (control, protocol.ATTEMPT))
    if not attempt or "refused" in attempt:
        return attempt
    is_whole = isinstance(attempt.get("supervisor"), dict) and _is(attempt, "started", (int, float))
    return attempt if is_whole else DAMAGED


def _read(path: str) -> Optional[Dict[str, Any]]:
    try:
        return protocol.read_json(path)
    except (OSError, ValueError, RecursionError):
        return DAMAGED


def _is(content: Mapping[str, Any], name: str, kind: Union[Type[Any], Tuple[Type[Any], ...]]) -> bool:
    """Tell whether a field has the kind it should have, or is not known."""
    value = content.get(name)
    return value is None or (isinstance(value, kind) and not isinstance(value, bool) and abs(value) < 2**62)
