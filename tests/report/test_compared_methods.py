"""Quantization methods compared on one image."""

import numpy as np
import pytest
from conftest import smooth_image

import kqf
from kqf.report.methods import draw, learn_each

METHODS = ["kmeans", "sample:100", "random"]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_each_is_what_encode_stores(channels):
    pixels = smooth_image(24, 40, channels)
    pixels = pixels[..., 0] if channels == 1 else pixels
    told = []
    found = learn_each(pixels, METHODS, colors=9, seed=3, threads=1, progress=told.append)
    assert [each.method for each in found] == METHODS
    assert told == [0, 1 / 3, 2 / 3]
    for each in found:
        data = kqf.encode(pixels, colors=9, method=each.method, seed=3, quality=100)
        result = kqf.decode(data)
        assert each.bytes == len(data)
        assert each.bits_per_pixel == 8 * len(data) / 960
        assert (each.picture.pixels == result).all()
        assert each.colors == kqf.info(data).colors
        assert each.largest_error.x == kqf.largest_error(pixels, result).x
        assert min(each.learn_seconds, each.assign_seconds) >= 0


def test_exact_results_in_json():
    (found,) = learn_each(np.zeros((4, 4, 3), np.uint8), ["kmeans"], colors=9)
    record = found.record()
    assert (record["psnr"], record["rmse"], record["largest_error"]) == (None, 0.0, None)
    assert "picture" not in record


def test_the_picture_shows_all():
    pixels = smooth_image(20, 600, 3)
    found = learn_each(pixels, METHODS, colors=4, threads=1)
    sheet = draw(pixels, found)
    shown = np.asarray(sheet).tobytes()
    for image in (pixels, *(each.picture.pixels for each in found)):
        assert all(row.tobytes() in shown for row in image)


def test_the_picture_shows_transparency_as_paper():
    pixels = np.zeros((20, 600, 4), np.uint8)
    sheet = np.asarray(draw(pixels, learn_each(pixels, ["kmeans"], colors=4, threads=1)))
    assert (sheet[-30:] == 255).all()


def test_pictures_from_one_pixel_to_large():
    for shape in ((1, 1, 3), (1, 4000, 3), (3300, 2, 3)):
        pixels = np.zeros(shape, np.uint8)
        sheet = draw(pixels, learn_each(pixels, ["kmeans"], colors=2, threads=1))
        assert max(sheet.size) < 4000
