"""Images joined into an animation."""

import re
import time
from collections.abc import Iterator
from fractions import Fraction
from glob import glob
from pathlib import Path

import numpy as np
from PIL import Image

import kqf
from kqf.convert.api import Converted
from kqf.convert.options import ConversionOptions
from kqf.convert.targets import Job, check_target, is_exclusive
from kqf.io.inputs import picture_suffixes
from kqf.io.modes import MODES, without_palette
from kqf.io.pictures import load_picture
from kqf.io.pipes import write_output

_DEFAULT_FPS = 10


def join_frames(job: Job, options: ConversionOptions) -> tuple[Converted, list[str]]:
    """Make an animation of images, in the order of their names; numbers in them count as such.

    Arguments:
        job: from a folder, or a pattern of names, to the file to make.

    Returns:
        what was made, and what else the user should know.

    Raises:
        ValueError, KqfError, OSError: it cannot be made; nothing was written.
    """
    start = time.perf_counter()
    if Path(job.target).suffix.lower() != ".kqf":
        raise ValueError(f"frames are joined to a .kqf file, not to {job.target}")
    frames = _Frames(_paths(job.source))
    check_target(job, None, options)
    data = kqf.encode_animation(
        frames,
        durations=Fraction(1000) / Fraction(options.fps or _DEFAULT_FPS),
        **options.encoder,
    )
    with kqf.open_animation(data) as written:
        same = all(
            np.array_equal(shown.reshape(frame.shape), frame)
            for shown, frame in zip(written, frames, strict=True)
        )
    write_output(job.target, data, exclusive=is_exclusive(job, options))
    info = kqf.info(data)
    return Converted(
        input=job.source,
        output=job.target,
        bytes_in=frames.bytes,
        bytes_out=len(data),
        ratio=len(data) / frames.bytes,
        bits_per_pixel=8 * len(data) / (info.width * info.height),
        width=info.width,
        height=info.height,
        colors=info.colors,
        exact=same,
        seconds=round(time.perf_counter() - start, 3),
        largest_error=None,
    ), frames.notes


def _paths(source: str) -> list[Path]:
    """Return the images in a folder, or those that a pattern names."""
    if Path(source).is_dir():
        suffixes = picture_suffixes()
        found = [path for path in Path(source).iterdir() if path.suffix.lower() in suffixes]
    else:
        # Path.glob takes no pattern that begins at the root.
        found = [Path(name) for name in glob(source)]  # noqa: PTH207
    if not found:
        raise ValueError("there is no image of that name")
    return sorted(found, key=_natural)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Return a key by which 9 comes before 10."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


class _Frames:
    """Images from files, in memory one after another, in as few channels as show all of them.

    Attributes:
        bytes: of all files. notes: how pixels were changed when they were read, in words.
    """

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths
        self.bytes = sum(path.stat().st_size for path in paths)
        self.notes: list[str] = []
        modes = {image.mode for image in self._images()}
        alpha = any(mode in ("LA", "RGBA") for mode in modes)
        self._mode = MODES[(1 if modes <= {"L", "LA"} else 3) + alpha]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (np.asarray(image.convert(self._mode)) for image in self._images())

    def _images(self) -> Iterator[Image.Image]:
        for path in self._paths:
            try:
                picture = load_picture(path.read_bytes())
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from error
            self.notes += [note for note in picture.changes if note not in self.notes]
            yield without_palette(picture.image)
