"""The part of an image that is converted, and its size."""

import io

import numpy as np
import pytest
from command import draw, few, many, names, run, run_batch
from PIL import Image

import kqf


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def resized(pixels, width, height):
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


def test_a_region_becomes_the_image():
    pixels = draw("a.png", few())
    result = run("convert", "a.png", "--region", "5,3,25,13")
    assert np.array_equal(kqf.read("a.kqf"), pixels[3:13, 5:25])
    assert "lossless" in result.stdout
    # An earlier result of the same size may be replaced, another may not.
    run("convert", "a.png", "--region", "5,3,25,13")
    run("convert", "a.png", code=1)


def test_a_region_of_a_kqf_file_keeps_its_palette():
    kqf.write("a.kqf", few(), metadata={"comment": "a field"}, tile=16)
    image = kqf.read_indexed("a.kqf", region=(5, 3, 25, 13))
    run("convert", "a.kqf", "b.kqf", "--region", "5,3,25,13")
    assert kqf.read_indexed("b.kqf") == image
    for name in ("b.png", "b.gif", "b.tif"):
        run("convert", "a.kqf", name, "--region", "5,3,25,13")
        with Image.open(name) as opened:
            assert opened.mode == "P"
            assert np.array_equal(np.asarray(opened.convert("RGB")), image.pixels)


@pytest.mark.parametrize(
    ("size", "expected"),
    [("20x10", (20, 10)), ("20", (20, 12)), ("80", (80, 48)), ("50%", (20, 12)), ("1%", (1, 1))],
)
def test_sizes(size, expected):
    pixels = draw("a.png", many())
    result = run("convert", "a.png", "--size", size, "--quality", 100)
    assert f"resized to {expected[0]} x {expected[1]} pixels" in result.stderr
    assert np.array_equal(
        kqf.read("a.kqf"), kqf.quantize(resized(pixels, *expected), quality=100).pixels
    )


def test_a_region_is_taken_first():
    pixels = draw("a.png", many())
    run("convert", "a.png", "b.png", "--region", "0,0,20,20", "--size", "10", "--colors", 9)
    with Image.open("b.png") as image:
        assert image.size == (10, 10)
        found = np.asarray(image.convert("RGB"))
    expected = kqf.quantize(resized(pixels[:20, :20], 10, 10), colors=9).pixels
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("channels", [3, 4])
def test_a_kqf_file_is_resized_in_its_colours(channels):
    kqf.write("a.kqf", few(channels))
    whole = resized(few(channels), 20, 12)
    run("convert", "a.kqf", "b.kqf", "--size", "50%", "--quality", 100)
    assert np.array_equal(kqf.read("b.kqf"), kqf.quantize(whole, quality=100).pixels)
    run("convert", "a.kqf", "b.png", "--size", "50%", "--quality", 100)
    with Image.open("b.png") as image:
        assert image.mode == "P"
    # Formats without a palette get the pixels.
    run("convert", "a.kqf", "b.tga", "--size", "50%")
    with Image.open("b.tga") as image:
        assert np.array_equal(np.asarray(image), whole)


def test_pipes_and_folders():
    pixels = draw("a.png", few())
    data = io.BytesIO()
    kqf.write(data, pixels)
    result = run("convert", "-", "-o", "b.png", "--region", "0,0,9,8", stdin=data.getvalue())
    assert "lossless" in result.stdout
    with Image.open("b.png") as image:
        assert image.size == (9, 8)
    # The original would be no copy of a part.
    _, err = run_batch("a.png", "b.png", "-o", "out", "--size", "7")
    assert "2 made" in err
    assert names("out") == ["a.kqf", "b.kqf"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--region", "0,0,41,9"), 1, "--region must lie inside 0,0,40,24, not 0,0,41,9"),
        (("--region", "9,0,9,9"), 2, "is not left,upper,right,lower in pixels"),
        (("--region", "9,0,9"), 2, "is not left,upper,right,lower in pixels"),
        (("--size", "0"), 2, "is not a size such as 640x480, 640 or 50%"),
        (("--size", "0%"), 2, "is not a size such as 640x480, 640 or 50%"),
        (("--size", "9", "--salvage"), 1, "--salvage: convert it whole"),
        (("--size", "9", "--frame", 1), 1, "has no frame 1"),
    ],
)
def test_what_cannot_be_done_is_told(arguments, code, message):
    kqf.write("a.kqf", few())
    assert message in run("convert", "a.kqf", *arguments, code=code).stderr
    assert names() == ["a.kqf"]
