"""What can still be read of a damaged file."""

import re
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import isqrt
from typing import BinaryIO

import deflate as libdeflate
import numpy as np

from kqf.errors import FormatError, KqfError, LimitError, TruncatedError, UnsupportedError
from kqf.format.chunks import CRC_SIZE, END, HEAD_SIZE, crc_of, is_type, take
from kqf.format.declarations import (
    HEADER_SIZE,
    MAX_METADATA,
    MAX_PIXELS,
    MAX_PROLOGUE_CHUNKS,
    METADATA_TYPES,
)
from kqf.format.header import parse_header
from kqf.format.metadata import parse_metadata
from kqf.format.reader import Reader
from kqf.format.signature import SIGNATURE
from kqf.format.streams import MIN_STREAM, inflate_symbols

Box = tuple[int, int, int, int]

_FRAME = HEAD_SIZE + CRC_SIZE
_METADATA = frozenset(METADATA_TYPES.values())
_TYPES = re.compile(b"|".join([b"RANK", b"tidx", *sorted(_METADATA), b"LABL", b"DONE"]))
# Bytes searched at a time.
_WINDOW = 2**20
# A file may come from an enemy. At the most, for each byte of it, so many are read in search of
# chunks, and so many may its tiles need.
_MOST_SEARCHED = 16
_MOST_MISSING = 4
# Bytes that looking at what may be a chunk takes as long as.
_CANDIDATE = 256
# Chunks at the most in which a flipped bit is looked for.
_MOST_MENDED = 10_000
# The polynomial of section 4.2.
_POLYNOMIAL = 0xEDB88320
# Tiles that a message names.
_NAMED = 6


class DamageWarning(UserWarning):
    """A file is damaged, and what is whole of it was read.

    Attributes:
        lost: (left, upper, right, lower) in pixels of each tile that could not be read.
        tiles: number of tiles that were to be read.
        notes: what else is damaged, in words.
    """

    def __init__(self, lost: tuple[Box, ...], tiles: int, notes: tuple[str, ...]) -> None:
        super().__init__(lost, tiles, notes)
        self.lost = lost
        self.tiles = tiles
        self.notes = notes

    def __str__(self) -> str:
        texts = list(self.notes)
        if self.lost:
            boxes = ", ".join(map(str, self.lost[:_NAMED]))
            more = f" and {len(self.lost) - _NAMED} more" if len(self.lost) > _NAMED else ""
            texts.append(f"{len(self.lost)} of {self.tiles} tiles are lost: {boxes}{more}")
        return "; ".join(texts)


@dataclass(frozen=True)
class _Found:
    """A chunk from ``start`` to ``end`` in the file; its payload is None if it is damaged."""

    kind: bytes
    payload: bytes | None
    start: int
    end: int


class Salvager:
    """The chunks of one file, as far as they are whole; it stands in for a ``Reader``.

    What its CRC-32 does not bear out is lost, but for single flipped bits, which are put right.
    ``HEAD``, ``CODE`` and, with a predictor, ``RANK`` are needed for any tile. Which tile a
    ``LABL`` is follows from ``tidx`` and its place as seen from either end of the file; without
    ``tidx``, from counting them from either end.

    Attributes:
        lost: numbers of tiles that were asked for and are not whole.
        notes: what else is damaged, in words.
    """

    def __init__(
        self,
        stream: BinaryIO,
        size: int,
        max_metadata: int = MAX_METADATA,
        max_chunks: int = MAX_PROLOGUE_CHUNKS,
    ) -> None:
        self.stream = stream
        self.file_bytes = size
        self.notes: list[str] = []
        self.lost: list[int] = []
        self._asked = 0
        # Whether the first LABL that is found is that of the first tile.
        self._is_counted = True
        self._start = stream.tell()
        self._to_search = _MOST_SEARCHED * size
        self._to_mend = _MOST_MENDED
        self._check_signature()
        self.head = parse_header(self._read_fixed(b"HEAD", len(SIGNATURE), HEADER_SIZE))
        at = len(SIGNATURE) + HEADER_SIZE + _FRAME
        shape = self.head.colors, self.head.channels
        entries = self._read_fixed(b"CODE", at, shape[0] * shape[1])
        self.codebook = np.frombuffer(entries, np.uint8).reshape(shape)
        payloads = self._read_prologue(at + _FRAME + len(entries), max_metadata, max_chunks)
        self.ranking = payloads.get(b"RANK")
        if self.head.predictor and self.ranking is None:
            raise FormatError("RANK", "count", "a whole one", "none")
        self.metadata = self._parse_metadata(payloads)
        self._is_ended = self._bytes(size - len(END), len(END)) == END
        if not self._is_ended:
            self._note("it does not end with DONE")
        self._places = self._find_places(payloads.get(b"tidx"))
        self._strict: Reader | None = None
        with self._broken_rule_noted():
            self.stream.seek(self._start)
            self._strict = Reader(stream, size, max_metadata, max_chunks)

    @contextmanager
    def _broken_rule_noted(self) -> Iterator[None]:
        """Note a rule that is broken, though nothing is damaged (R11.3-3)."""
        try:
            yield
        except KqfError as error:
            if not self.notes:
                self._note(str(error))

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _bytes(self, at: int, count: int) -> bytes:
        """Return bytes from an offset on, fewer at the end of the file."""
        count = min(count, self.file_bytes - at)
        if at < 0 or count <= 0:
            return b""
        self.stream.seek(self._start + at)
        return take(self.stream, count)

    def _check_signature(self) -> None:
        found = self._bytes(0, len(SIGNATURE))
        if found == SIGNATURE:
            return
        if self._bytes(len(SIGNATURE) + 4, 4) != b"HEAD":
            raise FormatError("file", "signature", SIGNATURE.hex(" "), found.hex(" ") or "nothing")
        self._note("the signature is damaged")

    def _read_fixed(self, kind: bytes, at: int, length: int) -> bytes:
        """Return the payload of a chunk that is known to be there; its head need not be whole."""
        name = kind.decode()
        if at + _FRAME + length > self.file_bytes:
            raise TruncatedError(name, "payload", f"{length} bytes", self.file_bytes - at)
        payload = self._payload(kind, at, length)
        if payload is None:
            raise FormatError(name, "payload", "a whole one", "a damaged one")
        return payload

    def _payload(self, kind: bytes, at: int, length: int) -> bytes | None:
        """Return the payload of a chunk, with one flipped bit put right; None if it is damaged.

        Its length and type need not be whole.
        """
        data = self._bytes(at, length + _FRAME)
        if len(data) < length + _FRAME:
            return None
        payload = data[HEAD_SIZE:-CRC_SIZE]
        difference = crc_of(kind, payload) ^ int.from_bytes(data[-CRC_SIZE:], "big")
        mended: bytes | None = payload
        if difference:
            self._to_mend -= 1
            mended = _mend(payload, difference) if self._to_mend >= 0 else None
        if mended is not None and (difference or data[:HEAD_SIZE] != _head(kind, length)):
            self._note(f"{kind.decode()} is put right")
        return mended

    def _frame(self, at: int) -> tuple[bytes, int] | None:
        """Return type and length where a chunk may begin."""
        data = self._bytes(at, HEAD_SIZE)
        length = int.from_bytes(data[:4], "big")
        if len(data) < HEAD_SIZE or not is_type(data[4:]) or at + _FRAME + length > self.file_bytes:
            return None
        return data[4:], length

    def _next(self, at: int) -> _Found | None:
        """Return the chunk at an offset; where there is none, the next whole one."""
        damaged = None
        until = self.file_bytes
        if frame := self._frame(at):
            kind, length = frame
            end = at + _FRAME + length
            payload = self._payload(kind, at, length)
            if payload is not None:
                return _Found(kind, payload, at, end)
            # Its length is right if another chunk follows, and none lies within.
            if end == self.file_bytes or self._frame(end):
                damaged, until = _Found(kind, None, at, end), end
        for start in self._search(at + 1, until):
            if frame := self._frame(start):
                kind, length = frame
                self._to_search -= length + _CANDIDATE
                if self._to_search < 0:
                    break
                payload = self._bytes(start + HEAD_SIZE, length)
                end = start + _FRAME + length
                if crc_of(kind, payload) == int.from_bytes(self._bytes(end - CRC_SIZE, 4), "big"):
                    return _Found(kind, payload, start, end)
        return damaged

    def _search(self, at: int, until: int) -> Iterator[int]:
        """Yield the offsets from one on, before another, where a chunk seems to begin."""
        while at < until:
            window = self._bytes(at, min(_WINDOW, until - at) + HEAD_SIZE - 1)
            self._to_search -= len(window)
            for match in _TYPES.finditer(window, 4):
                yield at + match.start() - 4
            at += _WINDOW

    def _read_prologue(self, at: int, max_metadata: int, max_chunks: int) -> dict[bytes, bytes]:
        payloads: dict[bytes, bytes] = {}
        count = total = 0
        while chunk := self._next(at):
            if chunk.start != at or chunk.payload is None:
                end = chunk.end if chunk.start == at else chunk.start
                chunk = self._headless(at, end, payloads) or chunk
            if chunk.kind in (b"LABL", b"DONE"):
                break
            if chunk.payload is None and not _TYPES.fullmatch(chunk.kind):
                # It may be the first tile.
                self._is_counted = False
                following = self._frame(chunk.end)
                if following and following[0] in (b"LABL", b"DONE"):
                    break
            if chunk.start != at:
                self._is_counted = False
                self._note("something before the tiles is lost")
            at = chunk.end
            name = chunk.kind.decode()
            count += 1
            if chunk.kind not in (b"RANK", b"tidx"):
                total += chunk.end - chunk.start - _FRAME
            if count > max_chunks:
                raise LimitError("file", "chunks before LABL", f"max_chunks={max_chunks}", "more")
            if total > max_metadata:
                limit = f"max_metadata={max_metadata}"
                raise LimitError(name, "length of all metadata", limit, total)
            if chunk.payload is None:
                self._note(f"{name} is lost")
            elif name[0].isupper() and chunk.kind != b"RANK":
                raise UnsupportedError("file", "critical chunk", "a known one", name)
            else:
                payloads.setdefault(chunk.kind, chunk.payload)
        self._labels_at = at
        return payloads

    def _headless(self, at: int, end: int, known: Container[bytes]) -> _Found | None:
        """Return the one chunk that lies between two offsets and whose head is damaged."""
        length = end - at - _FRAME
        for kind in (b"RANK", b"tidx", *sorted(_METADATA)):
            if length >= 0 and kind not in known:
                payload = self._payload(kind, at, length)
                if payload is not None:
                    return _Found(kind, payload, at, end)
        return None

    def _parse_metadata(self, payloads: dict[bytes, bytes]) -> dict[str, object]:
        metadata: dict[str, object] = {}
        for kind in _METADATA & payloads.keys():
            try:
                metadata |= parse_metadata({kind: payloads[kind]})
            except FormatError:
                self._note(f"{kind.decode()} is lost")
        return metadata

    def _find_places(self, index: bytes | None) -> dict[int, list[tuple[int, int]]]:
        """Return, by the number of its tile, offsets and lengths that a ``LABL`` may have."""
        if index is None or len(index) != 4 * self.head.tiles:
            return self._count_places()
        lengths = np.frombuffer(index, ">u4").astype(np.int64)
        ends = np.cumsum(lengths + _FRAME)
        firsts = {self._labels_at}
        if self._is_ended:
            firsts.add(self.file_bytes - len(END) - int(ends[-1]))
        if len(firsts) > 1:
            self._note("its length is not that of its parts")
        places: dict[int, list[tuple[int, int]]] = {}
        for first in firsts:
            starts = first + ends - lengths - _FRAME
            there = (starts >= 0) & (first + ends <= self.file_bytes) & (lengths >= MIN_STREAM)
            for number in np.flatnonzero(there).tolist():
                places.setdefault(number, []).append((int(starts[number]), int(lengths[number])))
        return places

    def _count_places(self) -> dict[int, list[tuple[int, int]]]:
        """Number the ``LABL`` chunks that stand in one whole piece with either end of the file."""
        found: list[_Found] = []
        at = self._labels_at
        in_one_piece = self._is_counted
        done = False
        while not done and (chunk := self._next(at)):
            in_one_piece = in_one_piece and chunk.start == at
            done = chunk.kind == b"DONE"
            found.append(chunk)
            at = chunk.end
        tiles = self.head.tiles
        if in_one_piece and done and len(found) == tiles + 1:
            return {number: [_place(chunk)] for number, chunk in enumerate(found[:-1])}
        self._note("the tiles do not follow one another")
        # One that is damaged may have hidden others.
        first = self._labels_at
        from_start = []
        for chunk in found if self._is_counted else []:
            if chunk.payload is None or chunk.start != first or chunk.kind == b"DONE":
                break
            from_start.append(chunk)
            first = chunk.end
        last = self.file_bytes - len(END)
        from_end = []
        for chunk in reversed(found[:-1] if done else []):
            if chunk.payload is None or chunk.end != last:
                break
            from_end.append(chunk)
            last = chunk.start
        rest = tiles - len(from_start) - len(from_end)
        if rest < 0:
            # Nothing tells which are too many.
            return {}
        places = dict(enumerate(map(_place, from_start)))
        places |= dict(enumerate(map(_place, reversed(from_end)), tiles - len(from_end)))
        if rest == 1:
            # All between the two must be the one tile that is missing.
            places[len(from_start)] = first, last - first - _FRAME
        return {number: [place] for number, place in places.items() if place[1] >= MIN_STREAM}

    def check_room(self) -> None:
        """Refuse an image of which hardly anything can be there."""
        least = self.head.least_bytes
        most = self.file_bytes
        if self.head.tiles * (_FRAME + MIN_STREAM) > _MOST_MISSING * most or (
            self.head.width * self.head.height > MAX_PIXELS and least > most
        ):
            raise TruncatedError("LABL", "count", f"{self.head.tiles} in {least} bytes", most)

    def tiles(self, numbers: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        """Yield (number, zlib stream) of those tiles asked for whose stream is whole."""
        for number in numbers:
            self._asked += 1
            places = self._places.get(number, [])
            found = (self._stream(number, *place) for place in places)
            streams = {stream for stream in found if stream}
            # Two that differ, seen from either end: who knows which is the one.
            if len(streams) == 1:
                yield number, streams.pop()
            else:
                self.lost.append(number)

    def _stream(self, number: int, at: int, length: int) -> bytes | None:
        # Of few and low symbols the stream's own Adler-32 would let too many changes pass.
        stream = self._payload(b"LABL", at, length)
        if stream:
            with suppress(KqfError):
                shape = self.head.tile_shape(number)
                inflate_symbols(stream, shape, self.head.last_label, number)
                return stream
        return None

    def finish(self) -> None:
        """Note what no tile is lost by, but a Reader refuses."""
        if self._strict and not self.lost and not self.notes:
            with self._broken_rule_noted():
                for _ in self._strict.tiles(range(self.head.tiles)):
                    pass
                self._strict.finish()

    def damage(self) -> DamageWarning | None:
        """Return what is wrong with the file and the tiles asked for; None if nothing is."""
        if not self.lost and not self.notes:
            return None
        boxes = map(self.head.tile_box, self.lost)
        return DamageWarning(tuple(boxes), self._asked, tuple(self.notes))


def _head(kind: bytes, length: int) -> bytes:
    return length.to_bytes(4, "big") + kind


def _place(chunk: _Found) -> tuple[int, int]:
    return chunk.start, chunk.end - chunk.start - _FRAME


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
