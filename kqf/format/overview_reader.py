"""The overviews in one file, found when it is opened and read on request (section 6.8)."""

from collections.abc import Iterable, Iterator

import numpy as np

from kqf.errors import Box, FormatError, TruncatedError
from kqf.format.chunk_reader import ChunkReader
from kqf.format.chunks import HEAD_SIZE
from kqf.format.header import Head
from kqf.format.overviews import OverviewIndex, parse_index, pieces

# Bytes of neighbouring tiles that are read at once.
_READ = 2**22


class OverviewReader:
    """The overviews of one file, if it has any.

    Full-size reading passes them over, so what is wrong with them is an error only for who reads
    or checks them.

    Attributes:
        bytes: of all chunks' payloads, as far as they are known.
    """

    def __init__(self, head: Head) -> None:
        self._head = head
        self._index: OverviewIndex | None = None
        self._error: FormatError | None = None
        self._at = self._end = self.bytes = 0
        self._lengths: list[int] = []

    def take_index(self, chunks: ChunkReader, length: int) -> None:
        """Read ``oidx``, whose head has been read."""
        if self._at:
            self._note(FormatError("oidx", "count", 1, "another"))
        try:
            self._index = parse_index(chunks.read_body(b"oidx", length), self._head)
        except TruncatedError:
            raise
        except FormatError as error:
            self._note(error)
        self._at = self._end = chunks.offset
        self.bytes += length

    def skip(self, chunks: ChunkReader, length: int) -> None:
        """Go on to what follows an ``over``, whose head has been read."""
        if not self._at:
            self._note(FormatError("over", "count", "0 without oidx", 1))
        elif chunks.offset - HEAD_SIZE != self._end:
            self._note(FormatError("over", "chunk order", "oidx or over before it", "another"))
        chunks.skip_body(b"over", length)
        self._end = chunks.offset
        self._lengths.append(length)
        self.bytes += length

    def finish(self, labels_at: int) -> None:
        """Note what is wrong with how the chunks stand, once the first ``LABL`` is found."""
        if self._index is None:
            return
        expected = self._index.chunk_lengths
        if self._lengths != expected:
            self._note(FormatError("over", "lengths", expected, self._lengths))
        elif self._end != labels_at:
            self._note(FormatError("over", "chunk order", "LABL after it", "another"))

    def _note(self, error: FormatError) -> None:
        self._error = self._error or error

    def index(self) -> OverviewIndex | None:
        """Return where the tiles are, None without overviews.

        Raises:
            FormatError: the chunks break a rule.
        """
        if self._error:
            raise self._error
        return self._index

    def tiles(
        self, chunks: ChunkReader, level: int, box: Box | None = None
    ) -> Iterator[tuple[Box, np.ndarray]]:
        """Yield box and labels (h, w) uint8 of the tiles of a level that a box touches.

        Raises:
            FormatError: a tile is damaged.
        """
        index = self.index()
        assert index is not None
        runs = list(_runs(index, index.tiles(level, box)))
        if chunks.fetches:
            self._fetch(chunks, index, runs)
        for run in runs:
            first = index.span(run[0][0])[0]
            data = b"".join(
                chunks.read_part(self._at + offset, count, "over")
                for offset, count in pieces(first, index.span(run[-1][0])[1])
            )
            for number, tile in run:
                start, end = index.span(number)
                yield tile, index.decode(number, tile, data[start - first : end - first])

    def _fetch(
        self, chunks: ChunkReader, index: OverviewIndex, runs: list[list[tuple[int, Box]]]
    ) -> None:
        places = [
            (self._at + offset, self._at + offset + count)
            for run in runs
            for offset, count in pieces(index.span(run[0][0])[0], index.span(run[-1][0])[1])
        ]
        if places[-1][1] <= chunks.size:
            chunks.fetch(places)

    def check(self, chunks: ChunkReader) -> None:
        """Read all overviews.

        Raises:
            FormatError: something in them is wrong.
        """
        index = self.index()
        if index is None:
            return
        chunks.seek(self._at)
        # That they are there, and their lengths, was found when the file was opened.
        for _ in index.chunk_lengths:
            chunks.read_body(*chunks.read_head())
        for level in index.levels:
            for _ in self.tiles(chunks, level):
                pass


def _runs(
    index: OverviewIndex, tiles: Iterable[tuple[int, Box]]
) -> Iterator[list[tuple[int, Box]]]:
    """Yield tiles whose streams follow one another, a few MiB at a time."""
    run: list[tuple[int, Box]] = []
    for number, box in tiles:
        if run and (
            number != run[-1][0] + 1 or index.span(number)[1] - index.span(run[0][0])[0] > _READ
        ):
            yield run
            run = []
        run.append((number, box))
    if run:
        yield run
