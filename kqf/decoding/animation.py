"""Animations that stay open, whose frames are decoded when they are asked for."""

import operator
import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, overload

import numpy as np

from kqf.decoding.file import Errors, KqfFile, Trailing, check_errors
from kqf.decoding.frames import MAX_WORK, Canvas, FrameDecoder
from kqf.decoding.information import Info
from kqf.decoding.labels import Region, check_region
from kqf.decoding.salvaged_file import Limits, SalvagedFile
from kqf.errors import warn
from kqf.format.declarations import MAX_METADATA, MAX_PIXELS, MAX_PROLOGUE_CHUNKS
from kqf.image import IndexedImage
from kqf.io.files import Source


def open_animation(
    source: Source,
    *,
    threads: int | None = None,
    max_pixels: int | None = MAX_PIXELS,
    max_work: int | None = MAX_WORK,
    max_metadata: int = MAX_METADATA,
    max_chunks: int = MAX_PROLOGUE_CHUNKS,
    trailing: Trailing = "error",
    errors: Errors = "strict",
) -> "KqfAnimation":
    """Open a file to read its frames, when they are asked for. A still has one.

    Arguments:
        source: path, URL that fsspec knows, bytes-like object or binary file; one that can't seek
            is read to its end.
        threads: at most so many at each stage of the work; None for one for each processor.
        max_pixels: pixels of a frame; None for no limit.
        max_work: pixels, those that do not change left out, blocks and shapes of all frames that
            are decoded for one that is asked for (section 9.2 of the specification); None for no
            limit.
        max_metadata: bytes of metadata to accept.
        max_chunks: chunks of metadata, ranking and index together to accept.
        trailing: ``"error"`` to refuse bytes after the end of the file when all frames are read, or
            ``"ignore"``.
        errors: ``"strict"``, or ``"salvage"`` to read what is intact of a damaged file: it is read
            whole and decoded once; frames that are lost repeat the one before.

    Raises:
        FormatError: the file breaks a rule before its first tile. LimitError: it exceeds a limit.
        OSError: it can't be read. ImportError: it is a URL, and fsspec is not installed.

    Warns:
        DamageWarning: with ``errors="salvage"``, what is lost of a damaged file.
    """
    return KqfAnimation(
        source,
        threads=threads,
        max_pixels=max_pixels,
        max_work=max_work,
        max_metadata=max_metadata,
        max_chunks=max_chunks,
        trailing=trailing,
        errors=errors,
    )


class KqfAnimation(Sequence[np.ndarray]):
    """An open animation, as ``kqf.open_animation`` gives it: a sequence of frames.

    ``animation[i]`` is frame i, (H, W) uint8 for gray, else (H, W, C) uint8; a slice is a list of
    them. Frames that follow one another are decoded in one go; any other one from the last whole
    frame before it. One frame and one group of changes are in memory. Several threads may read, one
    at a time. It is closed by ``close`` or at the end of ``with``, and can be pickled if its source
    can.

    >>> import kqf, numpy
    >>> frames = numpy.zeros((3, 4, 6), "uint8")
    >>> frames[1, 2, 3] = 255
    >>> with kqf.open_animation(kqf.encode_animation(frames, durations=40)) as animation:
    ...     len(animation), animation.durations, int(animation[1].max())
    (3, (40, 40, 40), 255)
    """

    def __init__(
        self,
        source: Source,
        *,
        threads: int | None = None,
        max_pixels: int | None = MAX_PIXELS,
        max_work: int | None = MAX_WORK,
        max_metadata: int = MAX_METADATA,
        max_chunks: int = MAX_PROLOGUE_CHUNKS,
        trailing: Trailing = "error",
        errors: Errors = "strict",
    ) -> None:
        check_errors(errors)
        self._limits = threads, max_pixels, max_work
        self._file: KqfFile | SalvagedFile
        if errors == "strict":
            self._file = KqfFile(
                source, max_metadata=max_metadata, max_chunks=max_chunks, trailing=trailing
            )
        else:
            self._file = SalvagedFile(source, max_metadata, max_chunks, trailing, self._limits)
            if self._file.damage:
                warn(self._file.damage)
        self._lock = threading.Lock()
        self._decoder: FrameDecoder | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self._file, self._limits)

    def __enter__(self) -> "KqfAnimation":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<kqf.KqfAnimation {self.shape}, {self.duration:g} ms>"

    def close(self) -> None:
        """Close the file, unless it was given as an open one."""
        self._file.close()

    @cached_property
    def info(self) -> Info:
        """What the file says of itself: size, frames, colours of the first one, metadata, bytes."""
        return self._file.info

    @property
    def metadata(self) -> dict[str, object]:
        """Any of ``icc_profile``, ``exif``, ``xmp``, ``dpi`` and ``comment``; a new dict."""
        return self._file.metadata

    @property
    def shape(self) -> tuple[int, ...]:
        """(T, H, W) for gray, otherwise (T, H, W, C)."""
        return (len(self), *self._file.shape)

    @property
    def loop(self) -> int:
        """How often the animation is to be played, 0 for ever; 1 for a still."""
        return self.info.loop

    @property
    def durations(self) -> tuple[float, ...]:
        """Milliseconds of each frame, int where all are whole, else float; empty for a still."""
        return self.info.durations

    @property
    def duration(self) -> float:
        """Milliseconds of all frames together."""
        return sum(self.durations)

    def __len__(self) -> int:
        return self.info.frames

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, index: slice) -> list[np.ndarray]: ...

    def __getitem__(self, index: int | slice) -> np.ndarray | list[np.ndarray]:
        if isinstance(index, slice):
            return [self.read(number) for number in range(len(self))[index]]
        return self.read(index)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self.read(number) for number in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("a file has no pixels in memory: a copy can't be avoided")
        return np.stack(list(self)).astype(dtype or np.uint8, copy=False)

    def read(self, number: int, region: Region | None = None) -> np.ndarray:
        """Read the pixels of a frame, (h, w) uint8 for gray, else (h, w, C) uint8.

        Arguments:
            number: from 0; negative ones count from the end.
            region: box (left, upper, right, lower) in pixels, any sequence or array of four
                integers; None for the whole frame. It saves copying, not decoding: a frame says
                only what has changed since the one before.

        Raises:
            IndexError: there is no such frame. FormatError: the file breaks a rule.
            LimitError: too many pixels. ValueError: the region is empty or not inside the frame.
        """
        with self._lock:
            left, upper, right, lower = check_region(region, self._file.head)
            canvas = self._canvas(number)
            return canvas.show((slice(upper, lower), slice(left, right)))

    def read_indexed(self, number: int, region: Region | None = None) -> IndexedImage:
        """Read the labels of a frame, with its codebook and the file's metadata.

        A frame that still shows pixels of an earlier codebook gets a codebook of its own.

        Arguments, errors: those of ``read``. ValueError: such a frame shows more than 256 colours.
        """
        with self._lock:
            left, upper, right, lower = check_region(region, self._file.head)
            rows, columns = slice(upper, lower), slice(left, right)
            canvas = self._canvas(number)
            if canvas.is_indexed:
                labels = canvas.labels[rows, columns].copy()
                return IndexedImage(labels, canvas.codebook, self.metadata)
            pixels = canvas.show((rows, columns))
        flat = pixels.reshape(-1, self._file.head.channels)
        codebook, labels = np.unique(flat, axis=0, return_inverse=True)
        if len(codebook) > 256:
            raise ValueError(f"frame {number} shows {len(codebook)} colours, more than 256")
        return IndexedImage(
            labels.reshape(pixels.shape[:2]).astype(np.uint8), codebook, self.metadata
        )

    def _canvas(self, number: int) -> Canvas:
        index = operator.index(number)
        if not -len(self) <= index < len(self):
            raise IndexError(f"frame {index} of an animation of {len(self)} frames")
        if self._decoder is None:
            if isinstance(self._file, SalvagedFile):
                self._decoder = self._file.decoder
            else:
                self._decoder = FrameDecoder(self._file.reader(), *self._limits)
        return self._decoder.decode(index % len(self))


def _reopen(file: KqfFile | SalvagedFile, limits: Limits) -> KqfAnimation:
    animation = KqfAnimation.__new__(KqfAnimation)
    animation._file, animation._limits = file, limits
    animation._lock, animation._decoder = threading.Lock(), None
    return animation
