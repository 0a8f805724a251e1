"""The tables of the specification as construct declarations, and the limits of the format.

Structures and fields are named as in the tables of ``spec/kqf.md``; section numbers refer to it.
"""

import struct
from enum import IntEnum
from typing import Any

from construct import (
    Adapter,
    Array,
    Construct,
    Int8ub,
    Int32ub,
    Struct,
    this,
)

from kqf.errors import FormatError, UnsupportedError

# The highest that this decoder reads (section 5.1).
MAX_VERSION = 2
MAX_SIDE = 2**31 - 1
MAX_COLORS = 256
# Section 9.1: limits of the format itself.
MAX_METADATA_CHUNK = 16 * 2**20
MAX_METADATA = 64 * 2**20
MAX_PROLOGUE_CHUNKS = 1024
# Section 6.8: the highest level of overviews, and the side of their tiles in labels.
MAX_LEVEL = 31
OVERVIEW_TILE = 256
# Pillow's own default, so that Pillow and kqf apply the same limit.
MAX_PIXELS = 2 * 89_478_485


class Predictor(IntEnum):
    """What the label of a pixel is predicted from (section 7): the values of ``predictor``."""

    NONE = 0
    LEFT = 1
    UP = 2
    COPY = 3
    PACKED = 4

    @property
    def is_ranked(self) -> bool:
        """Whether labels are stored as ranks, so that the file has a table ``RANK``."""
        return self in (Predictor.LEFT, Predictor.UP)


# As callers name them.
PREDICTORS = tuple(predictor.name.lower() for predictor in Predictor)
# Metadata chunks, each at most once, by Pillow's names for them (section 6).
METADATA_TYPES = {
    "icc_profile": b"iccp",
    "exif": b"exif",
    "xmp": b"xmp ",
    "dpi": b"phys",
    "comment": b"text",
}
# Section 4.3: the critical chunks, with the first version that has each.
CRITICAL_TYPES = {
    b"HEAD": 1,
    b"CODE": 1,
    b"PCOD": 2,
    b"RANK": 1,
    b"SHAP": 2,
    b"ANIM": 2,
    b"LABL": 1,
    b"FRAM": 2,
    b"DONE": 1,
}
# Those known between the codebook and the first LABL, whose payloads are kept.
PROLOGUE_TYPES = (b"RANK", b"SHAP", b"ANIM", b"tidx", *METADATA_TYPES.values())


class Allowed(Adapter):  # type: ignore[misc]
    """An integer that must lie in a range; anything else is a FormatError naming the field."""

    def __init__(self, subcon: Construct, chunk: str, field: str, allowed: range) -> None:
        super().__init__(subcon)
        self.chunk, self.field, self.allowed = chunk, field, allowed

    def check(self, value: int) -> None:
        if value not in self.allowed:
            expected = f"{self.allowed[0]} to {self.allowed[-1]}"
            error = UnsupportedError if self.field == "version" else FormatError
            raise error(self.chunk, self.field, expected, value)

    def _decode(self, obj: int, context: Any, path: str) -> int:
        self.check(obj)
        return obj

    _encode = _decode


def struct_of(declared: Construct) -> struct.Struct:
    """Return the fields of a declaration as one struct, which parses many times as fast.

    It does not check what is Allowed.
    """
    stored = [field.subcon for field in declared.subcons]
    integers = [each.subcon if isinstance(each, Allowed) else each for each in stored]
    return struct.Struct(">" + "".join(each.fmtstr.removeprefix(">") for each in integers))


def _field(chunk: str, name: str, subcon: Any, low: int, high: int) -> Construct:
    return name / Allowed(subcon, chunk, name, range(low, high + 1))


# Section 5.1.
Header = Struct(
    _field("HEAD", "width", Int32ub, 1, MAX_SIDE),
    _field("HEAD", "height", Int32ub, 1, MAX_SIDE),
    _field("HEAD", "tile_width", Int32ub, 1, MAX_SIDE),
    _field("HEAD", "tile_height", Int32ub, 1, MAX_SIDE),
    _field("HEAD", "version", Int8ub, 1, MAX_VERSION),
    _field("HEAD", "channels", Int8ub, 1, 4),
    _field("HEAD", "last_label", Int8ub, 0, MAX_COLORS - 1),
    _field("HEAD", "layout", Int8ub, 0, 255),
)
HEADER_SIZE: int = Header.sizeof()

# Section 5.10.
AnimationFields = Struct(
    _field("ANIM", "frames", Int32ub, 2, 2**24),
    _field("ANIM", "plays", Int32ub, 0, 2**32 - 1),
    _field("ANIM", "ticks_per_second", Int32ub, 1, 10**6),
)

# Section 5.11: what all groups begin with, and what follows where it is one of changes.
FrameFields = Struct("first_frame" / Int32ub, "kind" / Int8ub)
ChangesFields = Struct(
    _field("FRAM", "frames", Int32ub, 1, 2**16),
    "side" / Int8ub,
    _field("FRAM", "ranked", Int8ub, 0, 1),
    "counts_length" / Int32ub,
    "maps_length" / Int32ub,
    "placements_length" / Int32ub,
)

# Section 6.4.
Physical = Struct(
    _field("phys", "x_pixels", Int32ub, 1, 2**32 - 1),
    _field("phys", "y_pixels", Int32ub, 1, 2**32 - 1),
    _field("phys", "unit_micrometres", Int32ub, 1, 2**32 - 1),
)

# Section 6.6.
TileIndex = Struct("lengths" / Array(this._.tiles, Int32ub))

# Section 6.8, up to the lengths of the tiles.
Overviews = Struct(
    _field("oidx", "first", Int8ub, 1, MAX_LEVEL),
    _field("oidx", "levels", Int8ub, 1, MAX_LEVEL),
)
