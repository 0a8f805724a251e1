"""The frames of videos, by PyAV."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from kqf.text import how_to_install

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ogv")
# Of a frame whose times are not told.
_MILLISECONDS = Fraction(40)


def is_video(name: str) -> bool:
    """Tell by its name whether a file is a video."""
    return Path(name).suffix.lower() in SUFFIXES


class Video:
    """The frames of a video, decoded each time that they are gone through.

    Arguments:
        data: the file.

    Attributes:
        size: (width, height) of all frames. durations: milliseconds of each.
        plays, is_palette: as a video has them: played for ever as the animations of most pages are,
            and in true colour.
        notes: what is left out, in words.

    Raises:
        ImportError: PyAV is not installed. ValueError: no video, or its frames differ in size.
    """

    plays = 0
    is_palette = False

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.notes: list[str] = []
        starts: list[Fraction | None] = []
        last: Fraction | None = None
        sizes = set()
        with self._opened() as container:
            if container.streams.audio:
                self.notes.append("its sound is left out")
            self._has_alpha = False
            for frame in container.decode(video=0):
                starts.append(None if frame.pts is None else 1000 * frame.pts * frame.time_base)
                last = 1000 * frame.duration * frame.time_base if frame.duration else None
                turned = frame.rotation % 180 != 0
                sizes.add((frame.height, frame.width) if turned else (frame.width, frame.height))
                self._has_alpha |= any(part.is_alpha for part in frame.format.components)
            rate = container.streams.video[0].average_rate
        if not sizes:
            raise ValueError("the video has no frames")
        if len(sizes) > 1:
            texts = " and ".join(f"{width} x {height}" for width, height in sorted(sizes))
            raise ValueError(f"frames of one video must be of one size, not {texts} pixels")
        (self.size,) = sizes
        self.durations = _durations(starts, last, 1000 / rate if rate else _MILLISECONDS)

    def __len__(self) -> int:
        return len(self.durations)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield (H, W, C) uint8 arrays."""
        with self._opened() as container:
            for frame in container.decode(video=0):
                pixels = frame.to_ndarray(format="rgba" if self._has_alpha else "rgb24")
                yield np.ascontiguousarray(np.rot90(pixels, frame.rotation // 90))

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        try:
            import av  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise ImportError(f"videos need PyAV: {how_to_install('video')}") from error
        try:
            with av.open(io.BytesIO(self._data)) as container:
                if not container.streams.video:
                    raise ValueError("there is no picture in it")
                # Frames that follow one another do not wait for each other.
                container.streams.video[0].thread_type = "AUTO"
                yield container
        except av.FFmpegError as error:
            raise ValueError(f"cannot be read as a video: {error.strerror}") from error


def _durations(
    starts: list[Fraction | None], last: Fraction | None, usual: Fraction
) -> list[Fraction]:
    """Return how long frames are shown that begin at these milliseconds.

    Arguments:
        last: how long the last one is shown, None if it does not say. usual: where nothing does.
    """
    durations = [
        following - start
        if start is not None and following is not None and following >= start
        else usual
        for start, following in pairwise(starts)
    ]
    return [*durations, last or usual]
