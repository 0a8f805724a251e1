"""The page of a report, without a browser."""

import base64
import io
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import walk
from PIL import Image

import kqf
from kqf.report import html as page
from kqf.report.measure import measure


def report_on(pixels, name="it.png"):
    return measure(pixels, name=name, file_format="PNG", file_bytes=9999, threads=1)


@pytest.fixture(scope="module")
def pixels():
    return walk(60, 90, 3)


@pytest.fixture(scope="module")
def done(pixels):
    return report_on(pixels, "<script>alert(1)</script>.png")


def image_of(uri):
    assert uri.startswith("data:image/")
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGBA"))[..., :3]


def test_pictures_are_the_pixels(pixels, done):
    section = page.section_of(done, pixels, 1)
    assert (image_of(section.original) == pixels).all()
    assert section.data["scale"] == 1
    names = [variant["name"] for variant in section.data["variants"]]
    assert {"KQF, 16 colours, quality 100", "KQF, 256 colours, quality 50"} <= set(names)
    assert names[section.data["first"]] == f"KQF, {done.suggested[0]} colours, quality 100"
    for variant in section.data["variants"]:
        picture = done.pictures[variant["name"]]
        assert (image_of(variant["uri"]) == picture.pixels).all()
        assert variant["palette"] == picture.codebook.tolist()
        assert sum(variant["shares"]) == pytest.approx(1, abs=0.01)
        worst = kqf.largest_error(pixels, picture.pixels)
        assert (variant["worst"]["x"], variant["worst"]["y"]) == (worst.x, worst.y)
        assert variant["detail"] is None


def test_the_counts_asked_for_are_shown(pixels):
    done = measure(pixels, name="a", file_format="PNG", file_bytes=1, counts=[9, 33], threads=1)
    names = [each["name"] for each in page.section_of(done, pixels, 1).data["variants"]]
    assert names == sorted(
        [
            "KQF, 4 colours, quality 100",
            "KQF, 9 colours, quality 100",
            f"KQF, {done.suggested[0]} colours, quality 100",
            *(f"KQF, 33 colours, quality {quality}" for quality in (100, 75, 50)),
        ],
        key=lambda name: [int(name.split()[1]), -int(name.split()[-1])],
    )


def test_large_pictures_are_reduced_but_for_the_worst(pixels, done, monkeypatch):
    monkeypatch.setattr(page, "_PIXELS", 1000)
    section = page.section_of(done, pixels, 1)
    assert section.data["scale"] == 3
    assert image_of(section.original).shape == (20, 30, 3)
    for variant in section.data["variants"]:
        worst, detail = variant["worst"], variant["detail"]
        rows = slice(detail["y"], detail["y"] + 48)
        columns = slice(detail["x"], detail["x"] + 48)
        original, result = (image_of(uri) for uri in detail["uris"])
        assert (original == pixels[rows, columns]).all()
        assert (result == done.pictures[variant["name"]].pixels[rows, columns]).all()
        assert detail["x"] <= worst["x"] < detail["x"] + 48
        assert detail["y"] <= worst["y"] < detail["y"] + 48


def test_many_images_share_the_space(pixels, done):
    assert page.section_of(done, pixels, 10**4).data["scale"] > 1


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_any_channels(channels):
    pixels = walk(12, 15, channels)
    pixels = pixels[..., 0] if channels == 1 else pixels
    section = page.section_of(report_on(pixels), pixels, 1)
    widths = {len(color) for variant in section.data["variants"] for color in variant["palette"]}
    assert widths == {3 if channels == 1 else 4}
    assert all(len(color) == 3 for color in section.data["sample"]["rgb"])
    page.render("title", [section])


def test_an_image_that_is_all_transparent():
    pixels = np.zeros((12, 15, 4), np.uint8)
    section = page.section_of(report_on(pixels), pixels, 1)
    assert section.data["sample"] == {"rgb": [], "oklab": []}


def test_names_are_text_and_nothing_comes_from_elsewhere(pixels, done):
    text = page.render("A title", [page.section_of(done, pixels, 1)], [done])
    assert "alert(1)" in text
    assert "<script>alert" not in text
    (data,) = re.findall(r'<script type="application/json" class="data">(.*?)</script>', text)
    assert json.loads(data)["width"] == 90
    assert re.findall(r"<(?:script|img|link|iframe)[^>]*\s(?:src|href)=\"(?!data:)", text) == []
    assert "@import" not in text.partition("</style>")[0]


def test_missing_values_sort_last_and_infinite_ones_highest():
    assert page._sort_key(None) == ""
    assert float(page._sort_key(float("inf"))) > 1e9
    assert page._sort_key(0.5) == "0.5"


def test_the_wheel_has_what_the_page_is_made_of(tmp_path):
    root = Path(kqf.__file__).parents[1]
    if not (root / "pyproject.toml").exists():
        pytest.skip("not a checkout: there is nothing to build")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {f"kqf/report/templates/page.{kind}" for kind in ("html", "css", "js")} <= names
