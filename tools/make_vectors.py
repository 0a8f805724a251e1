"""Make the test vectors of spec/kqf-1.md, from explicit bytes and without kqf.

    python tools/make_vectors.py            writes spec/vectors/
    python tools/make_vectors.py --check    exits with 1 unless that would change nothing

Files in ``valid`` are named by the section that they show, files in ``invalid`` by the rule that
they break; all else in them is right. ``manifest.json`` says what a decoder gives: for ``valid``
the pixels, for ``invalid`` the kind of section 10 of the specification, and the class, chunk and
field of the error that kqf raises.
"""

import argparse
import hashlib
import json
import struct
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "spec" / "vectors"
SIGNATURE = bytes.fromhex("89 4B 51 46 0D 0A 1A 0A")
MAX_SIDE = 2**31 - 1
MAX_CHUNK = 16 * 2**20
# Pixels up to which the manifest holds labels as they are, not only their digest.
LITERAL_PIXELS = 64

Labels = list[list[int]]
Codebook = list[tuple[int, ...]]
Box = tuple[int, int]


# Streams (section 8).


def wrapped(
    deflated: bytes, data: bytes, *, cinfo: int = 7, flevel: int = 0, cm: int = 8, fdict: int = 0
) -> bytes:
    """Return deflated data between a zlib header and the Adler-32 of ``data``."""
    cmf = cinfo << 4 | cm
    flg = flevel << 6 | fdict << 5
    flg += -(cmf << 8 | flg) % 31
    return bytes([cmf, flg]) + deflated + struct.pack(">I", zlib.adler32(data))


def stored_block(data: bytes, final: bool = True) -> bytes:
    return bytes([final]) + struct.pack("<HH", len(data), len(data) ^ 0xFFFF) + data


def stored(data: bytes, block: int = 65535, **header: int) -> bytes:
    """Return a stream of stored blocks of at most ``block`` bytes."""
    starts = range(0, max(len(data), 1), block)
    blocks = [stored_block(data[at : at + block], at == starts[-1]) for at in starts]
    return wrapped(b"".join(blocks), data, **header)


class Bits:
    """Bits in deflate's order: fields from their lowest bit on, codes from their highest."""

    def __init__(self) -> None:
        self.bits: list[int] = []

    def field(self, value: int, count: int) -> "Bits":
        self.bits += [value >> at & 1 for at in range(count)]
        return self

    def code(self, digits: str) -> "Bits":
        self.bits += [int(digit) for digit in digits]
        return self

    def bytes(self) -> bytes:
        padded = self.bits + [0] * (-len(self.bits) % 8)
        octets = [padded[at : at + 8] for at in range(0, len(padded), 8)]
        return bytes(sum(bit << at for at, bit in enumerate(octet)) for octet in octets)


def fixed_code(symbol: int) -> str:
    """Return the fixed Huffman code of a literal or length symbol (RFC 1951, 3.2.6)."""
    if symbol < 144:
        return f"{0b00110000 + symbol:08b}"
    if symbol < 256:
        return f"{0b110010000 + symbol - 144:09b}"
    if symbol < 280:
        return f"{symbol - 256:07b}"
    return f"{0b11000000 + symbol - 280:08b}"


def fixed_block(symbols: Sequence[int | str]) -> bytes:
    """Return one final block of fixed codes; a string in ``symbols`` is bits as they are."""
    bits = Bits().field(1, 1).field(1, 2)
    for symbol in [*symbols, 256]:
        bits.code(symbol if isinstance(symbol, str) else fixed_code(symbol))
    return bits.bytes()


def fixed(data: bytes, **header: int) -> bytes:
    """Return a stream of one block of fixed codes, runs of 258 as matches at distance 1."""
    symbols: list[int | str] = []
    at = 0
    while at < len(data):
        if at and data[at : at + 258] == data[at - 1 : at] * 258:
            symbols += [285, "00000"]
            at += 258
        else:
            symbols.append(data[at])
            at += 1
    return wrapped(fixed_block(symbols), data, **header)


def flat(size: int) -> bytes:
    """Return a stream of ``size`` zero bytes in one dynamic block: 258 of them take two bits."""
    bits = Bits().field(1, 1).field(2, 2)
    bits.field(286 - 257, 5).field(0, 5).field(18 - 4, 4)
    for length in [0, 0, 1, *[0] * 12, 2, 0, 2]:  # of the codes for 18, 2 and 1: 0, 11 and 10
        bits.field(length, 3)
    bits.code("11")  # 0: 2 bits
    bits.code("0").field(138 - 11, 7).code("0").field(117 - 11, 7)  # 1 to 255: none
    bits.code("11").code("0").field(28 - 11, 7)  # 256: 2 bits; 257 to 284: none
    bits.code("10").code("10")  # 285, and the only distance: 1 bit
    runs, rest = divmod(size - 1, 258)
    bits.code("10" * (1 + rest) + "00" * runs + "11")
    return wrapped(bits.bytes(), bytes(size))


# Symbols (section 7).


def rankings(codebook: Codebook, lists: Sequence[Sequence[int]]) -> Labels:
    """Return the ranking of each context."""
    result = []
    for context, listed in enumerate(lists):

        def distance(label: int, context: int = context) -> int:
            pairs = zip(codebook[label], codebook[context], strict=True)
            return sum((a - b) ** 2 for a, b in pairs)

        others = [label for label in range(len(codebook)) if label not in listed]
        others.sort(key=lambda label: (distance(label), label))
        result.append([*listed, *others])
    return result


def symbols_of(tile: Labels, predictor: int, order: Labels) -> bytes:
    """Return the symbols of one tile."""
    if not predictor:
        return bytes(label for row in tile for label in row)
    result = bytearray()
    for y, row in enumerate(tile):
        for x, label in enumerate(row):
            inside, left, up = (x, x - 1, y) if predictor == 1 else (y, x, y - 1)
            context = tile[up][left] if inside else 0
            result.append(order[context].index(label))
    return bytes(result)


def cut(labels: Labels, tile: Box) -> list[Labels]:
    """Return the tiles of an image, row by row."""
    width, height = tile
    return [
        [row[x : x + width] for row in labels[y : y + height]]
        for y in range(0, len(labels), height)
        for x in range(0, len(labels[0]), width)
    ]


def table(lists: Sequence[Sequence[int]]) -> bytes:
    """Return the payload of RANK, inflated."""
    return b"".join(bytes([len(listed), *listed]) for listed in lists)


# Chunks (section 4).


def chunk(kind: bytes, payload: bytes, *, length: int | None = None, crc: int = 0) -> bytes:
    """Return one chunk; ``length`` to state another one, ``crc`` to falsify bits of the CRC."""
    stated = len(payload) if length is None else length
    found = zlib.crc32(kind + payload) ^ crc
    return struct.pack(">I", stated) + kind + payload + struct.pack(">I", found)


def head_payload(
    size: Box,
    tile: Box | None = None,
    *,
    version: int = 1,
    channels: int = 1,
    last_label: int = 3,
    predictor: int = 0,
) -> bytes:
    return struct.pack(">4I4B", *size, *(tile or size), version, channels, last_label, predictor)


DONE = chunk(b"DONE", b"")


# Valid files.


@dataclass
class Valid:
    """One valid file, and what it decodes to."""

    name: str
    labels: Labels
    codebook: Codebook
    predictor: int = 0
    tile: Box | None = None
    lists: Sequence[Sequence[int]] | None = None
    index: bool = False
    rank_last: bool = False
    before: bytes = b""
    metadata: dict[str, object] = field(default_factory=dict)
    pack: Callable[[bytes], bytes] = stored

    @property
    def size(self) -> Box:
        return len(self.labels[0]), len(self.labels)

    def data(self) -> bytes:
        tile = self.tile or self.size
        lists = self.lists or [[]] * len(self.codebook)
        order = rankings(self.codebook, lists) if self.predictor else []
        streams = [
            self.pack(symbols_of(part, self.predictor, order)) for part in cut(self.labels, tile)
        ]
        head = head_payload(
            self.size,
            tile,
            channels=len(self.codebook[0]),
            last_label=len(self.codebook) - 1,
            predictor=self.predictor,
        )
        parts = [SIGNATURE, chunk(b"HEAD", head)]
        parts.append(chunk(b"CODE", bytes(sample for entry in self.codebook for sample in entry)))
        prologue = [chunk(kind.encode(), raw(value)) for kind, value in self.metadata.items()]
        if self.predictor:
            place = len(prologue) if self.rank_last else 0
            prologue.insert(place, chunk(b"RANK", self.pack(table(lists))))
        parts += [*prologue, self.before]
        if self.index:
            lengths = [len(stream) for stream in streams]
            parts.append(chunk(b"tidx", struct.pack(f">{len(lengths)}I", *lengths)))
        parts += [chunk(b"LABL", stream) for stream in streams]
        return b"".join([*parts, DONE])

    def entry(self) -> dict[str, object]:
        width, height = self.size
        tile = self.tile or self.size
        labels = bytes(label for row in self.labels for label in row)
        entries = [bytes(entry) for entry in self.codebook]
        pixels = b"".join(entries[label] for label in labels)
        result = {
            "sha256": digest(self.data()),
            "width": width,
            "height": height,
            "tile_width": tile[0],
            "tile_height": tile[1],
            "channels": len(self.codebook[0]),
            "predictor": self.predictor,
            "codebook": b"".join(entries).hex(),
            "labels_sha256": digest(labels),
            "pixels_sha256": digest(pixels),
            "metadata": {
                kind: value.hex() if isinstance(value, bytes) else value
                for kind, value in self.metadata.items()
            },
        }
        if len(labels) <= LITERAL_PIXELS:
            result["labels"] = self.labels
            result["pixels"] = pixels.hex()
        return result


def raw(value: object) -> bytes:
    """Return the payload of a metadata chunk."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, list):
        return struct.pack(">3I", *value)
    assert isinstance(value, bytes)
    return value


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pattern(width: int, height: int, colors: int) -> Labels:
    """Return labels with runs, jumps and every colour that fits."""
    return [
        [(x // 2 * 3 + y * 5 + (x * y) // 3) % colors for x in range(width)] for y in range(height)
    ]


def counting(width: int, height: int, colors: int) -> Labels:
    """Return labels that count up row by row."""
    return [[(y * width + x) % colors for x in range(width)] for y in range(height)]


def spread(colors: int, channels: int) -> Codebook:
    """Return distinct entries in no order of brightness."""
    steps = (97, 61, 29, 13)
    return [tuple((7 + k * step) % 256 for step in steps[:channels]) for k in range(colors)]


def cycles(colors: int, count: int) -> Labels:
    """Return lists of ``count`` labels for each context, none the order of distances."""
    return [
        [(context * 3 + 1 + at * 5) % colors for at in range(count)] for context in range(colors)
    ]


# A block of dynamic codes for DYNAMIC_SYMBOLS, as one encoder happened to write it.
DYNAMIC_SYMBOLS = bytes(label for row in pattern(16, 12, 7) for label in row)
DYNAMIC_STREAM = bytes.fromhex(
    "78da558e410e04310cc22081fcffc9e36a4fabaa2d767240dabd9b69ed44e227c338fceeca814f1b"
    "bb67128ced611ef1c3244cd3edc0c6c8ace7ff609991d8cb45d561264b3ebf32e59d42632c57af5e"
    "7eb379b55ebd8e5fe57ed9780244"
)

ICC = bytes(range(128)) * 2
EXIF = bytes.fromhex("4D4D002A00000008 0001 0112 0003 00000001 0001 0000 00000000")
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'
TEXT = "Grüße, \N{SNOWMAN} and \N{GRINNING FACE}\n"
PHYS = [300, 150, 25400]
EVERY_METADATA: dict[str, object] = {
    "iccp": ICC,
    "exif": EXIF,
    "xmp ": XMP,
    "phys": PHYS,
    "text": TEXT,
}

GRAY4 = [(0,), (85,), (170,), (255,)]
SMALL = [[0, 1, 2], [3, 2, 0]]
TILED = {"labels": pattern(7, 5, 6), "tile": (3, 2)}


def valid_files() -> list[Valid]:
    def small(name: str, **changes: object) -> Valid:
        return Valid(**{"name": name, "labels": SMALL, "codebook": GRAY4} | changes)

    example = Valid(
        "A_example",
        [[0, 1, 1], [2, 0, 1]],
        [(255, 255, 255), (200, 30, 40), (20, 60, 200)],
        predictor=1,
        tile=(2, 2),
        lists=[[1], [], [0]],
        index=True,
    )
    names = {1: "gray", 2: "gray-alpha", 3: "rgb", 4: "rgba"}
    every_kind = [
        Valid(
            f"5.3_{names[channels]}-predictor-{predictor}",
            pattern(7, 5, 6),
            spread(6, channels),
            predictor=predictor,
            tile=(3, 2),
            lists=cycles(6, 2),
        )
        for channels in names
        for predictor in range(3)
    ]
    sizes = [
        Valid("5.1_one-pixel", [[0]], [(9, 8, 7)]),
        Valid("5.1_one-pixel-left", [[1]], spread(2, 3), predictor=1),
        Valid("5.1_one-row", pattern(23, 1, 5), spread(5, 3), predictor=1),
        Valid("5.1_one-row-up", pattern(23, 1, 5), spread(5, 3), predictor=2, tile=(4, 4)),
        Valid("5.1_one-column", pattern(1, 23, 5), spread(5, 3), predictor=2),
        Valid("5.1_one-column-left", pattern(1, 23, 5), spread(5, 3), predictor=1, tile=(1, 5)),
        Valid("5.1_no-common-sides", pattern(31, 17, 9), spread(9, 3), tile=(8, 8), pack=fixed),
        Valid("5.2_one-colour", [[0] * 5] * 4, [(1, 2, 3)]),
        Valid("5.2_one-colour-left", [[0] * 5] * 4, [(1, 2, 3, 0)], predictor=1, tile=(2, 3)),
        Valid("5.2_two-colours", pattern(9, 6, 2), [(0,), (255,)], predictor=2),
        Valid("5.2_255-colours", counting(16, 16, 255), spread(255, 3), predictor=1),
        Valid("5.2_256-colours", counting(16, 16, 256), spread(256, 3)),
        Valid("5.2_256-colours-left", counting(16, 17, 256), spread(256, 3), predictor=1),
        Valid(
            "5.2_256-colours-up-ranks",
            counting(16, 17, 256),
            spread(256, 4),
            predictor=2,
            lists=cycles(256, 3),
            tile=(6, 7),
        ),
        small("5.2_unused-entries", labels=[[5, 5], [9, 5]], codebook=spread(12, 3), predictor=1),
        small("5.2_equal-entries", codebook=[(7,), (9,), (7,), (7,)], predictor=1),
        small("5.3_alpha-apart", codebook=[(9, 9, 9, a) for a in (0, 255, 1, 254)], predictor=2),
        Valid("5.4_tiles-of-one-pixel", tile=(1, 1), labels=SMALL, codebook=GRAY4, predictor=1),
        Valid("5.4_tile-larger", SMALL, GRAY4, predictor=2, tile=(40, 50)),
        Valid("5.4_tile-largest", SMALL, GRAY4, predictor=1, tile=(MAX_SIDE, MAX_SIDE)),
        Valid("5.4_tile-wide-and-low", pattern(9, 7, 4), GRAY4, predictor=1, tile=(99, 2)),
        Valid("5.4_tile-narrow-and-tall", pattern(9, 7, 4), GRAY4, predictor=2, tile=(2, 99)),
        Valid("5.4_no-cut", pattern(12, 8, 4), GRAY4, predictor=1, tile=(4, 4)),
    ]
    ancillary = [
        small("6.1_iccp", metadata={"iccp": ICC}),
        small("6.2_exif", metadata={"exif": EXIF}),
        small("6.3_xmp", metadata={"xmp ": XMP}),
        small("6.4_phys", metadata={"phys": PHYS}),
        small("6.4_phys-one", metadata={"phys": [1, 1, 1]}),
        small("6.4_phys-largest", metadata={"phys": [2**32 - 1] * 3}),
        small("6.5_text", metadata={"text": TEXT}),
        small("6_one-byte-each", metadata={"iccp": b"\0", "exif": b"\0", "xmp ": b"\0"}),
        small("6_all", metadata=EVERY_METADATA, predictor=1, **TILED, codebook=spread(6, 3)),
        small(
            "4.4_prologue-in-another-order",
            metadata=dict(reversed(EVERY_METADATA.items())),
            **TILED,
            codebook=spread(6, 3),
            index=True,
        ),
        Valid("6.6_tidx", **TILED, codebook=spread(6, 3), index=True, predictor=2, pack=fixed),
        small("6.6_tidx-one-tile", index=True),
        small("4.3_unknown-chunk", before=chunk(b"abCD", b"of no concern")),
        small("4.3_unknown-chunk-digits-and-spaces", before=chunk(b"z9 0", b"\0")),
        small("4.4_unknown-chunk-repeated", before=chunk(b"abcd", b"1") + chunk(b"abcd", b"2")),
        small("4.3_unknown-chunk-empty", before=chunk(b"abcd", b"")),
        small("4.4_prologue-of-1024-chunks", before=chunk(b"abcd", b"") * 1024),
        small("4.4_RANK-last", metadata={"text": TEXT}, predictor=2, rank_last=True),
    ]
    equidistant = [(0,), (10,), (20,), (30,), (40,), (10,)]
    ranks = [
        Valid("7.2_ties", pattern(11, 7, 6), equidistant, predictor=1),
        Valid("7.2_ties-up", pattern(11, 7, 6), equidistant, predictor=2, tile=(4, 4)),
        Valid("7.2_all-equal", pattern(8, 8, 8), [(5, 5, 5)] * 8, predictor=1),
        Valid("7.2_farthest", SMALL, [(0,) * 4, (255,) * 4, (0,) * 4, (1,) * 4], predictor=1),
        Valid("7.3_lists-empty", pattern(8, 8, 4), GRAY4, predictor=1, lists=[[]] * 4),
        Valid("7.3_lists-uneven", pattern(8, 8, 4), GRAY4, 1, lists=[[3, 1], [], [2], [0, 3, 1]]),
        Valid("7.3_lists-full", pattern(8, 8, 4), GRAY4, 2, lists=cycles(4, 4)),
        Valid(
            "7.3_lists-of-255",
            counting(20, 15, 256),
            spread(256, 1),
            predictor=1,
            lists=[[(context + 1 + at * 3) % 256 for at in range(255)] for context in range(256)],
        ),
        Valid("7.3_RANK-of-one-entry", [[0, 0]], [(4, 5)], predictor=1, lists=[[0]]),
    ]
    symbols = [list(DYNAMIC_SYMBOLS[at : at + 16]) for at in range(0, len(DYNAMIC_SYMBOLS), 16)]
    steps = [[(x + y) // 16 % 3 for x in range(64)] for y in range(64)]
    streams = [
        small("8_stored", pack=stored),
        small("8_stored-in-blocks", pack=lambda data: stored(data, 2)),
        small("8_fixed", pack=fixed, predictor=1),
        Valid("8_fixed-with-matches", [[3] * 40] * 30, GRAY4, pack=fixed),
        Valid("8_fixed-long-codes", counting(16, 16, 256), spread(256, 3), pack=fixed),
        Valid("8_dynamic", symbols, spread(7, 3), pack=lambda _: DYNAMIC_STREAM),
        Valid("8_flat", [[0] * 256] * 1024, [(200, 100, 0)], pack=lambda data: flat(len(data))),
        Valid(
            "8_flat-largest-ratio",
            [[0] * 1032] * 1000,
            [(1,)],
            tile=(1032, 500),
            pack=lambda data: flat(len(data)),
        ),
        Valid("8_matches-far-back", steps * 2, GRAY4, pack=far_back),
        small("8_stored-and-fixed-blocks", pack=mixed),
        small("8_empty-blocks", pack=lambda data: padded(data, 3)),
        small("8_window-256", pack=lambda data: stored(data, cinfo=0)),
        small("8_window-512", pack=lambda data: fixed(data, cinfo=1)),
        small("8_flevel-3", pack=lambda data: stored(data, flevel=3)),
        Valid("8_64x64", steps, GRAY4, predictor=2, tile=(32, 64), index=True, pack=fixed),
    ]
    return [example, *every_kind, *sizes, *ancillary, *ranks, *streams]


def padded(data: bytes, count: int) -> bytes:
    """Return a stream of one stored block after ``count`` empty ones."""
    return wrapped(stored_block(b"", False) * count + stored_block(data), data)


def mixed(data: bytes) -> bytes:
    """Return a stream of a stored block and a block of fixed codes."""
    half = len(data) // 2
    return wrapped(stored_block(data[:half], False) + fixed_block(data[half:]), data)


def far_back(data: bytes) -> bytes:
    """Return a stream whose second half copies the first from 4096 bytes back, 256 at a time."""
    half = len(data) // 2
    assert data == data[:half] * 2
    assert half == 4096
    # Length 256 is code 284 with 29 in 5 bits; distance 4096 is code 23 with 1023 in 10 bits.
    match = [fixed_code(284) + "10111" + f"{23:05b}" + "1" * 10]
    return wrapped(
        stored_block(data[:half], False) + fixed_block(match * (half // 256)),
        data,
    )


# Invalid files.


@dataclass
class Invalid:
    """One file that breaks one rule."""

    rule: str
    name: str
    data: bytes
    error: str
    chunk: str
    field: str

    @property
    def file(self) -> str:
        return f"{self.rule}_{self.name}"

    def entry(self) -> dict[str, object]:
        kinds = {"FormatError": "wrong", "TruncatedError": "truncated"}
        return {
            "sha256": digest(self.data),
            "rule": self.rule,
            "kind": kinds.get(self.error, "unsupported"),
            "error": self.error,
            "chunk": self.chunk,
            "field": self.field,
        }


SYMBOLS = bytes(label for row in SMALL for label in row)
HEAD = chunk(b"HEAD", head_payload((3, 2)))
CODE = chunk(b"CODE", bytes([0, 85, 170, 255]))
LABL = chunk(b"LABL", stored(SYMBOLS))
TEXT_CHUNK = chunk(b"text", b"hello")
RANK = chunk(b"RANK", stored(bytes(4)))


def whole(
    *,
    head: bytes = HEAD,
    code: bytes = CODE,
    before: bytes = b"",
    tiles: bytes = LABL,
    end: bytes = DONE,
) -> bytes:
    """Return a small gray file, changed in places."""
    return SIGNATURE + head + code + before + tiles + end


def ranked(
    rank: bytes = RANK, *, predictor: int = 1, symbols: bytes = bytes(6), before: bytes = b""
) -> bytes:
    """Return a small gray file with a predictor: by its empty lists, symbols 0 are labels 0."""
    head = chunk(b"HEAD", head_payload((3, 2), predictor=predictor))
    return whole(head=head, before=rank + before, tiles=chunk(b"LABL", stored(symbols)))


def tiled(
    streams: Sequence[bytes], *, before: bytes = b"", between: bytes = b"", end: bytes = DONE
) -> bytes:
    """Return a gray file of 3 x 4 pixels in two tiles of 3 x 2."""
    head = chunk(b"HEAD", head_payload((3, 4), (3, 2)))
    labels = [chunk(b"LABL", stream) for stream in streams]
    return whole(head=head, before=before, tiles=between.join(labels), end=end)


def invalid_files() -> list[Invalid]:
    files: list[Invalid] = []

    def add(
        rule: str, name: str, data: bytes, chunk: str, field: str, error: str = "FormatError"
    ) -> None:
        files.append(Invalid(rule, name, data, error, chunk, field))

    add_structure(add)
    add_image(add)
    add_ancillary(add)
    add_ranking(add)
    add_streams(add)
    return files


Add = Callable[..., None]
TRUNCATED = "TruncatedError"
UNSUPPORTED = "UnsupportedError"


def add_structure(add: Add) -> None:
    """Add files that break rules of section 4."""
    good = whole()
    for name, signature in {
        "other-first-byte": b"\x88KQF\r\n\x1a\n",
        "seven-bit": b"\x09KQF\r\n\x1a\n",
        "crlf-to-lf": b"\x89KQF\n\x1a\n",
        "lf-to-crlf": b"\x89KQF\r\r\n\x1a\r\n",
        "crlf-to-cr": b"\x89KQF\r\x1a\r",
        "lf-to-cr": b"\x89KQF\r\r\x1a\r",
        "lower-case": b"\x89kqf\r\n\x1a\n",
        "png": b"\x89PNG\r\n\x1a\n",
    }.items():
        add("R4.1-1", name, signature + good[8:], "file", "signature")
    add("R4.1-1", "missing", good[8:], "file", "signature")
    add("R4.1-1", "empty-file", b"", "file", "signature", TRUNCATED)
    add("R4.1-1", "cut-short", SIGNATURE[:5], "file", "signature", TRUNCATED)

    with_text = whole(before=TEXT_CHUNK)
    text_at = with_text.index(TEXT_CHUNK)
    with_rank = ranked()
    rank_at = with_rank.index(b"RANK") + 4
    for name, data, where, what in [
        ("end-after-signature", good[:8], "file", "chunk head"),
        ("end-in-HEAD-length", good[:10], "file", "chunk head"),
        ("end-in-HEAD-type", good[:14], "file", "chunk head"),
        ("end-in-HEAD", good[:30], "HEAD", "payload"),
        ("end-in-HEAD-crc", good[:38], "HEAD", "crc"),
        ("end-before-CODE", good[:40], "file", "chunk head"),
        ("end-in-CODE", good[:50], "CODE", "payload"),
        ("end-in-text", with_text[: text_at + 10], "text", "payload"),
        ("end-in-text-crc", with_text[: text_at + 14], "text", "crc"),
        ("end-in-RANK", with_rank[: rank_at + 9], "RANK", "payload"),
        ("end-before-LABL", good[: 40 + 16], "file", "chunk head"),
        ("end-in-LABL", good[:-12][:-6], "LABL", "payload"),
        ("end-in-LABL-crc", good[:-12][:-1], "LABL", "crc"),
        ("end-before-DONE", good[:-12], "file", "chunk head"),
        ("end-in-DONE-head", good[:-6], "file", "chunk head"),
        ("end-in-DONE-crc", good[:-1], "DONE", "crc"),
        (
            "length-beyond-the-end",
            whole(before=chunk(b"text", b"x", length=999)),
            "text",
            "payload",
        ),
        (
            "LABL-length-4-GiB",
            whole(tiles=chunk(b"LABL", stored(SYMBOLS), length=2**32 - 1)),
            "LABL",
            "payload",
        ),
    ]:
        add("R4.2-2", name, data, where, what, TRUNCATED)

    bad = {"crc": 1 << 17}
    head = head_payload((3, 2))
    add("R4.2-3", "HEAD", whole(head=chunk(b"HEAD", head, **bad)), "HEAD", "crc")
    add("R4.2-3", "CODE", whole(code=chunk(b"CODE", CODE[8:-4], **bad)), "CODE", "crc")
    add("R4.2-3", "RANK", ranked(chunk(b"RANK", RANK[8:-4], **bad)), "RANK", "crc")
    for kind, value in EVERY_METADATA.items():
        data = whole(before=chunk(kind.encode(), raw(value), **bad))
        add("R4.2-3", kind.strip(), data, kind, "crc")
    index = struct.pack(">I", len(LABL) - 12)
    add("R4.2-3", "tidx", whole(before=chunk(b"tidx", index, **bad)), "tidx", "crc")
    add("R4.2-3", "unknown", whole(before=chunk(b"abcd", b"x", **bad)), "abcd", "crc")
    add("R4.2-3", "LABL", whole(tiles=chunk(b"LABL", stored(SYMBOLS), **bad)), "LABL", "crc")
    add("R4.2-3", "DONE", whole(end=chunk(b"DONE", b"", **bad)), "DONE", "crc")
    without_type = TEXT_CHUNK[:-4] + struct.pack(">I", zlib.crc32(b"hello"))
    add("R4.2-3", "of-payload-alone", whole(before=without_type), "text", "crc")
    with_length = TEXT_CHUNK[:-4] + struct.pack(">I", zlib.crc32(TEXT_CHUNK[:-4]))
    add("R4.2-3", "of-length-too", whole(before=with_length), "text", "crc")
    swapped = TEXT_CHUNK[:-4] + TEXT_CHUNK[:-5:-1]
    add("R4.2-3", "low-byte-first", whole(before=swapped), "text", "crc")

    for name, kind in {
        "digit-first": b"1abc",
        "space-first": b" abc",
        "nul-first": b"\0abc",
        "high-byte-first": b"\xe9abc",
        "underscore": b"ab_c",
        "nul-last": b"abc\0",
        "high-byte": b"ab\xb5c",
        "high-digit": b"ab\xb2c",
        "newline": b"abc\n",
    }.items():
        add("R4.3-1", name, whole(before=chunk(kind, b"x")), "file", "chunk type")

    for kind in (b"ABCD", b"Anim", b"Rank", b"Z 12"):
        name = kind.decode().replace(" ", "-")
        data = whole(before=chunk(kind, b"x"))
        add("R4.3-2", name, data, "file", "critical chunk", UNSUPPORTED)

    order = "file", "chunk order"
    add("R4.4-1", "CODE-before-HEAD", whole(head=CODE, code=HEAD), *order)
    add("R4.4-1", "no-HEAD", whole(head=b""), *order)
    add("R4.4-1", "no-CODE", whole(code=b""), *order)
    add("R4.4-1", "text-before-HEAD", whole(head=TEXT_CHUNK + HEAD), *order)
    add("R4.4-1", "text-before-CODE", whole(head=HEAD + TEXT_CHUNK), *order)
    add("R4.4-1", "two-HEAD", whole(head=HEAD * 2), *order)
    add("R4.4-1", "two-CODE", whole(code=CODE * 2), *order)
    add("R4.4-1", "HEAD-in-prologue", whole(before=TEXT_CHUNK + HEAD), *order)
    many = chunk(b"abcd", b"") * 1025
    add("R4.4-2", "prologue-of-1025-chunks", whole(before=many), "file", "chunks before LABL")
    two = [stored(SYMBOLS)] * 2
    index = chunk(b"tidx", struct.pack(">2I", *map(len, two)))
    for name, between in {
        "text": TEXT_CHUNK,
        "tidx": index,
        "unknown": chunk(b"abcd", b"x"),
        "unknown-critical": chunk(b"ABCD", b"x"),
        "CODE": CODE,
    }.items():
        add("R4.4-3", f"{name}-among-LABL", tiled(two, between=between), *order)
    add("R4.4-4", "text-before-DONE", whole(end=TEXT_CHUNK + DONE), *order)
    add("R4.4-4", "unknown-before-DONE", whole(end=chunk(b"abcd", b"") + DONE), *order)
    add("R4.4-4", "one-LABL-too-many", whole(tiles=LABL * 2), *order)
    add("R4.4-4", "DONE-before-LABL", whole(before=DONE), *order)
    rank_late = ranked(b"").removesuffix(DONE) + RANK + DONE
    end = "file", "end"
    add("R4.4-5", "one-byte-after-DONE", whole(end=DONE + b"\0"), *end)
    add("R4.4-5", "newline-after-DONE", whole(end=DONE + b"\r\n"), *end)
    add("R4.4-5", "two-DONE", whole(end=DONE * 2), *end)
    add("R4.4-5", "text-after-DONE", whole(end=DONE + TEXT_CHUNK), *end)
    add("R4.4-5", "two-files", good * 2, *end)
    add("R4.4-6", "two-RANK", ranked(RANK * 2), "RANK", "count")
    add("R4.4-6", "two-RANK-apart", ranked(RANK + TEXT_CHUNK + RANK), "RANK", "count")
    for kind, value in EVERY_METADATA.items():
        data = whole(before=chunk(kind.encode(), raw(value)) * 2)
        add("R4.4-6", f"two-{kind.strip()}", data, kind, "count")
    add("R4.4-6", "two-tidx", tiled(two, before=index * 2), "tidx", "count")
    add("R7.3-1", "RANK-after-LABL", rank_late, "RANK", "count")


def add_image(add: Add) -> None:
    """Add files that break rules of section 5."""
    good = head_payload((3, 2))
    for name, payload in {
        "short": good[:-1],
        "long": good + b"\0",
        "empty": b"",
    }.items():
        add("R5.1-1", name, whole(head=chunk(b"HEAD", payload)), "HEAD", "length")
    for place, name in enumerate(("width", "height", "tile_width", "tile_height")):
        for value in (0, 2**31, 2**32 - 1):
            sides = [3, 2, 3, 2]
            sides[place] = value
            payload = head_payload((sides[0], sides[1]), (sides[2], sides[3]))
            add("R5.1-2", f"{name}-{value}", whole(head=chunk(b"HEAD", payload)), "HEAD", name)
    for name, value in [
        ("version", 0),
        ("version", 2),
        ("version", 255),
        ("channels", 0),
        ("channels", 5),
        ("predictor", 3),
        ("predictor", 255),
    ]:
        payload = head_payload((3, 2), **{name: value})
        error = UNSUPPORTED if name == "version" else "FormatError"
        add("R5.1-2", f"{name}-{value}", whole(head=chunk(b"HEAD", payload)), "HEAD", name, error)
    for name, payload in {
        "empty": b"",
        "one-entry-short": bytes([0, 85, 170]),
        "one-entry-long": bytes([0, 85, 170, 255, 255]),
        "three-channels": bytes(12),
    }.items():
        add("R5.2-1", name, whole(code=chunk(b"CODE", payload)), "CODE", "length")
    part_entry = chunk(b"HEAD", head_payload((3, 2), channels=3)), chunk(b"CODE", bytes(11))
    add("R5.2-1", "part-of-entry", whole(head=part_entry[0], code=part_entry[1]), "CODE", "length")

    stream = stored(SYMBOLS)
    roomy = padded(SYMBOLS, 8)
    add("R5.5-1", "no-LABL", whole(tiles=b"", end=DONE), "file", "chunk order")
    add("R5.5-1", "one-LABL-too-few", tiled([roomy]), "file", "chunk order")
    for name, size, tile in [
        ("largest-image-in-one-tile", (MAX_SIDE, MAX_SIDE), (MAX_SIDE, MAX_SIDE)),
        ("largest-image-in-tiles-of-one-pixel", (MAX_SIDE, MAX_SIDE), (1, 1)),
        ("largest-image-in-columns", (MAX_SIDE, MAX_SIDE), (1, MAX_SIDE)),
        ("largest-image-in-rows", (MAX_SIDE, MAX_SIDE), (MAX_SIDE, 1)),
        ("one-row-in-tiles-of-one-pixel", (MAX_SIDE, 1), (1, 1)),
        ("large-image-in-one-tile", (10_000, 10_000), (10_000, 10_000)),
        ("large-image-in-tiles-of-one-pixel", (10_000, 10_000), (1, 1)),
        ("two-tiles-in-bytes-for-one", (6, 2), (3, 2)),
    ]:
        data = whole(head=chunk(b"HEAD", head_payload(size, tile)))
        add("R5.5-1", name, data, "LABL", "count", TRUNCATED)

    short = "LABL", "inflated size of tile 0"
    long = "LABL", "inflated size"
    for name, symbols, error in [
        ("one-byte-short", SYMBOLS[:-1], short),
        ("one-row-short", SYMBOLS[:3], short),
        ("one-byte-long", SYMBOLS + b"\0", long),
        ("one-row-long", SYMBOLS + bytes(3), long),
    ]:
        add("R5.5-2", name, whole(tiles=chunk(b"LABL", stored(symbols))), *error)
    add("R5.5-2", "bomb", whole(tiles=chunk(b"LABL", flat(2**20))), *long)
    second = tiled([stream, stored(SYMBOLS[:-1])])
    add("R5.5-2", "second-tile-short", second, "LABL", "inflated size of tile 1")
    nothing = whole(tiles=chunk(b"LABL", padded(b"", 4)))
    add("R5.5-2", "inflates-to-nothing", nothing, *short)
    head = chunk(b"HEAD", head_payload((200, 200), (200, 100)))
    labels = [chunk(b"LABL", pack) for pack in (fixed(bytes(20_000)), stored(b"\0\0\0"))]
    data = whole(head=head, tiles=b"".join(labels))
    add("R5.5-2", "could-not-inflate-so-far", data, "LABL", "zlib stream")
    add("R5.5-2", "row-padded-at-the-edge", edge(pad=True), "LABL", "inflated size")

    for predictor in range(3):
        for name, symbols in {
            "first": bytes([4, 0, 0, 0, 0, 0]),
            "last": bytes([0, 0, 0, 0, 0, 4]),
            "highest": bytes([0, 0, 255, 0, 0, 0]),
        }.items():
            if predictor:
                data = ranked(predictor=predictor, symbols=symbols)
            else:
                data = whole(tiles=chunk(b"LABL", stored(symbols)))
            add("R5.5-3", f"{name}-predictor-{predictor}", data, "LABL", "symbol in tile 0")
    second = tiled([stream, stored(bytes([0, 0, 0, 4, 0, 0]))])
    add("R5.5-3", "second-tile", second, "LABL", "symbol in tile 1")
    one = whole(
        head=chunk(b"HEAD", head_payload((3, 2), last_label=0)),
        code=chunk(b"CODE", b"\x07"),
        tiles=chunk(b"LABL", stored(bytes([0, 0, 1, 0, 0, 0]))),
    )
    add("R5.5-3", "one-colour", one, "LABL", "symbol in tile 0")
    most = whole(
        head=chunk(b"HEAD", head_payload((3, 2), last_label=254)),
        code=chunk(b"CODE", bytes(255)),
        tiles=chunk(b"LABL", stored(bytes([0, 0, 255, 0, 0, 0]))),
    )
    add("R5.5-3", "255-colours", most, "LABL", "symbol in tile 0")
    add("R5.6-1", "one-byte", whole(end=chunk(b"DONE", b"\0")), "DONE", "length")
    add("R5.6-1", "long", whole(end=chunk(b"DONE", bytes(20))), "DONE", "length")


def edge(*, pad: bool) -> bytes:
    """Return an image of 3 x 2 in tiles of 2 x 2, the second one padded or cut off."""
    head = chunk(b"HEAD", head_payload((3, 2), (2, 2)))
    labels = [stored(bytes(4)), stored(bytes(4 if pad else 2))]
    return whole(head=head, tiles=b"".join(chunk(b"LABL", stream) for stream in labels))


def add_ancillary(add: Add) -> None:
    """Add files that break rules of section 6."""
    for kind in (b"iccp", b"exif", b"xmp ", b"text"):
        data = whole(before=chunk(kind, b""))
        add("R6-1", f"empty-{kind.decode().strip()}", data, kind.decode(), "length")
    for kind in (b"iccp", b"exif", b"xmp ", b"text", b"abcd"):
        # The length alone is wrong so far: nobody has to read on to know it.
        data = whole(before=chunk(kind, b"", length=MAX_CHUNK + 1))
        name = f"{kind.decode().strip()}-over-16-MiB"
        add("R6-2", name, data, kind.decode(), "length")
    data = whole(before=chunk(b"text", b"", length=2**32 - 1))
    add("R6-2", "text-of-4-GiB", data, "text", "length")
    phys = raw(PHYS)
    for name, payload in {"short": phys[:-1], "long": phys + b"\0", "empty": b""}.items():
        add("R6.4-1", name, whole(before=chunk(b"phys", payload)), "phys", "length")
    for place, name in enumerate(("x_pixels", "y_pixels", "unit_micrometres")):
        values = list(PHYS)
        values[place] = 0
        data = whole(before=chunk(b"phys", raw(values)))
        add("R6.4-2", f"{name}-0", data, "phys", name)
    for name, text in {
        "continuation-alone": b"a\x80",
        "overlong": b"\xc0\xaf",
        "surrogate": b"\xed\xa0\x80",
        "beyond-unicode": b"\xf4\x90\x80\x80",
        "cut-short": b"snow \xe2\x98",
        "latin-1": "Grüße".encode("latin-1"),
    }.items():
        add("R6.5-1", name, whole(before=chunk(b"text", text)), "text", "payload")
    for name, text in {"first": b"\0a", "last": b"a\0", "alone": b"\0"}.items():
        add("R6.5-2", f"NUL-{name}", whole(before=chunk(b"text", text)), "text", "payload")
    streams = [stored(SYMBOLS), padded(SYMBOLS, 1)]
    lengths = [len(stream) for stream in streams]
    for name, values in {
        "one-too-few": lengths[:1],
        "one-too-many": [*lengths, lengths[1]],
        "empty": [],
    }.items():
        data = tiled(streams, before=chunk(b"tidx", struct.pack(f">{len(values)}I", *values)))
        add("R6.6-1", name, data, "tidx", "length")
    odd = chunk(b"tidx", struct.pack(">2I", *lengths) + b"\0")
    add("R6.6-1", "one-byte-more", tiled(streams, before=odd), "tidx", "length")
    for name, values, place in [
        ("first", [lengths[0] + 1, lengths[1]], 0),
        ("second", [lengths[0], lengths[1] - 1], 1),
        ("swapped", lengths[::-1], 0),
        ("zeros", [0, 0], 0),
        ("whole-chunks", [length + 12 for length in lengths], 0),
        ("second-4-GiB", [lengths[0], 2**32 - 1], 1),
    ]:
        data = tiled(streams, before=chunk(b"tidx", struct.pack(">2I", *values)))
        add("R6.6-2", name, data, "tidx", f"lengths[{place}]")


def add_ranking(add: Add) -> None:
    """Add files that break rules of section 7."""
    for predictor in (1, 2):
        data = ranked(b"", predictor=predictor)
        add("R7.3-1", f"no-RANK-predictor-{predictor}", data, "RANK", "count")
    add("R7.3-1", "RANK-predictor-0", ranked(predictor=0), "RANK", "count")
    add("R7.3-2", "empty", ranked(chunk(b"RANK", b"")), "RANK", "length")
    add("R7.3-2", "8-bytes", ranked(chunk(b"RANK", stored(b"")[:8])), "RANK", "length")
    # Four entries allow 3072 bytes; each empty block takes five.
    longer = chunk(b"RANK", padded(bytes(4), 612))
    assert len(longer) - 12 == 3075
    add("R7.3-2", "one-block-too-long", ranked(longer), "RANK", "length")
    declared = chunk(b"RANK", b"", length=2**32 - 1)
    add("R7.3-2", "4-GiB", ranked(declared), "RANK", "length")

    def lists(*parts: Sequence[int]) -> bytes:
        return ranked(chunk(b"RANK", stored(table(parts))))

    def plain(*values: int) -> bytes:
        return ranked(chunk(b"RANK", stored(bytes(values))))

    add("R7.3-3", "nothing", ranked(chunk(b"RANK", padded(b"", 2))), "RANK", "entries")
    add("R7.3-3", "one-list-too-few", lists([1], [], [0]), "RANK", "entries")
    add("R7.3-3", "one-list-too-many", lists([1], [], [0], [], []), "RANK", "inflated size")
    add("R7.3-3", "one-byte-too-many", lists([1], [], [0], [], [3]), "RANK", "inflated size")
    add("R7.3-3", "last-list-cut-short", plain(0, 0, 0, 2, 1), "RANK", "inflated size")
    add("R7.3-3", "list-beyond-the-end", plain(0, 255, 1, 2), "RANK", "entries")
    full = bytes([4, 0, 1, 2, 3] * 4)
    more = ranked(chunk(b"RANK", stored(full + b"\0")))
    add("R7.3-3", "longer-than-any", more, "RANK", "inflated size")
    bomb = ranked(chunk(b"RANK", flat(2**20)))
    add("R7.3-3", "bomb", bomb, "RANK", "inflated size")
    add("R7.3-4", "label-4", lists([], [4], [], []), "RANK", "label")
    add("R7.3-4", "label-255", lists([], [], [0, 255], []), "RANK", "label")
    distinct = "RANK", "labels of a context"
    add("R7.3-5", "side-by-side", lists([1, 1], [], [], []), *distinct)
    add("R7.3-5", "apart", lists([], [], [2, 0, 2], []), *distinct)
    add("R7.3-5", "last-list", lists([], [1], [1], [3, 1, 0, 3]), *distinct)
    huge = whole(
        head=chunk(b"HEAD", head_payload((3, 2), last_label=255, predictor=2)),
        code=chunk(b"CODE", bytes(256)),
        before=chunk(b"RANK", stored(table([[*range(254), 0]] + [[]] * 255))),
        tiles=chunk(b"LABL", stored(bytes(6))),
    )
    add("R7.3-5", "256-entries", huge, *distinct)


def add_streams(add: Add) -> None:
    """Add files that break rules of section 8, once in LABL and once in RANK."""
    for where, data in {"LABL": SYMBOLS, "RANK": bytes(4)}.items():

        def put(stream: bytes, where: str = where) -> bytes:
            if where == "LABL":
                return whole(tiles=chunk(b"LABL", stream))
            return ranked(chunk(b"RANK", stream))

        good = stored(data)
        body, adler = good[2:-4], good[-4:]
        gzip = bytes.fromhex("1F8B0800000000000003") + body
        gzip += struct.pack("<II", zlib.crc32(data), len(data))
        # Behind a literal, that there is something to go back to.
        start = fixed_code(data[0])
        stored_lengths = bytearray(good)
        stored_lengths[5] ^= 1
        for rule, name, stream, error in [
            ("R8-1", "method-7", stored(data, cm=7), None),
            ("R8-1", "method-15", stored(data, cm=15), None),
            ("R8-1", "window-64-KiB", stored(data, cinfo=8), None),
            ("R8-1", "window-largest", stored(data, cinfo=15), None),
            ("R8-1", "fcheck", bytes([good[0], good[1] ^ 1]) + good[2:], None),
            ("R8-1", "dictionary", preset(body, data), None),
            ("R8-1", "no-wrapper", body + adler, None),
            ("R8-1", "gzip", gzip, None),
            ("R8-1", "text", b"These are no zlib streams", None),
            ("R8-2", "block-type-3", good[:2] + b"\x07" + good[3:], None),
            ("R8-2", "stored-lengths-differ", bytes(stored_lengths), None),
            ("R8-2", "too-far-back", bent(data, start, fixed_code(257), "11101", "0" * 13), None),
            ("R8-2", "distance-30", bent(data, start, fixed_code(257), "11110", "0" * 13), None),
            ("R8-2", "length-286", bent(data, start, fixed_code(286), "00000"), None),
            ("R8-2", "codes-oversubscribed", wrapped(oversubscribed(), data), None),
            ("R8-3", "no-final-block", good[:2] + stored_block(data, False), TRUNCATED),
            ("R8-3", "block-cut-short", good[:-6], TRUNCATED),
            ("R8-3", "adler-cut-short", good[:-1], TRUNCATED),
            ("R8-3", "adler-missing", good[:-4], TRUNCATED),
            ("R8-4", "adler-0", good[:-4] + bytes(4), None),
            ("R8-4", "adler-1", good[:-4] + b"\0\0\0\1", None),
            ("R8-4", "adler-low-byte-first", good[:-4] + good[:-5:-1], None),
            ("R8-5", "one-byte-more", good + b"\0", None),
            ("R8-5", "second-stream", good + good, None),
            ("R8-5", "text-after-it", good + b"hello", None),
        ]:
            add(rule, f"{where}-{name}", put(stream), where, "zlib stream", error or "FormatError")


def preset(body: bytes, data: bytes) -> bytes:
    """Return a stream that names a preset dictionary, though it makes no use of it."""
    stream = wrapped(body, data, fdict=1)
    return stream[:2] + struct.pack(">I", zlib.adler32(b"dictionary")) + stream[2:]


def bent(data: bytes, *codes: str) -> bytes:
    """Return a stream with these codes in a block of fixed codes, and padding after it."""
    return wrapped(fixed_block(codes) + bytes(4), data)


def oversubscribed() -> bytes:
    """Return a block of dynamic codes whose 19 code lengths are all 1."""
    bits = Bits().field(1, 1).field(2, 2).field(0, 5).field(0, 5).field(15, 4)
    for _ in range(19):
        bits.field(1, 3)
    return bits.bytes() + bytes(8)


# All of it.


def make() -> dict[str, bytes]:
    """Return the contents of every file below ``FOLDER``, by its name there."""
    files: dict[str, bytes] = {}
    manifest: dict[str, dict[str, object]] = {"valid": {}, "invalid": {}}
    for one in valid_files():
        _put(files, f"valid/{one.name}.kqf", one.data())
        manifest["valid"][one.name + ".kqf"] = one.entry()
    for bad in invalid_files():
        _put(files, f"invalid/{bad.file}.kqf", bad.data)
        manifest["invalid"][bad.file + ".kqf"] = bad.entry()
    text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=True)
    files["manifest.json"] = (text + "\n").encode()
    return files


def _put(files: dict[str, bytes], name: str, data: bytes) -> None:
    if name.lower() in {other.lower() for other in files}:
        raise SystemExit(f"two vectors of the name {name}")
    if data in files.values():
        raise SystemExit(f"{name} has a twin")
    files[name] = data


def differences(files: dict[str, bytes]) -> list[str]:
    """Return a line for each file that is missing, different or too many."""
    present = {
        path.relative_to(FOLDER).as_posix(): path.read_bytes()
        for path in FOLDER.rglob("*")
        if path.is_file()
    }
    lines = [f"missing: {name}" for name in files.keys() - present.keys()]
    lines += [f"unknown: {name}" for name in present.keys() - files.keys()]
    common = files.keys() & present.keys()
    lines += [f"different: {name}" for name in common if files[name] != present[name]]
    return sorted(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the test vectors of spec/kqf-1.md.")
    parser.add_argument("--check", action="store_true", help="change nothing, report differences")
    arguments = parser.parse_args()
    files = make()
    if arguments.check:
        lines = differences(files)
        print("\n".join(lines) or f"{len(files)} files as they should be")
        return 1 if lines else 0
    for line in differences(files):
        if line.startswith("unknown: "):
            (FOLDER / line.removeprefix("unknown: ")).unlink()
    for name, data in files.items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    print(f"{len(files)} files, {sum(map(len, files.values()))} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
