"""Finding what an image repeats on flat ground: letters, icons, and other shapes (section 5.8).

Pieces on flat ground that occur twice become shapes; letters that touch are split into them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kqf.encoding.regions import Pieces, Regions, Runs, expanded
from kqf.format.shapes import MAX_SHAPES, MAX_TILE_SIDE, Placements, Shapes

# Least pixels of a region of one label that counts as ground, and largest side of shapes on it.
_SCALES = ((4096, 160), (512, 96), (64, 64), (16, 48))
# How many of them there are before pieces are split, and the largest side of these.
_SPLIT = 2
_SPLIT_SIDE = 160
# Where pixels differ this often from the one to the left, there is too little ground for shapes.
_MOST_CHANGES = 0.25
_LOOK_ROWS = 64
# Of larger images no shapes are found, to bound memory: regions take some ten bytes a pixel, and
# some hundred for each run of one label.
_MOST_PIXELS, _MOST_RUNS = 2**24, 2**20


@dataclass(frozen=True)
class FoundShapes:
    """What find returns.

    Attributes:
        labels: (H, W) uint8, what is left: where a shape was there is its ground.
        shapes, placements: what to paint on it, in the order that the file has them.
    """

    labels: np.ndarray
    shapes: Shapes
    placements: Placements


def find(labels: np.ndarray, rows: int | None = None) -> FoundShapes | None:
    """Return the shapes that labels (H, W) uint8 repeat; None where none are found.

    The same labels give the same shapes.

    Arguments:
        rows: of so many there must be enough ground for shapes; None for all.
    """
    if max(labels.shape) > MAX_TILE_SIDE or labels.size > _MOST_PIXELS:
        return None
    if labels.shape[1] < 2:
        return None
    changes = share_of_changes(labels[:rows])
    if changes > _MOST_CHANGES or changes * labels.size > _MOST_RUNS:
        return None
    left = labels.copy()
    catalog = _Catalog()
    # Letters that touch one another are split into those found alone, and what is left of them may
    # repeat: two rounds get nearly all that more of them would.
    regions = catalog.take_repeated(left, _SCALES[:_SPLIT])
    if not len(catalog.kinds):
        return None
    catalog.split(regions, left)
    catalog.take_repeated(left, _SCALES)
    return catalog.finish(left)


def share_of_changes(labels: np.ndarray) -> float:
    """Return the share of pixels of some rows that are unlike the one to the left."""
    rows = labels[:: max(len(labels) // _LOOK_ROWS, 1)]
    return float(np.count_nonzero(rows[:, 1:] != rows[:, :-1])) / rows.size


@dataclass
class _Kinds:
    """Shapes as the runs that they paint, one shape after another.

    Attributes:
        key, ground, height, width: (n,) of each shape. first: (n + 1,) where its runs begin.
        y, x0, x1, label: of each run, in pixels from the shape's upper left.
    """

    key: np.ndarray
    ground: np.ndarray
    height: np.ndarray
    width: np.ndarray
    first: np.ndarray
    y: np.ndarray
    x0: np.ndarray
    x1: np.ndarray
    label: np.ndarray

    def __len__(self) -> int:
        return len(self.key)

    @classmethod
    def of(cls, pieces: Pieces, runs: Runs) -> "_Kinds":
        """Return pieces as shapes."""
        counts = np.diff(pieces.first)
        top, left = np.repeat(pieces.y0, counts), np.repeat(pieces.x0, counts)
        at = pieces.runs
        return cls(
            pieces.key,
            pieces.ground,
            pieces.height,
            pieces.width,
            pieces.first,
            runs.y[at] - top,
            runs.x0[at] - left,
            runs.x1[at] - left,
            runs.label[at],
        )

    def then(self, other: "_Kinds") -> "_Kinds":
        """Return these and then the other shapes."""
        return _Kinds(
            np.append(self.key, other.key),
            np.append(self.ground, other.ground),
            np.append(self.height, other.height),
            np.append(self.width, other.width),
            np.append(self.first, self.first[-1] + other.first[1:]),
            np.append(self.y, other.y),
            np.append(self.x0, other.x0),
            np.append(self.x1, other.x1),
            np.append(self.label, other.label),
        )

    def some(self, chosen: np.ndarray) -> "_Kinds":
        """Return the shapes of these numbers."""
        counts = np.diff(self.first)[chosen]
        runs = expanded(self.first[chosen], counts)
        return _Kinds(
            self.key[chosen],
            self.ground[chosen],
            self.height[chosen],
            self.width[chosen],
            np.append(0, np.cumsum(counts)),
            self.y[runs],
            self.x0[runs],
            self.x1[runs],
            self.label[runs],
        )

    def equal(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return whether shapes a (n,) are the same as shapes b (n,)."""
        counts = np.diff(self.first)
        same: np.ndarray = (counts[a] == counts[b]) & (self.ground[a] == self.ground[b])
        which = np.flatnonzero(same)
        lengths = counts[a[which]]
        one, two = (
            expanded(self.first[a[which]], lengths),
            expanded(self.first[b[which]], lengths),
        )
        differ = np.zeros(len(one), np.bool_)
        for values in (self.y, self.x0, self.x1, self.label):
            differ |= values[one] != values[two]
        same[np.repeat(which, lengths)[differ]] = False
        return same

    def painted(self) -> np.ndarray:
        """Return how many pixels each shape paints, (n,)."""
        return np.add.reduceat(self.x1 - self.x0, self.first[:-1])

    def pixels(self) -> Shapes:
        """Return the shapes as they are stored, with all their pixels."""
        heights = self.height.astype(np.int64)
        areas = heights * self.width
        starts = np.cumsum(areas) - areas
        labels = np.repeat(self.ground, areas)
        owner = np.repeat(np.arange(len(self)), np.diff(self.first))
        lengths = self.x1 - self.x0
        x = expanded(self.x0, lengths)
        place = np.repeat(starts[owner] + self.y, lengths) + x * np.repeat(heights[owner], lengths)
        labels[place] = np.repeat(self.label, lengths)
        height, width = self.height.astype(np.uint8), self.width.astype(np.uint8)
        return Shapes(height, width, self.ground, labels)


def _boxes(kinds: _Kinds) -> list[np.ndarray]:
    """Return the pixels of each shape, (width, height) uint8."""
    labels = kinds.pixels().labels
    sides = list(zip(kinds.width.tolist(), kinds.height.tolist(), strict=True))
    ends = np.cumsum([width * height for width, height in sides]).tolist()
    return [
        labels[end - width * height : end].reshape(width, height)
        for (width, height), end in zip(sides, ends, strict=True)
    ]


# Numbers of shapes, and where their column begins, by ground and column.
_Index = dict[tuple[int, bytes], list[tuple[int, int]]]


class _Ends:
    """Shapes by their first and last columns, to be found at the ends of pieces."""

    def __init__(self, kinds: _Kinds) -> None:
        self._first: _Index = {}
        self._last: _Index = {}
        self._boxes = _boxes(kinds)
        # The largest shapes first: a dot is part of many.
        for number in np.argsort(-kinds.painted(), kind="stable").tolist():
            ground = int(kinds.ground[number])
            for column, ends in ((0, self._first), (-1, self._last)):
                top, key = _column(self._boxes[number][column], ground)
                ends.setdefault((ground, key), []).append((number, top))

    def take_off(self, box: np.ndarray, ground: int) -> list[tuple[int, int, int]]:
        """Take shapes off a piece, in place, while one fits.

        Arguments:
            box: (width, height) uint8, with the ground wherever the piece is not.

        Returns:
            (x, y, number) of the shapes.
        """
        found = []
        begin, end = 0, len(box)
        while begin < end:
            hit = self._one(box, ground, begin, end)
            if hit is None:
                break
            found.append(hit)
            while begin < end and not (box[begin] != ground).any():
                begin += 1
            while begin < end and not (box[end - 1] != ground).any():
                end -= 1
        return found

    def _one(
        self, box: np.ndarray, ground: int, begin: int, end: int
    ) -> tuple[int, int, int] | None:
        for ends, column in ((self._first, begin), (self._last, end - 1)):
            top, key = _column(box[column], ground)
            for number, inner in ends.get((ground, key), ()):
                shape = self._boxes[number]
                width, height = shape.shape
                x, y = column if ends is self._first else column - width + 1, top - inner
                if x < begin or y < 0 or x + width > end or y + height > box.shape[1]:
                    continue
                window = box[x : x + width, y : y + height]
                ink = shape != ground
                if np.array_equal(window[ink], shape[ink]):
                    window[ink] = ground
                    return x, y, number
        return None


def _column(column: np.ndarray, ground: int) -> tuple[int, bytes]:
    """Return where a column of pixels begins to be painted, and what is painted in it."""
    painted = np.flatnonzero(column != ground)
    first = int(painted[0])
    return first, column[first : painted[-1] + 1].tobytes()


class _Catalog:
    """The shapes found so far, and where they are."""

    def __init__(self) -> None:
        none, label = np.empty(0, np.int32), np.empty(0, np.uint8)
        first = np.zeros(1, np.int64)
        self.kinds = _Kinds(
            np.empty(0, np.uint64), label, none, none, first, none, none, none, label
        )
        self._placed: list[np.ndarray] = []

    def take_repeated(self, labels: np.ndarray, scales: Sequence[tuple[int, int]]) -> "Regions":
        """Take what repeats out of the labels (H, W), in place; return the regions of the rest."""
        regions = Regions(Runs(labels))
        for least, limit in scales:
            pieces = regions.pieces(least, limit)
            if pieces is not None:
                self._take(pieces, regions, labels)
        return regions

    def split(self, regions: Regions, labels: np.ndarray) -> None:
        """Take known shapes off the left and right ends of pieces: letters that touch one another.

        Arguments:
            regions: of the labels. labels: (H, W) uint8, changed in place.

        """
        pieces = regions.pieces(_SCALES[_SPLIT - 1][0], _SPLIT_SIDE)
        if pieces is None:
            return
        ends = _Ends(self.kinds)
        boxes = _boxes(_Kinds.of(pieces, regions.runs))
        placed = []
        for number, box in enumerate(boxes):
            ground = int(pieces.ground[number])
            rest = box.copy()
            found = ends.take_off(rest, ground)
            if found:
                x, y = int(pieces.x0[number]), int(pieces.y0[number])
                placed += [(x + right, y + down, shape) for right, down, shape in found]
                area = labels[y : y + box.shape[1], x : x + box.shape[0]].T
                area[rest != box] = ground
        if placed:
            self._placed.append(np.array(placed, np.int64).T)

    def _take(self, pieces: Pieces, regions: Regions, labels: np.ndarray) -> None:
        """Take pieces that occur twice, or are shapes already, out of the labels in place."""
        known = len(self.kinds)
        runs = regions.runs
        all_kinds = self.kinds.then(_Kinds.of(pieces, runs))
        # Of equal ones the first stands for all: a shape known already, if there is one.
        _, first, inverse, times = np.unique(
            all_kinds.key, return_index=True, return_inverse=True, return_counts=True
        )
        standing = first[inverse[known:]]
        chosen = np.flatnonzero(times[inverse[known:]] >= 2)
        # Equal hashes mean nothing as long as pieces differ.
        chosen = chosen[all_kinds.equal(chosen + known, standing[chosen])]
        new = np.unique(standing[chosen][standing[chosen] >= known])
        if known + len(new) > MAX_SHAPES or not len(chosen):
            return
        numbers = np.arange(len(all_kinds))
        numbers[new] = np.arange(known, known + len(new))
        self.kinds = self.kinds.then(all_kinds.some(new))
        self._placed.append(
            np.stack([pieces.x0[chosen], pieces.y0[chosen], numbers[standing[chosen]]]).astype(
                np.int64
            )
        )
        counts = np.diff(pieces.first)[chosen]
        gone = pieces.runs[expanded(pieces.first[chosen], counts)]
        ground = np.repeat(pieces.ground[chosen], counts)
        regions.absorb(gone, ground)
        lengths = runs.x1[gone] - runs.x0[gone]
        start = runs.y[gone].astype(np.int64) * labels.shape[1] + runs.x0[gone]
        labels.reshape(-1)[expanded(start, lengths)] = np.repeat(ground, lengths)

    def finish(self, labels: np.ndarray) -> FoundShapes | None:
        """Return all that was found, shapes sorted by ground, width and height."""
        if not self._placed:
            return None
        x, y, numbers = np.concatenate(self._placed, axis=1)
        kinds = self.kinds
        order = np.lexsort((kinds.height, kinds.width, kinds.ground))
        places = np.empty(len(order), np.int64)
        places[order] = np.arange(len(order))
        return FoundShapes(labels, kinds.some(order).pixels(), Placements(x, y, places[numbers]))
