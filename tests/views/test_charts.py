from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from aml_jupyter.views.charts import line_chart, spark_text

SVG = "{http://www.w3.org/2000/svg}"


def test_a_chart_is_well_formed_xml_inside_its_frame() -> None:
    y = [1.0, 5.0, 2.0]
    svg = line_chart([0, 1, 2], y, [0.0, 4.0, 1.0], [2.0, 6.0, 3.0], 'loss <&"')
    assert svg is not None
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert root.findtext(f"{SVG}title") == 'loss <&": 0 to 6'
    for shape in (f"{SVG}polyline", f"{SVG}polygon"):
        points = [tuple(map(float, pair.split(","))) for pair in root.find(shape).attrib["points"].split()]  # type: ignore[union-attr]
        assert all(0 <= x <= 220 and 0 <= height <= 56 for x, height in points)
    line = [float(pair.split(",")[1]) for pair in root.find(f"{SVG}polyline").attrib["points"].split()]  # type: ignore[union-attr]
    assert line[1] < line[2] < line[0]  # a greater value stands higher


@pytest.mark.parametrize("y", [[], [1.0], [math.nan, 1.0, math.inf]])
def test_too_few_points_make_no_chart(y: list[float]) -> None:
    assert line_chart(list(range(len(y))), y, y, y, "loss") is None
    assert spark_text(y) == ""


@pytest.mark.parametrize("y", [[3.0, 3.0], [-1.7e308, 1.7e308], [1e-320, 2e-320], [math.nan, 1.0, 2.0]])
def test_odd_values_are_drawn(y: list[float]) -> None:
    svg = line_chart(list(range(len(y))), y, y, y, "loss")
    assert svg is not None
    ElementTree.fromstring(svg)
    assert "nan" not in svg.split("</title>")[1]
    assert spark_text(y)


def test_a_curve_for_terminals_rises_with_its_values() -> None:
    drawn = spark_text([float(value) for value in range(1000)], 20)
    assert len(drawn) <= 20
    assert list(drawn) == sorted(drawn)
    assert drawn[0] == "▁" and drawn[-1] == "█"
