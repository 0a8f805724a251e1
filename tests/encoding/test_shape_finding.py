"""Finding shapes: what comes out paints the image, and letters are found where they repeat."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kqf.encoding import regions, shapes
from kqf.encoding.shapes import find
from kqf.format.shapes import LEAST_PAINTED, MAX_SIDE, MAX_TILE_SIDE, paint


def painted(found):
    """Return the labels that shapes on what is left give, each pixel painted at most once."""
    labels = found.labels.copy()
    paint(labels, found.shapes, found.placements, (0, 0, labels.shape[1], labels.shape[0]))
    return labels


def page(places, shape=(200, 300), ground=7):
    """Return a flat image with glyphs (h, w), of which label 0 is not drawn, at (x, y)."""
    labels = np.full(shape, ground, np.uint8)
    for glyph, places_of_it in places:
        for x, y in places_of_it:
            area = labels[y : y + glyph.shape[0], x : x + glyph.shape[1]]
            area[glyph > 0] = glyph[glyph > 0]
    return labels


A = np.array([[0, 1, 0], [1, 2, 1], [1, 0, 1]], np.uint8)
B = np.array([[1, 1, 0], [1, 0, 3], [3, 3, 0]], np.uint8)


def texts(found):
    """Return the shapes found, (h, w) each, with 0 for their ground."""
    ends = np.cumsum(found.shapes.heights.astype(int) * found.shapes.widths)
    texts = []
    for number, end in enumerate(ends):
        height, width = int(found.shapes.heights[number]), int(found.shapes.widths[number])
        labels = found.shapes.labels[end - height * width : end].reshape(width, height).T
        texts.append(np.where(labels == found.shapes.grounds[number], 0, labels).tolist())
    return texts


@pytest.mark.parametrize("transposed", [False, True])
def test_letters_are_found(transposed):
    labels = page([(A, [(5, 5), (50, 9), (9, 100)]), (B, [(20, 20), (120, 30)])])
    if transposed:
        labels = np.ascontiguousarray(labels.T)
    found = find(labels)
    assert np.array_equal(painted(found), labels)
    assert len(found.placements) == 5
    assert (found.labels == 7).all()
    glyphs = [glyph.T.tolist() if transposed else glyph.tolist() for glyph in (A, B)]
    assert sorted(texts(found)) == sorted(glyphs)


def test_the_same_on_two_grounds_is_two_shapes():
    labels = page([(A, [(5, 5), (50, 9), (5, 160), (90, 160)])])
    labels[100:][labels[100:] == 7] = 4
    found = find(labels)
    assert np.array_equal(painted(found), labels)
    assert sorted(found.shapes.grounds.tolist()) == [4, 7]


def test_what_occurs_once_stays():
    labels = page([(A, [(5, 5), (50, 9)]), (B, [(20, 20)])])
    found = find(labels)
    assert texts(found) == [A.tolist()]
    assert (found.labels[20:23, 20:23] != 7).sum() == (B > 0).sum()


def test_images_of_more_runs_than_memory_has_room_for_have_none(monkeypatch):
    labels = page([(A, [(x, y) for x in range(5, 290, 20) for y in range(5, 190, 20)])])
    assert find(labels) is not None
    monkeypatch.setattr(shapes, "_MOST_RUNS", 20)
    assert find(labels) is None


def test_letters_that_touch_are_split():
    """A B that touches an A at either side, with both known from elsewhere."""
    labels = page([(A, [(5, 5), (50, 9), (103, 50)]), (B, [(20, 20), (120, 30), (100, 50)])])
    found = find(labels)
    assert np.array_equal(painted(found), labels)
    assert len(found.placements) == 6
    assert (found.labels == 7).all()


def test_what_is_left_of_pieces_is_looked_at_again():
    """A letter that only ever touches others, at two places."""
    other = np.array([[4, 4], [4, 5], [5, 5]], np.uint8)
    labels = page([(A, [(5, 5), (50, 9), (103, 50), (3, 150)]), (other, [(106, 50), (1, 150)])])
    found = find(labels)
    assert np.array_equal(painted(found), labels)
    assert sorted(texts(found)) == sorted([A.tolist(), other.tolist()])
    assert len(found.placements) == 6


def test_holes_are_not_painted():
    ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.uint8)
    labels = page([(ring, [(5, 5), (50, 9)])])
    labels[6, 6] = 3
    found = find(labels)
    # One ring has a dot in it: they differ.
    assert found is None or len(found.placements) == 0 or np.array_equal(painted(found), labels)
    labels[6, 6] = 7
    found = find(labels)
    assert found.shapes.ink.counts.tolist() == [8]


def test_small_shapes_are_left_alone():
    dot = np.ones((1, LEAST_PAINTED - 1), np.uint8)
    assert find(page([(dot, [(5, 5), (50, 9), (80, 80)])])) is None
    bar = np.ones((1, LEAST_PAINTED), np.uint8)
    assert len(find(page([(bar, [(5, 5), (50, 9)])])).placements) == 2


def test_large_pieces_are_left_alone():
    box = np.ones((90, MAX_SIDE + 1), np.uint8)
    assert find(page([(box, [(5, 5), (5, 105)])], (200, 900))) is None


def test_two_pieces_with_one_hash_are_told_apart(monkeypatch):
    """Whatever the keys say, only equal pieces are one shape."""
    monkeypatch.setattr(regions, "_DOWN", 1)
    monkeypatch.setattr(regions, "_RIGHT", 1)
    flat, tall = np.ones((1, 6), np.uint8), np.ones((6, 1), np.uint8)
    labels = page([(flat, [(5, 5), (50, 5)]), (tall, [(20, 60), (70, 60)])])
    found = find(labels)
    assert np.array_equal(painted(found), labels)
    assert texts(found) == [flat.tolist()]


def test_noise_is_refused_at_a_glance():
    noise = np.random.default_rng(0).integers(0, 256, (300, 300)).astype(np.uint8)
    assert find(noise) is None


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (3, MAX_TILE_SIDE + 1)])
def test_images_without_room_have_none(shape):
    assert find(np.zeros(shape, np.uint8)) is None


@given(
    hnp.arrays(
        np.uint8,
        st.tuples(st.integers(20, 60), st.integers(20, 60)),
        elements=st.integers(0, 3),
        fill=st.just(0),
    ),
    st.data(),
)
@settings(max_examples=60)
def test_any_image_is_painted_again(labels, data):
    """Scribbles, and stamps of one of them here and there: some overlap, some touch."""
    stamp = labels[3:8, 3:9].copy()
    for _ in range(data.draw(st.integers(0, 8))):
        y = data.draw(st.integers(0, labels.shape[0] - 5))
        x = data.draw(st.integers(0, labels.shape[1] - 6))
        labels[y : y + 5, x : x + 6] = stamp
    found = find(labels)
    if found is not None:
        assert np.array_equal(painted(found), labels)
        assert (found.shapes.ink.counts >= LEAST_PAINTED).all()
        assert set(found.placements.shapes.tolist()) == set(range(len(found.shapes)))


def test_the_labels_given_stay_and_give_the_same():
    labels = page([(A, [(5, 5), (50, 9), (103, 50)]), (B, [(20, 20), (120, 30), (100, 50)])])
    before = labels.copy()
    one, two = find(labels), find(labels)
    assert np.array_equal(labels, before)
    assert np.array_equal(one.shapes.labels, two.shapes.labels)
    assert np.array_equal(one.placements.x, two.placements.x)


def test_scipy_is_loaded_where_shapes_are_sought_alone():
    code = "import sys, kqf.encoding.shapes; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
