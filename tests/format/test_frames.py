"""Blocks of a canvas, maps of those that change, and the limits of a group of frames."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqf.errors import FormatError
from kqf.format import frames
from kqf.format.frames import (
    SIDES,
    Blocks,
    Changes,
    build_changes,
    most_shape_pixels,
    paint_frames,
    parse_frames,
)
from kqf.format.shapes import MAX_TILE_SIDE, Placements, Shapes, build_placements


@given(
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    side=st.sampled_from(SIDES),
    piece=st.sampled_from([2**6, 2**18]),
    seed=st.integers(0, 99),
)
def test_pixels_of_a_map_are_counted(width, height, side, piece, seed):
    blocks = Blocks(width, height, side)
    changes = np.random.default_rng(seed).random(blocks.rows * blocks.columns) < 0.6
    bits = np.packbits(changes, bitorder="little")
    with pytest.MonkeyPatch.context() as patch:
        # A map is gone through in pieces.
        patch.setattr(frames, "_PIECE", piece)
        found = [*blocks.changed(bits)]
        numbers = np.concatenate(found) if found else np.empty(0, np.intp)
        assert np.array_equal(numbers, np.flatnonzero(changes))
        pixels = len(blocks.pixels(numbers))
        assert blocks.count_pixels(np.stack([bits, 0 * bits, bits])) == 2 * pixels


def test_bits_beyond_the_last_block_are_refused():
    bits = np.array([[0b0000_0111], [0b0111_1111]], np.uint8)
    with pytest.raises(FormatError, match="bit 6"):
        Blocks(9, 5, 4).count_pixels(bits)


def test_a_frame_may_paint_as_many_pixels_as_the_canvas_has():
    side = np.array([250], np.uint8)
    square = Shapes(side, side, np.zeros(1, np.uint8), np.ones(250 * 250, np.uint8))
    corners = np.array([0, 250])
    x, y = (axis.ravel() for axis in np.meshgrid(corners, corners))

    def paint(copies):
        places = Placements(*(np.tile(axis, copies) for axis in (x, y, 0 * x)))
        data = build_placements(places, square, (0, 0, 500, 500))
        return list(paint_frames([np.frombuffer(data, np.uint8)] * 2, square, (500, 500), 0))

    for pixels, labels in paint(1):
        assert np.array_equal(np.sort(pixels), np.arange(500 * 500))
        assert labels.all()
    with pytest.raises(FormatError, match="pixels painted: expected at most 250000, found 500000"):
        paint(2)


ROW = Shapes(*(np.array([value], np.uint8) for value in (1, 4, 0)), np.ones(4, np.uint8))


def rows_at(places, size):
    """Return placements of ROW at these (x, y) of a canvas (width, height)."""
    x, y = np.array(places, np.int64).reshape(-1, 2).T
    data = build_placements(Placements(x, y, 0 * x), ROW, (0, 0, *size))
    return np.frombuffer(data, np.uint8)


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 8), st.integers(0, 9)), max_size=5, unique=True),
        min_size=1,
        max_size=6,
    )
)
def test_frames_are_painted_as_each_alone(frames_of_places):
    size = 12, 10
    placements = [rows_at(places, size) for places in frames_of_places]
    for places, painted in zip(
        frames_of_places, paint_frames(placements, ROW, size, 0), strict=True
    ):
        if not places:
            assert painted is None
            continue
        pixels, labels = painted
        expected = [12 * y + x + right for x, y in places for right in range(4)]
        assert sorted(pixels.tolist()) == sorted(expected)
        assert labels.all()


def test_frames_of_many_placements_are_painted():
    size = 512, 200
    places = [(x, y) for y in range(200) for x in range(0, 512, 4)][: 2**13 + 1]
    right = rows_at(places, size)
    for pixels, _ in paint_frames([right] * 3, ROW, size, 0):
        assert np.array_equal(np.sort(pixels), np.arange(4 * len(places)))
    wrong = right.reshape(6, -1).copy()
    wrong[4, -1] = 1
    with pytest.raises(FormatError, match="shape in frame 7: expected at most 0, found 1"):
        list(paint_frames([right, right, wrong.ravel()], ROW, size, 5))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (rows_at([(0, 0)] * 2, (4, 1)), "pixels painted: expected at most 4, found 8"),
        (rows_at([(1, 0)], (4, 1)), "placements of frame 7"),
    ],
)
def test_frames_before_a_wrong_one_are_painted(wrong, message):
    right = rows_at([(0, 0)], (4, 1))
    painted = paint_frames([right, right, wrong, right], ROW, (4, 1), 5)
    assert [next(painted)[0].tolist() for _ in range(2)] == [[0, 1, 2, 3]] * 2
    with pytest.raises(FormatError, match=message):
        next(painted)


def test_shapes_in_force_may_have_more_pixels_than_the_canvas():
    assert most_shape_pixels((3, 5)) == 15 + 2**20


def test_a_canvas_with_placements_may_be_as_large_as_a_tile():
    placements = [rows_at([(MAX_TILE_SIDE - 4, 0)], (MAX_TILE_SIDE, 1))]
    ((pixels, _),) = paint_frames(placements, ROW, (MAX_TILE_SIDE, 1), 0)
    assert pixels.tolist() == [*range(MAX_TILE_SIDE - 4, MAX_TILE_SIDE)]
    with pytest.raises(FormatError, match="canvas with placements"):
        list(paint_frames(placements, ROW, (MAX_TILE_SIDE + 1, 1), 0))


def parsed(width, marked, placed=(), height=1):
    """Build and parse a group with as many changed blocks of one pixel, or placements, a frame."""
    blocks = Blocks(width, height, 1)
    bits = np.zeros((len(marked), 8 * blocks.map_bytes), np.uint8)
    for row, count in zip(bits, marked, strict=True):
        row[:count] = 1
    maps = [
        np.packbits(row, bitorder="little") if count else None
        for row, count in zip(bits, marked, strict=True)
    ]
    placed = placed or [0] * len(marked)
    placements = [np.zeros(6 * count, np.uint8) for count in placed]
    labels = np.zeros(sum(marked), np.uint8)
    changes = Changes(1, blocks, False, maps, placements, labels)
    payload = build_changes(changes, lambda data: zlib.compress(data, 1))
    return parse_frames(payload, (width, height), 0)


def test_labels_of_changed_blocks_must_be_in_the_codebook():
    for labels in ([0, 3, 0], [3, 0, 0], [0, 0, 3]):
        blocks = Blocks(3, 1, 1)
        bits = np.array([0b111], np.uint8)
        nothing = np.empty(0, np.uint8)
        changes = Changes(1, blocks, False, [bits], [nothing], np.array(labels, np.uint8))
        payload = build_changes(changes, zlib.compress)
        assert parse_frames(payload, (3, 1), 3).labels.tolist() == labels
        with pytest.raises(FormatError, match="label: expected at most 2, found 3"):
            parse_frames(payload, (3, 1), 2)


@pytest.mark.parametrize(
    ("most", "more", "message"),
    [
        ({"width": 2**21 + 1, "marked": [2**21, 2**21]}, {"marked": [2**21, 2**21 + 1]}, "labels"),
        ({"width": 2**24, "marked": [1, 1]}, {"width": 2**24 + 1}, "maps"),
        (
            {"width": 2**22, "marked": [0, 0], "placed": [2**19, 2**19]},
            {"placed": [2**19, 2**19 + 1]},
            "placements",
        ),
    ],
)
def test_a_group_of_several_frames_is_bounded(most, more, message):
    changes = parsed(**most)
    assert len(changes.labels) == sum(most["marked"])
    with pytest.raises(FormatError, match=f"{message} of several frames"):
        parsed(**most | more)


def test_a_group_of_one_frame_may_be_as_large_as_the_canvas():
    assert len(parsed(2**22 + 1, [2**22 + 1]).labels) == 2**22 + 1


def test_a_group_may_have_as_many_frames_as_allowed():
    assert len(parsed(1, [0] * 2**16)) == 2**16


def test_the_work_of_a_group_is_its_labels_and_the_blocks_of_its_maps():
    assert parsed(9, [2, 0, 3], height=4).work == 2 + 3 + 2 * 9 * 4
    assert parsed(9, [0, 0]).work == 0


def test_a_frame_may_have_placements_for_a_quarter_of_its_pixels():
    assert parsed(9, [0], [2]).placements[0].size == 2 * 6
    with pytest.raises(FormatError, match="placements of a frame: expected at most 2, found 3"):
        parsed(9, [0, 0], [1, 3])
