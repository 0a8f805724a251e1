"""The valid files of version 1."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tools.vectors.pieces import (
    DONE,
    LITERAL_PIXELS,
    MAX_SIDE,
    SIGNATURE,
    Box,
    Codebook,
    Labels,
    chunk,
    counting,
    cut,
    cycles,
    digest,
    far_back,
    fixed,
    flat,
    head_payload,
    mixed,
    padded,
    pattern,
    rankings,
    spread,
    stored,
    symbols_of,
    table,
)


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
    overviews: bytes = b""
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
        parts.append(self.overviews)
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
