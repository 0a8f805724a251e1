"""Colour counts of any number of pixels in bounded memory."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from kqf.quantization.histogram import (
    Histogram,
    add_up,
    bands_of,
    cells_of,
    count_distinct,
    pack,
    unpack,
)
from kqf.threads import each

# Distinct colours that are counted one by one; where there are more, cells of them.
MAX_DISTINCT = 2**20
# Cells of opaque colours that there can be, and that are many.
_ALL_CELLS, _MANY_CELLS = 2**21, 2**18
# Pixels that are counted at a time.
_BAND = 2**20


@dataclass(frozen=True)
class ColorCounts:
    """Counts of colours, or of cells of colours where there are too many.

    Merging the counts of parts gives the counts of the whole, whatever the parts and their order.

    Attributes:
        channels: of the colours, C.
        keys: (N,) uint32, ascending: colours as ``histogram.pack`` has them, or cells.
        counts: (N,) whole numbers of any size, pixels of each.
        sums: (N, C) int64, sums of the pixels' samples; None where keys are colours.
    """

    channels: int
    keys: np.ndarray
    counts: np.ndarray
    sums: np.ndarray | None = None

    @classmethod
    def of(cls, pixels: np.ndarray, threads: int = 1) -> "ColorCounts":
        """Count the colours of pixels (H, W, C) uint8, band by band."""
        channels = pixels.shape[2]

        def of_band(rows: slice) -> ColorCounts:
            return _bounded(cls(channels, *count_distinct(pack(pixels[rows]))))

        return merge(each(of_band, bands_of(pixels.shape, _BAND), threads))

    @classmethod
    def of_histogram(cls, histogram: Histogram) -> "ColorCounts":
        """Count what a histogram has counted."""
        channels = histogram.colors.shape[1]
        return _bounded(cls(channels, pack(histogram.colors[None])[0], histogram.counts))

    def compact(self) -> "ColorCounts":
        """Return the same in less memory, to be kept or sent until it is merged."""
        if self.sums is not None:
            return self
        return replace(self, counts=self.counts.astype(np.min_scalar_type(self.counts.max())))

    def histogram(self) -> Histogram:
        """Return the colours and their counts; of cells, their means."""
        if self.sums is None:
            return Histogram(unpack(self.keys, self.channels), self.counts.astype(np.int64))
        # The mean of a cell lies in it, so that means of different cells differ. A colour that
        # opaque cells are mostly of is their mean, as they are two values wide.
        means = np.rint(self.sums / self.counts[:, None]).astype(np.uint8)
        keys = pack(means[None])[0]
        order = np.argsort(keys)
        return Histogram(means[order], self.counts[order], in_cells=True)


def merge(parts: Iterable[ColorCounts]) -> ColorCounts:
    """Return the counts of several parts, at least one, added up."""
    parts = iter(parts)
    first = next(parts)
    total = None
    for part in parts:
        total = _bounded(_sum(first, part)) if total is None else _added(_with_room(total), part)
    return first if total is None else _without_room(total)


def _added(total: ColorCounts, part: ColorCounts) -> ColorCounts:
    """Add the counts of a part to others, in place if these have all of its cells."""
    if total.sums is not None:
        part = _in_cells(part)
        assert part.sums is not None
        rows = np.searchsorted(total.keys, part.keys)
        if rows[-1] < len(total.keys) and np.array_equal(total.keys[rows], part.keys):
            total.counts[rows] += part.counts
            total.sums[rows] += part.sums
            return total
    return _bounded(_sum(total, part))


def _with_room(total: ColorCounts) -> ColorCounts:
    """Return counts with a row for each cell that there can be, if many of them are there.

    To these any part is added in place, and no larger arrays are made again and again.
    """
    if total.sums is None or total.channels != 3 or not _MANY_CELLS < len(total.keys) < _ALL_CELLS:
        return total
    of_channel = np.arange(0, 256, 2, dtype=np.uint32)
    red, green, blue = np.ix_(of_channel << 16, of_channel << 8, of_channel)
    keys = (red | green | blue).ravel()
    counts, sums = np.zeros(len(keys), np.int64), np.zeros((len(keys), 3), np.int64)
    rows = np.searchsorted(keys, total.keys)
    counts[rows], sums[rows] = total.counts, total.sums
    return ColorCounts(3, keys, counts, sums)


def _without_room(total: ColorCounts) -> ColorCounts:
    """Return counts without the rows of colours or cells that are not there."""
    there = total.counts > 0
    if there.all():
        return total
    sums = None if total.sums is None else total.sums[there]
    return ColorCounts(total.channels, total.keys[there], total.counts[there], sums)


def _sum(one: ColorCounts, other: ColorCounts) -> ColorCounts:
    """Return the counts of two parts added up."""
    if one.sums is not None or other.sums is not None:
        one, other = _in_cells(one), _in_cells(other)
    keys, _ = count_distinct(np.concatenate([one.keys, other.keys]))
    counts = np.zeros(len(keys), np.int64)
    sums = None if one.sums is None else np.zeros((len(keys), one.channels), np.int64)
    for part in (one, other):
        rows = np.searchsorted(keys, part.keys)
        counts[rows] += part.counts
        if sums is not None and part.sums is not None:
            sums[rows] += part.sums
    return ColorCounts(one.channels, keys, counts, sums)


def _bounded(part: ColorCounts) -> ColorCounts:
    return _in_cells(part) if len(part.keys) > MAX_DISTINCT else part


def _in_cells(part: ColorCounts) -> ColorCounts:
    """Return counts of cells of colours."""
    if part.sums is not None:
        return part
    channels = part.channels
    colors = unpack(part.keys, channels)
    if channels in (2, 4):
        # All colours that alpha 0 hides are one.
        colors[colors[:, -1] == 0] = 0
    sums = (channel * part.counts.astype(np.int64) for channel in colors.T)
    keys, (counts, *added) = add_up(cells_of(part.keys, channels), part.counts, *sums)
    return ColorCounts(channels, keys, counts, np.stack(added, axis=1))
