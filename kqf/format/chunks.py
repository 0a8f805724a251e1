"""Chunks: how they are framed, named and checked (section 4)."""

import struct
from collections.abc import Iterator

import deflate as libdeflate
from construct import (
    Bytes,
    Checksum,
    Const,
    Int32ub,
    Rebuild,
    Struct,
    len_,
    this,
)

from kqf.format.signature import SIGNATURE

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
Chunk = Struct(
    *_CHUNK_HEAD,
    "payload" / Bytes(this.length),
    "crc" / Checksum(Int32ub, lambda chunk: crc_of(chunk.type, chunk.payload), this),
)
HEAD_SIZE = 8
CRC_SIZE = 4
# Bytes of a chunk besides its payload.
FRAME_SIZE = HEAD_SIZE + CRC_SIZE
# As ChunkHead has it, but 20 times faster: a file may have a chunk for every pixel.
_CHUNK_HEAD_STRUCT = struct.Struct(">I4s")


def parse_chunk_head(data: bytes) -> tuple[int, bytes]:
    """Return length and type from the first eight bytes of a chunk (section 4.2)."""
    length, kind = _CHUNK_HEAD_STRUCT.unpack(data)
    return length, kind


def chunks_of(file: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the type of each chunk of a valid file, and the chunk with its frame."""
    at = len(SIGNATURE)
    while at < len(file):
        length, kind = parse_chunk_head(file[at : at + HEAD_SIZE])
        end = at + length + FRAME_SIZE
        yield kind, file[at:end]
        at = end


def build_chunk(kind: bytes, payload: bytes) -> bytes:
    """Return one chunk (section 4.2)."""
    return bytes(Chunk.build({"type": kind, "payload": payload}))


# What follows the last tile.
END = build_chunk(b"DONE", b"")
