"""The chunks of a file, read in order and checked before they are believed."""

from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

import numpy as np

from kqf.errors import FormatError, LimitError, TruncatedError, UnsupportedError
from kqf.format.chunks import CRC_SIZE, HEAD_SIZE, _parse_chunk_head, crc_of, is_type, take
from kqf.format.declarations import (
    HEADER_SIZE,
    MAX_COLORS,
    MAX_METADATA,
    MAX_METADATA_CHUNK,
    MAX_PROLOGUE_CHUNKS,
    METADATA_TYPES,
)
from kqf.format.header import Head, parse_header
from kqf.format.metadata import parse_metadata
from kqf.format.signature import SIGNATURE
from kqf.format.streams import MIN_STREAM, check_ratio


class Reader:
    """The chunks of one file, read in their order and each checked before it is believed.

    Opening reads all that stands before the first ``LABL``; the tiles follow on request. A copy
    with another ``stream`` of the same file reads on its own.

    Arguments:
        stream: binary file, seekable, read from its current position.
        size: bytes of the file from there on.
        max_metadata: bytes of metadata (known and unknown chunks together) to accept.
        max_chunks: chunks between ``CODE`` and the first ``LABL`` to accept.

    Raises:
        FormatError: a rule is broken. TruncatedError, UnsupportedError, LimitError: as they say.
    """

    # Numbers of tiles that were asked for and can't be had: none, as that is an error here.
    lost: Sequence[int] = ()

    def __init__(
        self,
        stream: BinaryIO,
        size: int,
        max_metadata: int = MAX_METADATA,
        max_chunks: int = MAX_PROLOGUE_CHUNKS,
    ) -> None:
        self.stream = stream
        self._start = stream.tell()
        self._left = size
        self.file_bytes = size
        self._read_signature()
        self.head = self._read_head()
        self.codebook = self._read_codebook()
        self.ranking: bytes | None = None
        self._lengths: np.ndarray | None = None
        self.metadata: dict[str, object] = {}
        self._read_prologue(max_metadata, max_chunks)
        self._labels_at = size - self._left

    def _read(self, count: int, chunk: str, field: str) -> bytes:
        # Asking for no more than there is keeps a lie about a length from costing memory.
        if count > self._left:
            raise TruncatedError(chunk, field, f"{count} bytes", self._left)
        data = take(self.stream, count)
        if len(data) < count:
            raise TruncatedError(chunk, field, f"{count} bytes", len(data))
        self._left -= count
        return data

    def _read_signature(self) -> None:
        data = take(self.stream, min(len(SIGNATURE), self._left))
        if data != SIGNATURE:
            short = SIGNATURE.startswith(data)
            error = TruncatedError if short else FormatError
            raise error("file", "signature", SIGNATURE.hex(" "), data.hex(" ") or "nothing")
        self._left -= len(SIGNATURE)

    def _read_chunk_head(self) -> tuple[bytes, int]:
        fields = _parse_chunk_head(self._read(HEAD_SIZE, "file", "chunk head"))
        kind: bytes = fields["type"]
        if not is_type(kind):
            expected = "a letter, then letters, digits or spaces"
            raise FormatError("file", "chunk type", expected, repr(kind))
        return kind, fields["length"]

    def _read_chunk_body(self, kind: bytes, length: int) -> bytes:
        name = kind.decode()
        payload = self._read(length, name, "payload")
        found = int.from_bytes(self._read(CRC_SIZE, name, "crc"), "big")
        expected = crc_of(kind, payload)
        if found != expected:
            raise FormatError(name, "crc", f"{expected:08x}", f"{found:08x}")
        return payload

    def _read_fixed(self, kind: bytes, length: int) -> bytes:
        """Read a chunk that must come next and be of this length."""
        found, found_length = self._read_chunk_head()
        if found != kind:
            raise FormatError("file", "chunk order", kind.decode(), found.decode())
        if found_length != length:
            raise FormatError(kind.decode(), "length", length, found_length)
        return self._read_chunk_body(kind, length)

    def _read_head(self) -> Head:
        return parse_header(self._read_fixed(b"HEAD", HEADER_SIZE))

    def _read_codebook(self) -> np.ndarray:
        shape = self.head.colors, self.head.channels
        payload = self._read_fixed(b"CODE", shape[0] * shape[1])
        return np.frombuffer(payload, np.uint8).reshape(shape)

    def _read_prologue(self, max_metadata: int, max_chunks: int) -> None:
        payloads: dict[bytes, bytes] = {}
        total = 0
        for number in range(MAX_PROLOGUE_CHUNKS + 1):
            kind, length = self._read_chunk_head()
            name = kind.decode()
            if kind == b"LABL":
                break
            if max_chunks <= number < MAX_PROLOGUE_CHUNKS:
                raise LimitError("file", "chunks before LABL", f"max_chunks={max_chunks}", "more")
            if kind in payloads:
                raise FormatError(name, "count", 1, "another")
            if kind == b"RANK":
                if not self.head.predictor:
                    raise FormatError(name, "count", "0 with predictor 0", 1)
                self._check_ranking_length(length)
            elif kind == b"tidx":
                if length != 4 * self.head.tiles:
                    raise FormatError(name, "length", 4 * self.head.tiles, length)
            elif kind in (b"HEAD", b"CODE", b"DONE"):
                raise FormatError("file", "chunk order", "LABL or a chunk before it", name)
            elif name[0].isupper():
                raise UnsupportedError("file", "critical chunk", "a known one", name)
            else:
                total += length
                self._check_metadata_length(name, length, total, max_metadata)
            payload = self._read_chunk_body(kind, length)
            if kind in (b"RANK", b"tidx", *METADATA_TYPES.values()):
                payloads[kind] = payload
        else:
            raise FormatError("file", "chunks before LABL", MAX_PROLOGUE_CHUNKS, "more")
        self._left += HEAD_SIZE
        self.ranking = payloads.get(b"RANK")
        if self.head.predictor and self.ranking is None:
            raise FormatError("RANK", "count", "1 with predictor 1 or 2", 0)
        if b"tidx" in payloads:
            # As TileIndex has it: there may be an entry for every pixel.
            self._lengths = np.frombuffer(payloads[b"tidx"], ">u4")
        self.metadata = parse_metadata(payloads)

    def _check_ranking_length(self, length: int) -> None:
        # Stored blocks are the worst that deflate can do to a table, with a little to spare.
        most = self.head.colors * MAX_COLORS * 2 + 1024
        if not MIN_STREAM <= length <= most:
            raise FormatError("RANK", "length", f"{MIN_STREAM} to {most}", length)

    @staticmethod
    def _check_metadata_length(name: str, length: int, total: int, max_metadata: int) -> None:
        if name.encode() in METADATA_TYPES.values() and not length:
            raise FormatError(name, "length", "at least 1", 0)
        if length > MAX_METADATA_CHUNK:
            raise FormatError(name, "length", f"at most {MAX_METADATA_CHUNK}", length)
        if total > MAX_METADATA:
            raise FormatError(name, "length of all metadata", f"at most {MAX_METADATA}", total)
        if total > max_metadata:
            raise LimitError(name, "length of all metadata", f"max_metadata={max_metadata}", total)

    def check_room(self) -> None:
        """Refuse an image that the rest of the file cannot hold (section 9.3)."""
        least = self.head.least_bytes
        found = self.file_bytes - self._labels_at
        if least > found:
            raise TruncatedError("LABL", "count", f"{self.head.tiles} in {least} bytes", found)

    def tiles(self, numbers: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        """Yield (number, zlib stream) of the tiles asked for, in the file's order.

        With a ``tidx`` nothing else is read; without one, the heads of the chunks between.

        Arguments:
            numbers: ascending, each below ``head.tiles``.
        """
        self._seek(self._labels_at)
        at = 0
        offsets = None
        if self._lengths is not None:
            sizes = self._lengths.astype(np.int64) + HEAD_SIZE + CRC_SIZE
            offsets = self._labels_at + np.cumsum(sizes) - sizes
        for number in numbers:
            if offsets is not None and number != at:
                self._seek(int(offsets[number]))
                at = number
            while at < number:
                self._skip(self._tile_length(at))
                at += 1
            yield number, self._read_chunk_body(b"LABL", self._tile_length(number))
            at += 1

    def _seek(self, offset: int) -> None:
        if offset > self.file_bytes:
            raise TruncatedError("tidx", "lengths", f"{offset} bytes", self.file_bytes)
        self.stream.seek(self._start + offset)
        self._left = self.file_bytes - offset

    def _skip(self, length: int) -> None:
        if length + CRC_SIZE > self._left:
            raise TruncatedError("LABL", "payload", f"{length + CRC_SIZE} bytes", self._left)
        self._seek(self.file_bytes - self._left + length + CRC_SIZE)

    def _tile_length(self, number: int) -> int:
        kind, length = self._read_chunk_head()
        if kind != b"LABL":
            raise FormatError("file", "chunk order", f"LABL of tile {number}", kind.decode())
        if self._lengths is not None and self._lengths[number] != length:
            found = int(self._lengths[number])
            raise FormatError("tidx", f"lengths[{number}]", length, found)
        height, width = self.head.tile_shape(number)
        check_ratio(length, height * width, "LABL")
        return length

    def finish(self) -> None:
        """Read ``DONE``, after the last tile, and see that nothing follows."""
        self._read_fixed(b"DONE", 0)
        if self._left:
            raise FormatError("file", "end", "nothing after DONE", f"{self._left} bytes")
