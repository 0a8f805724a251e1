import numpy as np
import pytest
from conftest import metrics, pixel_arrays, smooth_image
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_sample_image

import kqf
from kqf.quantization import dither
from kqf.quantization.colorspace import METRICS

NAMES = ["floyd-steinberg", "ordered"]
BLACK_WHITE = np.array([[0], [255]], np.uint8)


def ramp(height=64, width=256):
    """Return a gradient from black to white, (H, W, 1)."""
    return np.tile(np.linspace(0, 255, width).astype(np.uint8)[:, None], (height, 1, 1))


def index_of(pixels):
    """Return the rows of the pixels' colours (H, W), and the colours."""
    flat = pixels.reshape(-1, pixels.shape[2])
    colors, index = np.unique(flat, axis=0, return_inverse=True)
    return index.reshape(pixels.shape[:2]).astype(np.int32), colors


def blocks(values, side):
    """Return the means of square blocks of (H, W, C)."""
    height, width, channels = values.shape
    shape = (height // side, side, width // side, side, channels)
    return values[: height // side * side, : width // side * side].reshape(shape).mean(axis=(1, 3))


def drift(pixels, decoded, side=8):
    """Return the mean squared error of the mean colours of blocks."""
    shown = decoded.reshape(pixels.shape).astype(np.float64)
    return ((blocks(shown, side) - blocks(pixels.astype(np.float64), side)) ** 2).mean()


@pytest.fixture(scope="module")
def china():
    """Return a part of scikit-learn's photograph: sky, roofs and trees."""
    return np.ascontiguousarray(load_sample_image("china.jpg")[100:240, 240:400])


# --- what dithering is for


@pytest.mark.parametrize("name", NAMES)
def test_the_mean_of_a_gradient_is_kept(name):
    pixels = ramp()
    image = kqf.quantize(pixels, palette=BLACK_WHITE, metric="mse", dither=name)
    assert abs(image.pixels.mean() - pixels.mean()) < 2
    near, far = (
        drift(pixels, kqf.quantize(pixels, palette=BLACK_WHITE, metric="mse", dither=d).pixels)
        for d in (name, None)
    )
    assert near < far / 20


@pytest.mark.parametrize("name", NAMES)
def test_a_level_of_gray_is_mixed_of_lighter_and_darker(name):
    palette = np.array([[0], [200], [255], [9]], np.uint8)
    for level in (60, 100, 140):
        pixels = np.full((64, 64, 1), level, np.uint8)
        shown = kqf.quantize(pixels, palette=palette, dither=name).pixels
        # Within a tenth of the gap between 9 and 200.
        assert abs(shown.mean() - level) < 19


@pytest.mark.parametrize("metric", METRICS)
def test_means_of_a_photograph_come_nearer_by_any_metric(china, metric):
    plain, mixed = (
        kqf.quantize(china, colors=16, metric=metric, effort=2, dither=d).pixels
        for d in (None, "ordered")
    )
    assert drift(china, mixed, 4) < 0.95 * drift(china, plain, 4)


def test_floyd_steinberg_brings_the_means_of_a_photograph_nearer(china):
    plain, mixed = (
        kqf.quantize(china, colors=16, metric="mse", effort=2, dither=d).pixels
        for d in (None, NAMES[0])
    )
    assert drift(china, mixed, 4) < 0.8 * drift(china, plain, 4)


@pytest.mark.parametrize("colors", [16, 64])
def test_ordered_costs_fewer_bytes_than_floyd_steinberg(china, colors):
    palette = kqf.quantize(china, colors=colors, metric="mse", effort=1).codebook
    sizes, errors = {}, {}
    for name in (None, *NAMES):
        data = kqf.encode(china, palette=palette, metric="mse", dither=name, effort=3)
        sizes[name] = len(data)
        errors[name] = ((kqf.decode(data).astype(float) - china) ** 2).mean()
    assert sizes[None] < sizes["ordered"] < sizes["floyd-steinberg"]
    assert errors[None] < min(errors["ordered"], errors["floyd-steinberg"])


# --- ordered


@given(pixel_arrays(), metrics, st.integers(1, 9), st.sampled_from([None, "kmeans", "octree"]))
def test_ordered_takes_images_of_every_kind(pixels, metric, colors, method):
    options = {"palette": None, "method": method} if method else {}
    image = kqf.quantize(
        pixels, colors=colors, metric=metric, dither="ordered", effort=1, **options
    )
    assert len(image.codebook) <= colors
    assert image.labels.shape == pixels.shape[:2]
    assert image.labels.max() < len(image.codebook)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("given_palette", [False, True])
def test_alpha_0_and_255_stay_exact(channels, metric, given_palette):
    pixels = smooth_image(80, 90, channels, 30)
    alpha = pixels[..., -1]
    alpha[alpha < 90], alpha[alpha > 170] = 0, 255
    palette = None
    if given_palette:
        palette = np.random.default_rng(5).integers(1, 255, (24, channels), dtype=np.uint8)
        palette[3], palette[9:15, -1] = 0, 255
    decoded = kqf.quantize(
        pixels, colors=24, metric=metric, palette=palette, dither="ordered", effort=1
    ).pixels
    assert not decoded[alpha == 0].any()
    assert (decoded[alpha == 255, -1] == 255).all()
    partial = (alpha > 0) & (alpha < 255)
    assert len(np.unique(decoded[partial], axis=0)) > 3


def test_a_pattern_is_sorted_by_lightness_whatever_the_palettes_order():
    palette = np.array([[255], [0], [128], [64]], np.uint8)
    patterns = dither.mix(np.arange(256, dtype=np.uint8)[:, None], palette, "mse", 1)
    assert patterns.shape == (256, 16)
    shown = palette[patterns, 0].astype(int)
    assert (np.diff(shown, axis=1) >= 0).all()
    # A mean never falls as the colour rises, and is right but near a codeword.
    means = shown.mean(axis=1)
    assert (np.diff(means) >= 0).all()
    assert np.abs(means - np.arange(256)).max() < 16


def test_a_colour_of_the_codebook_is_left_alone():
    rng = np.random.default_rng(0)
    codebook = np.unique(rng.integers(0, 256, (50, 4), dtype=np.uint8), axis=0)
    for metric in METRICS:
        patterns = dither.mix(codebook, codebook, metric, 1)
        assert np.array_equal(patterns, np.repeat(np.arange(50)[:, None], 16, axis=1))


def test_bands_and_threads_do_not_change_labels(monkeypatch):
    pixels = smooth_image(75, 90, 3, 30)
    index, colors = index_of(pixels)
    codebook = np.random.default_rng(2).integers(0, 256, (40, 3), dtype=np.uint8)
    whole = dither.ordered(index, colors, codebook, "perceptual", 1)
    monkeypatch.setattr(dither, "_COLORS", 100)
    monkeypatch.setattr(dither, "_PIXELS", 900)
    for threads in (1, 3):
        found = dither.ordered(index, colors, codebook, "perceptual", threads)
        assert np.array_equal(found, whole)


def test_the_pattern_repeats_every_four_pixels():
    pixels = np.full((30, 31, 1), 100, np.uint8)
    labels = kqf.quantize(pixels, palette=BLACK_WHITE, dither="ordered").labels
    assert np.array_equal(labels[4:], labels[:-4])
    assert np.array_equal(labels[:, 4:], labels[:, :-4])
    assert len(np.unique(labels)) == 2


# --- options


@pytest.mark.parametrize("name", NAMES)
def test_an_image_of_few_colours_is_stored_exactly(name):
    pixels = smooth_image(9, 9, 3, 40)
    plain = kqf.encode(pixels, effort=1)
    assert kqf.encode(pixels, dither=name, effort=1) == plain
    palette = np.unique(pixels.reshape(-1, 3), axis=0)[::-1]
    image = kqf.quantize(pixels, palette=palette, dither=name)
    assert np.array_equal(image.pixels, pixels)


@pytest.mark.parametrize("name", NAMES)
def test_a_palette_keeps_its_order_and_entries_that_nothing_uses(name):
    palette = np.array([[200, 0, 0], [0, 0, 0], [9, 250, 9], [255, 255, 255]], np.uint8)
    pixels = np.repeat(ramp(16, 64), 3, axis=2)
    image = kqf.quantize(pixels, palette=palette, dither=name)
    assert image.codebook.tolist() == palette.tolist()
    assert {1, 3} <= set(np.unique(image.labels))


@pytest.mark.parametrize("name", NAMES)
def test_encode_quantize_and_save_take_a_dither_and_repeat_themselves(china, name, tmp_path):
    options = {"dither": name, "colors": 12, "effort": 1, "method": "octree"}
    data = kqf.encode(china, threads=1, **options)
    image = kqf.quantize(china, **options)
    assert np.array_equal(kqf.decode(data), image.pixels)
    Image.fromarray(china).save(tmp_path / "image.kqf", threads=3, **options)
    assert (tmp_path / "image.kqf").read_bytes() == data


@pytest.mark.parametrize(
    "name", [3, "", "bayer", True, ["ordered"], np.array(["ordered", "x"]), Image.Dither.RASTERIZE]
)
def test_an_unknown_dither_is_a_value_error(name):
    with pytest.raises(
        ValueError, match="dither must be one of none, auto, ordered, floyd-steinberg, not"
    ):
        kqf.encode(smooth_image(5, 5, 3), dither=name)


def test_no_dither_has_a_name_too():
    pixels = smooth_image(9, 9, 3, 40)
    options = {"colors": 9, "effort": 1}
    plain = kqf.encode(pixels, **options)
    for none in (None, "none", Image.Dither.NONE):
        assert kqf.encode(pixels, dither=none, **options) == plain


@pytest.mark.parametrize("name", NAMES)
def test_pillows_names_of_dithers_are_taken(name):
    pixels = smooth_image(9, 9, 3, 40)
    options = {"colors": 9, "effort": 1}
    pillows = {"ordered": Image.Dither.ORDERED, "floyd-steinberg": Image.Dither.FLOYDSTEINBERG}
    ours = kqf.encode(pixels, dither=name, **options)
    assert kqf.encode(pixels, dither=pillows[name], **options) == ours


def sky(height=96, width=120):
    """Return a calm gradient beside noise, (H, W, 3) uint8, and which pixels are well inside it."""
    random = np.random.default_rng(5)
    pixels = np.empty((height, width, 3))
    pixels[:] = np.linspace(90, 200, height)[:, None, None] + [0, 10, 40]
    half = width // 2
    pixels[:, half:] += random.normal(0, 30, (height, half, 3))
    calm = np.zeros((height, width), bool)
    calm[10:-10, 10 : half - 10] = True
    return np.rint(pixels.clip(0, 255)).astype(np.uint8), calm


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("metric", ["mse", "perceptual"])
def test_below_quality_100_calm_areas_are_dithered_and_busy_ones_searched(name, metric):
    pixels, calm = sky()
    options = {"colors": 24, "metric": metric, "effort": 3}
    plain = kqf.quantize(pixels, quality=60, **options)
    whole = kqf.quantize(pixels, dither=name, **options)
    part = kqf.quantize(pixels, dither=name, quality=60, **options)
    assert np.array_equal(part.pixels[calm], whole.pixels[calm])
    assert not np.array_equal(part.pixels[~calm], whole.pixels[~calm])
    rows = slice(20, 76), slice(10, 50)
    assert drift(pixels[rows], part.pixels[rows]) < 0.5 * drift(pixels[rows], plain.pixels[rows])
    sizes = [len(kqf.encode(pixels, dither=name, quality=q, **options)) for q in (100, 30)]
    assert sizes[1] < 0.9 * sizes[0]


@pytest.mark.parametrize("name", NAMES)
def test_targets_are_met_by_dithered_images(name):
    pixels, _ = sky(64, 64)
    options = {"colors": 16, "dither": name, "effort": 1}
    limit = int(0.9 * len(kqf.encode(pixels, **options)))
    assert len(kqf.encode(pixels, max_bytes=limit, **options)) <= limit
    target = kqf.psnr(pixels, kqf.decode(kqf.encode(pixels, **options))) - 1
    assert kqf.psnr(pixels, kqf.decode(kqf.encode(pixels, target_psnr=target, **options))) >= target


@pytest.mark.parametrize("name", NAMES)
def test_dither_strength_goes_from_nothing_to_all(name):
    pixels, _ = sky()
    options = {"colors": 16, "effort": 1}
    plain = kqf.encode(pixels, **options)
    assert kqf.encode(pixels, dither=name, dither_strength=0, **options) == plain
    whole = kqf.encode(pixels, dither=name, **options)
    assert kqf.encode(pixels, dither=name, dither_strength=1, **options) == whole
    half = kqf.encode(pixels, dither=name, dither_strength=0.5, **options)
    assert len(plain) < len(half) < len(whole)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"dither_strength": 0.5}, ValueError, "dither_strength= is for dithering"),
        ({"dither": "ordered", "dither_strength": 1.5}, ValueError, "must be 0 to 1, not 1.5"),
        ({"dither": "ordered", "dither_strength": "1"}, TypeError, "must be a number, not str"),
        ({"dither": "ordered", "dither_strength": float("nan")}, ValueError, "0 to 1, not nan"),
    ],
)
def test_a_wrong_dither_strength_is_an_error(options, error, message):
    with pytest.raises(error, match=message):
        kqf.encode(smooth_image(5, 5, 3), **options)


def test_auto_dithers_where_bands_would_be_seen():
    pixels, _ = sky()
    few: kqf.EncodeOptions = {"colors": 6, "effort": 3}
    diffused = kqf.encode(pixels, dither="floyd-steinberg", quality=75, **few)
    assert kqf.encode(pixels, dither="auto", **few) == diffused != kqf.encode(pixels, **few)
    # All of the gradient is there.
    many: kqf.EncodeOptions = {"colors": 256, "effort": 3}
    assert kqf.encode(pixels, dither="auto", **many) == kqf.encode(pixels, **many)
    # Bands in a small part of an image are not worth it, nor are those of noise seen.
    noise = np.tile(pixels[:, 60:], (1, 2, 1))
    assert kqf.encode(noise, dither="auto", **few) == kqf.encode(noise, **few)
    flat = np.ascontiguousarray(pixels[::24, ::30])
    assert np.array_equal(kqf.decode(kqf.encode(flat, dither="auto")), flat)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_auto_takes_gray_and_alpha(channels):
    pixels = np.full((96, 120, channels), 255, np.uint8)
    pixels[..., 0] = sky()[0][..., 0]
    options = {"colors": 2, "effort": 1}
    assert kqf.encode(pixels, dither="auto", quality=100, **options) == kqf.encode(
        pixels, dither="floyd-steinberg", **options
    )


@pytest.mark.parametrize("name", NAMES)
def test_alpha_stays_where_calm_areas_alone_are_dithered(name):
    pixels = np.full((96, 120, 4), 255, np.uint8)
    pixels[..., :3] = sky()[0]
    pixels[30:60, 20:40, 3] = 0
    shown = kqf.quantize(pixels, colors=24, dither=name, quality=70, effort=3).pixels
    assert np.array_equal(shown[..., 3], pixels[..., 3])


def test_a_palette_of_other_colours_keeps_its_steps():
    height, width = 60, 200
    ramp = np.linspace(40, 215, width)
    # No gray is near: what all are off tells nothing about the steps from one to the next.
    pixels = np.broadcast_to(np.stack([ramp + 40, ramp, ramp - 40], axis=1), (height, width, 3))
    pixels = pixels.round().astype(np.uint8)
    grays = np.repeat(np.arange(0, 256, 2, dtype=np.uint8)[:, None], 3, axis=1)
    image = kqf.quantize(pixels, palette=grays, dither="floyd-steinberg", metric="mse")
    means = image.pixels[..., 1].mean(axis=0).reshape(-1, 8).mean(axis=1)
    assert np.abs(means - ramp.reshape(-1, 8).mean(axis=1)).max() < 1.5


def test_little_strength_changes_little():
    pixels = np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)
    plain = kqf.quantize(pixels, colors=64, quality=100)
    image = kqf.quantize(
        pixels, colors=64, quality=100, dither="floyd-steinberg", dither_strength=0.001
    )
    assert (image.labels != plain.labels).mean() < 0.001
