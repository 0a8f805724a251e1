import numpy as np
import pytest
from conftest import metrics
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kqf.quantization.colorspace import METRICS, to_points
from kqf.quantization.nearest import (
    assign,
    ban,
    candidates_of,
    nearest,
    nearest_few,
    nearest_two,
    squared_error,
)


@st.composite
def pairs(draw, channels=None):
    """Draw (colours, codebook) of the same channels; few values make ties frequent."""
    channels = channels or draw(st.integers(1, 4))
    some = st.sampled_from([0, 1, 2, 100, 101, 254, 255])
    elements = draw(st.sampled_from([st.integers(0, 255), some]))
    number = draw(st.integers(1, 20))
    size = draw(st.integers(1, 20) | st.just(256))
    colors = draw(hnp.arrays(np.uint8, (number, channels), elements=elements))
    return colors, draw(hnp.arrays(np.uint8, (size, channels), elements=elements))


def distances(colors, codebook, metric):
    """Return the squared distances (N, K) in grid steps, exactly."""
    points = (to_points(colors, metric) * 8).astype(np.int64)
    codewords = (to_points(codebook, metric) * 8).astype(np.int64)
    return ((points[:, None] - codewords[None]) ** 2).sum(axis=2)


@given(pairs(), metrics)
def test_the_nearest_codeword_is_that_of_integer_arithmetic_the_lowest_of_equals(pair, metric):
    colors, codebook = pair
    found = nearest(to_points(colors, metric), to_points(codebook, metric))
    assert found.tolist() == distances(colors, codebook, metric).argmin(axis=1).tolist()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_many_colours_find_their_nearest_codeword(metric, channels):
    rng = np.random.default_rng(channels)
    colors = rng.integers(0, 256, (6000, channels), dtype=np.uint8)
    codebook = rng.integers(0, 256, (256, channels), dtype=np.uint8)
    found = nearest(to_points(colors, metric), to_points(codebook, metric))
    assert np.array_equal(found, distances(colors, codebook, metric).argmin(axis=1))


def test_the_lowest_of_equally_near_codewords_is_taken():
    codebook = np.array([[90], [12], [8], [12]], np.uint8)
    found = nearest(to_points(np.array([[10], [12]], np.uint8), "mse"), to_points(codebook, "mse"))
    assert found.tolist() == [1, 1]


@given(pairs(), metrics)
def test_the_margin_is_how_much_further_the_second_nearest_is(pair, metric):
    colors, codebook = pair
    codebook = np.concatenate([codebook, codebook[:1]]) if len(codebook) == 1 else codebook
    found, margins = nearest_two(to_points(colors, metric), to_points(codebook, metric))
    exact = distances(colors, codebook, metric)
    assert found.tolist() == exact.argmin(axis=1).tolist()
    ordered = np.sort(exact, axis=1)
    assert (margins.astype(np.float64) * 64).tolist() == (ordered[:, 1] - ordered[:, 0]).tolist()


@given(pairs(3) | pairs(1), metrics)
def test_a_colour_gets_itself_or_else_the_nearest(pair, metric):
    colors, codebook = pair
    found = assign(colors, codebook, metric)
    assert found.dtype == np.uint8
    exact = distances(colors, codebook, metric)
    rows = list(map(tuple, codebook.tolist()))
    for color, label, row in zip(map(tuple, colors.tolist()), found, exact, strict=True):
        assert label == (rows.index(color) if color in rows else row.argmin())


@given(pairs(4) | pairs(2), metrics)
def test_with_alpha_a_colour_gets_itself_or_else_the_nearest_of_its_kind(pair, metric):
    colors, codebook = pair
    found = assign(colors, codebook, metric)
    exact = distances(colors, codebook, metric)
    rows = list(map(tuple, codebook.tolist()))
    for color, label, row in zip(map(tuple, colors.tolist()), found, exact, strict=True):
        alike = range(len(rows))
        if color[-1] in (0, 255):
            alike = [at for at in alike if rows[at][-1] == color[-1]] or alike
        expected = min(alike, key=lambda at: (row[at], at))
        assert label == (rows.index(color) if color in rows else expected)


def test_an_opaque_colour_stays_opaque_where_it_can():
    codebook = np.array([[100, 254], [0, 255], [100, 0]], np.uint8)
    assert assign(np.array([[100, 255]], np.uint8), codebook, "mse").tolist() == [1]
    assert assign(np.array([[100, 255]], np.uint8), codebook[::2], "mse").tolist() == [0]


def test_a_transparent_colour_stays_transparent_where_it_can():
    codebook = np.array([[0, 1], [200, 255], [9, 0]], np.uint8)
    assert assign(np.array([[55, 0]], np.uint8), codebook, "mse").tolist() == [2]
    assert assign(np.array([[55, 0]], np.uint8), codebook[:2], "mse").tolist() == [0]


@pytest.mark.parametrize("metric", METRICS)
def test_hidden_colours_that_the_codebook_holds_stay_apart(metric):
    codebook = np.array([[1, 2, 3, 0], [9, 9, 9, 255], [4, 5, 6, 0], [4, 5, 6, 0]], np.uint8)
    assert assign(codebook, codebook, metric).tolist() == [0, 1, 2, 2]


@given(pairs(), metrics, st.integers(1, 3))
def test_the_squared_error_is_that_of_integer_arithmetic(pair, metric, threads):
    colors, codebook = pair
    labels = assign(colors, codebook, metric)
    counts = np.arange(1, len(colors) + 1)
    points, codewords = to_points(colors, metric), to_points(codebook, metric)
    of_each = distances(colors, codebook, metric)[np.arange(len(colors)), labels]
    assert 64 * squared_error(points, codewords, labels) == of_each.sum()
    assert (
        64 * squared_error(points, codewords, labels, counts, threads) == (counts * of_each).sum()
    )


def test_of_many_colours_candidates_are_near_and_of_their_kind():
    random = np.random.default_rng(0)
    colors = np.unique(random.integers(0, 256, (2**14 + 500, 4), dtype=np.uint8), axis=0)
    colors[::2, 3], colors[1::2, 3] = 255, colors[1::2, 3].clip(1, 254)
    codebook = random.integers(0, 256, (40, 4), dtype=np.uint8)
    codebook[:20, 3] = 255
    labels, errors = candidates_of(colors, codebook, "perceptual", 3)
    points, codewords = (to_points(each, "perceptual") for each in (colors, codebook))
    squares = ((points[:, None] - codewords[labels]) ** 2).sum(axis=2)
    allowed = np.isfinite(errors)
    assert allowed[1::2].all()
    assert (codebook[labels[::2], 3][allowed[::2]] == 255).all()
    assert np.allclose(errors[allowed], squares[allowed])
    best, _ = nearest_few(points, codewords, 1, ban(colors, codebook))
    assert (labels == best).any(axis=1).mean() > 0.99
