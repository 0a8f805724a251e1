"""The threats of SECURITY.md: each has a test, and here are those that no other file holds."""

import io
import re
import struct
import time
import tracemalloc
import warnings
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from command import draw, few, many, names, run_batch
from conftest import head, put_together

import kqf
from kqf.format.header import Head, build_header

TESTS = Path(__file__).parents[1]
TEXT = (TESTS.parent / "SECURITY.md").read_text()
ROWS = re.findall(r"^\| (?!Threat|-)(.*?) \| .* \| (.*) \|$", TEXT, re.MULTILINE)


def test_every_threat_names_tests_that_are_there():
    assert len(ROWS) == TEXT.count("\n| ") - 1
    for threat, tests in ROWS:
        found = re.findall(r"`([\w/]+\.py)::(\w+)`", tests)
        assert len(found) == tests.count("`") // 2 > 0, threat
        for file, name in found:
            assert re.search(rf"^ *def {name}\(", (TESTS / file).read_text(), re.MULTILINE), name


class Counted(io.BytesIO):
    """Bytes that count what is read of them."""

    bytes_read = reads = 0

    def read(self, *arguments):
        found = super().read(*arguments)
        self.bytes_read += len(found)
        self.reads += 1
        return found


def hostile_files(size):
    """Yield files of about so many bytes that have as many parts as that allows."""
    tiles = size // 25
    stream = zlib.compress(b"\0")
    before = [head(tiles, 1, tile=(1, 1)), (b"CODE", b"\7")]
    after = [(b"LABL", stream)] * tiles + [(b"DONE", b"")]
    index = b"tidx", struct.pack(">I", len(stream)) * tiles
    yield put_together([*before, *after])
    yield put_together([*before, index, *after])
    begun = put_together([head(8, 8), (b"CODE", b"\7")])
    for piece in (b"\0\1\0\0LABL", b"\0\0\0\0LABL", b"\0\0\0\1text", b"\0\0\0\0DONE"):
        yield begun + piece * (size // len(piece))
    # Each chunk says that it goes on to the end.
    yield begun + b"".join(struct.pack(">I", left) + b"LABL" for left in range(size, 0, -8))
    yield begun + b"".join(struct.pack(">I", left) + b"tidx" for left in range(size, 0, -8))


def salvage(source):
    return kqf.read(source, errors="salvage")


@pytest.mark.parametrize("way", [kqf.read, kqf.check, kqf.info, salvage])
def test_work_grows_with_the_file_and_no_faster(way):
    for data in hostile_files(200_000):
        source = Counted(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", kqf.DamageWarning)
            with suppress(kqf.KqfError):
                way(source)
        # A part has 8 bytes at least; salvage goes through the file more than once.
        assert source.reads < len(data)
        assert source.bytes_read < 32 * len(data)


SIDE = 1024
QUARTER = SIDE * SIDE // 4
SQUARE = b"\2\2\0", b"\1\1\1\1"


def packed(data, level=9):
    return zlib.compress(data, level)


def drawn_file(*tiles, predictor=3, colors=2, code=None, shape=None, tile=SIDE, **flags):
    """Return a gray file of version 2 of SIDE x SIDE pixels."""
    fields = Head(SIDE, SIDE, tile, tile, 1, colors - 1, predictor, 2, **flags)
    chunks = [(b"HEAD", build_header(fields)), code or (b"CODE", bytes(range(colors)))]
    if shape:
        sides, labels = map(packed, shape)
        chunks.append(
            (b"SHAP", struct.pack(">II", len(shape[0]) // 3, len(sides)) + sides + labels)
        )
    return put_together([*chunks, *((b"LABL", payload) for payload in tiles), (b"DONE", b"")])


def copied(code, new=b""):
    """Return a tile whose pixels all have one code."""
    codes = packed(bytes([0x55 * code]) * QUARTER)
    return struct.pack(">I", len(codes)) + codes + (packed(new) if new else b"")


def placed(down, right, count=None):
    """Return placements of shape 0, from the low bytes of signed steps."""
    nothing = bytes(len(down))
    high = right.translate(bytes(128) + b"\xff" * 128)
    stream = packed(down + nothing + right + high + nothing + nothing)
    return struct.pack(">II", len(down) if count is None else count, len(stream)) + stream


# As many squares of 2 x 2 pixels as there is room for, and as many on one another.
EVERYWHERE = placed((b"\2" + bytes(SIDE // 2 - 1)) * (SIDE // 2), bytes(QUARTER))
PILE = placed(b"\2" + bytes(QUARTER - 1), b"\0" + b"\xfe" * (QUARTER - 1))
ABOVE = copied(0)
# As much as files can ask for that keep the rules.
COSTLY = {
    "new labels": drawn_file(copied(3, bytes(SIDE * SIDE))),
    "ranks": drawn_file(copied(3, b"\1" * SIDE * SIDE), ranked=True, columns_first=True),
    "labels from the left": drawn_file(copied(1)),
    "labels from the corner": drawn_file(copied(2)),
    "one colour": drawn_file(packed(bytes(SIDE * SIDE // 64)), predictor=4, colors=1),
    "placements": drawn_file(EVERYWHERE + ABOVE, shape=SQUARE, shapes=True),
}
MUCH = bytes(10 * SIDE * SIDE)
ONE_PLACED = placed(b"\2", b"\0")
# Files that ask for more than their rules allow.
BOMBS = {
    "codebook": drawn_file(ABOVE, code=(b"PCOD", packed(MUCH))),
    "codes": drawn_file(struct.pack(">I", len(packed(MUCH))) + packed(MUCH)),
    "new labels": drawn_file(copied(0, MUCH)),
    "packed labels": drawn_file(packed(MUCH), predictor=4),
    "sides": drawn_file(ONE_PLACED + ABOVE, shape=(MUCH[:3] + MUCH, MUCH), shapes=True),
    "shapes": drawn_file(ONE_PLACED + ABOVE, shape=(SQUARE[0], MUCH), shapes=True),
    "pixels of shapes": drawn_file(
        ONE_PLACED + ABOVE, shape=(b"\xff" * 2**17 + bytes(2**16), MUCH), shapes=True
    ),
    "placements": drawn_file(placed(MUCH, MUCH, 1) + ABOVE, shape=SQUARE, shapes=True),
    "number of placements": drawn_file(
        placed(b"\2", b"\0", count=QUARTER) + ABOVE, shape=SQUARE, shapes=True
    ),
    "placements of each tile": drawn_file(
        *[PILE + packed(b"\0")] * 64,
        shape=SQUARE,
        shapes=True,
        tile=SIDE // 8,
        predictor=0,
    ),
    "painting": drawn_file(PILE + ABOVE, shape=SQUARE, shapes=True),
}


def read_region(source):
    return kqf.read(source, region=(SIDE // 2, SIDE // 2, SIDE // 2 + 9, SIDE // 2 + 9))


def read_cheaply(way, data):
    """Read a file, and see that it takes little memory and processor time."""
    tracemalloc.start()
    began = time.process_time()
    try:
        way(data)
    finally:
        seconds, peak = time.process_time() - began, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 28 * SIDE * SIDE
        # Most take a tenth of a second; what is not bounded takes minutes.
        assert seconds < 10


@pytest.mark.parametrize("way", [kqf.read, kqf.check, read_region, salvage])
@pytest.mark.parametrize("name", COSTLY)
def test_drawn_files_take_memory_by_their_pixels(name, way):
    read_cheaply(way, COSTLY[name])


@pytest.mark.parametrize("name", BOMBS)
def test_drawn_files_that_ask_for_too_much_are_refused(name):
    for way in (kqf.read, kqf.check):
        with pytest.raises(kqf.FormatError):
            read_cheaply(way, BOMBS[name])


def changes(first, has_map=(0,), placed=None, maps=b"", placements=b"", labels=b"", side=1):
    """Return the FRAM of changes, one value of has_map and of placed for each frame."""
    numbers = np.array(placed or [0] * len(has_map), "<u4").view(np.uint8).reshape(-1, 4).T
    parts = [bytes(has_map) + numbers.tobytes(), maps, placements, labels]
    streams = [packed(part) if part else b"" for part in parts]
    lengths = [len(stream) for stream in streams[:3]]
    start = struct.pack(">IBIBBIII", first, 1, len(has_map), side, 0, *lengths)
    return b"FRAM", start + b"".join(streams)


def animated_file(frames, *groups, side=SIDE):
    """Return a gray animation of side x side pixels."""
    timing = struct.pack(">III", frames, 0, 1000) + packed(bytes(4 * frames))
    chunks = [head(side, side, version=2, last_label=1), (b"CODE", b"\7\11"), (b"ANIM", timing)]
    return put_together([*chunks, (b"LABL", packed(bytes(side * side))), *groups, (b"DONE", b"")])


def shapes(count=1, height=2, width=2):
    sides = packed(bytes([height]) * count + bytes([width]) * count + bytes(count))
    labels = packed(b"\1" * (count * height * width))
    return b"SHAP", struct.pack(">II", count, len(sides)) + sides + labels


ONE_SQUARE = b"\2\0\0\0\0\0"
ALL_PIXELS = {"maps": b"\xff" * (SIDE * SIDE // 8), "labels": b"\1" * SIDE * SIDE}
COSTLY_ANIMATIONS = {
    "many frames": animated_file(60_001, changes(1, [0] * 60_000), side=1),
    "all blocks at side 1": animated_file(3, *(changes(k, [1], **ALL_PIXELS) for k in (1, 2))),
}
# Few bytes, and much work.
TIRING_ANIMATIONS = {
    "all blocks, again and again": animated_file(
        21, *[changes(k, [1], **ALL_PIXELS) for k in range(1, 21)]
    ),
    "empty maps": animated_file(
        21, *[changes(k, [1], maps=bytes(SIDE * SIDE // 8)) for k in range(1, 21)]
    ),
    "a shape painted in each frame": animated_file(
        5001, shapes(), changes(1, [0] * 5000, [1] * 5000, placements=ONE_SQUARE * 5000), side=9
    ),
    "a shape that joins many in each frame": animated_file(
        41,
        *(chunk for k in range(1, 41) for chunk in (shapes(1 if k > 1 else 60_000), changes(k))),
        side=99,
    ),
    "a codebook for each frame": animated_file(
        41, *(chunk for k in range(1, 41) for chunk in ((b"CODE", b"\7\11"), changes(k)))
    ),
}
ANIMATED_BOMBS = {
    "counts": changes(1, bytes(1000)),
    "maps": changes(1, [1], maps=MUCH, labels=b"\1"),
    "labels": changes(1, [1], maps=bytes(SIDE * SIDE // 8), labels=MUCH),
    "placements": changes(1, placed=[1], placements=MUCH),
    "placements that are not there": changes(1, placed=[SIDE * SIDE // 4], placements=b"\2"),
    "pixels painted": changes(
        1, placed=[SIDE * SIDE // 4], placements=b"\2" + bytes(SIDE * SIDE * 3 // 2 - 1)
    ),
    "pixels of a group": changes(
        1, [1] * 5, maps=ALL_PIXELS["maps"] * 5, labels=ALL_PIXELS["labels"] * 5
    ),
}


@pytest.mark.parametrize("name", COSTLY_ANIMATIONS)
def test_animations_take_memory_by_their_pixels(name):
    read_cheaply(kqf.check, COSTLY_ANIMATIONS[name])


@pytest.mark.parametrize("name", TIRING_ANIMATIONS)
def test_the_work_for_animations_is_limited(name):
    data = TIRING_ANIMATIONS[name]
    assert len(data) < 300_000
    with pytest.raises(kqf.LimitError, match="max_work"):
        read_cheaply(lambda source: kqf.check(source, max_work=16 * SIDE * SIDE), data)
    kqf.check(data, max_work=48 * SIDE * SIDE)


@pytest.mark.parametrize("name", ANIMATED_BOMBS)
def test_animations_that_ask_for_too_much_are_refused(name):
    data = animated_file(2 if name != "pixels of a group" else 6, shapes(), ANIMATED_BOMBS[name])
    with pytest.raises(kqf.FormatError):
        read_cheaply(kqf.check, data)


def test_a_batch_enters_no_folder_by_a_link(folder):
    for name in ("in", "elsewhere"):
        Path(name).mkdir()
        draw(f"{name}/{name}.bmp", many())
    Path("in/link").symlink_to(folder / "elsewhere")
    Path("in/up").symlink_to(folder)
    run_batch("in", "-o", "out")
    assert names("out") == ["in.kqf"]


def test_a_batch_leaves_the_sources_of_links_alone(folder):
    Path("in").mkdir()
    draw("secret.bmp", many())
    before = Path("secret.bmp").read_bytes()
    Path("in/a.bmp").symlink_to(folder / "secret.bmp")
    run_batch("in", "-o", "out")
    assert names("out") == ["a.kqf"]
    assert not Path("out/a.kqf").is_symlink()
    assert names() == ["in", "out", "secret.bmp"]
    assert Path("secret.bmp").read_bytes() == before


def test_names_from_a_list_stay_in_the_output_folder(folder):
    Path("in/deep").mkdir(parents=True)
    draw("in/a.bmp", many())
    draw("b.bmp", many())
    draw("in/few.png", few())
    listed = f"in/deep/../a.bmp\n{folder}/b.bmp\n"
    run_batch("--list", "-o", "out/deep", stdin=listed)
    assert names("out/deep") == ["a.kqf", "b.kqf"]
    assert names("out") == ["deep"]
    assert names() == ["b.bmp", "in", "out"]
