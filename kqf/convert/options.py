"""What the user asked a conversion to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


@dataclass(frozen=True)
class Size:
    """How large the image to make is: one of three.

    Attributes:
        sides: width and height in pixels.
        longer: the longer side in pixels; the other keeps the shape.
        share: of both sides, above 0; 1 leaves them as they are.
    """

    sides: tuple[int, int] | None = None
    longer: int | None = None
    share: float = 1

    def of(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return width and height for an image of a width and height."""
        if self.sides is not None:
            return self.sides
        share = self.share if self.longer is None else self.longer / max(size)
        width, height = (max(round(side * share), 1) for side in size)
        return width, height


class Overwrite(Enum):
    """Which existing files a conversion may replace, besides those that the user named."""

    RESULTS = "KQF files of earlier runs of the same conversion"
    ALL = "all but the sources"
    NONE = "none, not even those that the user named"


@dataclass(frozen=True)
class ConversionOptions:
    """What the user asked for, apart from the files.

    Attributes:
        encoder: the options of ``kqf.encode`` that were given, ``palette`` as an array.
        suffix: of the files to make, where no name says it; None for .kqf, and .png from KQF.
        frame: which one of several, from 0.
        frames: first, and the one after the last, of those of an animation to take; None for all.
        every: of these frames, each so many-th is taken.
        fps: frames a second of the animation to make; None to leave its times.
        region: box (left, upper, right, lower) of the stored pixels to take; None for all.
        size: of the image to make of it; None to leave its pixels as they are.
        strip: whether to leave all metadata out.
        verify: whether to decode the result and compare before it is written.
        salvage: whether to take the intact tiles of a damaged KQF file.
        overwrite: which existing files may be replaced.
        keep_times: whether a file gets the modification time of its source.
        only_smaller: whether to refuse a result that is not smaller than its source.
    """

    encoder: Mapping[str, Any] = field(default_factory=dict)
    suffix: str | None = None
    frame: int | None = None
    frames: tuple[int, int] | None = None
    every: int = 1
    fps: float | None = None
    region: tuple[int, int, int, int] | None = None
    size: Size | None = None
    strip: bool = False
    verify: bool = False
    salvage: bool = False
    overwrite: Overwrite = Overwrite.RESULTS
    keep_times: bool = False
    only_smaller: bool = False

    @property
    def is_of_animation(self) -> bool:
        """Whether the options ask for what only an animation has."""
        return self.frames is not None or self.every > 1 or self.fps is not None

    @property
    def is_part(self) -> bool:
        """Whether the result is another image than the source: a part of it, or of another size."""
        return self.region is not None or self.size is not None
