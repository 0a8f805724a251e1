"""Regions in a smaller size, from the overviews of a file or from its pixels."""

import operator

import numpy as np

from kqf.decoding.labels import (
    Region,
    check_pixels,
    check_region,
    read_labels,
)
from kqf.errors import Box
from kqf.format.declarations import MAX_LEVEL
from kqf.format.grid import slices_within, touched_pixels
from kqf.format.overviews import level_size
from kqf.format.reader import ImageReader
from kqf.image import look_up, shaped
from kqf.reduction import Reducer

# Labels at full size that are read at once, about.
_BAND = 2**24


def level_of(scale: int) -> int:
    """Return the level of a scale, 0 for 1.

    Raises:
        TypeError: not an integer. ValueError: not a power of 2 from 1 to 2**31.
    """
    number = operator.index(scale)
    if number < 1 or number & (number - 1) or number.bit_length() - 1 > MAX_LEVEL:
        raise ValueError(f"scale must be 1, 2, 4, 8 or another power of 2, not {scale!r}")
    return number.bit_length() - 1


def stored_level(reader: ImageReader, level: int) -> int:
    """Return the highest level up to ``level`` that the file has, 0 for the image itself.

    Raises:
        FormatError: the overviews are damaged.
    """
    index = reader.overviews
    return max((found for found in index.levels if found <= level), default=0) if index else 0


def read_scaled_labels(
    reader: ImageReader, region: Region | None, level: int, threads: int | None, most: int | None
) -> np.ndarray:
    """Return the labels (h, w) uint8 of a region at a level above 0."""
    found = _read(reader, region, level, threads, most)
    if isinstance(found, np.ndarray):
        return found
    reducer, sums, single, side = found
    return reducer.labels(sums, single, side)


def read_scaled_pixels(
    reader: ImageReader, region: Region | None, level: int, threads: int | None, most: int | None
) -> np.ndarray:
    """Return the pixels of a region at a level above 0, (h, w) for gray, else (h, w, C) uint8."""
    found = _read(reader, region, level, threads, most)
    if isinstance(found, np.ndarray):
        return look_up(found, reader.codebook)
    reducer, sums, single, side = found
    exact = reader.codebook[np.maximum(single, 0)]
    pixels = np.where(single[..., None] >= 0, exact, reducer.pixels(sums, side))
    return shaped(pixels.reshape(-1, pixels.shape[2]), single.shape)


def _read(
    reader: ImageReader, region: Region | None, level: int, threads: int | None, most: int | None
) -> np.ndarray | tuple[Reducer, np.ndarray, np.ndarray, int]:
    """Return labels where the level is stored, else what the reducer makes of a lower one."""
    head = reader.head
    left, upper, right, lower = check_region(region, head)
    scale = 1 << level
    box = left >> level, upper >> level, -(-right >> level), -(-lower >> level)
    source = stored_level(reader, level)
    if source == level:
        return _read_level(reader, level, box, most)
    factor = scale >> source
    width, height = level_size(head.width, head.height, source)
    area = (
        box[0] * factor,
        box[1] * factor,
        min(box[2] * factor, width),
        min(box[3] * factor, height),
    )
    reducer = Reducer(reader.codebook)
    if source:
        return reducer, *reducer.sums(_read_level(reader, source, area, most), factor), factor
    check_pixels(touched_pixels(head, area), most)
    rows = max(_BAND // (area[2] - area[0]), head.tile_height, factor)
    rows -= rows % factor
    parts = [
        reducer.sums(
            read_labels(
                reader, (area[0], first, area[2], min(first + rows, area[3])), threads, None
            ),
            factor,
        )
        for first in range(area[1], area[3], rows)
    ]
    sums, single = (np.concatenate([part[at] for part in parts]) for at in (0, 1))
    return reducer, sums, single, factor


def _read_level(reader: ImageReader, level: int, box: Box, most: int | None) -> np.ndarray:
    """Return the labels of a box of a level that the file has."""
    left, upper, right, lower = box
    check_pixels((right - left) * (lower - upper), most)
    labels = np.empty((lower - upper, right - left), np.uint8)
    for tile, found in reader.overview_tiles(level, box):
        labels[slices_within(box, tile)] = found[slices_within(tile, box)]
    return labels
