"""Shapes, small rectangles that an image repeats, and where they are placed (section 5.8).

A shape has a ground label: pixels of that label are not painted, all others are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

import numpy as np

from kqf.errors import FormatError
from kqf.format.streams import deflate, inflate_exactly

MAX_SIDE = 255
# Shape numbers and the steps from placement to placement are stored in two bytes.
MAX_SHAPES = 2**16
_BYTES = 2
# A tile no larger than this, and a shape that begins in it, end below 2**16.
MAX_TILE_SIDE = 2**16 - MAX_SIDE
# So that placements, which take many bytes each in memory, are few beside the pixels.
LEAST_PAINTED = 4
_SIDES = 3  # height, width, ground
_STEPS = 3  # lower edge, left edge, shape
PLACEMENT_BYTES = _STEPS * _BYTES
# Pixels worked on at once, to bound memory beside the image's.
_BLOCK = 2**18
# Placements worked on at once.
_PLACEMENTS = 2**14
_AT_START = np.zeros(1, np.intp)
# Pixels of the bands in which painting is checked.
_BAND_PIXELS = 2**20

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Shapes:
    """The shapes of a file.

    Attributes:
        heights, widths, grounds: (n,) uint8.
        labels: (pixels of all,) uint8, shape by shape, each column by column.
    """

    heights: np.ndarray
    widths: np.ndarray
    grounds: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.heights)

    @cached_property
    def ink(self) -> "Ink":
        """What the shapes paint."""
        ends = np.cumsum(_areas(self.heights, self.widths))
        counts, offsets, values = [], [], []
        for first, last in _blocks(ends):
            begin = int(ends[first - 1]) if first else 0
            heights = self.heights[first:last].astype(np.int64)
            grounds = self.grounds[first:last]
            areas = np.diff(ends[first:last], prepend=begin)
            labels = self.labels[begin : int(ends[last - 1])]
            painted = np.flatnonzero(labels != np.repeat(grounds, areas))
            owner = np.repeat(np.arange(last - first), areas)[painted]
            x, y = np.divmod(painted - (ends[first:last] - areas - begin)[owner], heights[owner])
            counts.append(np.bincount(owner, minlength=last - first))
            offsets.append((x << 8 | y).astype(np.uint16))
            values.append(labels[painted])
        return Ink(*(np.concatenate(parts) for parts in (counts, offsets, values)))


@dataclass(frozen=True)
class Ink:
    """The pixels that shapes paint, shape by shape.

    Attributes:
        counts: (n,) int64, of each shape.
        offsets: (pixels,) uint16, x << 8 | y from the shape's upper left pixel.
        labels: (pixels,) uint8.
    """

    counts: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray

    @cached_property
    def firsts(self) -> np.ndarray:
        """Where the pixels of each shape begin, (n,) int64."""
        firsts: np.ndarray = np.cumsum(self.counts) - self.counts
        return firsts


@dataclass(frozen=True)
class Placements:
    """Where shapes are placed, in pixels of the image.

    Attributes:
        x, y: (n,) integers, upper left pixels. shapes: (n,) integers, numbers of shapes.
    """

    x: np.ndarray
    y: np.ndarray
    shapes: np.ndarray

    def __len__(self) -> int:
        return len(self.x)


def _areas(heights: np.ndarray, widths: np.ndarray) -> np.ndarray:
    areas: np.ndarray = np.multiply(heights, widths, dtype=np.int64)
    return areas


def _blocks(ends: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of items, about _BLOCK pixels at a time, that end at these pixels."""
    first = 0
    while first < len(ends):
        begin = int(ends[first - 1]) if first else 0
        last = max(int(np.searchsorted(ends, begin + _BLOCK, side="right")), first + 1)
        yield first, last
        first = last


def build_shapes(shapes: Shapes, level: int) -> bytes:
    """Return the payload of ``SHAP``. ``level`` is of deflate."""
    sides = np.stack([shapes.heights, shapes.widths, shapes.grounds])
    first = deflate(sides, level)
    parts = (len(shapes), len(first))
    return b"".join(
        [number.to_bytes(4) for number in parts] + [first, deflate(shapes.labels, level)]
    )


def parse_shapes(payload: bytes, last_label: int, pixels: int) -> Shapes:
    """Return the shapes of the payload of ``SHAP``.

    Arguments:
        last_label: the highest label of the file. pixels: of the image.

    Raises:
        FormatError: no shape or too many, a side of 0, more pixels than the image has, a label
            beyond the last, a shape that paints too little; or a stream is wrong.
        TruncatedError: a stream does not end.
    """
    if len(payload) < 8:
        raise FormatError("SHAP", "length", "at least 8", len(payload))
    count, length = (int.from_bytes(payload[at : at + 4]) for at in (0, 4))
    if not 1 <= count <= MAX_SHAPES:
        raise FormatError("SHAP", "count", f"1 to {MAX_SHAPES}", count)
    if length > len(payload) - 8:
        raise FormatError("SHAP", "sides_length", f"at most {len(payload) - 8}", length)
    sides = inflate_exactly(payload[8 : 8 + length], _SIDES * count, "SHAP", "sides")
    heights, widths, grounds = sides.reshape(_SIDES, count)
    if not (heights.all() and widths.all()):
        raise FormatError("SHAP", "side of a shape", f"1 to {MAX_SIDE}", 0)
    area = int(_areas(heights, widths).sum())
    if area > pixels:
        raise FormatError("SHAP", "pixels of all shapes", f"at most {pixels}", area)
    labels = inflate_exactly(payload[8 + length :], area, "SHAP", "labels")
    highest = max(int(grounds.max()), int(labels.max()))
    if highest > last_label:
        raise FormatError("SHAP", "label", f"at most {last_label}", highest)
    shapes = Shapes(heights, widths, grounds, labels)
    least = int(shapes.ink.counts.argmin())
    if (painted := int(shapes.ink.counts[least])) < LEAST_PAINTED:
        field = f"pixels that shape {least} paints"
        raise FormatError("SHAP", field, f"at least {LEAST_PAINTED}", painted)
    return shapes


def build_placements(placements: Placements, shapes: Shapes, box: Box) -> bytes:
    """Return the placements of one tile as bytes to deflate, six for each.

    Arguments:
        placements: those whose upper left pixel lies in the tile.
        box: (left, upper, right, lower) of the tile.
    """
    left, upper, *_ = box
    numbers = placements.shapes
    edges = placements.y - upper + shapes.heights[numbers]
    x, widths = placements.x - left, shapes.widths[numbers].astype(np.int64)
    order = np.lexsort((numbers, x, edges))
    edges, x, widths = edges[order], x[order], widths[order]
    down = np.diff(edges, prepend=0)
    right = x.copy()
    right[1:] -= np.where(down[1:] == 0, (x + widths)[:-1], 0)
    steps = np.stack([down, right, numbers[order]]).astype(np.uint16)
    planes = [steps & 0xFF, steps >> 8]
    return np.stack(planes, axis=1).astype(np.uint8).tobytes()


def parse_placements(
    stream: bytes, count: int, shapes: Shapes, box: Box, size: tuple[int, int], tile: int
) -> Placements:
    """Return the placements of one tile, the inverse of build_placements and deflate.

    Arguments:
        stream: the zlib stream. count: of placements, as the tile states, at least 1.
        box: (left, upper, right, lower) of the tile. size: (width, height) of the image.
        tile: its number, for messages.

    Raises:
        FormatError: the stream is wrong, an upper left pixel lies outside the tile, a shape beyond
            the image, or there is no such shape. TruncatedError: the stream does not end.
    """
    field = f"placements of tile {tile}"
    most = size[0] * size[1] // LEAST_PAINTED
    if not 1 <= count <= most:
        raise FormatError("LABL", f"number of {field}", f"1 to {most}", count)
    data = inflate_exactly(stream, PLACEMENT_BYTES * count, "LABL", field)
    return decode_placements(data, shapes, box, size, ("LABL", f"tile {tile}"))


def decode_placements(
    data: np.ndarray,
    shapes: Shapes,
    box: Box,
    size: tuple[int, int],
    where: tuple[str, str],
    firsts: np.ndarray = _AT_START,
) -> Placements:
    """Return the placements of one tile, or of frames, the inverse of build_placements.

    Arguments:
        data: uint8, six bytes for each, at least one; of several frames by planes, (6, n).
        box: (left, upper, right, lower) of the tile. size: (width, height) of the image.
        where: chunk, and tile or frame with its number, for messages.
        firsts: where the placements of each frame begin; of several there are at most _PLACEMENTS.

    Raises:
        FormatError: an upper left pixel lies outside the tile, a shape beyond the image, or there
            is no such shape.
    """
    left, upper, right, lower = box
    chunk, owner = where
    field = f"placements of {owner}"
    count = data.size // PLACEMENT_BYTES
    planes = data.reshape(_STEPS, _BYTES, count)
    found = Placements(
        np.empty(count, np.int32), np.empty(count, np.int32), np.empty(count, np.uint16)
    )
    edge = end = 0
    for first in range(0, count, _PLACEMENTS):
        part = slice(first, first + _PLACEMENTS)
        low, high = (planes[:, byte, part].astype(np.int64) for byte in range(_BYTES))
        down, across, numbers = low | high << 8
        if (highest := int(numbers.max())) >= len(shapes):
            field = f"shape in {owner}"
            raise FormatError(chunk, field, f"at most {len(shapes) - 1}", highest)
        heights, widths = (sides[numbers] for sides in (shapes.heights, shapes.widths))
        # Along a line each step is from the end of the placement before.
        begins = down != 0
        if not first:
            # Each frame begins at the upper edge.
            down[firsts[1:]] -= np.add.reduceat(down, firsts)[:-1]
        edges = (edge + np.cumsum(down)) & 0xFFFF
        y = edges - heights
        ends = np.cumsum(across + widths)
        before = np.append(0, ends)[np.flatnonzero(begins)]
        x = (ends - widths - np.append(-end, before)[np.cumsum(begins)]) & 0xFFFF
        edge, end = int(edges[-1]), int(x[-1]) + int(widths[-1])
        inside = (y >= 0) & (y < lower - upper) & (x < right - left)
        x += left
        y += upper
        if not inside.all():
            raise FormatError(chunk, f"upper left pixel of {field}", "one inside", "another")
        if (x + widths > size[0]).any() or (y + heights > size[1]).any():
            raise FormatError(chunk, field, "inside the image", "one beyond its edge")
        found.x[part], found.y[part], found.shapes[part] = x, y, numbers
    return found


def paint(labels: np.ndarray, shapes: Shapes, placements: Placements, box: Box) -> None:
    """Paint all placements that touch a region, in place.

    Arguments:
        labels: (H, W) uint8, contiguous, those of the region.
        placements: of all tiles that may reach into the region.
        box: (left, upper, right, lower) of the region.

    Raises:
        FormatError: a pixel is painted twice.
    """
    left, upper, right, lower = box
    width, height = right - left, lower - upper
    # What touches the region ends near it. More than that has pixels is not painted at all.
    most = (width + 2 * MAX_SIDE) * (height + 2 * MAX_SIDE)
    flat, mask = labels.reshape(-1), np.zeros(labels.size, np.bool_)
    asked = painted = 0
    for begin in range(0, len(placements), _PLACEMENTS):
        some = slice(begin, begin + _PLACEMENTS)
        numbers = placements.shapes[some]
        x = placements.x[some].astype(np.int64) - left
        y = placements.y[some].astype(np.int64) - upper
        ends_x, ends_y = x + shapes.widths[numbers], y + shapes.heights[numbers]
        touching = (x < width) & (y < height) & (ends_x > 0) & (ends_y > 0)
        cut = (x < 0) | (y < 0) | (ends_x > width) | (ends_y > height)
        if not touching.all():
            x, y, numbers, cut = x[touching], y[touching], numbers[touching], cut[touching]
        ends = np.cumsum(shapes.ink.counts[numbers])
        asked += int(ends[-1]) if len(ends) else 0
        if asked > most:
            raise FormatError("LABL", "pixels painted", f"at most {most}", asked)
        for first, last in _blocks(ends):
            part = slice(first, last)
            places, values = painted_pixels(
                shapes.ink, x[part], y[part], numbers[part], cut[part], width, height
            )
            flat[places] = values
            mask[places] = True
            painted += len(places)
    if np.count_nonzero(mask) != painted:
        raise FormatError("LABL", "pixels painted", "once each", "some twice")


def painted_pixels(
    ink: Ink,
    x: np.ndarray,
    y: np.ndarray,
    numbers: np.ndarray,
    cut: np.ndarray,
    width: int,
    height: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels that placements paint in a region, as indices, and their labels.

    Arguments:
        x, y, numbers: (n,) of each placement, from the region's upper left pixel.
        cut: (n,) bool, whether parts of it lie outside. width, height: of the region.
    """
    counts = ink.counts[numbers]
    ends = np.cumsum(counts)
    pixels = np.arange(int(ends[-1]))
    pixels += np.repeat(ink.firsts[numbers] - (ends - counts), counts)
    offsets, values = ink.offsets.take(pixels), ink.labels.take(pixels)
    places = (offsets & 0xFF) * np.int64(width)
    offsets >>= 8
    places += offsets
    places += np.repeat(y * width + x, counts)
    if cut.any():
        # What is beside the region would be in the row before or after.
        column = np.repeat(x, counts) + offsets
        inside = (column >= 0) & (column < width) & (places >= 0) & (places < width * height)
        return places[inside], values[inside]
    return places, values


def check_used(placements: Placements, shapes: Shapes) -> None:
    """Check that each shape is placed, after all tiles are read.

    Arguments:
        placements: of all tiles.

    Raises:
        FormatError: one is never placed.
    """
    used = np.zeros(len(shapes), np.bool_)
    for first in range(0, len(placements), _PLACEMENTS):
        used[placements.shapes[first : first + _PLACEMENTS]] = True
    if not used.all():
        unused = int(np.flatnonzero(~used)[0])
        raise FormatError("SHAP", f"placements of shape {unused}", "at least 1", 0)


def check_painted_once(shapes: Shapes, placements: Placements, size: tuple[int, int]) -> None:
    """Check that no pixel of an image is painted twice, a band of rows at a time.

    Arguments:
        placements: of all tiles. size: (width, height) of the image.

    Raises:
        FormatError: one is.
    """
    width, height = size
    rows = min(max(_BAND_PIXELS // width, MAX_SIDE), height)
    order = np.argsort(placements.y, kind="stable")
    tops = placements.y[order]
    for upper in range(0, height, rows):
        lower = min(upper + rows, height)
        first, last = np.searchsorted(tops, (upper - MAX_SIDE, lower)).tolist()
        if first == last:
            continue
        here = order[first:last]
        part = Placements(placements.x[here], placements.y[here], placements.shapes[here])
        paint(np.empty((lower - upper, width), np.uint8), shapes, part, (0, upper, width, lower))


class PlacementList:
    """The placements of several tiles, in any order.

    Arguments:
        pixels: of the image.
    """

    def __init__(self, pixels: int) -> None:
        self._most = pixels // LEAST_PAINTED
        self._parts: list[Placements] = []
        self._count = 0
        self._lock = Lock()

    def __len__(self) -> int:
        return self._count

    def add(self, placements: Placements) -> None:
        """Add the placements of a tile; may be called from several threads.

        Raises:
            FormatError: there are more than can be painted without painting a pixel twice.
        """
        with self._lock:
            self._count += len(placements)
            self._parts.append(placements)
        if self._count > self._most:
            field, most = "placements of all tiles", f"at most {self._most}"
            raise FormatError("LABL", field, most, self._count)

    def joined(self) -> Placements:
        """Return all of them."""
        if not self._parts:
            return Placements(*(np.empty(0, np.int32) for _ in range(3)))
        if len(self._parts) > 1:
            names = ("x", "y", "shapes")
            columns = [[getattr(part, name) for part in self._parts] for name in names]
            self._parts = [Placements(*map(np.concatenate, columns))]
        return self._parts[0]


def joined_shapes(first: Shapes, second: Shapes) -> Shapes:
    """Return shapes of two lists as one, numbered on."""
    names = ("heights", "widths", "grounds", "labels")
    return Shapes(
        *(np.concatenate([getattr(first, name), getattr(second, name)]) for name in names)
    )
