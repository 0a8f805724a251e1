"""Shapes, small rectangles that an image repeats, and where they are placed (section 5.8).

A shape has a ground label: pixels of that label are not painted, all others are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kqf.errors import FormatError
from kqf.format.streams import check_ratio, deflate, inflate

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
# Pixels worked on at once, to bound memory beside the image's.
_BLOCK = 2**18
# Of the blocks in which painting is checked.
_SIDE = 1024

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
        x, y: (n,) int64, upper left pixels. shapes: (n,) int64, numbers of shapes.
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
    sides = _inflate_exactly(payload[8 : 8 + length], _SIDES * count, "SHAP", "sides")
    heights, widths, grounds = sides.reshape(_SIDES, count)
    if not (heights.all() and widths.all()):
        raise FormatError("SHAP", "side of a shape", f"1 to {MAX_SIDE}", 0)
    area = int(_areas(heights, widths).sum())
    if area > pixels:
        raise FormatError("SHAP", "pixels of all shapes", f"at most {pixels}", area)
    labels = _inflate_exactly(payload[8 + length :], area, "SHAP", "labels")
    highest = max(int(grounds.max()), int(labels.max()))
    if highest > last_label:
        raise FormatError("SHAP", "label", f"at most {last_label}", highest)
    shapes = Shapes(heights, widths, grounds, labels)
    least = int(shapes.ink.counts.argmin())
    if (painted := int(shapes.ink.counts[least])) < LEAST_PAINTED:
        field = f"pixels that shape {least} paints"
        raise FormatError("SHAP", field, f"at least {LEAST_PAINTED}", painted)
    return shapes


def _inflate_exactly(stream: bytes, size: int, chunk: str, field: str) -> np.ndarray:
    """Inflate a stream to so many bytes, refused beforehand if it could never give as many."""
    check_ratio(len(stream), size, chunk)
    data = inflate(stream, size, chunk)
    if len(data) != size:
        raise FormatError(chunk, f"inflated size of {field}", size, len(data))
    return np.frombuffer(data, np.uint8)


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
    left, upper, right, lower = box
    field = f"placements of tile {tile}"
    most = size[0] * size[1] // LEAST_PAINTED
    if not 1 <= count <= most:
        raise FormatError("LABL", f"number of {field}", f"1 to {most}", count)
    data = _inflate_exactly(stream, _STEPS * _BYTES * count, "LABL", field)
    planes = data.reshape(_STEPS, _BYTES, count).astype(np.int64)
    down, across, numbers = planes[:, 0] | planes[:, 1] << 8
    if (highest := int(numbers.max())) >= len(shapes):
        raise FormatError("LABL", f"shape in tile {tile}", f"at most {len(shapes) - 1}", highest)
    heights, widths = shapes.heights[numbers].astype(np.int64), shapes.widths[numbers]
    y = (np.cumsum(down) & 0xFFFF) - heights
    # Along a line each step is from the end of the placement before.
    ends = np.cumsum(across + widths)
    starts = np.flatnonzero(np.append(True, down[1:] != 0))
    lines = np.repeat(np.append(0, ends[starts[1:] - 1]), np.diff(np.append(starts, count)))
    x = (ends - widths - lines) & 0xFFFF
    inside = (y >= 0) & (y < lower - upper) & (x < right - left)
    x += left
    y += upper
    if not inside.all():
        raise FormatError("LABL", f"upper left pixel of {field}", "one of the tile", "another")
    if (x + widths > size[0]).any() or (y + heights > size[1]).any():
        raise FormatError("LABL", f"{field}", "inside the image", "one beyond its edge")
    return Placements(x, y, numbers)


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
    numbers = placements.shapes
    x, y = placements.x - left, placements.y - upper
    ends_x, ends_y = x + shapes.widths[numbers], y + shapes.heights[numbers]
    touching = (x < width) & (y < height) & (ends_x > 0) & (ends_y > 0)
    cut = (x < 0) | (y < 0) | (ends_x > width) | (ends_y > height)
    if not touching.all():
        x, y, numbers, cut = x[touching], y[touching], numbers[touching], cut[touching]
    ends = np.cumsum(shapes.ink.counts[numbers])
    # What touches the region ends near it. More than that has pixels is not painted at all.
    most = (width + 2 * MAX_SIDE) * (height + 2 * MAX_SIDE)
    if len(ends) and ends[-1] > most:
        raise FormatError("LABL", "pixels painted", f"at most {most}", int(ends[-1]))
    flat, mask = labels.reshape(-1), np.zeros(labels.size, np.bool_)
    painted = 0
    for first, last in _blocks(ends):
        part = slice(first, last)
        places, values = _pixels(
            shapes.ink, x[part], y[part], numbers[part], cut[part], width, height
        )
        flat[places] = values
        mask[places] = True
        painted += len(places)
    if np.count_nonzero(mask) != painted:
        raise FormatError("LABL", "pixels painted", "once each", "some twice")


def _pixels(
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
    used[placements.shapes] = True
    if not used.all():
        unused = int(np.flatnonzero(~used)[0])
        raise FormatError("SHAP", f"placements of shape {unused}", "at least 1", 0)


def check_painted_once(shapes: Shapes, placements: Placements) -> None:
    """Check that no pixel of an image is painted twice, a block of the image at a time.

    Raises:
        FormatError: one is.
    """
    numbers = placements.shapes
    last_x = placements.x + shapes.widths[numbers] - 1
    last_y = placements.y + shapes.heights[numbers] - 1
    # No shape is larger than a block, so that it lies in the blocks of its corners.
    corners = [(x, y) for x in (placements.x, last_x) for y in (placements.y, last_y)]
    blocks = np.concatenate([(y // _SIDE << 32) + x // _SIDE for x, y in corners])
    owners = np.tile(np.arange(len(placements)), len(corners))
    order = np.argsort(blocks, kind="stable")
    found, firsts = np.unique(blocks[order], return_index=True)
    ends = np.append(firsts[1:], len(order))
    for block, first, end in zip(found.tolist(), firsts.tolist(), ends.tolist(), strict=True):
        here = np.unique(owners[order[first:end]])
        part = Placements(placements.x[here], placements.y[here], numbers[here])
        left, upper = (block & 0xFFFFFFFF) * _SIDE, (block >> 32) * _SIDE
        box = (left, upper, left + _SIDE, upper + _SIDE)
        paint(np.empty((_SIDE, _SIDE), np.uint8), shapes, part, box)


def joined(parts: Sequence[Placements]) -> Placements:
    """Return placements of several tiles as one."""
    if not parts:
        return Placements(*(np.empty(0, np.int64) for _ in range(3)))
    return Placements(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("x", "y", "shapes"))
    )
