"""Shapes and placements (sections 5.8 and 5.9)."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqf.errors import FormatError, TruncatedError
from kqf.format import shapes as format_shapes
from kqf.format.shapes import (
    MAX_SIDE,
    MAX_TILE_SIDE,
    PlacementList,
    Placements,
    Shapes,
    build_placements,
    build_shapes,
    check_painted_once,
    check_used,
    paint,
    parse_placements,
    parse_shapes,
)
from kqf.format.streams import deflate

GROUND = 0
PIXELS = 100 * 100


def shapes_of(*rows):
    """Return shapes from arrays (h, w), all on ground 0."""
    pixels = [np.array(shape, np.uint8) for shape in rows]
    return Shapes(
        np.array([len(shape) for shape in pixels], np.uint8),
        np.array([len(shape[0]) for shape in pixels], np.uint8),
        np.full(len(pixels), GROUND, np.uint8),
        np.concatenate([shape.T.ravel() for shape in pixels]),
    )


def placed(*places):
    """Return placements from (x, y, number)."""
    return Placements(*np.array(places, np.int64).reshape(-1, 3).T)


SQUARE = [[1, 2], [3, 4]]
RING = [[5, 5, 5], [5, 0, 5], [5, 5, 5]]
SHAPES = shapes_of(SQUARE, RING)


def same(one, other):
    names = ("heights", "widths", "grounds", "labels")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


@st.composite
def some_shapes(draw):
    """Draw shapes that paint four pixels at least."""
    shapes = []
    for _ in range(draw(st.integers(1, 4))):
        height, width = draw(st.integers(1, 6)), draw(st.integers(4, 6))
        shape = np.array(draw(st.lists(st.integers(0, 7), min_size=36, max_size=36)), np.uint8)
        shape = shape[: height * width].reshape(height, width)
        shape[0, :4] |= 8
        shapes.append(shape)
    return shapes_of(*shapes)


@given(some_shapes())
def test_shapes_round_trip(shapes):
    assert same(parse_shapes(build_shapes(shapes, 6), 15, PIXELS), shapes)


@st.composite
def some_placements(draw):
    """Draw (shapes, placements in a tile, the tile, the size of the image)."""
    shapes = draw(some_shapes())
    size = width, height = draw(st.integers(20, 70_000)), draw(st.integers(20, 70_000))
    left, upper = draw(st.integers(0, width - 7)), draw(st.integers(0, height - 7))
    right = draw(st.integers(left + 1, min(width, left + MAX_TILE_SIDE)))
    lower = draw(st.integers(upper + 1, min(height, upper + MAX_TILE_SIDE)))
    places = []
    for _ in range(draw(st.integers(1, 9))):
        x = draw(st.integers(left, min(right - 1, width - 6)))
        y = draw(st.integers(upper, min(lower - 1, height - 6)))
        places.append((x, y, draw(st.integers(0, len(shapes) - 1))))
    return shapes, places, (left, upper, right, lower), size


@given(some_placements())
def test_placements_round_trip(drawn):
    shapes, places, box, size = drawn
    data = build_placements(placed(*places), shapes, box)
    assert len(data) == 6 * len(places)
    for at_once in (2, 2**16):
        with patch.object(format_shapes, "_PLACEMENTS", at_once):
            found = parse_placements(deflate(data, 6), len(places), shapes, box, size, 0)
        result = zip(found.x.tolist(), found.y.tolist(), found.shapes.tolist(), strict=True)
        assert sorted(result) == sorted(places)


def test_placements_by_hand():
    """Two on one line, and one below: lower edge, left edge, number, each as two planes."""
    places = placed((300, 10, 0), (12, 9, 1), (310, 10, 0))
    data = build_placements(places, SHAPES, (10, 5, 400, 400))
    down, right, number = (12 - 5, 0, 0), (2, 290 - 5, 300 - 292), (1, 0, 0)
    low, high = [[v & 255 for v in right], [v >> 8 for v in right]]
    assert data == bytes([*down, 0, 0, 0, *low, *high, *number, 0, 0, 0])


def test_steps_wrap_round():
    """Overlapping boxes step back along their line."""
    places = placed((5, 5, 1), (6, 5, 1))
    data = build_placements(places, SHAPES, (0, 0, 20, 20))
    assert data[4:6] == bytes([5, 254])
    found = parse_placements(deflate(data, 6), 2, SHAPES, (0, 0, 20, 20), (20, 20), 0)
    assert found.x.tolist() == [5, 6]


def slow_paint(labels, shapes, placements, box):
    """Paint pixel by pixel; return whether a pixel was painted twice."""
    counts = np.zeros(labels.shape, int)
    ends = np.cumsum(shapes.heights.astype(int) * shapes.widths)
    for x, y, number in zip(placements.x, placements.y, placements.shapes, strict=True):
        height, width = int(shapes.heights[number]), int(shapes.widths[number])
        pixels = shapes.labels[ends[number] - height * width : ends[number]]
        for (right, down), label in np.ndenumerate(pixels.reshape(width, height)):
            column, row = x + right - box[0], y + down - box[1]
            inside = 0 <= row < labels.shape[0] and 0 <= column < labels.shape[1]
            if inside and label != shapes.grounds[number]:
                labels[row, column] = label
                counts[row, column] += 1
    return (counts > 1).any()


@given(some_shapes(), st.data())
def test_painting(shapes, data):
    """In the image and in any region, against the same pixel by pixel."""
    places = []
    for _ in range(data.draw(st.integers(0, 6))):
        number = data.draw(st.integers(0, len(shapes) - 1))
        x = data.draw(st.integers(0, 30 - int(shapes.widths[number])))
        y = data.draw(st.integers(0, 20 - int(shapes.heights[number])))
        places.append((x, y, number))
    left, upper = data.draw(st.integers(0, 29)), data.draw(st.integers(0, 19))
    right, lower = data.draw(st.integers(left + 1, 30)), data.draw(st.integers(upper + 1, 20))
    for box in ((0, 0, 30, 20), (left, upper, right, lower)):
        labels = np.full((box[3] - box[1], box[2] - box[0]), 77, np.uint8)
        expected = labels.copy()
        if slow_paint(expected, shapes, placed(*places), box):
            with pytest.raises(FormatError, match="some twice"):
                paint(labels, shapes, placed(*places), box)
        else:
            paint(labels, shapes, placed(*places), box)
            assert np.array_equal(labels, expected)


def test_many_placements_are_painted_in_blocks():
    """More pixels than are painted at once, of a shape with a hole."""
    square = np.ones((250, 250), np.uint8)
    square[100, 100] = GROUND
    places = placed(*((250 * column, 250 * row, 0) for row in range(3) for column in range(4)))
    labels = np.full((750, 1000), 9, np.uint8)
    paint(labels, shapes_of(square), places, (0, 0, 1000, 750))
    assert (labels == 9).sum() == 12
    assert (labels[100::250, 100::250] == 9).all()


def test_more_pixels_than_there_is_room_for_are_refused_unpainted():
    """A few bytes of placements could ask for hours of painting over and over."""
    square = shapes_of(np.ones((MAX_SIDE, MAX_SIDE), np.uint8))
    count = 2**20
    places = Placements(*np.zeros((3, count), np.int64))
    labels = np.zeros((300, 300), np.uint8)
    with pytest.raises(FormatError, match="pixels painted: expected at most 656100"):
        paint(labels, square, places, (0, 0, 300, 300))
    assert not labels.any()


def payload(count, sides, labels, length=None):
    first = deflate(bytes(sides), 6)
    length = len(first) if length is None else length
    return count.to_bytes(4) + length.to_bytes(4) + first + deflate(bytes(labels), 6)


ONE = [2, 2, 0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\0" * 7, "length: expected at least 8, found 7"),
        (b"\0\0\0\1" + b"\0" * 4, "zlib stream"),
        (payload(0, ONE, SQUARE[0] * 2), "count: expected 1 to 65536, found 0"),
        (payload(2**16 + 1, ONE, [1] * 4), "count: expected 1 to 65536, found 65537"),
        (payload(1, ONE, [1] * 4, 2**31), "sides_length: expected at most"),
        (payload(2, ONE, [1] * 4), "inflated size of sides: expected 6, found 3"),
        (payload(1, [*ONE, 9], [1] * 4), "inflated size: expected at most 3 bytes"),
        (payload(60_000, ONE, [1] * 4), "zlib stream: expected at least 175 bytes"),
        (payload(1, [0, 2, 0], []), "side of a shape: expected 1 to 255, found 0"),
        (payload(1, [2, 0, 0], []), "side of a shape: expected 1 to 255, found 0"),
        (payload(1, [101, 100, 0], [1] * 10_100), "pixels of all shapes: expected at most 10000"),
        (payload(1, ONE, [1] * 3), "inflated size of labels: expected 4, found 3"),
        (payload(1, ONE, [1] * 5), "inflated size: expected at most 4 bytes"),
        (payload(1, ONE, [1, 1, 1, 10]), "label: expected at most 9, found 10"),
        (payload(1, [2, 2, 10], [1] * 4), "label: expected at most 9, found 10"),
        (payload(2, [2, 2, 2, 2, 0, 10], [1] * 8), "label: expected at most 9, found 10"),
        (payload(1, ONE, [1, 0, 1, 1]), "pixels that shape 0 paints: expected at least 4, found 3"),
        (payload(2, [2, 2, 2, 2, 0, 0], [1] * 5 + [0, 1, 1]), "pixels that shape 1 paints"),
    ],
)
def test_wrong_shapes_are_refused(data, message):
    with pytest.raises(FormatError, match=message) as caught:
        parse_shapes(data, 9, PIXELS)
    assert caught.value.chunk == "SHAP"


def test_shapes_may_have_as_many_pixels_as_allowed():
    assert len(parse_shapes(payload(1, [100, 100, 0], [1] * 10_000), 9, PIXELS)) == 1


def test_sides_may_not_end_beyond_the_payload():
    data = payload(1, ONE, [1] * 4)
    sides = len(deflate(bytes(ONE), 6))
    with pytest.raises(FormatError, match="zlib stream: expected at least 9 bytes for 4, found 0"):
        parse_shapes(data[: 8 + sides], 9, PIXELS)
    with pytest.raises(FormatError, match=f"sides_length: expected at most {sides - 1}"):
        parse_shapes(data[: 8 + sides - 1], 9, PIXELS)


@given(some_shapes(), st.integers(1, 80))
def test_the_ink_of_many_shapes_is_found_in_blocks(shapes, at_once):
    with patch.object(format_shapes, "_BLOCK", at_once):
        found = Shapes(shapes.heights, shapes.widths, shapes.grounds, shapes.labels).ink
    for name in ("counts", "offsets", "labels"):
        assert np.array_equal(getattr(found, name), getattr(shapes.ink, name))


def test_shapes_that_end_early_are_truncated():
    data = build_shapes(shapes_of(np.arange(200).reshape(10, 20) % 10 + 1), 6)
    with pytest.raises(TruncatedError):
        parse_shapes(data[:-3], 10, PIXELS)


def stream(*steps):
    """Return a zlib stream of steps (down, right, number)."""
    planes = []
    for values in zip(*steps, strict=True):
        planes += [value & 255 for value in values] + [value >> 8 for value in values]
    return deflate(bytes(planes), 6)


BOX, SIZE = (10, 20, 30, 40), (32, 41)


@pytest.mark.parametrize(
    ("steps", "count", "message"),
    [
        ([(2, 0, 2)], 1, "shape in tile 3: expected at most 1, found 2"),
        ([(2, 0, 2), (3, 0, 0)], 2, "shape in tile 3: expected at most 1, found 2"),
        ([(1, 0, 0)], 1, "upper left pixel"),  # above the tile
        ([(22, 0, 0)], 1, "upper left pixel"),  # below it
        ([(2, 20, 0)], 1, "upper left pixel"),  # right of it
        ([(2, 65_535, 0)], 1, "upper left pixel"),  # left of it
        ([(2, 19, 0), (0, 65_514, 0)], 2, "upper left pixel"),  # left, by a step back
        ([(2, 0, 0), (65_535, 0, 0)], 2, "upper left pixel"),  # above, by a step up
        ([(22, 19, 1)], 1, "inside the image"),  # its last row is below the image
        ([(2, 19, 0), (1, 19, 0)], 1, "inflated size: expected at most 6"),
        ([(2, 0, 0)], 2, "inflated size of placements of tile 3: expected 12, found 6"),
        ([(2, 0, 0)], 0, "number of placements of tile 3: expected 1 to 328, found 0"),
        ([(2, 0, 0)], 329, "number of placements of tile 3: expected 1 to 328, found 329"),
        ([(2, 0, 0)] * 9, 320, "at least|inflated size of"),
    ],
)
def test_wrong_placements_are_refused(steps, count, message):
    with pytest.raises(FormatError, match=message):
        parse_placements(stream(*steps), count, SHAPES, BOX, SIZE, 3)


@pytest.mark.parametrize(
    "steps", [[(2, 0, 0)], [(21, 0, 0)], [(2, 19, 0)], [(3, 19, 1)], [(2, 19, 0), (0, 65_533, 0)]]
)
def test_placements_at_the_edges_are_right(steps):
    found = parse_placements(stream(*steps), len(steps), SHAPES, BOX, SIZE, 3)
    assert len(found) == len(steps)


def test_shapes_must_be_used():
    used = Placements(*np.zeros((2, 2), np.int64), np.array([1, 0]))
    check_used(used, SHAPES)
    with pytest.raises(FormatError, match="placements of shape 1: expected at least 1, found 0"):
        check_used(Placements(*np.zeros((3, 1), np.int64)), SHAPES)


def test_pixels_painted_twice_are_found_wherever_they_are():
    x = np.array([1020, 5000, 1020 + int(SHAPES.widths[0])])
    placements = Placements(x, np.array([1022, 7, 1022]), np.zeros(3, np.int64))
    check_painted_once(SHAPES, placements, (6000, 1100))
    both = PlacementList(6000 * 1100)
    both.add(placements)
    both.add(Placements(x[:1], np.array([1022]), np.zeros(1, np.int64)))
    with pytest.raises(FormatError, match="pixels painted"):
        check_painted_once(SHAPES, both.joined(), (6000, 1100))


@pytest.mark.parametrize("x", [0, 3, 8])
@pytest.mark.parametrize("y", [0, 2])
def test_a_single_column_painted_twice_is_found(x, y):
    column = shapes_of([[1]] * 4)
    check_painted_once(column, placed((x, y, 0)), (9, 6))
    with pytest.raises(FormatError, match="pixels painted"):
        check_painted_once(column, placed((x, y, 0), (x, 0, 0)), (9, 6))


def test_more_placements_than_can_be_painted_are_not_collected():
    """Of many tiles each may have as many as the image has room for."""
    collected = PlacementList(4 * 5 + 3)
    collected.add(placed((0, 0, 0), (2, 2, 0)))
    collected.add(placed((4, 0, 0), (6, 2, 0), (0, 4, 0)))
    assert collected.joined().y.tolist() == [0, 2, 0, 2, 4]
    with pytest.raises(FormatError, match="placements of all tiles: expected at most 5, found 6"):
        collected.add(placed((0, 0, 0)))
