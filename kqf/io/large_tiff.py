"""TIFF files of images too large to hold, as dask arrays."""

from contextlib import suppress
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from PIL import TiffImagePlugin

from kqf.io.image_metadata import EXIF_PREFIX, metadata_of
from kqf.io.large_image import LargeImage
from kqf.io.large_image import is_large as is_large_size
from kqf.text import how_to_install

SUFFIXES = (".tif", ".tiff")
# What TIFF calls gray, RGB and palette, with black as 0, and their samples a pixel.
_PHOTOMETRIC = {1: (1, 2), 2: (3, 4), 3: (1,)}
# Bits of NewSubfileType: a smaller version of another image, and a mask.
_REDUCED, _MASK = 1, 4
# Pixels of a block's sides, about.
_ROWS = 1024


def is_large(name: str) -> bool:
    """Tell whether a file is a TIFF image of more than ``large_image.MOST_PIXELS`` pixels.

    That depends on nothing else, so that the same file is always encoded in the same way. Without
    tifffile no image is large.
    """
    if Path(name).suffix.lower() not in SUFFIXES or not find_spec("tifffile"):
        return False
    # Other functions tell what is wrong with a file that is damaged, or no TIFF file.
    with suppress(Exception):
        return is_large_size(size_of(name))
    return False


def size_of(name: str) -> tuple[int, int]:
    """Return the width and height of a TIFF file's first image in pixels."""
    import tifffile

    with tifffile.TiffFile(name) as file:
        page: Any = file.pages[0]
        return int(page.imagewidth), int(page.imagelength)


def open_tiff(name: str) -> LargeImage:
    """Return the image of a TIFF file, with a codebook if it has a palette.

    Overviews, which are smaller versions of the image, and masks are left out.

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
            f"large TIFF files need {error.name}: {how_to_install('large')}"
        ) from error
    with tifffile.TiffFile(name) as file:
        page: Any = file.pages[0]
        series: Any = file.series[0]
        images = [page for page in file.pages if not _is_overview(page)]
        if len(images) > 1 or len(series.pages) > 1:
            raise ValueError("holds several images, and so large a file can't be picked from")
        samples = _PHOTOMETRIC.get(int(page.photometric), ())
        channels = series.shape[2] if series.axes == "YXS" else 1
        if series.axes not in ("YX", "YXS") or channels not in samples:
            kind = getattr(page.photometric, "name", page.photometric)
            raise ValueError(
                f"is {kind} of shape {series.shape}: gray, RGB or a palette is expected"
            )
        if series.dtype not in (np.uint8, np.bool_):
            raise ValueError(f"has samples of {series.dtype}: reduce it to 8 bits a channel first")
        codebook = None
        if page.colormap is not None:
            # Of 16 bits, as Pillow reads it.
            codebook = np.ascontiguousarray((page.colormap >> 8).astype(np.uint8).T)
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
    if codebook is not None:
        # Labels of a palette of two colours are read as bool.
        array = array.astype(np.uint8)
    return LargeImage(array, codebook, _metadata_of(name))


def _is_overview(page: Any) -> bool:
    page = page.aspage()
    return bool(int(page.subfiletype) & (_REDUCED | _MASK))


def _metadata_of(name: str) -> dict[str, Any]:
    # Image.open refuses so many pixels, none of which are read here.
    with TiffImagePlugin.TiffImageFile(name) as image:
        metadata = metadata_of(image)
    if isinstance(exif := metadata.get("exif"), bytes):
        metadata["exif"] = exif.removeprefix(EXIF_PREFIX)
    return metadata


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
            series: Any = file.series[0]
            if series.dataoffset is not None:
                return _read_rows(name, series, rows)[:, *rest]
            # The image itself, without its overviews.
            store = series.aszarr(level=0)
            try:
                pixels: Any = zarr.open(store, mode="r")
                return np.asarray(pixels[rows, *rest])
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
