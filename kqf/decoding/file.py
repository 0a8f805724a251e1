"""Files that stay open and are read region by region, from a path, a URL or a binary file."""

import copy
import io
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from kqf.decoding.api import Region, read_labels, read_pixels
from kqf.format.declarations import MAX_METADATA, MAX_PIXELS, MAX_PROLOGUE_CHUNKS
from kqf.format.header import Head
from kqf.format.reader import Reader
from kqf.image import IndexedImage
from kqf.io.files import Source, check_file, open_url, size_of
from kqf.text import how_to_install

if TYPE_CHECKING:
    from dask.array import Array

# Bytes fetched of a URL at least: as much as the chunks before the first tile usually take.
_LEAST_FETCHED = 2**16
# Pixels of the blocks of a dask array, about.
_BLOCK = 2**22


def open(  # noqa: A001 - as ``PIL.Image.open``, to be used as ``kqf.open``
    source: Source,
    *,
    max_metadata: int = MAX_METADATA,
    max_chunks: int = MAX_PROLOGUE_CHUNKS,
) -> "KqfFile":
    """Open a file to read regions of it, when they are asked for.

    Arguments:
        source: path, URL that fsspec knows (``"https://..."``, ``"s3://..."``), bytes or seekable
            binary file.
        max_metadata: bytes of metadata to accept.
        max_chunks: chunks of metadata, ranking and index together to accept.

    Raises:
        FormatError: the file breaks a rule before its first tile. OSError: it cannot be read.
        ImportError: it is a URL, and fsspec is not installed.
    """
    return KqfFile(source, max_metadata=max_metadata, max_chunks=max_chunks)


class KqfFile:
    """An open file. Arguments: as for ``kqf.open``. Closed by ``close`` or at the end of ``with``.

    Regions may be read by several threads at once. It can be pickled if its source can.

    Attributes:
        shape: (H, W) of gray, otherwise (H, W, C).
        dtype: uint8.
        codebook: (K, C) uint8.
        metadata: as ``IndexedImage.metadata``.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, source: Source, *, max_metadata: int, max_chunks: int) -> None:
        self._arguments = source, max_metadata, max_chunks
        self._owned = not hasattr(source, "read")
        stream = _open_stream(source)
        try:
            if not stream.seekable():
                raise ValueError("the file can't seek: kqf.read takes it")
            self._stream = _Shared(stream)
            self._reader = Reader(self._view(), size_of(stream), max_metadata, max_chunks)
        except BaseException:
            if self._owned:
                stream.close()
            raise

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, self._arguments

    def __enter__(self) -> "KqfFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<kqf.KqfFile {self.shape}, {len(self.codebook)} colours>"

    def _view(self) -> BinaryIO:
        return cast(BinaryIO, _View(self._stream))

    def close(self) -> None:
        """Close the file, unless it was given as an open one."""
        if self._owned:
            self._stream.file.close()

    @property
    def head(self) -> Head:
        return self._reader.head

    @property
    def shape(self) -> tuple[int, ...]:
        size = self.head.height, self.head.width
        return size if self.head.channels == 1 else (*size, self.head.channels)

    @property
    def codebook(self) -> np.ndarray:
        return self._reader.codebook

    @property
    def metadata(self) -> dict[str, object]:
        return self._reader.metadata

    def read_indexed(
        self,
        region: Region | None = None,
        *,
        threads: int | None = None,
        max_pixels: int | None = MAX_PIXELS,
    ) -> IndexedImage:
        """Read labels, with the codebook and metadata. Arguments, errors: as for read."""
        labels = read_labels(self._another_reader(), region, threads, max_pixels)
        return IndexedImage(labels, self.codebook, self.metadata)

    def read(
        self,
        region: Region | None = None,
        *,
        threads: int | None = None,
        max_pixels: int | None = MAX_PIXELS,
    ) -> np.ndarray:
        """Read pixels.

        Arguments:
            region: box (left, upper, right, lower) in pixels; of a file with ``tidx``, only the
                tiles that it touches are fetched. None for the whole image.
            threads, max_pixels: as for ``kqf.read``.

        Returns:
            (h, w) uint8 for gray, else (h, w, C) uint8.

        Raises:
            FormatError: the file breaks a rule. ValueError: the region is empty or not inside.
        """
        return read_pixels(self._another_reader(), region, threads, max_pixels)

    def _another_reader(self) -> Reader:
        """Return a reader with a place of its own in the file."""
        reader = copy.copy(self._reader)
        reader.stream = self._view()
        return reader

    def to_dask(self, *, indexed: bool = False) -> "Array":
        """Return the image as a dask array that reads its blocks, whole tiles, when they are due.

        Arguments:
            indexed: labels (H, W) in place of pixels.
        """
        try:
            import dask.array
        except ImportError as error:
            raise ImportError(f"dask arrays need dask: {how_to_install('dask')}") from error
        height, width = self.shape[:2]
        tile = min(self.head.tile_width, width), min(self.head.tile_height, height)
        across = max(_BLOCK // (tile[0] * tile[1]), 1)
        sides = [_chunks(height, tile[1]), _chunks(width, tile[0] * across)]
        rest = () if indexed else self.shape[2:]
        return dask.array.map_blocks(
            _read_block,
            self,
            indexed,
            chunks=(*sides, *((side,) for side in rest)),
            dtype=self.dtype,
            meta=np.empty((0,) * (2 + len(rest)), self.dtype),
        )


def _reopen(source: Source, max_metadata: int, max_chunks: int) -> KqfFile:
    return KqfFile(source, max_metadata=max_metadata, max_chunks=max_chunks)


def _chunks(side: int, step: int) -> tuple[int, ...]:
    return (step,) * (side // step) + ((side % step,) if side % step else ())


def _read_block(file: KqfFile, indexed: bool, block_info: Any = None) -> np.ndarray:
    (upper, lower), (left, right) = block_info[None]["array-location"][:2]
    region = left, upper, right, lower
    if indexed:
        return file.read_indexed(region, threads=1, max_pixels=None).labels
    return file.read(region, threads=1, max_pixels=None)


def _open_stream(source: Source) -> BinaryIO:
    if isinstance(source, str) and "://" in source:
        return open_url(source, "rb", block_size=_LEAST_FETCHED)
    if isinstance(source, str | os.PathLike):
        return Path(source).open("rb")
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(source)
    check_file(source)
    return source


class _Shared:
    """A binary file that several threads read, each at its own place."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.start = file.tell()
        self._lock = threading.Lock()

    def read_at(self, at: int, count: int) -> bytes:
        with self._lock:
            self.file.seek(self.start + at)
            return self.file.read(count)


class _View(io.RawIOBase):
    """A shared file with a place of its own."""

    def __init__(self, shared: _Shared) -> None:
        self._shared = shared
        self._at = 0

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        assert whence == io.SEEK_SET
        self._at = offset
        return offset

    def read(self, size: int = -1) -> bytes:
        data = self._shared.read_at(self._at, size)
        self._at += len(data)
        return data
