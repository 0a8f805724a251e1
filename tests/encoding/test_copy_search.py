"""The search for labels that are copied."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_sample_image

import kqf
from kqf.encoding import copy_search
from kqf.encoding.copy_search import refine_copied
from kqf.encoding.drawn import has_shapes
from kqf.encoding.rate_distortion import Refined, SearchParameters, tagged
from kqf.format import copying
from kqf.quantization import color_image
from kqf.quantization.api import CodebookSettings, quantize
from kqf.quantization.color_image import ColorImage


@pytest.fixture(scope="module")
def photograph():
    return np.ascontiguousarray(load_sample_image("flower.jpg")[100:228, 200:400])


def refined(quantized, candidates, bit, rounds=2):
    parameters = SearchParameters(bit, candidates, rounds, candidates, rounds, 2)
    return refine_copied(quantized, Refined.nearest(quantized), None, parameters)


def quantized_with(pixels, colors, metric="mse", threads=1):
    """Return an image with a codebook that the search may move."""
    codebook = kqf.quantize(pixels, colors=colors, metric=metric, quality=100).codebook
    none = np.empty((0, pixels.shape[2]), np.uint8)
    settings = CodebookSettings(colors, metric, none, None, 0, weighted=False)
    image = quantize(ColorImage.of(pixels, threads), settings, codebook)
    return replace(image, fixed=none)


def cost_of(path, candidates, errors, others, new, by_code):
    """Return what the labels of a row cost that has one candidate after the other of a path."""
    total, label, code = 0, 0, copying.ABOVE
    for step, place in enumerate(path):
        before, label = label, candidates[step, place, 0]
        # Codes 0 and 2 cost nothing beside themselves; left may be used wherever it fits.
        ways = [(by_code[step, code, others[step, place, 0], 0] + new[step, place, 0], 1)]
        if label == before and others[step, place, 0] != copying.ABOVE:
            ways.append((by_code[step, code, copying.LEFT, 0], 0))
        cost, is_other = min(ways)
        code = others[step, place, 0] if is_other else copying.LEFT
        total += cost + errors[step, place, 0]
    return total


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 3))
def test_no_row_is_cheaper_than_the_one_found(seed, steps, count):
    random = np.random.default_rng(seed)
    # Few labels, so that many are copied.
    candidates = np.stack([random.permutation(4)[:count] for _ in range(steps)])
    candidates = candidates[:, :, None].astype(np.uint8)
    errors = random.integers(0, 300, candidates.shape, dtype=np.int32)
    others = random.choice([copying.ABOVE_RIGHT, copying.NEW], candidates.shape).astype(np.uint8)
    # Each label above stands at one candidate at most.
    others[:, 0] = random.choice([copying.ABOVE, copying.NEW], (steps, 1))
    new = np.where(others == copying.NEW, 200, 0).astype(np.int32)
    # Codes cost the same after each other one: then what is found is the cheapest.
    by_code = np.repeat(random.integers(1, 300, (steps, 1, 4, 1), dtype=np.int32), 4, axis=1)
    by_code[:, :, copying.ABOVE] = 0
    chains = copy_search._Chains(count, (steps, 1))
    costs = tagged(errors.swapaxes(0, 1)).swapaxes(0, 1)
    half = steps // 2
    for part in (slice(half), slice(half, None)):
        if len(candidates[part]):
            chains.add(
                *(each[part] for each in (candidates, costs, others, new << 4, by_code << 4))
            )
    found = chains.cheapest()[0]
    paths = list(product(range(count), repeat=steps))
    costs = [cost_of(path, candidates, errors, others, new, by_code) for path in paths]
    places = [candidates[step, :, 0].tolist().index(label) for step, label in enumerate(found)]
    assert cost_of(places, candidates, errors, others, new, by_code) == min(costs)


def test_labels_found_take_fewer_bytes_for_their_error(photograph):
    quantized = quantized_with(photograph, 32)
    bit = 50.0
    found = refined(quantized, 8, bit)
    error = ((photograph.astype(float) - found.codebook[found.labels]) ** 2).sum()
    assert found.error == error

    def cost(labels, codebook, error):
        codes, new = copying.encode(labels)
        return error + 8 * bit * sum(len(kqf.format.streams.deflate(s, 6)) for s in (codes, new))

    first = cost(quantized.labels, quantized.codebook, quantized.error)
    assert cost(found.labels, found.codebook, error) < 0.92 * first


def test_batches_and_threads_change_nothing(photograph, monkeypatch):
    def find(threads):
        quantized = quantized_with(photograph, 32, "perceptual", threads)
        found = refined(quantized, 6, 5.0)
        return found.labels, found.codebook

    labels, codebook = find(1)
    monkeypatch.setattr(copy_search, "_BATCH", 1)
    monkeypatch.setattr(copy_search, "_LEAST_ROWS", 7)
    monkeypatch.setattr(copy_search, "_COLUMNS", 13)
    for threads in (1, 2):
        others, other_codebook = find(threads)
        assert np.array_equal(labels, others)
        assert np.array_equal(codebook, other_codebook)


@pytest.mark.parametrize("shape", [(1, 60), (60, 1), (2, 30), (1, 1)])
def test_images_of_a_row_or_a_column(shape, photograph):
    pixels = np.ascontiguousarray(photograph[: shape[0], : shape[1]])
    quantized = quantized_with(pixels, 4)
    found = refined(quantized, 4, 200.0)
    assert found.labels.shape == shape
    error = ((pixels.astype(float) - found.codebook[found.labels]) ** 2).sum()
    assert found.error == error


def test_colours_that_must_stay_keep_their_pixels(photograph):
    quantized = quantized_with(photograph, 32)
    kept = photograph[40, 60]
    # As if the colour had been asked for: one of the codebook becomes it.
    codebook = quantized.codebook.copy()
    codebook[7] = kept
    settings = CodebookSettings(32, "mse", kept[None], None, 0, weighted=False)
    quantized = quantize(ColorImage.of(photograph, 1), settings, codebook)
    quantized = replace(quantized, fixed=kept[None])
    found = refined(quantized, 8, 1e4)
    where = (photograph == kept).all(axis=2)
    assert where.any()
    assert (found.codebook[found.labels][where] == kept).all()


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_0_and_255_stay_exact(channels, photograph):
    gray = photograph if channels == 4 else photograph[..., :1]
    alpha = np.clip(np.arange(200) * 4 - 200, 0, 255).astype(np.uint8)
    pixels = np.dstack([gray, np.broadcast_to(alpha, gray.shape[:2])])
    decoded = kqf.decode(kqf.encode(pixels, colors=32, quality=20))
    for value in (0, 255):
        assert (decoded[..., -1][pixels[..., -1] == value] == value).all()


@pytest.mark.parametrize("options", [{}, {"quality": 50}, {"colors": 16}, {"metric": "mse"}])
def test_encode_searches_for_copies_where_they_save_bytes(options, photograph):
    data = kqf.encode(photograph, **options)
    assert kqf.info(data).predictor == "copy"
    for predictor in ("left", "up"):
        assert len(data) < 0.97 * len(kqf.encode(photograph, predictor=predictor, **options))


def test_noise_is_not_searched_for_copies(monkeypatch):
    def refuse(*_):
        raise AssertionError("searched")

    monkeypatch.setattr(copy_search, "refine_copied", refuse)
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    kqf.encode(noise, colors=64)


def test_a_predictor_asked_for_is_what_labels_are_searched_for(photograph, monkeypatch):
    monkeypatch.setattr(copy_search, "refine_copied", None)
    assert kqf.info(kqf.encode(photograph, predictor="left")).predictor == "left"


@pytest.fixture
def many_bands(monkeypatch):
    for name, value in (("_LARGE", 1), ("_HUGE", 1), ("BAND", 2**15)):
        monkeypatch.setattr(color_image, name, value)
    monkeypatch.setattr(copy_search, "BAND", 2**15)
    monkeypatch.setattr(copy_search, "_LEAST_ROWS", 4)


@pytest.mark.usefixtures("many_bands")
def test_threads_change_nothing_in_bands(photograph):
    gray = photograph[..., 1]
    files = {kqf.encode(gray, colors=48, quality=60, threads=threads) for threads in (1, 3)}
    (file,) = files
    assert kqf.info(file).predictor == "copy"


def test_bands_cost_little(photograph, request):
    gray = photograph[..., 1]
    whole = kqf.encode(gray, colors=48, quality=60)
    request.getfixturevalue("many_bands")
    assert len(kqf.encode(gray, colors=48, quality=60)) < 1.04 * len(whole)


def test_letters_are_shapes_and_photographs_have_none(photograph):
    random = np.random.default_rng(0)
    letters = random.integers(0, 2, (12, 9, 7)) * 29
    page = np.zeros((240, 300), np.uint8)
    for top, left in product(range(4, 225, 20), range(4, 285, 20)):
        page[top : top + 9, left : left + 7] = letters[random.integers(12)]
    codebook = np.arange(30, dtype=np.uint8)[:, None]
    assert has_shapes(page, codebook)
    image = kqf.quantize(photograph, colors=32, quality=50)
    assert not has_shapes(image.labels, image.codebook)


@pytest.mark.parametrize("width", [4, 5, 9, 10, 64])
def test_rows_are_cut_into_pieces_and_joined(width, monkeypatch):
    monkeypatch.setattr(copy_search, "_PIECE", 5)
    monkeypatch.setattr(copy_search, "_BEYOND", 2)
    rows = np.arange(3 * width).reshape(3, width)
    pieces = copy_search._Pieces(width, 3)
    cut = pieces.cut(rows)
    assert np.array_equal(pieces.join(cut.T), rows)
    assert len(cut) <= max(width, 14)


def test_pieces_find_nearly_what_whole_rows_do(photograph, monkeypatch):
    quantized = quantized_with(photograph, 32)
    whole = refined(quantized, 8, 50.0, 1)
    monkeypatch.setattr(copy_search, "_PIECE", 50)
    found = refined(quantized, 8, 50.0, 1)
    assert (whole.labels != found.labels).mean() < 0.001


def test_copies_asked_for_are_searched_even_where_others_take_less(monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
    found = []
    monkeypatch.setattr(copy_search, "_cheaper", lambda *given: found.append(given))
    kqf.encode(noise, predictor="copy")
    assert found
