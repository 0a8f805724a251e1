"""The image in a file, and the rules that its chunks keep."""

import io
import struct
import zlib

import pytest
from conftest import head, put_together, take_apart
from hypothesis import given
from hypothesis import strategies as st
from pieces_of_files import CODE, DONE, LABL, MIB, ONE, files, read_all, refused, with_prologue

from kqf.errors import FormatError, LimitError, UnsupportedError
from kqf.format.metadata import build_metadata
from kqf.format.reader import ImageReader
from kqf.format.writer import build


@given(files(), st.data())
def test_some_tiles_are_found_with_and_without_an_index(file, data):
    header, codebook, ranking, metadata, streams = file
    built = build(header, codebook, ranking, build_metadata(metadata), streams)
    plain = put_together([part for part in take_apart(built) if part[0] != b"tidx"])
    wanted = sorted(data.draw(st.sets(st.integers(0, header.tiles - 1), min_size=1)))
    for whole in (built, plain):
        reader = ImageReader(io.BytesIO(whole), len(whole))
        assert list(reader.tiles(wanted)) == [(number, streams[number]) for number in wanted]


def test_a_file_is_read_from_where_the_stream_stands():
    data = put_together(with_prologue())
    stream = io.BytesIO(b"before" + data)
    stream.seek(6)
    reader = ImageReader(stream, len(data))
    assert list(reader.tiles([0])) == [(0, ONE)]
    reader.finish()


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


@pytest.mark.parametrize("kind", [b"FILM", b"Abcd", b"LaBL"])
def test_an_unknown_critical_chunk_is_unsupported(kind):
    assert refused(with_prologue((kind, b"x")), UnsupportedError).found == kind.decode()


@pytest.mark.parametrize("kind", [b"anim", b"aBCD", b"x 1 "])
def test_an_unknown_ancillary_chunk_is_skipped_however_often(kind):
    reader, streams = read_all(put_together(with_prologue((kind, b""), (kind, b"x"))))
    assert (reader.metadata, streams) == ({}, [ONE])


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
