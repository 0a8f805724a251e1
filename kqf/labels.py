"""The nearest codeword of each colour."""

from collections.abc import Iterator

import numpy as np

from kqf.colorspace import OPAQUE, TRANSPARENT, to_points, translucency
from kqf.histogram import pack

# Rows of a block of distances: 2048 x 256 float32 is 2 MiB, which stays in cache.
_BLOCK = 2048


def _distances(points: np.ndarray, codewords: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield blocks of (rows, squared distance to each codeword less the point's own square)."""
    ones = np.ones((len(points), 1), np.float32)
    squares = (codewords * codewords).sum(axis=1, keepdims=True)
    left = np.concatenate([points, ones], axis=1)
    right = np.concatenate([codewords * np.float32(-2), squares], axis=1).T
    for start in range(0, len(points), _BLOCK):
        rows = slice(start, start + _BLOCK)
        yield rows, left[rows] @ right


def nearest(points: np.ndarray, codewords: np.ndarray) -> np.ndarray:
    """Return the row of the nearest codeword for each point, the lowest of equals.

    Arguments:
        points, codewords: (N, D), (K, D) float32 on the grid of ``kqf.colorspace``.

    Returns:
        (N,) intp.
    """
    labels = np.empty(len(points), np.intp)
    for rows, distances in _distances(points, codewords):
        np.argmin(distances, axis=1, out=labels[rows])
    return labels


def nearest_two(points: np.ndarray, codewords: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest row of each point and how much further the second nearest is.

    Returns:
        labels (N,) intp; the difference of the squared distances (N,) float32.
    """
    labels = np.empty(len(points), np.intp)
    margins = np.empty(len(points), np.float32)
    for rows, distances in _distances(points, codewords):
        best = np.argmin(distances, axis=1, out=labels[rows])
        index = np.arange(len(distances))
        least = distances[index, best]
        distances[index, best] = np.inf
        margins[rows] = distances.min(axis=1) - least
    return labels, margins


def assign(colors: np.ndarray, codebook: np.ndarray, metric: str) -> np.ndarray:
    """Return the label of each colour: its nearest codeword, the lowest of equals.

    Wholly transparent colours take transparent codewords and opaque ones opaque codewords,
    where the codebook has any.

    Arguments:
        colors: (N, C) uint8; codebook: (K, C) uint8; metric: of ``kqf.colorspace.METRICS``.

    Returns:
        (N,) uint8.
    """
    points, codewords = to_points(colors, metric), to_points(codebook, metric)
    labels = nearest(points, codewords)
    kinds, codeword_kinds = translucency(colors), translucency(codebook)
    for kind in (TRANSPARENT, OPAQUE):
        candidates = np.flatnonzero(codeword_kinds == kind)
        members = np.flatnonzero(kinds == kind)
        if len(members) and 0 < len(candidates) < len(codebook):
            labels[members] = candidates[nearest(points[members], codewords[candidates])]
    # A colour that the codebook holds stays as it is, even where the metric sees another as near.
    keys, (known, first) = (
        pack(colors[None])[0],
        np.unique(pack(codebook[None])[0], return_index=True),
    )
    at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    same = known[at] == keys
    labels[same] = first[at[same]]
    return labels.astype(np.uint8)
