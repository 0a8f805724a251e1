"""Error diffusion: what a label lacks of its pixel's colour is passed on to the pixels around."""

import numpy as np

from kqf.quantization.colorspace import premultiplied, to_points, to_points_between
from kqf.quantization.histogram import Rows
from kqf.quantization.nearest import assign, ban, squared_error

# Of the error of a pixel, sixteenths that go to the right, below on the left, below, and below on
# the right (R. Floyd, L. Steinberg, 1976).
_RIGHT, _BELOW_LEFT, _BELOW, _BELOW_RIGHT = 7, 3, 5, 1
# An error is passed on up to so many times the usual distance from one codeword to the nearest
# other. Where a colour lies outside of those that the codebook can mix, errors would else grow
# without end and make specks far away.
_LIMIT = 2.0
# For each doubling of the codewords beyond 16, the share of an error that is not passed on, and
# what a neighbour's label is worth, in mean errors of the nearest codeword. Of many codewords one
# is near, and bytes are saved; with few, all must be passed on to keep means.
_KEPT = 0.02
_SAME = 0.25
# Pixels that tell the mean error, about.
_SAMPLE = 2**16


def floyd_steinberg(
    index: np.ndarray | Rows,
    colors: np.ndarray,
    codebook: np.ndarray,
    metric: str,
    threads: int,
    strength: float = 1.0,
) -> np.ndarray:
    """Return labels by error diffusion, (H, W) uint8.

    Errors are those of sRGB values premultiplied by alpha, codewords the nearest in the metric; but
    the labels to the left and above, which cost fewer bytes, are taken if they are nearly as near.
    Pixels whose colour the codebook holds keep it and pass nothing on. Pixels with one x + 2 y do
    not depend on one another and are taken together.

    Arguments:
        index: (H, W) int32 or Rows, the row of each pixel's colour in ``colors``.
        colors: (N, C) uint8, distinct. codebook: (K, C) uint8. metric: one of
            ``colorspace.METRICS``.
        threads: is not used: each step depends on the one before.
        strength: 0 to 1, of what is best, the share of each error that is passed on, and of what
            the label of a neighbour is worth.
    """
    height, width = index.shape
    channels = colors.shape[1]
    values, entries = premultiplied(colors), premultiplied(codebook)
    own = assign(colors, codebook, metric)
    held = (codebook[own] == colors).all(axis=1)
    banned = ban(colors, codebook)
    codewords = to_points(codebook, metric)
    squares = (codewords * codewords).sum(axis=1, keepdims=True)
    right = np.concatenate([codewords * np.float32(-2), squares], axis=1).T
    limit = _LIMIT * _spacing(entries)
    doublings = max(np.log2(len(codebook) / 16), 0)
    passed = strength * (1 - _KEPT * doublings) / 16
    # Of colours that no codeword is near, the distance from one codeword to another tells more.
    mean_error = min(
        _mean_error(index, colors, codewords, own, metric), _spacing(codewords) ** 2 / 3
    )
    gain = np.float32(strength * _SAME * doublings * mean_error)
    labels = np.empty(index.size, np.uint8)
    # The errors of the last three steps by row, behind one that stands for the row above the first.
    before, before_2, before_3, errors = np.zeros((4, height + 1, channels))
    for step in range(width + 2 * (height - 1)):
        first, last = max((step - width + 2) // 2, 0), min(step // 2, height - 1)
        rows, above = slice(first + 1, last + 2), slice(first, last + 1)
        lines = np.arange(first, last + 1)
        positions = lines * (width - 2) + step
        picked = index.take(positions)
        carried = _RIGHT * before[rows] + _BELOW_LEFT * before[above]
        carried += _BELOW * before_2[above] + _BELOW_RIGHT * before_3[above]
        aims = values.take(picked, axis=0) + carried * passed
        points = to_points_between(aims, metric)
        points = np.concatenate([points, np.ones((len(points), 1), np.float32)], axis=1)
        distances = points @ right
        if banned:
            distances += banned.penalties[banned.kinds.take(picked)]
        if step:
            # At an edge, both are the same pixel.
            left = labels.take(positions - np.where(positions % width, 1, width))
            over = labels.take(positions - np.where(lines, width, 1))
            place = np.arange(len(lines))
            distances[place, left] -= gain
            distances[place, over] -= np.where(left == over, np.float32(0), gain)
        chosen = distances.argmin(axis=1).astype(np.uint8)
        keep = held.take(picked)
        np.copyto(chosen, own.take(picked), where=keep)
        labels[positions] = chosen
        errors[:] = 0
        lacking = aims - entries.take(chosen, axis=0)
        size = np.sqrt((lacking * lacking).sum(axis=1))
        share = np.minimum(limit / np.maximum(size, limit), 1.0)
        share[keep] = 0
        errors[rows] = lacking * share[:, None]
        before, before_2, before_3, errors = errors, before, before_2, before_3
    return labels.reshape(index.shape)


def _mean_error(
    index: np.ndarray | Rows,
    colors: np.ndarray,
    codewords: np.ndarray,
    own: np.ndarray,
    metric: str,
) -> float:
    """Return the mean squared distance of some pixels from the nearest codeword in the metric."""
    some = index.take(np.arange(0, index.size, -(-index.size // _SAMPLE)))
    points = to_points(colors.take(some, axis=0), metric)
    return squared_error(points, codewords, own.take(some)) / len(some)


def _spacing(entries: np.ndarray) -> float:
    """Return the median distance of a codeword from the nearest other one, at least 1."""
    distinct = np.unique(entries, axis=0)
    if len(distinct) < 2:
        return 1.0
    distances = ((distinct[:, None] - distinct) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    return max(float(np.sqrt(np.median(distances.min(axis=1)))), 1.0)
