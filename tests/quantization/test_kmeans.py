import numpy as np
import pytest
from conftest import smooth_image
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from kqf.encoding.effort import PRESETS
from kqf.quantization.colorspace import METRICS, lightness, to_points
from kqf.quantization.histogram import Histogram, count, pack
from kqf.quantization.kmeans import in_order, learn, lloyd

QUICK, USUAL = PRESETS[1].kmeans, PRESETS[5].kmeans


def histogram_of(pixels):
    return count(pack(pixels), pixels.shape[2])


def error_of(pixels, codebook, metric="mse"):
    """Return the mean squared error of the nearest codewords, in the metric's own points."""
    histogram = histogram_of(pixels)
    points = to_points(histogram.colors, metric).astype(np.float64)
    codewords = to_points(codebook, metric).astype(np.float64)
    squares = (codewords**2).sum(axis=1) - 2 * points @ codewords.T
    least = squares.min(axis=1) + (points**2).sum(axis=1)
    return np.average(least, weights=histogram.counts)


def photo(height=100, width=120):
    """Return something like a photograph: soft gradients, a few objects, and noise."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:height, :width]
    image = np.stack([y * 0.9 + 20, 160 - x * 0.5, (x + y) * 0.4 + 40], axis=2)
    for _ in range(12):
        center, radius = rng.integers(0, 160, 2), rng.integers(10, 40)
        inside = (y - center[0]) ** 2 + (x - center[1]) ** 2 < radius**2
        image[inside] = image[inside] * 0.4 + rng.integers(0, 160, 3)
    return np.clip(np.rint(image + rng.normal(0, 5, image.shape)), 0, 255).astype(np.uint8)


def test_colours_that_stand_in_clear_groups_are_found():
    centers = np.array([[10, 10, 10], [10, 200, 30], [240, 20, 60], [250, 250, 250]])
    rng = np.random.default_rng(0)
    offsets = rng.integers(-5, 6, (4, 400, 3))
    # Each offset and its opposite, so that the means are the centres.
    pixels = (centers[:, None] + np.concatenate([offsets, -offsets], axis=1)).astype(np.uint8)
    codebook = learn(histogram_of(pixels), 4, "mse", USUAL, 0)
    by_lightness = centers[np.argsort(lightness(centers.astype(np.uint8)))]
    assert codebook.tolist() == by_lightness.tolist()


def test_one_colour_is_the_mean_by_frequency():
    pixels = np.array([[[0, 8, 0]] * 3 + [[100, 0, 40]]], np.uint8)
    assert learn(histogram_of(pixels), 1, "mse", QUICK, 0).tolist() == [[25, 6, 10]]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("colors", [1, 2, 7, 60])
def test_a_codebook_is_distinct_by_lightness_and_no_larger_than_asked(channels, metric, colors):
    histogram = histogram_of(smooth_image(40, 50, channels, 20))
    codebook = learn(histogram, colors, metric, QUICK, 0)
    assert codebook.dtype == np.uint8
    assert codebook.shape[1] == channels
    assert 1 <= len(codebook) <= colors
    assert len(np.unique(codebook, axis=0)) == len(codebook)
    assert (np.diff(lightness(codebook)) >= 0).all()


def test_all_entries_asked_for_are_used_on_an_image_of_many_colours():
    assert len(learn(histogram_of(photo()), 256, "mse", USUAL, 0)) >= 250


@pytest.mark.parametrize("metric", METRICS)
def test_the_same_seed_gives_the_same_codebook(metric):
    histogram = histogram_of(photo(60, 80))
    first, second = (learn(histogram, 40, metric, USUAL, 9) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("colors", [16, 64, 256])
def test_the_error_is_below_that_of_median_cut(colors):
    pixels = photo()
    image = Image.fromarray(pixels).quantize(colors, Image.Quantize.MEDIANCUT)
    theirs = np.array(image.getpalette(), np.uint8).reshape(-1, 3)[:colors]
    ours = learn(histogram_of(pixels), colors, "mse", USUAL, 0)
    assert error_of(pixels, ours) < 0.9 * error_of(pixels, theirs)


def test_more_colours_leave_less_error():
    pixels = photo(80, 100)
    codebooks = [learn(histogram_of(pixels), n, "mse", QUICK, 0) for n in (2, 8, 32, 128)]
    found = [error_of(pixels, codebook) for codebook in codebooks]
    assert found == sorted(found, reverse=True)
    assert found[-1] < found[0] / 50


def test_more_work_leaves_less_error():
    pixels = photo()
    quick, usual = (learn(histogram_of(pixels), 64, "mse", w, 0) for w in (QUICK, USUAL))
    assert error_of(pixels, usual) < error_of(pixels, quick)


@pytest.mark.parametrize("colors", [16, 128])
def test_each_metric_is_best_by_its_own_measure(colors):
    pixels = photo()
    books = {metric: learn(histogram_of(pixels), colors, metric, USUAL, 0) for metric in METRICS}
    for metric in METRICS:
        mine, other = books[metric], books[METRICS[1 - METRICS.index(metric)]]
        assert error_of(pixels, mine, metric) < error_of(pixels, other, metric)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_0_and_255_have_entries_of_their_own(channels, metric):
    pixels = smooth_image(60, 60, channels, 30)
    pixels[:20, :, -1], pixels[40:, :, -1] = 0, 255
    codebook = learn(histogram_of(pixels), 32, metric, QUICK, 0)
    transparent = codebook[codebook[:, -1] == 0]
    assert transparent.tolist() == [[0] * channels]
    assert (codebook[:, -1] == 255).sum() > 1
    assert ((codebook[:, -1] > 0) & (codebook[:, -1] < 255)).sum() > 1


@pytest.mark.parametrize("alpha", [1, 2, 253, 254])
@pytest.mark.parametrize("metric", METRICS)
def test_faint_alpha_becomes_neither_0_nor_255(alpha, metric):
    pixels = smooth_image(30, 30, 4, 30)
    pixels[..., 3] = alpha
    codebook = learn(histogram_of(pixels), 8, metric, QUICK, 0)
    assert set(codebook[:, 3].tolist()) <= set(range(1, 255))


@pytest.mark.parametrize("colors", [1, 2])
def test_fewer_entries_than_kinds_of_alpha_are_shared(colors):
    pixels = np.array([[[50, 0], [60, 0], [90, 128], [70, 128], [10, 255], [20, 255]]], np.uint8)
    assert 1 <= len(learn(histogram_of(pixels), colors, "mse", QUICK, 0)) <= colors


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 4))))
def test_codewords_are_put_in_order_each_once(codewords):
    expected = sorted({(int(lightness(c[None])[0]), *c.tolist()) for c in codewords})
    assert in_order(codewords).tolist() == [list(entry[1:]) for entry in expected]


def test_lloyd_moves_centroids_to_the_weighted_means_of_their_points():
    points = np.array([[0, 0], [4, 0], [20, 0], [20, 8]], np.float32)
    weights = np.array([3.0, 1.0, 1.0, 1.0])
    centroids = np.array([[1, 0], [19, 0], [-50, -50]], np.float32)
    moved = lloyd(points, weights, centroids, 5)
    # The third has no points and stays.
    assert moved.tolist() == [[1, 0], [20, 4], [-50, -50]]
    assert centroids.tolist() == [[1, 0], [19, 0], [-50, -50]]


def test_lloyd_without_steps_leaves_centroids_as_they_are():
    points = np.array([[0, 0], [4, 0]], np.float32)
    assert lloyd(points, np.ones(2), points[:1], 0).tolist() == [[0, 0]]


def test_identical_weights_and_colours_learn_alike_from_pixels_or_histogram():
    pixels = photo(40, 50)
    doubled = histogram_of(np.concatenate([pixels, pixels]))
    single = histogram_of(pixels)
    assert np.array_equal(doubled.counts, 2 * single.counts)
    same = Histogram(single.colors, doubled.counts)
    first = learn(same, 16, "mse", QUICK, 0)
    assert np.array_equal(first, learn(doubled, 16, "mse", QUICK, 0))
