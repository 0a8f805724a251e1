"""Frames cut into the blocks that change or stay as a whole."""

from dataclasses import dataclass

import numpy as np

# The side of blocks that labels are searched for: the best of most animations.
SIDE = 4
AREA = SIDE * SIDE
# Steps of ``lumas`` that one step of a gray pixel makes.
LUMA_STEPS = 4


@dataclass(frozen=True)
class BlockGrid:
    """How a frame is cut into blocks.

    Blocks at the right and lower edges repeat the frame's last pixels to be whole.

    Attributes:
        height, width: of the frame, in pixels.
    """

    height: int
    width: int

    @property
    def rows(self) -> int:
        """Rows of blocks."""
        return -(-self.height // SIDE)

    @property
    def columns(self) -> int:
        """Blocks in a row."""
        return -(-self.width // SIDE)

    def cut(self, frame: np.ndarray) -> np.ndarray:
        """Return the blocks of a frame (H, W, C), row by row, (blocks, 16, C)."""
        below, beside = self.rows * SIDE - self.height, self.columns * SIDE - self.width
        if below or beside:
            frame = np.pad(frame, ((0, below), (0, beside), (0, 0)), mode="edge")
        parts = frame.reshape(self.rows, SIDE, self.columns, SIDE, -1).swapaxes(1, 2)
        return parts.reshape(self.rows * self.columns, AREA, -1)

    def join(self, blocks: np.ndarray) -> np.ndarray:
        """Return the frame (H, W) of blocks (blocks, 16), in memory of its own."""
        parts = blocks.reshape(self.rows, self.columns, SIDE, SIDE).swapaxes(1, 2)
        frame = parts.reshape(self.rows * SIDE, self.columns * SIDE)
        return frame[: self.height, : self.width].copy()


def flat(blocks: np.ndarray) -> np.ndarray:
    """Return the pixels (N * 16, C) of blocks (N, 16, C)."""
    return blocks.reshape(-1, blocks.shape[2])


def lumas(blocks: np.ndarray) -> np.ndarray:
    """Return about four times the luma of blocks (N, 16, C) uint8, (N, 16) int16.

    The less opaque a pixel is, the further it is below black.
    """
    channels = blocks.shape[2]
    if channels < 3:
        luma = blocks[..., 0].astype(np.int16) << 2
    else:
        luma = blocks[..., 1].astype(np.int16)
        luma <<= 1
        luma += blocks[..., 0]
        luma += blocks[..., 2]
    if channels in (2, 4):
        alpha = blocks[..., -1].astype(np.int32)
        return (luma * alpha // 255 - (255 - alpha) * LUMA_STEPS).astype(np.int16)
    return luma


def deviations(luma: np.ndarray) -> np.ndarray:
    """Return the standard deviation of each block of ``lumas``, (N,) float64, in gray steps."""
    sums = luma.sum(axis=1, dtype=np.int64)
    squares = np.einsum("ij,ij->i", luma, luma, dtype=np.int64, casting="safe")
    deviation: np.ndarray = np.sqrt(AREA * squares - sums * sums) / (AREA * LUMA_STEPS)
    return deviation
