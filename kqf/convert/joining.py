"""Images joined into an animation."""

import re
import time
from collections.abc import Iterator
from fractions import Fraction
from glob import glob
from pathlib import Path

import numpy as np

from kqf.convert.animations import make_of_frames
from kqf.convert.api import Converted, converted, write_result
from kqf.convert.options import ConversionOptions
from kqf.convert.targets import Job, check_target
from kqf.io.inputs import picture_suffixes
from kqf.io.modes import MODES, without_palette
from kqf.io.paths import is_same
from kqf.io.pictures import Picture, load_picture
from kqf.plugins.pillow_saving import stored_metadata

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
    _check(options)
    frames = _Frames(_paths(job.source), strip=options.strip)
    if any(is_same(str(path), job.target) for path in frames.paths):
        raise ValueError(f"{job.target} is one of the images: name another file with -o")
    check_target(job, None, options)
    made = make_of_frames(frames, frames.first, Path(job.target).suffix.lower(), options)
    bytes_out = write_result(job, made.data, options)
    seconds = time.perf_counter() - start
    return converted(job, made, frames.bytes, bytes_out, seconds), made.notes


def _check(options: ConversionOptions) -> None:
    """Refuse options that mean nothing for images that are joined."""
    meaningless = {
        "--frame": options.frame is not None,
        "--salvage": options.salvage,
        "--keep-times": options.keep_times,
        "--format": options.suffix is not None,
        "--jobs, --list, --null and --scheduler": options.only_smaller,
    }
    for name, is_given in meaningless.items():
        if is_given:
            raise ValueError(f"{name}: not with --frames-from")


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

    Arguments:
        strip: whether metadata does not matter.

    Attributes:
        paths, bytes: of all files. first: the first image, with its metadata.
        size: (width, height) of each. notes: what the user should know.
        durations, plays, is_palette: as images without times have them.
    """

    plays = 0
    is_palette = False

    def __init__(self, paths: list[Path], *, strip: bool) -> None:
        self.paths = paths
        self.bytes = sum(path.stat().st_size for path in paths)
        self.notes: list[str] = []
        modes = set()
        kept: dict[str, object] | None = None
        for path, picture in zip(paths, self._pictures(), strict=True):
            image = without_palette(picture.image)
            modes.add(image.mode)
            if kept is None:
                self.first, self.size = picture.image, image.size
                kept = stored_metadata(picture.image)
            elif image.size != self.size:
                sides, others = (f"{size[0]} x {size[1]}" for size in (image.size, self.size))
                raise ValueError(f"{path}: is {sides} pixels, not {others} like the first")
            self._note(picture.changes)
            if not strip:
                self._note(picture.dropped)
                if stored_metadata(picture.image) != kept:
                    self._note([f"metadata of {path} is not that of {paths[0]}, which is kept"])
        alpha = any(mode in ("LA", "RGBA") for mode in modes)
        self._mode = MODES[(1 if modes <= {"L", "LA"} else 3) + alpha]

    @property
    def durations(self) -> list[Fraction]:
        return [Fraction(1000, _DEFAULT_FPS)] * len(self)

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[np.ndarray]:
        for picture in self._pictures():
            image = without_palette(picture.image).convert(self._mode)
            yield np.asarray(image).reshape(*image.size[::-1], len(image.getbands()))

    def _note(self, notes: list[str]) -> None:
        self.notes += [note for note in notes if note not in self.notes]

    def _pictures(self) -> Iterator[Picture]:
        for path in self.paths:
            try:
                yield load_picture(path.read_bytes())
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from error
