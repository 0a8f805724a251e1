"""Weights of calm and busy areas."""

import numpy as np
import pytest
from conftest import smooth_image
from scipy.ndimage import uniform_filter

import kqf
from kqf.quantization import visibility
from kqf.quantization.visibility import CLASSES, WEIGHTS, weight_classes


def noise(height=60, width=80, low=0, high=256):
    return np.random.default_rng(0).integers(low, high, (height, width)).astype(np.uint8)


def test_flat_areas_weigh_most_and_noise_least():
    flat = weight_classes(np.full((40, 50), 77, np.uint8))
    assert WEIGHTS[flat].min() == WEIGHTS[flat].max() == WEIGHTS[-1]
    assert WEIGHTS[weight_classes(noise())].max() < 0.5
    assert WEIGHTS[weight_classes(noise(high=9))].mean() < WEIGHTS[flat].min()


def test_weights_follow_the_deviation_around_each_pixel():
    luma = smooth_image(70, 90, 1, 9)[..., 0]
    luma[:, 45:] = noise(70, 45)
    values = luma.astype(float)
    mean = uniform_filter(values, 5, mode="reflect")
    deviation = np.sqrt(np.maximum(uniform_filter(values * values, 5, mode="reflect") - mean**2, 0))
    blurred = uniform_filter(uniform_filter(deviation, 5), 5)
    expected = np.maximum(8 / (blurred + 4), WEIGHTS[0])
    found = WEIGHTS[weight_classes(luma)]
    inside = (slice(6, -6), slice(6, -6))
    # Classes lie half an octave apart, and weights are rounded to sixteenths.
    assert np.abs(np.log2(found / expected))[inside].max() < 0.25 + 0.1


def test_weights_are_whole_sixteenths():
    assert len(WEIGHTS) == CLASSES
    assert np.array_equal(WEIGHTS * 16, np.rint(WEIGHTS * 16))
    assert (np.diff(WEIGHTS) > 0).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (3, 4), (25, 31)])
def test_bands_and_threads_make_no_difference(shape, monkeypatch):
    luma = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    whole = weight_classes(luma)
    monkeypatch.setattr(visibility, "_BAND", 2 * shape[1])
    assert np.array_equal(weight_classes(luma, 3), whole)


def test_a_calm_sky_gets_more_of_the_codebook_than_by_squared_error():
    pixels = np.empty((120, 120, 3), np.uint8)
    pixels[:60] = (np.linspace(150, 190, 120)[:, None] + np.array([0, 10, 40])).astype(np.uint8)
    pixels[60:] = np.random.default_rng(0).integers(0, 256, (60, 120, 3))
    errors = {}
    for metric in ("mse", "perceptual"):
        shown = kqf.quantize(pixels, colors=32, metric=metric, quality=100).pixels
        errors[metric] = np.abs(shown[:60].astype(int) - pixels[:60]).mean()
    assert errors["perceptual"] < 0.7 * errors["mse"]


def test_what_is_flat_is_stored_exactly_whatever_the_quality():
    random = np.random.default_rng(0)
    pixels = np.clip(np.array([60, 110, 50]) + random.normal(0, 20, (100, 100, 3)), 0, 255)
    pixels = pixels.astype(np.uint8)
    for color in ([0, 122, 204], [0, 255, 0], [250, 10, 20], [0, 255, 174]):
        pixels[:40] = color
        for quality in (100, None, 30):
            shown = kqf.quantize(pixels, colors=64, quality=quality).pixels
            assert (shown[:40] == color).all(axis=2).mean() > 0.98


@pytest.mark.parametrize("metric", ["mse", "perceptual"])
@pytest.mark.parametrize("quality", [100, 75, 30, 1])
@pytest.mark.parametrize("dither", [None, "ordered", "floyd-steinberg"])
def test_pixels_of_kept_colours_keep_them(metric, quality, dither):
    random = np.random.default_rng(0)
    pixels = np.clip(np.array([3, 250, 174]) + random.normal(0, 6, (120, 120, 3)), 0, 255)
    pixels = pixels.astype(np.uint8)
    one, two = [0, 255, 174], [5, 255, 174]
    pixels[:20], pixels[20:40] = one, two
    shown = kqf.quantize(
        pixels, colors=32, keep=[one, two], metric=metric, quality=quality, dither=dither
    ).pixels
    assert (shown[:20] == one).all()
    assert (shown[20:40] == two).all()
