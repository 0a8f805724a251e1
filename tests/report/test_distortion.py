"""Errors of results against one original."""

import numpy as np
import pytest
from conftest import smooth_image

import kqf
from kqf.report import distortion as measures
from kqf.report.distortion import Distortion


def visible(original, result):
    return Distortion(original, with_ssim=False).visible_share(result)


def test_nothing_differs_visibly_from_itself():
    for channels in (1, 2, 3, 4):
        pixels = smooth_image(20, 30, channels)
        assert visible(pixels, pixels) == 0
    assert visible(pixels[..., 0], pixels[..., 0]) == 0


def test_a_step_of_one_cannot_be_seen_and_one_of_thirty_can():
    pixels = np.full((30, 40, 3), 120, np.uint8)
    assert visible(pixels, pixels + 1) == 0
    half = pixels.copy()
    half[:, 20:] += 30
    # The blur takes it a pixel or two across the border.
    assert visible(pixels, half) == pytest.approx(0.5, abs=0.06)


def test_noise_is_seen_less_than_a_wrong_area():
    rng = np.random.default_rng(0)
    pixels = np.full((60, 60, 3), 120, np.uint8)
    noisy = (pixels + rng.choice([-12, 12], (60, 60, 1))).astype(np.uint8)
    assert visible(pixels, noisy) < 0.2
    assert visible(pixels, pixels + 12) == 1


def test_what_alpha_hides_does_not_differ():
    pixels = np.zeros((20, 20, 4), np.uint8)
    other = pixels.copy()
    other[..., :3] = 255
    assert visible(pixels, other) == 0
    other[..., 3] = 255
    assert visible(pixels, other) == 1


def test_a_lost_alpha_is_seen_over_one_of_the_backgrounds():
    white = np.full((20, 20, 2), 255, np.uint8)
    gone = white.copy()
    gone[..., 1] = 0
    assert visible(white, gone) == 1
    black = white.copy()
    black[..., 0] = 0
    gone[..., 0] = 0
    assert visible(black, gone) == 1


def test_errors_are_those_of_the_public_measures():
    pixels = smooth_image(30, 40, 3)
    result = kqf.decode(kqf.encode(pixels, colors=16))
    found = Distortion(pixels, with_ssim=True).of(result)
    assert found.psnr == kqf.psnr(pixels, result)
    assert found.ssim == kqf.ssim(pixels, result)
    assert found.largest_error == kqf.largest_error(pixels, result)
    assert Distortion(pixels, with_ssim=False).of(result).ssim is None


def test_no_ssim_of_what_is_too_small_or_too_large(monkeypatch):
    small = smooth_image(10, 40, 3)
    assert Distortion(small, with_ssim=True).of(small).ssim is None
    pixels = smooth_image(12, 12, 3)
    assert Distortion(pixels, with_ssim=True).of(pixels).ssim == 1
    monkeypatch.setattr(measures, "_SSIM_PIXELS", 143)
    assert Distortion(pixels, with_ssim=True).of(pixels).ssim is None
