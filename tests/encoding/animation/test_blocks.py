"""Frames cut into blocks."""

import numpy as np
import pytest

from kqf.encoding.animation.blocks import AREA, BlockGrid, deviations, lumas


@pytest.mark.parametrize(("height", "width"), [(8, 12), (1, 1), (5, 7)])
def test_blocks_are_joined_as_they_were_cut(height, width):
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    grid = BlockGrid(height, width)
    blocks = grid.cut(frame)
    assert blocks.shape == (grid.rows * grid.columns, AREA, 3)
    assert np.array_equal(grid.join(blocks[..., 1]), frame[..., 1])


def test_deviations_are_of_gray_steps():
    blocks = np.random.default_rng(0).integers(0, 256, (9, AREA, 1)).astype(np.uint8)
    expected = blocks[..., 0].std(axis=1)
    assert np.allclose(deviations(lumas(blocks)), expected)
    assert np.allclose(deviations(lumas(blocks.repeat(3, axis=2))), expected)


def test_transparent_pixels_look_alike_and_unlike_black():
    blocks = np.array([[[200, 0], [10, 0], [0, 255]]], np.uint8)
    luma = lumas(blocks)[0]
    assert luma[0] == luma[1] != luma[2]
