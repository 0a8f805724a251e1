"""The header of a file, with the grid of tiles that it states (sections 5.1 and 5.4)."""

from dataclasses import dataclass, replace

from kqf.errors import FormatError, UnsupportedError
from kqf.format import copying, packing
from kqf.format.chunks import FRAME_SIZE
from kqf.format.declarations import Header, Predictor, struct_of
from kqf.format.shapes import MAX_TILE_SIDE
from kqf.format.streams import MAX_RATIO, MIN_STREAM

# Six times faster than Header's compiled parser: opening a small file is little else than this.
HEADER_STRUCT = struct_of(Header)
_FIELDS = tuple(field.subcon for field in Header.subcons)
# The bits of ``layout`` in version 2.
_PREDICTOR_BITS = 15
_COLUMNS_FIRST, _RANKED, _SHAPES, _RESERVED = 16, 32, 64, 128


@dataclass(frozen=True)
class Head:
    """The fields of ``HEAD`` (section 5.1), and what follows from them.

    Attributes:
        columns_first: whether tiles are stored transposed.
        ranked: whether the new labels of ``Predictor.COPY`` are stored as ranks.
        shapes: whether the file has shapes.
    """

    width: int
    height: int
    tile_width: int
    tile_height: int
    channels: int
    last_label: int
    predictor: Predictor
    version: int = 1
    columns_first: bool = False
    ranked: bool = False
    shapes: bool = False

    @property
    def direction(self) -> Predictor:
        """Where in the image the context of a ranked label is: as ``predictor``, or transposed."""
        if self.columns_first and self.predictor.is_ranked:
            return Predictor.UP if self.predictor == Predictor.LEFT else Predictor.LEFT
        return self.predictor

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
        stored = self.width * self.height
        if self.predictor == Predictor.COPY:
            stored = -(-stored // copying.PER_BYTE)
        elif self.predictor == Predictor.PACKED:
            stored = -(-stored // packing.labels_per_byte(self.last_label))
        streams = max(self.tiles * MIN_STREAM, -(-stored // MAX_RATIO))
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

    def stored_shape(self, number: int) -> tuple[int, int]:
        """Return (height, width) of a tile as it is stored: transposed with columns_first."""
        height, width = self.tile_shape(number)
        return (width, height) if self.columns_first else (height, width)


def parse_header(payload: bytes) -> Head:
    """Return the fields of ``HEAD``, all checked.

    Raises:
        FormatError: a field is outside its range. UnsupportedError: it is of a later version.
    """
    values = HEADER_STRUCT.unpack(payload)
    for declared, value in zip(_FIELDS, values, strict=True):
        declared.check(value)
    width, height, tile_width, tile_height, version, channels, last_label, layout = values
    sizes = width, height, tile_width, tile_height, channels, last_label
    if version == 1:
        if layout > Predictor.UP:
            raise FormatError("HEAD", "predictor", f"0 to {Predictor.UP}", layout)
        return Head(*sizes, Predictor(layout))
    return with_layout(Head(*sizes, Predictor.NONE, version), layout)


def with_layout(head: Head, layout: int, chunk: str = "HEAD") -> Head:
    """Return a header of version 2 with its field ``layout``, checked.

    Arguments:
        chunk: where the field stands, for messages.

    Raises:
        FormatError: the layout is not one for these sizes and colours. UnsupportedError: it is of a
            later version.
    """
    predictor = layout & _PREDICTOR_BITS
    if predictor > max(Predictor):
        raise UnsupportedError(chunk, "predictor", f"0 to {max(Predictor)}", predictor)
    if layout & _RESERVED:
        raise UnsupportedError(chunk, "reserved", 0, 1)
    columns_first, ranked, shapes = (
        bool(layout & bit) for bit in (_COLUMNS_FIRST, _RANKED, _SHAPES)
    )
    if ranked and predictor != Predictor.COPY:
        raise FormatError(chunk, "ranked", f"0 with predictor {predictor}", 1)
    if predictor == Predictor.PACKED and head.last_label > packing.MAX_LAST_LABEL:
        most = f"at most {packing.MAX_LAST_LABEL} with predictor {predictor}"
        raise FormatError(chunk, "last_label", most, head.last_label)
    side = max(min(head.tile_width, head.width), min(head.tile_height, head.height))
    if (shapes or predictor == Predictor.COPY) and side > MAX_TILE_SIDE:
        field = "tile sides with copy or shapes"
        raise FormatError(chunk, field, f"at most {MAX_TILE_SIDE}", side)
    return replace(
        head,
        predictor=Predictor(predictor),
        version=2,
        columns_first=columns_first,
        ranked=ranked,
        shapes=shapes,
    )


def layout_of(head: Head) -> int:
    """Return the field ``layout`` of a header."""
    flags = {_COLUMNS_FIRST: head.columns_first, _RANKED: head.ranked, _SHAPES: head.shapes}
    return head.predictor + sum(bit for bit, is_set in flags.items() if is_set)


def build_header(head: Head) -> bytes:
    """Return the payload of ``HEAD``, the inverse of parse_header."""
    return bytes(Header.build({"layout": layout_of(head)} | vars(head)))
