"""The codewords that may stand for the pixels of frames, found fast."""

import numpy as np

from kqf.quantization.colorspace import PixelPoints, to_points
from kqf.quantization.histogram import pack
from kqf.quantization.nearest import ban, nearest_few

# Bits of each channel that name a cell of colour, by the number of channels.
_BITS = {1: (8,), 2: (8, 8), 3: (7, 7, 7), 4: (5, 5, 5, 5)}


class CodewordCandidates:
    """Looks up the nearest codewords of colours, by cells of colour.

    Arguments:
        codebook: (K, C) uint8. metric: one of ``colorspace.METRICS``.
        count: of codewords for each pixel, at most K of them.
        fixed: (n, C) uint8, codewords that their own colours must keep.
    """

    def __init__(self, codebook: np.ndarray, metric: str, count: int, fixed: np.ndarray) -> None:
        self.codebook, self._metric = codebook, metric
        self._codewords = to_points(codebook, metric)
        self._count = min(count, len(codebook))
        bits = _BITS[codebook.shape[1]]
        self._bits = bits
        self._labels = np.zeros((1 << sum(bits), self._count), np.uint8)
        self._is_known = np.zeros(1 << sum(bits), np.bool_)
        self._points = PixelPoints(metric)
        keys = pack(codebook[None])[0]
        held = np.isin(keys, pack(fixed[None])[0]) if len(fixed) else np.zeros(len(keys), np.bool_)
        # Of equal codewords the first one.
        self._held_keys, first = np.unique(keys[held], return_index=True)
        self._held_labels = np.flatnonzero(held)[first].astype(np.uint8)

    def points(self, pixels: np.ndarray) -> np.ndarray:
        """Return the points of pixels (N, C) uint8, (C, N) float32."""
        return self._points.of(pixels)

    def labels(self, pixels: np.ndarray) -> np.ndarray:
        """Return candidates for pixels (N, C) uint8, (count, N) uint8."""
        cells = self._cells(pixels)
        unknown = ~self._is_known.take(cells)
        if unknown.any():
            self._learn(np.unique(cells[unknown]))
        return np.ascontiguousarray(self._labels.take(cells, axis=0).T)

    def errors(self, points: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return the squared distances of points (C, N) to codewords (..., N), float32."""
        errors = np.zeros(labels.shape, np.float32)
        # numpy would make an index of this type for each axis.
        index = labels.astype(np.intp)
        for axis, codewords in zip(points, self._codewords.T, strict=True):
            offsets = np.ascontiguousarray(codewords).take(index)
            offsets -= axis
            offsets *= offsets
            errors += offsets
        return errors

    def penalties(self, pixels: np.ndarray, labels: np.ndarray) -> np.ndarray | np.float32:
        """Return 0, or infinity where labels (N,) may not stand for pixels (N, C) uint8."""
        banned = ban(pixels, self.codebook) if pixels.shape[1] in (2, 4) else None
        if banned is None:
            return np.float32(0)
        penalties: np.ndarray = banned.penalties[banned.kinds, labels]
        return penalties

    def held(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which pixels (N, C) must have codewords of their own, and their labels, (n,)."""
        if not len(self._held_keys):
            return np.empty(0, np.intp), np.empty(0, np.uint8)
        keys = pack(pixels[None])[0]
        places = np.searchsorted(self._held_keys, keys).clip(max=len(self._held_keys) - 1)
        rows = np.flatnonzero(self._held_keys.take(places) == keys)
        return rows, self._held_labels.take(places[rows])

    def _cells(self, pixels: np.ndarray) -> np.ndarray:
        cells = np.zeros(len(pixels), np.int32)
        for channel, bits in enumerate(self._bits):
            cells <<= bits
            values = pixels[:, channel]
            if channel == 3:
                # Of alpha, 0 and 255 are cells of their own.
                values = np.where(values == 0, 0, np.where(values == 255, 31, 1 + values // 9))
                cells |= values
            else:
                cells |= values >> (8 - bits)
        return cells

    def _learn(self, cells: np.ndarray) -> None:
        colors = np.empty((len(cells), len(self._bits)), np.uint8)
        rest = cells
        for channel in reversed(range(len(self._bits))):
            bits = self._bits[channel]
            values = rest & ((1 << bits) - 1)
            rest = rest >> bits
            if channel == 3:
                middle = ((values - 1) * 9 + 4).clip(1, 254)
                colors[:, 3] = np.where(values == 0, 0, np.where(values == 31, 255, middle))
            else:
                colors[:, channel] = (values << (8 - bits)) + ((1 << (8 - bits)) >> 1)
        points = to_points(colors, self._metric)
        labels, errors = nearest_few(
            points, self._codewords, self._count, ban(colors, self.codebook)
        )
        # Codewords that may not stand for a colour are no candidates.
        labels = np.where(np.isinf(errors), labels[:, :1], labels)
        self._labels[cells] = labels
        self._is_known[cells] = True
