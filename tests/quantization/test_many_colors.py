"""Images of more colours than are counted one by one: with lower limits, so that small ones do."""

import numpy as np
import pytest
from sklearn.datasets import load_sample_image

import kqf
from kqf.encoding.label_search import LabelSearch
from kqf.quantization import color_counts, color_image
from kqf.quantization.colorspace import to_points
from kqf.quantization.nearest import assign


@pytest.fixture
def few_are_many(monkeypatch):
    monkeypatch.setattr(color_image, "_LARGE", 1)
    monkeypatch.setattr(color_counts, "MAX_DISTINCT", 1000)
    monkeypatch.setattr(color_image, "BAND", 2**13)


@pytest.fixture(scope="module")
def photograph():
    return np.ascontiguousarray(load_sample_image("china.jpg")[100:260, 100:300])


def with_alpha(pixels):
    alpha = np.clip(np.linspace(-60, 315, pixels.shape[1]), 0, 255).astype(np.uint8)
    return np.dstack([pixels, np.broadcast_to(alpha, pixels.shape[:2])])


@pytest.mark.usefixtures("few_are_many")
@pytest.mark.parametrize("metric", ["mse", "perceptual"])
@pytest.mark.parametrize("translucent", [False, True])
def test_each_pixel_gets_its_nearest_codeword(photograph, metric, translucent):
    pixels = with_alpha(photograph) if translucent else photograph
    image = kqf.quantize(pixels, metric=metric, quality=100, threads=3)
    colors = pixels.reshape(-1, pixels.shape[2])
    if translucent:
        colors = np.where(colors[:, -1:] == 0, np.uint8(0), colors)
    assert np.array_equal(image.labels.ravel(), assign(colors, image.codebook, metric))


@pytest.mark.parametrize(
    ("predictor", "translucent", "quality"),
    [("left", False, None), ("up", False, 30), ("left", True, 30), ("up", True, None)],
)
def test_a_search_finds_what_it_finds_of_few_colours(
    photograph, predictor, translucent, quality, request
):
    pixels = with_alpha(photograph) if translucent else photograph
    options = {"predictor": predictor, "effort": 4, "quality": quality}

    def measured():
        data = kqf.encode(pixels, **options)
        points = [
            to_points(some.reshape(-1, pixels.shape[2]), "perceptual")
            for some in (pixels, kqf.decode(data))
        ]
        return len(data), float(((points[0] - points[1]) ** 2).sum())

    size, error = measured()
    request.getfixturevalue("few_are_many")
    assert measured() == (pytest.approx(size, rel=0.04), pytest.approx(error, rel=0.03))


@pytest.mark.usefixtures("few_are_many")
@pytest.mark.parametrize("effort", [1, 2])
def test_flat_colours_and_those_to_keep_stay_exact(photograph, effort):
    pixels = photograph.copy()
    pixels[20:100, 30:150] = (77, 133, 201)
    pixels[150, 150] = (255, 0, 254)
    image = kqf.quantize(pixels, colors=32, keep=[(255, 0, 254)], effort=effort)
    assert (image.pixels[20:100, 30:150] == (77, 133, 201)).all()
    assert image.pixels[150, 150].tolist() == [255, 0, 254]


@pytest.mark.usefixtures("few_are_many")
@pytest.mark.parametrize("dither", ["ordered", "floyd-steinberg"])
def test_dithering_keeps_the_mean(photograph, dither):
    image = kqf.quantize(photograph, colors=16, dither=dither, metric="mse")
    assert image.pixels.mean(axis=(0, 1)) == pytest.approx(photograph.mean(axis=(0, 1)), abs=1)


@pytest.mark.parametrize(
    ("channels", "dither"), [(1, "none"), (3, "none"), (3, "floyd-steinberg"), (4, "ordered")]
)
def test_an_image_of_many_pixels_and_few_colours_becomes_the_same_in_bands(
    photograph, channels, dither, monkeypatch
):
    pixels = with_alpha(photograph) if channels == 4 else photograph[..., :channels]
    options = {"effort": 5, "quality": 50, "colors": 100, "dither": dither, "threads": 3}
    whole = kqf.encode(pixels, **options)
    for name, value in (("_LARGE", 1), ("_HUGE", 1), ("BAND", 2**13)):
        monkeypatch.setattr(color_image, name, value)
    spread = color_image.ColorImage.spread

    def spread_in_bands(image, values):
        assert values.itemsize == 1 or image.whole
        return spread(image, values)

    monkeypatch.setattr(color_image.ColorImage, "spread", spread_in_bands)
    assert len(kqf.encode(pixels, **options)) == pytest.approx(len(whole), rel=0.005)


@pytest.mark.usefixtures("few_are_many")
def test_noise_is_not_searched_beyond_a_part(monkeypatch):
    def search_all(*_):
        raise AssertionError

    pixels = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    nearest = kqf.quantize(pixels, quality=100)
    monkeypatch.setattr("kqf.encoding.label_search.PART", 2**13)
    monkeypatch.setattr("kqf.encoding.label_search.refine_in_bands", search_all)
    assert np.array_equal(kqf.quantize(pixels).labels, nearest.labels)


@pytest.mark.parametrize("in_bands", [False, True])
def test_the_error_that_targets_compare_is_that_of_the_pixels(
    photograph, in_bands, request, monkeypatch
):
    if in_bands:
        request.getfixturevalue("few_are_many")
    found, error_of = [], LabelSearch.error

    def recorded(search, labelled):
        error = error_of(search, labelled)
        found.append((labelled, error))
        return error

    monkeypatch.setattr(LabelSearch, "error", recorded)
    kqf.quantize(photograph, max_bytes=1200, colors=16, metric="mse", effort=1)
    assert len(found) > 1
    for labelled, error in found:
        shown = labelled.codebook[labelled.labels]
        offsets = [to_points(some.reshape(-1, 3), "mse") for some in (photograph, shown)]
        assert error == pytest.approx(float(((offsets[0] - offsets[1]) ** 2).sum()))
