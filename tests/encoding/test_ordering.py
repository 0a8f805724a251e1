"""The order of a codebook that nobody else has ordered."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kqf.encoding.ordering import reorder, walk

CODEBOOKS = hnp.arrays(np.uint8, st.tuples(st.integers(1, 60), st.integers(1, 4)))


def cost(codebook, one, other):
    """Return what a step from an entry to another costs: square roots, in sixteenths."""
    step = codebook[other].astype(int) - codebook[one]
    if len(step) > 2:
        step[[0, 2]] -= step[1]
    return int(np.round(16 * np.sqrt(abs(step))).sum())


def length(codebook, order):
    return sum(cost(codebook, *pair) for pair in pairwise(order))


@given(CODEBOOKS)
def test_each_entry_is_followed_by_the_nearest(codebook):
    left = walk(codebook, rounds=0).tolist()
    assert sorted(left) == list(range(len(codebook)))
    assert left[0] == codebook.sum(axis=1).argmin()
    while len(left) > 1:
        at = left.pop(0)
        assert left[0] == min(left, key=lambda other: (cost(codebook, at, other), other))


@given(CODEBOOKS)
def test_turning_parts_round_makes_walks_shorter(codebook):
    order = walk(codebook)
    assert sorted(order.tolist()) == list(range(len(codebook)))
    assert length(codebook, order) <= length(codebook, walk(codebook, rounds=0))


@pytest.mark.parametrize("seed", range(5))
def test_no_part_is_left_that_should_be_turned_round(seed):
    codebook = np.random.default_rng(seed).integers(0, 256, (12, 3)).astype(np.uint8)
    order = walk(codebook, rounds=100).tolist()
    shortest = length(codebook, order)
    for begin in range(12):
        for end in range(begin + 2, 13):
            turned = order[:begin] + order[begin:end][::-1] + order[end:]
            assert length(codebook, turned) >= shortest


@given(CODEBOOKS, st.randoms(use_true_random=False))
def test_reordered_labels_mean_the_same_colours(codebook, random):
    labels = np.array([[random.randrange(len(codebook)) for _ in range(9)] for _ in range(3)], "B")
    moved, ordered = reorder(labels, codebook, walk(codebook))
    assert moved.dtype == np.uint8
    assert np.array_equal(ordered[moved], codebook[labels])
