"""The valid files of version 2."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from tools.vectors.pieces import (
    DONE,
    SIGNATURE,
    Box,
    Codebook,
    Labels,
    chunk,
    cut,
    cycles,
    fixed,
    pattern,
    rankings,
    spread,
    stored,
    symbols_of,
    table,
)
from tools.vectors.valid import EXIF, GRAY4, SMALL, TEXT, Valid, raw

NONE, LEFT, UP, COPY, PACKED = range(5)
_COLUMNS_FIRST, _RANKED, _SHAPES = 16, 32, 64
# Shapes as rows of labels with their ground, and where one of them is placed: x, y, number.
Shape = tuple[Labels, int]
Placement = tuple[int, int, int]


def layout(
    predictor: int, *, columns_first: bool = False, ranked: bool = False, shapes: bool = False
) -> int:
    """Return the last byte of ``HEAD`` (section 5.1)."""
    flags = _COLUMNS_FIRST * columns_first + _RANKED * ranked + _SHAPES * shapes
    return predictor + flags


def transposed(labels: Labels) -> Labels:
    return [list(column) for column in zip(*labels, strict=True)]


def packed(labels: Labels, share: int) -> bytes:
    """Return the labels of a tile, so many of a column to a byte (sections 7.4 and 7.5)."""
    bits = 8 // share
    result = bytearray()
    for y in range(0, len(labels), share):
        rows = labels[y : y + share]
        for column in zip(*rows, strict=True):
            result.append(sum(label << bits * place for place, label in enumerate(column)))
    return bytes(result)


def labels_per_byte(last_label: int) -> int:
    if not last_label:
        return 64
    return 8 if last_label < 2 else 4 if last_label < 4 else 2


def codes_of(tile: Labels, above_right: bool) -> Labels:
    """Return the code of each pixel: the lowest that fits."""
    width = len(tile[0])
    result = []
    for y, row in enumerate(tile):
        above = [*tile[y - 1], 0] if y else [0] * (width + 1)
        codes = []
        for x, label in enumerate(row):
            sources = [above[x], row[x - 1] if x else 0]
            if above_right:
                sources.append(above[x + 1])
            codes.append(sources.index(label) if label in sources else 3)
        result.append(codes)
    return result


def new_labels(tile: Labels, codes: Labels, order: Labels | None) -> bytes:
    """Return the new labels of a tile, or their ranks (section 7.4)."""
    result = bytearray()
    height, width = len(tile), len(tile[0])
    for first in range(0, height, 16):
        for x in range(width):
            for y in range(first, min(first + 16, height)):
                if codes[y][x] == 3:
                    label, above = tile[y][x], tile[y - 1][x] if y else 0
                    result.append(order[above].index(label) if order else label)
    return bytes(result)


def differences(codebook: Codebook) -> bytes:
    """Return the payload of ``PCOD``, inflated (section 5.7)."""
    before = (0,) * len(codebook[0])
    steps = []
    for entry in codebook:
        step = [a - b for a, b in zip(entry, before, strict=True)]
        if len(step) >= 3:
            step[0] -= step[1]
            step[2] -= step[1]
        steps.append(step)
        before = entry
    return bytes(step[channel] % 256 for channel in range(len(before)) for step in steps)


def shapes_payload(shapes: Sequence[Shape]) -> bytes:
    """Return the payload of ``SHAP`` (section 5.8)."""
    heights = bytes(len(rows) for rows, _ in shapes)
    widths = bytes(len(rows[0]) for rows, _ in shapes)
    sides = stored(heights + widths + bytes(ground for _, ground in shapes))
    labels = bytes(
        label for rows, _ in shapes for column in zip(*rows, strict=True) for label in column
    )
    return struct.pack(">II", len(shapes), len(sides)) + sides + stored(labels)


def placement_planes(steps: Sequence[tuple[int, int, int]]) -> bytes:
    """Return (down, right, shape) of each placement as planes (section 5.9)."""
    planes = []
    for part in range(3):
        planes += [
            bytes(step[part] & 255 for step in steps),
            bytes(step[part] >> 8 for step in steps),
        ]
    return b"".join(planes)


def placement_steps(
    placements: Sequence[Placement], shapes: Sequence[Shape], origin: Box
) -> list[tuple[int, int, int]]:
    """Return (down, right, shape) of each placement of one tile, in the order given."""
    steps = []
    edge = end = 0
    for x, y, number in placements:
        rows = shapes[number][0]
        x, lower = x - origin[0], y - origin[1] + len(rows)
        down = (lower - edge) % 65536
        right = x if down or not steps else (x - end) % 65536
        steps.append((down, right, number))
        edge, end = lower, x + len(rows[0])
    return steps


@dataclass
class Valid2(Valid):
    """One valid file of version 2: ``labels`` are those before painting."""

    columns_first: bool = False
    above_right: bool = False
    ranked: bool = False
    shapes: Sequence[Shape] = ()
    placements: Sequence[Placement] = ()
    packed_codebook: bool = False

    @property
    def painted(self) -> Labels:
        """The labels of the image."""
        result = [list(row) for row in self.labels]
        for left, upper, number in self.placements:
            rows, ground = self.shapes[number]
            for y, row in enumerate(rows):
                for x, label in enumerate(row):
                    if label != ground:
                        result[upper + y][left + x] = label
        return result

    def label_streams(self, tile: Labels) -> bytes:
        """Return what follows the placements in the ``LABL`` of a tile."""
        if self.columns_first:
            tile = transposed(tile)
        lists = self.lists or [[]] * len(self.codebook)
        order = rankings(self.codebook, lists)
        if self.predictor == COPY:
            codes = codes_of(tile, self.above_right)
            first = self.pack(packed(codes, 4))
            new = new_labels(tile, codes, order if self.ranked else None)
            return struct.pack(">I", len(first)) + first + (self.pack(new) if new else b"")
        if self.predictor == PACKED:
            return self.pack(packed(tile, labels_per_byte(len(self.codebook) - 1)))
        return self.pack(symbols_of(tile, self.predictor, order))

    def tile_placements(self, number: int, tile: Box) -> bytes:
        """Return the placements at the start of the ``LABL`` of a tile."""
        if not self.shapes:
            return b""
        columns = -(-self.size[0] // tile[0])
        left, upper = number % columns * tile[0], number // columns * tile[1]
        here = [
            (x, y, shape)
            for x, y, shape in self.placements
            if left <= x < left + tile[0] and upper <= y < upper + tile[1]
        ]
        if not here:
            return bytes(4)
        steps = placement_steps(here, self.shapes, (left, upper))
        stream = self.pack(placement_planes(steps))
        return struct.pack(">II", len(here), len(stream)) + stream

    def data(self) -> bytes:
        tile = self.tile or self.size
        payloads = [
            self.tile_placements(number, tile) + self.label_streams(part)
            for number, part in enumerate(cut(self.labels, tile))
        ]
        byte = layout(
            self.predictor,
            columns_first=self.columns_first,
            ranked=self.ranked,
            shapes=bool(self.shapes),
        )
        channels, last_label = len(self.codebook[0]), len(self.codebook) - 1
        head = struct.pack(">4I4B", *self.size, *tile, 2, channels, last_label, byte)
        entries = bytes(sample for entry in self.codebook for sample in entry)
        if self.packed_codebook:
            code = chunk(b"PCOD", self.pack(differences(self.codebook)))
        else:
            code = chunk(b"CODE", entries)
        parts = [SIGNATURE, chunk(b"HEAD", head), code]
        parts += [chunk(kind.encode(), raw(value)) for kind, value in self.metadata.items()]
        if self.lists:
            parts.append(chunk(b"RANK", self.pack(table(self.lists))))
        if self.shapes:
            parts.append(chunk(b"SHAP", shapes_payload(self.shapes)))
        if self.index:
            lengths = [len(payload) for payload in payloads]
            parts.append(chunk(b"tidx", struct.pack(f">{len(lengths)}I", *lengths)))
        parts += [chunk(b"LABL", payload) for payload in payloads]
        return b"".join([*parts, self.before, DONE])

    def entry(self) -> dict[str, object]:
        result = super().entry()
        final = Valid(self.name, self.painted, self.codebook).entry()
        for key in ("labels", "pixels", "labels_sha256", "pixels_sha256"):
            if key in final:
                result[key] = final[key]
        return result | {"version": 2}


# A drawing with runs, slopes and single pixels: every code occurs.
DRAWING = [
    [(x + y) // 7 % 3 if x < 15 else (x * x + y * y) // 40 % 4 for x in range(23)]
    for y in range(21)
]
# A cross with its ground, a square without any, and a column.
CROSS = ([[0, 2, 0], [2, 2, 2], [0, 2, 0]], 0)
SQUARE = ([[1, 3], [3, 1]], 2)
COLUMN = ([[3], [3], [1], [3]], 0)
# Two letters above a line.
LETTER = ([[2, 0], [2, 0], [2, 2]], 0)
EXAMPLE = [*([[0] * 7] * 4), [1] * 7]
PAGE = [[0] * 20 for _ in range(16)]
PLACED = [
    (1, 1, 0),
    (8, 1, 0),
    (15, 2, 1),
    (17, 2, 1),
    (4, 5, 2),
    (10, 9, 0),
    (0, 13, 0),
    (17, 13, 0),
]


def valid_files_of_version_2() -> list[Valid2]:
    def drawing(name: str, predictor: int, **changes: object) -> Valid2:
        base = {"name": name, "labels": DRAWING, "codebook": GRAY4, "predictor": predictor}
        return Valid2(**base | changes)

    def page(name: str, predictor: int, **changes: object) -> Valid2:
        base = {"labels": PAGE, "shapes": (CROSS, SQUARE, COLUMN), "placements": PLACED}
        return drawing(name, predictor, **base | changes)

    few = {2: [(9,), (200,)], 3: spread(3, 3), 4: GRAY4, 7: spread(7, 3), 16: spread(16, 4)}
    many = [[(x * 11 + y * 5) // 3 % 40 for x in range(50)] for y in range(37)]
    copying = [
        drawing("7.4_copy", COPY),
        drawing("7.4_copy-above-right", COPY, above_right=True),
        drawing("7.4_copy-ranked", COPY, ranked=True),
        drawing("7.4_copy-ranked-above-right", COPY, ranked=True, above_right=True, tile=(9, 5)),
        drawing("7.4_copy-columns-first", COPY, columns_first=True, above_right=True),
        drawing(
            "7.4_copy-columns-first-ranked", COPY, columns_first=True, ranked=True, tile=(8, 21)
        ),
        drawing("7.4_copy-tiles", COPY, tile=(7, 6), index=True, pack=fixed),
        drawing("7.4_copy-no-new-label", COPY, labels=[[0] * 9] * 6),
        drawing("7.4_copy-all-new", COPY, labels=[[1, 2, 1], [2, 1, 2], [3, 0, 3]], codebook=GRAY4),
        drawing("7.4_copy-one-pixel", COPY, labels=[[2]]),
        drawing("7.4_copy-one-row", COPY, labels=[DRAWING[3]], above_right=True),
        drawing(
            "7.4_copy-one-column", COPY, labels=[[row[20]] for row in DRAWING], above_right=True
        ),
        drawing("7.4_copy-one-colour", COPY, labels=[[0] * 5] * 5, codebook=[(7, 8, 9)]),
        drawing("7.4_copy-bands", COPY, labels=many, codebook=spread(40, 3), pack=fixed),
        drawing("7.4_copy-bands-ranked", COPY, labels=many, codebook=spread(40, 3), ranked=True),
        drawing("7.4_copy-256-colours", COPY, labels=pattern(20, 20, 256), codebook=spread(256, 3)),
    ]
    packing = [
        drawing(
            f"7.5_packed-{colors}-colours{'-columns-first' * turned}",
            PACKED,
            labels=pattern(11, 13, colors),
            codebook=codebook,
            columns_first=turned,
            tile=(6, 7) if colors == 16 else None,
        )
        for colors, codebook in few.items()
        for turned in (False, True)
    ] + [
        drawing("7.5_packed-one-colour", PACKED, labels=[[0] * 9] * 11, codebook=[(1, 2, 3)]),
        drawing("7.5_packed-one-colour-tall", PACKED, labels=[[0] * 2] * 65, codebook=[(1, 2, 3)]),
        drawing("7.5_packed-tiles", PACKED, tile=(5, 5), index=True),
    ]
    columns = [
        drawing("7_none-columns-first", NONE, columns_first=True),
        drawing("7_left-columns-first", LEFT, columns_first=True, tile=(8, 8), lists=cycles(4, 2)),
        drawing("7_up-columns-first", UP, columns_first=True, lists=cycles(4, 1)),
        drawing("7_up-columns-first-no-RANK", UP, columns_first=True, tile=(5, 9)),
        drawing("7.3_left-without-RANK", LEFT),
        drawing("7.3_up-without-RANK", UP, tile=(10, 10)),
        # What an encoder should not write, but a decoder reads.
        Valid2("5.1_version-2-of-nothing-new", SMALL, GRAY4),
    ]
    codebooks = [
        Valid2(f"5.7_PCOD-{channels}", pattern(7, 5, 6), spread(6, channels), packed_codebook=True)
        for channels in range(1, 5)
    ] + [
        drawing("5.7_PCOD-copy", COPY, packed_codebook=True, metadata={"exif": EXIF}, pack=fixed),
        drawing("5.7_PCOD-left", LEFT, packed_codebook=True, lists=cycles(4, 2)),
        Valid2("5.7_PCOD-one-entry", [[0, 0]], [(250, 3, 9)], packed_codebook=True),
        Valid2("5.7_PCOD-256", pattern(9, 9, 256), spread(256, 4), packed_codebook=True),
    ]
    corners = [(0, 0, 0), (17, 0, 0), (0, 13, 0), (17, 13, 0)]
    shapes = [
        page("5.8_shapes", COPY),
        page("5.8_shapes-ranked", COPY, ranked=True, above_right=True, labels=DRAWING_PAGE),
        page("5.8_shapes-packed", PACKED),
        page("5.8_shapes-none", NONE),
        page("5.8_shapes-left", LEFT, lists=cycles(4, 2), labels=DRAWING_PAGE),
        page("5.8_shapes-up", UP, labels=DRAWING_PAGE),
        page("5.8_shapes-columns-first", COPY, columns_first=True, labels=DRAWING_PAGE),
        page("5.8_shapes-and-all-else", COPY, packed_codebook=True, metadata={"text": TEXT}),
        page(
            "5.8_shape-without-ground", COPY, shapes=(SQUARE,), placements=[(0, 0, 0), (18, 14, 0)]
        ),
        page("5.8_shape-once", COPY, shapes=(CROSS,), placements=[(7, 7, 0)]),
        page("5.9_corners", COPY, shapes=(CROSS,), placements=corners),
        page("5.9_in-another-order", COPY, placements=PLACED[::-1]),
        page(
            "5.9_boxes-overlap", COPY, shapes=(CROSS,), placements=[(2, 2, 0), (4, 4, 0), (4, 1, 0)]
        ),
        page("5.9_tiles", COPY, tile=(7, 5), index=True),
        page("5.9_tiles-of-one-pixel", COPY, tile=(1, 1)),
        page("5.9_tiles-in-columns", PACKED, tile=(3, 16), columns_first=True),
        page("5.9_tiles-none", NONE, tile=(9, 4)),
        Valid2(
            "5.9_largest-shape",
            [[0] * 300] * 260,
            GRAY4,
            COPY,
            tile=(40, 30),
            shapes=(([[1 + (x + y) % 3 for x in range(255)] for y in range(255)], 0),),
            placements=[(21, 2, 0)],
            pack=fixed,
        ),
    ]
    example = Valid2(
        "A_example-2",
        EXAMPLE,
        [(255,), (160,), (20,)],
        COPY,
        shapes=(LETTER,),
        placements=[(1, 0, 0), (4, 0, 0)],
        packed_codebook=True,
    )
    return [*copying, *packing, *columns, *codebooks, *shapes, example]


DRAWING_PAGE = [[(x + y) // 6 % 4 for x in range(20)] for y in range(16)]
