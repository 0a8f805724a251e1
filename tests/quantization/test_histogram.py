from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kqf.quantization.histogram import cells, count, pack, spread, unpack


@st.composite
def images(draw):
    shape = (draw(st.integers(1, 6)), draw(st.integers(1, 6)), draw(st.integers(1, 4)))
    elements = draw(st.sampled_from([st.integers(0, 255), st.sampled_from([0, 1, 254, 255])]))
    return draw(hnp.arrays(np.uint8, shape, elements=elements))


@pytest.mark.parametrize(
    ("pixel", "key"),
    [((7,), 7), ((1, 2), 0x0102), ((1, 2, 3), 0x010203), ((255, 1, 2, 3), 0xFF010203)],
)
def test_the_last_channel_is_packed_lowest(pixel, key):
    assert pack(np.array([[pixel]], np.uint8)).tolist() == [[key]]


@given(images())
def test_unpacking_gives_back_what_was_packed(pixels):
    keys = pack(pixels)
    assert keys.shape == pixels.shape[:2]
    assert keys.dtype == np.uint32
    channels = pixels.shape[2]
    assert unpack(keys.ravel(), channels).tolist() == pixels.reshape(-1, channels).tolist()


@given(images())
def test_distinct_colours_are_counted_in_ascending_order(pixels):
    channels = pixels.shape[2]
    expected = sorted(Counter(map(tuple, pixels.reshape(-1, channels).tolist())).items())
    histogram = count(pack(pixels), channels)
    assert list(map(tuple, histogram.colors.tolist())) == [color for color, _ in expected]
    assert histogram.counts.tolist() == [number for _, number in expected]
    assert histogram.colors.dtype == np.uint8


def test_pixels_of_a_large_image_get_the_value_of_their_colour():
    pixels = np.random.default_rng(0).integers(0, 256, (1500, 1400, 3), dtype=np.uint8)
    keys = pack(pixels)
    histogram = count(keys, 3)
    rows = np.arange(len(histogram.colors), dtype=np.int32)
    assert np.array_equal(histogram.colors[spread(keys, histogram, rows)], pixels)


@given(images())
def test_each_pixel_gets_the_value_of_its_colour(pixels):
    channels = pixels.shape[2]
    histogram = count(pack(pixels), channels)
    values = (np.arange(len(histogram.colors)) * 7 % 256).astype(np.uint8)
    found = spread(pack(pixels), histogram, values)
    assert found.dtype == np.uint8
    by_color = dict(zip(map(tuple, histogram.colors.tolist()), values.tolist(), strict=True))
    for at in np.ndindex(found.shape):
        assert found[at] == by_color[tuple(pixels[at].tolist())]


def test_few_points_are_no_cells_but_themselves():
    colors = np.array([[1, 2, 3], [1, 2, 4]], np.uint8)
    points = colors.astype(np.float32) + 0.5
    means, weights = cells(points, np.array([3.0, 4.0]), colors, 2)
    assert means.tolist() == points.tolist()
    assert weights.tolist() == [3, 4]


def test_points_of_a_cell_become_their_weighted_mean():
    # The upper six bits of 0..3 are the same, those of 4 are others.
    colors = np.array([[0, 0, 0], [3, 3, 3], [4, 4, 4]], np.uint8)
    means, weights = cells(colors.astype(np.float32), np.array([1.0, 3.0, 5.0]), colors, 2)
    assert means.tolist() == [[2.25, 2.25, 2.25], [4, 4, 4]]
    assert weights.tolist() == [4, 5]


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("limit", [40, 200, 1000])
def test_cells_are_at_most_the_limit_and_keep_the_mass_and_the_mean(channels, limit):
    rng = np.random.default_rng(1)
    colors = np.unique(rng.integers(0, 256, (1500, channels), dtype=np.uint8), axis=0)
    points = np.rint(rng.normal(size=colors.shape) * 400).astype(np.float32) / 8
    masses = rng.integers(1, 9, len(colors)).astype(float)
    means, weights = cells(points, masses, colors, limit)
    assert 8 <= len(means) <= limit
    assert weights.sum() == masses.sum()
    # A cell's mean may move to the grid of points, an eighth apart.
    expected = np.average(points, axis=0, weights=masses)
    assert np.average(means, axis=0, weights=weights) == pytest.approx(expected, abs=0.063)


def test_points_that_a_mean_would_hide_most_stay_as_they_are():
    rng = np.random.default_rng(1)
    # A few cells hold most of the mass, as a sky does.
    sky = np.unique(rng.integers(128, 140, (300, 3), dtype=np.uint8), axis=0)
    others = np.unique(rng.integers(0, 120, (20_000, 3), dtype=np.uint8), axis=0)
    colors = np.concatenate([others, sky])
    masses = np.concatenate([np.ones(len(others)), np.full(len(sky), 1000.0)])
    points = colors.astype(np.float32)
    found, weights = cells(points, masses, colors, 2000)
    assert len(found) <= 2000
    assert {*map(tuple, sky.tolist())} <= {*map(tuple, found[weights == 1000].tolist())}
