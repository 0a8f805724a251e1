"""Colour counts of any number of pixels in bounded memory."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kqf.quantization.colorspace import TRANSPARENT, translucency
from kqf.quantization.histogram import Histogram, add_up, pack, unpack

# Distinct colours that are counted one by one; where there are more, cells of them.
MAX_DISTINCT = 2**22


@dataclass(frozen=True)
class ColorCounts:
    """Counts of colours, or of cells of colours where there are too many.

    Merging the counts of parts gives the counts of the whole, whatever the parts and their order.

    Attributes:
        channels: of the colours, C.
        keys: (N,) uint32, ascending: colours as ``histogram.pack`` has them, or cells.
        counts: (N,) int64, pixels of each.
        sums: (N, C) int64, sums of the pixels' samples; None where keys are colours.
    """

    channels: int
    keys: np.ndarray
    counts: np.ndarray
    sums: np.ndarray | None = None

    @classmethod
    def of(cls, histogram: Histogram) -> "ColorCounts":
        channels = histogram.colors.shape[1]
        return _bounded(cls(channels, pack(histogram.colors[None])[0], histogram.counts))

    def histogram(self) -> Histogram:
        """Return the colours and their counts; of cells, their means."""
        if self.sums is None:
            return Histogram(unpack(self.keys, self.channels), self.counts)
        means = np.rint(self.sums / self.counts[:, None]).astype(np.uint8)
        means = _add_up(ColorCounts(self.channels, pack(means[None])[0], self.counts))
        return Histogram(unpack(means.keys, self.channels), means.counts)


def merge(parts: Sequence[ColorCounts]) -> ColorCounts:
    """Return the counts of several parts added up."""
    if any(part.sums is not None for part in parts):
        parts = [_in_cells(part) for part in parts]
    sums = [part.sums for part in parts if part.sums is not None]
    merged = ColorCounts(
        parts[0].channels,
        np.concatenate([part.keys for part in parts]),
        np.concatenate([part.counts for part in parts]),
        np.concatenate(sums) if sums else None,
    )
    return _bounded(_add_up(merged))


def _bounded(part: ColorCounts) -> ColorCounts:
    return _in_cells(part) if len(part.keys) > MAX_DISTINCT else part


def _in_cells(part: ColorCounts) -> ColorCounts:
    """Return counts of cells: colours that share their upper bits and kind of alpha."""
    if part.sums is not None:
        return part
    colors = unpack(part.keys, part.channels)
    kinds = translucency(colors)
    # All colours that alpha 0 hides are one.
    colors[kinds == TRANSPARENT] = 0
    bits = 5 if part.channels == 4 else 7
    cells = kinds.astype(np.uint32)
    for channel in colors.T:
        cells = (cells << np.uint32(bits)) | (channel >> np.uint8(8 - bits))
    return _add_up(ColorCounts(part.channels, cells, part.counts, colors * part.counts[:, None]))


def _add_up(part: ColorCounts) -> ColorCounts:
    """Return counts with ascending, distinct keys from counts with any keys."""
    if part.sums is None:
        keys, (counts,) = add_up(part.keys, part.counts)
        return ColorCounts(part.channels, keys, counts)
    keys, (counts, *sums) = add_up(part.keys, part.counts, *part.sums.T)
    return ColorCounts(part.channels, keys, counts, np.stack(sums, axis=1))
