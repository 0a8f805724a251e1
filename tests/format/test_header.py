"""The header, with the grid of tiles that it states."""

import pytest
from conftest import head, put_together
from hypothesis import given
from hypothesis import strategies as st
from pieces_of_files import CODE, DONE, LABL, read_all, refused

from kqf.errors import UnsupportedError
from kqf.format.declarations import Header, Predictor
from kqf.format.header import Head, build_header, parse_header


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
    assert error.expected == "1 to 2"


@given(
    st.tuples(*[st.integers(1, 2**31 - 1)] * 4),
    st.integers(1, 4),
    st.integers(0, 255),
    st.sampled_from([Predictor.NONE, Predictor.LEFT, Predictor.UP]),
    st.booleans(),
)
def test_a_header_is_parsed_as_it_is_declared(sizes, channels, last_label, predictor, is_second):
    layout = (2, is_second) if is_second else (1, False)
    made = Head(*sizes, channels, last_label, predictor, *layout)
    payload = build_header(made)
    assert parse_header(payload) == made
    declared = Header.parse(payload)
    for name in ("width", "height", "tile_width", "tile_height", "channels", "last_label"):
        assert declared[name] == getattr(made, name)
