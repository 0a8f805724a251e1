"""Blocks of a canvas, and maps of those that change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqf.errors import FormatError
from kqf.format import frames
from kqf.format.frames import SIDES, Blocks, paint_frames
from kqf.format.shapes import Placements, Shapes, build_placements


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
