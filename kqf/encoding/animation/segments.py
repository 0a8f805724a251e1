"""Frames that look alike, one after another, and a sample of their colours."""

from collections.abc import Iterable, Iterator

import numpy as np

from kqf.encoding.animation.blocks import AREA, BlockGrid, deviations, flat, lumas
from kqf.quantization.histogram import Histogram, add_up, pack, unpack
from kqf.quantization.visibility import weights_of

# Blocks of each frame whose pixels are a sample of it, at most.
_SAMPLED_BLOCKS = 2**10
# Pixels that are kept of all frames, at most.
_SAMPLED_PIXELS = 2**19
# Upper bits of each channel that colours are compared by from frame to frame.
_COARSE_BITS = {1: 5, 2: 5, 3: 3, 4: 3}
# Share of pixels that must be of other coarse colours for another segment to begin: than those of
# the frame before, or of the segment so far.
_CUT, _DRIFT = 0.4, 0.5
# A segment that drifts has at least so many frames.
_LEAST_FRAMES = 8
# A pixel's weight is so many whole parts.
_WEIGHT_PARTS = 16


class Segment:
    """Frames in a row, of which a sample of pixels is kept.

    Arguments:
        channels: C of the frames.

    Attributes:
        frames: their number.
        coarse: (cells,) float64, shares of coarse colours, summed over the frames.
    """

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self.frames = 0
        self.coarse: np.ndarray = np.zeros(1 << _COARSE_BITS[channels] * channels)
        # One in so many of the sampled pixels is kept.
        self._stride = 1
        self._keys: list[np.ndarray] = []
        self._weights: list[np.ndarray] = []

    @classmethod
    def of(cls, blocks: np.ndarray, *, weighted: bool) -> "Segment":
        """Return a frame, given as some of its blocks (N, 16, C) uint8."""
        segment = cls(blocks.shape[2])
        pixels = flat(blocks)
        weights = np.full(len(pixels), _WEIGHT_PARTS, np.uint8)
        if weighted:
            parts = _WEIGHT_PARTS * weights_of(deviations(lumas(blocks)))
            weights = parts.astype(np.uint8).repeat(AREA)
        segment.frames = 1
        segment.coarse = _coarse(pixels)
        segment._keys, segment._weights = [pack(pixels[None])[0]], [weights]
        return segment

    def add(self, other: "Segment") -> None:
        """Take in the frames of another."""
        self.frames += other.frames
        self.coarse = self.coarse + other.coarse
        self._thin(other._stride)
        step = self._stride // other._stride
        self._keys += [keys[::step] for keys in other._keys]
        self._weights += [weights[::step] for weights in other._weights]
        while sum(map(len, self._keys)) > max(_SAMPLED_PIXELS, len(self._keys)):
            self._thin(2 * self._stride)

    def joined(self, other: "Segment") -> "Segment":
        """Return the frames of both."""
        both = Segment(self._channels)
        both.add(self)
        both.add(other)
        return both

    def histogram(self) -> Histogram:
        """Return the sampled colours, and what their pixels count."""
        keys, (counts,) = add_up(np.concatenate(self._keys), np.concatenate(self._weights))
        return Histogram(unpack(keys, self._channels), counts)

    def _thin(self, stride: int) -> None:
        """Keep one in ``stride`` of the sampled pixels, if more are kept."""
        step = stride // self._stride
        if step > 1:
            self._keys = [keys[::step].copy() for keys in self._keys]
            self._weights = [weights[::step].copy() for weights in self._weights]
            self._stride = stride


def frame_segments(frames: Iterable[np.ndarray], *, weighted: bool) -> Iterator[Segment]:
    """Yield each frame (H, W, C) uint8 as a segment of its own.

    Arguments:
        weighted: whether pixels of calm areas count more.
    """
    for pixels in frames:
        grid = BlockGrid(*pixels.shape[:2])
        step = -(-grid.rows * grid.columns // _SAMPLED_BLOCKS)
        yield Segment.of(grid.cut(pixels)[::step], weighted=weighted)


def similar_segments(frames: Iterable[Segment]) -> Iterator[Segment]:
    """Yield segments of single frames joined until a cut, or until colours have become others."""
    segment = last = None
    for frame in frames:
        if segment is None or last is None:
            segment = frame.joined(Segment(frame._channels))
        else:
            drifted = segment.frames >= _LEAST_FRAMES and _differ(frame, segment) > _DRIFT
            if drifted or _differ(frame, last) > _CUT:
                yield segment
                segment = Segment(frame._channels)
            segment.add(frame)
        last = frame
    if segment is not None:
        yield segment


def _differ(one: Segment, other: Segment) -> float:
    """Return the share of pixels whose coarse colours are others, 0 to 1."""
    offsets = one.coarse / one.frames - other.coarse / other.frames
    return float(np.abs(offsets).sum()) / 2


def _coarse(pixels: np.ndarray) -> np.ndarray:
    """Return the share of each coarse colour among pixels (N, C)."""
    channels = pixels.shape[1]
    bits = _COARSE_BITS[channels]
    cells = np.zeros(len(pixels), np.intp)
    for channel in range(channels):
        cells = cells << bits | pixels[:, channel] >> (8 - bits)
    return np.bincount(cells, minlength=1 << bits * channels) / len(pixels)
