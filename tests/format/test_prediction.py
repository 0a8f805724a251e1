from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kqf.errors import FormatError
from kqf.format.prediction import (
    build_table,
    contexts,
    count_pairs,
    entropy,
    invert,
    list_frequent,
    parse_table,
    rank,
    rank_histogram,
    unrank_in_steps,
)

GRAYS = np.array([[0], [10], [20], [200]], np.uint8)


def array(rows):
    return np.array(rows, np.uint8)


def slow_contexts(labels, predictor):
    found = np.zeros_like(labels)
    for y, x in np.ndindex(labels.shape):
        if predictor == 1 and x:
            found[y, x] = labels[y, x - 1]
        if predictor == 2 and y:
            found[y, x] = labels[y - 1, x]
    return found


def slow_order(lists, codebook):
    """Return the rankings (K, K) of listed labels and a codebook, as the format's page has it."""
    entries = codebook.astype(int)
    order = []
    for context, listed in enumerate(lists):
        others = [label for label in range(len(entries)) if label not in listed]
        others.sort(key=lambda label: (((entries[label] - entries[context]) ** 2).sum(), label))
        order.append([*listed, *others])
    return array(order)


def as_table(lists):
    return b"".join(bytes([len(listed), *listed]) for listed in lists)


@st.composite
def tables(draw, max_colors=12):
    """Draw (listed labels of each context, codebook)."""
    colors = draw(st.integers(1, max_colors))
    # Few values, so that equal distances and equal colours are frequent.
    elements = st.sampled_from([0, 1, 2, 3, 128, 255])
    codebook = draw(hnp.arrays(np.uint8, (colors, draw(st.integers(1, 4))), elements=elements))
    listed = st.lists(st.integers(0, colors - 1), unique=True, max_size=colors)
    return [draw(listed) for _ in range(colors)], codebook


@st.composite
def ranked(draw):
    """Draw (labels of several tiles, order)."""
    lists, codebook = draw(tables())
    shape = draw(st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)))
    elements = st.integers(0, len(codebook) - 1)
    return draw(hnp.arrays(np.uint8, shape, elements=elements)), slow_order(lists, codebook)


def unranked(symbols, order, predictor):
    """Return the labels of tiles (n, h, w): side by side, or below one another, in one image."""
    axis = 1 if predictor == 1 else 0
    image = np.concatenate(symbols, axis)
    *_, done = unrank_in_steps(image, order, predictor, symbols.shape[3 - predictor])
    assert done == len(image)
    return np.stack(np.split(image, len(symbols), axis))


def test_the_context_of_left_is_the_label_before_and_0_in_the_first_column():
    assert contexts(array([[3, 1, 2], [5, 4, 6]]), 1).tolist() == [[0, 3, 1], [0, 5, 4]]


def test_the_context_of_up_is_the_label_above_and_0_in_the_first_row():
    assert contexts(array([[3, 1, 2], [5, 4, 6]]), 2).tolist() == [[0, 0, 0], [3, 1, 2]]


@given(hnp.arrays(np.uint8, (5, 7), elements=st.integers(0, 4)), st.sampled_from([1, 2]))
def test_pairs_are_counted_by_context_then_label(labels, predictor):
    expected = Counter(zip(slow_contexts(labels, predictor).flat, labels.flat, strict=True))
    counts = count_pairs(labels, predictor, 5)
    assert counts.shape == (5, 5)
    assert {(a, b): n for (a, b), n in np.ndenumerate(counts) if n} == expected


def test_pairs_of_256_labels_are_counted():
    counts = count_pairs(array([[255, 255, 0, 255]]), 1, 256)
    assert counts.shape == (256, 256)
    assert (counts[0, 255], counts[255, 255], counts[255, 0]) == (2, 1, 1)
    assert counts.sum() == 4


def test_a_table_lists_what_reaches_the_threshold_most_frequent_first_ties_by_label():
    counts = np.array([[3, 9, 3, 2], [0, 0, 0, 0], [1, 2, 1, 1], [5, 4, 4, 6]])
    assert build_table(*list_frequent(counts, 3)) == bytes([3, 1, 0, 2, 0, 0, 4, 3, 0, 1, 2])
    assert build_table(*list_frequent(counts, 7)) == bytes([1, 1, 0, 0, 0])


def test_a_table_lists_at_most_255_labels_of_a_context():
    counts = np.ones((256, 256), np.int64)
    counts[7] = np.arange(256)[::-1] + 1
    table = build_table(*list_frequent(counts, 1))
    assert len(table) == 256 * 256
    assert table[:256] == bytes([255, *range(255)])
    codebook = np.zeros((256, 1), np.uint8)
    assert parse_table(table, codebook).tolist() == [list(range(256))] * 256


def test_labels_that_are_not_listed_come_by_colour_distance_then_by_label():
    # Contexts 0, 10, 20 and 200; 10 is as far from 0 as from 20.
    found = parse_table(bytes([0, 0, 1, 3, 2, 0, 1]), GRAYS)
    assert found.tolist() == [[0, 1, 2, 3], [1, 0, 2, 3], [3, 2, 1, 0], [0, 1, 3, 2]]


def test_distance_is_squared_over_all_channels():
    # From the first: 3 * 3 + 4 * 4 = 25 against 5 * 5 = 25 (a tie) and 6 * 6 = 36.
    codebook = array([[0, 0, 0], [6, 0, 0], [0, 0, 5], [3, 4, 0]])
    assert parse_table(bytes(4), codebook)[0].tolist() == [0, 2, 3, 1]


def test_the_greatest_distance_comes_last():
    codebook = array([[0, 0, 0, 0], [255, 255, 255, 255], [255, 255, 255, 254]])
    assert parse_table(bytes(3), codebook).tolist() == [[0, 2, 1], [1, 2, 0], [2, 1, 0]]


@given(tables())
def test_a_table_gives_the_order_that_the_format_describes(case):
    lists, codebook = case
    assert parse_table(as_table(lists), codebook).tolist() == slow_order(lists, codebook).tolist()


@given(hnp.arrays(np.int64, (6, 6), elements=st.integers(0, 9)), st.integers(1, 9))
def test_a_table_that_was_built_parses_to_what_it_lists(counts, threshold):
    codebook = array([[n * 40] for n in range(6)])
    lists = [
        sorted((c for c in range(6) if row[c] >= threshold), key=lambda c: (-row[c], c))
        for row in counts
    ]
    table = build_table(*list_frequent(counts, threshold))
    assert table == as_table(lists)
    assert parse_table(table, codebook).tolist() == slow_order(lists, codebook).tolist()


@pytest.mark.parametrize(
    ("table", "field", "expected", "found"),
    [
        ([], "entries", 4, 0),
        ([0, 0, 0], "entries", 4, 3),
        ([0, 2, 1, 2, 0], "entries", 4, 3),
        ([0, 0, 0, 0, 0], "inflated size", 4, 5),
        ([0, 0, 0, 2, 1], "inflated size", 6, 5),
        ([0, 0, 0, 255], "inflated size", 259, 4),
        ([1, 4, 0, 0, 0], "label", "at most 3", 4),
        ([0, 0, 0, 1, 255], "label", "at most 3", 255),
        ([0, 2, 1, 1, 0, 0], "labels of a context", "distinct", "one twice"),
        ([0, 0, 0, 5, 0, 1, 2, 3, 0], "labels of a context", "distinct", "one twice"),
    ],
)
def test_a_wrong_table_is_refused(table, field, expected, found):
    with pytest.raises(FormatError) as caught:
        parse_table(bytes(table), GRAYS)
    error = caught.value
    assert (error.chunk, error.field) == ("RANK", field)
    assert (error.expected, error.found) == (expected, found)


@given(tables())
def test_ranks_are_the_places_of_labels_in_the_order(case):
    order = slow_order(*case)
    ranks = invert(order)
    for context, label in np.ndindex(order.shape):
        assert order[context, ranks[context, label]] == label


@given(ranked(), st.sampled_from([1, 2]))
def test_the_rank_of_a_label_is_its_place_after_its_context(case, predictor):
    tiles, order = case
    for labels in tiles:
        symbols = rank(labels, invert(order), predictor)
        assert symbols.dtype == np.uint8
        before = slow_contexts(labels, predictor)
        for at in np.ndindex(labels.shape):
            assert order[before[at]].tolist().index(labels[at]) == symbols[at]


@given(ranked(), st.sampled_from([1, 2]))
def test_unranking_gives_back_the_labels(case, predictor):
    tiles, order = case
    symbols = np.stack([rank(labels, invert(order), predictor) for labels in tiles])
    labels = unranked(symbols, order, predictor)
    assert labels.dtype == np.uint8
    assert labels.tolist() == tiles.tolist()


@given(ranked(), st.sampled_from([1, 2]))
def test_ranking_gives_back_any_symbols(case, predictor):
    symbols, order = case
    labels = unranked(symbols, order, predictor)
    for tile, expected in zip(labels, symbols, strict=True):
        assert rank(tile, invert(order), predictor).tolist() == expected.tolist()


@pytest.mark.parametrize("predictor", [1, 2])
def test_unranking_is_exact_with_256_labels(predictor):
    rng = np.random.default_rng(0)
    order = np.stack([rng.permutation(256) for _ in range(256)]).astype(np.uint8)
    labels = rng.integers(0, 256, (2, 50, 60), dtype=np.uint8)
    symbols = np.stack([rank(tile, invert(order), predictor) for tile in labels])
    assert np.array_equal(unranked(symbols, order, predictor), labels)


@given(ranked(), st.sampled_from([1, 2]))
def test_the_rank_histogram_counts_the_symbols(case, predictor):
    tiles, order = case
    colors, ranks = len(order), invert(order)
    counts = sum(count_pairs(labels, predictor, colors) for labels in tiles)
    symbols = np.stack([rank(labels, ranks, predictor) for labels in tiles])
    expected = [np.count_nonzero(symbols == symbol) for symbol in range(colors)]
    assert rank_histogram(counts, ranks).tolist() == expected


def test_entropy_is_in_bits_for_all_symbols():
    assert entropy(np.array([5.0, 5, 5, 5])) == pytest.approx(40)
    assert entropy(np.array([7.0, 0, 0])) == 0
    # One in four takes 2 bits, the others log2(4 / 3).
    assert entropy(np.array([1.0, 3, 0])) == pytest.approx(2 + 3 * 0.4150374993)


@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("shape", [(1, 1, 300), (1, 300, 1), (2, 3, 200), (5, 200, 2)])
def test_few_long_chains_unrank_as_many_short_ones_do(shape, predictor):
    random = np.random.default_rng(5)
    order = np.argsort(random.random((200, 200)), axis=1).astype(np.uint8)
    labels = random.integers(0, 200, shape).astype(np.uint8)
    symbols = np.stack([rank(tile, invert(order), predictor) for tile in labels])
    assert np.array_equal(unranked(symbols, order, predictor), labels)
    # Side by side with others, so that steps are wide.
    many = np.repeat(symbols, 40, axis=0)
    assert np.array_equal(unranked(many, order, predictor)[::40], labels)


@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("side", [1, 7, 63, 64, 70, 90, 200])
@pytest.mark.parametrize(("chains", "threads"), [(2, 3), (64, 1), (64, 3), (2**13, 1)])
def test_tiles_in_an_image_unrank_as_each_does_alone(predictor, side, chains, threads, monkeypatch):
    # So many chains at a time: the work falls into several blocks, or into one.
    monkeypatch.setattr("kqf.format.prediction._MANY_CHAINS", chains)
    random = np.random.default_rng(side)
    order = np.argsort(random.random((180, 180)), axis=1).astype(np.uint8)
    labels = random.integers(0, 180, (150, 192)).astype(np.uint8)
    axis = 1 if predictor == 1 else 0
    cuts = range(side, labels.shape[axis], side)
    tiles = np.split(labels, cuts, axis)
    symbols = np.concatenate([rank(tile, invert(order), predictor) for tile in tiles], axis)
    # A part of an array.
    wide = np.zeros((160, 203), np.uint8)
    part = wide[5:155, 3:195]
    part[...] = symbols
    done = 0
    for rows in unrank_in_steps(part, order, predictor, side, threads):
        assert rows >= done
        done = rows
        assert np.array_equal(part[:done], labels[:done])
    assert done == len(labels)
    part[...] = 0
    assert not wide.any()


@pytest.mark.parametrize(
    ("predictor", "shape", "side"), [(1, (300, 100), 50), (2, (100, 300), 20), (2, (300, 50), 300)]
)
def test_rows_are_done_before_all_are(predictor, shape, side, monkeypatch):
    monkeypatch.setattr("kqf.format.prediction._MANY_CHAINS", 64)
    order = np.zeros((1, 1), np.uint8)
    *before, last = unrank_in_steps(np.zeros(shape, np.uint8), order, predictor, side)
    assert last == shape[0]
    assert any(0 < rows < last for rows in before)
