"""The distinct colours of an image and how often each occurs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kqf.quantization.colorspace import TRANSPARENT, snap, translucency
from kqf.threads import each

# For at least so many pixels, a table of all 2**24 colours is faster than sorting positions along.
_TABLE_PIXELS = 2**21
# With more distinct colours, all pixels count the same: such an image has hardly any calm areas.
_WEIGHTED_COLORS = 2**21
# Pixels looked up at a time.
_BAND = 2**18


@dataclass(frozen=True)
class Histogram:
    """Distinct colours in ascending order of their packed value.

    Attributes:
        colors: (N, C) uint8.
        counts: (N,) int64.
        index: (H, W) int32, the row of each pixel's colour; None if counting did not find it.
    """

    colors: np.ndarray
    counts: np.ndarray
    index: np.ndarray | None = None

    @property
    def can_be_weighted(self) -> bool:
        """Whether each colour may be told apart by weight as well, in bounded memory."""
        return len(self.colors) <= _WEIGHTED_COLORS


def pack(pixels: np.ndarray) -> np.ndarray:
    """Return each pixel as one uint32, last channel lowest, (H, W), from (H, W, C) uint8."""
    height, width, channels = pixels.shape
    pixels = np.ascontiguousarray(pixels)
    if not pixels.size:
        return np.empty((height, width), np.uint32)
    if channels != 3:
        return pixels.view(f">u{channels}")[..., 0].astype(np.uint32)
    # Read four bytes at every third one: the last belongs to the next pixel and is shifted out, in
    # one pass over the pixels instead of three. The last pixel has no byte after it.
    keys = np.empty(height * width, np.uint32)
    keys[:-1] = np.ndarray((height * width - 1,), ">u4", pixels, strides=(3,))
    keys[:-1] >>= 8
    keys[-1] = int.from_bytes(pixels[-1, -1].tobytes(), "big")
    return keys.reshape(height, width)


def are_among(colors: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return which of colors (N, C) stand among others (M, C) as well, (N,) bool."""
    return np.isin(pack(colors[None])[0], pack(others[None])[0])


def unpack(keys: np.ndarray, channels: int) -> np.ndarray:
    """Return colours (N, C) uint8 of packed values (N,), the inverse of pack."""
    octets = np.ascontiguousarray(keys, dtype=">u4").view(np.uint8).reshape(-1, 4)
    return np.ascontiguousarray(octets[:, 4 - channels :])


def count(keys: np.ndarray, channels: int, threads: int = 1) -> Histogram:
    """Count the distinct colours among packed pixels (H, W)."""
    if channels < 3:
        table = np.bincount(keys.ravel(), minlength=1)
        values = np.flatnonzero(table)
        return Histogram(unpack(values, channels), table[values])
    if channels == 3 and keys.size >= _TABLE_PIXELS:
        # Sorting positions along with the colours costs more than looking them up in spread().
        height = -(-len(keys) // threads)
        bands = [keys[row : row + height] for row in range(0, len(keys), height)]
        return merge(list(each(lambda band: _count_sorted(np.sort(band, None), 3), bands, threads)))
    positions = keys.ravel().astype(np.uint64) << np.uint64(32)
    positions |= np.arange(keys.size, dtype=np.uint64)
    positions.sort()
    histogram = _count_sorted((positions >> np.uint64(32)).astype(np.uint32), channels)
    positions &= np.uint64(0xFFFFFFFF)
    rows = np.arange(len(histogram.counts), dtype=np.int32)
    index = np.empty(keys.size, np.int32)
    index[positions.view(np.int64)] = np.repeat(rows, histogram.counts)
    return replace(histogram, index=index.reshape(keys.shape))


def _count_sorted(keys: np.ndarray, channels: int) -> Histogram:
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    return Histogram(unpack(keys[starts], channels), np.diff(starts, append=len(keys)))


def merge(parts: Sequence[Histogram]) -> Histogram:
    """Return the histogram of several parts added up, without index."""
    if len(parts) == 1:
        return parts[0]
    keys, (counts,) = add_up(
        np.concatenate([pack(part.colors[None])[0] for part in parts]),
        np.concatenate([part.counts for part in parts]),
    )
    return Histogram(unpack(keys, parts[0].colors.shape[1]), counts)


def without_hidden(histogram: Histogram) -> Histogram:
    """Return the histogram with all colours of alpha 0 replaced by one, without index."""
    colors = histogram.colors.copy()
    colors[translucency(colors) == TRANSPARENT] = 0
    keys, (counts,) = add_up(pack(colors[None])[0], histogram.counts)
    return Histogram(unpack(keys, colors.shape[1]), counts)


def add_up(keys: np.ndarray, *values: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return each key once, ascending, and for each the sum of all its values, int64.

    Arguments:
        keys: (N,). values: (N,) whole numbers, with sums below 2**53.
    """
    distinct, rows = np.unique(keys, return_inverse=True)
    sums = (np.bincount(rows, each, len(distinct)) for each in values)
    return distinct, [each.astype(np.int64) for each in sums]


def spread(
    keys: np.ndarray, histogram: Histogram, values: np.ndarray, threads: int = 1
) -> np.ndarray:
    """Return for each packed pixel the value of its colour.

    Arguments:
        keys: (H, W) uint32, those that the histogram was counted from.
        values: (N,) one for each colour of the histogram.
    """
    if histogram.index is not None:
        return values.take(histogram.index)
    table = np.zeros(1 << (8 * histogram.colors.shape[1]), values.dtype)
    table[pack(histogram.colors[None])[0]] = values
    result = np.empty(keys.shape, values.dtype)
    # A band at a time: numpy makes an index of eight bytes of every key.
    step = max(_BAND // keys.shape[1], 1)
    bands = [slice(first, first + step) for first in range(0, len(keys), step)]

    def look_up(rows: slice) -> None:
        np.take(table, keys[rows], out=result[rows], mode="clip")

    for _ in each(look_up, bands, min(threads, len(bands))):
        pass
    return result


def cells(
    points: np.ndarray, weights: np.ndarray, colors: np.ndarray, limit: int
) -> tuple[np.ndarray, np.ndarray]:
    """Average points in the finest cells of colour that leave at most ``limit`` of them.

    Colours of one cell share some upper bits of every channel: at most 6 each, 5 with 4 channels.

    Arguments:
        points: (N, D) of distinct colours; weights: (N,) float64; colors: (N, C) uint8.

    Returns:
        weighted means (M, D) float32 on the grid and weights (M,) float64; all points as they
        are where N is at most ``limit``.
    """
    if len(points) <= limit:
        return points, weights
    channels = colors.shape[1]
    bits = np.full(channels, 5 if channels == 4 else 6, np.uint8)
    occupied = _distinct(_cell_of(colors, bits))
    while len(occupied) > limit and bits.max() > 1:
        # Cells grow to twice the size along the channel that was cut finest, blue before green.
        finest = max((c for c in (2, 0, 1, 3) if c < channels), key=lambda c: bits[c])
        lower = int(bits[finest + 1 :].sum())
        rest = occupied & ((1 << lower) - 1)
        occupied = _distinct((occupied >> (lower + 1) << lower) | rest)
        bits[finest] -= 1
    keys = _cell_of(colors, bits)
    # Sums over grid points are exact, in whatever order they are added.
    values = [weights, *(weights * axis for axis in points.T.astype(np.float64))]
    sums = [np.bincount(keys, value)[occupied] for value in values]
    return snap(np.stack(sums[1:], axis=1) / sums[0][:, None]), sums[0]


def _cell_of(colors: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Return the number of each colour's cell: so many upper bits of each channel, (N,) int64."""
    keys = np.zeros(len(colors), np.int64)
    for channel, count in enumerate(bits.tolist()):
        keys = (keys << count) | (colors[:, channel] >> (8 - count))
    return keys


def _distinct(keys: np.ndarray) -> np.ndarray:
    """Return small whole numbers, (N,), once each and ascending."""
    there = np.zeros(keys.max() + 1, bool)
    there[keys] = True
    return np.flatnonzero(there)
