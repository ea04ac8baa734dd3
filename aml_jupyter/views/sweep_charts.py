"""Draw a sweep as SVG: what it reached over time, learning curves, parallel coordinates, importance, slices, and who ran when.

Plain attributes only, as in `charts`: the drawings stand in exported notebooks, on light and on dark pages.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

from aml_jupyter.hyperdrive.space import Dimension, Space
from aml_jupyter.views.charts import BLUE
from aml_jupyter.views.drawing import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis, dot, frame, line, svg, words
from aml_jupyter.views.formats import duration_text, number_text
from aml_jupyter.views.html import Html, element, join, void
from aml_jupyter.views.sweep import SweepChild, SweepView

__all__ = ["sweep_charts"]

ORANGE = "#d9822b"
GREY = "#8a8a8a"
SLICES = 4
MOST = 200
"""A chart draws so many children: the best ones, or the newest where it is about time."""


def sweep_charts(view: SweepView, is_live: bool = False) -> Html | None:
    """Return the charts of a sweep side by side, None while there is nothing to draw; a live view has one of them by itself."""
    charts = [
        _chart("best so far", _history(view)),
        _chart(f"{view.metric} by interval", _learning_curves(view)),
        None if is_live else _chart("parallel coordinates: the stronger a line, the better", _parallel(view)),
        _chart("importance", _importance(view)),
        *(_chart(f"{view.metric} by {name}", drawn) for name, drawn in _slices(view)),
        _chart(
            f"{'two most important parameters' if view.importances else 'two parameters'}: the stronger, the better",
            _scatter(view),
        ),
        _chart("timeline", _timeline(view)),
    ]
    drawn = [chart for chart in charts if chart is not None]
    return element("div", *drawn) if drawn else None


def _chart(title: str, drawn: Html | None) -> Html | None:
    if drawn is None:
        return None
    return element(
        "div",
        element("div", title, style="font-size:12px"),
        drawn,
        style="display:inline-block;vertical-align:top;margin:4px 16px 4px 0",
    )


def _said(view: SweepView, child: SweepChild) -> str:
    given = ", ".join(f"{name} {view.parameter_text(child, name)}" for name in child.parameters)
    value = "" if child.best is None else f": {view.metric} {number_text(child.best)}"
    return f"no. {child.number}{value} ({given}) {child.remark}".strip()


def _measured(view: SweepView) -> list[SweepChild]:
    return [child for child in view.ranked if child.best is not None]


def _strength(place: int, count: int) -> float:
    """Return how opaque the child at a place of the ranking is drawn."""
    return 1.0 if count < 2 else 0.15 + 0.85 * (1 - place / (count - 1)) ** 2


def _history(view: SweepView) -> Html | None:
    """Draw what each ended child reached, in the order in which they ended, and the best so far."""
    ended = sorted((c for c in _measured(view) if c.final), key=lambda child: (child.run.ended or 0.0, child.number))
    if len(ended) < 2:
        return None
    values = [child.best or 0.0 for child in ended]
    best_so_far = list(accumulate(values, max if view.maximise else min))
    x = Axis(0, len(ended) - 1, LEFT + 4, WIDTH - RIGHT)
    y = Axis.over(values, HEIGHT - BOTTOM - 2, TOP, may_be_log=True)
    steps = [(x.at(0), y.at(values[0]))]
    for index, (before, level) in enumerate(pairwise(best_so_far), start=1):
        if level != before:
            steps += [(x.at(index), y.at(before)), (x.at(index), y.at(level))]
    steps.append((x.end, y.at(best_so_far[-1])))
    dots = [
        dot(x.at(index), y.at(values[index]), GREY if child.was_stopped else BLUE, _said(view, child), 0.7, 2.5)
        for index, child in _thinned(ended)
    ]
    return svg(
        f"best so far: {number_text(best_so_far[-1])} of {len(values)} children",
        frame(("first to end", f"{len(values)} children"), y),
        *dots,
        line(steps, ORANGE),
    )


def _thinned(children: Sequence[SweepChild]) -> Iterator[tuple[int, SweepChild]]:
    """Yield at most `MOST` of the children, evenly spread, with their places."""
    stride = max(1, math.ceil(len(children) / MOST))
    yield from ((index, children[index]) for index in range(0, len(children), stride))


def _learning_curves(view: SweepView) -> Html | None:
    """Draw the curves of the best children and of those that run; a stopped one ends in a cross."""
    finite = {
        number: [(index + 1, value) for index, value in enumerate(values) if math.isfinite(value)]
        for number, values in view.curves.items()
    }
    curves = {number: points for number, points in finite.items() if len(points) > 1}
    if not curves:
        return None
    every = [value for points in curves.values() for _, value in points]
    longest = max(points[-1][0] for points in curves.values())
    x = Axis(1, longest, LEFT + 2, WIDTH - RIGHT - 4)
    y = Axis.over(every, HEIGHT - BOTTOM - 2, TOP, may_be_log=True)
    by_number = {child.number: child for child in view.children}
    best = view.best
    parts = []
    for number, points in sorted(curves.items(), key=lambda item: best is not None and item[0] == best.number):
        child = by_number[number]
        is_best = best is not None and number == best.number
        colour = ORANGE if is_best else GREY if child.was_stopped else BLUE
        places = [(x.at(step), y.at(value)) for step, value in points]
        drawn = line(places, colour, 2 if is_best else 1, 1.0 if is_best else 0.5)
        cross = words(places[-1][0] - 3, places[-1][1] + 3, "✕") if child.was_stopped else None
        parts.append(element("g", element("title", _said(view, child)), drawn, cross))
    return svg(f"{view.metric} of {len(curves)} children", frame(("1", f"interval {longest}"), y), *parts)


def _dimensions(view: SweepView) -> list[Dimension]:
    return list(Space(view.space).dimensions)


def _parallel(view: SweepView) -> Html | None:
    """Draw each child as a line through its parameters, on axes scaled by their expressions, to what it reached."""
    measured = _measured(view)
    dimensions = _dimensions(view)
    if len(measured) < 2:
        return None
    width = max(WIDTH, 100 * (len(dimensions) + 1))
    values = Axis.over([child.best or 0.0 for child in measured], HEIGHT - BOTTOM - 4, TOP + 14)
    across = [44 + index * (width - 88) / len(dimensions) for index in range(len(dimensions) + 1)]
    names = [*(dimension.name for dimension in dimensions), view.metric]
    axes = [
        join(
            [
                void(
                    "line",
                    x1=f"{x:.1f}",
                    y1=TOP + 14,
                    x2=f"{x:.1f}",
                    y2=HEIGHT - BOTTOM - 4,
                    stroke="currentColor",
                    stroke_opacity="0.3",
                ),
                words(x, TOP + 6, name if len(name) < 14 else name[:12] + "…", "middle"),
                words(x, HEIGHT - 5, _end(view, name, 0.0, dimensions), "middle"),
            ]
        )
        for x, name in zip(across, names, strict=True)
    ]
    lines = []
    shown = measured[:MOST]
    for place, child in reversed(list(enumerate(shown))):
        points = [
            (x, HEIGHT - BOTTOM - 4 - u * (HEIGHT - BOTTOM - 4 - TOP - 14))
            for x, dimension in zip(across, dimensions, strict=False)
            if (u := dimension.position(child.parameters.get(dimension.name))) is not None
        ]
        points.append((across[-1], values.at(child.best or 0.0)))
        drawn = line(
            points,
            ORANGE if place == 0 else GREY if child.was_stopped else BLUE,
            2 if place == 0 else 1,
            _strength(place, len(shown)),
        )
        lines.append(element("g", element("title", _said(view, child)), drawn))
    return svg("parameters of each child, and what it reached", *axes, *lines, width=width)


def _end(view: SweepView, name: str, u: float, dimensions: Sequence[Dimension]) -> str:
    """Return what stands at the lower end of an axis, and at its upper one."""
    dimension = next((each for each in dimensions if each.name == name), None)
    if dimension is None:
        values = [child.best for child in view.children if child.best is not None]
        return f"{number_text(min(values), 3)} … {number_text(max(values), 3)}"
    low, high = dimension.value(max(u, 1e-3)), dimension.value(1 - 1e-3)
    return f"{_short(low)} … {_short(high)}" if low != high else _short(low)


def _short(value: object) -> str:
    text = number_text(value, 2)
    return text if len(text) <= 8 else text[:7] + "…"


def _by_importance(view: SweepView) -> list[str]:
    """Return the parameters, the most important ones first."""
    known = [dimension.name for dimension in _dimensions(view)]
    return [*view.importances, *(name for name in known if name not in view.importances)]


def _importance(view: SweepView) -> Html | None:
    """Draw a bar for each parameter's share."""
    shares = list(view.importances.items())[:10]
    if len(shares) < 2:
        return None
    height = 20 * len(shares) + 6
    bars = []
    for index, (name, share) in enumerate(shares):
        y = 4 + 20 * index
        bars.append(words(96, y + 11, name if len(name) < 16 else name[:14] + "…", "end"))
        bars.append(
            void("rect", x=100, y=y, width=f"{share * (WIDTH - 150):.1f}", height=14, fill=BLUE, fill_opacity="0.8")
        )
        bars.append(words(104 + share * (WIDTH - 150), y + 11, f"{share:.0%}"))
    said = ", ".join(f"{name} {share:.0%}" for name, share in shares)
    return svg(f"importance: {said}", *bars, height=height)


def _slices(view: SweepView) -> Iterator[tuple[str, Html]]:
    """Draw what was reached over each parameter, the most important ones first."""
    measured = [child for child in _measured(view) if child.final][:MOST]
    if len(measured) < 3:
        return
    known = {dimension.name: dimension for dimension in _dimensions(view)}
    order = _by_importance(view)
    y = Axis.over([child.best or 0.0 for child in measured], HEIGHT - BOTTOM - 2, TOP, may_be_log=True)
    for name in order[:SLICES]:
        dimension = known[name]
        if dimension.is_discrete and len(dimension.options) < 2:
            continue
        dots = [
            dot(
                LEFT + 6 + u * (WIDTH - RIGHT - LEFT - 12),
                y.at(child.best or 0.0),
                GREY if child.was_stopped else BLUE,
                _said(view, child),
                0.7,
            )
            for child in measured
            if (u := dimension.position(child.parameters.get(name))) is not None
        ]
        ends = (_short(dimension.value(1e-3)), _short(dimension.value(1 - 1e-3)))
        yield name, svg(f"{view.metric} by {name}", frame(ends, y), *dots)


def _scatter(view: SweepView) -> Html | None:
    """Draw the children in the plane of the two most important parameters; of the first two while none is known to matter."""
    measured = [child for child in _measured(view) if child.final][:MOST]
    names = _by_importance(view)[:2]
    if len(names) < 2 or len(measured) < 3:
        return None
    across, up = (next(each for each in _dimensions(view) if each.name == name) for name in names)
    dots = []
    for place, child in reversed(list(enumerate(measured))):
        u, v = (dimension.position(child.parameters.get(dimension.name)) for dimension in (across, up))
        if u is None or v is None:
            continue
        x = LEFT + 6 + u * (WIDTH - RIGHT - LEFT - 12)
        y = HEIGHT - BOTTOM - 6 - v * (HEIGHT - BOTTOM - TOP - 12)
        dots.append(dot(x, y, ORANGE if place == 0 else BLUE, _said(view, child), _strength(place, len(measured)), 4))
    base = HEIGHT - BOTTOM
    axes = join(
        [
            void("line", x1=LEFT, y1=base, x2=WIDTH - RIGHT, y2=base, stroke="currentColor", stroke_opacity="0.3"),
            void("line", x1=LEFT, y1=TOP, x2=LEFT, y2=base, stroke="currentColor", stroke_opacity="0.3"),
            words(LEFT - 4, TOP + 8, _short(up.value(1 - 1e-3)), "end"),
            words(LEFT - 4, base, _short(up.value(1e-3)), "end"),
            words(LEFT, HEIGHT - 5, _short(across.value(1e-3))),
            words((LEFT + WIDTH) / 2, HEIGHT - 5, across.name, "middle"),
            words(WIDTH - RIGHT, HEIGHT - 5, _short(across.value(1 - 1e-3)), "end"),
            words(LEFT + 4, TOP + 8, up.name),
        ]
    )
    return svg(f"{view.metric} by {across.name} and {up.name}", axes, *dots)


def _timeline(view: SweepView) -> Html | None:
    """Draw when each child ran, in as many lanes as ran at once."""
    begun = sorted((c for c in view.children if c.run.started is not None), key=lambda child: child.run.started or 0.0)
    if len(begun) < 2:
        return None
    begun = begun[-MOST:]
    first = begun[0].run.started or 0.0
    last = max(child.run.ended or view.as_of for child in begun)
    x = Axis(first, max(last, first + 1e-3), 4, WIDTH - RIGHT)
    lanes: list[float] = []
    bars = []
    best = view.best
    for child in begun:
        start, end = child.run.started or first, child.run.ended or view.as_of
        lane = next((index for index, free in enumerate(lanes) if free <= start), len(lanes))
        lanes[lane : lane + 1] = [end]
        colour = ORANGE if best is not None and child.number == best.number else GREY if child.was_stopped else BLUE
        if child.run.status == "Failed":
            colour = "#d9484f"
        bars.append(
            element(
                "rect",
                element("title", f"{_said(view, child)} {duration_text(end - start)}"),
                x=f"{x.at(start):.1f}",
                y=4 + 12 * lane,
                width=f"{max(1.0, x.at(end) - x.at(start) - 0.5):.1f}",
                height=10,
                fill=colour,
                fill_opacity="0.8",
            )
        )
    height = 12 * len(lanes) + 22
    return svg(
        f"{len(begun)} children in {duration_text(last - first)}, {len(lanes)} at once",
        *bars,
        words(4, height - 5, "0 s"),
        words(WIDTH - RIGHT, height - 5, duration_text(last - first), "end"),
        height=height,
    )
