import numpy as np
import pytest
from conftest import pixel_arrays, smooth_image
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_sample_image

import kqf
from kqf.encoding.effort import PRESETS
from kqf.quantization import methods
from kqf.quantization.colorspace import METRICS, lightness, to_points
from kqf.quantization.histogram import Histogram, count, pack
from kqf.quantization.nearest import assign
from kqf.quantization.pixels import as_pixels

NAMES = ["minibatch", "agglomerative", "median-cut", "octree", "random", "sample:500"]
WITH_ALPHA = [name for name in NAMES if name != "median-cut"]
WORK = PRESETS[3].kmeans


def histogram_of(pixels):
    return count(pack(pixels), pixels.shape[2])


def learn(name, pixels, colors, metric="mse", seed=0):
    return methods.find(name, pixels.shape[2], WORK, 1)(histogram_of(pixels), colors, metric, seed)


def error_of(pixels, codebook, metric="mse"):
    """Return the mean squared error of the nearest codewords, in the metric's own points."""
    histogram = histogram_of(pixels)
    labels = assign(histogram.colors, codebook, metric)
    offsets = to_points(histogram.colors, metric) - to_points(codebook, metric)[labels]
    return np.average((offsets.astype(np.float64) ** 2).sum(axis=1), weights=histogram.counts)


@pytest.fixture(scope="module")
def china():
    """Return a part of scikit-learn's photograph: sky, roofs and trees."""
    return np.ascontiguousarray(load_sample_image("china.jpg")[100:240, 240:400])


def as_set(colors):
    return {tuple(color) for color in colors.tolist()}


# --- what is learned


@pytest.mark.parametrize("colors", [16, 64, 256])
def test_k_means_is_the_best_and_random_colours_are_the_worst(china, colors):
    errors = {name: error_of(china, learn(name, china, colors)) for name in ["kmeans", *NAMES]}
    for name in ("minibatch", "agglomerative", "sample:500"):
        assert errors["kmeans"] < errors[name] < errors["median-cut"]
    assert errors["kmeans"] < errors["octree"]
    assert errors["minibatch"] < 1.2 * errors["kmeans"]
    # A gamble of one seed: on the mean of five, nothing else is as bad.
    gambles = [error_of(china, learn("random", china, colors, seed=seed)) for seed in range(5)]
    assert all(error < np.mean(gambles) for name, error in errors.items() if name != "random")


# Not "agglomerative", which merges groups whatever their pixels.
@pytest.mark.parametrize("name", ["minibatch", "sample:500"])
def test_centroids_are_best_in_the_metric_that_they_were_learned_in(china, name):
    books = {metric: learn(name, china, 64, metric) for metric in METRICS}
    for metric, other in zip(METRICS, METRICS[::-1], strict=True):
        assert error_of(china, books[metric], metric) < error_of(china, books[other], metric)


@pytest.mark.parametrize("name", ["minibatch", "agglomerative", "sample:5000"])
def test_colours_that_stand_in_clear_groups_are_found(name):
    centers = np.array([[10, 10, 10], [10, 200, 30], [240, 20, 60], [250, 250, 250]])
    offsets = np.random.default_rng(0).integers(-5, 6, (4, 400, 3))
    # Each offset and its opposite, so that the means are the centres.
    pixels = (centers[:, None] + np.concatenate([offsets, -offsets], axis=1)).astype(np.uint8)
    codebook = learn(name, pixels, 4)
    by_lightness = centers[np.argsort(lightness(centers.astype(np.uint8)))]
    assert np.abs(codebook.astype(int) - by_lightness).max() <= 2 * (name == "minibatch")


@pytest.mark.parametrize("name", ["minibatch", "agglomerative"])
def test_frequent_colours_draw_the_codewords(name):
    pixels = smooth_image(30, 30, 3, 20)
    many = np.concatenate([pixels, np.repeat(pixels[:3], 60, axis=0)])
    assert error_of(many, learn(name, many, 16)) < error_of(many, learn(name, pixels, 16))


@pytest.mark.parametrize("colors", [2, 16, 100])
@pytest.mark.parametrize(
    ("name", "method"),
    [("median-cut", Image.Quantize.MEDIANCUT), ("octree", Image.Quantize.FASTOCTREE)],
)
def test_median_cut_and_octree_find_what_pillow_finds_in_the_image(china, name, method, colors):
    image = Image.fromarray(china).quantize(colors, method, dither=Image.Dither.NONE)
    palette = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
    assert as_set(learn(name, china, colors)) == as_set(palette[np.unique(np.asarray(image))])


def test_more_pixels_than_pillow_is_given_leave_about_the_same_error(china, monkeypatch):
    whole = {name: error_of(china, learn(name, china, 32)) for name in ("median-cut", "octree")}
    monkeypatch.setattr(methods, "_PILLOW_PIXELS", 20000)
    for name, error in whole.items():
        assert error_of(china, learn(name, china, 32)) < 1.2 * error


def test_random_colours_are_colours_of_the_image_often_the_frequent_ones():
    pixels = np.arange(200, dtype=np.uint8).reshape(1, 200, 1)
    pixels = np.concatenate([pixels] + [pixels[:, :20]] * 99, axis=1)
    found = [learn("random", pixels, 10, seed=seed)[:, 0] for seed in range(30)]
    assert all(len(codebook) == 10 and codebook.max() < 200 for codebook in found)
    # 2,000 of 2,180 pixels: of 300 draws about 270 are theirs.
    assert 240 < sum((codebook < 20).sum() for codebook in found) < 295


def test_a_sample_of_all_pixels_is_k_means_on_all():
    pixels = smooth_image(30, 40, 3, 20)
    errors = [error_of(pixels, learn(f"sample:{n}", pixels, 32)) for n in (40, 1200, 10**400)]
    assert errors[0] > errors[1] == errors[2]
    assert errors[1] < 1.3 * error_of(pixels, learn("kmeans", pixels, 32))


def test_a_sample_of_few_pixels_makes_few_colours():
    assert len(learn("sample:5", smooth_image(30, 40, 3, 20), 64)) <= 5
    assert len(learn("sample:1", smooth_image(30, 40, 4, 20), 64)) <= 3


# --- every method


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("colors", [1, 2, 7, 60])
@pytest.mark.parametrize("name", NAMES)
def test_a_codebook_is_distinct_by_lightness_and_no_larger_than_asked(
    name, channels, metric, colors
):
    if name == "median-cut" and channels in (2, 4):
        return
    codebook = learn(name, smooth_image(40, 50, channels, 20), colors, metric)
    assert codebook.dtype == np.uint8
    assert codebook.shape[1] == channels
    assert 1 <= len(codebook) <= colors
    assert len(np.unique(codebook, axis=0)) == len(codebook)
    assert (np.diff(lightness(codebook)) >= 0).all()


@settings(max_examples=100)
@given(pixel_arrays(), st.sampled_from(NAMES), st.integers(1, 40), st.sampled_from(METRICS))
def test_small_images_of_any_kind_are_learned(pixels, name, colors, metric):
    pixels = as_pixels(pixels)
    if name == "median-cut" and pixels.shape[2] in (2, 4):
        return
    image = kqf.quantize(pixels, method=name, colors=colors, metric=metric, effort=1)
    assert len(image.codebook) <= colors


@pytest.mark.parametrize("name", NAMES)
def test_all_entries_asked_for_are_used_on_a_photograph(china, name):
    # The octree's cells are fixed, so that some entries are left over.
    least = 150 if name == "octree" else 240
    assert least <= len(learn(name, china, 256)) <= 256


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_codebook(china, name, metric):
    for seed in (3, 2**63 - 1):
        first, second = (learn(name, china, 40, metric, seed) for _ in range(2))
        assert np.array_equal(first, second)


@pytest.mark.parametrize("name", ["minibatch", "random", "sample:500"])
def test_another_seed_gives_another_codebook(china, name):
    assert not np.array_equal(learn(name, china, 40, seed=0), learn(name, china, 40, seed=1))


@pytest.mark.parametrize("name", NAMES)
def test_an_image_of_few_colours_is_stored_exactly(name):
    pixels = smooth_image(9, 9, 3, 40)
    assert np.array_equal(kqf.decode(kqf.encode(pixels, method=name, effort=1)), pixels)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("name", WITH_ALPHA)
def test_alpha_0_and_255_stay_exact(name, channels, metric):
    pixels = smooth_image(60, 60, channels, 30)
    pixels[:20, :, -1], pixels[40:, :, -1] = 0, 255
    data = kqf.encode(pixels, method=name, colors=32, metric=metric, effort=1)
    decoded = kqf.decode(data)
    assert not decoded[pixels[..., -1] == 0].any()
    assert (decoded[pixels[..., -1] == 255, -1] == 255).all()
    assert len(np.unique(decoded[20:40].reshape(-1, channels), axis=0)) > 3


@pytest.mark.parametrize("name", WITH_ALPHA)
def test_one_pixel_of_alpha_0_keeps_its_entry(name):
    pixels = smooth_image(60, 60, 4, 30)
    pixels[..., 3] = 255
    pixels[5, 5, 3] = 0
    decoded = kqf.decode(kqf.encode(pixels, method=name, colors=16, effort=1))
    assert np.argwhere(decoded[..., 3] != 255).tolist() == [[5, 5]]


# --- options


@pytest.mark.parametrize("name", ["octree", "sample:200"])
def test_encode_quantize_and_save_take_a_method(name, tmp_path):
    pixels = smooth_image(40, 50, 3, 20)
    options = {"method": name, "colors": 20, "metric": "mse", "effort": 1}
    data = kqf.encode(pixels, **options)
    image = kqf.quantize(pixels, **options)
    assert np.array_equal(kqf.read_indexed(data).codebook, image.codebook)
    assert np.array_equal(image.codebook, learn(name, pixels, 20))
    Image.fromarray(pixels).save(tmp_path / "image.kqf", **options)
    assert (tmp_path / "image.kqf").read_bytes() == data


def test_k_means_is_the_default():
    pixels = smooth_image(40, 50, 3, 20)
    named, usual = (kqf.encode(pixels, effort=1, **o) for o in ({"method": "kmeans"}, {}))
    assert named == usual


def test_quality_searches_from_any_methods_codebook():
    pixels = smooth_image(60, 80, 3, 9)
    for name in NAMES:
        options = {"method": name, "colors": 60, "effort": 1}
        sizes = [len(kqf.encode(pixels, quality=q, **options)) for q in (100, 70)]
        assert sizes[1] < sizes[0]


@pytest.mark.parametrize(
    "name",
    [
        *[None, 3, "", "k-means", ["kmeans"], np.array(["kmeans", "octree"])],
        *["sample", "sample:", "sample:0", "sample:-1", "sample:1.5", "sample:5 ", "sample:٣"],
        "sample:5\n",
    ],
)
def test_an_unknown_method_is_a_value_error(name):
    with pytest.raises(ValueError, match=r"method must be one of kmeans, .*, sample:N .*, not "):
        kqf.encode(smooth_image(5, 5, 3), method=name)


@pytest.mark.parametrize("channels", [2, 4])
def test_median_cut_of_alpha_is_a_value_error_whatever_the_colours(channels):
    for pixels in (smooth_image(40, 40, channels), np.full((2, 2, channels), 255, np.uint8)):
        with pytest.raises(ValueError, match="method 'median-cut' can't learn alpha"):
            kqf.encode(pixels, method="median-cut")


def test_a_method_beside_a_palette_is_a_value_error():
    palette = np.zeros((2, 3), np.uint8)
    with pytest.raises(ValueError, match="method='octree' has nothing to learn with palette="):
        kqf.encode(smooth_image(5, 5, 3), method="octree", palette=palette)
    kqf.encode(smooth_image(5, 5, 3), method="kmeans", palette=palette)


def test_a_sample_has_pixels_of_every_kind_of_alpha():
    colors = np.array([[9, 0], [8, 7], [7, 255], [6, 255]], np.uint8)
    histogram = Histogram(colors, np.array([1, 1, 10**6, 10**6]))
    codebook = methods.sample(histogram, 3, "mse", 0, size=10)
    assert sorted(codebook[:, 1].tolist()) == [0, 7, 255]
