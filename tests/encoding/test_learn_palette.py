"""One codebook for many images."""

import numpy as np
import pytest
from conftest import smooth_image

import kqf
from kqf.quantization import color_counts


def parts():
    return [smooth_image(30, 40, 3, 20, seed=seed) for seed in range(4)]


def test_it_is_the_codebook_of_all_images_as_one():
    # With the perceptual metric, calm areas of one image count more.
    options = {"colors": 24, "metric": "mse"}
    whole = kqf.quantize(np.concatenate(parts()), quality=100, **options)
    assert np.array_equal(kqf.learn_palette(iter(parts()), **options), whole.codebook)
    assert np.array_equal(kqf.learn_palette(parts()[::-1], **options), whole.codebook)


def test_few_colours_are_all_there():
    pixels = np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8)
    assert kqf.learn_palette([pixels, pixels[:, ::-1]]).tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (((7,), (9,)), [[7], [9]]),
        (((7,), (9, 100)), [[7, 255], [9, 100]]),
        (((7,), (9, 9, 9)), [[7, 7, 7], [9, 9, 9]]),
        (((7, 100), (9, 9, 9)), [[7, 7, 7, 100], [9, 9, 9, 255]]),
        (((7,), (9, 9, 9, 1)), [[7, 7, 7, 255], [9, 9, 9, 1]]),
    ],
)
def test_it_has_the_channels_that_show_all(kinds, expected):
    images = [np.array([[color]], np.uint8) for color in kinds]
    assert sorted(kqf.learn_palette(images).tolist()) == expected


def test_memory_stays_bounded_and_colours_close(monkeypatch):
    exact = kqf.learn_palette(parts(), colors=24)
    monkeypatch.setattr(color_counts, "MAX_DISTINCT", 500)
    coarse = kqf.learn_palette(parts(), colors=24)

    def error(codebook):
        pixels = np.concatenate(parts())
        shown = kqf.quantize(pixels, palette=codebook, quality=100).pixels
        return ((shown - pixels.astype(float)) ** 2).mean()

    assert error(coarse) < 1.05 * error(exact)


def test_colours_to_keep_are_there():
    palette = kqf.learn_palette(parts(), colors=8, keep=[(255, 0, 254)])
    assert [255, 0, 254] in palette.tolist()
    assert len(palette) <= 8


def test_no_image_is_an_error():
    with pytest.raises(ValueError, match="at least one image"):
        kqf.learn_palette([])


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 1), (20, 30, 2), (20, 30, 3), (20, 30, 4)])
def test_one_array_is_one_image(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    alone = kqf.learn_palette(pixels, colors=5)
    assert alone.shape == (5, shape[2] if len(shape) == 3 else 1)
    assert np.array_equal(alone, kqf.learn_palette([pixels], colors=5))


def test_an_array_of_images_is_several():
    images = np.stack(parts())
    assert np.array_equal(kqf.learn_palette(images), kqf.learn_palette(parts()))


def test_a_stack_of_gray_images_is_refused_not_guessed():
    with pytest.raises(ValueError, match=r"not uint8 array of shape \(4, 30, 40\)"):
        kqf.learn_palette(np.zeros((4, 30, 40), np.uint8))
