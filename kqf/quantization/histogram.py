"""The distinct colours of an image and how often each occurs."""

from dataclasses import dataclass

import numpy as np

from kqf.quantization.colorspace import TRANSPARENT, snap, translucency
from kqf.threads import run

# Pixels looked up at a time.
_BAND = 2**18
# Of the points to learn from, so many sixteenths at most are cells of colour.
_CELLS_OF_16 = 14


@dataclass(frozen=True)
class Histogram:
    """Distinct colours in ascending order of their packed value.

    Attributes:
        colors: (N, C) uint8.
        counts: (N,) int64.
        index: (H, W) int32, the row of each pixel's colour; None if counting did not find it.
        in_cells: whether each colour stands for a cell of colours, from cells_of.
    """

    colors: np.ndarray
    counts: np.ndarray
    index: np.ndarray | None = None
    in_cells: bool = False


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


class PackedPixels:
    """Pixels as ``pack`` returns them, packed where they are asked for, to save their memory.

    Arguments:
        pixels: (H, W, C) uint8.
        merges_hidden: whether all colours of alpha 0 are one.
    """

    def __init__(self, pixels: np.ndarray, merges_hidden: bool = False) -> None:
        self.pixels = pixels
        self._merges_hidden = merges_hidden
        self.shape = pixels.shape[:2]
        self.size = pixels.shape[0] * pixels.shape[1]

    def __getitem__(self, box: slice | tuple[slice, slice]) -> np.ndarray:
        keys = pack(self.pixels[box])
        return without_hidden_keys(keys) if self._merges_hidden else keys

    def take(self, positions: np.ndarray) -> np.ndarray:
        """Return the packed pixels at some positions (N,), counted row by row."""
        rows, columns = np.divmod(positions, self.shape[1])
        keys = pack(self.pixels[rows, columns][None])[0]
        return without_hidden_keys(keys) if self._merges_hidden else keys


def without_hidden_keys(keys: np.ndarray) -> np.ndarray:
    """Return packed pixels of two or four channels with those of alpha 0 replaced by 0."""
    return np.where(keys & 0xFF, keys, np.uint32(0))


def are_among(colors: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return which of colors (N, C) stand among others (M, C) as well, (N,) bool."""
    return np.isin(pack(colors[None])[0], pack(others[None])[0])


def unpack(keys: np.ndarray, channels: int) -> np.ndarray:
    """Return colours (N, C) uint8 of packed values (N,), the inverse of pack."""
    octets = np.ascontiguousarray(keys, dtype=">u4").view(np.uint8).reshape(-1, 4)
    return np.ascontiguousarray(octets[:, 4 - channels :])


def cells_of(keys: np.ndarray, channels: int) -> np.ndarray:
    """Return the cell of each packed colour, uint32: what lies in one cell looks about the same.

    Opaque colours share the upper 7 bits of each channel, translucent ones 5; all wholly
    transparent ones are in cell 0.

    Arguments:
        keys: uint32 of any shape.
    """
    if channels not in (2, 4):
        return keys & np.uint32(0xFEFEFE)
    opaque, transparent = (keys & 0xFF) == 0xFF, (keys & 0xFF) == 0
    # The last bit of translucent cells tells them from the others, whose alpha is 0 or 255.
    cells = (keys & np.uint32(0xF8F8F8F8)) | np.uint32(1)
    np.bitwise_and(keys, np.uint32(0xFEFEFEFF), out=cells, where=opaque)
    cells[transparent] = 0
    return cells


def count_distinct(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct values among packed pixels, ascending, and the count of each, int64."""
    return _runs(np.sort(keys, None))


def _runs(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each of some sorted values once, and its count."""
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    return keys[starts], np.diff(starts, append=len(keys))


def count(keys: np.ndarray, channels: int) -> Histogram:
    """Count the distinct colours among packed pixels (H, W), and find the row of each pixel.

    It takes many bytes a pixel: ``color_counts`` counts those of large images.
    """
    if channels < 3:
        table = np.bincount(keys.ravel(), minlength=1)
        values = np.flatnonzero(table)
        return Histogram(unpack(values, channels), table[values])
    positions = keys.ravel().astype(np.uint64) << np.uint64(32)
    positions |= np.arange(keys.size, dtype=np.uint64)
    positions.sort()
    values, counts = _runs((positions >> np.uint64(32)).astype(np.uint32))
    positions &= np.uint64(0xFFFFFFFF)
    rows = np.arange(len(counts), dtype=np.int32)
    index = np.empty(keys.size, np.int32)
    index[positions.view(np.int64)] = np.repeat(rows, counts)
    return Histogram(unpack(values, channels), counts, index.reshape(keys.shape))


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


class Lookup:
    """Values of packed pixels, looked up by their colour.

    Arguments:
        histogram: counted from all pixels that are looked up.
        values: (N,) one for each colour of the histogram.
    """

    def __init__(self, histogram: Histogram, values: np.ndarray) -> None:
        self._channels = histogram.colors.shape[1]
        self._in_cells = histogram.in_cells
        known = self._cells(pack(histogram.colors[None])[0])
        self._known: np.ndarray | None = None
        if self._channels < 4:
            self._values = np.zeros(1 << (8 * self._channels), values.dtype)
            self._values[known] = values
        else:
            # A table of all colours would be too large.
            order = np.argsort(known)
            self._known, self._values = known[order], values[order]

    def _cells(self, keys: np.ndarray) -> np.ndarray:
        return cells_of(keys, self._channels) if self._in_cells else keys

    def of(self, keys: np.ndarray) -> np.ndarray:
        """Return the value of each packed pixel, an array of any shape."""
        keys = self._cells(keys)
        rows = keys if self._known is None else np.searchsorted(self._known, keys)
        return self._values.take(rows, mode="clip")


class Rows:
    """The row of each pixel's colour in a histogram, looked up where it is asked for.

    Arguments:
        keys: (H, W) uint32, or pixels to pack, those that the histogram was counted from.
    """

    def __init__(self, keys: np.ndarray | PackedPixels, histogram: Histogram) -> None:
        self._keys = keys
        self._rows = Lookup(histogram, np.arange(len(histogram.colors), dtype=np.int32))
        self.shape, self.size = keys.shape, keys.size

    def __getitem__(self, box: slice | tuple[slice, slice]) -> np.ndarray:
        return self._rows.of(self._keys[box])

    def take(self, positions: np.ndarray) -> np.ndarray:
        """Return the rows at some positions (N,), counted row by row."""
        return self._rows.of(self._keys.take(positions))


def spread(
    keys: np.ndarray | PackedPixels, histogram: Histogram, values: np.ndarray, threads: int = 1
) -> np.ndarray:
    """Return for each packed pixel the value of its colour.

    Arguments:
        keys: (H, W) uint32, or pixels to pack, those that the histogram was counted from.
        values: (N,) one for each colour of the histogram.
    """
    if histogram.index is not None:
        return values.take(histogram.index)
    lookup = Lookup(histogram, values)
    result = np.empty(keys.shape, values.dtype)
    bands = bands_of(keys.shape)

    def look_up(rows: slice) -> None:
        result[rows] = lookup.of(keys[rows])

    run(look_up, bands, min(threads, len(bands)))
    return result


def bands_of(shape: tuple[int, ...], pixels: int = _BAND) -> list[slice]:
    """Return slices of the rows of an image (height, width), of about so many pixels each."""
    height, width = shape[:2]
    step = max(pixels // width, 1)
    return [slice(first, min(first + step, height)) for first in range(0, height, step)]


def cells(
    points: np.ndarray, weights: np.ndarray, colors: np.ndarray, limit: int
) -> tuple[np.ndarray, np.ndarray]:
    """Average points in cells of colour, so that at most ``limit`` of them are left.

    Colours of one cell share some upper bits of every channel: at most 6 each, 5 with 4 channels.
    Where averages would hide the most error, as in skies and other large areas of nearly one
    colour, points stay as they are.

    Arguments:
        points: (N, D) of distinct colours; weights: (N,) float64; colors: (N, C) uint8.

    Returns:
        points (M, D) float32 on the grid and weights (M,) float64, first those of cells; all
        points as they are where N is at most ``limit``.
    """
    if len(points) <= limit:
        return points, weights
    rows = _cell_rows(colors, -(-limit * _CELLS_OF_16 // 16))
    # Sums over grid points are exact, in whatever order they are added.
    mass = np.bincount(rows, weights)
    sums = np.stack([np.bincount(rows, weights * axis) for axis in points.T], axis=1)
    squares = np.bincount(rows, weights * (points.astype(np.float64) ** 2).sum(axis=1))
    hidden, sizes = squares - (sums * sums).sum(axis=1) / mass, np.bincount(rows)
    # Those that hide the most for the points that they take.
    by_worth = np.argsort(-hidden / sizes, kind="stable")
    opened = by_worth[np.cumsum(sizes[by_worth] - 1) <= limit - len(mass)]
    closed = np.ones(len(mass), bool)
    closed[opened] = False
    alone = ~closed[rows]
    means = snap(sums[closed] / mass[closed, None])
    return np.concatenate([means, points[alone]]), np.append(mass[closed], weights[alone])


def _cell_rows(colors: np.ndarray, limit: int) -> np.ndarray:
    """Return which of at most ``limit`` cells each colour is in, the finest there are, (N,)."""
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
    return np.searchsorted(occupied, _cell_of(colors, bits))


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
