"""The distinct colours of an image and how often each occurs."""

from dataclasses import dataclass

import numpy as np

from kqf.colorspace import snap

# From so many pixels on, counting in a table of all 2**24 colours beats sorting.
_TABLE_PIXELS = 2**21
# Pixels looked up at a time.
_BAND = 2**18


@dataclass(frozen=True)
class Histogram:
    """Distinct colours in ascending order of their packed value.

    Attributes:
        colors: (N, C) uint8.
        counts: (N,) int64.
        index: (H, W) int32, the row of each pixel's colour, where counting told it.
    """

    colors: np.ndarray
    counts: np.ndarray
    index: np.ndarray | None = None


def pack(pixels: np.ndarray) -> np.ndarray:
    """Return each pixel as one uint32, last channel lowest, (H, W), from (H, W, C) uint8."""
    height, width, channels = pixels.shape
    pixels = np.ascontiguousarray(pixels)
    if not pixels.size:
        return np.empty((height, width), np.uint32)
    if channels != 3:
        return pixels.view(f">u{channels}")[..., 0].astype(np.uint32)
    # Four bytes from each third one on, of which the last belongs to the next pixel: one pass
    # over the pixels in place of three. Behind the last pixel there is no such byte.
    keys = np.empty(height * width, np.uint32)
    keys[:-1] = np.ndarray((height * width - 1,), ">u4", pixels, strides=(3,))
    keys[:-1] >>= 8
    keys[-1] = int.from_bytes(pixels[-1, -1].tobytes(), "big")
    return keys.reshape(height, width)


def unpack(keys: np.ndarray, channels: int) -> np.ndarray:
    """Return colours (N, C) uint8 of packed values (N,), the inverse of pack."""
    octets = np.ascontiguousarray(keys, dtype=">u4").view(np.uint8).reshape(-1, 4)
    return np.ascontiguousarray(octets[:, 4 - channels :])


def count(keys: np.ndarray, channels: int) -> Histogram:
    """Count the distinct colours among packed pixels (H, W)."""
    if channels < 3 or (channels == 3 and keys.size >= _TABLE_PIXELS):
        table = np.bincount(keys.ravel(), minlength=1)
        values = np.flatnonzero(table)
        return Histogram(unpack(values, channels), table[values])
    # Each pixel's place is sorted along with it, which tells where each colour is.
    places = keys.ravel().astype(np.uint64) << np.uint64(32)
    places |= np.arange(keys.size, dtype=np.uint64)
    places.sort()
    ordered = (places >> np.uint64(32)).astype(np.uint32)
    places &= np.uint64(0xFFFFFFFF)
    new = np.ones(keys.size, bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    starts = np.flatnonzero(new)
    index = np.empty(keys.size, np.int32)
    index[places.view(np.int64)] = np.cumsum(new, dtype=np.int32) - 1
    counts = np.diff(starts, append=keys.size)
    return Histogram(unpack(ordered[starts], channels), counts, index.reshape(keys.shape))


def spread(keys: np.ndarray, histogram: Histogram, values: np.ndarray) -> np.ndarray:
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
    for first in range(0, len(keys), step):
        rows = slice(first, first + step)
        np.take(table, keys[rows], out=result[rows], mode="clip")
    return result


def cells(
    points: np.ndarray, weights: np.ndarray, colors: np.ndarray, limit: int
) -> tuple[np.ndarray, np.ndarray]:
    """Average points in the finest cells of colour that leave at most ``limit`` of them.

    A cell is what shares so many upper bits of every channel: of 3 channels 6, 6 and 6 or fewer,
    of 4 channels 5, taken away one by one.

    Arguments:
        points: (N, D) of distinct colours; weights: (N,) float64; colors: (N, C) uint8.

    Returns:
        weighted means (M, D) float32 on the grid and weights (M,) float64; all points as they
        are where N is at most ``limit``.
    """
    if len(points) <= limit:
        return points, weights
    channels = colors.shape[1]
    bits = [5 if channels == 4 else 6] * channels
    # The eye and the usual spread of colours spare blue first and green last of the three.
    order = [2, 0, 1, 3][:channels] if channels > 2 else list(range(channels))
    while True:
        keys = np.zeros(len(colors), np.uint32)
        for channel, kept in zip(colors.T, bits, strict=True):
            keys = (keys << np.uint32(kept)) | (channel >> np.uint8(8 - kept))
        table = np.bincount(keys, weights)
        occupied = np.flatnonzero(table)
        if len(occupied) <= limit or max(bits) == 1:
            break
        # The one with most bits, the first in order among equals.
        bits[max(order, key=lambda channel: bits[channel])] -= 1
    sums = [np.bincount(keys, weights * axis)[occupied] for axis in points.T.astype(np.float64)]
    return snap(np.stack(sums, axis=1) / table[occupied, None]), table[occupied]
