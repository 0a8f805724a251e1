"""The chunks of a KQF file: construct declarations and a reader and writer on top of them.

Structures and fields are named as in the tables of ``spec/kqf-1.md``; section numbers refer to it.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, BinaryIO

import deflate as libdeflate
import numpy as np
from construct import (
    Adapter,
    Array,
    Bytes,
    Checksum,
    Const,
    Construct,
    FormatField,
    Int8ub,
    Int32ub,
    Rebuild,
    Struct,
    len_,
    this,
)

from kqf.deflate import MAX_RATIO, MIN_STREAM, check_ratio
from kqf.errors import FormatError, LimitError, TruncatedError, UnsupportedError
from kqf.signature import SIGNATURE

VERSION = 1
MAX_SIDE = 2**31 - 1
MAX_COLORS = 256
# Section 9.1: limits of the format itself.
MAX_METADATA_CHUNK = 16 * 2**20
MAX_METADATA = 64 * 2**20
MAX_PROLOGUE_CHUNKS = 1024
# What Pillow allows at most by default, so that one file meets one limit in both doors.
MAX_PIXELS = 2 * 89_478_485

PREDICTORS = ("none", "left", "up")
# Metadata chunks, each at most once, by the key that Pillow knows them by (section 6).
METADATA_TYPES = {
    "icc_profile": b"iccp",
    "exif": b"exif",
    "xmp": b"xmp ",
    "dpi": b"phys",
    "comment": b"text",
}


class Allowed(Adapter):  # type: ignore[misc]
    """An integer that must lie in a range; anything else is a FormatError naming the field."""

    def __init__(self, subcon: Construct, chunk: str, field: str, allowed: range) -> None:
        super().__init__(subcon)
        self.chunk, self.field, self.allowed = chunk, field, allowed

    def check(self, value: int) -> None:
        if value not in self.allowed:
            low, high = self.allowed[0], self.allowed[-1]
            expected = str(low) if low == high else f"{low} to {high}"
            error = UnsupportedError if self.field == "version" else FormatError
            raise error(self.chunk, self.field, expected, value)

    def _decode(self, obj: int, context: Any, path: str) -> int:
        self.check(obj)
        return obj

    _encode = _decode


def _field(chunk: str, name: str, subcon: Construct, low: int, high: int) -> Construct:
    return name / Allowed(subcon, chunk, name, range(low, high + 1))


def flat_parser(declaration: Struct) -> Callable[[bytes], dict[str, Any]]:
    """Return a function that parses fields of fixed size as their declaration does, but fast.

    Opening a file is little else than this, and a file may have a chunk for every pixel.
    """
    fields = [(field.name, field.subcon) for field in declaration.subcons]
    checks = [(name, subcon) for name, subcon in fields if isinstance(subcon, Allowed)]
    formats = []
    for _, subcon in fields:
        while not isinstance(subcon, Bytes | FormatField):
            subcon = subcon.subcon
        formats.append(f"{subcon.length}s" if isinstance(subcon, Bytes) else subcon.fmtstr[1:])
    unpack = struct.Struct(">" + "".join(formats)).unpack
    names = [name for name, _ in fields]

    def parse(data: bytes) -> dict[str, Any]:
        values = dict(zip(names, unpack(data), strict=True))
        for name, subcon in checks:
            subcon.check(values[name])
        return values

    return parse


# Section 4.1.
Signature = Struct("signature" / Const(SIGNATURE))


def is_type(kind: bytes) -> bool:
    """Tell whether four bytes may be the type of a chunk (section 4.3)."""
    return kind.isascii() and kind[:1].isalpha() and kind.replace(b" ", b"").isalnum()


def crc_of(kind: bytes, payload: bytes) -> int:
    """Return the CRC-32 of a chunk (section 4.2)."""
    return int(libdeflate.crc32(payload, libdeflate.crc32(kind)))


# Section 4.2. The head is read alone first, so that a length can be refused before it is believed.
_CHUNK_HEAD = ("length" / Rebuild(Int32ub, len_(this.payload)), "type" / Bytes(4))
ChunkHead = Struct(*_CHUNK_HEAD)
_parse_chunk_head = flat_parser(ChunkHead)
Chunk = Struct(
    *_CHUNK_HEAD,
    "payload" / Bytes(this.length),
    "crc" / Checksum(Int32ub, lambda chunk: crc_of(chunk.type, chunk.payload), this),
)
HEAD_SIZE = 8
CRC_SIZE = 4

# Section 5.1.
Header = Struct(
    _field("HEAD", "width", Int32ub, 1, MAX_SIDE),
    _field("HEAD", "height", Int32ub, 1, MAX_SIDE),
    _field("HEAD", "tile_width", Int32ub, 1, MAX_SIDE),
    _field("HEAD", "tile_height", Int32ub, 1, MAX_SIDE),
    _field("HEAD", "version", Int8ub, VERSION, VERSION),
    _field("HEAD", "channels", Int8ub, 1, 4),
    _field("HEAD", "last_label", Int8ub, 0, MAX_COLORS - 1),
    _field("HEAD", "predictor", Int8ub, 0, len(PREDICTORS) - 1),
)
HEADER_SIZE: int = Header.sizeof()
_parse_header_fields = flat_parser(Header)

# Section 6.4.
Physical = Struct(
    _field("phys", "x_pixels", Int32ub, 1, 2**32 - 1),
    _field("phys", "y_pixels", Int32ub, 1, 2**32 - 1),
    _field("phys", "unit_micrometres", Int32ub, 1, 2**32 - 1),
)
MICROMETRES_PER_INCH = 25_400
_DPI_STEPS = 1000  # of one inch: finer than any density met in practice

# Section 6.6.
TileIndex = Struct("lengths" / Array(this._.tiles, Int32ub))


@dataclass(frozen=True)
class Head:
    """The fields of ``HEAD`` (section 5.1), and what follows from them."""

    width: int
    height: int
    tile_width: int
    tile_height: int
    channels: int
    last_label: int
    predictor: int

    @property
    def colors(self) -> int:
        return self.last_label + 1

    @property
    def columns(self) -> int:
        """Number of tiles side by side."""
        return -(-self.width // self.tile_width)

    @property
    def rows(self) -> int:
        """Number of tiles below one another."""
        return -(-self.height // self.tile_height)

    @property
    def tiles(self) -> int:
        return self.columns * self.rows

    @property
    def tile(self) -> tuple[int, int]:
        """Width and height of a whole tile."""
        return self.tile_width, self.tile_height

    @property
    def least_bytes(self) -> int:
        """Bytes that all tiles take at least (section 9.3)."""
        streams = max(self.tiles * MIN_STREAM, -(-self.width * self.height // MAX_RATIO))
        return self.tiles * (HEAD_SIZE + CRC_SIZE) + streams

    def tile_box(self, number: int) -> tuple[int, int, int, int]:
        """Return (left, upper, right, lower) of a tile in pixels, cut off at the image's edge."""
        row, column = divmod(number, self.columns)
        left, upper = column * self.tile_width, row * self.tile_height
        right = min(left + self.tile_width, self.width)
        return left, upper, right, min(upper + self.tile_height, self.height)

    def tile_shape(self, number: int) -> tuple[int, int]:
        """Return (height, width) of a tile in pixels."""
        left, upper, right, lower = self.tile_box(number)
        return lower - upper, right - left


def parse_header(payload: bytes) -> Head:
    """Return the fields of ``HEAD``, all checked."""
    fields = _parse_header_fields(payload)
    del fields["version"]
    return Head(**fields)


def build_chunk(kind: bytes, payload: bytes) -> bytes:
    """Return one chunk (section 4.2)."""
    return bytes(Chunk.build({"type": kind, "payload": payload}))


# What follows the last tile.
END = build_chunk(b"DONE", b"")


def build(
    head: Head,
    codebook: np.ndarray,
    ranking: bytes | None,
    metadata: Mapping[str, object],
    streams: Iterable[bytes],
) -> bytes:
    """Return a whole file from its parts.

    Arguments:
        codebook: (K, C) uint8.
        ranking: the zlib stream of ``RANK``, None with predictor 0.
        metadata: as ``IndexedImage.metadata``.
        streams: the zlib stream of each tile, in the order of the tiles.
    """
    streams = list(streams)
    lengths = [len(stream) for stream in streams]
    parts = [build_prologue(head, codebook, ranking, metadata, lengths)]
    parts += map(build_tile, streams)
    parts.append(END)
    return b"".join(parts)


def build_prologue(
    head: Head,
    codebook: np.ndarray,
    ranking: bytes | None,
    metadata: Mapping[str, object],
    lengths: Sequence[int],
) -> bytes:
    """Return all that stands before the first tile.

    Arguments:
        lengths: bytes of each tile's stream; the result is as long for any. Others: as of build.
    """
    parts = [SIGNATURE, build_chunk(b"HEAD", Header.build({"version": VERSION} | vars(head)))]
    parts.append(build_chunk(b"CODE", codebook.tobytes()))
    if ranking is not None:
        parts.append(build_chunk(b"RANK", ranking))
    parts += [build_chunk(kind, payload) for kind, payload in build_metadata(metadata)]
    if len(lengths) > 1:
        parts.append(
            build_chunk(b"tidx", TileIndex.build({"lengths": lengths}, tiles=len(lengths)))
        )
    return b"".join(parts)


def build_tile(stream: bytes) -> bytes:
    """Return the chunk of a tile's stream."""
    return build_chunk(b"LABL", stream)


def build_metadata(metadata: Mapping[str, object]) -> Iterator[tuple[bytes, bytes]]:
    """Yield (chunk type, payload) for each entry (section 6).

    Raises:
        ValueError, TypeError: an unknown key, a value of the wrong type or too long.
    """
    if not isinstance(metadata, Mapping):
        raise TypeError(f"metadata must be a mapping, as a dict is, not {type(metadata).__name__}")
    total = 0
    for key in metadata:
        if key not in METADATA_TYPES:
            raise ValueError(
                f"unknown metadata {key!r}: expected one of {', '.join(METADATA_TYPES)}"
            )
    for key, kind in METADATA_TYPES.items():
        if key not in metadata:
            continue
        payload = _build_value(key, metadata[key])
        total += len(payload)
        if not 1 <= len(payload) <= MAX_METADATA_CHUNK or total > MAX_METADATA:
            raise ValueError(
                f"metadata {key!r} takes {len(payload)} bytes: expected 1 to {MAX_METADATA_CHUNK}, "
                f"and at most {MAX_METADATA} for all of it"
            )
        yield kind, payload


def _build_value(key: str, value: Any) -> bytes:
    if key == "dpi":
        numbers = tuple(value) if isinstance(value, Iterable) else ()
        if len(numbers) != 2 or not all(
            isinstance(number, Real) and not isinstance(number, bool) for number in numbers
        ):
            raise TypeError(f"metadata 'dpi' must be two numbers, not {value!r:.80}")
        x, y = (float(number) for number in numbers)
        steps = 1 if x.is_integer() and y.is_integer() else _DPI_STEPS
        pixels = [round(number * steps) if 0 < number < 2**32 else 0 for number in (x, y)]
        if not all(0 < count < 2**32 for count in pixels):
            least, most = 1 / steps, (2**32 - 1) / steps
            raise ValueError(f"metadata 'dpi' must be {least} to {most}, not {value!r}")
        unit = MICROMETRES_PER_INCH * steps
        fields = {"x_pixels": pixels[0], "y_pixels": pixels[1], "unit_micrometres": unit}
        return bytes(Physical.build(fields))
    if key == "comment":
        if not isinstance(value, str):
            raise TypeError(f"metadata 'comment' must be a str, not {type(value).__name__}")
        if "\0" in value:
            raise ValueError(f"metadata 'comment' must have no NUL, not {value!r:.80}")
        try:
            return value.encode()
        except UnicodeEncodeError as error:
            found = f"{error.reason} at {error.start}"
            raise ValueError(f"metadata 'comment' must be valid in UTF-8: {found}") from error
    if not isinstance(value, bytes):
        raise TypeError(f"metadata {key!r} must be bytes, not {type(value).__name__}")
    return value


def _parse_value(key: str, payload: bytes) -> object:
    if key == "dpi":
        if len(payload) != Physical.sizeof():
            raise FormatError("phys", "length", Physical.sizeof(), len(payload))
        fields = Physical.parse(payload)
        pixels = fields.x_pixels, fields.y_pixels
        # One division alone, so that the nearest float comes out.
        x, y = (count * MICROMETRES_PER_INCH / fields.unit_micrometres for count in pixels)
        return x, y
    if key == "comment":
        try:
            text = payload.decode()
        except UnicodeDecodeError as error:
            raise FormatError(
                "text", "payload", "UTF-8", f"{error.reason} at {error.start}"
            ) from error
        if "\0" in text:
            raise FormatError("text", "payload", "no NUL", f"one at {text.index(chr(0))}")
        return text
    return payload


def parse_metadata(payloads: Mapping[bytes, bytes]) -> dict[str, object]:
    """Return ``IndexedImage.metadata`` from the payloads of chunks, the inverse of building."""
    return {
        key: _parse_value(key, payloads[kind])
        for key, kind in METADATA_TYPES.items()
        if kind in payloads
    }


def take(stream: BinaryIO, count: int) -> bytes:
    """Return so many bytes, or as many as are left of a file that was cut meanwhile."""
    pieces = []
    # Unbuffered streams may give fewer than they are asked for.
    while count and (piece := stream.read(count)):
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


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
