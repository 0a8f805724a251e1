"""The files with overviews (section 6.8), right ones and wrong ones."""

import struct
import zlib
from collections.abc import Sequence

from tools.vectors.invalid import Invalid
from tools.vectors.pieces import Labels, chunk, cut, pattern, spread, stored
from tools.vectors.valid import GRAY4, Valid

SIDE = 256
LABELS = pattern(9, 7, 4)
# Levels 2 and 1 of these: 3 x 2 and 5 x 4 labels.
LEVELS = {level: [row[:: 1 << level] for row in LABELS[:: 1 << level]] for level in (2, 1)}
WIDE = pattern(1030, 3, 6)


def streams_of(levels: dict[int, Labels]) -> list[bytes]:
    """Return the stream of each tile, from the highest level on."""
    return [
        stored(bytes(label for row in tile for label in row))
        for level in sorted(levels, reverse=True)
        for tile in cut(levels[level], (SIDE, SIDE))
    ]


def index(
    streams: Sequence[bytes],
    first: int = 1,
    levels: int = 2,
    lengths: Sequence[int] | None = None,
    crcs: Sequence[int] | None = None,
) -> bytes:
    """Return the chunk ``oidx``; ``lengths`` and ``crcs`` to state other ones."""
    lengths = lengths or [len(stream) for stream in streams]
    crcs = crcs or [zlib.crc32(stream) for stream in streams]
    numbers = [*lengths, *crcs]
    return chunk(b"oidx", bytes([first, levels]) + struct.pack(f">{len(numbers)}I", *numbers))


def over(streams: Sequence[bytes]) -> bytes:
    return chunk(b"over", b"".join(streams))


STREAMS = streams_of(LEVELS)
GOOD = index(STREAMS) + over(STREAMS)


def files_with_overviews() -> list[Valid]:
    """Return valid files of version 1 with overviews."""
    wide = streams_of(
        {level: [row[:: 1 << level] for row in WIDE[:: 1 << level]] for level in (1,)}
    )
    one = [stored(b"\2")]
    return [
        Valid("6.8_overviews", LABELS, GRAY4, overviews=GOOD),
        Valid(
            "6.8_overviews-of-several-tiles",
            WIDE,
            spread(6, 3),
            predictor=2,
            tile=(300, 2),
            index=True,
            metadata={"text": "three tiles"},
            overviews=index(wide, 1, 1) + over(wide),
        ),
        Valid("6.8_highest-level", LABELS, GRAY4, overviews=index(one, 31, 1) + over(one)),
    ]


def files_of_wrong_overviews() -> list[Invalid]:
    """Return files whose overviews break a rule, but whose image can be read."""
    found: list[Invalid] = []

    def add(rule: str, name: str, overviews: bytes, where: str, field: str) -> None:
        data = Valid("", LABELS, GRAY4, overviews=overviews).data()
        found.append(Invalid(rule, name, data, "FormatError", where, field, overviews=True))

    def changed(at: int, stream: bytes) -> bytes:
        streams = [*STREAMS[:at], stream, *STREAMS[at + 1 :]]
        return index(streams) + over(streams)

    other = chunk(b"abcd", b"between")
    lengths = [len(stream) for stream in STREAMS]
    crcs = [zlib.crc32(stream) for stream in STREAMS]
    entries = GOOD[10 : 8 + 2 + 8 * len(STREAMS)]
    add("R4.4-6", "second-oidx", index(STREAMS) + GOOD, "oidx", "count")
    add("R6.8-1", "first-0", index(STREAMS, first=0) + over(STREAMS), "oidx", "first")
    add("R6.8-1", "first-32", index(STREAMS, first=32) + over(STREAMS), "oidx", "first")
    add("R6.8-1", "levels-0", index(STREAMS, levels=0) + over(STREAMS), "oidx", "levels")
    add("R6.8-1", "level-32", index(STREAMS, first=31) + over(STREAMS), "oidx", "levels")
    for name, payload in {
        "empty": b"",
        "no-tiles": b"\1\2",
        "short": b"\1\2" + entries[:-1],
        "long": b"\1\2" + entries + b"\0",
    }.items():
        add("R6.8-2", name, chunk(b"oidx", payload) + over(STREAMS), "oidx", "length")
    short = index(STREAMS, lengths=[8, lengths[1]]) + over(STREAMS)
    add("R6.8-3", "length-8", short, "oidx", "lengths")
    add("R6.8-4", "over-missing", index(STREAMS), "over", "lengths")
    add("R6.8-4", "over-short", index(STREAMS) + over(STREAMS[:1]), "over", "lengths")
    add("R6.8-4", "over-long", index(STREAMS) + over([*STREAMS, b"\0"]), "over", "lengths")
    cut_in_two = chunk(b"over", STREAMS[0]) + chunk(b"over", STREAMS[1])
    add("R6.8-4", "over-in-two", index(STREAMS) + cut_in_two, "over", "lengths")
    add(
        "R6.8-4",
        "lengths-huge",
        index(STREAMS, lengths=[9, 2**26]) + over(STREAMS),
        "oidx",
        "lengths",
    )
    add("R6.8-4", "oidx-missing", over(STREAMS), "over", "count")
    between = index(STREAMS) + other + over(STREAMS)
    add("R6.8-5", "before-over", between, "over", "chunk order")
    add("R6.8-5", "after-over", GOOD + other, "over", "chunk order")
    wrong = index(STREAMS, crcs=[crcs[0], crcs[1] ^ 1]) + over(STREAMS)
    add("R6.8-6", "one-bit", wrong, "over", "crc of tile 1")
    add(
        "R6.8-6",
        "in-another-order",
        index(STREAMS, crcs=crcs[::-1]) + over(STREAMS),
        "over",
        "crc of tile 0",
    )
    add("R6.8-7", "one-byte-less", changed(0, stored(bytes(5))), "over", "inflated size of tile 0")
    add("R6.8-7", "one-byte-more", changed(0, stored(bytes(7))), "over", "inflated size")
    add("R6.8-8", "label-4", changed(1, stored(bytes(19) + b"\4")), "over", "label in tile 1")
    return found
