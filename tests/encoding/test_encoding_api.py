import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from conftest import (
    indexed_images,
    metadata_entries,
    metrics,
    pixel_arrays,
    predictors,
    smooth_image,
    take_apart,
)
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImagePalette

import kqf
from kqf.quantization.colorspace import METRICS, metric_for, to_points

tiles = st.none() | st.integers(1, 12) | st.tuples(st.integers(1, 12), st.integers(1, 12))


def as_bytes(pixels):
    """Return pixels as what decoding gives for them: bool as 0 and 255, one channel as none."""
    pixels = pixels * np.uint8(255) if pixels.dtype == bool else pixels
    return pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels


def distinct(pixels):
    return len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0))


# --- what comes back


@given(
    pixel_arrays(), predictors | st.just("auto"), tiles, st.integers(1, 256), metrics, st.integers()
)
def test_pixels_are_the_codewords_of_their_labels(pixels, predictor, tile, colors, metric, seed):
    options = {"predictor": predictor, "tile": tile, "colors": colors, "metric": metric}
    data = kqf.encode(pixels, **options, seed=abs(seed) % 2**63, effort=1, threads=1)
    image = kqf.read_indexed(data)
    assert len(image.codebook) <= colors
    decoded = kqf.decode(data)
    assert decoded.shape == as_bytes(pixels).shape
    assert decoded.dtype == np.uint8
    expected = image.codebook[image.labels]
    assert decoded.tolist() == (expected[..., 0] if decoded.ndim == 2 else expected).tolist()


@given(pixel_arrays(), predictors, tiles, metrics, st.sampled_from([1, 5, 9]))
def test_an_image_of_few_colours_is_stored_exactly(pixels, predictor, tile, metric, effort):
    # At most 81 pixels, so never more than 256 colours.
    options = {"predictor": predictor, "tile": tile, "metric": metric, "effort": effort}
    assert kqf.decode(kqf.encode(pixels, **options)).tolist() == as_bytes(pixels).tolist()


@given(st.data(), st.sampled_from([2, 4]), metrics)
def test_hidden_colours_are_stored_exactly_where_they_fit(data, channels, metric):
    pixels = data.draw(pixel_arrays(channels=channels)).astype(np.uint8)
    pixels[..., -1] = np.where(pixels[..., -1] < 128, 0, pixels[..., -1])
    encoded = kqf.encode(pixels, colors=distinct(pixels), metric=metric, effort=1)
    assert kqf.decode(encoded).tolist() == pixels.tolist()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_as_many_colours_as_asked_for_are_exact_and_one_more_is_not(channels, metric):
    rng = np.random.default_rng(channels)
    pixels = rng.integers(0, 256, (8, 8, channels), dtype=np.uint8)
    pixels[..., -1] |= 1
    number = distinct(pixels)
    exact = kqf.read_indexed(kqf.encode(pixels, colors=number, metric=metric, effort=1))
    assert as_bytes(exact.pixels).tolist() == as_bytes(pixels).tolist()
    assert len(exact.codebook) == number
    fewer = kqf.read_indexed(kqf.encode(pixels, colors=number - 1, metric=metric, effort=1))
    assert len(fewer.codebook) <= number - 1


@pytest.mark.parametrize("metric", METRICS)
def test_gray_is_always_stored_exactly_by_default(metric):
    pixels = smooth_image(90, 70, 1, 30)
    assert distinct(pixels) == 256
    assert np.array_equal(kqf.decode(kqf.encode(pixels, metric=metric)), pixels[..., 0])


def test_colours_that_only_alpha_0_hides_count_as_one_where_they_do_not_fit():
    pixels = np.zeros((1, 6, 4), np.uint8)
    pixels[0, :, 0] = [1, 2, 3, 4, 5, 6]
    pixels[0, 4:, 3] = [255, 128]
    image = kqf.read_indexed(kqf.encode(pixels, colors=3, effort=1))
    assert image.pixels[0].tolist() == [[0] * 4] * 4 + pixels[0, 4:].tolist()
    assert len(image.codebook) == 3


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_pixel_becomes_the_nearest_colour_of_the_codebook(channels, metric):
    pixels = smooth_image(40, 50, channels, 20)
    image = kqf.read_indexed(kqf.encode(pixels, colors=24, metric=metric, quality=100, effort=2))
    steps = [
        (to_points(colors, metric_for(metric, 24)) * 8).astype(np.int64)
        for colors in (pixels.reshape(-1, channels), image.codebook)
    ]
    distances = ((steps[0][:, None] - steps[1][None]) ** 2).sum(axis=2)
    chosen = distances[np.arange(len(distances)), image.labels.ravel()]
    same = (pixels == image.codebook[image.labels]).all(axis=2).ravel()
    assert np.array_equal(chosen[~same], distances.min(axis=1)[~same])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_0_and_255_stay_exact_among_many_colours(channels, metric):
    pixels = smooth_image(80, 90, channels, 30)
    alpha = pixels[..., -1]
    alpha[alpha < 90], alpha[alpha > 170] = 0, 255
    assert distinct(pixels) > 256
    decoded = kqf.decode(kqf.encode(pixels, colors=24, metric=metric, quality=100, effort=2))
    assert np.array_equal(decoded[..., -1] == 0, alpha == 0)
    assert (decoded[alpha == 255, -1] == 255).all()
    # What can't be seen takes one entry.
    assert not decoded[alpha == 0].any()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_fewer_colours_than_asked_for_do_not_warn(channels):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = kqf.encode(np.full((5, 4, channels), 9, np.uint8), colors=200)
    assert kqf.info(data).colors == 1


def test_the_codebook_of_an_exact_image_is_its_colours_by_lightness():
    pixels = np.array([[[255, 255, 255], [0, 0, 200], [0, 100, 0], [0, 0, 200]]], np.uint8)
    image = kqf.quantize(pixels)
    assert image.codebook.tolist() == [[0, 0, 200], [0, 100, 0], [255, 255, 255]]
    assert image.labels.tolist() == [[2, 0, 1, 0]]


def test_views_of_arrays_are_encoded_as_their_copies():
    pixels = smooth_image(30, 40, 4, 20)
    for view in (pixels[::2, ::-3], pixels[..., :3], pixels[..., 1], pixels.swapaxes(0, 1)):
        assert kqf.encode(view, effort=1) == kqf.encode(view.copy(), effort=1)


def test_pixels_are_not_changed():
    pixels = smooth_image(30, 30, 4, 40)
    pixels[..., 3] = np.where(pixels[..., 3] < 128, 0, 255)
    before = pixels.copy()
    kqf.encode(pixels, colors=8, effort=1)
    assert np.array_equal(pixels, before)


def test_an_image_of_many_tiles_comes_back_with_any_threads():
    pixels = smooth_image(500, 600, 3, 3)
    data = kqf.encode(pixels, tile=(128, 100), effort=1, threads=2)
    info = kqf.info(data)
    assert (info.tiles, info.tile_width, info.tile_height) == (25, 128, 100)
    one, two = (kqf.read_indexed(data, threads=threads) for threads in (1, 2))
    assert np.array_equal(one.labels, two.labels)
    error = (pixels.astype(int) - one.pixels) ** 2
    # 256 colours that suit the image: far better than 6 by 6 by 7 that do not.
    assert error.mean() < 51**2 / 12
    assert np.array_equal(kqf.decode(data), one.pixels)


# --- labels and codebook kept as they are


@given(indexed_images(), predictors | st.just("auto"), tiles, metadata_entries)
def test_labels_codebook_and_metadata_come_back_as_they_were(image, predictor, tile, metadata):
    labels, codebook = image
    data = kqf.encode_indexed(
        labels, codebook, predictor=predictor, tile=tile, effort=1, metadata=metadata
    )
    found = kqf.read_indexed(data)
    assert found.labels.tolist() == labels.tolist()
    assert found.codebook.tolist() == codebook.tolist()
    assert found.metadata == metadata


@pytest.mark.parametrize("predictor", ["none", "left", "up", "auto"])
def test_256_labels_come_back(predictor):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 256, (70, 90), dtype=np.uint8)
    codebook = rng.integers(0, 256, (256, 3), dtype=np.uint8)
    data = kqf.encode_indexed(labels, codebook, predictor=predictor, tile=40)
    assert np.array_equal(kqf.read_indexed(data).labels, labels)


def test_an_indexed_image_is_taken_with_its_metadata(tmp_path):
    metadata = {"comment": "é", "dpi": (72.0, 72.0)}
    image = kqf.quantize(smooth_image(9, 8, 3), colors=9, metadata=metadata)
    data = kqf.encode_indexed(image)
    expected = kqf.encode_indexed(image.labels, image.codebook, metadata=metadata)
    assert data == expected
    assert kqf.read_indexed(data).metadata == metadata
    kqf.write_indexed(tmp_path / "a.kqf", image)
    assert (tmp_path / "a.kqf").read_bytes() == data
    assert kqf.read_indexed(kqf.encode_indexed(image, metadata={})).metadata == {}


def test_a_codebook_is_given_with_labels_alone():
    image = kqf.quantize(smooth_image(9, 8, 3), colors=9)
    with pytest.raises(TypeError, match="has its own codebook"):
        kqf.encode_indexed(image, image.codebook)
    with pytest.raises(TypeError, match="labels need a codebook"):
        kqf.encode_indexed(image.labels)


def test_metadata_is_not_shared_with_the_caller():
    metadata = {"comment": "a"}
    image = kqf.quantize(GRAY, metadata=metadata)
    metadata["comment"] = "b"
    assert image.metadata == {"comment": "a"}


# --- options


@pytest.mark.parametrize("number", range(12))
def test_auto_is_no_larger_than_any_predictor(number):
    rng = np.random.default_rng(number)
    height, width = rng.integers(1, 90, 2)
    pixels = smooth_image(height, width, 1 + number % 4, [1, 3, 9, 40][number // 3], seed=number)
    image = kqf.read_indexed(kqf.encode(pixels, colors=40, effort=1))
    sizes = {
        predictor: len(kqf.encode_indexed(image.labels, image.codebook, predictor=predictor))
        for predictor in ("auto", "none", "left", "up")
    }
    assert sizes["auto"] == min(sizes.values())


@pytest.mark.parametrize("predictor", ["none", "left", "up"])
def test_a_predictor_that_is_given_is_used(predictor):
    data = kqf.encode(smooth_image(20, 20, 3), predictor=predictor, effort=1)
    assert kqf.info(data).predictor == predictor
    assert (b"RANK" in dict(take_apart(data))) == (predictor != "none")


@pytest.mark.parametrize(
    ("tile", "found", "tiles"),
    [
        (7, (7, 7), 15),
        ((30, 5), (30, 5), 4),
        ((np.int64(8), np.uint8(20)), (8, 20), 4),
        ([30, 5], (30, 5), 4),
        (np.array([30, 5]), (30, 5), 4),
        (2**31 - 1, (30, 20), 1),
    ],
)
def test_a_tile_that_is_given_is_used(tile, found, tiles):
    info = kqf.info(kqf.encode(smooth_image(20, 30, 1), tile=tile, effort=1))
    assert ((info.tile_width, info.tile_height), info.tiles) == (found, tiles)


def test_only_several_tiles_have_an_index():
    for tile, found in ((None, False), (8, True)):
        parts = dict(take_apart(kqf.encode(smooth_image(9, 9, 1), tile=tile, effort=1)))
        assert (b"tidx" in parts) == found


def test_a_higher_effort_is_smaller():
    pixels = smooth_image(120, 200, 3, 5)
    image = kqf.read_indexed(kqf.encode(pixels, effort=1))
    low, high = (len(kqf.encode_indexed(image.labels, image.codebook, effort=e)) for e in (1, 9))
    assert high < low


def test_a_palette_keeps_its_order_and_entries_that_nothing_uses():
    palette = np.array([[200, 0, 0], [0, 0, 0], [9, 9, 9], [255, 255, 255], [0, 0, 0]], np.uint8)
    pixels = np.array([[[1, 1, 1], [250, 250, 250], [180, 20, 0], [8, 9, 9]]], np.uint8)
    image = kqf.read_indexed(kqf.encode(pixels, palette=palette))
    assert image.codebook.tolist() == palette.tolist()
    assert image.labels.tolist() == [[1, 3, 0, 2]]


def test_a_palette_may_be_bool():
    image = kqf.read_indexed(
        kqf.encode(np.array([[100, 200]], np.uint8), palette=np.array([[True], [False]]))
    )
    assert image.codebook.tolist() == [[255], [0]]
    assert image.labels.tolist() == [[1, 0]]


def test_a_palette_is_searched_by_the_metric():
    # In sRGB the darker gray is nearer (3 * 28 * 28 = 2352 to 50 * 50 = 2500), to the eye the
    # yellowish one, for blue adds little to lightness.
    pixels = np.full((1, 1, 3), 200, np.uint8)
    palette = np.array([[200, 200, 150], [172, 172, 172]], np.uint8)
    for metric, label in (("mse", 1), ("perceptual", 0)):
        image = kqf.read_indexed(kqf.encode(pixels, palette=palette, metric=metric))
        assert image.labels.tolist() == [[label]]


@pytest.mark.parametrize(
    "palette",
    [
        np.array([[0, 0, 0], [255, 0, 0]], np.uint8),
        [(0, 0, 0), (255, 0, 0)],
        ["#000", "#f00"],
        "#000,#f00",
        Image.fromarray(np.array([[[0, 0, 0], [255, 0, 0]]], np.uint8)),
        ImagePalette.ImagePalette("RGB", bytes([0, 0, 0, 255, 0, 0])),
    ],
    ids=["array", "tuples", "strings", "string", "image", "ImagePalette"],
)
def test_palettes_of_every_kind_are_taken(palette):
    pixels = np.array([[[9, 9, 9], [200, 0, 9]]], np.uint8)
    image = kqf.quantize(pixels, palette=palette)
    assert image.pixels.tolist() == [[[0, 0, 0], [255, 0, 0]]]


def test_a_palette_file_and_a_built_in_palette_are_taken(tmp_path):
    (tmp_path / "a.hex").write_text("000000\nff0000\n")
    image = kqf.quantize(smooth_image(5, 5, 3), palette=tmp_path / "a.hex")
    assert image.codebook.tolist() == [[0, 0, 0], [255, 0, 0]]
    assert len(kqf.quantize(smooth_image(5, 5, 3), palette="gameboy").codebook) == 4


@pytest.mark.parametrize("channels", [1, 3])
def test_a_palette_without_alpha_suits_an_image_that_is_opaque(channels):
    pixels = smooth_image(4, 5, 4)
    pixels[..., 3] = 255
    palette = np.array([[0] * channels, [255] * channels], np.uint8)
    image = kqf.quantize(pixels, palette=palette)
    assert image.codebook.tolist() == [[0, 0, 0, 255], [255, 255, 255, 255]]
    pixels[2, 3, 3] = 254
    with pytest.raises(ValueError, match="image has transparency, and the palette has none"):
        kqf.quantize(pixels, palette=palette)


@pytest.mark.parametrize(
    ("channels", "color", "message"),
    [
        (1, (1, 2, 3), "the palette has colours, and the image is gray"),
        (3, (1, 2, 3, 0), "the palette has transparency, and the image has none"),
    ],
)
def test_a_palette_that_would_lose_something_is_a_value_error(channels, color, message):
    with pytest.raises(ValueError, match=message):
        kqf.encode(smooth_image(3, 3, channels), palette=[color])


def test_a_palette_beyond_colors_is_a_value_error():
    with pytest.raises(ValueError, match="palette of 3 colours exceeds colors=2"):
        kqf.encode(smooth_image(3, 3, 3), palette=np.zeros((3, 3), np.uint8), colors=2)


def test_metadata_is_stored_and_costs_what_it_is_long():
    pixels = smooth_image(10, 10, 3)
    metadata = {"exif": b"Exif\0\0abc", "dpi": (72, 300.5), "comment": "é"}
    plain, full = kqf.encode(pixels), kqf.encode(pixels, metadata=metadata)
    assert kqf.read_indexed(full).metadata == metadata
    assert len(full) - len(plain) == 3 * 12 + 9 + 12 + 2
    assert np.array_equal(kqf.decode(full), kqf.decode(plain))


# --- arguments


@pytest.mark.parametrize(
    "pixels",
    [
        None,
        [[1, 2]],
        b"abc",
        np.zeros((2, 2), np.uint16),
        np.zeros((2, 2), np.int8),
        np.zeros((2, 2, 3), np.float32),
        np.zeros((2, 2), object),
    ],
)
def test_pixels_of_another_type_are_a_type_error(pixels):
    given_as = str(pixels.dtype) if isinstance(pixels, np.ndarray) else type(pixels).__name__
    with pytest.raises(TypeError, match=f"uint8 or bool array .*, not {given_as}"):
        kqf.encode(pixels)


@pytest.mark.parametrize("shape", [(), (3,), (2, 2, 5), (2, 2, 0), (2, 2, 3, 1)])
def test_pixels_of_another_shape_are_a_value_error(shape):
    with pytest.raises(ValueError, match=r"\(H, W\) or \(H, W, 1\.\.4\), not uint8 array of shape"):
        kqf.encode(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (0, 5, 3), (5, 0, 4)])
def test_an_image_without_pixels_is_a_value_error(shape):
    with pytest.raises(ValueError, match=r"sides of 1 to 2147483647, not uint8 array of shape"):
        kqf.encode(np.zeros(shape, np.uint8))


GRAY = np.zeros((2, 2), np.uint8)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("colors", 0, "colors must be 1 to 256, not 0"),
        ("colors", 257, "colors must be 1 to 256, not 257"),
        ("effort", 0, "effort must be 1 to 9, not 0"),
        ("effort", 10, "effort must be 1 to 9, not 10"),
        ("quality", -1, "quality must be .*100, not -1"),
        ("quality", 101, "quality must be .*100, not 101"),
        ("seed", -1, "seed must be 0 to .*, not -1"),
        ("seed", 2**63, "seed must be 0 to .*, not 9223372036854775808"),
        ("threads", 0, "threads must be at least 1, not 0"),
        ("metric", "oklab", "metric must be one of mse, perceptual, not 'oklab'"),
        ("metric", None, "metric must be one of mse, perceptual, not None"),
        ("method", "k-means", "method must be one of kmeans, .*, sample:N .*, not 'k-means'"),
        ("method", None, "method must be one of kmeans, .*, sample:N .*, not None"),
        (
            "dither",
            "bayer",
            "dither must be one of none, auto, .*, not 'bayer'",
        ),
        ("dither", False, "dither must be one of none, auto, .*, not False"),
        (
            "predictor",
            "down",
            "predictor must be one of auto, none, left, up, copy, packed, not 'down'",
        ),
        ("predictor", 1, "predictor must be one of auto, none, left, up, copy, packed, not 1"),
        ("tile", 0, "tile's side must be 1 to 2147483647, not 0"),
        ("tile", (8, 0), "tile's side must be 1 to 2147483647, not 0"),
        ("tile", 2**31, "tile's side must be 1 to 2147483647, not 2147483648"),
        ("metadata", {"title": "x"}, "unknown metadata 'title'"),
        ("metadata", {"dpi": (0, 1)}, "'dpi' must be 1.0 to"),
        ("metadata", {"comment": "a\ud800"}, "'comment' must be valid in UTF-8: surrogates"),
        ("keep", 7, "keep must be colours of 1 integers, not int64 array of shape"),
        ("keep", "", "keep must be colours of 1 integers, not <U1 array of shape"),
        ("keep", [[1], [2, 3]], "keep must be colours of 1 integers, not rows of different"),
        ("palette", np.zeros((0, 1), np.uint8), "palette"),
        ("palette", np.zeros((257, 1), np.uint8), "palette"),
        ("palette", "no-such-palette", "no such file and no built-in palette"),
    ],
)
def test_a_value_out_of_range_is_a_value_error(option, value, message):
    with pytest.raises(ValueError, match=message):
        kqf.encode(GRAY, **{option: value})


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("colors", 2.0, "colors must be an integer, not float"),
        ("colors", True, "colors must be an integer, not bool"),
        ("colors", None, "colors must be an integer, not NoneType"),
        ("effort", "5", "effort must be an integer, not str"),
        ("quality", 100.0, "quality must be an integer, not float"),
        ("seed", None, "seed must be an integer, not NoneType"),
        ("threads", 1.5, "threads must be an integer or None, not float"),
        ("tile", "8", "tile must be an integer or .*, not '8'"),
        ("tile", (8,), r"tile must be an integer or .*, not \(8,\)"),
        ("tile", (8, 8, 8), "tile must be an integer or"),
        ("tile", (8, 8.0), "tile's side must be an integer, not float"),
        ("tile", True, "tile's side must be an integer, not bool"),
        ("metadata", {"exif": "text"}, "'exif' must be bytes, not str"),
        ("metadata", 7, "metadata must be a mapping, as a dict is, not int"),
        ("metadata", "", "metadata must be a mapping, as a dict is, not str"),
        ("metadata", ["dpi"], "metadata must be a mapping, as a dict is, not list"),
        ("palette", 7, "palette must be an array, .*, not int"),
        ("palette", np.zeros((1, 1)), "palette must be integers from 0 to 255, not float64"),
        ("pallete", None, "pallete"),
    ],
)
def test_a_value_of_another_type_is_a_type_error(option, value, message):
    with pytest.raises(TypeError, match=message):
        kqf.encode(GRAY, **{option: value})


def test_numbers_of_numpy_are_taken_as_numbers():
    number = np.int64(2)
    options = {"colors": number, "effort": number, "seed": number, "tile": number}
    assert kqf.encode(GRAY, **options) == kqf.encode(GRAY, colors=2, effort=2, seed=2, tile=2)


def test_labels_without_an_entry_are_a_value_error():
    with pytest.raises(ValueError, match="label 2 has no entry in a codebook of 2 colours"):
        kqf.encode_indexed(np.array([[2]], np.uint8), np.zeros((2, 3), np.uint8))


# --- the same bytes


@pytest.mark.parametrize("channels", [3, 4])
def test_threads_do_not_change_the_bytes(channels):
    pixels = smooth_image(100, 120, channels, 8)
    one, two, eight = (
        kqf.encode(pixels, colors=99, threads=threads, tile=(40, 30), effort=2)
        for threads in (1, 2, 8)
    )
    assert one == two == eight


def test_the_order_of_metadata_does_not_change_the_bytes():
    entries = {"exif": b"a", "comment": "b", "dpi": (1, 2)}
    backwards = dict(reversed(entries.items()))
    assert kqf.encode(GRAY, metadata=entries) == kqf.encode(GRAY, metadata=backwards)


# --- writing


@pytest.mark.parametrize("kind", [str, Path])
def test_a_written_file_holds_the_encoded_bytes(tmp_path, kind):
    pixels = smooth_image(9, 8, 3)
    kqf.write(kind(tmp_path / "image.kqf"), pixels, colors=7, seed=3)
    assert (tmp_path / "image.kqf").read_bytes() == kqf.encode(pixels, colors=7, seed=3)
    assert kqf.read(kind(tmp_path / "image.kqf")).shape == (9, 8, 3)


def test_labels_are_written_with_their_codebook(tmp_path):
    labels, codebook = np.array([[1, 0]], np.uint8), np.array([[3], [4]], np.uint8)
    kqf.write_indexed(tmp_path / "image.kqf", labels, codebook, predictor="up")
    image = kqf.read_indexed(tmp_path / "image.kqf")
    assert (image.labels.tolist(), image.codebook.tolist()) == ([[1, 0]], [[3], [4]])
    assert kqf.info(tmp_path / "image.kqf").predictor == "up"


def test_an_open_file_is_written_where_it_stands():
    file = io.BytesIO()
    file.write(b"before")
    kqf.write(file, GRAY)
    assert file.getvalue() == b"before" + kqf.encode(GRAY)
    file.seek(6)
    assert kqf.read(file).tolist() == GRAY.tolist()


@pytest.mark.parametrize("options", [{"colors": 0}, {"tile": "x"}, {"metadata": {"dpi": 3}}])
def test_a_wrong_argument_leaves_the_old_file_as_it_was(tmp_path, options):
    (tmp_path / "image.kqf").write_bytes(b"old")
    with pytest.raises((TypeError, ValueError)):
        kqf.write(tmp_path / "image.kqf", GRAY, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["image.kqf"]
    assert (tmp_path / "image.kqf").read_bytes() == b"old"
