"""What changed blocks cost."""

import numpy as np
import pytest

from kqf.encoding.animation.blocks import AREA
from kqf.encoding.animation.change_costs import RepeatCosts, TransitionCosts

BLOCKS = 40


@pytest.fixture
def labels():
    """Return labels before and two candidates for each pixel, (3, pixels)."""
    return np.random.default_rng(0).integers(0, 64, (3, BLOCKS * AREA)).astype(np.uint8)


def errors_of(kept):
    """Return errors of labels before, which are ``kept``, none of the first candidate, and much."""
    return np.repeat(np.array([[kept], [0.0], [1000.0]], np.float32), BLOCKS * AREA, axis=1)


def test_labels_seen_before_cost_little(labels):
    costs = RepeatCosts()
    first, again = (costs.choose(labels, errors_of(20.0), 0.0) for _ in range(2))
    assert first.changes.all()
    assert np.array_equal(first.labels.ravel(), labels[1])
    assert np.array_equal(again.labels, first.labels)
    assert 0 < again.cost < first.cost / 10


def test_transitions_seen_before_cost_little(labels):
    costs = TransitionCosts(np.arange(64, dtype=np.uint8)[:, None])
    before = labels[0] % 4
    labels = np.stack([before, before + 8, before + 4])
    unknown = costs.choose(before, labels, errors_of(20.0))
    costs.count(before.reshape(-1, AREA), unknown.labels, 2 * BLOCKS)
    costs.count(before.reshape(-1, AREA), unknown.labels, 2 * BLOCKS)
    known = costs.choose(before, labels, errors_of(20.0))
    assert known.cost < unknown.cost / 10
    assert costs.least(before.reshape(-1, AREA)).max() < 16


def test_blocks_stay_where_their_error_is_worth_fewer_bits(labels):
    costs = TransitionCosts(np.arange(64, dtype=np.uint8)[:, None])
    for choice in (
        RepeatCosts().choose(labels, errors_of(0.5), 0.0),
        costs.choose(labels[0], labels, errors_of(0.5)),
    ):
        assert not choice.changes.any()
        assert choice.cost == BLOCKS * AREA * 0.5
