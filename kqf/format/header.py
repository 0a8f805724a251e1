"""The header of a file, with the grid of tiles that it states (sections 5.1 and 5.4)."""

import struct
from dataclasses import dataclass

from kqf.format.chunks import FRAME_SIZE
from kqf.format.declarations import Header, Predictor
from kqf.format.streams import MAX_RATIO, MIN_STREAM

# As Header has it, but six times faster than its compiled parser: opening a small file is little
# else than this.
_HEADER_STRUCT = struct.Struct(">IIIIBBBB")
_FIELDS = tuple(field.subcon for field in Header.subcons)


@dataclass(frozen=True)
class Head:
    """The fields of ``HEAD`` (section 5.1), and what follows from them."""

    width: int
    height: int
    tile_width: int
    tile_height: int
    channels: int
    last_label: int
    predictor: Predictor

    @property
    def colors(self) -> int:
        return self.last_label + 1

    @property
    def columns(self) -> int:
        """Number of tiles side by side."""
        return -(-self.width // self.tile_width)

    @property
    def rows(self) -> int:
        """Number of tiles below one another."""
        return -(-self.height // self.tile_height)

    @property
    def tiles(self) -> int:
        return self.columns * self.rows

    @property
    def tile(self) -> tuple[int, int]:
        """Width and height of a whole tile."""
        return self.tile_width, self.tile_height

    @property
    def least_bytes(self) -> int:
        """Bytes that all tiles take at least (section 9.3)."""
        streams = max(self.tiles * MIN_STREAM, -(-self.width * self.height // MAX_RATIO))
        return self.tiles * FRAME_SIZE + streams

    def tile_box(self, number: int) -> tuple[int, int, int, int]:
        """Return (left, upper, right, lower) of a tile in pixels, cut off at the image's edge."""
        row, column = divmod(number, self.columns)
        left, upper = column * self.tile_width, row * self.tile_height
        right = min(left + self.tile_width, self.width)
        return left, upper, right, min(upper + self.tile_height, self.height)

    def tile_shape(self, number: int) -> tuple[int, int]:
        """Return (height, width) of a tile in pixels."""
        left, upper, right, lower = self.tile_box(number)
        return lower - upper, right - left


def parse_header(payload: bytes) -> Head:
    """Return the fields of ``HEAD``, all checked.

    Raises:
        FormatError: a field is outside its range. UnsupportedError: another version.
    """
    values = _HEADER_STRUCT.unpack(payload)
    for declared, value in zip(_FIELDS, values, strict=True):
        declared.check(value)
    width, height, tile_width, tile_height, _, channels, last_label, predictor = values
    named = Predictor(predictor)
    return Head(width, height, tile_width, tile_height, channels, last_label, named)
