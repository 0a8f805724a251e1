"""A binary file that several threads read, each at its own place."""

import io
import threading
from collections.abc import Sequence
from typing import BinaryIO

from kqf.io import remote

# Ranges with at most so many bytes between them are fetched in one request.
_MERGED_GAP = 2**18

Ranges = Sequence[tuple[int, int]]


class SharedFile:
    """A binary file that several threads read.

    Arguments:
        file: seekable, at the start of the data.
        is_remote: whether to fetch ranges of it by requests of their own.
    """

    def __init__(self, file: BinaryIO, is_remote: bool) -> None:
        self.file = file
        self.start = file.tell()
        self.is_remote = is_remote and remote.has_ranges(file)
        self._lock = threading.Lock()

    def read_at(self, at: int, count: int) -> bytes:
        """Return so many bytes from an offset on, or those that are there."""
        with self._lock:
            self.file.seek(self.start + at)
            return self.file.read(count)


class View(io.RawIOBase):
    """A shared file with a place of its own."""

    def __init__(self, shared: SharedFile) -> None:
        self._shared = shared
        self._at = 0
        self._fetched: list[tuple[int, bytes]] = []

    @property
    def fetches(self) -> bool:
        """Whether ``fetch`` saves requests."""
        return self._shared.is_remote

    def fetch(self, ranges: Ranges) -> None:
        """Fetch ranges (start, end), ascending, that will be read, in as few requests as pay."""
        merged: list[tuple[int, int]] = []
        for start, end in ranges:
            if merged and start - merged[-1][1] <= _MERGED_GAP:
                start = merged.pop()[0]
            merged.append((start, end))
        found = remote.read_ranges(self._shared.file, merged)
        self._fetched = [(start, data) for (start, _), data in zip(merged, found, strict=True)]

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        assert whence == io.SEEK_SET
        self._at = offset
        return offset

    def read(self, size: int = -1) -> bytes:
        data = self._from_fetched(size)
        if data is None:
            data = self._shared.read_at(self._at, size)
        self._at += len(data)
        return data

    def _from_fetched(self, size: int) -> bytes | None:
        for start, data in self._fetched:
            if start <= self._at and 0 <= size <= start + len(data) - self._at:
                return data[self._at - start : self._at - start + size]
        return None
