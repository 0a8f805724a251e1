"""Images too large to hold, as dask arrays."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kqf.image import look_up
from kqf.io.image_metadata import exif_of

if TYPE_CHECKING:
    from dask.array import Array

# An image of more pixels is large. At 60 bytes a pixel, encoding it whole would take 4 GB.
MOST_PIXELS = 2**26

_ORIENTATION = 274
# Orientations whose rows are columns, and the steps through rows and columns afterwards.
_TRANSPOSED = (5, 6, 7, 8)
_BACKWARDS = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}
_EMPTY = np.empty((0, 0), np.uint8)

# Is told the share of the work that is done, 0 to 1.
Report = Callable[[float], object]


def is_large(size: tuple[int, int]) -> bool:
    """Tell whether an image of a width and height has more than ``MOST_PIXELS`` pixels."""
    return size[0] * size[1] > MOST_PIXELS


@dataclass(frozen=True)
class LargeImage:
    """An image whose blocks are read when they are needed.

    Attributes:
        array: labels (H, W) uint8 if there is a codebook, else pixels, (H, W) or (H, W, C) uint8 or
            bool.
        codebook: (K, C) uint8, or None.
        metadata: what KQF stores, as ``IndexedImage.metadata``.
    """

    array: "Array"
    codebook: np.ndarray | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.array.shape[:2]
        return int(width), int(height)

    @property
    def pixels(self) -> "Array":
        """The pixels, (H, W) or (H, W, C)."""
        if self.codebook is None:
            return self.array
        channels = self.codebook.shape[1]
        if channels == 1:
            return self.array.map_blocks(look_up, self.codebook, meta=_EMPTY)
        chunks = (*self.array.chunks, (channels,))
        meta = _EMPTY[..., np.newaxis]
        return self.array.map_blocks(look_up, self.codebook, chunks=chunks, new_axis=2, meta=meta)

    def cut(self, box: tuple[int, int, int, int]) -> "LargeImage":
        """Return the part in a box (left, upper, right, lower)."""
        left, upper, right, lower = box
        return replace(self, array=self.array[upper:lower, left:right])

    def stripped(self) -> "LargeImage":
        """Return the image without metadata, turned upright if EXIF says how."""
        from dask.array import swapaxes

        orientation = exif_of(self.metadata).get(_ORIENTATION, 1)
        array = self.array
        if orientation in _TRANSPOSED:
            array = swapaxes(array, 0, 1)
        rows, columns = _BACKWARDS.get(orientation, (1, 1))
        return LargeImage(array[::rows, ::columns], self.codebook)
