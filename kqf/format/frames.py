"""What a group of frames looks like: the payload of ``FRAM`` (section 5.11)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kqf.errors import FormatError, UnsupportedError
from kqf.format.declarations import Allowed, ChangesFields, FrameFields, struct_of
from kqf.format.shapes import (
    LEAST_PAINTED,
    MAX_TILE_SIDE,
    PLACEMENT_BYTES,
    Shapes,
    decode_placements,
    painted_pixels,
)
from kqf.format.streams import inflate_exactly

WHOLE, CHANGES = 0, 1
SIDES = (1, 2, 4, 8, 16)
MAX_GROUP_FRAMES = 2**16
# Of a group of several frames, so that one takes bounded memory.
MAX_GROUP_PIXELS = 2**22
MAX_GROUP_MAP_BYTES = 2**22
MAX_GROUP_PLACEMENTS = 2**20
# Of all shapes in force, on top of the canvas's.
_MORE_SHAPE_PIXELS = 2**20
_PLANES = 5
# Much faster than the declarations: there may be a group for each frame.
_FRAME_STRUCT, _CHANGES_STRUCT = struct_of(FrameFields), struct_of(ChangesFields)
_CHECKED = {
    number: field.subcon
    for number, field in enumerate(ChangesFields.subcons)
    if isinstance(field.subcon, Allowed)
}
# Pixels worked on at once, and bytes of placements of several frames.
_PIECE = 2**18
_AT_ONCE = 2**10 * PLACEMENT_BYTES


@dataclass(frozen=True)
class Blocks:
    """The blocks of a canvas.

    Attributes:
        width, height: of the canvas, in pixels. side: of a block.
    """

    width: int
    height: int
    side: int

    @property
    def columns(self) -> int:
        return -(-self.width // self.side)

    @property
    def rows(self) -> int:
        return -(-self.height // self.side)

    @property
    def map_bytes(self) -> int:
        """Bytes of the map of a frame."""
        return -(-self.columns * self.rows // 8)

    def changed(self, bits: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the numbers of the blocks that a map (map_bytes,) uint8 marks, ascending.

        They come in pieces of at most about _PIECE pixels, so that what is made of them is bounded.
        """
        step = max(_PIECE // (8 * self.side**2), 1)
        for first in range(0, len(bits), step):
            flags = np.unpackbits(bits[first : first + step], bitorder="little")
            (numbers,) = flags.view(np.bool_).nonzero()
            if len(numbers):
                numbers += 8 * first
                yield numbers

    def count_pixels(self, maps: np.ndarray) -> int:
        """Return how many pixels the blocks have that maps (n, map_bytes) uint8 mark.

        Raises:
            FormatError: a bit beyond the last block is set.
        """
        columns, rows, side = self.columns, self.rows, self.side
        blocks = columns * rows
        beyond = maps[:, -1] >> (blocks - 1) % 8 >> 1
        if beyond.any():
            found = f"bit {blocks - 1 + int(beyond.max()).bit_length()}"
            raise FormatError("FRAM", "bits beyond the last block", 0, found)
        pixels = side * side * int(np.bitwise_count(maps).sum())
        # Blocks of the last column and row may be cut off.
        beside, below = columns * side - self.width, rows * side - self.height
        if beside:
            pixels -= side * beside * _count(maps, range(columns - 1, blocks, columns))
        if below:
            pixels -= side * below * _count(maps, range(blocks - columns, blocks))
        if beside and below:
            pixels += beside * below * _count(maps, range(blocks - 1, blocks))
        return pixels

    def pixels(self, numbers: np.ndarray) -> np.ndarray:
        """Return the pixels of blocks in the order of their labels, as indices, int64.

        Arguments:
            numbers: of the blocks, ascending.
        """
        side, columns = self.side, self.columns
        if side == 1:
            return numbers
        row = numbers // columns
        tops = (numbers + row * (self.width - columns)) * side
        across, down = np.divmod(np.arange(side * side), side)
        found: np.ndarray = tops[:, None] + (across + down * self.width)
        is_last = row * columns == numbers - (columns - 1)
        below = int(np.searchsorted(row, self.height // side))
        if below == len(row) and not (self.width % side and is_last.any()):
            return found.ravel()
        inside = np.ones(found.shape, np.bool_)
        if self.width % side:
            inside[is_last] = across < self.width % side
        inside[below:] &= down < self.height % side
        return found[inside]

    def with_any(self, changed: np.ndarray) -> np.ndarray:
        """Return which blocks have a changed pixel, (rows, columns) bool, of pixels (H, W) bool."""
        rows, columns, side = self.rows, self.columns, self.side
        if side == 1:
            return changed
        padded = np.zeros((rows * side, columns * side), np.bool_)
        padded[: self.height, : self.width] = changed
        found: np.ndarray = np.any(padded.reshape(rows, side, columns, side), axis=(1, 3))
        return found


def _count(maps: np.ndarray, blocks: range) -> int:
    """Return how many of some blocks maps (n, map_bytes) uint8 mark."""
    count = 0
    step = max(_PIECE // len(maps), 1)
    for first in range(0, len(blocks), step):
        some = blocks[first : first + step]
        numbers = np.arange(some.start, some.stop, some.step)
        marks = np.left_shift(1, numbers & 7).astype(np.uint8)
        count += int(np.count_nonzero(maps[:, numbers >> 3] & marks))
    return count


@dataclass(frozen=True)
class Changes:
    """What changes in frames in a row.

    Attributes:
        first_frame: number of the first of them.
        blocks: of the canvas.
        is_ranked: whether labels are stored as ranks after the label of the same pixel before.
        maps: (map_bytes,) uint8 of each frame, None where no block changes.
        placements: of shapes, uint8 as build_placements gives them, empty where there are none.
        labels: (n,) uint8, labels or ranks of the changed pixels of all frames.
    """

    first_frame: int
    blocks: Blocks
    is_ranked: bool
    maps: Sequence[np.ndarray | None]
    placements: Sequence[np.ndarray]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.maps)

    @property
    def work(self) -> int:
        """Pixels that get labels, and blocks of maps."""
        maps = sum(bits is not None for bits in self.maps)
        return len(self.labels) + maps * self.blocks.columns * self.blocks.rows


@dataclass(frozen=True)
class Whole:
    """That the image that follows is a frame.

    Attributes:
        first_frame: its number. layout: as that of ``HEAD``.
    """

    first_frame: int
    layout: int


def most_shape_pixels(size: tuple[int, int]) -> int:
    """Return how many pixels all shapes in force may have on a canvas of (width, height)."""
    return size[0] * size[1] + _MORE_SHAPE_PIXELS


def parse_frames(payload: bytes, size: tuple[int, int], last_label: int) -> Changes | Whole:
    """Return what ``FRAM`` says, its placements not looked at.

    Arguments:
        size: (width, height) of the canvas. last_label: of the codebook in force.

    Raises:
        FormatError: a field is outside its range, a stream is wrong, missing or too much, or the
            group exceeds its limits. TruncatedError: a stream does not end.
    """
    start = _FRAME_STRUCT.size
    if len(payload) < start:
        raise FormatError("FRAM", "length", f"at least {start}", len(payload))
    first_frame, kind = _FRAME_STRUCT.unpack_from(payload)
    if kind == WHOLE:
        if len(payload) != start + 1:
            raise FormatError("FRAM", "length of a whole frame", start + 1, len(payload))
        return Whole(first_frame, payload[start])
    if kind != CHANGES:
        raise UnsupportedError("FRAM", "kind", f"{WHOLE} to {CHANGES}", kind)
    return _parse_changes(payload[start:], first_frame, size, last_label)


def _parse_changes(
    payload: bytes, first_frame: int, size: tuple[int, int], last_label: int
) -> Changes:
    if len(payload) < _CHANGES_STRUCT.size:
        raise FormatError("FRAM", "length of changes", _CHANGES_STRUCT.size, len(payload))
    values = _CHANGES_STRUCT.unpack_from(payload)
    for number, declared in _CHECKED.items():
        declared.check(values[number])
    frames, side, ranked, *lengths = values
    if side not in SIDES:
        raise FormatError("FRAM", "side", " or ".join(map(str, SIDES)), side)
    rest = payload[_CHANGES_STRUCT.size :]
    streams = {}
    for name, length in zip(("counts", "maps", "placements"), lengths, strict=True):
        if length > len(rest):
            raise FormatError("FRAM", f"{name}_length", f"at most {len(rest)}", length)
        streams[name], rest = rest[:length], rest[length:]
    streams["labels"] = rest

    def inflated(name: str, count: int, most: int) -> np.ndarray:
        stream = streams[name]
        if not count:
            if stream:
                raise FormatError("FRAM", f"length of {name}", 0, len(stream))
            return np.empty(0, np.uint8)
        if frames > 1 and count > most:
            raise FormatError("FRAM", f"{name} of several frames", f"at most {most}", count)
        return inflate_exactly(stream, count, "FRAM", name)

    counts = inflated("counts", _PLANES * frames, _PLANES * MAX_GROUP_FRAMES)
    has_map, *planes = counts.reshape(_PLANES, frames)
    if (highest := int(has_map.max())) > 1:
        raise FormatError("FRAM", "first plane of counts", "0 to 1", highest)
    placed = np.stack(planes, axis=1).copy().view("<u4")[:, 0].astype(np.int64)
    most = size[0] * size[1] // LEAST_PAINTED
    if (highest := int(placed.max())) > most:
        raise FormatError("FRAM", "placements of a frame", f"at most {most}", highest)
    blocks = Blocks(*size, side)
    count = int(has_map.sum()) * blocks.map_bytes
    bits = inflated("maps", count, MAX_GROUP_MAP_BYTES).reshape(-1, blocks.map_bytes)
    each = iter(bits)
    maps = [next(each) if has else None for has in has_map.tolist()]
    data = inflated(
        "placements", PLACEMENT_BYTES * int(placed.sum()), PLACEMENT_BYTES * MAX_GROUP_PLACEMENTS
    )
    placements = _split(data, PLACEMENT_BYTES * placed)
    pixels = blocks.count_pixels(bits) if count else 0
    labels = inflated("labels", pixels, MAX_GROUP_PIXELS)
    if labels.size and (highest := int(labels.max())) > last_label:
        raise FormatError("FRAM", "label", f"at most {last_label}", highest)
    return Changes(first_frame, blocks, bool(ranked), maps, placements, labels)


def _split(data: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
    """Return pieces of these lengths, of which most may be empty, one after another."""
    pieces = [data[:0]] * len(lengths)
    ends = np.cumsum(lengths)
    for number in np.flatnonzero(lengths).tolist():
        pieces[number] = data[ends[number] - lengths[number] : ends[number]]
    return pieces


def paint_frames(
    placements: Sequence[np.ndarray], shapes: Shapes | None, size: tuple[int, int], first: int
) -> Iterator[tuple[np.ndarray, np.ndarray] | None]:
    """Yield the pixels that each frame's placements paint, as indices, and their labels.

    Arguments:
        placements: of frames in a row; None is yielded for those without any.
        shapes: those in force. size: (width, height) of the canvas.
        first: number of the first frame, for messages.

    Raises:
        FormatError: a shape is missing or beyond the canvas, or they paint too much, in the frame
            to be yielded next.
    """
    begin = 0
    while begin < len(placements):
        # Many small frames take hardly longer than one.
        end, total = begin + 1, placements[begin].size
        while end < len(placements) and (total := total + placements[end].size) <= _AT_ONCE:
            end += 1
        try:
            yield from _paint(placements[begin:end], shapes, size, first + begin)
        except FormatError:
            if end == begin + 1:
                raise
            for number in range(begin, end):
                yield from _paint([placements[number]], shapes, size, first + number)
        begin = end


def _paint(
    placements: Sequence[np.ndarray], shapes: Shapes | None, size: tuple[int, int], first: int
) -> list[tuple[np.ndarray, np.ndarray] | None]:
    """Return what paint_frames yields; errors are those of any frame, or that several are large."""
    counts = np.array([data.size for data in placements]) // PLACEMENT_BYTES
    painting = np.flatnonzero(counts).tolist()
    found: list[tuple[np.ndarray, np.ndarray] | None] = [None] * len(placements)
    if not painting:
        return found
    width, height = size
    if max(size) > MAX_TILE_SIDE:
        raise FormatError("FRAM", "canvas with placements", f"at most {MAX_TILE_SIDE}", max(size))
    if shapes is None:
        raise FormatError("FRAM", "shapes in force", "at least 1", 0)
    planes = [placements[number].reshape(PLACEMENT_BYTES, -1) for number in painting]
    firsts = np.cumsum(counts)[painting] - counts[painting]
    box, where = (0, 0, width, height), ("FRAM", f"frame {first + painting[0]}")
    placed = decode_placements(np.concatenate(planes, axis=1), shapes, box, size, where, firsts)
    painted = np.add.reduceat(shapes.ink.counts[placed.shapes], firsts)
    most = width * height if len(painting) == 1 else _PIECE
    if (total := int(painted.sum())) > most or painted.max() > width * height:
        raise FormatError("FRAM", "pixels painted", f"at most {most}", total)
    cut = np.zeros(len(placed), np.bool_)
    x, y = placed.x.astype(np.int64), placed.y.astype(np.int64)
    pixels, labels = painted_pixels(shapes.ink, x, y, placed.shapes, cut, width, height)
    ends = np.cumsum(painted).tolist()
    for number, begin, end in zip(painting, [0, *ends], ends, strict=False):
        found[number] = pixels[begin:end], labels[begin:end]
    return found


def build_whole(whole: Whole) -> bytes:
    """Return the payload of ``FRAM`` of a whole frame."""
    start = FrameFields.build({"first_frame": whole.first_frame, "kind": WHOLE})
    return bytes(start) + bytes([whole.layout])


def build_changes(changes: Changes, deflate: Callable[[bytes], bytes]) -> bytes:
    """Return the payload of ``FRAM`` of changes, the inverse of parse_frames.

    Arguments:
        deflate: function that makes a zlib stream.
    """
    has_map = np.array([bits is not None for bits in changes.maps], np.uint8)
    placed = [len(data) // PLACEMENT_BYTES for data in changes.placements]
    planes = np.array(placed, "<u4").view(np.uint8).reshape(-1, _PLANES - 1).T
    maps = [bits.tobytes() for bits in changes.maps if bits is not None]
    inflated = {
        "counts": np.concatenate([has_map[None], planes]).tobytes(),
        "maps": b"".join(maps),
        "placements": b"".join(data.tobytes() for data in changes.placements),
        "labels": changes.labels.tobytes(),
    }
    streams = {name: deflate(data) if data else b"" for name, data in inflated.items()}
    fields = {"frames": len(changes), "side": changes.blocks.side, "ranked": changes.is_ranked}
    fields |= {f"{name}_length": len(stream) for name, stream in streams.items()}
    start = FrameFields.build({"first_frame": changes.first_frame, "kind": CHANGES})
    return b"".join([start, ChangesFields.build(fields), *streams.values()])
