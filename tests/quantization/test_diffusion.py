"""Error diffusion in exact steps along anti-diagonals."""

import numpy as np
import pytest
from conftest import metrics, pixel_arrays, smooth_image
from hypothesis import given
from hypothesis import strategies as st

import kqf
from kqf.quantization.colorspace import METRICS, premultiplied, to_points, to_points_between
from kqf.quantization.diffusion import floyd_steinberg


def index_of(pixels):
    """Return the rows of the pixels' colours (H, W), and the colours."""
    colors, index = np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0, return_inverse=True)
    return index.reshape(pixels.shape[:2]).astype(np.int32), colors


def pixel_by_pixel(pixels, codebook):
    """Return labels of gray pixels (H, W) by diffusion as textbooks have it, nothing left out."""
    height, width = pixels.shape
    rest, labels = pixels.astype(float), np.zeros(pixels.shape, int)
    for y in range(height):
        for x in range(width):
            labels[y, x] = np.abs(codebook - rest[y, x].clip(0, 255)).argmin()
            error = rest[y, x] - codebook[labels[y, x]]
            for down, right, share in ((0, 1, 7), (1, -1, 3), (1, 0, 5), (1, 1, 1)):
                if y + down < height and 0 <= x + right < width:
                    rest[y + down, x + right] += error * share / 16
    return labels


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (2, 2), (3, 2), (17, 23)])
def test_it_is_what_textbooks_do_pixel_by_pixel(shape):
    # Few codewords far apart: no error is limited, and none of these colours is one of them.
    pixels = np.random.default_rng(1).integers(60, 190, shape).astype(np.uint8)
    codebook = np.array([[0], [59], [191], [255]], np.uint8)
    found = floyd_steinberg(*index_of(pixels[..., None]), codebook, "mse", 1)
    assert np.array_equal(found, pixel_by_pixel(pixels, codebook[:, 0].astype(float)))


@given(pixel_arrays(), metrics, st.integers(1, 9))
def test_images_of_every_kind_are_taken(pixels, metric, colors):
    image = kqf.quantize(pixels, colors=colors, metric=metric, dither="floyd-steinberg", effort=1)
    assert image.labels.shape == pixels.shape[:2]
    assert len(image.codebook) <= colors


@pytest.mark.parametrize("metric", METRICS)
def test_colours_of_the_codebook_keep_it_and_pass_nothing_on(metric):
    pixels = smooth_image(40, 50, 3, 9)
    pixels[10:30, 10:40] = 255
    codebook = kqf.quantize(pixels, colors=8, keep=[[255, 255, 255]], metric=metric).codebook
    index, colors = index_of(pixels)
    shown = codebook[floyd_steinberg(index, colors, codebook, metric, 1)]
    assert (shown[10:30, 10:40] == 255).all()


@pytest.mark.parametrize("metric", METRICS)
def test_opaque_and_transparent_pixels_stay_so(metric):
    pixels = smooth_image(40, 50, 4, 9)
    pixels[:10, :, 3], pixels[30:, :, 3] = 255, 0
    shown = kqf.quantize(pixels, colors=12, metric=metric, dither="floyd-steinberg").pixels
    assert (shown[:10, :, 3] == 255).all()
    assert (shown[30:, :, 3] == 0).all()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_points_of_whole_values_are_those_of_colours(metric, channels):
    colors = np.random.default_rng(0).integers(0, 256, (500, channels)).astype(np.uint8)
    between = to_points_between(premultiplied(colors), metric)
    assert np.abs(between - to_points(colors, metric)).max() <= 1 / 8


def test_errors_have_a_limit():
    # Red can't be mixed of grays: what it lacks must not come out far below.
    pixels = np.full((60, 60, 3), 128, np.uint8)
    pixels[:30, 1:] = (255, 0, 0)
    pixels[31:, ::2] += 1
    grays = np.repeat(np.arange(0, 256, 8, dtype=np.uint8)[:, None], 3, axis=1)
    index, colors = index_of(pixels)
    shown = grays[floyd_steinberg(index, colors, grays, "mse", 1)]
    assert np.abs(shown[40:].astype(int) - 128).max() <= 16
