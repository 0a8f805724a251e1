"""The image in a file: what stands before its tiles, and their payloads."""

import copy
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import BinaryIO

import numpy as np

from kqf.errors import Box, FormatError, LimitError, UnsupportedError
from kqf.format.animation import parse_animation
from kqf.format.chunk_reader import ChunkReader
from kqf.format.chunks import CRC_SIZE, FRAME_SIZE, HEAD_SIZE
from kqf.format.codebooks import parse as parse_codebook
from kqf.format.declarations import (
    CRITICAL_TYPES,
    HEADER_SIZE,
    MAX_COLORS,
    MAX_METADATA,
    MAX_METADATA_CHUNK,
    MAX_PROLOGUE_CHUNKS,
    METADATA_TYPES,
    PROLOGUE_TYPES,
)
from kqf.format.header import Head, parse_header
from kqf.format.metadata import parse_metadata
from kqf.format.overview_reader import OverviewReader
from kqf.format.overviews import OverviewIndex
from kqf.format.prediction import read_order
from kqf.format.shapes import Placements, Shapes, check_used, paint, parse_placements, parse_shapes
from kqf.format.streams import MIN_STREAM, check_ratio, inflate
from kqf.format.tiles import check_tile, check_tile_length, decode_tiles, split_tile

# Bytes of tiles that are fetched of a remote file before they are used.
_FETCHED = 2**23


class ImageReader:
    """The image in one file.

    Opening reads all that stands before the first ``LABL``; the tiles follow on request.

    Arguments:
        stream: binary file, seekable, at the start of the data.
        size: bytes of the file from there on.
        max_metadata: bytes of metadata (known and unknown chunks together) to accept.
        max_chunks: chunks between ``CODE`` and the first ``LABL`` to accept.
        trailing: ``"error"`` to refuse bytes after ``DONE``, or ``"ignore"``.

    Attributes:
        head: the fields of ``HEAD``.
        codebook: (K, C) uint8.
        ranking: the zlib stream of ``RANK``; None if there is none.
        shape_payload: the payload of ``SHAP``; None if there is none.
        codebook_bytes: bytes of the payload of ``CODE`` or ``PCOD``.
        metadata: as ``IndexedImage.metadata``.
        timing: of the frames of an animation, whose first one the image is; None of a still.
        file_bytes: bytes of the whole file.
        lost: boxes of pixels that could not be read: none, as damage is an error here.

    Raises:
        FormatError: the file breaks a rule. LimitError: it exceeds a limit.
    """

    lost: Sequence[Box] = ()

    def __init__(
        self,
        stream: BinaryIO,
        size: int,
        max_metadata: int = MAX_METADATA,
        max_chunks: int = MAX_PROLOGUE_CHUNKS,
        trailing: str = "error",
    ) -> None:
        self.file_bytes = size
        self._trailing = trailing
        self._chunks = ChunkReader(stream, size)
        self._chunks.read_signature()
        self.head = parse_header(self._chunks.read_fixed(b"HEAD", HEADER_SIZE))
        self.codebook, self.codebook_bytes = self._read_codebook()
        self._overviews = OverviewReader(self.head)
        payloads = self._read_prologue(max_metadata, max_chunks)
        self.ranking = payloads.get(b"RANK")
        if self.head.version == 1 and self.head.predictor.is_ranked and self.ranking is None:
            raise FormatError("RANK", "count", "1 with predictor 1 or 2", 0)
        self.shape_payload = payloads.get(b"SHAP")
        if self.head.shapes and self.shape_payload is None:
            raise FormatError("SHAP", "count", "1 with shapes", 0)
        self.timing = parse_animation(payloads[b"ANIM"]) if b"ANIM" in payloads else None
        self._lengths: np.ndarray | None = None
        if b"tidx" in payloads:
            # As TileIndex has it: there may be an entry for every pixel.
            self._lengths = np.frombuffer(payloads[b"tidx"], ">u4")
            tiles = int(self._lengths.sum(dtype=np.int64)) + FRAME_SIZE * self.head.tiles
            self._chunks.whole_size = self._labels_at + tiles + FRAME_SIZE
        self.metadata = parse_metadata(payloads)

    def on(self, stream: BinaryIO) -> "ImageReader":
        """Return a reader of the same file through another stream, at the start of the data."""
        # Computed before copying, so that all copies have them.
        _ = self._offsets
        other = copy.copy(self)
        other._chunks = self._chunks.on(stream)
        return other

    @property
    def part_bytes(self) -> dict[str, int]:
        """Bytes of codebook, ranking, shapes, overviews, and of all from the tiles on."""
        return {
            "codebook": self.codebook_bytes,
            "ranking": len(self.ranking or b""),
            "shapes": len(self.shape_payload or b""),
            "overviews": self._overviews.bytes,
            "tiles": self.file_bytes - self._labels_at,
        }

    @property
    def whole_bytes(self) -> int:
        """Bytes that the file must have at the least to be complete."""
        least = self._labels_at + self.head.least_bytes + FRAME_SIZE
        return max(least, self._chunks.whole_size or 0)

    def _read_codebook(self) -> tuple[np.ndarray, int]:
        """Return the codebook, and the bytes that it takes."""
        colors, channels = self.head.colors, self.head.channels
        kind, length = self._chunks.read_head()
        if kind == b"PCOD":
            self._check_known(kind)
            check_ratio(length, colors * channels, "PCOD")
        elif kind != b"CODE":
            self.refuse_unknown(kind)
            raise FormatError("file", "chunk order", "CODE", kind.decode())
        elif length != colors * channels:
            raise FormatError("CODE", "length", colors * channels, length)
        entries = self._chunks.read_body(kind, length)
        if kind == b"PCOD":
            entries = inflate(entries, colors * channels, "PCOD")
        return parse_codebook(kind, entries, colors, channels), length

    def refuse_unknown(self, kind: bytes) -> None:
        """Refuse a critical chunk of a later version, wherever it stands (R4.3-5)."""
        if self.head.version > 1 and kind[:1].isupper():
            self._check_known(kind)

    def _check_known(self, kind: bytes) -> None:
        """Refuse a critical chunk that the file's version has not."""
        version = self.head.version
        if CRITICAL_TYPES.get(kind, version + 1) > version:
            expected = f"one of version {version}"
            raise UnsupportedError("file", "critical chunk", expected, kind.decode())

    @cached_property
    def shapes(self) -> Shapes | None:
        """The shapes of the file, None without any.

        Raises:
            FormatError: they break a rule.
        """
        if self.shape_payload is None:
            return None
        return parse_shapes(
            self.shape_payload, self.head.last_label, self.head.width * self.head.height
        )

    @cached_property
    def order(self) -> np.ndarray | None:
        """The ranking of each context, (K, K) uint8; None where no label is ranked.

        Raises:
            FormatError: the table breaks a rule.
        """
        return read_order(self.head, self.codebook, self.ranking)

    def _read_prologue(self, max_metadata: int, max_chunks: int) -> dict[bytes, bytes]:
        """Return the payloads of all known chunks before the first ``LABL``, by type."""
        payloads: dict[bytes, bytes] = {}
        total = 0
        for number in range(MAX_PROLOGUE_CHUNKS + 1):
            kind, length = self._chunks.read_head()
            name = kind.decode()
            if kind == b"LABL":
                self._labels_at = self._chunks.offset - HEAD_SIZE
                self._overviews.finish(self._labels_at)
                if self.head.tiles == 1:
                    self._chunks.whole_size = self._chunks.offset + length + CRC_SIZE + FRAME_SIZE
                return payloads
            if max_chunks <= number < MAX_PROLOGUE_CHUNKS:
                raise LimitError("chunks before LABL", "max_chunks", max_chunks, "more")
            if kind in payloads:
                raise FormatError(name, "count", 1, "another")
            if kind[:1].isupper():
                self._check_known(kind)
                if kind not in PROLOGUE_TYPES:
                    raise FormatError("file", "chunk order", "LABL or a chunk before it", name)
            if kind == b"RANK":
                if not self.head.predictor.is_ranked:
                    expected = f"0 with predictor {self.head.predictor}"
                    raise FormatError(name, "count", expected, 1)
                check_ranking_length(length, self.head.colors)
            elif kind == b"tidx":
                if length != 4 * self.head.tiles:
                    raise FormatError(name, "length", 4 * self.head.tiles, length)
            elif kind == b"SHAP":
                if not self.head.shapes:
                    raise FormatError(name, "count", "0 without shapes", 1)
            elif kind != b"ANIM":
                total += length
                # Overviews are not kept in memory.
                most = MAX_METADATA if kind == b"over" else max_metadata
                self._check_metadata_length(name, length, total, most)
            if kind == b"over":
                self._overviews.skip(self._chunks, length)
                continue
            if kind == b"oidx":
                self._overviews.take_index(self._chunks, length)
                continue
            payload = self._chunks.read_body(kind, length)
            if kind in PROLOGUE_TYPES:
                payloads[kind] = payload
        raise FormatError("file", "chunks before LABL", MAX_PROLOGUE_CHUNKS, "more")

    @staticmethod
    def _check_metadata_length(name: str, length: int, total: int, max_metadata: int) -> None:
        if name.encode() in METADATA_TYPES.values() and not length:
            raise FormatError(name, "length", "at least 1", 0)
        if length > MAX_METADATA_CHUNK:
            raise FormatError(name, "length", f"at most {MAX_METADATA_CHUNK}", length)
        if total > MAX_METADATA:
            raise FormatError(name, "length of all metadata", f"at most {MAX_METADATA}", total)
        if total > max_metadata:
            raise LimitError("bytes of metadata", "max_metadata", max_metadata, total)

    @property
    def overviews(self) -> OverviewIndex | None:
        """Where the tiles of overviews are, None without any.

        Raises:
            FormatError: how they are stored breaks a rule.
        """
        return self._overviews.index()

    def overview_tiles(
        self, level: int, box: Box | None = None
    ) -> Iterator[tuple[Box, np.ndarray]]:
        """Yield box and labels (h, w) uint8 of the tiles of a level that a box touches."""
        return self._overviews.tiles(self._chunks, level, box)

    def check_overviews(self) -> None:
        """Read all overviews for their errors alone."""
        self._overviews.check(self._chunks)

    def check_room(self) -> None:
        """Refuse an image that the rest of the file cannot hold (section 9.3)."""
        least = self.head.least_bytes
        found = self.file_bytes - self._labels_at
        if least > found:
            expected = f"{self.head.tiles} in {least} bytes"
            raise self._chunks.truncated("LABL", "count", expected, found)

    @cached_property
    def _offsets(self) -> np.ndarray | None:
        """Where the chunk of each tile starts, (tiles,) int64; None without ``tidx``."""
        if self._lengths is None:
            return None
        sizes = self._lengths.astype(np.int64) + FRAME_SIZE
        return self._labels_at + np.cumsum(sizes) - sizes

    def tiles(self, numbers: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        """Yield (number, payload) of the tiles asked for, in the file's order.

        With a ``tidx`` nothing else is read; without one, the heads of the chunks between.

        Arguments:
            numbers: ascending, each below ``head.tiles``.
        """
        chunks = self._chunks
        if chunks.fetches and self._offsets is not None:
            numbers = self._fetched(numbers)
        chunks.seek(self._labels_at)
        at = 0
        for number in numbers:
            if self._offsets is not None and number != at:
                offset = int(self._offsets[number])
                if offset > self.file_bytes:
                    raise chunks.truncated("tidx", "lengths", f"{offset} bytes", self.file_bytes)
                chunks.seek(offset)
                at = number
            while at < number:
                chunks.skip_body(b"LABL", self._read_tile_length(at))
                at += 1
            yield number, chunks.read_body(b"LABL", self._read_tile_length(number))
            at += 1

    def _fetched(self, numbers: Iterable[int]) -> Iterator[int]:
        """Yield numbers of tiles, whose chunks are fetched some MiB at a time."""
        assert self._lengths is not None
        group: list[int] = []
        total = 0
        for number in numbers:
            group.append(number)
            total += int(self._lengths[number])
            if total >= _FETCHED:
                yield from self._fetch(group)
                group, total = [], 0
        yield from self._fetch(group)

    def _fetch(self, numbers: Sequence[int]) -> Sequence[int]:
        assert self._offsets is not None
        assert self._lengths is not None
        places = []
        for number in numbers:
            start = int(self._offsets[number])
            places.append((start, start + int(self._lengths[number]) + FRAME_SIZE))
        if places and places[-1][1] <= self.file_bytes:
            self._chunks.fetch(places)
        return numbers

    def _read_tile_length(self, number: int) -> int:
        kind, length = self._chunks.read_head()
        if kind != b"LABL":
            self._refuse_misplaced(kind)
            raise FormatError("file", "chunk order", f"LABL of tile {number}", kind.decode())
        if self._lengths is not None and self._lengths[number] != length:
            found = int(self._lengths[number])
            raise FormatError("tidx", f"lengths[{number}]", length, found)
        check_tile_length(length, self.head, number)
        return length

    def _refuse_misplaced(self, kind: bytes) -> None:
        self.refuse_unknown(kind)
        if kind == b"ANIM" and self.head.version > 1:
            raise FormatError("ANIM", "count", "0 after the first LABL", 1)
        if kind == b"SHAP" and self.head.version > 1:
            raise FormatError("SHAP", "count", "0 after the first LABL", 1)

    def decode(self, batch: Sequence[tuple[int, bytes]]) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (number, labels or symbols (h, w) uint8) of tiles from their (number, payload)."""
        return decode_tiles(batch, self.head, self.order)

    def check(self, number: int, payload: bytes) -> None:
        """Check the labels or symbols of a tile."""
        check_tile(payload, self.head, number)

    def placements(self, number: int, payload: bytes) -> Placements | None:
        """Return the placements of a tile from its payload, None if there are none."""
        parts = split_tile(payload, self.head, number)
        if self.shapes is None or not parts.placements:
            return None
        box, size = self.head.tile_box(number), (self.head.width, self.head.height)
        return parse_placements(
            parts.placement_stream, parts.placements, self.shapes, box, size, number
        )

    def paint(self, labels: np.ndarray, placements: Placements, box: Box) -> None:
        """Paint placements over the labels (H, W) uint8 of a box, in place."""
        if self.shapes is not None:
            paint(labels, self.shapes, placements, box)

    def check_used(self, placements: Placements) -> None:
        """Check that each shape is placed, once all tiles are read."""
        if self.shapes is not None:
            check_used(placements, self.shapes)

    def finish(self) -> None:
        """Read ``DONE`` after the last tile, and see that nothing follows, unless it may.

        Of an animation nothing is read: groups of frames follow.
        """
        if self.timing is not None:
            return
        kind, length = self._chunks.read_head()
        if kind != b"DONE":
            self._refuse_misplaced(kind)
            raise FormatError("file", "chunk order", "DONE", kind.decode())
        self.finish_with(self._chunks, length)

    def finish_with(self, chunks: ChunkReader, length: int) -> None:
        """Read the rest of ``DONE``, whose head was read, and see that nothing follows it."""
        if length:
            raise FormatError("DONE", "length", 0, length)
        chunks.read_body(b"DONE", length)
        if chunks.left and self._trailing == "error":
            raise FormatError("file", "end", "nothing after DONE", f"{chunks.left} bytes")

    def chunks_after_tiles(self) -> ChunkReader:
        """Return a reader of what follows the last tile, through the same stream."""
        chunks = self._chunks.copy()
        if self._lengths is not None:
            total = int(self._lengths.sum(dtype=np.int64)) + FRAME_SIZE * self.head.tiles
            if self._labels_at + total > chunks.size:
                raise chunks.truncated("tidx", "lengths", f"{total} bytes", chunks.size)
            chunks.seek(self._labels_at + total)
            return chunks
        chunks.seek(self._labels_at)
        for number in range(self.head.tiles):
            kind, length = chunks.read_head()
            if kind != b"LABL":
                raise FormatError("file", "chunk order", f"LABL of tile {number}", kind.decode())
            chunks.skip_body(kind, length)
        return chunks

    def whole_frame(
        self, head: Head, codebook: np.ndarray, payloads: dict[bytes, bytes], chunks: ChunkReader
    ) -> "ImageReader":
        """Return a reader of a whole frame, whose first tile ``chunks`` reads next.

        Arguments:
            payloads: of ``RANK`` and ``SHAP``, where the frame's group has them.

        Raises:
            FormatError: a chunk is missing, or there without need.
        """
        other = copy.copy(self)
        # What the image of the prologue has computed so far is not that of the frame.
        for name in ("shapes", "order", "_offsets"):
            vars(other).pop(name, None)
        other.head, other.codebook, other._chunks = head, codebook, chunks
        other.ranking, other.shape_payload = payloads.get(b"RANK"), payloads.get(b"SHAP")
        other._labels_at, other._lengths = chunks.offset, None
        if other.ranking is not None and not head.predictor.is_ranked:
            raise FormatError("RANK", "count", f"0 with predictor {head.predictor}", 1)
        if head.shapes != (other.shape_payload is not None):
            raise FormatError("SHAP", "count", int(head.shapes), int(not head.shapes))
        return other


def check_ranking_length(length: int, colors: int) -> None:
    """Refuse a ``RANK`` that is too short or too long for so many colours (section 7.3)."""
    # Stored blocks are the worst that deflate can do to a table, with a little to spare.
    most = colors * MAX_COLORS * 2 + 1024
    if not MIN_STREAM <= length <= most:
        raise FormatError("RANK", "length", f"{MIN_STREAM} to {most}", length)
