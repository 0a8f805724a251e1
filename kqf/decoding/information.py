"""What a file says of itself before its first tile."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from kqf.decoding.salvage import Salvager
from kqf.errors import FormatError
from kqf.format.animation import Timing
from kqf.format.reader import ImageReader


@dataclass(frozen=True)
class Info:
    """What a file says of itself before its first tile.

    Attributes:
        width, height: pixels.
        channels: 1 gray, 2 gray + alpha, 3 RGB, 4 RGBA.
        colors: entries of the codebook, 1 to 256.
        predictor: ``"none"``, ``"left"``, ``"up"``, ``"copy"`` or ``"packed"``.
        tile_width, tile_height: pixels; tiles at the right and lower edge may be smaller.
        tiles: number of tiles.
        metadata: any of ``icc_profile``, ``exif``, ``xmp`` (bytes), ``dpi`` (two floats, pixels
            per inch) and ``comment`` (str).
        file_bytes: bytes of the file.
        missing_bytes: how many more it must have, at the least, to be complete: 0 for a whole file.
        version: of the format, 1 or 2.
        part_bytes: what the parts of the file take, in bytes: ``codebook``, ``ranking`` (the table
            of label prediction), ``shapes`` (what repeats in the image), ``overviews`` (the image
            in smaller sizes) and ``tiles`` (labels, and where shapes are placed).
        frames: number of frames, 1 for a still.
        loop: how often an animation is to be played, 0 for ever; 1 for a still.
        durations: milliseconds of each frame, int where all are whole, else float; empty for a
            still.
        scales: those in which the file has the image, too, ascending: 4 stands for a quarter of
            the width and height. Empty without overviews, or where these are damaged.
    """

    width: int
    height: int
    channels: int
    colors: int
    predictor: str
    tile_width: int
    tile_height: int
    tiles: int
    metadata: Mapping[str, object]
    file_bytes: int
    missing_bytes: int = 0
    version: int = 1
    part_bytes: Mapping[str, int] = field(default_factory=dict)
    frames: int = 1
    loop: int = 1
    durations: tuple[float, ...] = ()
    scales: tuple[int, ...] = ()

    @property
    def bits_per_pixel(self) -> float:
        """Bits of the whole file for each pixel."""
        return 8 * self.file_bytes / (self.width * self.height)


def info_of(reader: ImageReader | Salvager) -> Info:
    """Return what a file says of itself; of a damaged one, not what its parts take."""
    head, timing = reader.head, reader.timing
    whole = reader if isinstance(reader, ImageReader) else None
    return Info(
        width=head.width,
        height=head.height,
        channels=head.channels,
        colors=head.colors,
        predictor=head.predictor.name.lower(),
        tile_width=head.tile_width,
        tile_height=head.tile_height,
        tiles=head.tiles,
        metadata=dict(reader.metadata),
        file_bytes=reader.file_bytes,
        missing_bytes=max(whole.whole_bytes - whole.file_bytes, 0) if whole else 0,
        version=head.version,
        part_bytes=whole.part_bytes if whole else {},
        frames=1 if timing is None else timing.frames,
        loop=1 if timing is None else timing.plays,
        durations=() if timing is None else _milliseconds(timing),
        scales=_scales(whole) if whole else (),
    )


def _milliseconds(timing: Timing) -> tuple[float, ...]:
    """Return the durations of frames."""
    ticks = timing.durations.astype(np.int64)
    if 1000 % timing.ticks_per_second == 0:
        return tuple((ticks * (1000 // timing.ticks_per_second)).tolist())
    return tuple((ticks * 1000 / timing.ticks_per_second).tolist())


def _scales(reader: ImageReader) -> tuple[int, ...]:
    try:
        index = reader.overviews
    except FormatError:
        return ()
    return tuple(1 << level for level in reversed(index.levels)) if index else ()
