"""Learning a codebook: weighted k-means on distinct colours or cells of them."""

import heapq
from dataclasses import dataclass

import numpy as np

from kqf.quantization.colorspace import (
    MIXED,
    hold_alpha,
    lightness,
    snap,
    to_colors,
    to_points,
    translucency,
)
from kqf.quantization.histogram import Histogram, cells, pack
from kqf.quantization.nearest import nearest, nearest_two, parts_of
from kqf.threads import each


@dataclass(frozen=True)
class KMeansEffort:
    """How hard to look for a good codebook.

    Attributes:
        cells: points to learn from at most, before the last steps on all distinct colours.
        steps: Lloyd steps after the start.
        rounds: rounds of moving centroids to where they save more error.
        last_steps: Lloyd steps on the distinct colours.
    """

    cells: int
    steps: int
    rounds: int
    last_steps: int


# Lloyd steps in each half of a round.
_ROUND_STEPS = 10
# In the first round one in so many centroids moves, after each round without gain half as many.
_MOVED = 16
# Share of the error that a round must save to be worth another of its kind.
_LEAST_GAIN = 1e-4
# Steps of a unit vector's components.
_AXIS_GRID = 1024
# A new centroid starts so many standard deviations from the one beside which it is added.
_JITTER = 0.3


def learn(
    histogram: Histogram,
    colors: int,
    metric: str,
    effort: KMeansEffort,
    seed: int,
    threads: int = 1,
) -> np.ndarray:
    """Return a codebook that approximates the colours of a histogram.

    Alpha 0 and alpha 255 stay exact: transparent, translucent and opaque colours are learned
    apart where ``colors`` allows each an entry.

    Arguments:
        colors: entries at the most, 1 to 256.
        metric: of ``colorspace.METRICS``.
        seed: for the moves; the same seed gives the same codebook.

    Returns:
        (K, C) uint8, K at most ``colors``, distinct, by lightness.
    """
    points = to_points(histogram.colors, metric)
    weights = histogram.counts.astype(np.float64)
    kinds = kinds_of(histogram.colors, colors)
    present = np.unique(kinds).tolist()
    # With a single kind no copies are made.
    members = [kinds == kind if len(present) > 1 else slice(None) for kind in present]
    limit = max(effort.cells // len(members), 1)
    reduced = [cells(points[m], weights[m], histogram.colors[m], limit) for m in members]
    starts = split(reduced, colors)
    codewords = []
    for kind, member, few, start in zip(present, members, reduced, starts, strict=True):
        centroids = lloyd(*few, start, effort.steps)
        centroids = breathe(*few, centroids, effort.rounds, seed)
        centroids = lloyd(points[member], weights[member], centroids, effort.last_steps, threads)
        part = to_colors(centroids, metric, histogram.colors.shape[1])
        codewords.append(hold_alpha(part, kind))
    return in_order(np.concatenate(codewords))


def kinds_of(colors: np.ndarray, entries: int) -> np.ndarray:
    """Return each colour's kind of alpha, (N,) int8; MIXED where not each can have an entry."""
    kinds = translucency(colors)
    if len(np.unique(kinds)) > entries:
        kinds[:] = MIXED
    return kinds


def in_order(codewords: np.ndarray) -> np.ndarray:
    """Return the distinct codewords by lightness, equals by value."""
    codewords = np.unique(codewords, axis=0)
    return codewords[np.lexsort((pack(codewords[None])[0], lightness(codewords)))]


@dataclass(frozen=True)
class _Cluster:
    """Points that make one starting centroid, with their weighted moments about the origin."""

    group: int
    points: np.ndarray
    weights: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray

    @classmethod
    def of(cls, group: int, points: np.ndarray, weights: np.ndarray) -> "_Cluster":
        # Sums over grid points are exact, so they do not depend on the order of addition.
        weighted = points * weights[:, None]
        mass, moment = weights.sum(), weighted.sum(axis=0)
        covariance = weighted.T @ points - np.outer(moment, moment) / mass
        return cls(group, points, weights, moment / mass, covariance)

    @property
    def error(self) -> float:
        return float(self.covariance.trace()) if len(self.points) > 1 else 0.0

    def halves(self) -> tuple["_Cluster", "_Cluster"]:
        """Cut at the position on the principal axis that leaves the least error."""
        axis = np.linalg.eigh(self.covariance)[1][:, -1]
        # On a grid and with one sign, the axis does not depend on the linear algebra library.
        axis = np.rint(axis * _AXIS_GRID) * np.sign(axis[np.abs(axis).argmax()])
        positions = (self.points * axis).sum(axis=1)
        by_position = np.argsort(positions, kind="stable")
        mass = np.cumsum(self.weights[by_position])
        moment = np.cumsum((self.weights * positions)[by_position])
        rest_mass, rest_moment = mass[-1] - mass[:-1], moment[-1] - moment[:-1]
        saved = moment[:-1] ** 2 / mass[:-1] + rest_moment**2 / rest_mass
        cut = int(saved.argmax()) + 1
        low, high = by_position[:cut], by_position[cut:]
        return (
            _Cluster.of(self.group, self.points[low], self.weights[low]),
            _Cluster.of(self.group, self.points[high], self.weights[high]),
        )


def split(groups: list[tuple[np.ndarray, np.ndarray]], count: int) -> list[np.ndarray]:
    """Return starting centroids for groups of points, ``count`` over all of them.

    Whichever cluster has the most error is cut in two along its longest axis (X. Wu, "Efficient
    statistical computations for optimal color quantization", Graphics Gems II, 1991, there along
    coordinates).

    Arguments:
        groups: points (N, D) on the grid and weights (N,) of each group, at most ``count`` groups.

    Returns:
        centroids (K, D) float32 on the grid, of each group.
    """
    clusters = [
        _Cluster.of(group, points.astype(np.float64), weights)
        for group, (points, weights) in enumerate(groups)
    ]
    heap = [(-cluster.error, row) for row, cluster in enumerate(clusters)]
    heapq.heapify(heap)
    while len(clusters) < count and heap[0][0] < 0:
        row = heapq.heappop(heap)[1]
        clusters[row], other = clusters[row].halves()
        clusters.append(other)
        for changed in (row, len(clusters) - 1):
            heapq.heappush(heap, (-clusters[changed].error, changed))
    return [
        snap(np.array([cluster.mean for cluster in clusters if cluster.group == group]))
        for group in range(len(groups))
    ]


def lloyd(
    points: np.ndarray, weights: np.ndarray, centroids: np.ndarray, steps: int, threads: int = 1
) -> np.ndarray:
    """Return centroids after at most ``steps`` steps of k-means (S. Lloyd, 1982,
    doi:10.1109/TIT.1982.1056489), on the grid; a centroid without points stays where it is.
    """

    def add(part: slice) -> np.ndarray:
        labels, mass = nearest(points[part], centroids), weights[part]
        exact = [mass, *(axis * mass for axis in points[part].T.astype(np.float64))]
        return np.stack([np.bincount(labels, value, len(centroids)) for value in exact])

    for _ in range(steps):
        # Sums over grid points are exact, in whatever parts they are added.
        mass, *sums = np.sum(list(each(add, parts_of(len(points), threads), threads)), axis=0)
        used = mass > 0
        moved = centroids.copy()
        moved[used] = snap(np.stack(sums, axis=1)[used] / mass[used, None])
        if np.array_equal(moved, centroids):
            break
        centroids = moved
    return centroids


def errors(points: np.ndarray, weights: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Return the weighted squared error of each centroid's points, (K,) float64."""
    labels = nearest(points, centroids)
    offsets = points - centroids[labels]
    return np.bincount(labels, weights * (offsets * offsets).sum(axis=1), len(centroids))


def breathe(
    points: np.ndarray, weights: np.ndarray, centroids: np.ndarray, rounds: int, seed: int
) -> np.ndarray:
    """Return better centroids, found by moving some to where they save more error.

    A round adds centroids beside those with the most error, runs k-means, takes away as many
    that would be missed least, and runs k-means again (B. Fritzke, "Breathing k-means", 2020,
    arXiv:2006.15666).
    """
    rng = np.random.default_rng(seed)
    moves = -(-len(centroids) // _MOVED)
    per_centroid = errors(points, weights, centroids)
    for _ in range(rounds):
        if not moves or not per_centroid.any():
            break
        worst = np.argsort(-per_centroid, kind="stable")[:moves]
        mass = np.bincount(nearest(points, centroids), weights, len(centroids))[worst]
        reach = _JITTER * np.sqrt(per_centroid[worst] / np.maximum(mass, 1))
        added = centroids[worst] + reach[:, None] * rng.standard_normal(centroids[worst].shape)
        grown = np.concatenate([centroids, snap(added)])
        grown = lloyd(points, weights, grown, _ROUND_STEPS)
        kept = grown[_most_useful(points, weights, grown, len(centroids))]
        trial = lloyd(points, weights, kept, _ROUND_STEPS)
        trial_errors = errors(points, weights, trial)
        if trial_errors.sum() < per_centroid.sum() * (1 - _LEAST_GAIN):
            centroids, per_centroid = trial, trial_errors
        else:
            moves //= 2
    return centroids


def _most_useful(
    points: np.ndarray, weights: np.ndarray, centroids: np.ndarray, count: int
) -> np.ndarray:
    """Return the rows of the ``count`` centroids whose loss would add the most error.

    The nearest neighbour of one that goes is kept while others can go: it takes the points over.
    """
    labels, margins = nearest_two(points, centroids)
    utility = np.bincount(labels, weights * margins, len(centroids))
    gone: list[int] = []
    spared: set[int] = set()
    by_utility = np.argsort(utility, kind="stable").tolist()
    excess = len(centroids) - count
    for row in by_utility:
        if len(gone) == excess:
            break
        if row not in spared:
            gone.append(row)
            distances = ((centroids - centroids[row]) ** 2).sum(axis=1)
            distances[gone] = np.inf
            spared.add(int(distances.argmin()))
    gone += [row for row in by_utility if row in spared and row not in gone][: excess - len(gone)]
    return np.delete(np.arange(len(centroids)), gone)
