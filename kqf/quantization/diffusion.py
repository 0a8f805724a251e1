"""Error diffusion: what a label lacks of its pixel's colour is passed on to the pixels around."""

import numpy as np

from kqf.quantization.colorspace import premultiplied, to_points, to_points_between
from kqf.quantization.nearest import assign, ban

# Of the error of a pixel, sixteenths that go to the right, below on the left, below, and below on
# the right (R. Floyd, L. Steinberg, 1976).
_RIGHT, _BELOW_LEFT, _BELOW, _BELOW_RIGHT = 7, 3, 5, 1
# Share of the error that is passed on. All of it makes specks where colours lie outside of those
# that the codebook can mix; with less than three quarters, bands come back.
_STRENGTH = 0.8


def floyd_steinberg(
    index: np.ndarray, colors: np.ndarray, codebook: np.ndarray, metric: str, threads: int
) -> np.ndarray:
    """Return labels by error diffusion, (H, W) uint8.

    Errors are those of sRGB values premultiplied by alpha, codewords the nearest in the metric.
    Pixels whose colour the codebook holds keep it and pass nothing on. Pixels with one x + 2 y do
    not depend on one another and are taken together.

    Arguments:
        index: (H, W) int32, the row of each pixel's colour in ``colors``.
        colors: (N, C) uint8, distinct. codebook: (K, C) uint8. metric: one of
            ``colorspace.METRICS``.
        threads: is not used: each step depends on the one before.
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
    flat, labels = index.ravel(), np.empty(index.size, np.uint8)
    # The errors of the last three steps by row, behind one that stands for the row above the first.
    before, before_2, before_3, errors = np.zeros((4, height + 1, channels))
    for step in range(width + 2 * (height - 1)):
        first, last = max((step - width + 2) // 2, 0), min(step // 2, height - 1)
        rows, above = slice(first + 1, last + 2), slice(first, last + 1)
        positions = np.arange(first, last + 1) * (width - 2) + step
        picked = flat.take(positions)
        carried = _RIGHT * before[rows] + _BELOW_LEFT * before[above]
        carried += _BELOW * before_2[above] + _BELOW_RIGHT * before_3[above]
        aims = values.take(picked, axis=0) + carried * (_STRENGTH / 16)
        points = to_points_between(aims, metric)
        left = np.concatenate([points, np.ones((len(points), 1), np.float32)], axis=1)
        distances = left @ right
        if banned:
            distances += banned.penalties[banned.kinds.take(picked)]
        chosen = distances.argmin(axis=1).astype(np.uint8)
        keep = held.take(picked)
        np.copyto(chosen, own.take(picked), where=keep)
        labels[positions] = chosen
        errors[:] = 0
        errors[rows] = aims - entries.take(chosen, axis=0)
        errors[rows][keep] = 0
        before, before_2, before_3, errors = errors, before, before_2, before_3
    return labels.reshape(index.shape)
