"""Blocks of a canvas, and maps of those that change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqf.errors import FormatError
from kqf.format import frames
from kqf.format.frames import SIDES, Blocks


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
