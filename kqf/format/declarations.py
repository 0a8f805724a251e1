"""The tables of the specification as construct declarations, and the limits of the format.

Structures and fields are named as in the tables of ``spec/kqf-1.md``; section numbers refer to it.
"""

import struct
from collections.abc import Callable
from enum import IntEnum
from typing import Any

from construct import (
    Adapter,
    Array,
    Bytes,
    Construct,
    FormatField,
    Int8ub,
    Int32ub,
    Struct,
    this,
)

from kqf.errors import FormatError, UnsupportedError

VERSION = 1
MAX_SIDE = 2**31 - 1
MAX_COLORS = 256
# Section 9.1: limits of the format itself.
MAX_METADATA_CHUNK = 16 * 2**20
MAX_METADATA = 64 * 2**20
MAX_PROLOGUE_CHUNKS = 1024
# What Pillow allows at most by default, so that one file meets one limit in both doors.
MAX_PIXELS = 2 * 89_478_485


class Predictor(IntEnum):
    """Where the context of a label comes from (section 5.1)."""

    NONE = 0
    LEFT = 1
    UP = 2


PREDICTORS = tuple(predictor.name.lower() for predictor in Predictor)
# Metadata chunks, each at most once, by the key that Pillow knows them by (section 6).
METADATA_TYPES = {
    "icc_profile": b"iccp",
    "exif": b"exif",
    "xmp": b"xmp ",
    "dpi": b"phys",
    "comment": b"text",
}


class Allowed(Adapter):  # type: ignore[misc]
    """An integer that must lie in a range; anything else is a FormatError naming the field."""

    def __init__(self, subcon: Construct, chunk: str, field: str, allowed: range) -> None:
        super().__init__(subcon)
        self.chunk, self.field, self.allowed = chunk, field, allowed

    def check(self, value: int) -> None:
        if value not in self.allowed:
            low, high = self.allowed[0], self.allowed[-1]
            expected = str(low) if low == high else f"{low} to {high}"
            error = UnsupportedError if self.field == "version" else FormatError
            raise error(self.chunk, self.field, expected, value)

    def _decode(self, obj: int, context: Any, path: str) -> int:
        self.check(obj)
        return obj

    _encode = _decode


def _field(chunk: str, name: str, subcon: Construct, low: int, high: int) -> Construct:
    return name / Allowed(subcon, chunk, name, range(low, high + 1))


def flat_parser(declaration: Struct) -> Callable[[bytes], dict[str, Any]]:
    """Return a function that parses fields of fixed size as their declaration does, but fast.

    Opening a file is little else than this, and a file may have a chunk for every pixel.
    """
    fields = [(field.name, field.subcon) for field in declaration.subcons]
    checks = [(name, subcon) for name, subcon in fields if isinstance(subcon, Allowed)]
    formats = []
    for _, subcon in fields:
        while not isinstance(subcon, Bytes | FormatField):
            subcon = subcon.subcon
        formats.append(f"{subcon.length}s" if isinstance(subcon, Bytes) else subcon.fmtstr[1:])
    unpack = struct.Struct(">" + "".join(formats)).unpack
    names = [name for name, _ in fields]

    def parse(data: bytes) -> dict[str, Any]:
        values = dict(zip(names, unpack(data), strict=True))
        for name, subcon in checks:
            subcon.check(values[name])
        return values

    return parse


# Section 5.1.
Header = Struct(
    _field("HEAD", "width", Int32ub, 1, MAX_SIDE),
    _field("HEAD", "height", Int32ub, 1, MAX_SIDE),
    _field("HEAD", "tile_width", Int32ub, 1, MAX_SIDE),
    _field("HEAD", "tile_height", Int32ub, 1, MAX_SIDE),
    _field("HEAD", "version", Int8ub, VERSION, VERSION),
    _field("HEAD", "channels", Int8ub, 1, 4),
    _field("HEAD", "last_label", Int8ub, 0, MAX_COLORS - 1),
    _field("HEAD", "predictor", Int8ub, 0, len(PREDICTORS) - 1),
)
HEADER_SIZE: int = Header.sizeof()

# Section 6.4.
Physical = Struct(
    _field("phys", "x_pixels", Int32ub, 1, 2**32 - 1),
    _field("phys", "y_pixels", Int32ub, 1, 2**32 - 1),
    _field("phys", "unit_micrometres", Int32ub, 1, 2**32 - 1),
)

# Section 6.6.
TileIndex = Struct("lengths" / Array(this._.tiles, Int32ub))
