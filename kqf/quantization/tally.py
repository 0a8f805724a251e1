"""Colour counts of any number of pixels in bounded memory."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kqf.quantization.colorspace import TRANSPARENT, translucency
from kqf.quantization.histogram import Histogram, add_up, pack, unpack

# Distinct colours that are counted one by one; where there are more, cells of them.
MAX_DISTINCT = 2**22


@dataclass(frozen=True)
class Tally:
    """Counts of colours, or of cells where there are too many colours.

    Tallies of parts merge to that of the whole, whatever the parts and their order.

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
    def of(cls, histogram: Histogram) -> "Tally":
        channels = histogram.colors.shape[1]
        return _bounded(cls(channels, pack(histogram.colors[None])[0], histogram.counts))

    def histogram(self) -> Histogram:
        """Return the colours and their counts; of cells, their means."""
        if self.sums is None:
            return Histogram(unpack(self.keys, self.channels), self.counts)
        means = np.rint(self.sums / self.counts[:, None]).astype(np.uint8)
        means = _add_up(Tally(self.channels, pack(means[None])[0], self.counts))
        return Histogram(unpack(means.keys, self.channels), means.counts)


def merge(tallies: Sequence[Tally]) -> Tally:
    """Return the tally of all pixels of some."""
    if any(tally.sums is not None for tally in tallies):
        tallies = [_in_cells(tally) for tally in tallies]
    sums = [tally.sums for tally in tallies if tally.sums is not None]
    together = Tally(
        tallies[0].channels,
        np.concatenate([tally.keys for tally in tallies]),
        np.concatenate([tally.counts for tally in tallies]),
        np.concatenate(sums) if sums else None,
    )
    return _bounded(_add_up(together))


def _bounded(tally: Tally) -> Tally:
    return _in_cells(tally) if len(tally.keys) > MAX_DISTINCT else tally


def _in_cells(tally: Tally) -> Tally:
    """Return the same by cells: colours that share their upper bits and kind of alpha."""
    if tally.sums is not None:
        return tally
    colors = unpack(tally.keys, tally.channels)
    kinds = translucency(colors)
    # What alpha 0 hides is one colour.
    colors[kinds == TRANSPARENT] = 0
    bits = 5 if tally.channels == 4 else 7
    cells = kinds.astype(np.uint32)
    for channel in colors.T:
        cells = (cells << np.uint32(bits)) | (channel >> np.uint8(8 - bits))
    return _add_up(Tally(tally.channels, cells, tally.counts, colors * tally.counts[:, None]))


def _add_up(tally: Tally) -> Tally:
    """Return a tally of ascending keys, each once, from one of any keys."""
    if tally.sums is None:
        keys, (counts,) = add_up(tally.keys, tally.counts)
        return Tally(tally.channels, keys, counts)
    keys, (counts, *sums) = add_up(tally.keys, tally.counts, *tally.sums.T)
    return Tally(tally.channels, keys, counts, np.stack(sums, axis=1))
