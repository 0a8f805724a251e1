"""TIFF files of images too large to hold, as dask arrays."""

import os
from contextlib import suppress
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from dask.array import Array

_SUFFIXES = (".tif", ".tiff")
# Pillow opens no image of more pixels.
_MOST_PIXELS = 178_956_970
# Bytes of memory for each pixel that encoding takes at the most.
_BYTES_A_PIXEL = 60
# What TIFF calls gray and RGB, with black as 0.
_PHOTOMETRIC = {1: (1, 2), 2: (3, 4)}
_ICC_PROFILE = 34675
# Pixels of a block's sides, about.
_ROWS = 1024


def is_large(name: str) -> bool:
    """Tell whether a file is a TIFF image that memory does not hold while it is encoded.

    Without tifffile none is.
    """
    if Path(name).suffix.lower() not in _SUFFIXES or not find_spec("tifffile"):
        return False
    import tifffile

    # What is damaged, or no TIFF at all, is for others to refuse.
    with suppress(Exception), tifffile.TiffFile(name) as file:
        page = file.pages[0]
        pixels = page.imagewidth * page.imagelength
        return bool(pixels > _MOST_PIXELS or pixels * _BYTES_A_PIXEL > _memory())
    return False


def _memory() -> float:
    """Return the bytes of memory that are free, where the system says so."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return float("inf")


def open_tiff(name: str) -> "tuple[Array, dict[str, Any]]":
    """Return the image of a TIFF file as a dask array, and its metadata as far as it is kept.

    Returns:
        (H, W) or (H, W, C) uint8 or bool, read when it is needed; ``icc_profile`` if there is one.

    Raises:
        ValueError: several images, planes, bits or colours of another kind than KQF stores.
        ImportError: a package is missing.
    """
    try:
        import dask.array
        import tifffile
        import zarr  # noqa: F401 - without it tifffile fails when it is too late to say so
    except ImportError as error:
        raise ImportError(
            f"large TIFF files need {error.name}: pip install 'kqf[large]'"
        ) from error
    with tifffile.TiffFile(name) as file:
        page, series = file.pages[0], file.series[0]
        if len(file.series) > 1 or len(series.pages) > 1:
            raise ValueError("holds several images, and so large a file can't be picked from")
        samples = _PHOTOMETRIC.get(int(page.photometric), ())
        channels = series.shape[2] if series.axes == "YXS" else 1
        if series.axes not in ("YX", "YXS") or channels not in samples:
            kind = getattr(page.photometric, "name", page.photometric)
            raise ValueError(f"is {kind} of shape {series.shape}: gray or RGB is expected")
        if series.dtype not in (np.uint8, np.bool_):
            raise ValueError(f"has samples of {series.dtype}: reduce it to 8 bits a channel first")
        metadata = {}
        if _ICC_PROFILE in page.tags:
            metadata["icc_profile"] = bytes(page.tags[_ICC_PROFILE].value)
        height, width, *rest = series.shape
        # Whole tiles, or strips: each is inflated once.
        high, wide = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, 0)
        if series.dataoffset is not None:
            high = _ROWS
        array = dask.array.map_blocks(
            _read_block,
            name,
            chunks=(_cut(height, high), _cut(width, wide or width), *((side,) for side in rest)),
            dtype=series.dtype,
            meta=np.empty((0,) * len(series.shape), series.dtype),
        )
    return array, metadata


def _cut(length: int, step: int) -> tuple[int, ...]:
    """Return lengths of about ``_ROWS``, whole steps but for the last."""
    step *= max(_ROWS // step, 1)
    return tuple(min(step, length - start) for start in range(0, length, step))


def _read_block(name: str, block_info: Any = None) -> np.ndarray:
    """Return one block, wherever dask wants it."""
    import tifffile
    import zarr

    rows, *rest = (slice(*ends) for ends in block_info[None]["array-location"])
    try:
        with tifffile.TiffFile(name) as file:
            series = file.series[0]
            if series.dataoffset is not None:
                return _read_rows(name, series, rows)[:, *rest]
            store = series.aszarr()
            try:
                return np.asarray(zarr.open(store, mode="r")[rows, *rest])
            finally:
                store.close()
    except Exception as error:
        # What codecs raise is of every kind.
        raise ValueError(f"cannot be read: {error}") from error


def _read_rows(name: str, series: Any, rows: slice) -> np.ndarray:
    """Return rows of pixels that are not compressed.

    They are read: a file that is cut while it is mapped to memory ends the whole process.
    """
    shape = rows.stop - rows.start, *series.shape[1:]
    row, size = prod(shape[1:]), prod(shape)
    found = np.fromfile(name, series.dtype, size, offset=series.dataoffset + rows.start * row)
    if found.size < size:
        raise ValueError(f"expected {size} bytes of rows {rows.start} on, found {found.size}")
    return found.reshape(shape)
