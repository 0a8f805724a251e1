"""Images quantized to palette PNG, GIF and lossless WebP."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from command import (
    ICC,
    XMP,
    draw,
    few,
    many,
    names,
    record,
    run,
    run_batch,
    run_process,
    with_metadata,
)
from PIL import Image

import kqf


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def shown(name):
    with Image.open(name) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("suffix", ["png", "gif", "webp"])
@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((), {}),
        (("-c", 16), {"colors": 16}),
        (("-q", 100, "-c", 40), {"quality": 100, "colors": 40}),
        (("--method", "median-cut"), {"method": "median-cut"}),
        (("--dither", "ordered", "-c", 8), {"dither": "ordered", "colors": 8}),
        (("--dither", "none", "-c", 8), {"colors": 8}),
        (("--keep", "#ff00ff"), {"keep": [(255, 0, 255)]}),
    ],
)
def test_options_mean_the_same_as_for_kqf(suffix, arguments, options):
    pixels = draw("x.bmp", many())
    found = record("x.bmp", "-o", f"y.{suffix}", "--verify", *arguments)
    image = kqf.quantize(pixels, **options)
    assert np.array_equal(shown(f"y.{suffix}"), image.pixels)
    assert found["colors"] == len(image.codebook)
    assert found["exact"] is False
    assert found["largest_error"] == vars(kqf.largest_error(pixels, image.pixels))
    assert found["bytes_out"] == Path(f"y.{suffix}").stat().st_size


def test_few_colours_are_exact():
    pixels = draw("x.bmp", few())
    assert record("x.bmp", "y.png", "--verify")["exact"] is True
    assert np.array_equal(shown("y.png"), pixels)
    with Image.open("y.png") as image:
        assert image.mode == "P"


def test_a_palette_is_used_in_its_order():
    draw("x.bmp", many())
    Path("two.txt").write_text("#ffffff\n#000000\n")
    run("convert", "x.bmp", "y.png", "--palette", "two.txt")
    with Image.open("y.png") as image:
        assert image.getpalette()[:6] == [255, 255, 255, 0, 0, 0]


def test_metadata_is_kept_or_told():
    with_metadata("x.jpg")
    assert "keeps no" not in run("convert", "x.jpg", "y.png").stderr
    with Image.open("y.png") as image:
        assert image.info["icc_profile"] == ICC
        assert image.info["xmp"] == XMP
        assert image.info["Comment"] == "hello"
        assert image.getexif()[0x0112] == 6
    assert "GIF keeps no icc_profile, exif, xmp, dpi" in run("convert", "x.jpg", "y.gif").stderr
    run("convert", "x.jpg", "z.png", "--strip")
    with Image.open("z.png") as image:
        assert not {"icc_profile", "xmp", "Comment", "exif"} & image.info.keys()


def test_a_limit_of_bytes_is_of_the_file_that_is_written():
    draw("x.bmp", many())
    run("convert", "x.bmp", "y.png")
    limit = Path("y.png").stat().st_size * 3 // 4
    found = record("x.bmp", "-o", "z.png", "--max-bytes", limit)
    assert found["bytes_out"] == Path("z.png").stat().st_size <= limit
    assert 2 < found["colors"] < 256
    more = record("x.bmp", "-o", "w.png", "-c", found["colors"] + 1)
    assert more["bytes_out"] > limit
    result = run("convert", "x.bmp", "-o", "v.png", "--max-bytes", 60, code=1)
    assert "max_bytes=60 can't be met: 2 colours take" in result.stderr
    assert not Path("v.png").exists()


def test_a_kqf_file_is_quantized_only_if_asked():
    pixels = draw("x.png", few(colors=200))
    run("convert", "x.png")
    run("convert", "x.kqf", "same.png")
    assert np.array_equal(shown("same.png"), pixels)
    found = record("x.kqf", "-o", "less.gif", "-c", 9, "--verify")
    assert (found["colors"], found["exact"]) == (9, False)


def test_what_is_for_kqf_alone_is_refused():
    draw("x.bmp", few())
    for option in (("--tile", 8), ("--predictor", "up")):
        result = run("convert", "x.bmp", "y.png", *option, code=1)
        assert f"{option[0]}: for writing KQF alone, not .png" in result.stderr
    result = run("convert", "x.bmp", "y.jpg", code=1)
    assert "JPEG does not keep exact colours: .png, .gif and .webp do" in result.stderr
    assert names() == ["x.bmp"]


def test_transparency_is_kept():
    pixels = draw("x.png", few(4))
    pixels[..., 3] = np.where(pixels[..., 3] > 128, 255, 0)
    draw("x.png", pixels)
    for name in ("y.png", "y.gif", "y.webp"):
        run("convert", "x.png", "-o", name, "--verify")
        with Image.open(name) as image:
            assert np.array_equal(np.asarray(image.convert("RGBA"))[..., 3], pixels[..., 3])


@pytest.mark.parametrize("channels", [None, 2])
def test_gray_stays_gray(channels):
    pixels = many(2)[..., 0] if channels is None else many(2)
    draw("x.png", pixels)
    run("convert", "x.png", "y.png", "-q", 100, "--verify", "-c", 32)
    with Image.open("y.png") as image:
        found = np.asarray(image.convert("RGBA"))
    assert (found[..., 0] == found[..., 1]).all()
    assert (found[..., 0] == found[..., 2]).all()
    expected = kqf.quantize(pixels, quality=100, colors=32).pixels
    assert np.array_equal(found[..., 0], expected if channels is None else expected[..., 0])


def test_through_pipes():
    pixels = many()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "BMP")
    data, _ = run_process(
        "convert", "-", "-o", "-", "--format", "png", "-c", 9, stdin=buffer.getvalue()
    )
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "PNG"
        expected = kqf.quantize(pixels, colors=9).pixels
        assert np.array_equal(np.asarray(image.convert("RGB")), expected)


def test_a_folder_becomes_palette_images():
    Path("in/deep").mkdir(parents=True)
    draw("in/a.png", np.tile(many(), (3, 3, 1)))
    draw("in/deep/b.bmp", many())
    kqf.write("in/c.kqf", few())
    draw("in/flat.png", np.zeros((1, 1), np.uint8), optimize=True)
    arguments = "in", "-o", "out", "--format", "png", "--json", "-c", 30
    out, _ = run_batch(*arguments)
    states = {each["input"]: each["state"] for each in map(json.loads, out.splitlines())}
    assert states == {
        "in/a.png": "made",
        "in/c.kqf": "made",
        "in/deep/b.bmp": "made",
        "in/flat.png": "kept",
    }
    assert names("out") == ["a.png", "c.png", "deep", "flat.png"]
    assert Path("out/flat.png").read_bytes() == Path("in/flat.png").read_bytes()
    out, _ = run_batch(*arguments)
    assert {json.loads(line)["state"] for line in out.splitlines()} == {"done"}


def test_in_place_a_folder_keeps_what_has_the_format_already():
    Path("in").mkdir()
    draw("in/a.png", many())
    kqf.write("in/b.kqf", few())
    before = Path("in/a.png").read_bytes()
    _, err = run_batch("in", "--format", "png")
    assert "1 made, 0 done before, 0 kept" in err
    assert Path("in/a.png").read_bytes() == before
    assert names("in") == ["a.png", "b.kqf", "b.png"]
