"""The numbers behind ``kqf report``."""

import io
import math

import numpy as np
import pytest
from conftest import walk
from PIL import Image, features

import kqf
from kqf import report
from kqf.report import ImageReport, Row, measure, psnr, summarize

WEBP = features.check("webp")
NAMES = [
    "raw pixels",
    "file given",
    "PNG",
    "GIF",
    "PNG8, Pillow's colours",
    "PNG8, KQF's colours",
    *(["WebP lossless, default", "WebP lossless, default, KQF's colours"] if WEBP else []),
    "KQF, 16 colours",
    "KQF, 64 colours",
    "KQF, 256 colours",
]


def measured(pixels, **options):
    return measure(pixels, name="it", file_format="PNG", file_bytes=1000, threads=1, **options)


def rows_of(done):
    return {row.name: row for row in done.rows}


def made(name, size, error=math.inf):
    return Row(name, size, size / 100, size / 10, error)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_all_ways_are_measured(channels):
    pixels = walk(20, 30, channels)
    done = measured(pixels[..., 0] if channels == 1 else pixels)
    assert [row.name for row in done.rows] == NAMES
    assert (done.name, done.file_format) == ("it", "PNG")
    assert (done.width, done.height, done.channels) == (30, 20, channels)
    assert done.colors == len(np.unique(pixels.reshape(-1, channels), axis=0))
    for row in done.rows:
        assert row.ratio == row.bytes / pixels.nbytes
        assert row.bits_per_pixel == 8 * row.bytes / 600


def test_sizes_are_those_of_the_files():
    pixels = walk(20, 30, 3)
    rows = rows_of(measured(pixels))
    assert rows["raw pixels"].bytes == 1800
    assert rows["file given"].bytes == 1000
    for colors in (16, 64, 256):
        data = kqf.encode(pixels, colors=colors)
        assert rows[f"KQF, {colors} colours"].bytes == len(data)
        assert rows[f"KQF, {colors} colours"].psnr == psnr(pixels, kqf.decode(data))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    assert rows["PNG"].bytes == len(buffer.getvalue())


def test_the_same_labels_have_the_same_error():
    rows = rows_of(measured(walk(30, 40, 3)))
    assert not rows["KQF, 256 colours"].lossless
    assert rows["PNG8, KQF's colours"].psnr == rows["KQF, 256 colours"].psnr
    if WEBP:
        assert rows["WebP lossless, default, KQF's colours"].psnr == rows["KQF, 256 colours"].psnr


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_what_loses_nothing_is_lossless(channels):
    pixels = walk(30, 40, channels)
    rows = rows_of(measured(pixels[..., 0] if channels == 1 else pixels))
    assert rows["PNG"].lossless
    assert rows["raw pixels"].lossless
    assert rows["KQF, 256 colours"].lossless == (channels == 1)
    assert not rows["KQF, 16 colours"].lossless


def test_few_colours_are_lossless_as_kqf():
    pixels = np.random.default_rng(1).integers(0, 2, (9, 9, 4)).astype(np.uint8) * 255
    assert rows_of(measured(pixels))["KQF, 16 colours"].lossless


def test_a_single_pixel():
    assert len(measured(np.zeros((1, 1, 3), np.uint8)).rows) == len(NAMES)


@pytest.mark.skipif(not WEBP, reason="Pillow without WebP")
def test_a_way_too_small_for_the_image_is_left_out():
    names = [row.name for row in measured(np.zeros((1, 16384), np.uint8)).rows]
    assert names == [name for name in NAMES if "WebP" not in name]


def test_psnr_of_a_known_error():
    pixels = np.zeros((2, 5, 3), np.uint8)
    result = pixels.copy()
    result[0, 0, 0] = 30
    assert psnr(pixels, result) == pytest.approx(10 * math.log10(255**2 / (900 / 30)))
    assert psnr(pixels, pixels) == math.inf


def test_psnr_does_not_see_colours_that_alpha_hides():
    pixels = np.zeros((2, 2, 4), np.uint8)
    result = pixels.copy()
    result[..., :3] = 200
    assert psnr(pixels, result) == math.inf
    result[..., 3] = 51
    # Premultiplied, 200 at an alpha of 51 is 40.
    assert psnr(pixels, result) == pytest.approx(
        10 * math.log10(255**2 / ((3 * 40**2 + 51**2) / 4))
    )


def test_psnr_over_blocks_of_rows(monkeypatch):
    pixels, result = walk(20, 6, 3), walk(20, 6, 3, seed=1)
    whole = psnr(pixels, result)
    monkeypatch.setattr(report, "_BLOCK_ROWS", 7)
    assert psnr(pixels, result) == pytest.approx(whole)


def test_summary_is_of_geometric_means():
    reports = [
        ImageReport("a", "PNG", 1, 1, 3, 1, (made("x", 2), made("y", 4, 30.0), made("z", 9))),
        ImageReport("b", "PNG", 1, 1, 3, 1, (made("x", 8), made("y", 4, 40.0), made("z", 1, 20.0))),
    ]
    x, y, z = summarize(reports)
    assert (x.name, x.images, x.lossless, x.psnr) == ("x", 2, 2, math.inf)
    assert x.bytes == pytest.approx(4)
    assert x.ratio == pytest.approx(0.04)
    assert x.bits_per_pixel == pytest.approx(0.4)
    assert (y.psnr, y.lossless) == (35.0, 0)
    assert (z.psnr, z.lossless) == (20.0, 1)


def test_summary_is_of_ways_that_all_images_have():
    reports = [
        ImageReport("a", "PNG", 1, 1, 3, 1, (made("x", 2), made("y", 4))),
        ImageReport("b", "PNG", 1, 1, 3, 1, (made("x", 2),)),
    ]
    assert [row.name for row in summarize(reports)] == ["x"]
    assert summarize([]) == ()
