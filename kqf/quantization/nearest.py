"""The nearest codeword of each colour."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kqf.quantization.colorspace import OPAQUE, TRANSPARENT, snap, to_points, translucency
from kqf.quantization.histogram import pack, unpack
from kqf.threads import each, run

# Multiplications in one product. OpenBLAS computes products of this size in one thread: its threads
# would wait for one another whenever another process needs a core.
_PRODUCT = 2**18
# Products in a block of distances: the block stays in cache, and is enough work between the moments
# at which a thread holds the GIL.
_PRODUCTS = 4
# Least number of points for a thread: with fewer, threads wait for one another more than they work.
_LEAST_PART = 2**16
# Most points of a part, to bound the memory at work.
_LARGEST_PART = 2**18
# Points whose errors are found at a time.
_ERRORS = 2**15
# From so many colours on, those that differ in the last bit of samples only have their candidates
# found together.
_MANY = 2**14


@dataclass(frozen=True)
class Ban:
    """Which codewords may not stand for which points.

    Attributes:
        kinds: (N,) int8, the kind of each point.
        penalties: (kinds, K) float32, 0 or infinite.
    """

    kinds: np.ndarray
    penalties: np.ndarray


def ban(colors: np.ndarray, codebook: np.ndarray) -> Ban | None:
    """Return a ban that keeps transparent colours on transparent codewords, opaque on opaque ones.

    Kinds that the codebook does not have are not restricted. None if nothing is banned.
    """
    kinds, codeword_kinds = translucency(colors), translucency(codebook)
    penalties = np.zeros((3, len(codebook)), np.float32)
    for kind in (OPAQUE, TRANSPARENT):
        other = codeword_kinds != kind
        if not other.all():
            penalties[kind, other] = np.inf
    return Ban(kinds, penalties) if penalties.any() else None


def distances(
    points: np.ndarray, codewords: np.ndarray, banned: Ban | None = None
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield blocks of (rows, squared distance to each codeword less the point's own square)."""
    ones = np.ones((len(points), 1), np.float32)
    squares = (codewords * codewords).sum(axis=1, keepdims=True)
    left = np.concatenate([points, ones], axis=1)
    right = np.concatenate([codewords * np.float32(-2), squares], axis=1).T
    step = max(_PRODUCT // right.size, 1)
    for start in range(0, len(points), _PRODUCTS * step):
        rows = slice(start, start + _PRODUCTS * step)
        part = left[rows]
        block = np.empty((len(part), len(codewords)), np.float32)
        whole = len(part) - len(part) % step
        stack = part[:whole].reshape(-1, step, part.shape[1])
        np.matmul(stack, right, out=block[:whole].reshape(-1, step, len(codewords)))
        np.matmul(part[whole:], right, out=block[whole:])
        if banned:
            block += banned.penalties[banned.kinds[rows]]
        yield rows, block


def nearest(
    points: np.ndarray, codewords: np.ndarray, banned: Ban | None = None, threads: int = 1
) -> np.ndarray:
    """Return the row of the nearest codeword for each point, the lowest of equals.

    Arguments:
        points, codewords: (N, D), (K, D) float32 on the grid of ``colorspace``.

    Returns:
        (N,) intp.
    """
    labels = np.empty(len(points), np.intp)

    def find(part: slice) -> None:
        kinds = banned and Ban(banned.kinds[part], banned.penalties)
        for rows, block in distances(points[part], codewords, kinds):
            np.argmin(block, axis=1, out=labels[part][rows])

    for _ in each(find, parts_of(len(points), threads), threads):
        pass
    return labels


def parts_of(number: int, threads: int) -> list[slice]:
    """Cut rows into one part for each thread, but no smaller or larger than is worth a thread."""
    step = min(max(-(-number // threads), _LEAST_PART), _LARGEST_PART)
    return [slice(first, first + step) for first in range(0, number, step)]


def nearest_two(points: np.ndarray, codewords: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest row of each point and how much further the second nearest is.

    Returns:
        labels (N,) intp; the difference of the squared distances (N,) float32.
    """
    labels, errors = nearest_few(points, codewords, 2)
    return labels[:, 0].astype(np.intp), errors[:, 1] - errors[:, 0]


def nearest_few(
    points: np.ndarray,
    codewords: np.ndarray,
    count: int,
    banned: Ban | None = None,
    threads: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest codewords of each point.

    Arguments:
        points, codewords: (N, D), (K, D) float32 on the grid.
        count: codewords for each point, at most K.

    Returns:
        labels (N, count) uint8, nearest first, and squared distances (N, count) float32, infinite
        where a codeword is banned.
    """
    labels = np.empty((len(points), count), np.uint8)
    errors = np.empty((len(points), count), np.float32)

    def find(part: slice) -> None:
        kinds = banned and Ban(banned.kinds[part], banned.penalties)
        for rows, block in distances(points[part], codewords, kinds):
            index = np.arange(len(block))
            for place in range(count):
                best = block.argmin(axis=1)
                labels[part][rows, place] = best
                errors[part][rows, place] = block[index, best]
                block[index, best] = np.inf

    for _ in each(find, parts_of(len(points), threads), threads):
        pass
    errors += (points * points).sum(axis=1, keepdims=True)
    return labels, errors


def candidates_of(
    colors: np.ndarray, codebook: np.ndarray, metric: str, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return codewords near each colour, of many colours not always the very nearest.

    Arguments:
        colors: (N, C) uint8; codebook: (K, C) uint8; metric: of ``colorspace.METRICS``.
        count: codewords for each colour, at most K.

    Returns:
        labels (N, count) uint8 and squared distances (N, count) float32 as nearest_few has them.
    """
    points, codewords = to_points(colors, metric), to_points(codebook, metric)
    if len(colors) < _MANY:
        return nearest_few(points, codewords, count, ban(colors, codebook))
    channels = colors.shape[1]
    # Alpha stays, as colours keep to their kind.
    last = np.array([1, 1, 1, 0] if channels == 4 else [1, 0] if channels == 2 else [1], np.uint8)
    keys, rows = np.unique(pack((colors & ~last)[None])[0], return_inverse=True)
    cells = unpack(keys, channels)
    middles = snap((to_points(cells, metric) + to_points(cells | last, metric)) / 2)
    labels, errors = nearest_few(middles, codewords, count, ban(cells, codebook))
    labels, allowed = labels.take(rows, axis=0), np.isfinite(errors).take(rows, axis=0)
    return labels, np.where(allowed, errors_of(points, codewords, labels), np.float32(np.inf))


def errors_of(points: np.ndarray, codewords: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the squared distances of points (N, D) from codewords (K, D) by labels (N, M)."""
    errors = np.zeros(labels.shape, np.float32)
    for first in range(0, len(labels), _ERRORS):
        rows = slice(first, first + _ERRORS)
        for axis, of_codewords in zip(points[rows].T, codewords.T, strict=True):
            offsets = axis[:, None] - of_codewords.take(labels[rows])
            offsets *= offsets
            errors[rows] += offsets
    return errors


def assign(colors: np.ndarray, codebook: np.ndarray, metric: str, threads: int = 1) -> np.ndarray:
    """Return the label of each colour: its nearest codeword, the lowest of equals.

    Wholly transparent colours take transparent codewords and opaque ones opaque codewords,
    where the codebook has any.

    Arguments:
        colors: (N, C) uint8; codebook: (K, C) uint8; metric: of ``colorspace.METRICS``.

    Returns:
        (N,) uint8.
    """
    codewords = to_points(codebook, metric)
    known, first = np.unique(pack(codebook[None])[0], return_index=True)
    labels = np.empty(len(colors), np.uint8)

    def find(part: slice) -> None:
        some = colors[part]
        found = nearest(to_points(some, metric), codewords, ban(some, codebook))
        # A colour that the codebook holds stays as it is, even where the metric sees another as
        # near.
        keys = pack(some[None])[0]
        at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
        same = known[at] == keys
        found[same] = first[at[same]]
        labels[part] = found

    run(find, parts_of(len(colors), threads), threads)
    return labels


def squared_error(
    points: np.ndarray,
    codewords: np.ndarray,
    labels: np.ndarray,
    counts: np.ndarray | None = None,
    threads: int = 1,
) -> float:
    """Return the sum of squared distances between points and the codewords of their labels.

    Sums over grid points are exact, so that neither order nor threads make a difference.

    Arguments:
        points, codewords: (N, D), (K, D) float32 on the grid.
        labels: (N,). counts: (N,), how often each point counts; None for once.
    """

    def add(part: slice) -> float:
        offsets = points[part] - codewords.take(labels[part], axis=0)
        squares = (offsets * offsets).sum(axis=1, dtype=np.float64)
        return float((squares if counts is None else squares * counts[part]).sum())

    parts = [slice(first, first + _LEAST_PART) for first in range(0, len(points), _LEAST_PART)]
    return sum(each(add, parts, threads))
