"""Labels of smaller pictures: each the nearest to the mean colour of the pixels it stands for."""

import numpy as np

# Bits of each channel of a mean colour by which its label is remembered, by number of channels.
_KEPT_BITS = {1: 8, 2: 8, 3: 6, 4: 5}
# Products of colours and codewords computed at once.
_AT_ONCE = 2**20


class Reducer:
    """Means of labels, and the labels that are nearest to them.

    Means are weighted by alpha: colours are multiplied by it, so that what can't be seen does not
    count. Where all pixels have one label, that is the label of the smaller picture, too.

    Arguments:
        codebook: (K, C) uint8.
    """

    def __init__(self, codebook: np.ndarray) -> None:
        self._channels = channels = codebook.shape[1]
        self._has_alpha = channels in (2, 4)
        colors = codebook.astype(np.float32)
        if self._has_alpha:
            colors[:, :-1] = np.rint(colors[:, :-1] * colors[:, -1:] / 255)
        self._colors = colors
        # Four sums of up to 256 samples in 64 bits, of two labels as they lie in memory.
        fields = np.zeros((256, 4), np.uint16)
        fields[: len(codebook), :channels] = colors
        packed = fields.view(np.uint64).reshape(-1)
        pairs = np.arange(2**16, dtype=np.uint16).view(np.uint8).reshape(-1, 2)
        self._pairs = packed[pairs].sum(axis=1, dtype=np.uint64)
        self._bits = _KEPT_BITS[channels]
        self._nearest = np.full(1 << self._bits * channels, -1, np.int16)

    def sums(self, labels: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
        """Return sums of squares of pixels, and the label where a square has a single one.

        Squares that reach beyond the right or lower edge repeat the pixels there.

        Arguments:
            labels: (H, W) uint8, not empty.
            side: pixels of a square, a power of 2.

        Returns:
            (ceil(H / side), ceil(W / side), C) int64; (...) int16, -1 where labels differ.
        """
        first = min(side, 4)
        labels = _padded(labels, first)
        height, width = labels.shape
        rows, columns = height // first, width // first
        pairs = self._pairs[labels.view(np.uint16)]
        packed = pairs.reshape(rows, first, columns, first // 2).sum(axis=(1, 3), dtype=np.uint64)
        fields = packed.view(np.uint16).reshape(rows, columns, 4)
        sums = fields[..., : self._channels].astype(np.int64)
        words = labels.view(np.uint32 if first == 4 else np.uint16).astype(np.uint32)
        words = words.reshape(rows, first, columns)
        lowest = words[:, 0] & np.uint32(255)
        repeated = lowest * (0x01010101 if first == 4 else 0x0101)
        is_single = (words == repeated[:, None]).all(axis=1)
        single = np.where(is_single, lowest.astype(np.int16), np.int16(-1))
        while first < side:
            sums, single = halve(sums, single)
            first *= 2
        return sums, single

    def labels(self, sums: np.ndarray, single: np.ndarray, side: int) -> np.ndarray:
        """Return the nearest labels, (h, w) uint8.

        Arguments: what ``sums`` returned, and the side of its squares.
        """
        count = side * side
        means = (sums * 2 + count) // (2 * count)
        key = np.zeros(single.shape, np.int32)
        for channel in range(self._channels):
            key = key << self._bits | (means[..., channel] >> 8 - self._bits).astype(np.int32)
        found = self._nearest[key]
        missing = np.unique(key[found < 0])
        if missing.size:
            self._nearest[missing] = self._find(missing)
            found = self._nearest[key]
        return np.where(single >= 0, single, found).astype(np.uint8)

    def pixels(self, sums: np.ndarray, side: int) -> np.ndarray:
        """Return the mean colours themselves, (h, w, C) uint8 with straight alpha."""
        count = side * side
        if not self._has_alpha:
            return ((sums * 2 + count) // (2 * count)).astype(np.uint8)
        alpha = sums[..., -1:]
        straight = np.minimum(sums[..., :-1] * 255 // np.maximum(alpha, 1), 255)
        means = np.concatenate([straight, (alpha * 2 + count) // (2 * count)], axis=-1)
        return means.astype(np.uint8)

    def _find(self, keys: np.ndarray) -> np.ndarray:
        shifts = self._bits * np.arange(self._channels - 1, -1, -1)
        cells = keys[:, None] >> shifts & (1 << self._bits) - 1
        points = cells if self._bits == 8 else cells * 256 + 128 >> self._bits
        return nearest_entries(points, self._colors)


def nearest_entries(colors: np.ndarray, codebook: np.ndarray) -> np.ndarray:
    """Return the label of the entry nearest to each colour, (N,) uint8, of several the lowest.

    Arguments:
        colors: (N, C), codebook: (K, C), both of whole numbers from 0 to 255.
    """
    found = np.empty(len(colors), np.uint8)
    # Whole numbers below 2**24: sums of them are exact in any order.
    entries = codebook.astype(np.float32)
    squares = (entries * entries).sum(axis=1)
    step = _AT_ONCE // len(codebook)
    for first in range(0, len(colors), step):
        part = colors[first : first + step].astype(np.float32)
        # Distances, less what is the same for all entries.
        found[first : first + step] = (squares - part @ (2 * entries.T)).argmin(axis=1)
    return found


def halve(sums: np.ndarray, single: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what ``Reducer.sums`` returns for squares of twice the side."""
    sums, single = _padded(sums, 2), _padded(single, 2)
    upper, lower = sums[::2], sums[1::2]
    total = upper[:, ::2] + upper[:, 1::2] + lower[:, ::2] + lower[:, 1::2]
    corner = single[::2, ::2]
    same = (corner == single[::2, 1::2]) & (corner == single[1::2, ::2])
    return total, np.where(same & (corner == single[1::2, 1::2]), corner, np.int16(-1))


def _padded(array: np.ndarray, step: int) -> np.ndarray:
    """Return an array whose sides are multiples of ``step``, its last row and column repeated."""
    rows, columns = (-side % step for side in array.shape[:2])
    if not rows and not columns:
        return np.ascontiguousarray(array)
    widths = ((0, rows), (0, columns), *((0, 0),) * (array.ndim - 2))
    return np.pad(array, widths, mode="edge")
