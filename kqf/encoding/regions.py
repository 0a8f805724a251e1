"""Runs, regions of one label, and the pieces that lie on flat ground (section 5.8).

Everything is worked out on runs, pixels of one label side by side in a row, rather than on pixels.
"""

from dataclasses import dataclass

import numpy as np

from kqf.format.shapes import LEAST_PAINTED

# Bases of the hash of a piece: sum of key[label] * _DOWN**y * _RIGHT**x, modulo 2**64. That of the
# same piece elsewhere differs by a factor alone, as odd numbers have inverses.
_DOWN, _RIGHT = 0x9E3779B97F4A7C15, 0xD1342543DE82EF95
_SEED = 1


class Runs:
    """The runs of an image, row by row.

    Attributes:
        y, x0, x1, label: (n,) of each run.
        pairs: two (m,) arrays, numbers of runs that touch, at corners too, the lower run second.
        overlap: (m,) bool, whether more than corners touch and the labels are equal.
    """

    def __init__(self, labels: np.ndarray) -> None:
        height, width = labels.shape
        begins = np.ones((height, width), np.bool_)
        np.not_equal(labels[:, 1:], labels[:, :-1], out=begins[:, 1:])
        at = np.flatnonzero(begins)
        self.y = (at // width).astype(np.int32)
        self.x0 = (at - self.y.astype(np.int64) * width).astype(np.int32)
        lengths = np.diff(at, append=height * width)
        self.x1 = (self.x0 + lengths).astype(np.int32)
        self.label = labels.reshape(-1)[at]
        number = np.cumsum(begins.reshape(-1), dtype=np.int32)
        number -= 1
        # Below each run: a span of runs, one after another.
        upper = np.flatnonzero(self.y < height - 1)
        below = at[upper] + width
        first = number[below - (self.x0[upper] > 0)]
        last = number[below + lengths[upper] - (self.x1[upper] == width)]
        counts = last - first + 1
        ends = np.cumsum(counts)
        a = np.repeat(upper, counts)
        b = np.arange(ends[-1] if len(ends) else 0) + np.repeat(first - (ends - counts), counts)
        beside = np.flatnonzero(self.x0[1:] > 0)
        equal = self.label[a] == self.label[b]
        equal &= np.maximum(self.x0[a], self.x0[b]) < np.minimum(self.x1[a], self.x1[b])
        self.same = a[equal], b[equal]
        self.pairs = np.append(a, beside), np.append(b, beside + 1)

    def __len__(self) -> int:
        return len(self.y)


def _components(count: int, pairs: tuple[np.ndarray, np.ndarray]) -> tuple[int, np.ndarray]:
    """Return how many connected components a graph of so many nodes has, and that of each node."""
    # Only finding shapes needs scipy: reading them must not load it.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(pairs[0]), np.bool_), pairs), shape=(count, count))
    found, component = connected_components(graph, directed=False)
    return int(found), component


@dataclass(frozen=True)
class Pieces:
    """Connected pieces of what is not ground, each with one label all around.

    Attributes:
        ground: (n,) uint8. pixels: (n,) painted. y0, x0, height, width: (n,) boxes.
        key: (n,) uint64, equal for equal pieces on equal ground.
        runs: (m,) numbers of runs, piece by piece. first: (n + 1,) where each piece begins in it.
    """

    ground: np.ndarray
    pixels: np.ndarray
    y0: np.ndarray
    x0: np.ndarray
    height: np.ndarray
    width: np.ndarray
    key: np.ndarray
    runs: np.ndarray
    first: np.ndarray


class Regions:
    """Regions of one label, connected at edges, and which of them touch.

    Arguments:
        runs: of the image.
    """

    def __init__(self, runs: Runs) -> None:
        self.runs = runs
        count, of_run = _components(len(runs), runs.same)
        self.of_run = of_run.astype(np.intp)
        self.size = np.bincount(self.of_run, runs.x1 - runs.x0, count).astype(np.int64)
        self.label = np.empty(count, np.uint8)
        self.label[self.of_run] = runs.label
        a, b = self.of_run[runs.pairs[0]], self.of_run[runs.pairs[1]]
        apart = a != b
        self.pairs = a[apart], b[apart]
        height, width = int(runs.y[-1]) + 1, int(runs.x1.max())
        random = np.random.default_rng(_SEED)
        self._keys = random.integers(0, 2**63, 256, dtype=np.uint64) | np.uint64(1)
        self._down, self._right = _powers(_DOWN, height), _powers(_RIGHT, width + 1)
        self._up = _powers(pow(_DOWN, -1, 2**64), height)
        self._back = _powers(pow(_RIGHT, -1, 2**64), width + 1)
        # Sums of powers: what a run of any pixels gives by one subtraction.
        self._sums = np.append(np.uint64(0), np.cumsum(self._right, dtype=np.uint64))

    def absorb(self, runs: np.ndarray, ground: np.ndarray) -> None:
        """Make ground of the regions that these runs are of, with these labels."""
        regions = self.of_run[runs]
        self.label[regions] = ground
        self.size[regions] = np.iinfo(np.int64).max

    def pieces(self, least: int, limit: int) -> Pieces | None:
        """Return the pieces that are left where regions of so many pixels are ground.

        Arguments:
            least: pixels of ground; never more than in the call before.
            limit: largest side of a piece.
        """
        small = self.size < least
        small_a, small_b = (small.take(side) for side in self.pairs)
        # Ground stays ground: what touches nothing else is of no more interest.
        near = small_a | small_b
        a, b = self.pairs = self.pairs[0][near], self.pairs[1][near]
        small_a, small_b = small_a[near], small_b[near]
        both = small_a & small_b
        count, piece = _components(len(small), (a[both], b[both]))
        # The lowest and the highest label of the ground around.
        low, high = np.full(count, 256, np.int16), np.full(count, -1, np.int16)
        for inner, outer, rim in ((a, b, small_a & ~both), (b, a, small_b & ~both)):
            around = self.label.take(outer[rim]).astype(np.int16)
            inside = piece.take(inner[rim])
            np.minimum.at(low, inside, around)
            np.maximum.at(high, inside, around)
        runs = self.runs
        of_run = piece.take(self.of_run)
        usable = np.flatnonzero(small.take(self.of_run) & (low == high).take(of_run))
        # What has the label of the ground itself, in the eye of an e, is not painted.
        usable = usable[runs.label[usable] != low[of_run[usable]]]
        if not len(usable):
            return None
        usable = usable[np.argsort(of_run[usable], kind="stable")]
        owner = of_run[usable]
        first = np.flatnonzero(np.diff(owner, prepend=-1))
        ground = low[owner[first]].astype(np.uint8)
        y, x0, x1 = runs.y[usable], runs.x0[usable], runs.x1[usable]
        top, bottom = y[first], y[np.append(first[1:], len(y)) - 1] + 1
        left, right = np.minimum.reduceat(x0, first), np.maximum.reduceat(x1, first)
        pixels = np.add.reduceat(x1 - x0, first)
        key = self._keys[runs.label[usable]] * self._down[y] * (self._sums[x1] - self._sums[x0])
        key = np.add.reduceat(key, first) * self._up[top] * self._back[left]
        key ^= (key >> np.uint64(31)) ^ (self._keys[ground] << np.uint64(1))
        height, width = bottom - top, right - left
        good = (height <= limit) & (width <= limit) & (pixels >= LEAST_PAINTED)
        counts = np.diff(first, append=len(owner))
        return Pieces(
            ground[good],
            pixels[good],
            top[good],
            left[good],
            height[good],
            width[good],
            key[good],
            usable[np.repeat(good, counts)],
            np.append(0, np.cumsum(counts[good])),
        )


def _powers(base: int, count: int) -> np.ndarray:
    """Return base**0, base**1 and so on, modulo 2**64."""
    steps = np.full(count, base % 2**64, np.uint64)
    steps[:1] = 1
    return np.cumprod(steps, dtype=np.uint64)


def expanded(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return start, start + 1 and so on, as many as its length, of each start."""
    ends = np.cumsum(lengths, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    numbers = np.arange(total)
    numbers += np.repeat(starts - (ends - lengths), lengths)
    return numbers
