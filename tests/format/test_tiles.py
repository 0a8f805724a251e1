"""The payload of a tile, and tiles on the grid."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqf.errors import FormatError
from kqf.format.declarations import Predictor
from kqf.format.grid import (
    slices_within,
    touched_pixels,
    touched_tiles,
    with_contexts,
    with_shapes,
)
from kqf.format.header import Head
from kqf.format.tiles import check_tile_length, decode_rows, decode_tile

HEAD = Head(7, 5, 4, 3, 1, 9, Predictor.NONE)


@st.composite
def heads_and_boxes(draw):
    """Draw a grid of tiles and a box of at least one pixel in it."""
    width, height = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    tile = draw(st.integers(1, 14)), draw(st.integers(1, 14))
    predictor = draw(st.sampled_from([Predictor.NONE, Predictor.LEFT, Predictor.UP]))
    left, upper = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    right, lower = draw(st.integers(left + 1, width)), draw(st.integers(upper + 1, height))
    return Head(width, height, *tile, 1, 9, predictor), (left, upper, right, lower)


def mask(head, box):
    pixels = np.zeros((head.height, head.width), bool)
    left, upper, right, lower = box
    pixels[upper:lower, left:right] = True
    return pixels


@given(heads_and_boxes())
def test_the_tiles_that_a_box_touches_share_pixels_with_it(drawn):
    head, box = drawn
    shared = [
        number
        for number in range(head.tiles)
        if (mask(head, head.tile_box(number)) & mask(head, box)).any()
    ]
    assert list(touched_tiles(head, box)) == shared
    sizes = [mask(head, head.tile_box(number)).sum() for number in shared]
    assert touched_pixels(head, box) == sum(sizes)


@given(heads_and_boxes())
def test_a_box_with_its_contexts_begins_where_its_tiles_do(drawn):
    head, box = drawn
    left, upper, right, lower = with_contexts(head, box)
    first = head.tile_box(next(touched_tiles(head, box)))
    assert (right, lower) == box[2:]
    assert left == (first[0] if head.predictor == Predictor.LEFT else box[0])
    assert upper == (first[1] if head.predictor == Predictor.UP else box[1])


@given(heads_and_boxes())
def test_slices_of_an_area_are_what_it_shares_with_a_tile(drawn):
    head, area = drawn
    numbers = np.arange(head.height * head.width).reshape(head.height, head.width)
    left, upper, right, lower = area
    for number in touched_tiles(head, area):
        tile = head.tile_box(number)
        part = numbers[upper:lower, left:right][slices_within(area, tile)]
        assert np.array_equal(part.ravel(), numbers[mask(head, area) & mask(head, tile)])


def test_a_tile_is_its_symbols_row_by_row():
    symbols = np.arange(12, dtype=np.uint8) % 10
    assert decode_tile(zlib.compress(symbols), HEAD, 0).tolist() == symbols.reshape(3, 4).tolist()
    assert decode_tile(zlib.compress(symbols[:9]), HEAD, 1).shape == (3, 3)
    assert decode_tile(zlib.compress(symbols[:6]), HEAD, 3).shape == (2, 3)


@pytest.mark.parametrize(
    ("symbols", "field", "found"),
    [(bytes(11), "inflated size of tile 0", 11), (bytes(11) + b"\x0a", "symbol in tile 0", 10)],
)
def test_a_wrong_tile_is_refused(symbols, field, found):
    with pytest.raises(FormatError) as caught:
        decode_tile(zlib.compress(symbols), HEAD, 0)
    assert (caught.value.chunk, caught.value.field, caught.value.found) == ("LABL", field, found)


def test_of_256_colours_every_symbol_is_right():
    head = Head(16, 16, 16, 16, 1, 255, Predictor.NONE)
    symbols = np.arange(256, dtype=np.uint8)
    assert decode_tile(zlib.compress(symbols), head, 0).ravel().tolist() == list(range(256))


def test_shapes_that_reach_into_a_box_begin_at_most_254_pixels_before_it():
    assert with_shapes((300, 600, 310, 620)) == (46, 346, 310, 620)
    assert with_shapes((254, 10, 310, 620)) == (0, 0, 310, 620)


def test_a_payload_too_short_for_its_tile_is_refused_by_its_length():
    large = Head(1000, 1000, 1000, 1000, 1, 9, Predictor.NONE)
    check_tile_length(969, large, 0)
    with pytest.raises(FormatError, match="at least 969 bytes"):
        check_tile_length(968, large, 0)
    with pytest.raises(FormatError, match="at least 9 bytes"):
        check_tile_length(8, HEAD, 0)


def test_whole_rows_are_read_from_the_start_of_a_stream():
    stream = zlib.compress(np.arange(12, dtype=np.uint8) % 10, 0)
    # Two bytes of zlib, five of the stored block.
    for cut in range(len(stream) + 1):
        rows = decode_rows(stream[:cut], HEAD, 0)
        assert len(rows) == min(max(cut - 7, 0) // 4, 3)
        assert rows.ravel().tolist() == [value % 10 for value in range(4 * len(rows))]


def test_rows_end_before_a_symbol_that_is_too_high_and_damage_gives_none():
    assert len(decode_rows(zlib.compress(bytes(6) + b"\x0a" + bytes(5), 0), HEAD, 0)) == 1
    assert len(decode_rows(b"\x78\x9c\xff\xff\xff\xff\xff", HEAD, 0)) == 0
    # No more than the tile holds.
    assert decode_rows(zlib.compress(bytes(1000)), HEAD, 0).shape == (3, 4)
