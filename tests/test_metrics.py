"""How far a picture is from the original."""

import sys
from math import inf, log10

import numpy as np
import pytest
from conftest import smooth_image

import kqf
from kqf.metrics import LargestError, largest_error, psnr, ssim, ssimulacra2, ssimulacra2_of


def test_psnr_of_a_known_error():
    original = np.zeros((2, 5, 3), np.uint8)
    result = original.copy()
    result[0, 0] = (3, 4, 5)
    assert psnr(original, result) == pytest.approx(10 * log10(255**2 / (50 / 30)))
    assert psnr(original[..., 0], result[..., 0]) == pytest.approx(10 * log10(255**2 / 0.9))


def test_psnr_of_equal_pictures_is_infinite():
    assert psnr(np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8)) == inf


def test_what_alpha_hides_is_no_error():
    original = np.zeros((3, 3, 4), np.uint8)
    result = original.copy()
    result[..., :3] = 200
    assert psnr(original, result) == inf
    original[..., 3] = result[..., 3] = 51
    assert largest_error(original, result).distance == pytest.approx(40 * 3**0.5)


def test_the_largest_error_is_found_at_its_place():
    original = np.full((4, 6, 3), 100, np.uint8)
    result = original.copy()
    result[3, 1] = (100, 103, 104)
    result[2, 5] = (103, 104, 100)
    result[1, 1] = (100, 100, 104)
    assert largest_error(original, result) == LargestError(5.0, 5, 2)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        psnr(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8))


def test_ssim_is_1_for_equal_pictures_and_falls_with_noise():
    random = np.random.default_rng(0)
    original = random.integers(60, 200, (40, 40, 3)).astype(np.uint8)
    assert ssim(original, original) == pytest.approx(1)
    near = ssim(original, original + np.uint8(1) * random.integers(0, 9, original.shape, np.uint8))
    far = ssim(original, original + np.uint8(1) * random.integers(0, 55, original.shape, np.uint8))
    assert far < near < 1


def test_without_scikit_image_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    with pytest.raises(ImportError, match=r"pip install '\.\[ssim\]'"):
        ssim(np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_ssimulacra2_is_100_for_equal_pictures_and_falls_with_noise(channels):
    random = np.random.default_rng(0)
    original = random.integers(60, 200, (40, 40, channels)).astype(np.uint8)
    assert ssimulacra2(original, original) == pytest.approx(100)
    near, far = original.copy(), original.copy()
    near[..., 0] += random.integers(0, 9, (40, 40), np.uint8)
    far[..., 0] += random.integers(0, 55, (40, 40), np.uint8)
    assert ssimulacra2(original, far) < ssimulacra2(original, near) < 100
    if channels in (2, 4):
        thin = original.copy()
        thin[..., -1] //= 4
        assert ssimulacra2(original, thin) < ssimulacra2(original, near)
        # What is hidden does not matter.
        original[..., -1] = near[..., -1] = 0
        assert ssimulacra2(original, near) == pytest.approx(100)


def test_of_a_large_image_ssimulacra2_is_the_mean_of_squares(monkeypatch):
    original = smooth_image(40, 50, 3, 1)
    result = original // 16 * 16
    monkeypatch.setattr("kqf.metrics._WHOLE_PIXELS", original[..., 0].size - 1)
    monkeypatch.setattr("kqf.metrics._SQUARE", 25)
    corners = [np.s_[y : y + 20, x : x + 25] for y in (0, 20) for x in (0, 25)]
    parts = [ssimulacra2_of(original[corner], result[corner].__getitem__) for corner in corners]
    assert len(set(parts)) == 4
    assert ssimulacra2(original, result) == pytest.approx(sum(parts) / 4)


def test_ssim_is_the_same_by_bands(monkeypatch):
    original = smooth_image(47, 30, 3, 1)
    result = original // 16 * 16
    whole = ssim(original, result)
    monkeypatch.setattr("kqf.metrics._SSIM_BAND", 12 * 30)
    assert ssim(original, result) == pytest.approx(whole, abs=1e-12)


def test_ssimulacra2_says_what_it_needs(monkeypatch):
    with pytest.raises(ValueError, match="at least 8 x 8 pixels, not 40 x 7"):
        ssimulacra2(*np.zeros((2, 7, 40, 3), np.uint8))
    monkeypatch.setitem(sys.modules, "ssimulacra2", None)
    monkeypatch.setattr("kqf.encoding.api.quantization", None)
    with pytest.raises(ImportError, match=r"pip install '\.\[ssimulacra2\]'"):
        kqf.encode(np.zeros((20, 20), np.uint8), target_ssimulacra2=70)


@pytest.mark.parametrize("shape", [(10, 40, 3), (40, 10), (1, 1)])
def test_ssim_of_an_image_smaller_than_its_window_is_an_error(shape):
    pixels = np.zeros(shape, np.uint8)
    with pytest.raises(ValueError, match="at least 11 x 11 pixels, not"):
        ssim(pixels, pixels)


@pytest.mark.parametrize("measure", [psnr, ssim, largest_error])
@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (np.zeros((20, 20), np.uint16), TypeError, "uint8 arrays, not uint16 array of shape"),
        (np.zeros((20, 20)), TypeError, "uint8 arrays, not float64 array of shape"),
        ([[1, 2]], TypeError, "uint8 arrays, not list"),
        (np.zeros((0, 20), np.uint8), ValueError, "at least one pixel"),
        (np.zeros((20, 0, 3), np.uint8), ValueError, "at least one pixel"),
        (np.zeros((20, 20, 0), np.uint8), ValueError, r"\(H, W, 1\.\.4\)"),
        (np.zeros((20, 20, 5), np.uint8), ValueError, r"\(H, W, 1\.\.4\)"),
        (np.zeros(20, np.uint8), ValueError, r"\(H, W, 1\.\.4\)"),
    ],
)
def test_other_arrays_are_refused(measure, value, error, message):
    with pytest.raises(error, match=message):
        measure(value, value)
