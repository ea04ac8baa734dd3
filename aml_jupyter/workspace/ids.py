"""Own the form of a run's id, which is the name of its folder, too."""

from __future__ import annotations

import re
import time
import unicodedata
import uuid
from typing import Final

from aml_jupyter.errors import UserErrorException

__all__ = ["check_run_id", "new_run_id"]

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")


def new_run_id(experiment: str) -> str:
    """Return a new id in SDK v1's form: ``<experiment, at most 40 ASCII characters>_<Unix seconds>_<8 hex digits>``."""
    plain = unicodedata.normalize("NFKD", experiment).encode("ascii", "ignore").decode()
    head = re.sub(r"[^A-Za-z0-9_-]", "", plain)[:40].lstrip("_-") or "run"
    return f"{head}_{int(time.time())}_{uuid.uuid4().hex[:8]}"


def check_run_id(run_id: str) -> None:
    """Refuse an id that a run, and so its folder, cannot have.

    Raises
    ------
    UserErrorException
        Unless it has 1 to 200 of A-Z a-z 0-9 _ . -, the first a letter or a digit.
    """
    if not isinstance(run_id, str) or not _ID.fullmatch(run_id):
        raise UserErrorException(
            f"The run id {str(run_id)[:300]!r} cannot be used: expected 1 to 200 of A-Z a-z 0-9 _ . -, beginning with "
            "a letter or a digit.",
            "run_id",
        )
