"""How far dask is with the blocks of an image that is encoded."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kqf.cluster.assembly import deflate_block
from kqf.cluster.blocks import Blocks, on_array

if TYPE_CHECKING:
    from dask.array import Array

_COUNTED = tuple(f"{work.__name__}-" for work in (on_array, deflate_block))


@contextmanager
def reporting(
    array: "Array", tile: Any, report: Callable[[float], object], passes: int
) -> Iterator[None]:
    """Report the share of the blocks that is done, 0 to 1, while an array is encoded.

    It knows of the work of dask's threads, and not of a cluster's.

    Arguments:
        tile: option of the encoder.
        passes: how often the encoder goes through all blocks.
    """
    from dask.callbacks import Callback

    sides = (tile, tile) if isinstance(tile, int) else tile
    total = passes * len(Blocks(array, sides, (array.dtype,)))
    done = 0

    def finished(key: object, *_: object) -> None:
        nonlocal done
        # Of the tasks of a graph, these return what becomes of one block.
        if str(key).startswith(_COUNTED):
            done += 1
            report(min(done / total, 1))

    with Callback(posttask=finished):
        yield
