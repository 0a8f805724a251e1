"""What can still be read of a damaged file."""

from collections.abc import Container, Iterable, Iterator, Sequence
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
from kqf.format.animation import Timing, parse_animation
from kqf.format.chunks import END, FRAME_SIZE, HEAD_SIZE, parse_chunk_head
from kqf.format.codebooks import parse as parse_codebook
from kqf.format.declarations import (
    HEADER_SIZE,
    MAX_METADATA,
    MAX_PIXELS,
    MAX_PROLOGUE_CHUNKS,
    METADATA_TYPES,
    PROLOGUE_TYPES,
)
from kqf.format.header import parse_header
from kqf.format.metadata import parse_metadata
from kqf.format.prediction import read_order
from kqf.format.reader import ImageReader
from kqf.format.shapes import Placements, Shapes, check_used, paint, parse_placements, parse_shapes
from kqf.format.signature import SIGNATURE
from kqf.format.streams import MIN_STREAM, inflate
from kqf.format.tiles import check_tile, decode_rows, decode_tiles, split_tile

# The file may be made to waste memory: for each of its bytes, its tiles may need at most so many.
_MOST_MISSING = 4
# What the first group of an animation, which follows the last tile, begins with.
_GROUP = (b"CODE", b"PCOD", b"RANK", b"SHAP", b"FRAM")
# Bytes searched at a time for the end of a file.
_WINDOW = 2**16


class Salvager:
    """The image in one damaged file, used in place of an ``ImageReader``.

    A chunk whose CRC-32 is wrong is lost, unless a single bit was flipped, which is put right.
    ``HEAD``, ``CODE`` and, with a ranked predictor, ``RANK`` are needed for any tile. Which tile a
    ``LABL`` belongs to follows from ``tidx`` and its distance from either end of the file; without
    ``tidx``, from counting the chunks from either end, unless one is seen to be missing there. Of a
    tile that the end of the file cuts off, the rows whose symbols are there are read, though
    nothing can confirm them.

    Arguments, further attributes: those of ImageReader.

    Attributes:
        lost: boxes of tiles, or parts of a tile, that were asked for and can't be read.
        strict: an ImageReader, if the file can be opened by one.
        timing: of an animation, None if it is none or ``ANIM`` is lost.
        is_animation: whether groups of frames follow the tiles.
        search: the chunks of the file.
        after_tiles: where they begin, or what is left of them.
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
        self.search = ChunkSearch(stream, size)
        if trailing == "ignore":
            size = self.search.size = self._end()
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
        self.codebook, at = self._read_codebook(at)
        payloads = self._read_prologue(at, max_metadata, max_chunks)
        self.ranking = payloads.get(b"RANK")
        if self.head.predictor.is_ranked and self.ranking is None and self._needs_ranking:
            raise FormatError("RANK", "count", "a whole one", "none")
        self.order = read_order(self.head, self.codebook, self.ranking)
        self.shapes = self._parse_shapes(payloads.get(b"SHAP"))
        self.metadata = self._parse_metadata(payloads)
        self.timing = self._parse_timing(payloads)
        self.is_animation = b"ANIM" in payloads or "ANIM is lost" in self.search.notes
        self._is_ended = self.search.bytes_at(size - len(END), len(END)) == END
        if not self._is_ended:
            self.search.note("it does not end with DONE")
        self._places = self._find_places(payloads.get(b"tidx"))
        self.strict: ImageReader | None = None
        with self._broken_rule_noted():
            stream.seek(start)
            self.strict = ImageReader(stream, size, max_metadata, max_chunks)

    def _end(self) -> int:
        """Return where the file ends if bytes after ``DONE`` do not count."""
        for at in range(self.search.size - 1, -_WINDOW, -_WINDOW):
            first = max(at - _WINDOW, 0)
            window = self.search.bytes_at(first, at - first + len(END))
            if (found := window.rfind(END)) >= 0:
                return first + found + len(END)
        return self.search.size

    @contextmanager
    def _broken_rule_noted(self) -> Iterator[None]:
        """Note a rule that is broken, though nothing is damaged (R11.3-3)."""
        try:
            yield
        except KqfError as error:
            if not self.search.notes:
                self.search.note(str(error))

    def _check_signature(self) -> None:
        found = self.search.bytes_at(0, len(SIGNATURE))
        if found == SIGNATURE:
            return
        if self.search.bytes_at(len(SIGNATURE) + 4, 4) != b"HEAD":
            message = foreign.describe(self.search.bytes_at(0, foreign.SEEN))
            expected, found_text = SIGNATURE.hex(" "), found.hex(" ") or "nothing"
            raise FormatError("file", "signature", expected, found_text, message)
        self.search.note("the signature is damaged")

    def _read_fixed(self, kind: bytes, at: int, length: int) -> bytes:
        """Return the payload of a chunk that is known to be there; its head need not be whole."""
        name = kind.decode()
        if at + FRAME_SIZE + length > self.file_bytes:
            raise TruncatedError(name, "payload", f"{length} bytes", self.file_bytes - at)
        payload = self.search.payload(kind, at, length)
        if payload is None:
            raise FormatError(name, "payload", "a whole one", "a damaged one")
        return payload

    def _read_codebook(self, at: int) -> tuple[np.ndarray, int]:
        """Return the codebook, and where the chunk after it begins."""
        colors, channels = self.head.colors, self.head.channels
        size = colors * channels
        frame = self.search.frame(at)
        # Of CODE the length is known, so that its head need not be whole.
        if self.head.version > 1 and frame and frame[0] == b"PCOD":
            stream = self._read_fixed(b"PCOD", at, frame[1])
            entries = inflate(stream, size, "PCOD")
            codebook = parse_codebook(b"PCOD", entries, colors, channels)
            return codebook, at + FRAME_SIZE + len(stream)
        entries = self._read_fixed(b"CODE", at, size)
        return parse_codebook(b"CODE", entries, colors, channels), at + FRAME_SIZE + size

    @property
    def _needs_ranking(self) -> bool:
        """Whether a ranking that was not found must have been lost."""
        # Version 2 allows for none, but not where something before the tiles is lost.
        return self.head.version == 1 or not self._is_counted or "RANK is lost" in self.search.notes

    def _parse_shapes(self, payload: bytes | None) -> Shapes | None:
        if not self.head.shapes:
            return None
        pixels = min(self.head.width * self.head.height, MAX_PIXELS)
        with suppress(KqfError):
            if payload is not None:
                return parse_shapes(payload, self.head.last_label, pixels)
        self.search.note("SHAP is lost")
        return None

    def _read_prologue(self, at: int, max_metadata: int, max_chunks: int) -> dict[bytes, bytes]:
        payloads: dict[bytes, bytes] = {}
        count = total = 0
        while chunk := self.search.next_from(at):
            if chunk.start != at or chunk.payload is None:
                end = chunk.end if chunk.start == at else chunk.start
                chunk = self._headless(at, end, payloads) or chunk
            if chunk.kind in (b"LABL", b"DONE") or self._begins_group(chunk.kind, payloads):
                break
            if chunk.payload is None and not TYPES.fullmatch(chunk.kind):
                # It may be the first tile.
                self._is_counted = False
                following = self.search.frame(chunk.end)
                if following and following[0] in (b"LABL", b"DONE"):
                    break
            if chunk.start != at:
                self._is_counted = False
                self.search.note("something before the tiles is lost")
            at = chunk.end
            name = chunk.kind.decode()
            count += 1
            if chunk.kind not in (b"RANK", b"SHAP", b"ANIM", b"tidx"):
                total += chunk.end - chunk.start - FRAME_SIZE
            if count > max_chunks:
                raise LimitError("chunks before LABL", "max_chunks", max_chunks, "more")
            if total > max_metadata:
                raise LimitError("bytes of metadata", "max_metadata", max_metadata, total)
            if chunk.payload is None:
                self.search.note(f"{name} is lost")
            elif name[0].isupper() and not (
                chunk.kind in (b"RANK", b"ANIM") or (chunk.kind == b"SHAP" and self.head.shapes)
            ):
                raise UnsupportedError("file", "critical chunk", "a known one", name)
            else:
                payloads.setdefault(chunk.kind, chunk.payload)
        self._labels_at = at
        return payloads

    def _begins_group(self, kind: bytes, known: Container[bytes]) -> bool:
        """Tell whether a chunk belongs to the first group of an animation whose tiles are lost."""
        if b"ANIM" not in known:
            return kind == b"FRAM" and self.head.version > 1
        needed = (b"RANK", self.head.predictor.is_ranked), (b"SHAP", self.head.shapes)
        return kind in _GROUP and not any(
            kind == other and is_needed and kind not in known for other, is_needed in needed
        )

    def _headless(self, at: int, end: int, known: Container[bytes]) -> FoundChunk | None:
        """Return the one chunk that lies between two offsets and whose head is damaged."""
        length = end - at - FRAME_SIZE
        for kind in PROLOGUE_TYPES:
            if length >= 0 and kind not in known:
                payload = self.search.payload(kind, at, length)
                if payload is not None:
                    return FoundChunk(kind, payload, at, end)
        return None

    def _parse_metadata(self, payloads: dict[bytes, bytes]) -> dict[str, object]:
        metadata: dict[str, object] = {}
        for kind in METADATA_TYPES.values():
            try:
                metadata |= parse_metadata({kind: payloads[kind]} if kind in payloads else {})
            except FormatError:
                self.search.note(f"{kind.decode()} is lost")
        return metadata

    def _parse_timing(self, payloads: dict[bytes, bytes]) -> Timing | None:
        try:
            return parse_animation(payloads[b"ANIM"]) if b"ANIM" in payloads else None
        except FormatError:
            self.search.note("ANIM is lost")
            return None

    @property
    def after_tiles(self) -> int:
        last = self._places.get(self.head.tiles - 1, [])
        return sum(last[0]) + FRAME_SIZE if len(last) == 1 else self._labels_at

    def _find_places(self, index: bytes | None) -> dict[int, list[tuple[int, int]]]:
        """Return, by the number of its tile, offsets and lengths that a ``LABL`` may have."""
        if index is None or len(index) != 4 * self.head.tiles:
            return self._count_places()
        lengths = np.frombuffer(index, ">u4").astype(np.int64)
        ends = np.cumsum(lengths + FRAME_SIZE)
        firsts = {self._labels_at}
        if self._is_ended and not self.is_animation:
            firsts.add(self.file_bytes - len(END) - int(ends[-1]))
        if len(firsts) > 1:
            self.search.note("its length is not that of its parts")
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
        while not done and (chunk := self.search.next_from(at)):
            in_one_piece = in_one_piece and chunk.start == at
            done = self._is_after_tiles(chunk)
            found.append(chunk)
            at = chunk.end
            # What follows the tiles of an animation need not be right.
            done |= self.is_animation and in_one_piece and len(found) > self.head.tiles
        tiles = self.head.tiles
        if in_one_piece and done and len(found) == tiles + 1:
            return {number: [chunk.place] for number, chunk in enumerate(found[:-1])}
        self.search.note("the tiles do not follow one another")
        # One that is damaged may have hidden others.
        first = self._labels_at
        from_start = []
        for chunk in found if self._is_counted else []:
            if chunk.payload is None or chunk.start != first or self._is_after_tiles(chunk):
                break
            from_start.append(chunk)
            first = chunk.end
        last = found[-1].start if self.is_animation and done else self.file_bytes - len(END)
        from_end = []
        for chunk in reversed(found[:-1] if done else []):
            if chunk.payload is None or chunk.end != last:
                break
            from_end.append(chunk)
            last = chunk.start
        if not done and len(from_start) < tiles:
            self._find_cut(len(from_start), first)
        rest = tiles - len(from_start) - len(from_end)
        if rest < 0 or (done and rest * (FRAME_SIZE + MIN_STREAM) > last - first):
            # Nothing tells which are too many, or where those are missing that have no room there.
            return {}
        numbered = dict(enumerate(from_start))
        numbered |= dict(enumerate(reversed(from_end), tiles - len(from_end)))
        if not all(self._is_tile(number, chunk.payload) for number, chunk in numbered.items()):
            # One before it is missing without a trace.
            return {}
        places = {number: chunk.place for number, chunk in numbered.items()}
        if rest == 1:
            # All between the two must be the one tile that is missing.
            places[len(from_start)] = first, last - first - FRAME_SIZE
        return {number: [place] for number, place in places.items() if place[1] >= MIN_STREAM}

    def _is_after_tiles(self, chunk: FoundChunk) -> bool:
        return chunk.kind == b"DONE" or (self.is_animation and chunk.kind in _GROUP)

    def _find_cut(self, number: int, at: int) -> None:
        """Keep what is there of a tile whose chunk begins at an offset and is cut off."""
        head = self.search.bytes_at(at, HEAD_SIZE)
        if self._is_ended or head[4:] != b"LABL":
            return
        length, _ = parse_chunk_head(head)
        if at + FRAME_SIZE + length > self.file_bytes:
            self._cut = number, self.search.bytes_at(at + HEAD_SIZE, length)

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
        payload = self.search.payload(b"LABL", at, length)
        return payload if self._is_tile(number, payload) else None

    def _is_tile(self, number: int, payload: bytes | None) -> bool:
        """Tell whether a payload inflates to as many symbols as a tile has."""
        with suppress(KqfError):
            check_tile(payload or b"", self.head, number)
            return True
        return False

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

    def decode(self, batch: Sequence[tuple[int, bytes]]) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (number, labels or symbols) of tiles from their payloads, 0 where they are lost."""
        whole = [tile for tile in batch if tile != self._cut]
        yield from decode_tiles(whole, self.head, self.order)
        for number, payload in batch:
            if (number, payload) == self._cut:
                rows = decode_rows(payload, self.head, number)
                symbols = np.zeros(self.head.tile_shape(number), np.uint8)
                symbols[: len(rows)] = rows
                yield number, symbols

    def placements(self, number: int, payload: bytes) -> Placements | None:
        """Return the placements of a tile, None if there are none or they are damaged."""
        if self.shapes is None:
            return None
        box, size = self.head.tile_box(number), (self.head.width, self.head.height)
        try:
            parts = split_tile(payload, self.head, number)
            if not parts.placements:
                return None
            stream = parts.placement_stream
            return parse_placements(stream, parts.placements, self.shapes, box, size, number)
        except KqfError:
            self.search.note(f"placements of shapes of tile {number} are lost")
            return None

    def paint(self, labels: np.ndarray, placements: Placements, box: Box) -> None:
        """Paint placements over the labels (H, W) uint8 of a box, in place."""
        if self.shapes is not None:
            try:
                paint(labels, self.shapes, placements, box)
            except KqfError as error:
                self.search.note(str(error))

    def check_used(self, placements: Placements) -> None:
        """Note shapes that are never placed, where nothing is lost."""
        if self.shapes is not None and not self.lost:
            with self._broken_rule_noted():
                check_used(placements, self.shapes)

    def finish(self) -> None:
        """Note broken rules that cost no tile, but that an ImageReader refuses."""
        if self.strict and not self.lost and not self.search.notes:
            with self._broken_rule_noted():
                for _ in self.strict.tiles(range(self.head.tiles)):
                    pass
                self.strict.finish()

    def damage(self) -> DamageWarning | None:
        """Return what is wrong with the file and the tiles asked for; None if nothing is."""
        notes = self.search.notes
        if not self.lost and not notes:
            return None
        if self.head.shapes and self.shapes is None:
            self.search.note("shapes are missing wherever tiles place them")
        elif self.head.shapes and self.lost:
            self.search.note("shapes that begin in lost tiles are lost, too")
        return DamageWarning(tuple(self.lost), self._asked, tuple(notes), self._doubtful)
