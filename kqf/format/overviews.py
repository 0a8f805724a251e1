"""Overviews: the image in smaller sizes, and the chunks that hold them (section 6.8)."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import deflate as libdeflate
import numpy as np

from kqf.errors import Box, FormatError
from kqf.format.chunks import FRAME_SIZE, HEAD_SIZE
from kqf.format.declarations import (
    MAX_LEVEL,
    MAX_METADATA,
    MAX_METADATA_CHUNK,
    OVERVIEW_TILE,
    Overviews,
)
from kqf.format.header import Head
from kqf.format.streams import MAX_RATIO, MIN_STREAM, check_ratio, inflate

_FIXED = 2
# Bytes of the index for each tile: length and CRC-32 of its stream.
_ENTRY = 8


def level_size(width: int, height: int, level: int) -> tuple[int, int]:
    """Return width and height of a level: its labels stand for 2**level pixels a side."""
    return -(-width >> level), -(-height >> level)


def level_tiles(width: int, height: int, level: int) -> tuple[int, int]:
    """Return how many columns and rows of tiles a level has."""
    across, down = level_size(width, height, level)
    return -(-across // OVERVIEW_TILE), -(-down // OVERVIEW_TILE)


def index_bytes(tiles: int) -> int:
    """Return the bytes of ``oidx`` for so many tiles of all levels together."""
    return _FIXED + _ENTRY * tiles


@dataclass(frozen=True)
class OverviewIndex:
    """Where the tiles of all levels are.

    Attributes:
        width, height: those of the image, pixels.
        last_label: the highest that a tile may hold.
        levels: those that the file has, from the smallest picture (the highest level) on.
        firsts: the number of the first tile of each level, and that after the last one.
        starts: where the stream of each tile starts among all streams, and where the last ends.
        crcs: the CRC-32 of each stream.
    """

    width: int
    height: int
    last_label: int
    levels: tuple[int, ...]
    firsts: tuple[int, ...]
    starts: np.ndarray
    crcs: np.ndarray

    @property
    def chunk_lengths(self) -> list[int]:
        """Bytes of the payload of each ``over``."""
        full, rest = divmod(int(self.starts[-1]), MAX_METADATA_CHUNK)
        return [MAX_METADATA_CHUNK] * full + [rest] * (rest > 0)

    def tiles(self, level: int, box: Box | None = None) -> Iterator[tuple[int, Box]]:
        """Yield the number of each tile of a level that a box of its labels touches, and its box.

        Arguments:
            level: one of ``levels``. box: None for all of the level.
        """
        first = self.firsts[self.levels.index(level)]
        width, height = level_size(self.width, self.height, level)
        columns = level_tiles(self.width, self.height, level)[0]
        left, upper, right, lower = box or (0, 0, width, height)
        side = OVERVIEW_TILE
        for row in range(upper // side, (lower - 1) // side + 1):
            for column in range(left // side, (right - 1) // side + 1):
                x, y = column * side, row * side
                tile = x, y, min(x + side, width), min(y + side, height)
                yield first + row * columns + column, tile

    def span(self, number: int) -> tuple[int, int]:
        """Return where the stream of a tile starts and ends among all streams."""
        return int(self.starts[number]), int(self.starts[number + 1])

    def decode(self, number: int, box: Box, stream: bytes) -> np.ndarray:
        """Return the labels of a tile, (h, w) uint8.

        Raises:
            FormatError: the stream is damaged, or a label has no entry.
        """
        left, upper, right, lower = box
        size = (right - left) * (lower - upper)
        if (found := libdeflate.crc32(stream)) != self.crcs[number]:
            expected = f"{int(self.crcs[number]):08x}"
            raise FormatError("over", f"crc of tile {number}", expected, f"{found:08x}")
        check_ratio(len(stream), size, "over")
        labels = np.frombuffer(inflate(stream, size, "over"), np.uint8)
        if labels.size < size:
            raise FormatError("over", f"inflated size of tile {number}", size, labels.size)
        if (highest := int(labels.max())) > self.last_label:
            field, most = f"label in tile {number}", f"at most {self.last_label}"
            raise FormatError("over", field, most, highest)
        return labels.reshape(lower - upper, right - left)


def parse_index(payload: bytes, head: Head) -> OverviewIndex:
    """Return the index of ``oidx``.

    Raises:
        FormatError: it breaks a rule.
    """
    if len(payload) < _FIXED:
        raise FormatError("oidx", "length", f"at least {_FIXED}", len(payload))
    fields = Overviews.parse(payload)
    last = fields.first + fields.levels - 1
    if last > MAX_LEVEL:
        raise FormatError(
            "oidx", "levels", f"at most {MAX_LEVEL - fields.first + 1}", fields.levels
        )
    levels = tuple(range(last, fields.first - 1, -1))
    firsts = [0]
    for level in levels:
        columns, rows = level_tiles(head.width, head.height, level)
        firsts.append(firsts[-1] + columns * rows)
    expected = index_bytes(firsts[-1])
    if len(payload) != expected:
        raise FormatError("oidx", "length", expected, len(payload))
    lengths, crcs = np.frombuffer(payload, ">u4", offset=_FIXED).reshape(2, -1)
    if (least := int(lengths.min())) < MIN_STREAM:
        raise FormatError("oidx", "lengths", f"at least {MIN_STREAM}", least)
    for at, level in enumerate(levels):
        across, down = level_size(head.width, head.height, level)
        stored = int(lengths[firsts[at] : firsts[at + 1]].sum(dtype=np.int64))
        if stored * MAX_RATIO < across * down:
            least = -(-across * down // MAX_RATIO)
            raise FormatError("oidx", "lengths", f"at least {least} at level {level}", stored)
    starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    if (total := int(starts[-1]) + len(payload)) > MAX_METADATA:
        raise FormatError("oidx", "lengths", f"at most {MAX_METADATA} bytes", total)
    size = head.width, head.height
    return OverviewIndex(*size, head.last_label, levels, tuple(firsts), starts, crcs)


def pieces(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield offset and length of a part of all streams, within the ``over`` chunks.

    Offsets are counted from the start of the first chunk.
    """
    while start < end:
        number, within = divmod(start, MAX_METADATA_CHUNK)
        count = min(end - start, MAX_METADATA_CHUNK - within)
        yield number * (MAX_METADATA_CHUNK + FRAME_SIZE) + HEAD_SIZE + within, count
        start += count


def build_overviews(levels: Sequence[tuple[int, Sequence[bytes]]]) -> list[tuple[bytes, bytes]]:
    """Return types and payloads of the chunks of overviews.

    Arguments:
        levels: level and streams of its tiles, from the highest level down, each one less.
    """
    streams = [stream for _, tiles in levels for stream in tiles]
    numbers = [*map(len, streams), *(int(libdeflate.crc32(stream)) for stream in streams)]
    index = bytes(Overviews.build({"first": levels[-1][0], "levels": len(levels)}))
    data = b"".join(streams)
    return [
        (b"oidx", index + struct.pack(f">{len(numbers)}I", *numbers)),
        *(
            (b"over", data[at : at + MAX_METADATA_CHUNK])
            for at in range(0, len(data), MAX_METADATA_CHUNK)
        ),
    ]
