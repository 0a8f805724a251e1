"""The invalid files of version 1, each of which breaks one rule."""

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tools.vectors.pieces import (
    DONE,
    MAX_CHUNK,
    MAX_SIDE,
    SIGNATURE,
    Bits,
    chunk,
    digest,
    fixed,
    fixed_block,
    fixed_code,
    flat,
    head_payload,
    padded,
    stored,
    stored_block,
    table,
    wrapped,
)
from tools.vectors.valid import EVERY_METADATA, PHYS, SMALL, raw


@dataclass
class Invalid:
    """One file that breaks one rule."""

    rule: str
    name: str
    data: bytes
    error: str
    chunk: str
    field: str
    in_frames: bool = False
    overviews: bool = False

    @property
    def file(self) -> str:
        return f"{self.rule}_{self.name}"

    def entry(self) -> dict[str, object]:
        kinds = {"FormatError": "wrong", "TruncatedError": "truncated"}
        entry: dict[str, object] = {
            "sha256": digest(self.data),
            "rule": self.rule,
            "kind": kinds.get(self.error, "unsupported"),
            "error": self.error,
            "chunk": self.chunk,
            "field": self.field,
            **({"overviews": True} if self.overviews else {}),
        }
        # One that reads the first frame alone does not see it.
        return entry | {"frames": True} if self.in_frames else entry


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


Add = Callable[..., None]


def invalid_files() -> list[Invalid]:
    return collected(add_structure, add_image, add_ancillary, add_ranking, add_streams)


def collected(*sections: Callable[[Add], None]) -> list[Invalid]:
    """Return the files that some functions add."""
    files: list[Invalid] = []

    def add(
        rule: str,
        name: str,
        data: bytes,
        chunk: str,
        field: str,
        error: str = "FormatError",
        in_frames: bool = False,
    ) -> None:
        files.append(Invalid(rule, name, data, error, chunk, field, in_frames))

    for section in sections:
        section(add)
    return files


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
        ("version", 3),
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
