"""What can still be read of a damaged file."""

from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

import numpy as np

from kqf.decoding.chunk_search import TYPES, ChunkSearch, FoundChunk
from kqf.errors import (
    Box,
    DamageWarning,
    FormatError,
    KqfError,
    LimitError,
    TruncatedError,
    UnsupportedError,
)
from kqf.format import foreign
from kqf.format.chunks import END, FRAME_SIZE, HEAD_SIZE, parse_chunk_head
from kqf.format.declarations import (
    HEADER_SIZE,
    MAX_METADATA,
    MAX_PIXELS,
    MAX_PROLOGUE_CHUNKS,
    METADATA_TYPES,
)
from kqf.format.header import parse_header
from kqf.format.metadata import parse_metadata
from kqf.format.reader import ImageReader
from kqf.format.signature import SIGNATURE
from kqf.format.streams import MIN_STREAM
from kqf.format.tiles import decode_rows, decode_tile

# The file may be made to waste memory: for each of its bytes, its tiles may need at most so many.
_MOST_MISSING = 4
# Bytes searched at a time for the end of a file.
_WINDOW = 2**16


class Salvager:
    """The image in one damaged file, used in place of an ``ImageReader``.

    A chunk whose CRC-32 is wrong is lost, unless a single bit was flipped, which is put right.
    ``HEAD``, ``CODE`` and, with a ranked predictor, ``RANK`` are needed for any tile. Which tile a
    ``LABL`` belongs to follows from ``tidx`` and its distance from either end of the file; without
    ``tidx``, from counting the chunks from either end. Of a tile that the end of the file cuts
    off, the rows whose symbols are there are read, though nothing can confirm them.

    Arguments, further attributes: those of ImageReader.

    Attributes:
        lost: boxes of tiles, or parts of a tile, that were asked for and can't be read.
    """

    def __init__(
        self,
        stream: BinaryIO,
        size: int,
        max_metadata: int = MAX_METADATA,
        max_chunks: int = MAX_PROLOGUE_CHUNKS,
        trailing: str = "error",
    ) -> None:
        start = stream.tell()
        self._search = ChunkSearch(stream, size)
        if trailing == "ignore":
            size = self._search.size = self._end()
        self.file_bytes = size
        self.lost: list[Box] = []
        self._asked = 0
        # The tile that the end of the file cuts off, the bytes of it that are there, and the box of
        # the rows read from them.
        self._cut: tuple[int, bytes] | None = None
        self._doubtful: Box | None = None
        # Whether the first LABL that is found is that of the first tile.
        self._is_counted = True
        self._check_signature()
        self.head = parse_header(self._read_fixed(b"HEAD", len(SIGNATURE), HEADER_SIZE))
        at = len(SIGNATURE) + HEADER_SIZE + FRAME_SIZE
        shape = self.head.colors, self.head.channels
        entries = self._read_fixed(b"CODE", at, shape[0] * shape[1])
        self.codebook = np.frombuffer(entries, np.uint8).reshape(shape)
        payloads = self._read_prologue(at + FRAME_SIZE + len(entries), max_metadata, max_chunks)
        self.ranking = payloads.get(b"RANK")
        if self.head.predictor.is_ranked and self.ranking is None:
            raise FormatError("RANK", "count", "a whole one", "none")
        self.metadata = self._parse_metadata(payloads)
        self._is_ended = self._search.bytes_at(size - len(END), len(END)) == END
        if not self._is_ended:
            self._search.note("it does not end with DONE")
        self._places = self._find_places(payloads.get(b"tidx"))
        self._strict: ImageReader | None = None
        with self._broken_rule_noted():
            stream.seek(start)
            self._strict = ImageReader(stream, size, max_metadata, max_chunks)

    def _end(self) -> int:
        """Return where the file ends if bytes after ``DONE`` do not count."""
        for at in range(self._search.size - 1, -_WINDOW, -_WINDOW):
            first = max(at - _WINDOW, 0)
            window = self._search.bytes_at(first, at - first + len(END))
            if (found := window.rfind(END)) >= 0:
                return first + found + len(END)
        return self._search.size

    @contextmanager
    def _broken_rule_noted(self) -> Iterator[None]:
        """Note a rule that is broken, though nothing is damaged (R11.3-3)."""
        try:
            yield
        except KqfError as error:
            if not self._search.notes:
                self._search.note(str(error))

    def _check_signature(self) -> None:
        found = self._search.bytes_at(0, len(SIGNATURE))
        if found == SIGNATURE:
            return
        if self._search.bytes_at(len(SIGNATURE) + 4, 4) != b"HEAD":
            message = foreign.describe(self._search.bytes_at(0, foreign.SEEN))
            expected, found_text = SIGNATURE.hex(" "), found.hex(" ") or "nothing"
            raise FormatError("file", "signature", expected, found_text, message)
        self._search.note("the signature is damaged")

    def _read_fixed(self, kind: bytes, at: int, length: int) -> bytes:
        """Return the payload of a chunk that is known to be there; its head need not be whole."""
        name = kind.decode()
        if at + FRAME_SIZE + length > self.file_bytes:
            raise TruncatedError(name, "payload", f"{length} bytes", self.file_bytes - at)
        payload = self._search.payload(kind, at, length)
        if payload is None:
            raise FormatError(name, "payload", "a whole one", "a damaged one")
        return payload

    def _read_prologue(self, at: int, max_metadata: int, max_chunks: int) -> dict[bytes, bytes]:
        payloads: dict[bytes, bytes] = {}
        count = total = 0
        while chunk := self._search.next_from(at):
            if chunk.start != at or chunk.payload is None:
                end = chunk.end if chunk.start == at else chunk.start
                chunk = self._headless(at, end, payloads) or chunk
            if chunk.kind in (b"LABL", b"DONE"):
                break
            if chunk.payload is None and not TYPES.fullmatch(chunk.kind):
                # It may be the first tile.
                self._is_counted = False
                following = self._search.frame(chunk.end)
                if following and following[0] in (b"LABL", b"DONE"):
                    break
            if chunk.start != at:
                self._is_counted = False
                self._search.note("something before the tiles is lost")
            at = chunk.end
            name = chunk.kind.decode()
            count += 1
            if chunk.kind not in (b"RANK", b"tidx"):
                total += chunk.end - chunk.start - FRAME_SIZE
            if count > max_chunks:
                raise LimitError("chunks before LABL", "max_chunks", max_chunks, "more")
            if total > max_metadata:
                raise LimitError("bytes of metadata", "max_metadata", max_metadata, total)
            if chunk.payload is None:
                self._search.note(f"{name} is lost")
            elif name[0].isupper() and chunk.kind != b"RANK":
                raise UnsupportedError("file", "critical chunk", "a known one", name)
            else:
                payloads.setdefault(chunk.kind, chunk.payload)
        self._labels_at = at
        return payloads

    def _headless(self, at: int, end: int, known: Container[bytes]) -> FoundChunk | None:
        """Return the one chunk that lies between two offsets and whose head is damaged."""
        length = end - at - FRAME_SIZE
        for kind in (b"RANK", b"tidx", *METADATA_TYPES.values()):
            if length >= 0 and kind not in known:
                payload = self._search.payload(kind, at, length)
                if payload is not None:
                    return FoundChunk(kind, payload, at, end)
        return None

    def _parse_metadata(self, payloads: dict[bytes, bytes]) -> dict[str, object]:
        metadata: dict[str, object] = {}
        for kind in METADATA_TYPES.values():
            try:
                metadata |= parse_metadata({kind: payloads[kind]} if kind in payloads else {})
            except FormatError:
                self._search.note(f"{kind.decode()} is lost")
        return metadata

    def _find_places(self, index: bytes | None) -> dict[int, list[tuple[int, int]]]:
        """Return, by the number of its tile, offsets and lengths that a ``LABL`` may have."""
        if index is None or len(index) != 4 * self.head.tiles:
            return self._count_places()
        lengths = np.frombuffer(index, ">u4").astype(np.int64)
        ends = np.cumsum(lengths + FRAME_SIZE)
        firsts = {self._labels_at}
        if self._is_ended:
            firsts.add(self.file_bytes - len(END) - int(ends[-1]))
        if len(firsts) > 1:
            self._search.note("its length is not that of its parts")
        places: dict[int, list[tuple[int, int]]] = {}
        for first in firsts:
            starts = first + ends - lengths - FRAME_SIZE
            there = (starts >= 0) & (first + ends <= self.file_bytes) & (lengths >= MIN_STREAM)
            for number in np.flatnonzero(there).tolist():
                places.setdefault(number, []).append((int(starts[number]), int(lengths[number])))
        # The first tile whose chunk ends beyond the file.
        number = int(np.searchsorted(ends, self.file_bytes - self._labels_at, "right"))
        if number < self.head.tiles:
            self._find_cut(
                number, self._labels_at + int(ends[number] - lengths[number]) - FRAME_SIZE
            )
        return places

    def _count_places(self) -> dict[int, list[tuple[int, int]]]:
        """Number the ``LABL`` chunks that stand in one whole piece with either end of the file."""
        found: list[FoundChunk] = []
        at = self._labels_at
        in_one_piece = self._is_counted
        done = False
        while not done and (chunk := self._search.next_from(at)):
            in_one_piece = in_one_piece and chunk.start == at
            done = chunk.kind == b"DONE"
            found.append(chunk)
            at = chunk.end
        tiles = self.head.tiles
        if in_one_piece and done and len(found) == tiles + 1:
            return {number: [_place(chunk)] for number, chunk in enumerate(found[:-1])}
        self._search.note("the tiles do not follow one another")
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
        if not done and len(from_start) < tiles:
            self._find_cut(len(from_start), first)
        rest = tiles - len(from_start) - len(from_end)
        if rest < 0:
            # Nothing tells which are too many.
            return {}
        places = dict(enumerate(map(_place, from_start)))
        places |= dict(enumerate(map(_place, reversed(from_end)), tiles - len(from_end)))
        if rest == 1:
            # All between the two must be the one tile that is missing.
            places[len(from_start)] = first, last - first - FRAME_SIZE
        return {number: [place] for number, place in places.items() if place[1] >= MIN_STREAM}

    def _find_cut(self, number: int, at: int) -> None:
        """Keep what is there of a tile whose chunk begins at an offset and is cut off."""
        head = self._search.bytes_at(at, HEAD_SIZE)
        if self._is_ended or head[4:] != b"LABL":
            return
        length, _ = parse_chunk_head(head)
        if at + FRAME_SIZE + length > self.file_bytes:
            self._cut = number, self._search.bytes_at(at + HEAD_SIZE, length)

    def check_room(self) -> None:
        """Refuse an image of which hardly anything can be there."""
        least = self.head.least_bytes
        most = self.file_bytes
        if self.head.tiles * (FRAME_SIZE + MIN_STREAM) > _MOST_MISSING * most or (
            self.head.width * self.head.height > MAX_PIXELS and least > most
        ):
            raise TruncatedError("LABL", "count", f"{self.head.tiles} in {least} bytes", most)

    def tiles(self, numbers: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        """Yield (number, payload) of those tiles asked for that can be read, at least in part."""
        for number in numbers:
            self._asked += 1
            places = self._places.get(number, [])
            found = (self._payload(number, *place) for place in places)
            payloads = {payload for payload in found if payload}
            # Two that differ, as seen from either end: nothing tells which is right.
            if len(payloads) == 1:
                yield number, payloads.pop()
            elif self._cut and self._cut[0] == number and self._read_rows(*self._cut):
                yield self._cut
            else:
                self.lost.append(self.head.tile_box(number))

    def _payload(self, number: int, at: int, length: int) -> bytes | None:
        # Where symbols are few and low, the stream's own Adler-32 misses too many changes.
        payload = self._search.payload(b"LABL", at, length)
        if payload:
            with suppress(KqfError):
                decode_tile(payload, self.head, number)
                return payload
        return None

    def _read_rows(self, number: int, start: bytes) -> bool:
        """Tell whether there are rows in the start of a tile, and note which are lost."""
        rows = len(decode_rows(start, self.head, number))
        left, upper, right, lower = self.head.tile_box(number)
        if not rows:
            return False
        self._doubtful = left, upper, right, upper + rows
        if upper + rows < lower:
            self.lost.append((left, upper + rows, right, lower))
        return True

    def decode(self, number: int, payload: bytes) -> np.ndarray:
        """Return labels or symbols (h, w) uint8 of a tile from its payload, 0 where it is lost."""
        if (number, payload) != self._cut:
            return decode_tile(payload, self.head, number)
        rows = decode_rows(payload, self.head, number)
        symbols = np.zeros(self.head.tile_shape(number), np.uint8)
        symbols[: len(rows)] = rows
        return symbols

    def finish(self) -> None:
        """Note broken rules that cost no tile, but that an ImageReader refuses."""
        if self._strict and not self.lost and not self._search.notes:
            with self._broken_rule_noted():
                for _ in self._strict.tiles(range(self.head.tiles)):
                    pass
                self._strict.finish()

    def damage(self) -> DamageWarning | None:
        """Return what is wrong with the file and the tiles asked for; None if nothing is."""
        notes = self._search.notes
        if not self.lost and not notes:
            return None
        return DamageWarning(tuple(self.lost), self._asked, tuple(notes), self._doubtful)


def _place(chunk: FoundChunk) -> tuple[int, int]:
    return chunk.start, chunk.end - chunk.start - FRAME_SIZE
