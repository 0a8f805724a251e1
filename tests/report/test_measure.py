"""The numbers behind ``kqf report``."""

import io
from functools import cache

import numpy as np
import pytest
from conftest import smooth_image
from PIL import Image, features

import kqf
from kqf.report import competitors as formats
from kqf.report.measure import count_distinct, measure

WEBP = features.check("webp")
PNG8 = formats.png8_by("Pillow")
PNG8_OF_KQF = formats.png8_by("KQF's labels")


def measured(pixels, **options):
    return measure(pixels, name="it", file_format="PNG", file_bytes=1000, threads=1, **options)


@cache
def fully_measured(channels):
    """Return the pixels of a photograph and its full report, which tests share and don't change."""
    pixels = smooth_image(20, 30, channels)
    return pixels, measured(gray(pixels), full=True)


def rows_of(done):
    return {row.name: row for row in done.rows}


def gray(pixels):
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_report_is_of_what_matters_most(channels):
    pixels = smooth_image(20, 30, channels)
    done = measured(gray(pixels))
    wanted = {64, done.suggested.colors}
    counts = sorted((count for count in wanted if count < min(done.colors, 256)), reverse=True)
    assert [row.name for row in done.rows] == [
        "PNG file as given",
        "KQF, 256 colours, quality 75",
        *(f"KQF, {count} colours, quality 75" for count in counts),
        f"{PNG8}, 256 colours",
        "GIF (Pillow), 256 colours",
        *(["WebP lossless"] if WEBP else []),
    ]
    assert (done.name, done.file_format) == ("it", "PNG")
    assert (done.width, done.height, done.channels) == (30, 20, channels)
    assert done.colors == len(np.unique(pixels.reshape(-1, channels), axis=0))
    for row in done.rows:
        assert row.kqf_share == done.default.bytes / row.bytes
        assert row.bits_per_pixel == 8 * row.bytes / 600
        assert row.ssim is None


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_full_report_has_all_formats(channels):
    _, done = fully_measured(channels)
    counts = [256, *(count for count in (128, 64, 32, 16, 8, 4, 2) if count < done.colors)]
    assert [row.name for row in done.rows[1:]] == [
        *(
            f"KQF, {count} colours, quality {quality}"
            for count in sorted({*counts, 16, 64}, reverse=True)
            for quality in ((75, 100, 50) if count in (16, 64, 256) else (75,))
        ),
        *(f"{PNG8}, {count} colours" for count in (16, 64, 256)),
        "GIF (Pillow), 256 colours",
        *(["WebP lossless"] if WEBP else []),
        "PNG",
        *(["JPEG, quality 75"] if channels in (1, 3) else []),
        *(f"{PNG8_OF_KQF}, {count} colours" for count in (16, 64, 256)),
        *(f"WebP (KQF's labels), {count} colours" for count in (16, 64, 256) if WEBP),
    ]


def test_no_two_rows_have_one_name():
    names = [row.name for row in fully_measured(3)[1].rows]
    assert len(names) == len(set(names))


def test_sizes_are_those_of_the_files():
    pixels, done = fully_measured(3)
    rows = rows_of(done)
    assert rows["PNG file as given"].bytes == 1000
    for colors in (16, 64, 256):
        data = kqf.encode(pixels, colors=colors, quality=100)
        row = rows[f"KQF, {colors} colours, quality 100"]
        assert row.bytes == len(data)
        assert row.psnr == kqf.psnr(pixels, kqf.decode(data))
    assert rows["KQF, 256 colours, quality 75"].bytes == len(kqf.encode(pixels))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    assert rows["PNG"].bytes == len(buffer.getvalue())


def test_the_same_labels_have_the_same_error():
    rows = rows_of(fully_measured(3)[1])
    nearest = rows["KQF, 256 colours, quality 100"]
    assert not nearest.lossless
    assert rows[f"{PNG8_OF_KQF}, 256 colours"].psnr == nearest.psnr
    if WEBP:
        assert rows["WebP (KQF's labels), 256 colours"].psnr == nearest.psnr


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_what_loses_nothing_is_lossless(channels):
    rows = rows_of(fully_measured(channels)[1])
    assert rows["PNG"].lossless
    assert rows["PNG file as given"].lossless
    assert rows["KQF, 256 colours, quality 100"].lossless == (channels == 1)
    assert not rows["KQF, 16 colours, quality 100"].lossless


def test_few_colours_are_lossless_as_kqf():
    pixels = np.random.default_rng(1).integers(0, 2, (9, 9, 4)).astype(np.uint8) * 255
    done = measured(pixels)
    assert done.default.lossless
    assert done.default.visible == 0


def test_a_single_pixel():
    done = measured(np.zeros((1, 1, 3), np.uint8))
    assert (done.suggested.colors, done.default.lossless) == (1, True)
    assert all(row.ssim is None and row.largest_error is None for row in done.rows)


@pytest.mark.skipif(not WEBP, reason="Pillow without WebP")
def test_a_format_too_small_for_the_image_is_left_out():
    rows = rows_of(measured(np.zeros((1, 16384), np.uint8)))
    assert "GIF (Pillow), 256 colours" in rows
    assert "WebP lossless" not in rows


def test_errors_are_those_of_the_public_measures():
    pixels, done = fully_measured(4)
    row = rows_of(done)["KQF, 16 colours, quality 100"]
    result = kqf.decode(kqf.encode(pixels, colors=16, quality=100))
    assert row.ssim == kqf.ssim(pixels, result)
    assert row.largest_error == kqf.largest_error(pixels, result)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pictures_are_what_the_files_hold(channels):
    pixels = smooth_image(30, 40, channels)
    pixels[:5, :5, -1] = 0 if channels == 4 else pixels[:5, :5, -1]
    done = measured(gray(pixels))
    assert next(iter(done.pictures)) == done.default.name
    meant = kqf.read_indexed(kqf.encode(gray(pixels)))
    assert (done.pictures[done.default.name].labels == meant.labels).all()
    picture = done.pictures[f"{PNG8}, 256 colours"]
    full_color = formats.in_color(gray(pixels))
    assert kqf.psnr(full_color, picture.pixels) == pytest.approx(
        rows_of(done)[f"{PNG8}, 256 colours"].psnr, abs=0.2 if channels == 1 else 1e-9
    )


def test_png8_of_the_labels_holds_the_labels():
    pixels = smooth_image(30, 40, 3)
    meant = kqf.read_indexed(kqf.encode(pixels, colors=64, quality=100))
    found = formats.competitors(pixels, counts=[64], more_counts=[], full=True, threads=1)
    files = {(each.encoder, each.quality): each.encode() for each in found}
    with Image.open(io.BytesIO(files[PNG8_OF_KQF, None])) as image:
        assert (np.asarray(image.convert("RGB")) == meant.pixels).all()
        assert image.mode == "P"


def test_counts_are_chosen_by_the_caller():
    names = [row.name for row in measured(smooth_image(30, 40, 3), counts=[5, 200]).rows]
    assert [name for name in names if name.startswith("PNG8")] == [
        f"{PNG8}, 5 colours",
        f"{PNG8}, 200 colours",
    ]
    assert names[1] == "KQF, 200 colours, quality 75"


def test_progress_goes_up_from_nothing():
    told = []
    measured(smooth_image(9, 9, 1)[..., 0], progress=told.append)
    assert told[0] == 0
    assert told == sorted(told)
    assert told[-1] < 1


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_distinct_colours(channels):
    pixels = smooth_image(9, 9, channels)
    assert count_distinct(pixels) == len({bytes(color) for color in pixels.reshape(-1, channels)})
