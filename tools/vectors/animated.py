"""The files of animations: valid ones, and those that break one rule each."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from tools.vectors.invalid import UNSUPPORTED, Add, Invalid, collected
from tools.vectors.pieces import (
    DONE,
    Box,
    Codebook,
    Labels,
    chunk,
    cycles,
    digest,
    fixed,
    flat,
    padded,
    pattern,
    rankings,
    spread,
    stored,
    table,
)
from tools.vectors.valid import GRAY4, TEXT, Valid
from tools.vectors.valid_2 import (
    COPY,
    LEFT,
    NONE,
    UP,
    Shape,
    Valid2,
    differences,
    layout,
    placement_planes,
    placement_steps,
    shapes_payload,
)

WHOLE, CHANGES = 0, 1
Placement = tuple[int, int, int]
# Labels of the canvas to be painted on, None for none; and placements.
Frame = tuple[Labels | None, Sequence[Placement]]


def anim(
    durations: Sequence[int],
    plays: int = 0,
    ticks: int = 100,
    pack: Callable[[bytes], bytes] = stored,
) -> bytes:
    """Return ``ANIM`` (section 5.10)."""
    planes = bytes(duration >> shift & 255 for shift in (0, 8, 16, 24) for duration in durations)
    return chunk(b"ANIM", struct.pack(">III", len(durations), plays, ticks) + pack(planes))


def codebook_chunk(codebook: Codebook, is_packed: bool = False) -> bytes:
    if is_packed:
        return chunk(b"PCOD", stored(differences(codebook)))
    return chunk(b"CODE", bytes(sample for entry in codebook for sample in entry))


def fram(
    first: int,
    frames: int,
    side: int,
    ranked: int,
    counts: bytes,
    maps: bytes = b"",
    placements: bytes = b"",
    labels: bytes = b"",
    *,
    more: tuple[int, int, int] = (0, 0, 0),
) -> bytes:
    """Return ``FRAM`` of changes from its streams; ``more`` to state other lengths."""
    lengths = [
        len(part) + extra for part, extra in zip((counts, maps, placements), more, strict=True)
    ]
    head = struct.pack(">IBIBBIII", first, CHANGES, frames, side, ranked, *lengths)
    return chunk(b"FRAM", head + counts + maps + placements + labels)


def whole_frame(number: int, layout: int) -> bytes:
    return chunk(b"FRAM", struct.pack(">IBB", number, WHOLE, layout))


def fidx(*entries: tuple[int, int], length: int | None = None) -> bytes:
    data = b"".join(struct.pack(">IQ", *entry) for entry in entries)
    return chunk(b"fidx", data + struct.pack(">I", len(data) + 4 if length is None else length))


def counts_of(has_map: Sequence[bool], placed: Sequence[int]) -> bytes:
    planes = bytes(count >> shift & 255 for shift in (0, 8, 16, 24) for count in placed)
    return bytes(has_map) + planes


class Canvas:
    """Labels and entries as they are shown."""

    def __init__(self, labels: Labels, codebook: Codebook) -> None:
        self.labels = [list(row) for row in labels]
        self.codebook = codebook
        self.colors = [[codebook[label] for label in row] for row in labels]
        self.shapes: list[Shape] = []

    @property
    def size(self) -> Box:
        return len(self.labels[0]), len(self.labels)

    @property
    def pixels(self) -> bytes:
        return b"".join(bytes(entry) for row in self.colors for entry in row)

    def put(self, x: int, y: int, label: int) -> None:
        self.labels[y][x] = label
        self.colors[y][x] = self.codebook[label]

    def renew(self, codebook: Codebook) -> None:
        """Let labels mean other colours from here on."""
        self.codebook, self.shapes = codebook, []
        # The nearest entry to each colour shown, of several the first.
        self.labels = [
            [
                min(
                    range(len(codebook)),
                    key=lambda k: sum(
                        (a - b) ** 2 for a, b in zip(color, codebook[k], strict=True)
                    ),
                )
                for color in row
            ]
            for row in self.colors
        ]

    def blocks(self, side: int) -> list[list[tuple[int, int]]]:
        """Return the pixels of each block, column by column."""
        width, height = self.size
        return [
            [
                (x, y)
                for x in range(left, min(left + side, width))
                for y in range(upper, min(upper + side, height))
            ]
            for upper in range(0, height, side)
            for left in range(0, width, side)
        ]


@dataclass
class Group:
    """Frames that are stored together, by what they look like."""

    frames: Sequence[Frame] = ()
    side: int = 4
    ranked: bool = False
    lists: Sequence[Sequence[int]] | None = None
    codebook: Codebook | None = None
    packed: bool = False
    shapes: Sequence[Shape] = ()
    goes_on: bool = False
    image: Valid2 | None = None
    pack: Callable[[bytes], bytes] = stored

    def chunks(self, number: int, canvas: Canvas, lists: Sequence[Sequence[int]]) -> bytes:
        """Return the chunks of changes from frame ``number`` on, and paint the canvas.

        Arguments:
            lists: of the last ``RANK``.
        """
        parts = [codebook_chunk(self.codebook, self.packed)] if self.codebook else []
        if self.lists is not None:
            parts.append(chunk(b"RANK", self.pack(table(self.lists))))
        if self.shapes:
            parts.append(chunk(b"SHAP", shapes_payload(self.shapes)))
        order = rankings(canvas.codebook, lists)
        has_map, placed = [], []
        maps, planes, labels = bytearray(), bytearray(), bytearray()
        self.shown: list[bytes] = []
        for target, placements in self.frames:
            has_map.append(target is not None)
            placed.append(len(placements))
            if target is not None:
                bits = bytearray(-(-len(canvas.blocks(self.side)) // 8))
                for block, pixels in enumerate(canvas.blocks(self.side)):
                    if all(canvas.colors[y][x] == canvas.codebook[target[y][x]] for x, y in pixels):
                        continue
                    bits[block // 8] |= 1 << block % 8
                for block, pixels in enumerate(canvas.blocks(self.side)):
                    if bits[block // 8] >> block % 8 & 1:
                        for x, y in pixels:
                            label, ranks = target[y][x], order[canvas.labels[y][x]]
                            labels.append(ranks.index(label) if self.ranked else label)
                            canvas.put(x, y, label)
                maps += bits
            if placements:
                steps = placement_steps(placements, canvas.shapes, (0, 0))
                planes += placement_planes(steps)
                for left, upper, shape in placements:
                    rows, ground = canvas.shapes[shape]
                    for y, row in enumerate(rows):
                        for x, label in enumerate(row):
                            if label != ground:
                                canvas.put(left + x, upper + y, label)
            self.shown.append(canvas.pixels)
        streams = [self.pack(bytes(part)) if part else b"" for part in (maps, planes, labels)]
        counts = self.pack(counts_of(has_map, placed))
        parts.append(fram(number, len(self.frames), self.side, int(self.ranked), counts, *streams))
        return b"".join(parts)


@dataclass
class Animated(Valid2):
    """One valid animation: the fields of Valid2 are those of frame 0."""

    groups: Sequence[Group] = ()
    durations: Sequence[int] = ()
    plays: int = 0
    ticks: int = 100
    has_index: bool = False
    shown: list[bytes] = field(default_factory=list)

    def data(self) -> bytes:
        first = replace(self, before=b"")
        still = Valid2.data(first)
        canvas = Canvas(self.painted, self.codebook)
        canvas.shapes = list(self.shapes)
        self.shown = [canvas.pixels]
        lists: Sequence[Sequence[int]] = [[]] * len(self.codebook)
        body, whole = [], []
        at = still.index(b"LABL") - 4
        count = 1 + sum(
            1 if group.image else len(group.frames) - group.goes_on for group in self.groups
        )
        durations = self.durations or [10 * (k + 1) for k in range(count)]
        prologue = still[:at] + anim(durations, self.plays, self.ticks)
        start = prologue + still[at : -len(DONE)]
        offset = len(start)
        for group in self.groups:
            number = len(self.shown) - group.goes_on
            if group.image:
                whole.append((number, offset))
                chunks = self._whole(group.image, number)
                canvas = Canvas(group.image.painted, group.image.codebook)
                canvas.shapes = list(group.image.shapes)
                lists = [[]] * len(canvas.codebook)
                self.shown.append(canvas.pixels)
            else:
                if group.codebook:
                    canvas.renew(group.codebook)
                    lists = [[]] * len(canvas.codebook)
                lists = lists if group.lists is None else group.lists
                canvas.shapes += group.shapes
                chunks = group.chunks(number, canvas, lists)
                del self.shown[number:]
                self.shown += group.shown
            body.append(chunks)
            offset += len(chunks)
        end = fidx(*whole) if self.has_index else b""
        return start + b"".join(body) + end + DONE

    def _whole(self, image: Valid2, number: int) -> bytes:
        """Return the group of a whole frame."""
        data = Valid2.data(image)
        head, rest = data[8:40], data[40 : -len(DONE)]
        at = rest.index(b"LABL") - 4
        return rest[:at] + whole_frame(number, head[27]) + rest[at:]

    def entry(self) -> dict[str, object]:
        result = super().entry()
        count = len(self.shown)
        return result | {
            "durations": list(self.durations or [10 * (k + 1) for k in range(count)]),
            "plays": self.plays,
            "ticks_per_second": self.ticks,
            "frames_sha256": [digest(pixels) for pixels in self.shown],
        }


def moved(frame: int, colors: int = 4, width: int = 23, height: int = 21) -> Labels:
    """Return a picture of which a part changes from frame to frame."""
    labels = pattern(width, height, colors)
    for y in range(height):
        for x in range(width):
            if (x - 3 * frame) ** 2 + (y - 9) ** 2 < 20:
                labels[y][x] = (x + y + frame) % colors
    return labels


CROSS = ([[0, 2, 0], [2, 2, 2], [0, 2, 0]], 0)
BAR = ([[3], [3], [1], [3]], 0)
FLAT = [[0] * 23 for _ in range(21)]


def animations() -> list[Animated]:
    """Return the valid animations."""

    def one(name: str, *groups: Group, **changes: object) -> Animated:
        base = {"name": name, "labels": moved(0), "codebook": GRAY4, "groups": groups}
        return Animated(**base | changes)

    def frames(*numbers: int, colors: int = 4) -> list[Frame]:
        return [(moved(number, colors), ()) for number in numbers]

    sides = [
        one(f"5.11_side-{side}", Group(frames(1, 2, 3), side=side)) for side in (1, 2, 4, 8, 16)
    ]
    channels = [
        one(
            f"5.11_channels-{count}",
            Group(frames(1, 2, colors=9)),
            labels=moved(0, 9),
            codebook=spread(9, count),
        )
        for count in range(1, 5)
    ]
    red, green = spread(5, 3), spread(7, 3)[::-1]
    lists = cycles(4, 2)
    image = Valid2("", moved(9), GRAY4[::-1], COPY)
    colored = {"labels": moved(0, 5), "codebook": red}
    changed = [
        one("5.11_two-groups", Group(frames(1)), Group(frames(2, 3), side=2, pack=fixed)),
        one("5.11_unchanged", Group([(None, ()), (moved(1), ()), (None, ())])),
        one("5.11_nothing-changes", Group([(None, ())] * 3)),
        one("5.11_ranked", Group(frames(1, 2), ranked=True, lists=lists), predictor=COPY),
        one("5.11_ranked-without-RANK", Group(frames(1, 2), ranked=True)),
        one(
            "5.11_ranked-RANK-of-the-image-is-another",
            Group(frames(1), ranked=True),
            predictor=LEFT,
            lists=cycles(4, 3),
        ),
        one(
            "5.11_ranked-RANK-stays",
            Group(frames(1), ranked=True, lists=lists),
            Group(frames(2)),
            Group(frames(3), ranked=True),
            Group(frames(4), ranked=True, lists=cycles(4, 1)),
        ),
        one("5.11_one-column", Group([([[1], [0], [2]], ())]), labels=[[0], [0], [2]]),
        one("5.11_one-row", Group([([[1, 0, 2]], ())], side=16), labels=[[0, 0, 2]]),
    ]
    shaped = [
        one(
            "5.11_shapes",
            Group([(None, [(1, 2, 0), (8, 2, 1)]), (None, [(20, 18, 0)])], shapes=[CROSS, BAR]),
            labels=FLAT,
        ),
        one(
            "5.11_shapes-over-blocks",
            Group([(moved(1), [(3, 5, 0), (4, 6, 0)])], shapes=[CROSS]),
        ),
        one(
            "5.11_shapes-of-the-image",
            Group([(None, [(9, 9, 0)])]),
            Group([(None, [(2, 10, 1), (15, 12, 0)])], shapes=[BAR]),
            Group([(None, [(5, 3, 1)])]),
            labels=FLAT,
            shapes=[CROSS],
            placements=[(1, 1, 0)],
            predictor=COPY,
        ),
        one(
            "5.11_shape-placed-by-no-frame",
            Group([(None, [(9, 9, 1)])], shapes=[CROSS, BAR]),
            labels=FLAT,
        ),
    ]
    whole = [
        one("5.11_whole", Group(image=image)),
        one(
            "5.11_whole-of-other-layouts",
            Group(frames(1)),
            Group(image=replace(image, predictor=UP, lists=cycles(4, 2))),
            Group(frames(7), ranked=True),
            Group(image=replace(image, labels=moved(5), predictor=COPY, columns_first=True)),
            has_index=True,
        ),
        one(
            "5.11_whole-tiles",
            Group(
                image=replace(
                    image, predictor=LEFT, tile=(10, 8), packed_codebook=True, codebook=spread(4, 1)
                )
            ),
            Group(frames(1)),
            tile=(10, 8),
            index=True,
        ),
        one(
            "5.11_whole-shapes",
            Group(
                image=replace(image, labels=FLAT, shapes=[BAR], placements=[(3, 3, 0), (9, 9, 0)])
            ),
            Group([(None, [(15, 2, 0)])]),
            has_index=True,
        ),
        one("6.7_fidx", Group(frames(1)), Group(image=image), Group(frames(2)), has_index=True),
        one(
            "5.11_whole-after-other-colours",
            Group(frames(1, colors=7), codebook=green),
            Group(image=Valid2("", moved(2, 5), red, NONE)),
            Group(frames(3, colors=5), ranked=True),
            **colored,
        ),
    ]
    codebooks = [
        one("5.11_codebook", Group(frames(1, 2, colors=7), side=1, codebook=green), **colored),
        one(
            "5.11_codebook-packed",
            Group(frames(1, colors=7), side=1, codebook=green, packed=True),
            Group(frames(2, colors=4), side=2, codebook=spread(4, 3)),
            **colored,
        ),
        one(
            "5.11_codebook-ranked",
            Group(frames(1, colors=7), ranked=True, codebook=green, lists=cycles(7, 2)),
            Group(frames(2, colors=7), ranked=True),
            **colored,
        ),
        one(
            "5.11_goes-on",
            Group(frames(1, colors=7), side=1, codebook=green),
            Group(frames(6, colors=3), side=1, codebook=spread(3, 3), goes_on=True),
            **colored,
        ),
        one(
            "5.11_goes-on-frame-0",
            Group(frames(3, colors=7), side=1, codebook=green, goes_on=True),
            Group(frames(4, colors=7), side=1),
            **colored,
        ),
        one(
            "5.11_codebook-of-256",
            Group([(pattern(23, 21, 256), ())], side=16, codebook=spread(256, 4)),
            labels=moved(0, 5),
            codebook=spread(5, 4),
        ),
    ]
    timed = [
        one("5.10_plays", Group(frames(1)), plays=3),
        one("5.10_plays-most", Group(frames(1)), plays=2**32 - 1, ticks=10**6),
        one("5.10_ticks", Group(frames(1, 2)), durations=[0, 2**32 - 1, 65537], ticks=1),
        one("5.10_metadata", Group(frames(1)), metadata={"text": TEXT}),
    ]
    return [*sides, *channels, *changed, *shaped, *whole, *codebooks, *timed]


# Of 5 x 4 pixels.
SMALL_SIZE = 5, 4
TWO = anim([1, 1])
COUNTS = stored(counts_of([True], [0]))
SHAPE = chunk(b"SHAP", shapes_payload([([[2, 2], [2, 2]], 0)]))
CODE = codebook_chunk(GRAY4)
MAP = stored(b"\1")
LABELS = stored(bytes(16))


def animation(
    *body: bytes,
    before: bytes = TWO,
    end: bytes = DONE,
    version: int = 2,
    size: Box = SMALL_SIZE,
) -> bytes:
    """Return a gray file of one flat frame, and then what is given."""
    width, height = size
    still = Valid(
        "",
        [[0] * width for _ in range(height)],
        GRAY4,
        pack=lambda data: flat(len(data)) if len(data) > 999 else stored(data),
    ).data()
    still = bytearray(still[: -len(DONE)])
    # Version and checksum of HEAD.
    payload = bytearray(still[16:36])
    payload[16] = version
    still[8:40] = chunk(b"HEAD", bytes(payload))
    at = bytes(still).index(b"LABL") - 4
    return bytes(still[:at]) + before + bytes(still[at:]) + b"".join(body) + end


def good(first: int = 1) -> bytes:
    """Return a group of one frame, in which the block at the upper left changes."""
    return fram(first, 1, 4, 0, COUNTS, MAP, b"", LABELS)


def add_order(add: Add) -> None:
    """Add files that break rules of sections 4.3 and 4.4."""
    critical = "file", "critical chunk"
    add("R4.3-4", "ANIM", animation(good(), version=1), *critical, UNSUPPORTED)
    lone = animation(before=good(), version=1)
    add("R4.3-4", "FRAM-in-prologue", lone, *critical, UNSUPPORTED)
    order = "file", "chunk order"
    add("R4.4-9", "two", animation(good(), before=TWO * 2), "ANIM", "count")
    add("R4.4-9", "after-LABL", animation(TWO, good(), before=b""), "ANIM", "count")
    add("R4.4-4", "FRAM-without-ANIM", animation(good(), before=b""), *order)
    add("R4.4-4", "FRAM-in-prologue", animation(before=TWO + good()), *order)
    rank = chunk(b"RANK", stored(bytes(4)))
    for name, group in {
        "CODE-after-SHAP": SHAPE + CODE + good(),
        "RANK-after-SHAP": SHAPE + rank + good(),
        "two-CODE": CODE * 2 + good(),
        "CODE-and-PCOD": CODE + codebook_chunk(GRAY4, True) + good(),
        "two-RANK": rank * 2 + good(),
        "two-SHAP": SHAPE * 2 + good(),
        "LABL-before-FRAM": chunk(b"LABL", stored(bytes(20))) + good(),
        "HEAD": chunk(b"HEAD", bytes(20)) + good(),
        "ANIM": TWO + good(),
        "text": chunk(b"text", b"hello") + good(),
        "DONE-after-CODE": CODE,
    }.items():
        add("R4.4-10", name, animation(group), *order, in_frames=True)
    tile = chunk(b"LABL", stored(bytes(20)))
    group = CODE + whole_frame(1, NONE)
    lone = animation(group, good(2), before=anim([1] * 3))
    add("R4.4-10", "whole-without-LABL", lone, *order, in_frames=True)
    add("R4.4-10", "whole-with-two-LABL", animation(group, tile * 2), *order, in_frames=True)
    add("R4.4-10", "changes-with-LABL", animation(good(), tile), *order, in_frames=True)
    other = chunk(b"FILM", b"x")
    add("R4.3-5", "among-groups", animation(other, good()), *critical, UNSUPPORTED, in_frames=True)
    text = chunk(b"text", b"hello")
    add("R4.4-11", "text", animation(good(), end=text + DONE), *order, in_frames=True)
    index = animation(group, tile, end=fidx((1, len(animation(end=b"")))) * 2 + DONE)
    add("R4.4-11", "two-fidx", index, *order, in_frames=True)
    add("R4.4-5", "animation", animation(good(), end=DONE + b"\0"), "file", "end", in_frames=True)
    cut = animation(good(), end=b"")
    add("R4.2-2", "animation", cut, "file", "chunk head", "TruncatedError", in_frames=True)


def add_timing(add: Add) -> None:
    """Add files that break rules of ``ANIM``."""

    def raw(*numbers: int, planes: bytes = bytes(8)) -> bytes:
        return animation(
            good(), before=chunk(b"ANIM", struct.pack(">3I", *numbers) + stored(planes))
        )

    add("R5.10-1", "short", animation(good(), before=chunk(b"ANIM", bytes(11))), "ANIM", "length")
    add("R5.10-1", "one-frame", raw(1, 0, 100, planes=bytes(4)), "ANIM", "frames")
    add("R5.10-1", "too-many-frames", raw(2**24 + 1, 0, 100), "ANIM", "frames")
    add("R5.10-1", "no-ticks", raw(2, 0, 0), "ANIM", "ticks_per_second")
    add("R5.10-1", "too-many-ticks", raw(2, 0, 10**6 + 1), "ANIM", "ticks_per_second")
    inflated = "inflated size of durations"
    add("R5.10-2", "short", raw(2, 0, 100, planes=bytes(7)), "ANIM", inflated)
    add("R5.10-2", "long", raw(2, 0, 100, planes=bytes(9)), "ANIM", "inflated size")


def add_frames(add: Add) -> None:
    """Add files that break rules of ``FRAM``."""

    def bad(
        rule: str,
        name: str,
        *body: bytes,
        field: str,
        chunk: str = "FRAM",
        error: str = "FormatError",
        before: bytes = TWO,
    ) -> None:
        add(rule, name, animation(*body, before=before), chunk, field, error, in_frames=True)

    tile = chunk(b"LABL", stored(bytes(20)))
    first = "first_frame"
    bad("R5.11-1", "frame-0-again", good(0), field=first)
    bad("R5.11-1", "left-out", good(2), field=first, before=anim([1] * 3))
    bad("R5.11-1", "backwards", good(), good(1), field=first, before=anim([1] * 3))
    bad("R5.11-1", "whole-goes-on", CODE + whole_frame(0, NONE) + tile, field=first)
    bad("R5.11-2", "more", good(), good(2), field="last frame")
    bad("R5.11-2", "fewer", good(), field="frames", chunk="file", before=anim([1] * 3))
    bad("R5.11-2", "none", field="frames", chunk="file")
    group = fram(1, 2, 4, 0, stored(counts_of([False] * 2, [0] * 2)))
    bad("R5.11-2", "more-in-one-group", group, field="last frame")
    bad(
        "R5.11-3",
        "kind-2",
        chunk(b"FRAM", struct.pack(">IBB", 1, 2, 0)),
        field="kind",
        error=UNSUPPORTED,
    )
    cut = fram(1, 1, 4, 0, COUNTS, MAP, b"", LABELS)[8:-4]
    bad("R5.11-4", "four-bytes", chunk(b"FRAM", cut[:4]), field="length")
    bad("R5.11-4", "ends-in-fields", chunk(b"FRAM", cut[:22]), field="length of changes")
    whole = struct.pack(">IB", 1, WHOLE)
    for name, payload in {"without-layout": whole, "longer": whole + bytes(2)}.items():
        body = CODE + chunk(b"FRAM", payload) + tile
        bad("R5.11-4", f"whole-{name}", body, field="length of a whole frame")
    bad("R5.11-4", "no-frame", fram(1, 0, 4, 0, COUNTS, MAP, b"", LABELS), field="frames")
    bad("R5.11-4", "too-many", fram(1, 65537, 4, 0, COUNTS, MAP, b"", LABELS), field="frames")
    bad("R5.11-4", "side-3", fram(1, 1, 3, 0, COUNTS, MAP, b"", LABELS), field="side")
    bad("R5.11-4", "side-0", fram(1, 1, 0, 0, COUNTS, MAP, b"", LABELS), field="side")
    bad("R5.11-4", "ranked-2", fram(1, 1, 4, 2, COUNTS, MAP, b"", LABELS), field="ranked")
    for number, name in enumerate(("counts", "maps", "placements")):
        more = tuple(99 * (k == number) for k in range(3))
        body = fram(1, 1, 4, 0, COUNTS, MAP, b"", LABELS, more=more)
        bad("R5.11-4", f"{name}_length", body, field=f"{name}_length")
    still = stored(counts_of([False], [0]))
    bad("R5.11-4", "map-of-no-frame", fram(1, 1, 4, 0, still, MAP), field="length of maps")
    body = fram(1, 1, 4, 0, still, b"", MAP)
    bad("R5.11-4", "placements-of-no-frame", body, field="length of placements")
    body = fram(1, 1, 4, 0, still, b"", b"", MAP)
    bad("R5.11-4", "labels-of-no-block", body, field="length of labels")
    bad("R5.11-5", "whole", whole_frame(1, NONE) + tile, field="codebook of a whole frame")
    for name, size in {"none": 0, "257": 257}.items():
        body = chunk(b"CODE", bytes(size)) + good()
        bad("R5.11-6", name, body, field="length", chunk="CODE")
    body = chunk(b"PCOD", stored(bytes(257))) + good()
    bad("R5.11-6", "PCOD-257", body, field="inflated size", chunk="PCOD")
    body = CODE + whole_frame(1, layout(NONE, ranked=True)) + tile
    bad("R5.1-5", "whole-frame", body, field="ranked")
    body = CODE + whole_frame(1, 5) + tile
    bad("R5.1-4", "whole-frame", body, field="predictor", error=UNSUPPORTED)
    body = CODE + whole_frame(1, layout(COPY, shapes=True)) + tile
    bad("R5.8-1", "whole-frame", body, field="count", chunk="SHAP")
    bad("R5.11-7", "short", fram(1, 1, 4, 0, stored(bytes(4))), field="inflated size of counts")
    bad("R5.11-7", "long", fram(1, 1, 4, 0, stored(bytes(6))), field="inflated size")
    bad(
        "R5.11-7",
        "two",
        fram(1, 1, 4, 0, stored(b"\2" + bytes(4)), MAP, b"", LABELS),
        field="first plane of counts",
    )
    bad("R5.11-8", "short", fram(1, 1, 2, 0, COUNTS, b"", b"", LABELS), field="zlib stream")
    long = fram(1, 1, 4, 0, COUNTS, stored(bytes(2)), b"", LABELS)
    bad("R5.11-8", "long", long, field="inflated size")
    beyond = fram(1, 1, 4, 0, COUNTS, stored(b"\4"), b"", LABELS)
    bad("R5.11-8", "bit-beyond", beyond, field="bits beyond the last block")
    short = fram(1, 1, 4, 0, COUNTS, MAP, b"", stored(bytes(15)))
    bad("R5.11-9", "short", short, field="inflated size of labels")
    bad(
        "R5.11-9",
        "long",
        fram(1, 1, 4, 0, COUNTS, MAP, b"", stored(bytes(17))),
        field="inflated size",
    )
    edge = fram(1, 1, 4, 0, COUNTS, stored(b"\2"), b"", LABELS)
    bad("R5.11-9", "cut-block", edge, field="inflated size")
    high = fram(1, 1, 4, 0, COUNTS, MAP, b"", stored(bytes(15) + b"\4"))
    bad("R5.11-9", "label-4", high, field="label")
    few = codebook_chunk(GRAY4[:2]) + fram(1, 1, 4, 0, COUNTS, MAP, b"", stored(bytes(15) + b"\2"))
    bad("R5.11-9", "label-of-the-codebook-before", few, field="label")

    def placed(*steps: tuple[int, int, int], count: int | None = None) -> bytes:
        counts = stored(counts_of([False], [len(steps) if count is None else count]))
        return fram(1, 1, 4, 0, counts, b"", stored(placement_planes(steps)))

    one = placed((2, 0, 0))
    bad("R5.11-10", "no-shapes", one, field="shapes in force")
    bad("R5.11-10", "after-CODE", CODE + one, field="shapes in force", before=TWO)
    two = SHAPE + placed((2, 0, 1))
    bad("R5.11-10", "shape-1", two, field="shape in frame 1")
    bad("R5.11-10", "right", SHAPE + placed((2, 4, 0)), field="placements of frame 1")
    above = SHAPE + placed((1, 0, 0))
    bad("R5.11-10", "above", above, field="upper left pixel of placements of frame 1")
    short = SHAPE + placed((2, 0, 0), count=2)
    bad("R5.11-10", "short", short, field="inflated size of placements")
    bad("R5.11-11", "six", SHAPE + placed(*[(2, 0, 0)] * 6), field="placements of a frame")
    large = chunk(b"SHAP", shapes_payload([([[2] * 5] * 4, 0)]))
    twice = large + placed((4, 0, 0), (0, 65531, 0))
    bad("R5.11-11", "pixels", twice, field="pixels painted")
    counts = stored(counts_of([False] * 5, [2**18] * 5))
    side = 1024
    group = fram(1, 5, 4, 0, counts, b"", MAP)
    data = animation(group, before=anim([1] * 6), size=(side, side))
    field = "placements of several frames"
    add("R5.11-12", "placements", data, "FRAM", field, in_frames=True)
    # Of label 0 on ground 1.
    full = (2**20 + 20) // 65025 + 1
    sides_of_all = stored(b"\xff" * (2 * full) + b"\1" * full)
    parts = struct.pack(">II", full, len(sides_of_all)) + sides_of_all
    shapes = chunk(b"SHAP", parts + flat(65025 * full))
    bad("R5.11-14", "pixels", shapes + one, field="pixels of all shapes", chunk="SHAP")
    rank = chunk(b"RANK", stored(bytes(4)))
    bad("R5.11-16", "RANK", rank + good(), field="count", chunk="RANK")
    bad(
        "R7.3-3",
        "frames",
        chunk(b"RANK", stored(bytes(5))) + fram(1, 1, 4, 1, COUNTS, MAP, b"", LABELS),
        field="inflated size",
        chunk="RANK",
    )
    stream = padded(bytes(16), 1) + b"\0"
    bad("R8-5", "FRAM", fram(1, 1, 4, 0, COUNTS, MAP, b"", stream), field="zlib stream")
    bad(
        "R8-3",
        "FRAM",
        fram(1, 1, 4, 0, COUNTS, MAP, b"", fixed(bytes(16))[:-1]),
        field="zlib stream",
        error="TruncatedError",
    )


def add_index(add: Add) -> None:
    """Add files that break rules of ``fidx``."""
    group = CODE + whole_frame(1, NONE) + chunk(b"LABL", stored(bytes(20)))
    start = len(animation(end=b""))

    def bad(rule: str, name: str, index: bytes, field: str) -> None:
        add(rule, name, animation(group, end=index + DONE), "fidx", field, in_frames=True)

    bad("R6.7-1", "empty", chunk(b"fidx", struct.pack(">I", 4)), "length")
    bad("R6.7-1", "short", chunk(b"fidx", bytes(15)), "length")
    bad("R6.7-1", "own-length", fidx((1, start), length=17), "payload_length")
    for name, entry in {"frame": (2, start), "offset": (1, start + 1)}.items():
        bad("R6.7-2", name, fidx(entry), "whole frames")
    bad("R6.7-2", "two", fidx((1, start), (1, start)), "whole frames")
    add(
        "R6.7-2",
        "none",
        animation(good(), end=fidx((1, start)) + DONE),
        "fidx",
        "whole frames",
        in_frames=True,
    )


def invalid_animations() -> list[Invalid]:
    return collected(add_order, add_timing, add_frames, add_index)
