"""Files that stay open and are read region by region, from a path, a URL or a binary file."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, cast
from uuid import uuid4

import numpy as np

from kqf.decoding.indexing import split_index
from kqf.decoding.information import Info, info_of
from kqf.decoding.labels import Region, read_labels, read_pixels
from kqf.decoding.scaled import level_of, read_scaled_labels, read_scaled_pixels, stored_level
from kqf.errors import Box
from kqf.format.declarations import (
    MAX_METADATA,
    MAX_PIXELS,
    MAX_PROLOGUE_CHUNKS,
    OVERVIEW_TILE,
)
from kqf.format.header import Head
from kqf.format.overviews import level_size
from kqf.format.reader import ImageReader
from kqf.image import IndexedImage
from kqf.io.files import Source, open_stream, size_of
from kqf.io.remote import is_url
from kqf.io.shared import SharedFile, View
from kqf.text import how_to_install

if TYPE_CHECKING:
    from dask.array import Array

Trailing = Literal["error", "ignore"]
Errors = Literal["strict", "salvage"]

# Bytes fetched of a URL at least: as much as the chunks before the first tile usually take.
_LEAST_FETCHED = 2**16
# Pixels of the blocks of a dask array, about.
_BLOCK = 2**22


def open(  # noqa: A001 - as ``PIL.Image.open``, to be used as ``kqf.open``
    source: Source,
    *,
    max_metadata: int = MAX_METADATA,
    max_chunks: int = MAX_PROLOGUE_CHUNKS,
    trailing: Trailing = "error",
) -> "KqfFile":
    """Open a file to read regions of it, when they are asked for.

    Arguments:
        source: path, URL that fsspec knows (``"https://..."``, ``"s3://..."``), bytes-like object
            or binary file; one that can't seek is read to its end.
        max_metadata: bytes of metadata to accept.
        max_chunks: chunks of metadata, ranking and index together to accept.
        trailing: ``"error"`` to refuse bytes after the end of the image when all of it is read, or
            ``"ignore"``.

    Raises:
        FormatError: the file breaks a rule before its first tile. LimitError: it exceeds a limit.
        OSError: it can't be read. ImportError: it is a URL, and fsspec is not installed.
    """
    return KqfFile(source, max_metadata=max_metadata, max_chunks=max_chunks, trailing=trailing)


class KqfFile:
    """An open file, as ``kqf.open`` gives it: an array of pixels that are read when asked for.

    Slices read only the tiles that they touch. Several threads may read at once. It is closed by
    ``close`` or at the end of ``with``, and can be pickled if its source is a path, a URL, bytes or
    a file that can be pickled.

    Attributes:
        dtype: uint8.

    >>> import kqf, numpy
    >>> with kqf.open(kqf.encode(numpy.eye(4, 6, dtype="uint8"))) as file:
    ...     file.shape, file[1:3, :4]
    ((4, 6), array([[0, 1, 0, 0],
           [0, 0, 1, 0]], dtype=uint8))
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self,
        source: Source,
        *,
        max_metadata: int = MAX_METADATA,
        max_chunks: int = MAX_PROLOGUE_CHUNKS,
        trailing: Trailing = "error",
    ) -> None:
        check_trailing(trailing)
        self._options = {
            "max_metadata": max_metadata,
            "max_chunks": max_chunks,
            "trailing": trailing,
        }
        stream, self._is_owned = open_stream(source, block_size=_LEAST_FETCHED)
        # A file that could not seek has been read to its end by now.
        self._source = stream if hasattr(source, "read") else source
        try:
            self._stream = SharedFile(stream, is_url(source))
            size = size_of(stream)
            self._reader = ImageReader(self._view(), size, max_metadata, max_chunks, trailing)
        except BaseException:
            if self._is_owned:
                stream.close()
            raise

    def __reduce__(self) -> tuple[Any, ...]:
        # Reading moves the position of a file, which is pickled with it.
        start = self._stream.start if self._source is self._stream.file else None
        return _reopen, (self._source, start, self._options)

    def __enter__(self) -> "KqfFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<kqf.KqfFile {self.shape}, {len(self.codebook)} colours>"

    def _view(self) -> BinaryIO:
        return cast(BinaryIO, View(self._stream))

    def reader(self) -> ImageReader:
        """Return a reader of the file with a place of its own in it."""
        return self._reader.on(self._view())

    def close(self) -> None:
        """Close the file, unless it was given as an open one."""
        if self._is_owned:
            self._stream.file.close()

    @property
    def head(self) -> Head:
        return self._reader.head

    @property
    def info(self) -> Info:
        """What the file says of itself: size, colours, predictor, tiles, metadata, bytes."""
        return info_of(self._reader)

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W) for gray, otherwise (H, W, C)."""
        size = self.head.height, self.head.width
        return size if self.head.channels == 1 else (*size, self.head.channels)

    @property
    def ndim(self) -> int:
        """2 for gray, otherwise 3."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values: pixels times channels."""
        return self.head.height * self.head.width * self.head.channels

    @property
    def codebook(self) -> np.ndarray:
        """The colours, (K, C) uint8."""
        return self._reader.codebook

    @property
    def metadata(self) -> dict[str, object]:
        """Any of ``icc_profile``, ``exif``, ``xmp``, ``dpi`` and ``comment``; a new dict."""
        return dict(self._reader.metadata)

    def __len__(self) -> int:
        return self.head.height

    def __getitem__(self, index: Any) -> np.ndarray:
        """Return pixels by integers, slices, ``...`` and ``None``, as numpy does, uint8."""
        split = split_index(index, self.shape)
        if isinstance(split, np.ndarray):
            return split
        box, rest = split
        found: np.ndarray = self.read(box)[rest]
        return found

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield the rows of the image, (W,) or (W, C) uint8; each row of tiles is read once."""
        for upper in range(0, self.head.height, self.head.tile_height):
            yield from self[upper : upper + self.head.tile_height]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("a file has no pixels in memory: a copy can't be avoided")
        return self.read().astype(dtype or self.dtype, copy=False)

    def tiles(self) -> Iterator[tuple[Box, np.ndarray]]:
        """Yield (left, upper, right, lower) and the pixels of each tile, row by row."""
        for number in range(self.head.tiles):
            box = self.head.tile_box(number)
            yield box, self.read(box)

    def read_indexed(
        self,
        region: Region | None = None,
        *,
        scale: int = 1,
        threads: int | None = None,
        max_pixels: int | None = MAX_PIXELS,
    ) -> IndexedImage:
        """Read labels, with the codebook and metadata.

        Arguments:
            region: box (left, upper, right, lower) in pixels, any sequence or array of four
                integers; of a file with ``tidx``, only the tiles that it touches are fetched. None
                for the whole image.
            scale: 1, 2, 4, 8 or another power of 2: the side of the squares of pixels, counted from
                the image's upper left corner, that become one label each. Squares that the region
                touches in part count whole: w is ceil(right / scale) - left // scale. What the
                file has as overviews (``info.scales``) is read from them, other scales from the
                next lower one.
            threads: at most so many; None for one for each processor.
            max_pixels: pixels of all tiles to inflate; None for no limit.

        Raises:
            FormatError: the file breaks a rule. LimitError: too many pixels. ValueError: the region
            is empty or not inside the image.
        """
        reader, level = self.reader(), level_of(scale)
        if level:
            labels = read_scaled_labels(reader, region, level, threads, max_pixels)
        else:
            labels = read_labels(reader, region, threads, max_pixels)
        return IndexedImage(labels, self.codebook, self.metadata)

    def read(
        self,
        region: Region | None = None,
        *,
        scale: int = 1,
        threads: int | None = None,
        max_pixels: int | None = MAX_PIXELS,
    ) -> np.ndarray:
        """Read pixels, (h, w) uint8 for gray, else (h, w, C) uint8.

        Arguments:
            region: box (left, upper, right, lower) in pixels, any sequence or array of four
                integers; of a file with ``tidx``, only the tiles that it touches are fetched. None
                for the whole image.
            scale: 1, 2, 4, 8 or another power of 2: the side of the squares of pixels, counted from
                the image's upper left corner, that become one pixel each. Squares that the region
                touches in part count whole: w is ceil(right / scale) - left // scale. What the
                file has as overviews (``info.scales``) is read from them, other scales from the
                next lower one.
            threads: at most so many; None for one for each processor.
            max_pixels: pixels of all tiles to inflate; None for no limit.

        Raises:
            FormatError: the file breaks a rule. LimitError: too many pixels. ValueError: the region
            is empty or not inside the image.
        """
        reader, level = self.reader(), level_of(scale)
        if level:
            return read_scaled_pixels(reader, region, level, threads, max_pixels)
        return read_pixels(reader, region, threads, max_pixels)

    def to_dask(self, *, indexed: bool = False, level: int = 0) -> "Array":
        """Return the image as a dask array that reads its blocks, whole tiles, when they are due.

        Arguments:
            indexed: labels (H, W) in place of pixels.
            level: 0 for full size, 1 for half of the width and height, 2 for a quarter and so on,
                rounded up; ``read`` with scale 2**level gives the same.
        """
        try:
            import dask.array
        except ImportError as error:
            raise ImportError(f"dask arrays need dask: {how_to_install('dask')}") from error
        level_of(1 << level)
        head = self.head
        width, height = level_size(head.width, head.height, level)
        source = stored_level(self._reader, level) if level else 0
        tile = (OVERVIEW_TILE,) * 2 if source else (head.tile_width, head.tile_height)
        # Tiles of what is read, in labels of the level.
        tile = min(-(-tile[0] >> level - source), width), min(-(-tile[1] >> level - source), height)
        across = max((_BLOCK >> 2 * (level - source)) // (tile[0] * tile[1]), 1)
        sides = [_chunks(height, tile[1]), _chunks(width, tile[0] * across)]
        rest = () if indexed else self.shape[2:]
        return dask.array.map_blocks(
            _read_block,
            self,
            indexed,
            level,
            chunks=(*sides, *((side,) for side in rest)),
            dtype=self.dtype,
            meta=np.empty((0,) * (2 + len(rest)), self.dtype),
            # To find one, dask would open the file again and leave it open.
            name=f"kqf-{uuid4().hex}",
        )


def _reopen(source: Source, start: int | None, options: dict[str, Any]) -> KqfFile:
    if start is not None:
        cast(BinaryIO, source).seek(start)
    return KqfFile(source, **options)


def check_trailing(trailing: str) -> None:
    """Raise ValueError unless ``trailing`` is one of its two values."""
    if trailing not in ("error", "ignore"):
        raise ValueError(f"trailing must be 'error' or 'ignore', not {trailing!r}")


def check_errors(errors: str) -> None:
    """Raise ValueError unless ``errors`` is one of its two values."""
    if errors not in ("strict", "salvage"):
        raise ValueError(f"errors must be 'strict' or 'salvage', not {errors!r}")


def _chunks(side: int, step: int) -> tuple[int, ...]:
    return (step,) * (side // step) + ((side % step,) if side % step else ())


def _read_block(file: KqfFile, indexed: bool, level: int, block_info: Any = None) -> np.ndarray:
    (upper, lower), (left, right) = block_info[None]["array-location"][:2]
    right, lower = min(right << level, file.head.width), min(lower << level, file.head.height)
    region, scale = (left << level, upper << level, right, lower), 1 << level
    if indexed:
        return file.read_indexed(region, scale=scale, threads=1, max_pixels=None).labels
    return file.read(region, scale=scale, threads=1, max_pixels=None)
