"""Charts as SVG."""

from xml.etree import ElementTree

import pytest

from kqf.report.charts import Point, _ticks, curves_as_svg


def test_every_point_is_inside_and_has_its_label():
    curves = {
        "<one>": [Point(0.5, 30.0, "a & b"), Point(2.0, 41.5, "c")],
        "two": [Point(1.0, 25.0, "d")],
    }
    text = curves_as_svg(curves, title="a <title>", x_title="x", y_title="y")
    root = ElementTree.fromstring(text)
    assert root.get("aria-label") == "a <title>"
    _, _, width, height = map(float, root.get("viewBox").split())
    circles = [it for it in root.iter("circle") if it.find("title") is not None]
    assert [it.find("title").text for it in circles] == ["a & b", "c", "d"]
    for circle in circles:
        assert 0 < float(circle.get("cx")) < width
        assert 0 < float(circle.get("cy")) < height
    high, highest, low = (float(circle.get("cy")) for circle in circles)
    assert highest < high < low
    assert "<one>" in [it.text for it in root.iter("text")]


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 0.013), (24.2, 41.9), (5, 5), (0, 8e6)])
def test_ticks_are_few_and_enclose_all(low, high):
    ticks = _ticks(low, high)
    assert ticks[0] <= low <= high <= ticks[-1]
    assert 2 <= len(ticks) <= 9
    assert ticks == sorted(ticks)
