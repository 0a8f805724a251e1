"""The invalid files of version 2, each of which breaks one rule."""

import struct

from tools.vectors.invalid import UNSUPPORTED, Add, Invalid, collected
from tools.vectors.pieces import DONE, SIGNATURE, Box, chunk, fixed, padded, stored
from tools.vectors.valid_2 import (
    COPY,
    LEFT,
    NONE,
    PACKED,
    layout,
    packed,
    placement_planes,
)

CODE = chunk(b"CODE", bytes([0, 85, 170, 255]))
RANK = chunk(b"RANK", stored(bytes(4)))
TEXT_CHUNK = chunk(b"text", b"hello")
# Of 6 x 5 pixels, so that the last byte of every column has bits to spare.
SIZE = 6, 5
NOTHING = bytes(12)
SQUARE = struct.pack(">II", 1, len(stored(bytes(3)))) + stored(b"\2\2\0") + stored(b"\2" * 4)
SHAP = chunk(b"SHAP", SQUARE)


def u32(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}I", *numbers)


def copied(codes: bytes = NOTHING, new: bytes = b"") -> bytes:
    """Return the payload of a tile of predictor 3."""
    stream = stored(codes)
    return u32(len(stream)) + stream + (stored(new) if new else b"")


def placed(*steps: tuple[int, int, int], count: int | None = None) -> bytes:
    """Return the placements of a tile."""
    stream = stored(placement_planes(steps))
    return u32(len(steps) if count is None else count, len(stream)) + stream


ONE = placed((2, 0, 0))


def file(
    layout: int = COPY,
    *tiles: bytes,
    size: Box = SIZE,
    tile: Box | None = None,
    last_label: int = 3,
    version: int = 2,
    code: bytes = CODE,
    before: bytes = b"",
    between: bytes = b"",
    end: bytes = DONE,
) -> bytes:
    """Return a small gray file, changed in places."""
    tile = tile or size
    head = struct.pack(">4I4B", *size, *tile, version, 1, last_label, layout)
    labels = between.join(chunk(b"LABL", payload) for payload in tiles or (copied(),))
    return SIGNATURE + chunk(b"HEAD", head) + code + before + labels + end


def shaped(*tiles: bytes, shap: bytes = SHAP, tile: Box | None = None) -> bytes:
    """Return a small gray file with shapes and predictor 3."""
    return file(layout(COPY, shapes=True), *tiles, before=shap, tile=tile)


def invalid_files_of_version_2() -> list[Invalid]:
    return collected(
        add_structure, add_parts, add_codebook, add_shapes, add_placements, add_prediction
    )


def add_structure(add: Add) -> None:
    """Add files that break rules of section 4 and of ``HEAD``."""
    critical = "file", "critical chunk"
    plain = stored(bytes(30))
    pcod = chunk(b"PCOD", stored(bytes(4)))
    old = {"version": 1}
    add("R4.3-4", "PCOD", file(NONE, plain, code=pcod, **old), *critical, UNSUPPORTED)
    add("R4.3-4", "PCOD-in-prologue", file(NONE, plain, before=pcod, **old), *critical, UNSUPPORTED)
    add("R4.3-4", "SHAP", file(NONE, plain, before=SHAP, **old), *critical, UNSUPPORTED)
    other = chunk(b"FILM", b"x")
    two = {"tile": (6, 3)}
    pair = copied(bytes(6)), copied(bytes(6))
    for name, data in {
        "second": file(code=other),
        "in-prologue": file(before=TEXT_CHUNK + other),
        "among-LABL": file(COPY, *pair, between=other, **two),
        "before-DONE": file(end=other + DONE),
        "in-place-of-DONE": file(end=other),
    }.items():
        add("R4.3-5", name, data, *critical, UNSUPPORTED)
    order = "file", "chunk order"
    for name, data in {
        "no-codebook": file(code=b""),
        "text-second": file(code=TEXT_CHUNK + CODE),
        "SHAP-second": file(layout(COPY, shapes=True), code=SHAP + CODE),
        "two-CODE": file(code=CODE * 2),
        "two-PCOD": file(code=pcod * 2),
        "CODE-and-PCOD": file(code=CODE + pcod),
        "PCOD-and-CODE": file(code=pcod + CODE),
    }.items():
        add("R4.4-7", name, data, *order)
    tile = ONE + copied()
    add("R4.4-8", "two-SHAP", shaped(tile, shap=SHAP * 2), "SHAP", "count")
    late = file(layout(COPY, shapes=True), tile, end=SHAP + DONE)
    add("R4.4-8", "SHAP-after-LABL", late, "SHAP", "count")
    for value in (5, 15):
        add("R5.1-4", f"predictor-{value}", file(value), "HEAD", "predictor", UNSUPPORTED)
    add("R5.1-4", "reserved-bit", file(COPY | 128), "HEAD", "reserved", UNSUPPORTED)
    for predictor in (NONE, LEFT, PACKED):
        data = file(layout(predictor, ranked=True), plain)
        add("R5.1-5", f"ranked-predictor-{predictor}", data, "HEAD", "ranked")
    entries = chunk(b"CODE", bytes(range(17)))
    data = file(PACKED, plain, last_label=16, code=entries)
    add("R5.1-6", "17-colours", data, "HEAD", "last_label")
    for name, size in {"wide": (65282, 4), "tall": (4, 65282)}.items():
        field = "tile sides with copy or shapes"
        data = file(layout(NONE, shapes=True), copied(), size=size, before=SHAP)
        add("R5.1-7", name, data, "HEAD", field)
        add("R5.1-7", f"{name}-copy", file(COPY, copied(), size=size), "HEAD", field)


def add_parts(add: Add) -> None:
    """Add files whose ``LABL`` is not made up of its parts."""
    cut = "LABL", "length of tile 0"
    add("R5.5-4", "ends-in-codes_length", file(COPY, b"\0\0\0"), "LABL", "zlib stream")
    add("R5.5-4", "ends-before-codes", shaped(ONE + b"\0\0"), *cut)
    add(
        "R5.5-4",
        "placements-alone",
        file(layout(NONE, shapes=True), ONE, before=SHAP),
        "LABL",
        "zlib stream",
    )
    add("R5.5-4", "without-placements", shaped(copied()), "LABL", "placements_length of tile 0")
    beyond = u32(len(stored(NOTHING)) + 1) + stored(NOTHING)
    add("R5.5-5", "codes_length", file(COPY, beyond), "LABL", "codes_length of tile 0")
    add(
        "R5.5-5",
        "codes_length-4-GiB",
        file(COPY, u32(2**32 - 1) + stored(NOTHING)),
        "LABL",
        "codes_length of tile 0",
    )
    longer = u32(1, 1000) + ONE[8:] + copied()
    add("R5.5-5", "placements_length", shaped(longer), "LABL", "placements_length of tile 0")
    add("R5.5-6", "codes-short", file(COPY, copied(bytes(11))), "LABL", "bytes of codes of tile 0")
    add("R5.5-6", "codes-long", file(COPY, copied(bytes(13))), "LABL", "inflated size")
    new = bytes([3]) + bytes(11)
    add("R5.5-6", "new-labels-missing", file(COPY, copied(new)), "LABL", "zlib stream")
    two = bytes([15]) + bytes(11)
    add(
        "R5.5-6", "new-labels-short", file(COPY, copied(two, b"\1")), "LABL", "new labels of tile 0"
    )
    add("R5.5-6", "new-labels-long", file(COPY, copied(new, b"\1\1")), "LABL", "inflated size")
    none = copied() + stored(b"")
    add("R5.5-6", "new-labels-of-no-code", file(COPY, none), "LABL", "new labels of tile 0")
    turned = file(layout(COPY, columns_first=True), copied(bytes(12)))
    add("R5.5-6", "columns-first-codes-long", turned, "LABL", "inflated size")
    short, long = "inflated size of tile 0", "inflated size"
    add("R5.5-7", "short", file(PACKED, stored(bytes(11))), "LABL", short)
    add("R5.5-7", "long", file(PACKED, stored(bytes(13))), "LABL", long)
    add("R5.5-7", "byte-a-label", file(PACKED, stored(bytes(30))), "LABL", long)
    field = "inflated size of placements of tile 0"
    add("R5.5-8", "short", shaped(placed((2, 0, 0), count=2) + copied()), "LABL", field)
    two_placed = placed((2, 0, 0), (0, 1, 0), count=1)
    add("R5.5-8", "long", shaped(two_placed + copied()), "LABL", long)
    for name, byte in {"new-label": layout(COPY), "rank": layout(COPY, ranked=True)}.items():
        data = file(byte, copied(new, b"\4"))
        add("R5.5-3", name, data, "LABL", "new label in tile 0")
    three = chunk(b"CODE", bytes([0, 9, 200]))
    labels = packed([[0] * 6] * 4 + [[0, 0, 0, 0, 0, 3]], 4)
    data = file(PACKED, stored(labels), last_label=2, code=three)
    add("R5.5-3", "packed-label", data, "LABL", "label in tile 0")
    follows = file(COPY, copied(new, b"\1") + b"\0")
    add("R8-5", "LABL-after-new-labels", follows, "LABL", "zlib stream")
    stream = stored(NOTHING) + b"\0"
    add("R8-5", "LABL-after-codes", file(COPY, u32(len(stream)) + stream), "LABL", "zlib stream")


def add_codebook(add: Add) -> None:
    """Add files that break rules of ``PCOD``."""
    for name, size in {"short": 3, "long": 5}.items():
        field = "inflated size"
        data = file(code=chunk(b"PCOD", stored(bytes(size))))
        add("R5.7-1", name, data, "PCOD", field)
    data = file(code=chunk(b"PCOD", padded(bytes(4), 1) + b"\0"))
    add("R8-5", "PCOD-one-byte-more", data, "PCOD", "zlib stream")
    add(
        "R8-3",
        "PCOD",
        file(code=chunk(b"PCOD", fixed(bytes(4))[:-1])),
        "PCOD",
        "zlib stream",
        "TruncatedError",
    )


def shap(count: int, sides: bytes, labels: bytes, *, more: int = 0) -> bytes:
    """Return ``SHAP`` of explicit parts; ``more`` to state another length of the sides."""
    stream = stored(sides)
    return chunk(b"SHAP", u32(count, len(stream) + more) + stream + stored(labels))


def add_shapes(add: Add) -> None:
    """Add files that break rules of ``SHAP``."""
    tile = ONE + copied()
    add("R5.8-1", "missing", shaped(tile, shap=b""), "SHAP", "count")
    add("R5.8-1", "without-shapes", file(before=SHAP), "SHAP", "count")
    four = b"\2" * 4
    for rule, name, part, field in [
        ("R5.8-2", "no-shape", shap(0, b"\2\2\0", four), "count"),
        ("R5.8-2", "65537-shapes", shap(65537, b"\2\2\0", four), "count"),
        ("R5.8-2", "sides_length", shap(1, b"\2\2\0", four, more=999), "sides_length"),
        ("R5.8-2", "seven-bytes", chunk(b"SHAP", bytes(7)), "length"),
        ("R5.8-3", "short", shap(2, b"\2\2\0", four), "inflated size of sides"),
        ("R5.8-3", "long", shap(1, b"\2\2\0\0", four), "inflated size"),
        ("R5.8-4", "height-0", shap(1, b"\0\2\0", four), "side of a shape"),
        ("R5.8-4", "width-0", shap(1, b"\2\0\0", four), "side of a shape"),
        (
            "R5.8-5",
            "larger-than-the-image",
            shap(1, b"\1\37\0", b"\2" * 31),
            "pixels of all shapes",
        ),
        ("R5.8-5", "largest", shap(1, b"\xff\xff\0", four), "pixels of all shapes"),
        ("R5.8-6", "short", shap(1, b"\2\2\0", b"\2" * 3), "inflated size of labels"),
        ("R5.8-6", "long", shap(1, b"\2\2\0", b"\2" * 5), "inflated size"),
        ("R5.8-7", "label", shap(1, b"\2\2\0", b"\2\2\2\4"), "label"),
        ("R5.8-7", "ground", shap(1, b"\2\2\4", four), "label"),
        ("R5.8-8", "three", shap(1, b"\2\2\0", b"\2\2\2\0"), "pixels that shape 0 paints"),
        ("R5.8-8", "nothing", shap(1, b"\2\2\2", four), "pixels that shape 0 paints"),
    ]:
        add(rule, name, shaped(tile, shap=part), "SHAP", field)


def add_placements(add: Add) -> None:
    """Add files that break rules of placements."""
    rest = copied()
    field = "placements of tile 0"
    inside = f"upper left pixel of {field}"
    for rule, name, part, where in [
        ("R5.9-1", "eight", placed(*[(2, 0, 0)] * 8), f"number of {field}"),
        ("R5.9-1", "4-GiB", placed((2, 0, 0), count=2**32 - 1), f"number of {field}"),
        ("R5.9-2", "shape-1", placed((2, 0, 1)), "shape in tile 0"),
        ("R5.9-2", "shape-65535", placed((2, 0, 65535)), "shape in tile 0"),
        ("R5.9-3", "above", placed((1, 0, 0)), inside),
        ("R5.9-3", "below", placed((7, 0, 0)), inside),
        ("R5.9-3", "right", placed((2, 6, 0)), inside),
        ("R5.9-3", "left", placed((2, 0, 0), (0, 65533, 0)), inside),
        ("R5.9-4", "right", placed((2, 5, 0)), field),
        ("R5.9-4", "below", placed((6, 0, 0)), field),
        ("R5.9-5", "same-place", placed((2, 1, 0), (0, 65534, 0)), "pixels painted"),
        ("R5.9-5", "one-pixel", placed((2, 0, 0), (1, 1, 0)), "pixels painted"),
    ]:
        add(rule, name, shaped(part + rest), "LABL", where)
    halves = copied(bytes(6))
    apart = placed((2, 2, 0)) + halves, ONE + halves
    add("R5.9-5", "across-tiles", shaped(*apart, tile=(3, 5)), "LABL", "pixels painted")
    unused = shaped(bytes(4) + rest)
    add("R5.9-6", "no-placement", unused, "SHAP", "placements of shape 0")
    two = shap(2, b"\2\2\2\2\0\0", b"\2" * 8)
    add("R5.9-6", "second-shape", shaped(ONE + rest, shap=two), "SHAP", "placements of shape 1")


def add_prediction(add: Add) -> None:
    """Add files that break rules of section 7."""
    for predictor, payload in {
        NONE: stored(bytes(30)),
        COPY: copied(),
        PACKED: stored(bytes(12)),
    }.items():
        data = file(predictor, payload, before=RANK)
        add("R7.3-6", f"RANK-predictor-{predictor}", data, "RANK", "count")
    ranked = file(layout(COPY, ranked=True), before=RANK)
    add("R7.3-6", "RANK-copy-ranked", ranked, "RANK", "count")
    for name, codes in {
        "second-row": bytes(11) + b"\4",
        "last-row": bytes(6) + b"\x40" + bytes(5),
        "new": bytes(11) + b"\x0c",
    }.items():
        add("R7.4-2", name, file(COPY, copied(codes)), "LABL", "codes beyond tile 0")
    for name, labels in {
        "second-row": bytes(11) + b"\4",
        "last-row": bytes(6) + b"\x80" + bytes(5),
    }.items():
        add("R7.5-2", name, file(PACKED, stored(labels)), "LABL", "labels beyond tile 0")
    one = chunk(b"CODE", b"\7")
    data = file(PACKED, stored(b"\1" + bytes(5)), last_label=0, code=one)
    add("R7.5-3", "one-colour", data, "LABL", "label in tile 0")
    few = chunk(b"CODE", b"\0\7")
    data = file(PACKED, stored(b"\x20" + bytes(5)), last_label=1, code=few)
    add("R7.5-2", "one-bit", data, "LABL", "labels beyond tile 0")
