"""The frames that a caller gives, in any of the ways in which they may be given."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from typing import Any, TypeAlias

import numpy as np

from kqf.quantization.pixels import as_pixels

Frames: TypeAlias = (
    np.ndarray | Sequence[Any] | Iterable[np.ndarray] | Callable[[], Iterable[np.ndarray]]
)


class FrameSource:
    """Frames that can be gone through several times, one in memory at a time.

    Arguments:
        frames: array (T, H, W) or (T, H, W, C), also one of dask, zarr or a file, which is read
            frame by frame; a sequence or iterable of frames, or a function that returns one. What
            can be gone through only once is kept in a temporary file.

    Raises:
        TypeError: nothing of the kind.
    """

    def __init__(self, frames: Frames) -> None:
        given: Any = frames
        self._frames = given
        self._kept: _KeptFrames | None = None
        if hasattr(given, "ndim"):
            if given.ndim not in (3, 4):
                expected = "(T, H, W) or (T, H, W, 1..4)"
                raise ValueError(f"frames must be {expected}, not of shape {given.shape}")
        elif not callable(frames) and not isinstance(frames, Iterable):
            raise TypeError(f"frames must be arrays, not {type(frames).__name__}")

    def __enter__(self) -> "FrameSource":
        return self

    def __exit__(self, *_: object) -> None:
        if self._kept is not None:
            self._kept.close()

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield each frame as (H, W, C) uint8.

        Raises:
            TypeError, ValueError: one is not an image, or unlike the first one; or there is none.
        """
        shape = None
        for number, frame in enumerate(self._raw()):
            try:
                pixels = as_pixels(np.asarray(frame) if hasattr(frame, "shape") else frame)
            except (TypeError, ValueError) as error:
                raise type(error)(f"frame {number}: {error}") from error
            shape = shape or pixels.shape
            if pixels.shape != shape:
                expected = f"{shape} like the first one"
                raise ValueError(f"frame {number} must be {expected}, not {pixels.shape}")
            yield pixels
        if shape is None:
            raise ValueError("an animation needs at least one frame")

    def _raw(self) -> Any:
        if self._kept is not None:
            return self._kept
        frames = self._frames
        if hasattr(frames, "ndim"):
            return (frames[number] for number in range(len(frames)))
        if callable(frames):
            return frames()
        if isinstance(frames, Iterator):
            self._kept = _KeptFrames(frames)
            return self._kept
        return frames


class _KeptFrames:
    """Frames of an iterator, kept in a temporary file that is gone once it is closed."""

    def __init__(self, frames: Iterator[Any]) -> None:
        self._frames = frames
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close
        self.close = self._file.close
        self._offsets = [0]

    def __iter__(self) -> Iterator[Any]:
        for number in count():
            if number + 1 < len(self._offsets):
                self._file.seek(self._offsets[number])
                yield np.load(self._file, allow_pickle=False)
                continue
            try:
                frame = next(self._frames)
            except StopIteration:
                return
            self._file.seek(self._offsets[number])
            np.save(self._file, np.asarray(frame), allow_pickle=False)
            self._offsets.append(self._file.tell())
            yield frame
