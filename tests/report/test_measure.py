"""The numbers behind ``kqf report``."""

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from conftest import walk
from PIL import Image, features

import kqf
from kqf.report import competitors as formats
from kqf.report import measure as report
from kqf.report.measure import (
    ImageReport,
    Row,
    compare,
    count_distinct,
    measure,
    suggest,
    summarize,
)

WEBP = features.check("webp")


def names_of(channels, elbow):
    counts = sorted({16, 64, 256, *elbow})
    return [
        "raw pixels",
        "file given",
        "PNG",
        *(["WebP lossless"] if WEBP else []),
        *(["JPEG, quality 75"] if channels in (1, 3) else []),
        "GIF, 256 colours",
        *(
            f"KQF, {count} colour{'s' if count > 1 else ''}, quality {quality}"
            for count in counts
            for quality in ((100, 75, 50) if count in (16, 64, 256) else (100,))
        ),
        *(f"PNG8 of KQF's labels, {count} colours" for count in (16, 64, 256)),
        *(f"PNG8 by Pillow, {count} colours" for count in (16, 64, 256)),
        *(["WebP of KQF's labels, 256 colours"] if WEBP else []),
    ]


def measured(pixels, **options):
    return measure(pixels, name="it", file_format="PNG", file_bytes=1000, threads=1, **options)


def rows_of(done):
    return {row.name: row for row in done.rows}


def made(name, size, error=math.inf):
    return Row(name, None, None, size, size / 100, size / 50, size / 10, error)


def reported(name, *rows):
    return ImageReport(name, "PNG", 1, 1, 1, 3, 1, rows, (1, "why"))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_all_ways_are_measured(channels):
    pixels = walk(20, 30, channels)
    done = measured(pixels[..., 0] if channels == 1 else pixels)
    elbow = [row.colors for row in done.elbow]
    assert elbow == [2**n for n in range(1, 8) if 2**n < done.colors] + [min(done.colors, 256)]
    assert [row.name for row in done.rows] == names_of(channels, elbow)
    assert (done.name, done.file_format) == ("it", "PNG")
    assert (done.width, done.height, done.channels) == (30, 20, channels)
    assert done.colors == len(np.unique(pixels.reshape(-1, channels), axis=0))
    for row in done.rows:
        assert row.ratio == row.bytes / pixels.nbytes
        assert row.file_ratio == row.bytes / 1000
        assert row.bits_per_pixel == 8 * row.bytes / 600


def test_sizes_are_those_of_the_files():
    pixels = walk(20, 30, 3)
    rows = rows_of(measured(pixels))
    assert rows["raw pixels"].bytes == 1800
    assert rows["file given"].bytes == 1000
    for colors in (16, 64, 256):
        data = kqf.encode(pixels, colors=colors, quality=100)
        assert rows[f"KQF, {colors} colours, quality 100"].bytes == len(data)
        assert rows[f"KQF, {colors} colours, quality 100"].psnr == kqf.psnr(
            pixels, kqf.decode(data)
        )
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    assert rows["PNG"].bytes == len(buffer.getvalue())


def test_the_same_labels_have_the_same_error():
    rows = rows_of(measured(walk(30, 40, 3)))
    assert not rows["KQF, 256 colours, quality 100"].lossless
    assert (
        rows["PNG8 of KQF's labels, 256 colours"].psnr == rows["KQF, 256 colours, quality 100"].psnr
    )
    if WEBP:
        assert (
            rows["WebP of KQF's labels, 256 colours"].psnr
            == rows["KQF, 256 colours, quality 100"].psnr
        )


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_what_loses_nothing_is_lossless(channels):
    pixels = walk(30, 40, channels)
    rows = rows_of(measured(pixels[..., 0] if channels == 1 else pixels))
    assert rows["PNG"].lossless
    assert rows["raw pixels"].lossless
    assert rows["KQF, 256 colours, quality 100"].lossless == (channels == 1)
    assert not rows["KQF, 16 colours, quality 100"].lossless


def test_few_colours_are_lossless_as_kqf():
    pixels = np.random.default_rng(1).integers(0, 2, (9, 9, 4)).astype(np.uint8) * 255
    assert rows_of(measured(pixels))["KQF, 16 colours, quality 100"].lossless


def test_a_single_pixel():
    done = measured(np.zeros((1, 1, 3), np.uint8))
    assert [row.name for row in done.rows] == names_of(3, [1])
    assert done.suggested == (1, "all of its colours, so nothing is lost")
    assert all(row.ssim is None and row.largest_error is None for row in done.rows)


@pytest.mark.skipif(not WEBP, reason="Pillow without WebP")
def test_a_way_too_small_for_the_image_is_left_out():
    names = [row.name for row in measured(np.zeros((1, 16384), np.uint8)).rows]
    assert names == [name for name in names_of(1, [1]) if "WebP" not in name]


def test_errors_are_those_of_the_public_measures():
    pixels = walk(30, 40, 4)
    row = rows_of(measured(pixels))["KQF, 16 colours, quality 100"]
    result = kqf.decode(kqf.encode(pixels, colors=16, quality=100))
    assert row.ssim == kqf.ssim(pixels, result)
    assert row.largest_error == kqf.largest_error(pixels, result)
    offsets = pixels.astype(float), result.astype(float)
    for values in offsets:
        values[..., :3] *= values[..., 3:] / 255
    assert row.rmse == pytest.approx(np.square(offsets[0] - offsets[1]).mean() ** 0.5)


def test_no_ssim_of_large_images(monkeypatch):
    pixels = walk(12, 12, 1)[..., 0]
    assert None not in [row.ssim for row in measured(pixels).rows]
    monkeypatch.setattr(report, "_SSIM_PIXELS", 143)
    assert {row.ssim for row in measured(pixels).rows} == {None}


def test_labels_of_the_same_row_are_the_same():
    pixels = walk(30, 40, 3)
    picture = measured(pixels).pictures["KQF, 64 colours, quality 100"]
    meant = kqf.read_indexed(kqf.encode(pixels, colors=64, quality=100))
    assert (picture.labels == meant.labels).all()
    ways = formats.ways(pixels, counts=[64], more_counts=[], qualities=[], threads=1)
    files = {way.encoder: way.make() for way in ways}
    with Image.open(io.BytesIO(files["PNG8 of KQF's labels"])) as image:
        assert (np.asarray(image.convert("RGB")) == meant.pixels).all()
        assert image.mode == "P"


def test_counts_are_chosen_by_the_caller():
    names = [row.name for row in measured(walk(30, 40, 3), counts=[5, 200]).rows]
    assert {"KQF, 5 colours, quality 75", "KQF, 200 colours, quality 50"} <= set(names)
    assert [name for name in names if name.startswith("PNG8 of KQF")] == [
        "PNG8 of KQF's labels, 5 colours",
        "PNG8 of KQF's labels, 200 colours",
    ]


def test_progress_goes_up_from_nothing():
    told = []
    measured(walk(9, 9, 1)[..., 0], progress=told.append)
    assert told[0] == 0
    assert told == sorted(told)
    assert told[-1] < 1


def test_the_suggestion_is_where_the_curve_bends():
    errors = {2: 40.0, 4: 10.0, 8: 8.0, 16: 7.0}
    rows = [
        replace(made("KQF", 1000 * number, 20 * math.log10(255 / error)), colors=colors)
        for number, (colors, error) in enumerate(errors.items(), 1)
    ]
    assert suggest(rows) == (4, "where the curve of error over bytes bends most")
    assert suggest(rows[:1])[0] == 2
    exact = replace(made("KQF", 9000), colors=17)
    assert suggest([*rows, exact]) == (17, "all of its colours, so nothing is lost")


def test_the_elbow_ends_with_all_colours():
    pixels = np.arange(40, dtype=np.uint8).reshape(4, 10)
    done = measured(pixels)
    assert [row.colors for row in done.elbow] == [2, 4, 8, 16, 32, 40]
    assert done.elbow[-1].lossless
    assert done.suggested[0] == 40


def test_summary_is_of_geometric_means():
    reports = [
        reported("a", made("x", 2), made("y", 4, 30.0), made("z", 9)),
        reported("b", made("x", 8), made("y", 4, 40.0), made("z", 1, 20.0)),
    ]
    x, y, z = summarize(reports)
    assert (x.name, x.images, x.lossless, x.psnr) == ("x", 2, 2, math.inf)
    assert x.bytes == pytest.approx(4)
    assert x.ratio == pytest.approx(0.04)
    assert x.file_ratio == pytest.approx(0.08)
    assert x.bits_per_pixel == pytest.approx(0.4)
    assert (x.worst_ratio, x.worst_image) == (0.08, "b")
    assert (y.psnr, y.worst_psnr, y.lossless) == (35.0, 30.0, 0)
    assert (z.psnr, z.lossless, z.worst_image) == (20.0, 1, "a")


def test_summary_is_of_ways_that_all_images_have():
    reports = [reported("a", made("x", 2), made("y", 4)), reported("b", made("x", 2))]
    assert [row.name for row in summarize(reports)] == ["x"]
    assert summarize([]) == ()
    assert compare([]) == ()


def test_comparisons_are_at_equal_colours():
    def rows(*sizes):
        labels = [("KQF", 16), ("KQF", 64), ("PNG8 of KQF's labels", 64)]
        named = [
            replace(made(encoder, size, 30.0), colors=colors)
            for (encoder, colors), size in zip(labels, sizes, strict=True)
        ]
        return [*named, replace(named[1], quality=50, bytes=1)]

    (found,) = compare([reported("a", *rows(9, 50, 100)), reported("b", *rows(9, 80, 40))])
    assert (found.name, found.other) == ("KQF, 64 colours", "PNG8 of KQF's labels, 64 colours")
    assert found.ratio == pytest.approx(1.0)
    assert (found.worst, found.worst_image, found.images) == (2.0, "b", 2)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_distinct_colours(channels):
    pixels = walk(9, 9, channels)
    assert count_distinct(pixels) == len({bytes(color) for color in pixels.reshape(-1, channels)})
