"""Damaged files: what is whole of them is read, and what is lost is told."""

import json
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kqf
import kqf.format.chunks

WIDTH, HEIGHT, TILE = 40, 30, 12
VECTORS = Path(__file__).parents[2] / "spec" / "vectors"
# Of animations, the image alone is read; where the overviews alone are wrong, it is whole.
INVALID = [
    VECTORS / "invalid" / name
    for name, entry in json.loads((VECTORS / "manifest.json").read_text())["invalid"].items()
    if not entry.keys() & {"frames", "overviews"}
]


def make_file(predictor="left", tile=TILE, rows=HEIGHT, **options):
    """Return labels and a file, of 12 tiles unless told otherwise."""
    rng = np.random.default_rng(3)
    y, x = np.indices((rows, WIDTH))
    labels = ((x * y // 40 + rng.integers(0, 3, y.shape)) % 20).astype(np.uint8)
    codebook = rng.integers(0, 256, (20, 3), dtype=np.uint8)
    metadata = {"comment": "a comment", "exif": b"some exif", "dpi": (72.0, 72.0)}
    data = kqf.encode_indexed(
        labels, codebook, predictor=predictor, tile=tile, metadata=metadata, **options
    )
    return labels, data


def take_apart(data):
    """Return (offset, type, payload) of each chunk."""
    chunks, at = [], 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        chunks.append((at, kind, data[at + 8 : at + 8 + length]))
        at += length + 12
    return chunks


def without(data, *kinds):
    chunks = take_apart(data)
    cut = [(at, at + len(payload) + 12) for at, kind, payload in chunks if kind in kinds]
    for start, end in reversed(cut):
        data = data[:start] + data[end:]
    return data


def offsets_of(data, kind):
    return [at for at, found, _ in take_apart(data) if found == kind]


def salvage(data, **options):
    """Return the image and the warning, None if there is none."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        image = kqf.read_indexed(data, errors="salvage", **options)
    assert all(each.category is kqf.DamageWarning for each in caught)
    assert len(caught) <= 1
    return image, caught[0].message if caught else None


def check_rest(found, labels, lost, boxes, doubtful=None):
    """Check that all tiles are right but the lost ones, which are label 0, and doubtful rows."""
    expected = labels.copy()
    if doubtful:
        left, upper, right, lower = doubtful
        expected[upper:lower, left:right] = found.labels[upper:lower, left:right]
    for left, upper, right, lower in boxes:
        expected[upper:lower, left:right] = 0
    assert np.array_equal(found.labels, expected)
    assert tuple(boxes) == tuple(lost)


def box_of(number):
    row, column = divmod(number, -(-WIDTH // TILE))
    right, lower = min(column * TILE + TILE, WIDTH), min(row * TILE + TILE, HEIGHT)
    return column * TILE, row * TILE, right, lower


@pytest.mark.parametrize("predictor", ["none", "left", "up"])
@pytest.mark.parametrize("tile", [TILE, 64])
def test_a_sound_file_is_read_as_ever_without_a_warning(predictor, tile):
    labels, data = make_file(predictor, tile)
    found, warning = salvage(data)
    assert warning is None
    assert np.array_equal(found.labels, labels)
    assert found.metadata == kqf.read_indexed(data).metadata
    assert np.array_equal(kqf.decode(data, errors="salvage"), kqf.decode(data))


def test_chunks_of_unknown_type_are_no_damage():
    labels, data = make_file()
    at = offsets_of(data, b"tidx")[0]
    crc = kqf.format.chunks.crc_of(b"newc", b"123")
    data = data[:at] + b"\0\0\0\3newc123" + crc.to_bytes(4, "big") + data[at:]
    found, warning = salvage(data)
    assert warning is None
    assert np.array_equal(found.labels, labels)


@pytest.mark.parametrize("predictor", ["none", "left", "up"])
@pytest.mark.parametrize(("tile", "index"), [(TILE, True), (TILE, False), (64, False)])
@pytest.mark.slow
def test_no_single_flipped_bit_costs_a_pixel(predictor, tile, index):
    labels, data = make_file(predictor, tile, rows=14)
    if not index:
        data = without(data, b"tidx")
    meant = kqf.read_indexed(data)
    # Each bit of a byte comes up in turn. tools/stress/damage.py damages every byte.
    for bit in range(0, 8 * len(data), 9):
        spoiled = bytearray(data)
        spoiled[bit // 8] ^= 1 << bit % 8
        with pytest.raises(kqf.KqfError):
            kqf.check(spoiled)
        found, warning = salvage(spoiled)
        assert np.array_equal(found.labels, labels)
        assert np.array_equal(found.codebook, meant.codebook)
        assert found.metadata == meant.metadata
        assert not warning.lost
        assert warning.notes


@pytest.mark.parametrize("predictor", ["none", "left", "up"])
@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("number", [0, 5, 11])
def test_a_damaged_tile_costs_itself_alone(predictor, index, number):
    labels, data = make_file(predictor)
    data = data if index else without(data, b"tidx")
    at = offsets_of(data, b"LABL")[number]
    spoiled = data[: at + 20] + b"\0\xff\0" + data[at + 23 :]
    found, warning = salvage(spoiled)
    check_rest(found, labels, warning.lost, [box_of(number)])
    assert warning.tiles == 12
    assert f"1 of 12 tiles are lost: {box_of(number)}" in str(warning)


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize(
    ("change", "lost"),
    [
        (lambda piece: piece[:20] + piece[23:], [4]),
        (lambda piece: piece[:20] + b"junk" + piece[20:], [4]),
        (lambda piece: piece + b"junk", []),
    ],
)
def test_bytes_dropped_or_inserted_cost_at_most_one_tile(index, change, lost):
    labels, data = make_file()
    data = data if index else without(data, b"tidx")
    start, end = offsets_of(data, b"LABL")[4:6]
    found, warning = salvage(data[:start] + change(data[start:end]) + data[end:])
    check_rest(found, labels, warning.lost, [box_of(number) for number in lost])


def test_a_tile_that_is_missing_costs_itself_where_an_index_tells_which():
    labels, data = make_file()
    start, end = offsets_of(data, b"LABL")[4:6]
    found, warning = salvage(data[:start] + data[end:])
    check_rest(found, labels, warning.lost, [box_of(4)])
    # Without it nobody knows which one of those left is which.
    shorter = without(data, b"tidx")
    start, end = offsets_of(shorter, b"LABL")[4:6]
    # A byte inserted elsewhere has no room for it, so that it is not missing there.
    later = offsets_of(shorter, b"LABL")[7]
    for inserted in (b"", b"\0"):
        with pytest.raises(kqf.FormatError, match="LABL: count"):
            salvage(shorter[:start] + shorter[end:later] + inserted + shorter[later:])


@pytest.mark.parametrize("index", [True, False])
def test_tiles_whose_heads_are_lost_cost_themselves(index):
    labels, data = make_file()
    data = data if index else without(data, b"tidx")
    places = offsets_of(data, b"LABL")
    spoiled = bytearray(data)
    spoiled[places[3] : places[3] + 30] = bytes(30)
    spoiled[places[8] : places[8] + 30] = bytes(30)
    found, warning = salvage(spoiled)
    # Those between can't be counted from either end.
    lost = [3, 8] if index else [3, 4, 5, 6, 7, 8]
    check_rest(found, labels, warning.lost, [box_of(number) for number in lost])


def test_damage_that_hides_a_tile_leads_no_other_astray():
    labels, data = make_file("none", effort=1)
    data = without(data, b"tidx")
    tenth, eleventh, end = [*offsets_of(data, b"LABL")[10:], *offsets_of(data, b"DONE")]
    # What is left of two looks like one, and the chunks before are one fewer than they should be.
    spoiled = data[: tenth + 24] + data[tenth + 24 + end - eleventh :]
    first = offsets_of(data, b"LABL")[0]
    found, warning = salvage(spoiled)
    check_rest(found, labels, warning.lost, [box_of(10), box_of(11)])
    with pytest.raises(kqf.FormatError, match="LABL: count"):
        salvage(spoiled[: first - 20] + spoiled[first - 10 :])


@pytest.mark.parametrize("index", [True, False])
def test_a_file_that_breaks_off_gives_the_tiles_before(index):
    labels, data = make_file()
    data = data if index else without(data, b"tidx")
    places = [*offsets_of(data, b"LABL"), *offsets_of(data, b"DONE")]
    in_part = 0
    for end in range(len(data)):
        whole = sum(end >= place for place in places[1:])
        try:
            found, warning = salvage(data[:end])
        except kqf.FormatError:
            assert not whole
            continue
        lost = [box_of(number) for number in range(whole, 12)]
        if warning.doubtful:
            # Its upper rows, which are right as the rest of the file is not damaged.
            left, upper, right, lower = box_of(whole)
            *sides, first_lost = warning.doubtful
            assert tuple(sides) == (left, upper, right)
            lost[:1] = [(left, first_lost, right, lower)] if first_lost < lower else []
            in_part += 1
        check_rest(found, labels, warning.lost, lost)
        assert "it does not end with DONE" in warning.notes
    assert in_part > 12


@pytest.mark.parametrize("predictor", ["none", "left", "up"])
def test_the_first_rows_of_a_single_tile_that_is_cut_off_are_read(predictor):
    labels, data = make_file(predictor, tile=64)
    start, end = offsets_of(data, b"LABL")[0], offsets_of(data, b"DONE")[0]
    found, warning = salvage(data[: (start + end) // 2])
    left, upper, right, lower = warning.doubtful
    assert (left, upper, right) == (0, 0, WIDTH)
    assert 0 < lower < HEIGHT
    assert np.array_equal(found.labels[:lower], labels[:lower])
    assert warning.lost == ((0, lower, WIDTH, HEIGHT),)
    assert not found.labels[lower:].any()
    assert "1 of 1 tiles are lost, one of them in part" in str(warning)
    assert f"{warning.doubtful} was read without its checksum" in str(warning)


def test_the_rows_before_a_wrong_symbol_are_read():
    rows = np.tile(np.arange(4, dtype=np.uint8), (20, 5))
    data = kqf.encode_indexed(rows, np.zeros((4, 1), np.uint8), tile=32, predictor="none")
    rows[7, 3] = 9
    stream = zlib.compress(rows.tobytes(), 0)
    head = len(stream).to_bytes(4, "big") + b"LABL"
    found, warning = salvage(data[: offsets_of(data, b"LABL")[0]] + head + stream[:-20])
    assert warning.doubtful == (0, 0, 20, 7)
    assert warning.lost == ((0, 7, 20, 20),)
    assert np.array_equal(found.labels[:7], rows[:7])


def test_the_warning_names_the_line_of_the_caller():
    cut = make_file()[1][:-30]
    for read in (kqf.decode, kqf.read, kqf.read_indexed):
        with pytest.warns(kqf.DamageWarning) as caught:
            read(cut, errors="salvage")
        assert caught[0].filename == __file__


def test_salvaged_metadata_is_in_the_order_of_a_sound_file():
    data = make_file()[1]
    metadata = kqf.read_indexed(data).metadata
    assert len(metadata) > 2
    assert list(salvage(data[:-1])[0].metadata) == list(metadata)


def test_what_follows_the_end_can_be_ignored():
    labels, data = make_file()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for rest in (b"", b"x", bytes(100_000), bytes(65_530)):
            found = kqf.read_indexed(data + rest, errors="salvage", trailing="ignore")
            assert np.array_equal(found.labels, labels)


def test_a_checksum_that_is_cut_off_costs_no_pixel():
    labels, data = make_file("none", tile=64)
    end = offsets_of(data, b"DONE")[0]
    found, warning = salvage(data[: end - 2])
    assert np.array_equal(found.labels, labels)
    assert warning.lost == ()
    assert warning.doubtful == (0, 0, WIDTH, HEIGHT)


def test_what_follows_the_end_is_no_matter():
    labels, data = make_file()
    found, warning = salvage(data + b"and more")
    assert np.array_equal(found.labels, labels)
    assert not warning.lost


def test_only_the_tiles_of_a_region_are_told():
    labels, data = make_file()
    places = offsets_of(data, b"LABL")
    spoiled = bytearray(data)
    for number in (0, 6):
        spoiled[places[number] + 12 : places[number] + 20] = bytes(8)
    found, warning = salvage(spoiled, region=(20, 10, 40, 20))
    expected = labels[10:20, 20:40].copy()
    expected[2:, 4:16] = 0
    assert np.array_equal(found.labels, expected)
    assert warning.lost == (box_of(6),)
    found, warning = salvage(spoiled, region=(30, 25, 40, 30))
    assert warning is None


def test_metadata_that_is_lost_is_told():
    labels, data = make_file()
    at = data.index(b"some exif")
    found, warning = salvage(data[:at] + b"SOME" + data[at + 4 :])
    assert set(found.metadata) == {"comment", "dpi"}
    assert warning.notes == ("exif is lost",)
    assert np.array_equal(found.labels, labels)


@pytest.mark.parametrize("kind", [b"HEAD", b"CODE", b"RANK"])
def test_without_what_every_tile_needs_there_is_nothing(kind):
    data = make_file()[1]
    at = offsets_of(data, kind)[0]
    spoiled = data[: at + 10] + bytes(8) + data[at + 18 :]
    with pytest.raises(kqf.FormatError, match=kind.decode()):
        salvage(spoiled)


def test_without_a_whole_tile_there_is_nothing():
    data = make_file()[1]
    with pytest.raises(kqf.FormatError, match="LABL: count: expected a whole one"):
        salvage(data[: offsets_of(data, b"LABL")[0] + 12])


def test_other_files_are_told_by_their_signature():
    with pytest.raises(kqf.FormatError, match="not a KQF file: it looks like a PNG image"):
        salvage(b"\x89PNG\r\n\x1a\n" + bytes(100))


def test_limits_hold():
    data = make_file()[1]
    with pytest.raises(kqf.LimitError, match="max_pixels"):
        salvage(data, max_pixels=100)
    with pytest.raises(kqf.LimitError, match="max_metadata"):
        salvage(data, max_metadata=20)
    with pytest.raises(kqf.LimitError, match="max_chunks"):
        salvage(data, max_chunks=3)


def test_an_image_of_which_hardly_anything_can_be_there_is_refused():
    data = make_file("none", 64)[1]
    head = struct.pack(">4I4B", 10_000, 10_000, 1, 1, 1, 3, 19, 0)
    crc = kqf.format.chunks.crc_of(b"HEAD", head)
    lie = data[:16] + head + crc.to_bytes(4, "big") + data[40:]
    with pytest.raises(kqf.TruncatedError, match="LABL: count"):
        salvage(lie)


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.name)
def test_no_file_that_breaks_a_rule_is_passed_off_as_whole(path):
    try:
        found, warning = salvage(path)
    except kqf.KqfError:
        return
    assert found.labels.size
    assert isinstance(warning, kqf.DamageWarning)
    assert str(warning)


def test_damaged_overviews_cost_no_pixel():
    labels = np.random.default_rng(0).integers(0, 9, (600, 900), np.uint8)
    codebook = np.arange(27, dtype=np.uint8).reshape(9, 3)
    file = kqf.encode_indexed(labels, codebook, overviews=True, effort=1, tile=300)
    for kind, at in ((b"oidx", 4), (b"oidx", -4), (b"over", -4), (b"over", 0), (b"over", 90)):
        spoiled = bytearray(file)
        place = file.index(kind) + at
        spoiled[place : place + 4] = bytes(4)
        found, warning = salvage(bytes(spoiled))
        assert np.array_equal(found.labels, labels), (kind, at)
        assert isinstance(warning, kqf.DamageWarning)


def test_an_unknown_value_of_errors_is_refused():
    with pytest.raises(ValueError, match="'strict' or 'salvage', not 'ignore'"):
        kqf.decode(make_file()[1], errors="ignore")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_of_any_damage_what_is_not_told_as_lost_is_right(data):
    predictor = data.draw(st.sampled_from(["none", "left", "up"]))
    labels, file = make_file(predictor, effort=1)
    if data.draw(st.booleans()):
        file = without(file, b"tidx")
    spoiled = bytearray(file)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(spoiled)))
        end = at + data.draw(st.integers(0, 60))
        spoiled[at:end] = data.draw(st.binary(max_size=60))
    try:
        found, warning = salvage(bytes(spoiled))
    except kqf.KqfError:
        return
    lost, doubtful = (warning.lost, warning.doubtful) if warning else ((), None)
    check_rest(found, labels, lost, lost, doubtful)
