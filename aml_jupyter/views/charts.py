"""Draw small line charts as SVG: well-formed XML with plain attributes, in the colours of the page around it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from aml_jupyter.views.formats import number_text
from aml_jupyter.views.html import Html, element, void

__all__ = ["line_chart", "spark_text"]

WIDTH = 220
HEIGHT = 56
MARGIN = 3
BLUE = "#2f7fd6"  # reads on light and dark; presentation attributes take no CSS variables everywhere
BARS = "▁▂▃▄▅▆▇█"


def line_chart(
    x: Sequence[float], y: Sequence[float], low: Sequence[float], high: Sequence[float], title: str
) -> Html | None:
    """Return a chart of `y` over `x` with a band from `low` to `high`; None when fewer than two points are finite.

    Parameters
    ----------
    x, y, low, high : sequence of float
        One entry for each bucket of points; a bucket with a value that is not finite breaks the line.
    title : str
        What a screen reader says, and a pointer shows.
    """
    points = [
        (float(a), float(b), float(lo), float(hi))
        for a, b, lo, hi in zip(x, y, low, high, strict=True)
        if all(map(math.isfinite, (a, b, lo, hi)))
    ]
    if len(points) < 2:
        return None
    left, right = min(point[0] for point in points), max(point[0] for point in points)
    bottom, top = min(point[2] for point in points), max(point[3] for point in points)

    def place(a: float, b: float) -> str:
        across = (a / 2 - left / 2) / (right / 2 - left / 2) if right > left else 0.5
        up = (b / 2 - bottom / 2) / (top / 2 - bottom / 2) if top > bottom else 0.5
        return f"{MARGIN + across * (WIDTH - 2 * MARGIN):.1f},{HEIGHT - MARGIN - up * (HEIGHT - 2 * MARGIN):.1f}"

    band = [place(a, hi) for a, _, _, hi in points] + [place(a, lo) for a, _, lo, _ in reversed(points)]
    has_band = any(hi > lo for _, _, lo, hi in points)
    return element(
        "svg",
        element("title", f"{title}: {number_text(bottom)} to {number_text(top)}"),
        void("polygon", points=" ".join(band), fill=BLUE, fill_opacity="0.25", stroke="none") if has_band else None,
        void(
            "polyline",
            points=" ".join(place(a, b) for a, b, _, _ in points),
            fill="none",
            stroke=BLUE,
            stroke_width="1.5",
            stroke_linejoin="round",
        ),
        void("line", x1=0, y1=HEIGHT - 0.5, x2=WIDTH, y2=HEIGHT - 0.5, stroke="currentColor", stroke_opacity="0.3"),
        xmlns="http://www.w3.org/2000/svg",
        width=WIDTH,
        height=HEIGHT,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        style="color:inherit;vertical-align:middle",
    )


def spark_text(y: Sequence[float], width: int = 24) -> str:
    """Return a curve of at most `width` letters for a terminal; empty when fewer than two values are finite."""
    finite = [float(value) for value in y if math.isfinite(value)]
    if len(finite) < 2:
        return ""
    size = max(1, math.ceil(len(finite) / width))
    means = [sum(finite[i : i + size]) / len(finite[i : i + size]) for i in range(0, len(finite), size)]
    low, high = min(means), max(means)
    if not math.isfinite(high - low) or high == low:
        return BARS[3] * len(means)
    return "".join(BARS[min(7, int((value - low) / (high - low) * 8))] for value in means)
