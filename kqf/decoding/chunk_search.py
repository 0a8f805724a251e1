"""The chunks of a damaged file, found wherever they are."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import isqrt
from typing import BinaryIO

import deflate as libdeflate

from kqf.format.chunk_reader import take
from kqf.format.chunks import CRC_SIZE, FRAME_SIZE, HEAD_SIZE, crc_of, is_type, parse_chunk_head
from kqf.format.declarations import METADATA_TYPES

TYPES = re.compile(
    b"|".join(
        [
            *(b"CODE", b"PCOD", b"RANK", b"SHAP", b"ANIM", b"tidx"),
            *METADATA_TYPES.values(),
            *(b"oidx", b"over", b"LABL", b"FRAM", b"fidx", b"DONE"),
        ]
    )
)
# Bytes searched at a time.
_WINDOW = 2**20
# The file may be made to waste time: for each of its bytes, at most so many are read in search of
# chunks.
_MOST_SEARCHED = 16
# Bytes that looking at what may be a chunk takes as long as.
_CANDIDATE = 256
# Chunks at the most in which a flipped bit is looked for.
_MOST_MENDED = 10_000
# The polynomial of section 4.2.
_POLYNOMIAL = 0xEDB88320


@dataclass(frozen=True)
class FoundChunk:
    """A chunk from ``start`` to ``end`` in the file; its payload is None if it is damaged."""

    kind: bytes
    payload: bytes | None
    start: int
    end: int

    @property
    def place(self) -> tuple[int, int]:
        """Where it begins, and the length of its payload."""
        return self.start, self.end - self.start - FRAME_SIZE


class ChunkSearch:
    """The chunks of one file that may be damaged.

    Arguments:
        stream: binary file, seekable, at the start of the data.
        size: bytes of the file from there on.

    Attributes:
        notes: what was found damaged, in words, without repetitions.
    """

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self.size = size
        self.notes: list[str] = []
        self._stream = stream
        self._start = stream.tell()
        self._to_search = _MOST_SEARCHED * size
        self._to_mend = _MOST_MENDED

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def bytes_at(self, at: int, count: int) -> bytes:
        """Return bytes from an offset on, fewer at the end of the file."""
        count = min(count, self.size - at)
        if at < 0 or count <= 0:
            return b""
        self._stream.seek(self._start + at)
        return take(self._stream, count)

    def payload(self, kind: bytes, at: int, length: int) -> bytes | None:
        """Return the payload of a chunk, with one flipped bit put right; None if it is damaged.

        Its length and type need not be whole.
        """
        data = self.bytes_at(at, length + FRAME_SIZE)
        if len(data) < length + FRAME_SIZE:
            return None
        payload = data[HEAD_SIZE:-CRC_SIZE]
        difference = crc_of(kind, payload) ^ int.from_bytes(data[-CRC_SIZE:], "big")
        mended: bytes | None = payload
        if difference:
            self._to_mend -= 1
            mended = _mend(payload, difference) if self._to_mend >= 0 else None
        if mended is not None and (difference or data[:HEAD_SIZE] != _head(kind, length)):
            self.note(f"{kind.decode()} is put right")
        return mended

    def frame(self, at: int) -> tuple[bytes, int] | None:
        """Return type and length where a chunk may begin."""
        data = self.bytes_at(at, HEAD_SIZE)
        if len(data) < HEAD_SIZE:
            return None
        length, kind = parse_chunk_head(data)
        if not is_type(kind) or at + FRAME_SIZE + length > self.size:
            return None
        return kind, length

    def next_from(self, at: int) -> FoundChunk | None:
        """Return the chunk at an offset; where there is none, the next whole one."""
        damaged = None
        until = self.size
        if frame := self.frame(at):
            kind, length = frame
            end = at + FRAME_SIZE + length
            payload = self.payload(kind, at, length)
            if payload is not None:
                return FoundChunk(kind, payload, at, end)
            # Its length is right if another chunk follows, and none lies within.
            if end == self.size or self.frame(end):
                damaged, until = FoundChunk(kind, None, at, end), end
        for start in self._search(at + 1, until):
            if frame := self.frame(start):
                kind, length = frame
                self._to_search -= length + _CANDIDATE
                if self._to_search < 0:
                    break
                payload = self.bytes_at(start + HEAD_SIZE, length)
                end = start + FRAME_SIZE + length
                if crc_of(kind, payload) == int.from_bytes(self.bytes_at(end - CRC_SIZE, 4), "big"):
                    return FoundChunk(kind, payload, start, end)
        return damaged

    def _search(self, at: int, until: int) -> Iterator[int]:
        """Yield the offsets from one on, before another, where a chunk seems to begin."""
        while at < until:
            window = self.bytes_at(at, min(_WINDOW, until - at) + HEAD_SIZE - 1)
            self._to_search -= len(window)
            for match in TYPES.finditer(window, 4):
                yield at + match.start() - 4
            at += _WINDOW


def _head(kind: bytes, length: int) -> bytes:
    return length.to_bytes(4, "big") + kind


def _mend(payload: bytes, difference: int) -> bytes | None:
    """Return a payload with one bit flipped, so that its CRC-32 differs so; None if there is none.

    The CRC-32 changes by the same for every payload: by x to the power of the bit's distance from
    the end. A distance is so many whole strides less so many single steps.
    """
    if difference.bit_count() == 1:
        # A bit of the CRC-32 itself.
        return payload
    bits = 8 * len(payload)
    stride = 8 * (isqrt(bits) // 8 + 1)
    zeros = bytes(stride // 8)
    strides = {}
    change = _POLYNOMIAL
    for distance in range(0, bits + stride, stride):
        strides[change] = distance
        change = libdeflate.crc32(zeros, change) ^ libdeflate.crc32(zeros)
    for steps in range(stride):
        distance = strides.get(difference, -1) - steps
        if 0 <= distance < bits:
            mended = bytearray(payload)
            mended[len(payload) - 1 - distance // 8] ^= 0x80 >> distance % 8
            return bytes(mended)
        difference = difference >> 1 ^ (_POLYNOMIAL if difference & 1 else 0)
    return None
