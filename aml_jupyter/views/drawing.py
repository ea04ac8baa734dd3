"""Draw lines, dots, words and axes as SVG with plain attributes: they stand in exported notebooks, on light and on dark pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from aml_jupyter.views.formats import number_text
from aml_jupyter.views.html import Html, element, join, void

__all__ = ["BOTTOM", "HEIGHT", "LEFT", "RIGHT", "TOP", "WIDTH", "Axis", "dot", "frame", "line", "svg", "words"]

WIDTH, HEIGHT = 360, 170
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 8, 18
TEXT: dict[str, str | int | float | None] = {
    "font_size": 10,
    "fill": "currentColor",
    "fill_opacity": "0.75",
    "font_family": "sans-serif",
}


@dataclass(frozen=True)
class Axis:
    """Map values to the pixels between two places; on a logarithmic axis when they span three powers of ten."""

    low: float
    high: float
    begin: float
    end: float
    is_log: bool = False

    @classmethod
    def over(cls, values: Sequence[float], begin: float, end: float, may_be_log: bool = False) -> Axis:
        low, high = min(values), max(values)
        return cls(low, high, begin, end, may_be_log and low > 0 and high / low > 1000)

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        low, high, value = (
            (math.log(v) for v in (self.low, self.high, value)) if self.is_log else (self.low, self.high, value)
        )
        share = (value / 2 - low / 2) / (high / 2 - low / 2) if high > low else 0.5
        return self.begin + share * (self.end - self.begin)


def svg(title: str, *parts: Html | None, width: float = WIDTH, height: float = HEIGHT) -> Html:
    return element(
        "svg",
        element("title", title),
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        width=f"{width:g}",
        height=f"{height:g}",
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        style="color:inherit;vertical-align:middle",
    )


def words(x: float, y: float, text: str, anchor: str = "start") -> Html:
    """Return a word or two."""
    return element("text", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, **TEXT)


def line(
    points: Sequence[tuple[float, float]],
    colour: str,
    width: float = 1.5,
    opacity: float = 1.0,
    dash: str | None = None,
) -> Html:
    return void(
        "polyline",
        points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points),
        fill="none",
        stroke=colour,
        stroke_width=f"{width:g}",
        stroke_opacity=f"{opacity:.2f}",
        stroke_linejoin="round",
        stroke_dasharray=dash,
    )


def dot(x: float, y: float, colour: str, said: str, opacity: float = 1.0, size: float = 3) -> Html:
    return element(
        "circle",
        element("title", said),
        cx=f"{x:.1f}",
        cy=f"{y:.1f}",
        r=f"{size:g}",
        fill=colour,
        fill_opacity=f"{opacity:.2f}",
    )


def frame(x_words: tuple[str, str], y: Axis) -> Html:
    """Return the two axes with what stands at their ends."""
    base = HEIGHT - BOTTOM
    return join(
        [
            void("line", x1=LEFT, y1=base, x2=WIDTH - RIGHT, y2=base, stroke="currentColor", stroke_opacity="0.3"),
            void("line", x1=LEFT, y1=TOP, x2=LEFT, y2=base, stroke="currentColor", stroke_opacity="0.3"),
            words(LEFT - 4, TOP + 8, number_text(y.high, 3), "end"),
            words(LEFT - 4, base, number_text(y.low, 3), "end"),
            words(LEFT, HEIGHT - 5, x_words[0]),
            words(WIDTH - RIGHT, HEIGHT - 5, x_words[1], "end"),
        ]
    )
