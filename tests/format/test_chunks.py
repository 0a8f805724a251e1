import io
import struct
import zlib

import numpy as np
import pytest
from conftest import chunk, head, metadata_entries, put_together, take_apart
from hypothesis import given
from hypothesis import strategies as st

from kqf.errors import FormatError, KqfError, LimitError, TruncatedError, UnsupportedError
from kqf.format.header import Head
from kqf.format.metadata import build_metadata, parse_metadata
from kqf.format.reader import ImageReader
from kqf.format.writer import build

ONE = zlib.compress(b"\0")
CODE = (b"CODE", b"\x07")
LABL = (b"LABL", ONE)
DONE = (b"DONE", b"")
MIB = 2**20


def read_all(data, **limits):
    """Read every chunk of a file, and return its reader and streams."""
    reader = ImageReader(io.BytesIO(data), len(data), **limits)
    streams = [stream for _, stream in reader.tiles(range(reader.head.tiles))]
    reader.finish()
    return reader, streams


def refused(parts, kind=FormatError, **limits):
    with pytest.raises(KqfError) as caught:
        read_all(put_together(parts), **limits)
    assert type(caught.value) is kind
    return caught.value


def with_prologue(*extra):
    return [head(), CODE, *extra, LABL, DONE]


# --- building and parsing


def test_a_file_of_one_pixel_byte_by_byte():
    built = build(Head(1, 1, 1, 1, 1, 0, 0), np.array([[7]], np.uint8), None, {}, [ONE])
    by_hand = (
        "89 4b 51 46 0d 0a 1a 0a"
        "00 00 00 14 48 45 41 44 00 00 00 01 00 00 00 01 00 00 00 01 00 00 00 01 01 01 00 00"
        + zlib.crc32(b"HEAD" + b"\0\0\0\1" * 4 + b"\1\1\0\0").to_bytes(4, "big").hex()
        + "00 00 00 01 43 4f 44 45 07"
        + zlib.crc32(b"CODE\7").to_bytes(4, "big").hex()
        + "00 00 00 09 4c 41 42 4c"
        + ONE.hex()
        + zlib.crc32(b"LABL" + ONE).to_bytes(4, "big").hex()
        + "00 00 00 00 44 4f 4e 45"
        + zlib.crc32(b"DONE").to_bytes(4, "big").hex()
    )
    assert built == bytes.fromhex(by_hand)
    reader, streams = read_all(built)
    assert reader.head == Head(1, 1, 1, 1, 1, 0, 0)
    assert reader.codebook.tolist() == [[7]]
    assert streams == [ONE]


@st.composite
def files(draw):
    columns, rows = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    tile_width, tile_height = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    width = columns * tile_width - draw(st.integers(0, tile_width - 1))
    height = rows * tile_height - draw(st.integers(0, tile_height - 1))
    channels, last_label = draw(st.integers(1, 4)), draw(st.integers(0, 255))
    predictor = draw(st.integers(0, 2))
    header = Head(width, height, tile_width, tile_height, channels, last_label, predictor)
    payload = draw(st.binary(min_size=(last_label + 1) * channels, max_size=1100))
    codebook = np.frombuffer(payload, np.uint8, (last_label + 1) * channels)
    ranking = draw(st.binary(min_size=9, max_size=60)) if predictor else None
    stream = st.binary(min_size=9, max_size=30)
    streams = [draw(stream) for _ in range(columns * rows)]
    return header, codebook.reshape(-1, channels), ranking, draw(metadata_entries), streams


@given(files())
def test_parsing_gives_back_all_that_was_built(file):
    header, codebook, ranking, metadata, streams = file
    reader, found = read_all(build(header, codebook, ranking, build_metadata(metadata), streams))
    assert reader.head == header
    assert reader.codebook.tolist() == codebook.tolist()
    assert reader.ranking == ranking
    assert reader.metadata == metadata
    assert found == streams


@given(files())
def test_chunks_stand_in_the_order_of_the_specification(file):
    header, codebook, ranking, metadata, streams = file
    kinds = [
        kind
        for kind, _ in take_apart(
            build(header, codebook, ranking, build_metadata(metadata), streams)
        )
    ]
    types = {
        "icc_profile": b"iccp",
        "exif": b"exif",
        "xmp": b"xmp ",
        "dpi": b"phys",
        "comment": b"text",
    }
    expected = [b"HEAD", b"CODE"] + [b"RANK"] * (ranking is not None)
    expected += [kind for key, kind in types.items() if key in metadata]
    expected += [b"tidx"] * (len(streams) > 1) + [b"LABL"] * len(streams) + [b"DONE"]
    assert kinds == expected


@given(files(), st.data())
def test_some_tiles_are_found_with_and_without_an_index(file, data):
    header, codebook, ranking, metadata, streams = file
    built = build(header, codebook, ranking, build_metadata(metadata), streams)
    plain = put_together([part for part in take_apart(built) if part[0] != b"tidx"])
    wanted = sorted(data.draw(st.sets(st.integers(0, header.tiles - 1), min_size=1)))
    for whole in (built, plain):
        reader = ImageReader(io.BytesIO(whole), len(whole))
        assert list(reader.tiles(wanted)) == [(number, streams[number]) for number in wanted]


def test_the_index_holds_the_length_of_each_stream():
    header = Head(3, 1, 1, 1, 1, 0, 0)
    streams = [ONE + bytes(n) for n in range(3)]
    parts = dict(take_apart(build(header, np.zeros((1, 1), np.uint8), None, {}, streams)))
    assert parts[b"tidx"] == struct.pack(">3I", 9, 10, 11)


def test_tiles_are_numbered_by_rows_and_cut_off_at_the_edges():
    header = Head(5, 3, 2, 2, 1, 0, 0)
    assert (header.columns, header.rows, header.tiles) == (3, 2, 6)
    assert [header.tile_box(number) for number in range(6)] == [
        (0, 0, 2, 2), (2, 0, 4, 2), (4, 0, 5, 2),
        (0, 2, 2, 3), (2, 2, 4, 3), (4, 2, 5, 3),
    ]  # fmt: skip


def test_tiles_may_be_larger_than_the_image():
    parts = [head(2, 3, tile=(2**31 - 1, 2**31 - 1)), CODE, LABL, DONE]
    reader, _ = read_all(put_together(parts))
    assert reader.head.tiles == 1
    assert reader.head.tile_box(0) == (0, 0, 2, 3)


def test_a_file_is_read_from_where_the_stream_stands():
    data = put_together(with_prologue())
    stream = io.BytesIO(b"before" + data)
    stream.seek(6)
    reader = ImageReader(stream, len(data))
    assert list(reader.tiles([0])) == [(0, ONE)]
    reader.finish()


# --- metadata


@given(metadata_entries)
def test_metadata_comes_back_as_it_was(metadata):
    assert parse_metadata(dict(build_metadata(metadata))) == metadata


@given(st.tuples(st.integers(1, 2**31 - 1), st.integers(1, 2**31 - 1)))
def test_densities_of_three_decimals_come_back_as_they_were(thousandths):
    dpi = tuple(number / 1000 for number in thousandths)
    assert parse_metadata(dict(build_metadata({"dpi": dpi}))) == {"dpi": dpi}


@given(st.tuples(st.floats(0.001, 1e6), st.floats(0.001, 1e6)))
def test_densities_are_kept_to_three_decimals(dpi):
    found = parse_metadata(dict(build_metadata({"dpi": dpi})))["dpi"]
    assert found == pytest.approx(dpi, abs=0.000501)


def test_a_density_is_pixels_in_so_many_micrometres():
    assert dict(build_metadata({"dpi": (300, 72)}))[b"phys"] == struct.pack(">3I", 300, 72, 25_400)
    half = struct.pack(">3I", 72_500, 300_000, 25_400_000)
    assert dict(build_metadata({"dpi": (72.5, 300)}))[b"phys"] == half
    # Pixels in one metre, as other formats have it.
    found = parse_metadata({b"phys": struct.pack(">3I", 10_000, 20_000, 1_000_000)})
    assert found["dpi"] == pytest.approx((254, 508))


def test_a_comment_is_utf_8():
    assert dict(build_metadata({"comment": "é∂"})) == {b"text": "é∂".encode()}


@pytest.mark.parametrize("key", ["icc_profile", "exif", "xmp"])
@pytest.mark.parametrize("value", ["text", 3, None, [1]])
def test_raw_metadata_of_another_type_is_a_type_error(key, value):
    with pytest.raises(TypeError, match=f"'{key}' must be bytes, not {type(value).__name__}"):
        list(build_metadata({key: value}))


@pytest.mark.parametrize("value", [5, None, (1,), (1, 2, 3), ("x", 1)])
def test_a_density_that_is_not_two_numbers_is_a_type_error(value):
    with pytest.raises(TypeError, match="'dpi' must be two numbers, not"):
        list(build_metadata({"dpi": value}))


@pytest.mark.parametrize(
    "value", [(0, 1), (1, -1), (2**32, 1), (float("nan"), 1), (float("inf"), 1)]
)
def test_a_density_out_of_range_is_a_value_error(value):
    with pytest.raises(ValueError, match=r"'dpi' must be (1|0.001)"):
        list(build_metadata({"dpi": value}))


@pytest.mark.parametrize("value", [b"bytes", 3, None])
def test_a_comment_of_another_type_is_a_type_error(value):
    with pytest.raises(TypeError, match="'comment' must be a str"):
        list(build_metadata({"comment": value}))


def test_a_comment_with_nul_is_refused():
    with pytest.raises(ValueError, match="no NUL"):
        list(build_metadata({"comment": "a\0b"}))


def test_a_comment_that_utf_8_cannot_hold_is_a_value_error():
    with pytest.raises(ValueError, match="surrogates not allowed"):
        list(build_metadata({"comment": "\ud800"}))


def test_an_unknown_key_is_a_value_error():
    with pytest.raises(ValueError, match="unknown metadata 'title': expected one of icc_profile"):
        list(build_metadata({"title": "x"}))


@pytest.mark.parametrize("entry", [{"exif": b""}, {"comment": ""}])
def test_an_empty_value_is_a_value_error(entry):
    with pytest.raises(ValueError, match="takes 0 bytes: expected 1 to"):
        list(build_metadata(entry))


def test_a_value_beyond_16_mib_is_a_value_error():
    assert len(dict(build_metadata({"exif": bytes(16 * MIB)}))[b"exif"]) == 16 * MIB
    with pytest.raises(ValueError, match="'exif' takes 16777217 bytes: expected 1 to 16777216"):
        list(build_metadata({"exif": bytes(16 * MIB + 1)}))


# --- what a reader refuses


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("width", {"width": 0}),
        ("width", {"width": 2**31}),
        ("height", {"height": 0}),
        ("height", {"height": 2**31}),
        ("tile_width", {"tile": (0, 1)}),
        ("tile_width", {"tile": (2**31, 1)}),
        ("tile_height", {"tile": (1, 0)}),
        ("tile_height", {"tile": (1, 2**31)}),
        ("channels", {"channels": 0}),
        ("channels", {"channels": 5}),
        ("predictor", {"predictor": 3}),
        ("predictor", {"predictor": 255}),
    ],
)
def test_a_header_field_out_of_range_is_named(field, fields):
    error = refused([head(**fields), CODE, LABL, DONE])
    assert (error.chunk, error.field) == ("HEAD", field)


@pytest.mark.parametrize("version", [0, 3, 255])
def test_another_version_is_unsupported(version):
    error = refused([head(version=version), CODE, LABL, DONE], UnsupportedError)
    assert (error.chunk, error.field, error.found) == ("HEAD", "version", version)


RANK = (b"RANK", zlib.compress(b"\0"))


@pytest.mark.parametrize(
    ("chunk_name", "field", "parts"),
    [
        ("file", "chunk order", [CODE, LABL, DONE]),
        ("file", "chunk order", [head(), LABL, DONE]),
        ("file", "chunk order", [CODE, head(), LABL, DONE]),
        ("file", "chunk order", [(b"text", b"x"), head(), CODE, LABL, DONE]),
        ("file", "chunk order", [head(), (b"text", b"x"), CODE, LABL, DONE]),
        ("file", "chunk order", with_prologue(head())),
        ("file", "chunk order", with_prologue(CODE)),
        ("file", "chunk order", [head(), CODE, DONE]),
        ("file", "chunk order", [head(), CODE, LABL, LABL, DONE]),
        ("file", "chunk order", [head(2, 1, tile=(1, 1)), CODE, LABL, DONE, LABL]),
        ("file", "chunk order", [head(), CODE, LABL, (b"text", b"x"), DONE]),
        ("file", "chunk order", [head(), CODE, LABL, (b"abcd", b""), DONE]),
        ("file", "end", [head(), CODE, LABL, DONE, (b"abcd", b"")]),
        ("file", "end", [head(), CODE, LABL, DONE, DONE]),
        ("HEAD", "length", [(b"HEAD", head()[1] + b"\0"), CODE, LABL, DONE]),
        ("HEAD", "length", [(b"HEAD", head()[1][:-1]), CODE, LABL, DONE]),
        ("CODE", "length", [head(), (b"CODE", b"\7\7"), LABL, DONE]),
        ("CODE", "length", [head(), (b"CODE", b""), LABL, DONE]),
        ("DONE", "length", [head(), CODE, LABL, (b"DONE", b"\0")]),
        ("RANK", "count", with_prologue(RANK)),
        ("RANK", "count", [head(predictor=1), CODE, LABL, DONE]),
        ("RANK", "count", [head(predictor=1), CODE, RANK, RANK, LABL, DONE]),
        ("RANK", "length", [head(predictor=2), CODE, (b"RANK", ONE[:8]), LABL, DONE]),
        ("RANK", "length", [head(predictor=2), CODE, (b"RANK", bytes(2**17)), LABL, DONE]),
        ("text", "count", with_prologue((b"text", b"x"), (b"text", b"x"))),
        ("text", "length", with_prologue((b"text", b""))),
        ("text", "payload", with_prologue((b"text", b"a\xff"))),
        ("text", "payload", with_prologue((b"text", b"a\0"))),
        ("iccp", "length", with_prologue((b"iccp", b""))),
        ("phys", "length", with_prologue((b"phys", bytes(11)))),
        ("phys", "x_pixels", with_prologue((b"phys", struct.pack(">3I", 0, 1, 1)))),
        ("phys", "y_pixels", with_prologue((b"phys", struct.pack(">3I", 1, 0, 1)))),
        ("phys", "unit_micrometres", with_prologue((b"phys", struct.pack(">3I", 1, 1, 0)))),
        ("tidx", "length", with_prologue((b"tidx", bytes(8)))),
        ("tidx", "lengths[0]", with_prologue((b"tidx", struct.pack(">I", len(ONE) + 1)))),
        ("tidx", "count", with_prologue(*2 * [(b"tidx", struct.pack(">I", len(ONE)))])),
        ("LABL", "zlib stream", [head(), CODE, (b"LABL", ONE[:8]), DONE]),
        ("LABL", "zlib stream", [head(9289, 1), CODE, LABL, DONE]),
    ],
)
def test_a_broken_rule_is_named(chunk_name, field, parts):
    error = refused(parts)
    assert (error.chunk, error.field) == (chunk_name, field)


@pytest.mark.parametrize("kind", [b"ANIM", b"Abcd", b"LaBL"])
def test_an_unknown_critical_chunk_is_unsupported(kind):
    assert refused(with_prologue((kind, b"x")), UnsupportedError).found == kind.decode()


@pytest.mark.parametrize("kind", [b"anim", b"aBCD", b"x 1 "])
def test_an_unknown_ancillary_chunk_is_skipped_however_often(kind):
    reader, streams = read_all(put_together(with_prologue((kind, b""), (kind, b"x"))))
    assert (reader.metadata, streams) == ({}, [ONE])


@pytest.mark.parametrize("kind", [b"\0bcd", b"1abc", b" abc", b"ab-d", b"ab\xe9d", b"abc\n"])
def test_a_chunk_type_of_other_characters_is_refused(kind):
    assert refused(with_prologue((kind, b""))).field == "chunk type"


def test_an_unknown_chunk_with_a_wrong_crc_is_refused():
    wrong = chunk(b"abcd", b"x")[:-1] + b"\0"
    assert wrong != chunk(b"abcd", b"x")
    file = put_together([head(), CODE]) + wrong + chunk(*LABL) + chunk(*DONE)
    with pytest.raises(FormatError, match="abcd: crc: expected"):
        read_all(file)


@pytest.mark.parametrize("number", range(4))
def test_a_wrong_crc_is_refused_in_every_chunk(number):
    parts = with_prologue()
    data = b"".join(
        chunk(*part)[:-1] + bytes([chunk(*part)[-1] ^ (index == number)])
        for index, part in enumerate(parts)
    )
    with pytest.raises(FormatError) as caught:
        read_all(b"\x89KQF\r\n\x1a\n" + data)
    assert (caught.value.chunk, caught.value.field) == (parts[number][0].decode(), "crc")


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"\x89PNG\r\n\x1a\n", "not a KQF file: it looks like a PNG image"),
        (b"\x89KQF\n\x1a\n\0", "the signature of KQF is damaged, as by a transfer as text"),
        (b"\x09KQF\r\n\x1a\n", "the signature of KQF is damaged, as by a transfer as text"),
        (b"xyz", "not a KQF file: it begins with 78 79 7a"),
    ],
)
def test_another_signature_is_refused_and_not_taken_for_truncation(start, message):
    with pytest.raises(FormatError) as caught:
        ImageReader(io.BytesIO(start), len(start))
    assert type(caught.value) is FormatError
    assert (caught.value.chunk, caught.value.field) == ("file", "signature")
    assert caught.value.expected == "89 4b 51 46 0d 0a 1a 0a"
    assert str(caught.value) == message


def test_part_of_a_signature_is_truncated():
    for length in range(8):
        with pytest.raises(TruncatedError):
            ImageReader(io.BytesIO(b"\x89KQF\r\n\x1a\n"[:length]), length)


def test_a_length_beyond_the_file_is_truncated_and_not_believed():
    class Recorder(io.BytesIO):
        most = 0

        def read(self, count=-1):
            assert count >= 0
            self.most = max(self.most, count)
            return super().read(count)

    data = put_together([head(), CODE]) + struct.pack(">I", 15 * MIB) + b"exif" + bytes(9)
    stream = Recorder(data)
    with pytest.raises(TruncatedError, match="exif: payload: expected 15728640 bytes, found 9"):
        ImageReader(stream, len(data))
    assert stream.most < 100


def test_metadata_beyond_16_mib_is_refused_before_it_is_read():
    data = put_together([head(), CODE]) + struct.pack(">I", 16 * MIB + 1) + b"exif"
    with pytest.raises(FormatError, match="exif: length: expected at most 16777216") as caught:
        ImageReader(io.BytesIO(data), len(data))
    assert type(caught.value) is FormatError


def test_metadata_beyond_64_mib_in_all_is_refused():
    big = (b"abcd", bytes(16 * MIB))
    assert read_all(put_together(with_prologue(*4 * [big])))[1] == [ONE]
    error = refused(with_prologue(*4 * [big], (b"abcd", b"x")))
    assert (error.field, error.found) == ("length of all metadata", 64 * MIB + 1)


def test_metadata_up_to_the_callers_limit_is_taken_and_more_is_a_limit_error():
    # Unknown chunks count as well.
    parts = with_prologue((b"text", b"abc"), (b"what", b"de"), (b"exif", b"f"))
    assert read_all(put_together(parts), max_metadata=6)[0].metadata["exif"] == b"f"
    error = refused(parts, LimitError, max_metadata=5)
    assert (error.limit, error.allowed, error.found) == ("max_metadata", 5, 6)


def test_1024_chunks_may_stand_before_the_tiles_and_no_more():
    assert read_all(put_together(with_prologue(*1024 * [(b"abcd", b"")])))[1] == [ONE]
    assert refused(with_prologue(*1025 * [(b"abcd", b"")])).field == "chunks before LABL"


def test_an_index_that_leads_out_of_the_file_is_refused():
    parts = [head(2, 1, tile=(1, 1)), CODE, (b"tidx", struct.pack(">2I", 2**32 - 1, 9))]
    data = put_together([*parts, LABL, LABL, DONE])
    reader = ImageReader(io.BytesIO(data), len(data))
    with pytest.raises(FormatError, match="tidx: lengths"):
        list(reader.tiles([1]))


def test_an_index_that_leads_into_a_tile_is_refused():
    parts = [head(2, 1, tile=(1, 1)), CODE, (b"tidx", struct.pack(">2I", 8, 9))]
    data = put_together([*parts, LABL, LABL, DONE])
    reader = ImageReader(io.BytesIO(data), len(data))
    with pytest.raises(FormatError):
        list(reader.tiles([1]))
