"""For how long the blocks of a frame stand still, and what they look like meanwhile."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from kqf.encoding.animation.blocks import AREA, LUMA_STEPS, BlockGrid, lumas

# Frames that are looked at beside the one that is labelled.
_AHEAD = 7
# Differences are noise up to so many times those of the stillest tenth of the blocks that are not
# the same, but not beyond a limit.
_NOISE, _STILLEST, _MOST_NOISE = 3.0, 0.1, 64.0
# Two frames on, noise differs no more than after one; motion does.
_GROWTH = 1.3
# Labels are found again for a block that stands still for more than so many times as long.
_LONGER = 2


@dataclass(frozen=True)
class Frame:
    """The blocks of a frame.

    Attributes:
        blocks: (N, 16, C) uint8.
        luma: (N, 16) int16, from ``blocks.lumas``.
        same: (N,) bool, which blocks equal those of the frame before.
    """

    blocks: np.ndarray
    luma: np.ndarray
    same: np.ndarray


def windows(frames: Iterable[np.ndarray]) -> Iterator[tuple[BlockGrid, list[Frame]]]:
    """Yield each frame (H, W, C) uint8 with a few of those that follow it."""
    window: deque[Frame] = deque()
    last = None
    grid = BlockGrid(0, 0)
    for pixels in frames:
        if last is None:
            grid = BlockGrid(*pixels.shape[:2])
        blocks = grid.cut(pixels)
        same = np.zeros(len(blocks), np.bool_) if last is None else (blocks == last).all((1, 2))
        last = blocks
        window.append(Frame(blocks, lumas(blocks), same))
        if len(window) > _AHEAD:
            yield grid, list(window)
            window.popleft()
    while window:
        yield grid, list(window)
        window.popleft()


@dataclass(frozen=True)
class Aims:
    """What blocks are to show until they move.

    Attributes:
        blocks: (n, 16, C) uint8, the mean of their frames.
        luma: (n, 16) int16, from ``blocks.lumas``.
        frames: (n,) int32, for how many frames they stand still.
        limits: (n,) float64, the mean squared difference of gray that is no motion.
    """

    blocks: np.ndarray
    luma: np.ndarray
    frames: np.ndarray
    limits: np.ndarray

    def of(self, rows: np.ndarray) -> "Aims":
        """Return a copy of some of them."""
        return Aims(self.blocks[rows], self.luma[rows], self.frames[rows], self.limits[rows])

    def put(self, rows: np.ndarray, others: "Aims") -> None:
        """Replace some of them."""
        self.blocks[rows], self.luma[rows] = others.blocks, others.luma
        self.frames[rows], self.limits[rows] = others.frames, others.limits

    def differ_from(self, others: "Aims") -> np.ndarray:
        """Return which are not about the same as others, or stand still for much longer, (n,) bool.

        The more frames a mean is of, the less noise is left in it.
        """
        differ: np.ndarray = _distances(self.luma, others.luma) > self.limits / self.frames
        differ |= self.frames > _LONGER * others.frames
        return differ


def noise_of(window: list[Frame], active: np.ndarray) -> float:
    """Return the mean squared difference of gray up to which blocks differ by noise alone.

    Noise is alike everywhere, and does not grow with time as the differences by motion do.

    Arguments:
        window: at least three frames. active: (n,) numbers of blocks, at least one.
    """
    once, twice = (
        float(np.quantile(_distances(later.luma[active], window[0].luma[active]), _STILLEST))
        for later in window[1:3]
    )
    return min(_NOISE * once, _MOST_NOISE) if twice <= _GROWTH * once else 0.0


def aims_of(window: list[Frame], active: np.ndarray, limit: float) -> Aims:
    """Return what blocks of the first frame of a window are to show.

    Arguments:
        active: (n,) numbers of blocks.
        limit: mean squared difference of gray that is no motion.
    """
    means = window[0].blocks[active]
    luma = window[0].luma[active]
    frames = np.ones(len(active), np.int32)
    sums = means.astype(np.uint16)
    rows = np.arange(len(active))
    for later in window[1:]:
        rows = rows[_distances(later.luma[active[rows]], luma[rows]) <= limit]
        if not len(rows):
            break
        sums[rows] += later.blocks[active[rows]]
        frames[rows] += 1
    several = np.flatnonzero(frames > 1)
    divisors = frames[several].astype(np.uint16)[:, None, None]
    means[several] = (sums[several] + divisors // 2) // divisors
    luma[several] = lumas(means[several])
    return Aims(means, luma, frames, np.full(len(active), limit))


def changing_aims(
    frames: Iterable[np.ndarray], unseen: float
) -> Iterator[tuple[BlockGrid, Frame, np.ndarray, Aims]]:
    """Yield each frame (H, W, C) uint8, and what those of its blocks are to show that change.

    The numbers (n,) of these blocks come before their aims; in the first frame they are all.

    Arguments:
        unseen: mean squared difference of gray that is no motion.
    """
    decided, noise = None, 0.0
    for grid, window in windows(frames):
        active = np.flatnonzero(~window[0].same)
        if len(active) and len(window) > 2:
            noise = noise_of(window, active)
        aims = aims_of(window, active, max(noise, unseen))
        if decided is None:
            decided = aims.of(np.arange(len(active)))
        else:
            news = np.flatnonzero(aims.differ_from(decided.of(active)))
            active, aims = active[news], aims.of(news)
            decided.put(active, aims)
        yield grid, window[0], active, aims


def without_noise(frames: Iterable[np.ndarray], unseen: float) -> Iterator[np.ndarray]:
    """Yield frames (H, W, C) uint8 in which blocks that stand still are the same.

    Arguments:
        unseen: mean squared difference of gray that is no motion.
    """
    blocks = None
    for grid, _, active, aims in changing_aims(frames, unseen):
        if blocks is None:
            blocks = aims.blocks.copy()
        blocks[active] = aims.blocks
        yield np.stack([grid.join(blocks[..., axis]) for axis in range(blocks.shape[2])], axis=2)


def _distances(luma: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the mean squared difference of blocks of luma (n, 16) int16, in gray steps, (n,)."""
    offsets = luma.astype(np.int32) - other
    distances: np.ndarray = np.einsum("ij,ij->i", offsets, offsets) / (AREA * LUMA_STEPS**2)
    return distances
