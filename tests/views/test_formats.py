from __future__ import annotations

import json
import math
import time

import pytest

from aml_jupyter.views.formats import clock_text, duration_text, iso_time, json_value, number_text, size_text


def test_times_are_iso_8601_in_utc() -> None:
    assert iso_time(0.12) == "1970-01-01T00:00:00.120Z"
    assert iso_time(None) is None


def test_clock_names_the_date_only_when_it_is_not_today() -> None:
    now = time.time()
    assert clock_text(now, now) == time.strftime("%H:%M", time.localtime(now))
    assert clock_text(now - 5 * 86400, now).startswith(time.strftime("%Y-", time.localtime(now - 5 * 86400)))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (9.97, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (3725, "1 h 02 min"),
        (90000, "1 d 1 h"),
        (-5, "0.0 s"),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration_text(seconds) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (999_600, "1.0 MB"), (118_000_000, "118 MB"), (10**15, "1000 TB")],
)
def test_sizes(count: int, said: str) -> None:
    assert size_text(count) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.1 + 0.2, "0.3"),
        (3.0, "3"),
        (10**400, str(10**400)),
        (True, "True"),
        ("adam", "adam"),
        (math.nan, "nan"),
        (1e300, "1e+300"),
    ],
)
def test_numbers(value: object, said: str) -> None:
    assert number_text(value) == said


def test_json_has_no_word_for_nan() -> None:
    value = json_value({"a": [math.nan, math.inf, -math.inf, 1.5]})
    assert json.loads(json.dumps(value, allow_nan=False)) == {"a": ["NaN", "Infinity", "-Infinity", 1.5]}
