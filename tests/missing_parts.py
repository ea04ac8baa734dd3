"""Have a missing part be a failure with ``CI=true``: a skip there would hide that something is not tested any more."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

__all__ = ["NOTHING_TO_TEST", "pytest_runtest_makereport"]

NOTHING_TO_TEST = "nothing to test here: "
"""What the reason of a skip begins with where nothing is missing that this machine could have, with ``CI=true``, too."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure with ``CI=true``, unless its reason begins with `NOTHING_TO_TEST`."""
    report = yield
    if not report.skipped or os.environ.get("CI") != "true":
        return report
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not reason.removeprefix("Skipped: ").startswith(NOTHING_TO_TEST):
        report.outcome = "failed"
        report.longrepr = f"With CI=true nothing may be missing. {reason}"
    return report
