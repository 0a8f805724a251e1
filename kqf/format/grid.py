"""Boxes of pixels, and the tiles that they touch (section 5.4)."""

from collections.abc import Iterator

from kqf.errors import Box
from kqf.format.declarations import Predictor
from kqf.format.header import Head
from kqf.format.shapes import MAX_SIDE


def touched_tiles(head: Head, box: Box) -> Iterator[int]:
    """Yield the numbers of the tiles that a box touches, ascending."""
    left, upper, right, lower = box
    columns = range(left // head.tile_width, (right - 1) // head.tile_width + 1)
    rows = range(upper // head.tile_height, (lower - 1) // head.tile_height + 1)
    return (row * head.columns + column for row in rows for column in columns)


def touched_pixels(head: Head, box: Box) -> int:
    """Return the number of pixels of all tiles that a box touches."""
    left, upper, right, lower = box
    first, last = upper // head.tile_height, (lower - 1) // head.tile_height
    x, y, *_ = head.tile_box(first * head.columns + left // head.tile_width)
    *_, x_end, y_end = head.tile_box(last * head.columns + (right - 1) // head.tile_width)
    return (x_end - x) * (y_end - y)


def with_contexts(head: Head, box: Box) -> Box:
    """Return a box grown by the pixels of its tiles from which its labels were predicted."""
    left, upper, right, lower = box
    if head.direction == Predictor.LEFT:
        left -= left % head.tile_width
    elif head.direction == Predictor.UP:
        upper -= upper % head.tile_height
    return left, upper, right, lower


def slices_within(area: Box, box: Box) -> tuple[slice, slice]:
    """Return the rows and columns of an array of ``area`` that lie in ``box``, too."""
    left, upper, right, lower = area
    rows = slice(max(box[1], upper) - upper, min(box[3], lower) - upper)
    return rows, slice(max(box[0], left) - left, min(box[2], right) - left)


def with_shapes(box: Box) -> Box:
    """Return a box grown by where shapes that reach into it may begin (section 5.9)."""
    left, upper, right, lower = box
    return max(left - MAX_SIDE + 1, 0), max(upper - MAX_SIDE + 1, 0), right, lower
