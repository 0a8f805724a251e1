"""The page of a report, without a browser."""

import base64
import io
import json
import re
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from conftest import smooth_image
from PIL import Image
from sklearn.datasets import load_sample_image

import kqf
from kqf.report import html as page
from kqf.report.competitors import png8_by
from kqf.report.documents import summary_tables
from kqf.report.measure import measure


def report_on(pixels, name="it.png"):
    return measure(pixels, name=name, file_format="PNG", file_bytes=9999, threads=1)


@pytest.fixture(scope="module")
def pixels():
    return smooth_image(60, 90, 3)


@pytest.fixture(scope="module")
def done(pixels):
    return report_on(pixels, "<script>alert(1)<!--.png")


def image_of(uri):
    assert uri.startswith("data:image/")
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGBA"))[..., :3]


def test_pictures_are_the_pixels(pixels, done):
    section = page.section_of(done, pixels, 1)
    assert (image_of(section.original) == pixels).all()
    assert section.data["scale"] == 1
    names = [variant["name"] for variant in section.data["variants"]]
    assert names[0] == done.default.name == "KQF, 256 colours, quality 75"
    assert names[-1] == f"{png8_by('Pillow')}, 256 colours"
    assert "KQF, 64 colours, quality 75" in names
    for variant in section.data["variants"]:
        picture = done.pictures[variant["name"]]
        if variant["name"].startswith("KQF"):
            file = base64.b64decode(variant["uri"].partition(",")[2])
            assert file == done.files[variant["name"]]
            assert kqf.read_indexed(file) == picture
            rgba = np.dstack([picture.pixels, np.full((60, 90), 255, np.uint8)])
            assert variant["crc"] == zlib.crc32(rgba.tobytes())
        else:
            assert variant["crc"] is None
            assert (image_of(variant["uri"]) == picture.pixels).all()
        assert variant["palette"] == picture.codebook.tolist()
        assert sum(variant["shares"]) == pytest.approx(1, abs=0.01)
        worst = kqf.largest_error(pixels, picture.pixels)
        assert (variant["worst"]["x"], variant["worst"]["y"]) == (worst.x, worst.y)
        assert variant["detail"] is None


def test_each_table_of_one_image_stands_once(pixels, done):
    text = page.render("KQF report", [page.section_of(done, pixels, 1)], [done])
    assert text.count("<table>") == 2
    two = page.render("KQF report", [page.section_of(done, pixels, 2)] * 2, [done, done])
    assert two.count("<table>") == 4 + len(summary_tables([done, done]))


def test_a_full_report_has_a_chart_and_some_of_the_pictures(pixels):
    options = {"file_format": "PNG", "file_bytes": 1, "threads": 1, "full": True}
    done = measure(pixels, name="a", **options)
    section = page.section_of(done, pixels, 1)
    assert section.chart.startswith("<svg")
    names = [each["name"] for each in section.data["variants"]]
    assert names[0] == done.default.name
    assert {f"KQF, {count} colours, quality 75" for count in (16, 64, 256)} <= set(names)
    assert "KQF, 256 colours, quality 50" in names
    assert len(names) < len(done.pictures)


def test_the_page_of_one_photograph_is_small():
    photograph = load_sample_image("flower.jpg")
    text = page.render("KQF report", [page.section_of(report_on(photograph), photograph, 1)])
    assert len(text) < 2_000_000


def test_large_pictures_are_reduced_but_for_the_worst(pixels, done, monkeypatch):
    whole = page.section_of(done, pixels, 1)
    sizes = len(whole.original) + sum(len(each["uri"]) for each in whole.data["variants"])
    monkeypatch.setattr(page, "_SIZE", sizes // 5)
    section = page.section_of(done, pixels, 1)
    scale = section.data["scale"]
    assert scale > 1
    assert image_of(section.original).shape == (-(-60 // scale), -(-90 // scale), 3)
    sizes = len(section.original) + sum(len(each["uri"]) for each in section.data["variants"])
    assert sizes <= page._SIZE
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
    pixels = smooth_image(12, 15, channels)
    pixels = pixels[..., 0] if channels == 1 else pixels
    section = page.section_of(report_on(pixels), pixels, 1)
    widths = {len(color) for variant in section.data["variants"] for color in variant["palette"]}
    assert widths == {3 if channels == 1 else 4}
    page.render("title", [section])


def test_an_image_that_is_all_transparent():
    pixels = np.zeros((12, 15, 4), np.uint8)
    section = page.section_of(report_on(pixels), pixels, 1)
    assert section.data["variants"][0]["palette"] == [[0, 0, 0, 0]]


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
