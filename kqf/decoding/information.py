"""What a file says of itself before its first tile."""

from collections.abc import Mapping
from dataclasses import dataclass, field

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
            of label prediction), ``shapes`` (what repeats in the image) and ``tiles`` (labels, and
            where shapes are placed).
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

    @property
    def bits_per_pixel(self) -> float:
        """Bits of the whole file for each pixel."""
        return 8 * self.file_bytes / (self.width * self.height)


def info_of(reader: ImageReader) -> Info:
    """Return what a file says of itself."""
    head = reader.head
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
        missing_bytes=max(reader.whole_bytes - reader.file_bytes, 0),
        version=head.version,
        part_bytes=reader.part_bytes,
    )
