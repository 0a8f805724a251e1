"""The suggested number of colours."""

import numpy as np
import pytest
from conftest import smooth_image
from sklearn.datasets import load_sample_image

import kqf
from kqf.metrics import ssimulacra2
from kqf.report import suggestion
from kqf.report.distortion import Distortion
from kqf.report.measure import count_distinct
from kqf.report.suggestion import SCORE, SHARE, suggest


def suggested(pixels):
    distortion = Distortion(pixels, with_ssim=False)
    return suggest(pixels, count_distinct(pixels), distortion, threads=1)


def test_all_colours_where_there_are_few():
    pixels = np.arange(200, dtype=np.uint8).reshape(10, 20)
    assert suggested(pixels).colors == 200
    assert "nothing is lost" in suggested(pixels).reason


def test_it_is_the_fewest_that_scores_enough():
    pixels = np.ascontiguousarray(load_sample_image("flower.jpg")[::2, ::2])
    found = suggested(pixels)
    assert found.colors > 16
    assert "SSIMULACRA2" in found.reason
    for count, enough in ((found.colors, True), (found.colors // 2, False)):
        shown = kqf.quantize(pixels, colors=count).pixels
        assert (ssimulacra2(pixels, shown) >= SCORE) == enough


def test_without_a_score_few_pixels_may_differ_visibly(monkeypatch):
    monkeypatch.setattr(suggestion, "_SCORED_PIXELS", 0)
    # Two gradients of their own, which one palette has to share.
    across, down = np.meshgrid(np.linspace(60, 140, 200), np.linspace(40, 120, 200))
    pixels = np.stack([across, down, np.full_like(across, 90)], axis=2).astype(np.uint8)
    found = suggested(pixels)
    assert 16 < found.colors < 256
    assert "differ visibly" in found.reason
    distortion = Distortion(pixels, with_ssim=False)
    for count, enough in ((found.colors, True), (found.colors // 2, False)):
        shown = kqf.quantize(pixels, colors=count, effort=2).pixels
        assert (distortion.visible_share(shown) <= SHARE) == enough


def test_it_says_so_where_no_number_is_enough():
    # Five planes through all colours: far more than any palette comes near.
    ramp = np.arange(0, 256, 2)
    x, y, z = np.meshgrid(ramp, ramp, [0, 60, 120, 180, 240])
    pixels = np.stack([x, y, z], axis=-1).astype(np.uint8).swapaxes(1, 2).reshape(-1, 128, 3)
    found = suggested(pixels)
    assert found.colors == 256
    assert "although" in found.reason


@pytest.mark.parametrize("channels", [2, 4])
def test_with_alpha(channels):
    assert suggested(smooth_image(20, 30, channels)).colors in (16, 32, 64, 128, 256)
