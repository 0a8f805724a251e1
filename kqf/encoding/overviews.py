"""The overviews of an image, made from its labels square by square."""

import io
from collections.abc import Callable
from math import prod

import numpy as np

from kqf.decoding.labels import read_labels
from kqf.format.chunks import build_chunk
from kqf.format.declarations import MAX_METADATA, MAX_METADATA_CHUNK, OVERVIEW_TILE
from kqf.format.overviews import build_overviews, index_bytes, level_size, level_tiles
from kqf.format.reader import ImageReader
from kqf.format.streams import deflate
from kqf.reduction import Reducer, halve

# Pixels of an image from which on it gets overviews unless the caller says otherwise.
LEAST_PIXELS = 2**24
# Overviews end with the first level whose sides are at most so many labels.
_SMALLEST = 512
# The largest level is a quarter of the image's sides: half of them would take a third of the bytes.
_FIRST = 2
_LEVEL = 9

Chunks = list[tuple[bytes, bytes]]


def wants_overviews(asked: bool | None, width: int, height: int) -> bool:
    """Tell whether an image gets overviews."""
    if max(width, height) <= _SMALLEST:
        return False
    return width * height >= LEAST_PIXELS if asked is None else asked


def make_overviews(
    width: int,
    height: int,
    codebook: np.ndarray,
    read: Callable[[int, int, int, int], np.ndarray],
    metadata_bytes: int,
) -> Chunks:
    """Return types and payloads of the chunks of overviews.

    Where all levels would take more than a file may hold before its tiles, the largest are left
    out.

    Arguments:
        width, height: of the image, pixels, more than 512 on one side.
        codebook: (K, C) uint8.
        read: returns the labels (h, w) uint8 of a box (left, upper, right, lower) of at most
            1024 x 1024 pixels.
        metadata_bytes: of the metadata that the file has besides.
    """
    last = _FIRST
    while max(level_size(width, height, last)) > _SMALLEST:
        last += 1
    pyramid = _Pyramid(width, height, codebook, read, last, MAX_METADATA - metadata_bytes)
    columns, rows = level_tiles(width, height, last)
    for row in range(rows):
        for column in range(columns):
            pyramid.make(last, column, row)
    return pyramid.chunks()


def with_overviews(file: bytes, asked: bool | None, threads: int, metadata_bytes: int) -> bytes:
    """Return a file with overviews, if it gets any.

    Arguments:
        file: a whole one without overviews. asked: as the option.
    """
    reader = ImageReader(io.BytesIO(file), len(file))
    head = reader.head
    if not wants_overviews(asked, head.width, head.height):
        return file
    chunks = _overviews_of(reader, threads, metadata_bytes)
    parts, at = memoryview(file), len(file) - reader.part_bytes["tiles"]
    return b"".join([parts[:at], *(build_chunk(*chunk) for chunk in chunks), parts[at:]])


def _overviews_of(reader: ImageReader, threads: int, metadata_bytes: int) -> Chunks:
    """Return types and payloads of the chunks of overviews of a file that has none."""
    labels = read_labels(reader, None, threads, None)

    def read(left: int, upper: int, right: int, lower: int) -> np.ndarray:
        return labels[upper:lower, left:right]

    head = reader.head
    return make_overviews(head.width, head.height, reader.codebook, read, metadata_bytes)


class _Pyramid:
    """The streams of all levels, made depth first, so that no level's pixels are kept whole."""

    def __init__(
        self,
        width: int,
        height: int,
        codebook: np.ndarray,
        read: Callable[[int, int, int, int], np.ndarray],
        last: int,
        most_bytes: int,
    ) -> None:
        self._size = width, height
        self._read = read
        self._reducer = Reducer(codebook)
        self._streams: dict[int, dict[tuple[int, int], bytes]] = {
            level: {} for level in range(last, _FIRST - 1, -1)
        }
        self._left = most_bytes
        self._entries = 0
        self._drop_until_fit()

    def _drop_until_fit(self) -> None:
        """Leave the largest levels out until the others fit into the file."""
        while self._streams and not self._fits():
            dropped = self._streams.pop(min(self._streams))
            self._left += sum(map(len, dropped.values()))

    def _fits(self) -> bool:
        tiles = sum(prod(level_tiles(*self._size, level)) for level in self._streams)
        return index_bytes(tiles) <= min(MAX_METADATA_CHUNK, self._left)

    def make(self, level: int, column: int, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Return sums and single labels of a tile, and keep its stream and those below it."""
        width, height = level_size(*self._size, level)
        side = OVERVIEW_TILE
        right, lower = min((column + 1) * side, width), min((row + 1) * side, height)
        if level == _FIRST:
            box = column * side << level, row * side << level, right << level, lower << level
            ends = min(box[2], self._size[0]), min(box[3], self._size[1])
            sums, single = self._reducer.sums(self._read(*box[:2], *ends), 1 << level)
        else:
            sums, single = self._halved(level, column, row)
        if level in self._streams:
            labels = self._reducer.labels(sums, single, 1 << level)
            stream = deflate(labels, _LEVEL)
            self._streams[level][row, column] = stream
            self._left -= len(stream)
            self._drop_until_fit()
        return sums, single

    def _halved(self, level: int, column: int, row: int) -> tuple[np.ndarray, np.ndarray]:
        columns, rows = level_tiles(*self._size, level - 1)
        parts = [
            [self.make(level - 1, x, y) for x in range(2 * column, min(2 * column + 2, columns))]
            for y in range(2 * row, min(2 * row + 2, rows))
        ]
        sums, single = (
            np.concatenate([np.concatenate([part[at] for part in line], axis=1) for line in parts])
            for at in (0, 1)
        )
        return halve(sums, single)

    def chunks(self) -> Chunks:
        """Return types and payloads of the chunks; none if not even the smallest level fits."""
        if not self._streams:
            return []
        return build_overviews(
            [(level, [tiles[at] for at in sorted(tiles)]) for level, tiles in self._streams.items()]
        )
