"""What a group of frames looks like: the payload of ``FRAM`` (section 5.11)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kqf.errors import FormatError, UnsupportedError
from kqf.format.declarations import ChangesFields, FrameFields
from kqf.format.shapes import (
    LEAST_PAINTED,
    MAX_TILE_SIDE,
    PLACEMENT_BYTES,
    Placements,
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
# Pixels worked on at once.
_PIECE = 2**18


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

    def _flags(self, bits: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the number of a block, and which of those from it on change, (n,) bool.

        They come in pieces of at most about _PIECE pixels, so that what is made of them is bounded.

        Raises:
            FormatError: a bit beyond the last block is set.
        """
        step = max(_PIECE // (8 * self.side**2), 1)
        blocks = self.columns * self.rows
        for first in range(0, len(bits), step):
            flags = np.unpackbits(bits[first : first + step], bitorder="little").view(np.bool_)
            beyond = np.flatnonzero(flags[blocks - 8 * first :])
            if len(beyond):
                found = f"bit {blocks + int(beyond[-1])}"
                raise FormatError("FRAM", "bits beyond the last block", 0, found)
            yield 8 * first, flags

    def changed(self, bits: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the numbers of the blocks that a map (map_bytes,) uint8 marks, ascending.

        They come in pieces, and errors are those of _flags.
        """
        for first, flags in self._flags(bits):
            numbers = np.flatnonzero(flags)
            if len(numbers):
                numbers += first
                yield numbers

    def count_pixels(self, bits: np.ndarray) -> int:
        """Return how many pixels the blocks have that a map marks; errors are those of _flags."""
        columns, rows, side = self.columns, self.rows, self.side
        # Blocks of the last column and row may be cut off.
        beside, below = columns * side - self.width, rows * side - self.height
        pixels = 0
        for first, flags in self._flags(bits):
            pixels += side * side * int(np.count_nonzero(flags))
            if beside:
                last = flags[(columns - 1 - first) % columns :: columns]
                pixels -= side * beside * int(np.count_nonzero(last))
            if below:
                last = flags[max((rows - 1) * columns - first, 0) :]
                pixels -= side * below * int(np.count_nonzero(last))
            corner = columns * rows - 1 - first
            if 0 <= corner < len(flags) and flags[corner]:
                pixels += beside * below
        return pixels

    def pixels(self, numbers: np.ndarray) -> np.ndarray:
        """Return the pixels of blocks in the order of their labels, as indices, int64.

        Arguments:
            numbers: of the blocks, ascending.
        """
        side = self.side
        row, column = np.divmod(numbers, self.columns)
        if side == 1:
            return numbers
        x = (column * side)[:, None] + np.arange(side)
        tops = (row * (side * self.width))[:, None] + x
        beyond = self.width % side
        if beyond and (x[:, -1] >= self.width).any():
            inside = x < self.width
            whole = int(inside[row < self.height // side].sum())
            tops = tops[inside]
        else:
            whole = int(np.searchsorted(row, self.height // side)) * side
            tops = tops.ravel()
        # All but the last row of blocks have all rows of pixels.
        down = np.arange(side) * self.width
        found = (tops[:whole, None] + down).ravel()
        if whole == len(tops):
            return found
        rest = tops[whole:, None] + down[: self.height % side]
        return np.concatenate([found, rest.ravel()])

    def with_any(self, changed: np.ndarray) -> np.ndarray:
        """Return which blocks have a changed pixel, (rows, columns) bool, of pixels (H, W) bool."""
        rows, columns, side = self.rows, self.columns, self.side
        if side == 1:
            return changed
        padded = np.zeros((rows * side, columns * side), np.bool_)
        padded[: self.height, : self.width] = changed
        found: np.ndarray = np.any(padded.reshape(rows, side, columns, side), axis=(1, 3))
        return found


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
    start = FrameFields.sizeof()
    if len(payload) < start:
        raise FormatError("FRAM", "length", f"at least {start}", len(payload))
    fields = FrameFields.parse(payload)
    if fields.kind == WHOLE:
        if len(payload) != start + 1:
            raise FormatError("FRAM", "length of a whole frame", start + 1, len(payload))
        return Whole(fields.first_frame, payload[start])
    if fields.kind != CHANGES:
        raise UnsupportedError("FRAM", "kind", f"{WHOLE} to {CHANGES}", fields.kind)
    return _parse_changes(payload[start:], fields.first_frame, size, last_label)


def _parse_changes(
    payload: bytes, first_frame: int, size: tuple[int, int], last_label: int
) -> Changes:
    if len(payload) < ChangesFields.sizeof():
        raise FormatError("FRAM", "length of changes", ChangesFields.sizeof(), len(payload))
    fields = ChangesFields.parse(payload)
    if fields.side not in SIDES:
        raise FormatError("FRAM", "side", " or ".join(map(str, SIDES)), fields.side)
    rest = payload[ChangesFields.sizeof() :]
    streams = {}
    for name in ("counts", "maps", "placements"):
        length = fields[f"{name}_length"]
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

    frames = fields.frames
    counts = inflated("counts", _PLANES * frames, _PLANES * MAX_GROUP_FRAMES)
    has_map, *planes = counts.reshape(_PLANES, frames)
    if (highest := int(has_map.max())) > 1:
        raise FormatError("FRAM", "first plane of counts", "0 to 1", highest)
    placed = np.stack(planes, axis=1).copy().view("<u4")[:, 0].astype(np.int64)
    most = size[0] * size[1] // LEAST_PAINTED
    if (highest := int(placed.max())) > most:
        raise FormatError("FRAM", "placements of a frame", f"at most {most}", highest)
    blocks = Blocks(*size, fields.side)
    count = int(has_map.sum()) * blocks.map_bytes
    bits = iter(inflated("maps", count, MAX_GROUP_MAP_BYTES).reshape(-1, blocks.map_bytes))
    maps = [next(bits) if has else None for has in has_map.tolist()]
    data = inflated(
        "placements", PLACEMENT_BYTES * int(placed.sum()), PLACEMENT_BYTES * MAX_GROUP_PLACEMENTS
    )
    placements = _split(data, PLACEMENT_BYTES * placed)
    pixels = 0
    for one in maps:
        pixels += 0 if one is None else blocks.count_pixels(one)
    labels = inflated("labels", pixels, MAX_GROUP_PIXELS)
    if labels.size and (highest := int(labels.max())) > last_label:
        raise FormatError("FRAM", "label", f"at most {last_label}", highest)
    return Changes(first_frame, blocks, bool(fields.ranked), maps, placements, labels)


def _split(data: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
    """Return pieces of these lengths, of which most may be empty, one after another."""
    pieces = [data[:0]] * len(lengths)
    ends = np.cumsum(lengths)
    for number in np.flatnonzero(lengths).tolist():
        pieces[number] = data[ends[number] - lengths[number] : ends[number]]
    return pieces


def paint_frame(
    data: np.ndarray, shapes: Shapes | None, size: tuple[int, int], number: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels that placements paint in a frame, as indices, and their labels.

    Arguments:
        data: placements of a frame, at least one. shapes: those in force.
        size: (width, height) of the canvas. number: of the frame, for messages.

    Raises:
        FormatError: a shape is missing or beyond the canvas, or they paint too much.
    """
    width, height = size
    if max(size) > MAX_TILE_SIDE:
        raise FormatError("FRAM", "canvas with placements", f"at most {MAX_TILE_SIDE}", max(size))
    if shapes is None:
        raise FormatError("FRAM", "shapes in force", "at least 1", 0)
    box = (0, 0, width, height)
    found: Placements = decode_placements(data, shapes, box, size, ("FRAM", f"frame {number}"))
    painted = int(shapes.ink.counts[found.shapes].sum())
    if painted > width * height:
        raise FormatError("FRAM", "pixels painted", f"at most {width * height}", painted)
    cut = np.zeros(len(found), np.bool_)
    x, y = found.x.astype(np.int64), found.y.astype(np.int64)
    return painted_pixels(shapes.ink, x, y, found.shapes, cut, width, height)


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
