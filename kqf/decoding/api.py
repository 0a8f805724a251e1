"""From the bytes of a file to labels and pixels."""

import operator
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np

from kqf.decoding.salvage import Salvager
from kqf.errors import FormatError, LimitError
from kqf.format import prediction as ranking
from kqf.format.declarations import MAX_METADATA, MAX_PIXELS, MAX_PROLOGUE_CHUNKS, PREDICTORS
from kqf.format.header import Head
from kqf.format.reader import Reader
from kqf.format.streams import inflate, inflate_symbols
from kqf.image import BAND, IndexedImage, look_up, look_up_bands, shaped
from kqf.io.files import Source, open_source
from kqf.threads import each, thread_count

Region = tuple[int, int, int, int]

# Pixels of the tiles that one thread inflates at a time, so that small ones are worth handing over.
_BATCH_PIXELS = 2**18
# Pixels from which on several threads are worth starting.
_THREAD_PIXELS = 2**20


@dataclass(frozen=True)
class Info:
    """What a file says of itself before its first tile.

    Attributes:
        width, height: pixels.
        channels: 1 gray, 2 gray + alpha, 3 RGB, 4 RGBA.
        colors: entries of the codebook, 1 to 256.
        predictor: ``"none"``, ``"left"`` or ``"up"``.
        tile_width, tile_height: pixels; tiles at the right and lower edge may be smaller.
        tiles: number of tiles.
        metadata: keys of the metadata present.
        file_bytes: bytes of the whole file.
    """

    width: int
    height: int
    channels: int
    colors: int
    predictor: str
    tile_width: int
    tile_height: int
    tiles: int
    metadata: tuple[str, ...]
    file_bytes: int

    @property
    def bits_per_pixel(self) -> float:
        """Bits of the whole file for each pixel."""
        return 8 * self.file_bytes / (self.width * self.height)


def info(
    source: Source,
    *,
    max_metadata: int = MAX_METADATA,
    max_chunks: int = MAX_PROLOGUE_CHUNKS,
) -> Info:
    """Read what a file says of itself, nothing from the first tile on.

    Arguments:
        source: path, bytes or binary file.
        max_metadata: bytes of metadata to accept.
        max_chunks: chunks of metadata, ranking and index together to accept.

    Raises:
        FormatError: as far as was read, the file breaks a rule. OSError: it cannot be read.
    """
    with open_source(source) as (stream, size):
        start = stream.tell()
        reader = Reader(stream, size, max_metadata, max_chunks)
        # Whoever asks first and reads then finds the file as it was.
        stream.seek(start)
    head = reader.head
    return Info(
        width=head.width,
        height=head.height,
        channels=head.channels,
        colors=head.colors,
        predictor=PREDICTORS[head.predictor],
        tile_width=head.tile_width,
        tile_height=head.tile_height,
        tiles=head.tiles,
        metadata=tuple(reader.metadata),
        file_bytes=size,
    )


def read_indexed(
    source: Source,
    *,
    region: Region | None = None,
    threads: int | None = None,
    max_pixels: int | None = MAX_PIXELS,
    max_metadata: int = MAX_METADATA,
    max_chunks: int = MAX_PROLOGUE_CHUNKS,
    errors: str = "strict",
) -> IndexedImage:
    """Read labels, codebook and metadata.

    Arguments, errors, warnings: as for read.

    Returns:
        an IndexedImage whose labels are those of the region.
    """
    with open_source(source) as (stream, size):
        reader = _reader_of(errors)(stream, size, max_metadata, max_chunks)
        labels = read_labels(reader, region, threads, max_pixels)
    _warn_of_damage(reader)
    return IndexedImage(labels, reader.codebook, reader.metadata)


def read(
    source: Source,
    *,
    region: Region | None = None,
    threads: int | None = None,
    max_pixels: int | None = MAX_PIXELS,
    max_metadata: int = MAX_METADATA,
    max_chunks: int = MAX_PROLOGUE_CHUNKS,
    errors: str = "strict",
) -> np.ndarray:
    """Read the pixels of a file.

    Arguments:
        source: path, bytes or binary file.
        region: box (left, upper, right, lower) in pixels; only tiles that it touches are
            inflated. None for the whole image.
        threads: at most so many at each stage of the work; None for one for each processor.
        max_pixels: pixels of all tiles to inflate; None for no limit.
        max_metadata: bytes of metadata to accept.
        max_chunks: chunks of metadata, ranking and index together to accept.
        errors: ``"strict"``, or ``"salvage"`` to take what is whole of a damaged file: a tile that
            is lost has the colour of label 0.

    Returns:
        (H, W) uint8 for gray, else (H, W, C) uint8 with C 2 (gray, alpha), 3 (RGB) or 4 (RGBA).

    Raises:
        FormatError: the file breaks a rule; TruncatedError, UnsupportedError and LimitError are
            kinds of it. ValueError: the region is empty or not inside the image.

    Warns:
        DamageWarning: with ``errors="salvage"``, what is lost of a damaged file.
    """
    with open_source(source) as (stream, size):
        reader = _reader_of(errors)(stream, size, max_metadata, max_chunks)
        pixels = read_pixels(reader, region, threads, max_pixels)
    _warn_of_damage(reader)
    return pixels


def decode(
    data: bytes | bytearray | memoryview,
    *,
    region: Region | None = None,
    threads: int | None = None,
    max_pixels: int | None = MAX_PIXELS,
    max_metadata: int = MAX_METADATA,
    max_chunks: int = MAX_PROLOGUE_CHUNKS,
    errors: str = "strict",
) -> np.ndarray:
    """Return the pixels of a file given as bytes. Arguments, result, errors: as for read.

    >>> import kqf, numpy
    >>> kqf.decode(kqf.encode(numpy.full((2, 3), 7, "uint8")))
    array([[7, 7, 7],
           [7, 7, 7]], dtype=uint8)
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(f"expected bytes, not {type(data).__name__}; read() takes files")
    return read(
        data,
        region=region,
        threads=threads,
        max_pixels=max_pixels,
        max_metadata=max_metadata,
        max_chunks=max_chunks,
        errors=errors,
    )


def check(
    source: Source,
    *,
    threads: int | None = None,
    max_pixels: int | None = None,
    max_metadata: int = MAX_METADATA,
    max_chunks: int = MAX_PROLOGUE_CHUNKS,
) -> None:
    """Read all of a file for its errors alone, a few tiles at a time.

    Arguments: as for read; as the memory that it takes is bounded, so need no pixels be.

    Raises:
        FormatError: the file breaks a rule. OSError: it cannot be read.
    """
    with open_source(source) as (stream, size):
        reader = Reader(stream, size, max_metadata, max_chunks)
        _check_pixels(reader.head.width * reader.head.height, max_pixels)
        reader.check_room()
        _read_order(reader)
        # Of symbols that are right none can give a wrong label.
        batches = _batches(reader, range(reader.head.tiles), thread_count(threads))
        _inflate(reader, batches, lambda number, symbols: None, thread_count(threads))
        reader.finish()


def _reader_of(errors: str) -> type[Reader] | type[Salvager]:
    if errors not in ("strict", "salvage"):
        raise ValueError(f"errors must be 'strict' or 'salvage', not {errors!r}")
    return Reader if errors == "strict" else Salvager


def _warn_of_damage(reader: Reader | Salvager) -> None:
    if isinstance(reader, Salvager) and (warning := reader.damage()):
        warnings.warn(warning, stacklevel=3)


def read_labels(
    reader: Reader | Salvager,
    region: Region | None = None,
    threads: int | None = None,
    max_pixels: int | None = MAX_PIXELS,
) -> np.ndarray:
    """Return the labels of a region, (H, W) uint8. A Salvager warns of what it has not got."""
    labels, done = _read(reader, region, threads, max_pixels)
    for _ in done:
        pass
    return labels


def read_pixels(
    reader: Reader | Salvager,
    region: Region | None = None,
    threads: int | None = None,
    max_pixels: int | None = MAX_PIXELS,
) -> np.ndarray:
    """Return the pixels of a region, as read does."""
    if region is not None:
        labels = read_labels(reader, region, threads, max_pixels)
        return look_up(labels, reader.codebook, _threads(threads, labels.size))
    # Labels lie where pixels will: so much less memory at once.
    channels = reader.head.channels
    labels, done = _read(reader, None, threads, max_pixels, room=channels)
    assert labels.base is not None
    pixels = labels.base.reshape(-1, channels)
    # Pixels come to lie on labels of their own band or earlier ones, which are copied by then.
    look_up_bands(_bands(labels, done), reader.codebook, pixels, _threads(threads, labels.size))
    return shaped(pixels, labels.shape)


def _bands(labels: np.ndarray, done: Iterable[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (first, a copy of so many labels) of all labels, as soon as their rows are done."""
    flat = labels.reshape(-1)
    first = 0
    for rows in done:
        end = rows * labels.shape[1]
        while end - first >= BAND or first < end == flat.size:
            last = min(first + BAND, end)
            yield first, flat[first:last].copy()
            first = last


def _threads(threads: int | None, pixels: int) -> int:
    count = thread_count(threads)
    return count if pixels >= _THREAD_PIXELS else 1


def _read(
    reader: Reader | Salvager,
    region: Region | None,
    threads: int | None,
    max_pixels: int | None,
    room: int = 1,
) -> tuple[np.ndarray, Iterator[int]]:
    """Return (H, W) uint8, and what makes them the labels of a region, from the top down.

    Arguments:
        room: bytes a label of the array whose end they are a view of, without a region.

    Returns:
        labels, and how many rows of them are done, again and again until all are.
    """
    head = reader.head
    box = _check_region(region, head)
    pixels = _touched_pixels(head, box)
    _check_pixels(pixels, max_pixels)
    reader.check_room()
    count = _threads(threads, pixels)
    order = _read_order(reader)
    left, upper, right, lower = area = _with_contexts(head, box)
    labels = np.empty((0, 0), np.uint8)

    lock = Lock()

    def place(number: int, symbols: np.ndarray) -> None:
        nonlocal labels
        with lock:
            if not labels.size:
                # Not before a tile is there: a header alone is no reason to give out memory.
                shape = lower - upper, right - left
                size = shape[0] * shape[1]
                labels = np.empty(room * size, np.uint8)[-size:].reshape(shape)
        tile = head.tile_box(number)
        labels[_within(area, tile)] = symbols[_within(tile, area)]

    _inflate(reader, _batches(reader, _touched(head, box), count), place, count)
    if not labels.size:
        raise FormatError("LABL", "count", "a whole one", "none")
    if region is None:
        reader.finish()
    lost = [_within(area, head.tile_box(number)) for number in reader.lost]
    done = _unrank(labels, order, head, lost, count)
    if area != box:
        for _ in done:
            pass
        labels = labels[box[1] - upper :, box[0] - left :].copy()
    return labels, done


def _within(area: Region, box: Region) -> tuple[slice, slice]:
    """Return where in an array of an area what it has in common with a box is."""
    left, upper, right, lower = area
    rows = slice(max(box[1], upper) - upper, min(box[3], lower) - upper)
    return rows, slice(max(box[0], left) - left, min(box[2], right) - left)


def _check_region(region: Region | None, head: Head) -> Region:
    whole = (0, 0, head.width, head.height)
    if region is None:
        return whole
    if len(region) != 4:
        raise ValueError(f"region must be (left, upper, right, lower), not {region!r}")
    left, upper, right, lower = (operator.index(side) for side in region)
    if not (0 <= left < right <= head.width and 0 <= upper < lower <= head.height):
        raise ValueError(f"region must be a box of at least one pixel inside {whole}, not {region}")
    return left, upper, right, lower


def _with_contexts(head: Head, box: Region) -> Region:
    """Return a box together with what its labels were predicted from."""
    left, upper, right, lower = box
    if head.predictor == 1:
        left -= left % head.tile_width
    elif head.predictor == 2:
        upper -= upper % head.tile_height
    return left, upper, right, lower


def _touched(head: Head, box: Region) -> Iterator[int]:
    """Yield the numbers of the tiles that a box touches, ascending."""
    left, upper, right, lower = box
    columns = range(left // head.tile_width, (right - 1) // head.tile_width + 1)
    rows = range(upper // head.tile_height, (lower - 1) // head.tile_height + 1)
    return (row * head.columns + column for row in rows for column in columns)


def _touched_pixels(head: Head, box: Region) -> int:
    """Return the pixels of all tiles that a box touches, without going through them."""
    left, upper, right, lower = box
    first, last = upper // head.tile_height, (lower - 1) // head.tile_height
    x, y, *_ = head.tile_box(first * head.columns + left // head.tile_width)
    *_, x_end, y_end = head.tile_box(last * head.columns + (right - 1) // head.tile_width)
    return (x_end - x) * (y_end - y)


def _check_pixels(pixels: int, max_pixels: int | None) -> None:
    if max_pixels is not None and pixels > max_pixels:
        raise LimitError("HEAD", "pixels of the tiles to read", f"max_pixels={max_pixels}", pixels)


def _batches(
    reader: Reader | Salvager, numbers: Iterable[int], threads: int
) -> Iterator[list[tuple[int, bytes]]]:
    """Yield (number, zlib stream) of tiles in batches that are worth handing to a thread."""
    # One thread alone has nothing to hand over, and takes least memory tile by tile.
    pixels = 1 if threads == 1 else _BATCH_PIXELS
    batch = []
    missing = pixels
    for number, stream in reader.tiles(numbers):
        batch.append((number, stream))
        height, width = reader.head.tile_shape(number)
        missing -= height * width
        if missing <= 0:
            yield batch
            batch, missing = [], pixels
    if batch:
        yield batch


def _inflate(
    reader: Reader | Salvager,
    batches: Iterable[list[tuple[int, bytes]]],
    use: Callable[[int, np.ndarray], None],
    threads: int,
) -> None:
    """Inflate tiles, and call ``use`` with the number and the symbols (h, w) of each."""
    head = reader.head

    def inflate_batch(batch: list[tuple[int, bytes]]) -> None:
        for number, stream in batch:
            use(number, inflate_symbols(stream, head.tile_shape(number), head.last_label, number))

    for _ in each(inflate_batch, batches, threads):
        pass


def _read_order(reader: Reader | Salvager) -> np.ndarray | None:
    """Return the ranking of each context, (K, K) uint8; None with predictor 0."""
    if reader.ranking is None:
        return None
    colors = reader.head.colors
    # A table of every label after every context is the longest.
    table = inflate(reader.ranking, colors * (1 + min(colors, 255)), "RANK")
    return ranking.parse_table(table, reader.codebook)


def _unrank(
    labels: np.ndarray,
    order: np.ndarray | None,
    head: Head,
    lost: Sequence[tuple[slice, slice]],
    threads: int,
) -> Iterator[int]:
    """Turn symbols into labels in place, and those of lost tiles into 0; yield the rows done."""
    # Where there are no symbols, any will do to unrank.
    for part in lost:
        labels[part] = 0
    if order is not None:
        side = head.tile[0 if head.predictor == 1 else 1]
        rows = ranking.unrank(labels, order, head.predictor, side, threads)
        if not lost:
            yield from rows
            return
        for _ in rows:
            pass
        for part in lost:
            labels[part] = 0
    yield len(labels)
