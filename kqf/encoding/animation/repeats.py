"""Shapes that the changes of frames repeat: letters that are typed, icons that move."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kqf.encoding import shapes as shape_search
from kqf.encoding.animation.deltas import Delta
from kqf.format.frames import most_shape_pixels
from kqf.format.shapes import (
    MAX_SHAPES,
    MAX_TILE_SIDE,
    Placements,
    Shapes,
    build_placements,
    joined_shapes,
    painted_pixels,
)

# Pixels of ground between what is put beside one another.
_GAP = 1
# A placement takes about three bytes.
_LEAST_CHANGED = 6
_LEAST_USES = 2
_WIDTH = 1024


@dataclass(frozen=True)
class Repeats:
    """Shapes, and where frames place them.

    Attributes:
        known: those in force before. new: those to add, None for none.
        deltas: what is left to change in each frame.
        placements: of each frame, as build_placements gives them.
    """

    known: Shapes | None
    new: Shapes | None
    deltas: Sequence[Delta]
    placements: Sequence[bytes]

    @property
    def shapes(self) -> Shapes | None:
        """All shapes in force from then on."""
        if self.known is None or self.new is None:
            return self.known or self.new
        return joined_shapes(self.known, self.new)


def find(
    deltas: Sequence[Delta], ground: int, known: Shapes | None, size: tuple[int, int]
) -> Repeats | None:
    """Return the shapes that changes repeat among themselves, or that are known; None if none do.

    The parts of all frames in which changes lie are put beside one another on flat ground, and
    known shapes among them, so that what a still repeats is found.

    Arguments:
        ground: label of the ground that changes are most likely to lie on.
        size: (width, height) of the canvas.
    """
    if max(size) > MAX_TILE_SIDE:
        return None
    boxes = _boxes(known)
    parts = [delta.labels for delta in deltas]
    corners, height, width = _packed([part.shape for part in parts + boxes])
    if height > MAX_TILE_SIDE:
        return None
    sheet = np.full((height, width), ground, np.uint8)
    for (y, x), part in zip(corners, parts + boxes, strict=True):
        sheet[y : y + part.shape[0], x : x + part.shape[1]] = part
    rows = max(y + part.shape[0] for (y, _), part in zip(corners, parts, strict=False))
    corners = corners[: len(parts)]
    found = shape_search.find(sheet, rows)
    if found is None:
        return None
    return _assign(found, deltas, corners, known, size)


def _packed(sides: Sequence[tuple[int, ...]]) -> tuple[list[tuple[int, int]], int, int]:
    """Return where to put rectangles (height, width), and the height and width of it all."""
    across = max(_WIDTH, *(width + 2 * _GAP for _, width in sides))
    x = y = _GAP
    deepest = 0
    corners = []
    for height, width in sides:
        if x + width + _GAP > across:
            x, y, deepest = _GAP, y + deepest + _GAP, 0
        corners.append((y, x))
        x += width + _GAP
        deepest = max(deepest, height)
    return corners, y + deepest + _GAP, across


def _boxes(shapes: Shapes | None) -> list[np.ndarray]:
    """Return the labels of each shape, (height, width)."""
    if shapes is None:
        return []
    heights, widths = shapes.heights.astype(np.intp), shapes.widths.astype(np.intp)
    ends = np.cumsum(heights * widths)
    parts = np.split(shapes.labels, ends[:-1])
    return [
        part.reshape(width, height).T
        for part, height, width in zip(parts, heights, widths, strict=True)
    ]


def _assign(
    found: shape_search.FoundShapes,
    deltas: Sequence[Delta],
    corners: Sequence[tuple[int, int]],
    known: Shapes | None,
    size: tuple[int, int],
) -> Repeats | None:
    """Return shapes as the frames place them, from where they were found on the sheet."""
    placed = [_useful(found, delta, corner) for delta, corner in zip(deltas, corners, strict=True)]
    shapes_placed = np.concatenate([part.shapes for part in placed])
    uses = np.bincount(shapes_placed, minlength=len(found.shapes))
    numbers, new = _numbered(found.shapes, uses, known)
    shapes = new if known is None else known if new is None else joined_shapes(known, new)
    if shapes is None or len(shapes) > MAX_SHAPES or len(shapes.labels) > most_shape_pixels(size):
        return None
    left, placements = [], []
    for part, delta, (y, x) in zip(placed, deltas, corners, strict=True):
        kept = numbers[part.shapes] >= 0
        if not kept.any():
            left.append(delta)
            placements.append(b"")
            continue
        part = Placements(part.x[kept], part.y[kept], numbers[part.shapes[kept]])
        rows, columns = delta.labels.shape
        pixels, _, _ = _painted(shapes, part, delta)
        painted = np.zeros((rows, columns), np.bool_)
        painted.reshape(-1)[pixels] = True
        labels = delta.labels.copy()
        labels[painted] = found.labels[y : y + rows, x : x + columns][painted]
        left.append(delta.without(painted, labels))
        on_canvas = Placements(part.x + delta.box[0], part.y + delta.box[1], part.shapes)
        placements.append(build_placements(on_canvas, shapes, (0, 0, *size)))
    if not any(placements):
        return None
    return Repeats(known, new, left, placements)


def _painted(
    shapes: Shapes, placed: Placements, delta: Delta
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pixels that placements paint, their labels, and which placement paints each."""
    rows, columns = delta.labels.shape
    cut = np.zeros(len(placed), np.bool_)
    counts = shapes.ink.counts[placed.shapes]
    pixels, labels = painted_pixels(
        shapes.ink, placed.x, placed.y, placed.shapes, cut, columns, rows
    )
    return pixels, labels, np.repeat(np.arange(len(placed)), counts)


def _useful(found: shape_search.FoundShapes, delta: Delta, corner: tuple[int, int]) -> Placements:
    """Return the placements in the box of a frame that paint enough of what changes."""
    (y, x), (rows, columns) = corner, delta.labels.shape
    all_ = found.placements
    inside = (all_.y >= y) & (all_.y < y + rows) & (all_.x >= x) & (all_.x < x + columns)
    here = np.flatnonzero(inside)
    part = Placements(all_.x[here] - x, all_.y[here] - y, all_.shapes[here])
    if not len(here):
        return part
    pixels, labels, owner = _painted(found.shapes, part, delta)
    changed = np.bincount(owner, delta.changed.reshape(-1)[pixels], len(here))
    # One that was found around others paints their pixels, too, as ground.
    wrong = np.bincount(owner, delta.labels.reshape(-1)[pixels] != labels, len(here))
    good = (wrong == 0) & (changed >= _LEAST_CHANGED)
    return Placements(part.x[good], part.y[good], part.shapes[good])


def _numbered(
    found: Shapes, uses: np.ndarray, known: Shapes | None
) -> tuple[np.ndarray, Shapes | None]:
    """Return the number of each shape found, and those that are not known yet.

    Arguments:
        uses: (n,), how often each is placed. The number of one that is not worth storing is -1.
    """
    kept = {_key(box, ground): number for number, (box, ground) in enumerate(_inked(known))}
    numbers = np.full(len(found), -1)
    boxes = _inked(found)
    new: list[int] = []
    for shape in np.flatnonzero(uses).tolist():
        number = kept.get(_key(*boxes[shape]))
        if number is None and uses[shape] >= _LEAST_USES:
            number = (0 if known is None else len(known)) + len(new)
            new.append(shape)
        numbers[shape] = -1 if number is None else number
    if not new:
        return numbers, None
    return numbers, Shapes(
        found.heights[new],
        found.widths[new],
        found.grounds[new],
        np.concatenate([boxes[shape][0].T.ravel() for shape in new]),
    )


def _inked(shapes: Shapes | None) -> list[tuple[np.ndarray, int]]:
    grounds = [] if shapes is None else shapes.grounds.tolist()
    return list(zip(_boxes(shapes), grounds, strict=True))


def _key(box: np.ndarray, ground: int) -> tuple[tuple[int, ...], int, bytes]:
    return box.shape, ground, box.tobytes()
