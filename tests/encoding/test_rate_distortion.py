"""Rate-distortion search."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_sample_image

import kqf
from kqf.encoding.rate_distortion import (
    best_chains,
    code_lengths,
    nearest_codewords,
    refine,
    tagged,
    to_costs,
)
from kqf.format.declarations import Predictor
from kqf.format.header import Head
from kqf.quantization import methods
from kqf.quantization.api import CodebookSettings, quantize
from kqf.quantization.color_image import ColorImage
from kqf.quantization.colorspace import lightness, to_points
from kqf.quantization.kmeans import KMeansEffort
from kqf.quantization.visibility import CALM, WEIGHTS, weight_classes


def slow_chain(labels, costs, lengths):
    """Try every chain of one column of candidates."""
    count, steps, _ = labels.shape
    least = None
    for path in product(range(count), repeat=steps):
        total, context = 0, 0
        for step, place in enumerate(path):
            label = int(labels[place, step, 0])
            total += int(costs[place, step, 0]) + int(lengths[context << 8 | label])
            context = label
        least = total if least is None else min(least, total)
    return least


def cost_of(chain, labels, costs, lengths):
    total, context = 0, 0
    for step, label in enumerate(chain.tolist()):
        place = labels[:, step, 0].tolist().index(label)
        total += int(costs[place, step, 0]) + int(lengths[context << 8 | label])
        context = label
    return total


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 4))
def test_no_chain_is_cheaper_than_the_one_found(seed, steps, count):
    random = np.random.default_rng(seed)
    labels = np.stack([random.permutation(256)[:count] for _ in range(steps)], axis=1)
    labels = labels[:, :, None].astype(np.uint8)
    costs = random.integers(0, 500, labels.shape).astype(np.int32)
    lengths = random.integers(0, 500, 65536).astype(np.int32)
    chain = best_chains(labels, tagged(costs), lengths)[:, 0]
    assert cost_of(chain, labels, costs, lengths) == slow_chain(labels, costs, lengths)


def test_chains_do_not_touch_one_another():
    random = np.random.default_rng(1)
    labels = np.argsort(random.random((256, 40, 7)), axis=0)[:5].astype(np.uint8)
    costs = random.integers(0, 900, labels.shape).astype(np.int32)
    lengths = random.integers(0, 900, 65536).astype(np.int32)
    all_chains = best_chains(labels, tagged(costs), lengths)
    for chain in range(7):
        one = slice(chain, chain + 1)
        alone = best_chains(labels[..., one], tagged(costs[..., one]), lengths)
        assert np.array_equal(alone[:, 0], all_chains[:, chain])


def test_long_chains_of_the_highest_costs_do_not_overflow():
    labels = np.tile(np.array([[[3]], [[9]]], np.uint8), (1, 4000, 1))
    costs = to_costs(np.tile(np.array([[[np.inf]], [[1e9]]], np.float32), (1, 4000, 1)), 1e-3)
    costs[1] -= 1
    lengths = np.zeros(65536, np.int32)
    assert (best_chains(labels, tagged(costs), lengths) == 9).all()
    # Candidates whose totals pass any number at different steps.
    random = np.random.default_rng(0)
    costs = random.integers(2**13, 2**14, (2, 1000, 500), dtype=np.int32) * 64
    labels = np.broadcast_to(np.array([3, 9], np.uint8)[:, None, None], costs.shape)
    cheapest = np.where(costs[0] <= costs[1], 3, 9)
    assert np.array_equal(best_chains(labels, tagged(costs), lengths), cheapest)


def test_a_label_costs_the_bits_of_its_rank():
    # Rank 0 occurs 3 times in 4 with context 0, rank 1 once; context 1 never occurs.
    counts = np.array([[3, 1], [0, 0]])
    ranks = np.array([[0, 1], [1, 0]], np.uint8)
    bits = code_lengths(counts, ranks).reshape(256, 256)[:2, :2] / 64
    expected = np.log2(4.6 / np.array([3.3, 1.3]))
    assert bits[0] == pytest.approx(expected, abs=0.01)
    assert bits[1] == pytest.approx(expected[::-1], abs=0.01)


@pytest.fixture(scope="module")
def photograph():
    return np.ascontiguousarray(load_sample_image("flower.jpg")[100:228, 200:400])


@pytest.mark.parametrize("predictor", [Predictor.LEFT, Predictor.UP])
def test_refined_labels_cost_less_by_their_own_measure(photograph, predictor):
    image = kqf.quantize(photograph, colors=32, metric="mse", quality=100)
    height, width = photograph.shape[:2]
    head = Head(width, height, 128, height, 3, 31, predictor)
    settings = CodebookSettings(32, "mse", np.empty((0, 3), np.uint8), None, 0)
    quantized = quantize(ColorImage.of(photograph, 1), settings, image.codebook)
    assert np.array_equal(quantized.labels, image.labels)
    quantized = replace(quantized, fixed=settings.fixed)
    nearest = nearest_codewords(quantized, 6)
    found = refine(quantized, nearest, 50.0, head, 3)
    error = ((photograph.astype(float) - found.codebook[found.labels]) ** 2).sum()
    assert found.error == error

    def size(labels, codebook):
        name = predictor.name.lower()
        return len(kqf.encode_indexed(labels, codebook, predictor=name, tile=(128, height)))

    before = ((photograph.astype(float) - image.pixels) ** 2).sum()
    saved = size(image.labels, image.codebook) - size(found.labels, found.codebook)
    assert error - before < 50.0 * 8 * saved


@pytest.mark.parametrize("metric", ["mse", "perceptual"])
@pytest.mark.parametrize("name", ["china.jpg", "flower.jpg"])
def test_less_quality_is_never_larger_nor_nearer(name, metric):
    pixels = np.ascontiguousarray(load_sample_image(name)[100:200, 200:300])
    points = to_points(pixels.reshape(-1, 3), metric)
    weights = np.ones(len(points))
    if metric == "perceptual":
        luma = lightness(pixels.reshape(-1, 3)) // 1000
        classes = weight_classes(luma.astype(np.uint8).reshape(pixels.shape[:2]))
        weights = WEIGHTS[classes].ravel()
    last_size, last_error = None, -1.0
    for quality in (100, 90, 75, 50, 20, 1):
        data = kqf.encode(pixels, quality=quality, metric=metric)
        offsets = to_points(kqf.decode(data).reshape(-1, 3), metric) - points
        error = float(((offsets.astype(float) ** 2).sum(axis=1) * weights).sum())
        assert last_size is None or len(data) <= last_size
        assert error >= last_error
        last_size, last_error = len(data), error


def test_the_quality_when_none_is_asked_for_is_75_but_for_the_fastest(photograph):
    assert kqf.encode(photograph) == kqf.encode(photograph, quality=75)
    assert kqf.encode(photograph, effort=1) == kqf.encode(photograph, quality=100, effort=1)


def test_half_quality_saves_a_good_part(photograph):
    assert len(kqf.encode(photograph, quality=50)) < 0.8 * len(kqf.encode(photograph, quality=100))


@pytest.mark.parametrize("quality", [1, 50, 99])
def test_what_is_exact_stays_exact(quality):
    random = np.random.default_rng(0)
    few = random.integers(0, 256, (200, 4)).astype(np.uint8)[random.integers(0, 200, (90, 80))]
    assert np.array_equal(kqf.decode(kqf.encode(few, quality=quality)), few)


@pytest.mark.parametrize("predictor", ["auto", "none", "left", "up"])
def test_a_palette_given_is_kept_as_it_is(photograph, predictor):
    palette = np.array(
        [[255, 0, 0], [0, 0, 0], [90, 120, 60], [250, 250, 240], [0, 0, 1]], np.uint8
    )
    data = kqf.encode(photograph, palette=palette, quality=20, predictor=predictor)
    assert np.array_equal(kqf.read_indexed(data).codebook, palette)


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_0_and_255_stay_exact(channels):
    random = np.random.default_rng(3)
    pixels = random.integers(0, 256, (120, 100, channels)).astype(np.uint8)
    pixels[:40, :, -1] = 0
    pixels[40:80, :, -1] = 255
    back = kqf.decode(kqf.encode(pixels, colors=40, quality=10, effort=1))
    assert (back[:40, :, -1] == 0).all()
    assert (back[40:80, :, -1] == 255).all()
    assert ((back[80:, :, -1] == 255) <= (pixels[80:, :, -1] > 0)).all()


def test_threads_change_nothing(photograph):
    one = kqf.encode(photograph, quality=60, threads=1, tile=(64, 96))
    assert kqf.encode(photograph, quality=60, threads=3, tile=(64, 96)) == one


@pytest.mark.parametrize("quality", [60, 100])
def test_quantize_gives_what_encode_stores(photograph, quality):
    image = kqf.quantize(photograph, colors=50, quality=quality)
    stored = kqf.read_indexed(kqf.encode(photograph, colors=50, quality=quality))
    # The file may have the entries in another order.
    assert np.array_equal(image.pixels, stored.pixels)
    assert sorted(image.codebook.tolist()) == sorted(stored.codebook.tolist())


def test_no_quality_makes_a_small_file_larger(photograph):
    # Stripes that deflate packs well as labels and badly as ranks, and a photograph on its side.
    random = np.random.default_rng(2)
    stripes = np.repeat(random.integers(0, 256, (1, 200, 3)), 200, axis=0)
    stripes = np.clip(stripes + random.integers(-1, 2, stripes.shape), 0, 255).astype(np.uint8)
    for pixels in (stripes, np.ascontiguousarray(photograph[:120, :160].transpose(1, 0, 2))):
        sizes = [len(kqf.encode(pixels, colors=64, quality=q)) for q in (100, 99, 80)]
        assert sizes == sorted(sizes, reverse=True)


def test_without_a_predictor_too_less_quality_saves_bytes():
    # Flat shapes with soft edges: matches of deflate, hardly anything for ranks.
    y, x = np.mgrid[:96, :96]
    values = [
        np.clip(40 * (20 + i - np.hypot(y % 48 - 24, x % 48 - 24)), 0, 255) for i in (0, 2, 4)
    ]
    pixels = np.stack(values, axis=2).astype(np.uint8)
    sizes = {
        quality: len(kqf.encode(pixels, colors=24, predictor="none", quality=quality))
        for quality in (100, 20)
    }
    assert sizes[20] < sizes[100]


@pytest.mark.parametrize("metric", ["mse", "perceptual"])
def test_calm_areas_are_searched_less_hard_than_their_weights_say(photograph, metric):
    image = ColorImage.of(photograph, 1)
    palette = np.arange(0, 255, 15, dtype=np.uint8)[:, None].repeat(3, axis=1)
    method, fixed = methods.find("kmeans", 3, KMeansEffort(64, 1, 0, 1), 1), palette[:0]
    quantized = quantize(image, CodebookSettings(256, metric, fixed, method, 0), palette)
    samples, codewords = quantized.samples, to_points(palette, metric)
    found = nearest_codewords(quantized, 1)
    offsets = quantized.points - codewords[found.labels[:, 0]]
    squares = (offsets * offsets).sum(axis=1)
    seen = squares > 1
    extra = found.errors[seen, 0] / (squares * samples.weights)[seen]
    if metric == "mse":
        assert np.allclose(extra, 1)
    else:
        is_calm = samples.weights[seen] >= WEIGHTS[CALM]
        assert extra[is_calm].min() >= 1.3
        assert extra[~is_calm].max() <= 1
