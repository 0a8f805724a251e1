"""Chunks of label arrays as KQF files, for the codecs of numcodecs and zarr.

Each chunk is a gray KQF file whose pixels are the labels: its codebook holds the values that occur.
One of a single tile is stored without its frames (``bare_chunks``).
The last two dimensions are the image's; the others are stacked from top to bottom.
"""

import numpy as np

from kqf.decoding.file import KqfFile
from kqf.encoding.api import encode_indexed
from kqf.encoding.drawn import is_small, smallest_chunk
from kqf.encoding.effort import DEFAULT_EFFORT
from kqf.encoding.settings import StorageSettings
from kqf.errors import FormatError
from kqf.plugins.bare_chunks import bare, framed

_DTYPES = (np.dtype(np.uint8), np.dtype(np.bool_))


def check_effort(effort: int) -> int:
    """Return ``effort``; raise TypeError or ValueError if it is no integer from 1 to 9."""
    StorageSettings({"effort": effort})
    return int(effort)


def check_chunk(shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Raise TypeError or ValueError unless chunks of this shape and dtype can be encoded."""
    if dtype not in _DTYPES:
        raise TypeError(f"the codec kqf takes labels of uint8 or bool, not {dtype}")
    if len(shape) < 2:
        raise ValueError(f"the codec kqf takes labels (..., H, W), not of shape {shape}")


def encode(labels: np.ndarray, effort: int) -> bytes:
    """Return labels (..., H, W), uint8 or bool, of any values, as bytes; nothing is lost.

    Raises:
        TypeError, ValueError: another dtype, fewer than two dimensions, or no labels at all.
    """
    check_chunk(labels.shape, labels.dtype)
    if not labels.size:
        raise ValueError(f"the codec kqf takes at least one label, not shape {labels.shape}")
    stacked = np.ascontiguousarray(labels).view(np.uint8).reshape(-1, labels.shape[-1])
    is_used = np.bincount(stacked.ravel(), minlength=256) > 0
    places = (np.cumsum(is_used) - 1).astype(np.uint8)
    values = np.flatnonzero(is_used).astype(np.uint8)
    codebook = values[:, np.newaxis]
    stacked = places[stacked]
    # There are many small chunks: only who asks for more effort gets every layout tried.
    if is_small(stacked) and 1 < effort <= DEFAULT_EFFORT:
        file = smallest_chunk(stacked, codebook)
    else:
        # Chunks are encoded side by side by those who call this.
        file = encode_indexed(stacked, codebook, effort=effort, threads=1)
    return bare(file, values)


def decode(data: memoryview, count: int | None = None) -> np.ndarray:
    """Return the labels of a chunk, (count,) uint8.

    Arguments:
        count: how many are expected; None for any.

    Raises:
        FormatError: ``data`` is damaged, or holds anything else.
    """
    with KqfFile(framed(bytes(data))) as file:
        # What the head claims is not believed before memory is taken for it.
        if file.ndim != 2 or count not in (None, file.size):
            expected = "labels" if count is None else f"{count} labels"
            raise FormatError("HEAD", "size", expected, f"an image of shape {file.shape}")
        return file.read(threads=1, max_pixels=count).reshape(-1)
