"""A dask array cut into blocks of whole tiles, and work on each of them."""

from collections.abc import Callable, Iterator, Sequence
from math import isqrt
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from kqf.format.declarations import MAX_SIDE
from kqf.text import how_to_install

if TYPE_CHECKING:
    from dask.array import Array

# Width and height of tiles: small enough that a region touches few pixels around it.
_TILE = (256, 1024)
# Pixels of a block, and of the blocks that are worked on at once.
BLOCK_PIXELS = 2**20
_BATCH_PIXELS = 2**25
# Tiles of the sample.
_SAMPLE = 16

Result = TypeVar("Result")


class Blocks:
    """An array in blocks: a few tiles side by side, numbered row by row.

    Arguments:
        array: dask array.
        tile: (width, height), None for 256 x 1024.
        dtypes: that the array may have.
    """

    def __init__(self, array: "Array", tile: tuple[int, int] | None, dtypes: Sequence[Any]) -> None:
        _check_array(array, dtypes)
        self.array = array
        self.height, self.width = map(int, array.shape[:2])
        width, height = tile or _TILE
        self.tile = width, height = min(width, self.width), min(height, self.height)
        self._size = width * max(BLOCK_PIXELS // (width * height), 1), height
        self.columns, self.rows = (
            -(-side // step)
            for side, step in zip((self.width, self.height), self._size, strict=True)
        )

    def __len__(self) -> int:
        return self.columns * self.rows

    def box(self, number: int) -> tuple[slice, slice]:
        """Return rows and columns of a block."""
        row, column = divmod(number, self.columns)
        width, height = self._size
        left, upper = column * width, row * height
        return (
            slice(upper, min(upper + height, self.height)),
            slice(left, min(left + width, self.width)),
        )

    def touched(self, left: int, upper: int, right: int, lower: int) -> Iterator[int]:
        """Yield the numbers of the blocks that a box of pixels touches."""
        width, height = self._size
        for row in range(upper // height, (lower - 1) // height + 1):
            for column in range(left // width, (right - 1) // width + 1):
                yield row * self.columns + column

    def batches(self) -> Iterator[list[int]]:
        """Yield the numbers of blocks to work on at once: about a square, as chunks may be."""
        across, down = (max(isqrt(_BATCH_PIXELS) // side, 1) for side in self._size)
        for row in range(0, self.rows, down):
            for column in range(0, self.columns, across):
                yield [
                    y * self.columns + x
                    for y in range(row, min(row + down, self.rows))
                    for x in range(column, min(column + across, self.columns))
                ]

    def sample(self) -> np.ndarray:
        """Return the pixels of some tiles spread over the image, stacked vertically."""
        from dask.base import compute

        width, height = self.tile
        across, down = self.width // width, self.height // height
        numbers = sorted({i * across * down // _SAMPLE for i in range(_SAMPLE)})
        tiles = []
        for number in numbers:
            row, column = divmod(number, across)
            rows = slice(row * height, (row + 1) * height)
            tiles.append(self.array[rows, column * width : (column + 1) * width])
        return np.concatenate([np.asarray(tile) for tile in compute(*tiles)])

    def each(
        self, work: Callable[[np.ndarray], Result]
    ) -> Iterator[tuple[list[int], list[Result]]]:
        """Yield the numbers of some blocks and what ``work`` returned for them, for all blocks."""
        from dask.base import compute
        from dask.delayed import delayed

        do = delayed(on_array, pure=False)
        shared = delayed(work, traverse=False)
        for numbers in self.batches():
            tasks = [do(shared, self.array[self.box(number)]) for number in numbers]
            yield numbers, list(compute(*tasks))


def on_array(work: Any, pixels: Any) -> Any:
    # Chunks may hold other arrays than numpy's.
    return work(np.ascontiguousarray(pixels))


def _check_array(array: Any, dtypes: Sequence[Any]) -> None:
    try:
        from dask.array import Array
    except ImportError as error:
        raise ImportError(f"images as dask arrays need dask: {how_to_install('dask')}") from error
    if not isinstance(array, Array):
        raise TypeError(f"expected a dask array, not {type(array).__name__}; encode takes numpy's")
    if array.dtype not in dtypes:
        names = " or ".join(np.dtype(dtype).name for dtype in dtypes)
        raise TypeError(f"expected a dask array of {names}, not {array.dtype}")
    if np.isnan(array.shape).any():
        raise ValueError("the array's shape is unknown: array.compute_chunk_sizes() finds it")
    sides = array.shape[:2]
    if array.ndim not in (2, 3) or (array.ndim == 3 and not 1 <= array.shape[2] <= 4):
        raise ValueError(f"expected (H, W) or (H, W, 1..4), not {array.shape}")
    if min(sides) < 1 or max(sides) > MAX_SIDE:
        raise ValueError(f"sides must be 1 to {MAX_SIDE}, not {array.shape}")
