"""From the bytes of a file to labels and pixels, in one call."""

import mmap

import numpy as np

from kqf.decoding.file import Errors, KqfFile, Trailing, check_errors, check_trailing
from kqf.decoding.frames import MAX_WORK, FrameDecoder
from kqf.decoding.information import Info, info_of
from kqf.decoding.labels import Reader, Region, check_tiles, read_labels, read_pixels
from kqf.decoding.salvage import Salvager
from kqf.errors import warn
from kqf.format.declarations import MAX_METADATA, MAX_PIXELS, MAX_PROLOGUE_CHUNKS
from kqf.format.reader import ImageReader
from kqf.image import IndexedImage
from kqf.io.files import Source, open_source


def info(
    source: Source | KqfFile,
    *,
    max_metadata: int = MAX_METADATA,
    max_chunks: int = MAX_PROLOGUE_CHUNKS,
) -> Info:
    """Read what a file says of itself, nothing from the first tile on.

    Arguments:
        source: path, URL that fsspec knows, bytes-like object or binary file; or a file that
            ``kqf.open`` has opened.
        max_metadata: bytes of metadata to accept.
        max_chunks: chunks of metadata, ranking and index together to accept.

    Raises:
        FormatError: as far as was read, the file breaks a rule. LimitError: it exceeds a limit.
        OSError: it can't be read.
    """
    if isinstance(source, KqfFile):
        return source.info
    with open_source(source) as (stream, size):
        start = stream.tell()
        reader = ImageReader(stream, size, max_metadata, max_chunks)
        # A caller may ask first and read then.
        stream.seek(start)
    return info_of(reader)


def read_indexed(
    source: Source,
    *,
    region: Region | None = None,
    threads: int | None = None,
    max_pixels: int | None = MAX_PIXELS,
    max_metadata: int = MAX_METADATA,
    max_chunks: int = MAX_PROLOGUE_CHUNKS,
    errors: Errors = "strict",
    trailing: Trailing = "error",
) -> IndexedImage:
    """Read labels, codebook and metadata of a file.

    Arguments:
        source: path, URL that fsspec knows, bytes-like object or binary file; one that can't seek
            is read to its end.
        region: box (left, upper, right, lower) in pixels, any sequence or array of four integers;
            only tiles that it touches are inflated. None for the whole image.
        threads: at most so many at each stage of the work; None for one for each processor.
        max_pixels: pixels of all tiles to inflate; None for no limit.
        max_metadata: bytes of metadata to accept.
        max_chunks: chunks of metadata, ranking and index together to accept.
        errors: ``"strict"``, or ``"salvage"`` to read the intact parts of a damaged file: lost
            pixels have label 0.
        trailing: ``"error"`` to refuse bytes after the end of the image, or ``"ignore"``.

    Returns:
        an IndexedImage whose labels are those of the region.

    Raises:
        FormatError: the file breaks a rule; TruncatedError and UnsupportedError are kinds of it.
        LimitError: it exceeds a limit. OSError: it can't be read. TypeError, ValueError: an
        argument is not as above.

    Warns:
        DamageWarning: with ``errors="salvage"``, what is lost of a damaged file.
    """
    with open_source(source) as (stream, size):
        reader = _reader(errors, trailing)(stream, size, max_metadata, max_chunks, trailing)
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
    errors: Errors = "strict",
    trailing: Trailing = "error",
) -> np.ndarray:
    """Read the pixels of a file.

    Arguments:
        source: path, URL that fsspec knows, bytes-like object or binary file; one that can't seek
            is read to its end.
        region: box (left, upper, right, lower) in pixels, any sequence or array of four integers;
            only tiles that it touches are inflated. None for the whole image.
        threads: at most so many at each stage of the work; None for one for each processor.
        max_pixels: pixels of all tiles to inflate; None for no limit.
        max_metadata: bytes of metadata to accept.
        max_chunks: chunks of metadata, ranking and index together to accept.
        errors: ``"strict"``, or ``"salvage"`` to read the intact parts of a damaged file: lost
            pixels have the colour of label 0.
        trailing: ``"error"`` to refuse bytes after the end of the image, or ``"ignore"``.

    Returns:
        (H, W) uint8 for gray, else (H, W, C) uint8 with C 2 (gray, alpha), 3 (RGB) or 4 (RGBA),
        straight alpha.

    Raises:
        FormatError: the file breaks a rule; TruncatedError and UnsupportedError are kinds of it.
        LimitError: it exceeds a limit. OSError: it can't be read. TypeError, ValueError: an
        argument is not as above.

    Warns:
        DamageWarning: with ``errors="salvage"``, what is lost of a damaged file.
    """
    with open_source(source) as (stream, size):
        reader = _reader(errors, trailing)(stream, size, max_metadata, max_chunks, trailing)
        pixels = read_pixels(reader, region, threads, max_pixels)
    _warn_of_damage(reader)
    return pixels


def decode(
    data: bytes | bytearray | memoryview | mmap.mmap,
    *,
    region: Region | None = None,
    threads: int | None = None,
    max_pixels: int | None = MAX_PIXELS,
    max_metadata: int = MAX_METADATA,
    max_chunks: int = MAX_PROLOGUE_CHUNKS,
    errors: Errors = "strict",
    trailing: Trailing = "error",
) -> np.ndarray:
    """Return the pixels of a file given as bytes.

    Arguments:
        data: the whole file, as a bytes-like object.
        region: box (left, upper, right, lower) in pixels, any sequence or array of four integers;
            only tiles that it touches are inflated. None for the whole image.
        threads: at most so many at each stage of the work; None for one for each processor.
        max_pixels: pixels of all tiles to inflate; None for no limit.
        max_metadata: bytes of metadata to accept.
        max_chunks: chunks of metadata, ranking and index together to accept.
        errors: ``"strict"``, or ``"salvage"`` to read the intact parts of a damaged file: lost
            pixels have the colour of label 0.
        trailing: ``"error"`` to refuse bytes after the end of the image, or ``"ignore"``.

    Returns:
        (H, W) uint8 for gray, else (H, W, C) uint8 with C 2 (gray, alpha), 3 (RGB) or 4 (RGBA),
        straight alpha.

    Raises:
        FormatError: the file breaks a rule; TruncatedError and UnsupportedError are kinds of it.
        LimitError: it exceeds a limit. TypeError, ValueError: an argument is not as above.

    Warns:
        DamageWarning: with ``errors="salvage"``, what is lost of a damaged file.

    >>> import kqf, numpy
    >>> kqf.decode(kqf.encode(numpy.full((2, 3), 7, "uint8")))
    array([[7, 7, 7],
           [7, 7, 7]], dtype=uint8)
    """
    if not isinstance(data, bytes | bytearray | memoryview | mmap.mmap):
        raise TypeError(f"expected bytes, not {type(data).__name__}; kqf.read takes files")
    return read(
        data,
        region=region,
        threads=threads,
        max_pixels=max_pixels,
        max_metadata=max_metadata,
        max_chunks=max_chunks,
        errors=errors,
        trailing=trailing,
    )


def check(
    source: Source,
    *,
    threads: int | None = None,
    max_pixels: int | None = None,
    max_work: int | None = MAX_WORK,
    max_metadata: int = MAX_METADATA,
    max_chunks: int = MAX_PROLOGUE_CHUNKS,
    trailing: Trailing = "error",
) -> None:
    """Read all of a file for its errors alone, a few tiles or a frame at a time.

    Arguments:
        source: path, URL that fsspec knows, bytes-like object or binary file; one that can't seek
            is read to its end.
        threads: at most so many at each stage of the work; None for one for each processor.
        max_pixels: pixels to accept; None for no limit, as the memory needed is bounded. A frame of
            an animation, which is kept in memory, may have 178,956,970 then.
        max_work: pixels, blocks and shapes of all frames to decode, as section 9.2 of the
            specification counts them; None for no limit.
        max_metadata: bytes of metadata to accept.
        max_chunks: chunks of metadata, ranking and index together to accept.
        trailing: ``"error"`` to refuse bytes after the end of the image, or ``"ignore"``.

    Raises:
        FormatError: the file breaks a rule; TruncatedError and UnsupportedError are kinds of it.
        LimitError: it exceeds a limit. OSError: it can't be read.
    """
    check_trailing(trailing)
    with open_source(source) as (stream, size):
        reader = ImageReader(stream, size, max_metadata, max_chunks, trailing)
        check_tiles(reader, threads, max_pixels)
        if reader.timing is not None:
            FrameDecoder(reader, threads, max_pixels or MAX_PIXELS, max_work).check()


def _reader(errors: str, trailing: str) -> type[ImageReader] | type[Salvager]:
    check_trailing(trailing)
    check_errors(errors)
    return ImageReader if errors == "strict" else Salvager


def _warn_of_damage(reader: Reader) -> None:
    if isinstance(reader, Salvager) and (warning := reader.damage()):
        warn(warning)
