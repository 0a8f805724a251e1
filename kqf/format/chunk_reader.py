"""The chunks of a file, read one after another."""

import copy
from collections.abc import Iterable
from typing import Any, BinaryIO, cast

from kqf.errors import FormatError, TruncatedError
from kqf.format import foreign
from kqf.format.chunks import CRC_SIZE, HEAD_SIZE, crc_of, is_type, parse_chunk_head
from kqf.format.signature import SIGNATURE


def take(stream: BinaryIO, count: int) -> bytes:
    """Return so many bytes, or as many as are left of a file that was cut meanwhile."""
    if not count:
        return b""
    data = stream.read(count) or b""
    if len(data) == count:
        return data
    # Unbuffered streams may give fewer than they are asked for.
    pieces = []
    while data:
        pieces.append(data)
        count -= len(data)
        data = (stream.read(count) or b"") if count else b""
    return b"".join(pieces)


class ChunkReader:
    """The chunks of one file, each checked before it is believed.

    Arguments:
        stream: binary file, seekable, at the start of the data.
        size: bytes of the file from there on.

    Attributes:
        size: as given.
        offset: how many of these bytes come before what is read next.
        whole_size: bytes that the file must have to be complete, as far as that is known by now.
    """

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self.size = size
        self.offset = 0
        self.whole_size: int | None = None
        self._stream = stream
        self._start = stream.tell()

    def on(self, stream: BinaryIO) -> "ChunkReader":
        """Return a reader of the same file through another stream, at the start of the data."""
        other = ChunkReader(stream, self.size)
        other.whole_size = self.whole_size
        return other

    def copy(self) -> "ChunkReader":
        """Return a reader of the same file through the same stream, at the same offset.

        The two must be used in turn, each with a seek before it reads.
        """
        return copy.copy(self)

    @property
    def left(self) -> int:
        """Bytes from the offset to the end of the file."""
        return self.size - self.offset

    def truncated(self, chunk: str, field: str, expected: object, found: object) -> TruncatedError:
        """Return an error that says how much of the file is there."""
        error = FormatError(chunk, field, expected, found)
        end = f"the file ends after {self.size:,} bytes"
        if self.whole_size and self.whole_size > self.size:
            end = f"{self.size:,} of the file's {self.whole_size:,} bytes are there"
            end += f" ({self.size / self.whole_size:.0%})"
        return TruncatedError(chunk, field, expected, found, f"{error}; {end}")

    def read_signature(self) -> None:
        """Read the signature (section 4.1)."""
        found = take(self._stream, min(len(SIGNATURE), self.size))
        self.offset = len(found)
        if found != SIGNATURE:
            error = TruncatedError if SIGNATURE.startswith(found) else FormatError
            message = foreign.describe(found + take(self._stream, min(foreign.SEEN, self.left)))
            found_text = found.hex(" ") or "nothing"
            raise error("file", "signature", SIGNATURE.hex(" "), found_text, message)

    def read_head(self) -> tuple[bytes, int]:
        """Read type and payload length of the next chunk."""
        length, kind = parse_chunk_head(self.read(HEAD_SIZE, "file", "chunk head"))
        if not is_type(kind):
            expected = "a letter, then letters, digits or spaces"
            raise FormatError("file", "chunk type", expected, repr(kind))
        return kind, length

    def read_body(self, kind: bytes, length: int) -> bytes:
        """Read the rest of a chunk, and return its payload."""
        name = kind.decode()
        payload = self.read(length, name, "payload")
        found = int.from_bytes(self.read(CRC_SIZE, name, "crc"), "big")
        expected = crc_of(kind, payload)
        if found != expected:
            raise FormatError(name, "crc", f"{expected:08x}", f"{found:08x}")
        return payload

    def read_fixed(self, kind: bytes, length: int) -> bytes:
        """Read a chunk that must come next and be of this length, and return its payload."""
        found, found_length = self.read_head()
        if found != kind:
            raise FormatError("file", "chunk order", kind.decode(), found.decode())
        if found_length != length:
            raise FormatError(kind.decode(), "length", length, found_length)
        return self.read_body(kind, length)

    def skip_body(self, kind: bytes, length: int) -> None:
        """Go on to what follows a chunk whose head has been read."""
        if length + CRC_SIZE > self.left:
            expected = f"{length + CRC_SIZE} bytes"
            raise self.truncated(kind.decode(), "payload", expected, self.left)
        self.seek(self.offset + length + CRC_SIZE)

    def read_part(self, offset: int, count: int, chunk: str) -> bytes:
        """Return a part of a chunk's payload, which is not checked."""
        self.seek(offset)
        return self.read(count, chunk, "payload")

    @property
    def fetches(self) -> bool:
        """Whether ``fetch`` saves requests."""
        return bool(getattr(self._stream, "fetches", False))

    def fetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Have ranges (start, end) of the file that will be read fetched at once."""
        shifted = [(self._start + start, self._start + end) for start, end in ranges]
        cast(Any, self._stream).fetch(shifted)

    def seek(self, offset: int) -> None:
        """Go to an offset, at most ``size``."""
        self._stream.seek(self._start + offset)
        self.offset = offset

    def read(self, count: int, chunk: str, field: str) -> bytes:
        """Read so many bytes of a chunk."""
        # Asking for no more than there is keeps a lie about a length from costing memory.
        if count > self.size - self.offset:
            raise self.truncated(chunk, field, f"{count} bytes", self.left)
        data = take(self._stream, count)
        if len(data) < count:
            raise self.truncated(chunk, field, f"{count} bytes", len(data))
        self.offset += count
        return data
