"""Means of labels and the labels nearest to them."""

import numpy as np
import pytest

from kqf.reduction import Reducer


def blocks(array, side):
    """Return (h, w, side * side, ...) of the whole squares of an array (H, W, ...)."""
    height, width = (size // side for size in array.shape[:2])
    array = array[: height * side, : width * side]
    cut = array.reshape(height, side, width, side, *array.shape[2:]).swapaxes(1, 2)
    return cut.reshape(height, width, side * side, *array.shape[2:])


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("side", [2, 4, 16])
def test_means_are_those_of_the_pixels(channels, side):
    rng = np.random.default_rng(channels)
    codebook = rng.integers(0, 256, (256, channels), np.uint8)
    labels = rng.integers(0, 256, (37, 50), np.uint8)
    reducer = Reducer(codebook)
    sums, single = reducer.sums(labels, side)
    assert sums.shape == (-(-37 // side), -(-50 // side), channels)
    assert (single[:-1, :-1] == -1).all()
    pixels = blocks(codebook[labels].astype(float), side)
    if channels in (2, 4):
        alpha = pixels[..., -1:]
        means = (pixels * alpha).sum(axis=2) / np.maximum(alpha.sum(axis=2), 1)
        means[..., -1] = alpha[..., 0].mean(axis=2)
    else:
        means = pixels.mean(axis=2)
    # Colours multiplied by alpha are rounded, which tells where alpha is low.
    found = reducer.pixels(sums, side)[: len(means), : means.shape[1]]
    assert np.abs(found - means).max() <= (0.5 if channels in (1, 3) else 3)


def test_labels_are_the_nearest_to_the_mean():
    rng = np.random.default_rng(0)
    codebook = rng.integers(0, 256, (40, 3), np.uint8)
    labels = rng.integers(0, 40, (64, 64), np.uint8)
    reducer = Reducer(codebook)
    sums, single = reducer.sums(labels, 4)
    found = reducer.labels(sums, single, 4)
    means = sums / 16
    distances = np.linalg.norm(means[..., None, :] - codebook, axis=-1)
    chosen = np.take_along_axis(distances, found[..., None].astype(int), axis=-1)[..., 0]
    # Means are remembered by 6 bits of each channel: at most 2 of 256 steps off on each side.
    assert (chosen - distances.min(axis=-1)).max() <= 4 * np.sqrt(3)


def test_a_single_label_stays_where_others_have_the_same_colour():
    codebook = np.array([[7, 7, 7], [7, 7, 8], [7, 7, 7], [200, 0, 0]], np.uint8)
    labels = np.repeat(np.repeat(np.array([[0, 1, 2, 3]], np.uint8), 8, axis=0), 8, axis=1)
    reducer = Reducer(codebook)
    for side in (2, 4, 8):
        sums, single = reducer.sums(labels, side)
        assert np.array_equal(reducer.labels(sums, single, side), labels[::side, ::side])


def test_what_is_transparent_does_not_count():
    codebook = np.array([[255, 0, 0, 0], [0, 0, 255, 255], [0, 0, 250, 128]], np.uint8)
    labels = np.array([[0, 1], [1, 0]], np.uint8)
    reducer = Reducer(codebook)
    sums, single = reducer.sums(labels, 2)
    assert reducer.labels(sums, single, 2).tolist() == [[2]]
    assert reducer.pixels(sums, 2).tolist() == [[[0, 0, 255, 128]]]
