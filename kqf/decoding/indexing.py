"""What an index of an image, as numpy has it, asks for: a box of pixels and a part of it."""

import operator
from typing import Any

import numpy as np

from kqf.errors import Box


def split_index(index: Any, shape: tuple[int, ...]) -> tuple[Box, tuple[Any, ...]] | np.ndarray:
    """Return the box that an index needs, and the index of the result in the pixels of the box.

    Arguments:
        index: integers, slices, ``...`` and ``None``, as numpy's basic indexing takes them.
        shape: (H, W) or (H, W, C) of the whole image.

    Returns:
        the two; or, of an index that selects no pixel, an empty array of the right shape.

    Raises:
        IndexError: out of bounds, too many, or not of the kinds above.
    """
    parts = list(index) if isinstance(index, tuple) else [index]
    for part in parts:
        if isinstance(part, bool | np.bool_) or not (
            part is None or part is Ellipsis or isinstance(part, slice) or _is_integer(part)
        ):
            raise IndexError(
                f"only integers, slices, ... and None are valid indices, not {type(part).__name__}"
            )
    # It costs nothing, raises numpy's own errors and tells what is empty.
    selected = np.broadcast_to(np.zeros((), np.uint8), shape)[tuple(parts)]
    if not selected.size:
        return np.empty(selected.shape, np.uint8)
    if Ellipsis not in parts:
        parts.append(Ellipsis)
    at = parts.index(Ellipsis)
    given = sum(part is not None for part in parts) - 1
    parts[at : at + 1] = [slice(None)] * (len(shape) - given)
    sides: list[tuple[int, int]] = []
    for place, part in enumerate(parts):
        if part is not None and len(sides) < 2:
            first, end, parts[place] = _narrowed(part, shape[len(sides)])
            sides.append((first, end))
    (upper, lower), (left, right) = sides
    return (left, upper, right, lower), tuple(parts)


def _is_integer(part: object) -> bool:
    try:
        operator.index(part)  # type: ignore[arg-type]
    except TypeError:
        return False
    return True


def _narrowed(part: Any, size: int) -> tuple[int, int, Any]:
    """Return the first and the end of what is selected of an axis, and the index from there on."""
    if not isinstance(part, slice):
        first = operator.index(part) % size
        return first, first + 1, 0
    chosen = range(size)[part]
    first, last = min(chosen[0], chosen[-1]), max(chosen[0], chosen[-1])
    return first, last + 1, slice(None, None, chosen.step)
