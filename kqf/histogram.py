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
    """

    colors: np.ndarray
    counts: np.ndarray


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
    """Count the distinct colours among packed pixels of any shape."""
    if channels < 3 or (channels == 3 and keys.size >= _TABLE_PIXELS):
        table = np.bincount(keys.ravel(), minlength=1)
        values = np.flatnonzero(table)
        return Histogram(unpack(values, channels), table[values])
    values, counts = np.unique(keys, return_counts=True)
    return Histogram(unpack(values, channels), counts)


def spread(keys: np.ndarray, histogram: Histogram, values: np.ndarray) -> np.ndarray:
    """Return for each packed pixel the value of its colour.

    Arguments:
        keys: (H, W) uint32, every one a colour of the histogram.
        values: (N,) one for each colour of the histogram.
    """
    channels = histogram.colors.shape[1]
    known = pack(histogram.colors[None])[0]
    if channels < 4:
        table = np.zeros(1 << (8 * channels), values.dtype)
        table[known] = values
    result = np.empty(keys.shape, values.dtype)
    # A band at a time: numpy makes an index of eight bytes of every key.
    step = max(_BAND // keys.shape[1], 1)
    for first in range(0, len(keys), step):
        rows = slice(first, first + step)
        if channels < 4:
            np.take(table, keys[rows], out=result[rows], mode="clip")
        else:
            np.take(values, np.searchsorted(known, keys[rows]), out=result[rows], mode="clip")
    return result


def cells(
    points: np.ndarray, weights: np.ndarray, colors: np.ndarray, limit: int
) -> tuple[np.ndarray, np.ndarray]:
    """Average points in the finest cells of colour that leave at most ``limit`` of them.

    A cell is what shares the upper 6 (4 channels: 5) or fewer bits of every channel.

    Arguments:
        points: (N, D) of distinct colours; weights: (N,) float64; colors: (N, C) uint8.

    Returns:
        weighted means (M, D) float32 on the grid and weights (M,) float64; all points as they
        are where N is at most ``limit``.
    """
    if len(points) <= limit:
        return points, weights
    for bits in range(5 if colors.shape[1] == 4 else 6, 0, -1):
        keys = np.zeros(len(colors), np.uint32)
        for channel in colors.T:
            keys = (keys << np.uint32(bits)) | (channel >> (8 - bits))
        table = np.bincount(keys, weights)
        occupied = np.flatnonzero(table)
        if len(occupied) <= limit:
            break
    sums = [np.bincount(keys, weights * axis)[occupied] for axis in points.T.astype(np.float64)]
    return snap(np.stack(sums, axis=1) / table[occupied, None]), table[occupied]
