"""A report as a document."""

import csv
import io
import json

import pytest
from conftest import smooth_image

from kqf.report.documents import as_csv, as_json, as_markdown
from kqf.report.measure import Unreadable, measure
from kqf.report.summary import compare, summarize


@pytest.fixture(scope="module")
def done():
    pixels = smooth_image(24, 40, 3)
    options = {"file_format": "PNG", "file_bytes": 999, "threads": 1, "full": True}
    return measure(pixels, name="<b>|x.png", **options)


BAD = Unreadable("bad_*.png", "cannot be read: <i>\x1b[31m")


def test_markdown(done):
    text = as_markdown([done, BAD])
    assert r"## \<b\>\|x.png: PNG, 40 x 24 pixels, RGB, " in text
    assert (
        "\n## bad\\_\\*.png\n\n**Cannot be read**: cannot be read: \\<i\\>\\\\x1b\\[31m\n" in text
    )
    assert "Suggested: " in text
    assert all(f"| {row.name} " in text for row in done.rows)
    assert "Means over" not in text
    assert "\n- Rows of KQF's labels hold" in text
    assert "## Means over 2 images\n" in as_markdown([done, done])


def test_csv(done):
    rows = list(csv.DictReader(io.StringIO(as_csv([BAD, done]))))
    assert rows[0]["image"] == "bad_*.png"
    assert rows[0]["error"].startswith("cannot be read: <i>")
    assert rows[0]["bytes"] == ""
    assert [row["name"] for row in rows[1:]] == [row.name for row in done.rows]
    assert [int(row["bytes"]) for row in rows[1:]] == [row.bytes for row in done.rows]
    worst = next(row for row in done.rows if row.name == "KQF, 2 colours, quality 75")
    found = next(row for row in rows if row["name"] == worst.name)
    assert float(found["largest_error_distance"]) == worst.largest_error.distance
    assert int(found["largest_error_x"]) == worst.largest_error.x
    assert {row["error"] for row in rows[1:]} == {""}


def test_json(done):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    found = json.loads(as_json([done, BAD]), parse_constant=refuse)
    assert found["images"][1] == {"name": BAD.name, "error": BAD.error}
    image = found["images"][0]
    assert image["suggested"]["colors"] == done.suggested.colors
    assert (image["width"], image["height"], image["colors"]) == (40, 24, done.colors)
    row = image["rows"][0]
    assert (row["name"], row["bytes"], row["psnr"], row["lossless"]) == (
        "PNG file as given",
        999,
        None,
        True,
    )
    assert len(found["summary"]) == len(summarize([done]))
    assert len(found["comparisons"]) == len(compare([done]))


def test_nothing_that_can_be_read():
    assert json.loads(as_json([BAD]))["summary"] == []
    assert as_csv([BAD]).splitlines()[0] == "image,error"
    assert "Geometric" not in as_markdown([BAD])
