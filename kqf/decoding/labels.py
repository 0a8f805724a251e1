"""From the tiles of a file to labels and pixels."""

import operator
from collections.abc import Iterable, Iterator
from threading import Lock

import numpy as np

from kqf.decoding.salvage import Salvager
from kqf.errors import Box, FormatError, LimitError
from kqf.format.declarations import MAX_PIXELS, Predictor
from kqf.format.grid import (
    slices_within,
    touched_pixels,
    touched_tiles,
    with_contexts,
    with_shapes,
)
from kqf.format.header import Head
from kqf.format.prediction import unrank_in_steps
from kqf.format.reader import ImageReader
from kqf.format.shapes import PlacementList, check_painted_once
from kqf.image import BAND, look_up, look_up_bands, shaped
from kqf.threads import exhaust, run, thread_count

# Left, upper, right and lower side in pixels: any sequence or array of four integers.
Region = Iterable[int]
Reader = ImageReader | Salvager

# Pixels of the tiles that one thread inflates at a time, so that small ones are worth handing over.
_BATCH_PIXELS = 2**18
# Pixels from which on several threads are worth starting.
_THREAD_PIXELS = 2**20


def read_labels(
    reader: Reader,
    region: Region | None = None,
    threads: int | None = None,
    max_pixels: int | None = MAX_PIXELS,
) -> np.ndarray:
    """Return the labels of a region, (H, W) uint8.

    Arguments:
        region: (left, upper, right, lower) in pixels; None for the whole image.
        threads: at most so many; None for one for each processor.
        max_pixels: pixels of all tiles to inflate at the most; None for no limit.

    Raises:
        FormatError: the file breaks a rule. LimitError: too many pixels. TypeError, ValueError: the
            region is not a box of at least one pixel inside the image.
    """
    box = check_region(region, reader.head)
    area = _read_symbols(reader, box, region is None, threads, max_pixels)
    exhaust(_unrank(reader, area, threads))
    if area.box == box:
        return area.labels
    return area.labels[slices_within(area.box, box)].copy()


def read_pixels(
    reader: Reader,
    region: Region | None = None,
    threads: int | None = None,
    max_pixels: int | None = MAX_PIXELS,
) -> np.ndarray:
    """Return the pixels of a region, (H, W) uint8 for gray, else (H, W, C) uint8.

    Arguments, errors: those of read_labels.
    """
    if region is not None:
        labels = read_labels(reader, region, threads, max_pixels)
        return look_up(labels, reader.codebook, _threads(threads, labels.size))
    channels = reader.head.channels
    box = check_region(None, reader.head)
    # The labels lie in the last bytes of the memory of the pixels, which saves memory of their own.
    area = _read_symbols(reader, box, True, threads, max_pixels, bytes_per_pixel=channels)
    pixels = area.memory.reshape(-1, channels)
    # Pixels are written over labels of their own band or earlier ones, which are copied by then.
    bands = _bands(area.labels, _unrank(reader, area, threads))
    look_up_bands(bands, reader.codebook, pixels, _threads(threads, len(pixels)))
    return shaped(pixels, area.labels.shape)


def check_tiles(reader: ImageReader, threads: int | None, max_pixels: int | None) -> None:
    """Inflate all tiles, a few at a time, for their errors alone."""
    head = reader.head
    check_pixels(head.width * head.height, max_pixels)
    reader.check_room()
    # Read before threads are started.
    _ = reader.order, reader.shapes
    placements = PlacementList(head.width * head.height)

    def check(batch: list[tuple[int, bytes]]) -> None:
        for number, payload in batch:
            # If all symbols are right, no label can be wrong.
            reader.check(number, payload)
            if reader.shapes and (found := reader.placements(number, payload)):
                placements.add(found)

    count = thread_count(threads)
    reader.check_overviews()
    run(check, _batches(reader, range(head.tiles), count), count)
    reader.finish()
    if reader.shapes:
        reader.check_used(placements.joined())
        check_painted_once(reader.shapes, placements.joined(), (head.width, head.height))


def check_region(region: Region | None, head: Head) -> Box:
    """Return a region as a box of integers, of the whole image for None.

    Raises:
        TypeError: not an iterable of integers. ValueError: not four, empty, or not inside.
    """
    whole = (0, 0, head.width, head.height)
    if region is None:
        return whole
    sides = tuple(operator.index(side) for side in region)
    if len(sides) != 4:
        raise ValueError(f"region must be (left, upper, right, lower), not {region!r}")
    left, upper, right, lower = sides
    if not (0 <= left < right <= head.width and 0 <= upper < lower <= head.height):
        raise ValueError(f"region must be a box of at least one pixel inside {whole}, not {sides}")
    return left, upper, right, lower


class _Area:
    """The labels of a box of pixels.

    Attributes:
        box: (left, upper, right, lower) in pixels.
        memory: uint8, ``bytes_per_pixel`` for each pixel: the labels are the last of these bytes.
        labels: (H, W) uint8, a view of them.
        placements: of shapes, from all tiles that may reach into the box.
    """

    def __init__(self, box: Box, placements: PlacementList, bytes_per_pixel: int = 1) -> None:
        self.box = box
        self.placements = placements
        self._bytes_per_pixel = bytes_per_pixel
        self._lock = Lock()
        self.memory = np.empty(0, np.uint8)
        self.labels = np.empty((0, 0), np.uint8)

    def place(self, tile: Box, labels: np.ndarray) -> None:
        """Take over the labels, or symbols, of a tile."""
        with self._lock:
            if not self.memory.size:
                # Not before a tile is there: a header alone is no reason to allocate memory.
                left, upper, right, lower = self.box
                size = (lower - upper) * (right - left)
                self.memory = np.empty(self._bytes_per_pixel * size, np.uint8)
                self.labels = self.memory[-size:].reshape(lower - upper, right - left)
        self.labels[slices_within(self.box, tile)] = labels[slices_within(tile, self.box)]


def _read_symbols(
    reader: Reader,
    box: Box,
    is_whole: bool,
    threads: int | None,
    max_pixels: int | None,
    bytes_per_pixel: int = 1,
) -> _Area:
    """Read the tiles that a box touches.

    Arguments:
        is_whole: whether the box is all of the image, so that the file is read to its end.
        bytes_per_pixel: those of the area's memory.

    Returns:
        the labels, or symbols, of the box together with what it was predicted from.
    """
    head = reader.head
    pixels = touched_pixels(head, box)
    check_pixels(pixels, max_pixels)
    reader.check_room()
    # Read before threads are started.
    _ = reader.order, reader.shapes
    placements = PlacementList(head.width * head.height)
    area = _Area(with_contexts(head, box), placements, bytes_per_pixel)
    touched = touched_tiles(head, with_shapes(box) if reader.shapes else box)
    columns, rows = (
        range(box[0] // head.tile_width, (box[2] - 1) // head.tile_width + 1),
        range(box[1] // head.tile_height, (box[3] - 1) // head.tile_height + 1),
    )

    def place(batch: list[tuple[int, bytes]]) -> None:
        if reader.shapes:
            inside = []
            for number, payload in batch:
                if found := reader.placements(number, payload):
                    placements.add(found)
                row, column = divmod(number, head.columns)
                if row in rows and column in columns:
                    inside.append((number, payload))
            batch = inside
        for number, symbols in reader.decode(batch):
            area.place(head.tile_box(number), symbols)

    count = _threads(threads, pixels)
    run(place, _batches(reader, touched, count), count)
    if not area.memory.size:
        raise FormatError("LABL", "count", "a whole one", "none")
    if is_whole:
        reader.finish()
    if is_whole and reader.shapes:
        reader.check_used(placements.joined())
    return area


def _unrank(reader: Reader, area: _Area, threads: int | None) -> Iterator[int]:
    """Turn symbols into labels in place, in steps; yield how many rows from the top are done."""
    head, labels = reader.head, area.labels
    lost = [labels[slices_within(area.box, part)] for part in reader.lost]
    # Where symbols are lost, any will do to unrank the others.
    for part in lost:
        part[...] = 0
    if head.predictor.is_ranked and reader.order is not None:
        side = head.tile_width if head.direction == Predictor.LEFT else head.tile_height
        count = _threads(threads, labels.size)
        rows = unrank_in_steps(labels, reader.order, head.direction, side, count)
        if not lost and not len(area.placements):
            yield from rows
            return
        exhaust(rows)
    if len(area.placements) and reader.shapes:
        reader.paint(labels, area.placements.joined(), area.box)
    # Of what is lost nothing is shown, even if a shape from another tile reaches into it.
    for part in lost:
        part[...] = 0
    yield len(labels)


def _bands(labels: np.ndarray, done: Iterable[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (first, a copy of so many labels) of all labels, as soon as their rows are done."""
    flat = labels.reshape(-1)
    first = 0
    for rows in done:
        end = rows * labels.shape[1]
        while end - first >= BAND or first < end == flat.size:
            last = min(first + BAND, end)
            yield first, flat[first:last].copy()
            first = last


def _batches(
    reader: Reader, numbers: Iterable[int], threads: int
) -> Iterator[list[tuple[int, bytes]]]:
    """Yield (number, payload) of tiles in batches that are worth handing to a thread."""
    # One thread alone has nothing to hand over, and takes least memory tile by tile.
    is_copy = reader.head.predictor == Predictor.COPY
    # Tiles with copied labels are decoded side by side, which is faster even for one thread.
    pixels = 1 if threads == 1 and not is_copy else _BATCH_PIXELS
    batch = []
    missing = pixels
    for number, payload in reader.tiles(numbers):
        batch.append((number, payload))
        height, width = reader.head.tile_shape(number)
        missing -= height * width
        if missing <= 0:
            yield batch
            batch, missing = [], pixels
    if batch:
        yield batch


def check_pixels(pixels: int, max_pixels: int | None) -> None:
    """Raise LimitError if there are more pixels to read than the caller allows."""
    if max_pixels is not None and pixels > max_pixels:
        raise LimitError("pixels of the tiles to read", "max_pixels", max_pixels, pixels)


def _threads(threads: int | None, pixels: int) -> int:
    count = thread_count(threads)
    return count if pixels >= _THREAD_PIXELS else 1
