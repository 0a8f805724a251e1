"""What changes from one frame to the next."""

from dataclasses import dataclass, replace

import numpy as np

from kqf.errors import Box
from kqf.format.frames import SIDES, Blocks

# Blocks of all sizes begin at multiples of the largest side.
_ALIGNED = max(SIDES)


@dataclass(frozen=True)
class Delta:
    """The part of a frame in which all of its changes lie.

    Attributes:
        box: (left, upper, right, lower) in pixels; blocks begin at its upper left pixel.
        labels: (h, w) uint8, of the frame.
        before: (h, w) uint8, labels of the frame before.
        changed: (h, w) bool, the pixels that must be painted.
        valid: (h, w) bool, the pixels that may be painted, as their labels are right; None for all.
    """

    box: Box
    labels: np.ndarray
    before: np.ndarray
    changed: np.ndarray
    valid: np.ndarray | None = None

    def blocks(self, side: int) -> tuple[Blocks, np.ndarray]:
        """Return the blocks of the box, and which of them change (rows, columns) bool."""
        height, width = self.labels.shape
        blocks = Blocks(width, height, side)
        return blocks, blocks.with_any(self.changed)

    def pixels(self, side: int) -> np.ndarray:
        """Return the pixels of the blocks that change, in the order in which they are stored.

        They are indices into ``labels``.
        """
        blocks, changed = self.blocks(side)
        return blocks.pixels(np.flatnonzero(changed))

    def fits(self, side: int) -> bool:
        """Tell whether blocks of this side can be painted."""
        return self.valid is None or bool(self.valid.reshape(-1)[self.pixels(side)].all())

    def map_of(self, side: int, size: tuple[int, int]) -> np.ndarray | None:
        """Return the map of a canvas of (width, height), None if no block changes."""
        _, changed = self.blocks(side)
        if not changed.any():
            return None
        canvas = Blocks(*size, side)
        whole = np.zeros((canvas.rows, canvas.columns), np.bool_)
        left, upper = self.box[0] // side, self.box[1] // side
        rows, columns = changed.shape
        whole[upper : upper + rows, left : left + columns] = changed
        return np.packbits(whole, bitorder="little")

    def without(self, painted: np.ndarray, labels: np.ndarray) -> "Delta":
        """Return what is left to change where shapes are painted.

        Arguments:
            painted: (h, w) bool. labels: (h, w) uint8, to be stored under them.
        """
        return replace(self, labels=labels, changed=self.changed & ~painted)


def delta_of(
    labels: np.ndarray, before: np.ndarray, changed: np.ndarray, valid: np.ndarray | None = None
) -> Delta:
    """Return what changes between the labels of two frames, both (H, W) uint8.

    Arguments:
        changed, valid: (H, W) bool, see Delta.
    """
    height, width = labels.shape
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    if not len(rows):
        box = (0, 0, 0, 0)
    else:
        left, upper = (int(at[0]) // _ALIGNED * _ALIGNED for at in (columns, rows))
        right, lower = (-(-(int(at[-1]) + 1) // _ALIGNED) * _ALIGNED for at in (columns, rows))
        box = (left, upper, min(right, width), min(lower, height))
    part = slice(box[1], box[3]), slice(box[0], box[2])
    return Delta(
        box,
        labels[part].copy(),
        before[part].copy(),
        changed[part].copy(),
        None if valid is None else valid[part].copy(),
    )
