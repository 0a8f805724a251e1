"""Counts of colours in bounded memory."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqf.quantization import color_counts
from kqf.quantization.color_counts import ColorCounts, merge


def tally_of(pixels):
    return ColorCounts.of(pixels)


def parts_of(random, channels):
    pixels = random.integers(0, 256, (60, 10, channels), dtype=np.uint8)
    if channels in (2, 4):
        pixels[random.random((60, 10)) < 0.3, -1] = 0
        pixels[random.random((60, 10)) < 0.3, -1] = 255
    return pixels, np.array_split(pixels, sorted(random.integers(1, 60, 4)))


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_counts_of_parts_add_up_to_those_of_the_whole(seed, channels):
    pixels, parts = parts_of(np.random.default_rng(seed), channels)
    found = merge([tally_of(part) for part in parts if part.size]).histogram()
    expected = Counter(map(tuple, pixels.reshape(-1, channels).tolist()))
    assert (
        dict(zip(map(tuple, found.colors.tolist()), found.counts.tolist(), strict=True)) == expected
    )


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(("limit", "many"), [(20, 2**18), (300, 2**18), (590, 2**18), (100, 50)])
def test_cells_do_not_depend_on_the_parts(monkeypatch, channels, limit, many):
    monkeypatch.setattr(color_counts, "MAX_DISTINCT", limit)
    monkeypatch.setattr(color_counts, "_MANY_CELLS", many)
    random = np.random.default_rng(limit)
    pixels, parts = parts_of(random, channels)
    whole = tally_of(pixels)
    assert whole.sums is not None
    tallies = [tally_of(part) for part in parts if part.size]
    in_pairs = [merge(tallies[i : i + 2]) for i in range(0, len(tallies), 2)]
    for found in (merge(tallies), merge(tallies[::-1]), merge(in_pairs)):
        assert np.array_equal(found.keys, whole.keys)
        assert np.array_equal(found.counts, whole.counts)
        assert np.array_equal(found.sums, whole.sums)


def test_cells_keep_the_mass_the_mean_and_the_ends_of_alpha(monkeypatch):
    monkeypatch.setattr(color_counts, "MAX_DISTINCT", 100)
    random = np.random.default_rng(0)
    pixels, _ = parts_of(random, 4)
    found = tally_of(pixels).histogram()
    assert found.counts.sum() == 600
    for end in (0, 255):
        assert found.counts[found.colors[:, 3] == end].sum() == (pixels[..., 3] == end).sum()
    # What alpha 0 hides is one colour.
    assert (found.colors[found.colors[:, 3] == 0] == 0).all()
    shown = pixels[pixels[..., 3] > 0]
    seen = found.colors[:, 3] > 0
    mean = np.average(found.colors[seen], axis=0, weights=found.counts[seen])
    assert mean == pytest.approx(shown.mean(axis=0), abs=0.5)
