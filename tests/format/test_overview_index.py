"""Where the tiles of overviews are, in chunks of bounded length (section 6.8)."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kqf
from kqf.errors import FormatError
from kqf.format import overviews
from kqf.format.declarations import MAX_METADATA, Predictor
from kqf.format.header import Head
from kqf.format.overviews import OverviewIndex, parse_index, pieces
from kqf.format.reader import ImageReader

VALID = Path(__file__).parents[2] / "spec" / "vectors" / "valid"


def index_of(width, height, levels=(1,), streams=0):
    """Return an index of levels, each of whose streams is one byte."""
    firsts = [0]
    for level in levels:
        columns, rows = overviews.level_tiles(width, height, level)
        firsts.append(firsts[-1] + columns * rows)
    starts = np.arange(firsts[-1] + 1) if not streams else np.array([0, streams])
    return OverviewIndex(width, height, 9, levels, tuple(firsts), starts, starts)


@given(start=st.integers(0, 40), count=st.integers(0, 40), most=st.integers(1, 20))
def test_parts_of_the_streams_are_found_in_chunks(start, count, most):
    streams = np.arange(100, dtype=np.uint8).tobytes()
    chunks = [streams[at : at + most] for at in range(0, len(streams), most)]
    # A head of 8 bytes and a CRC-32 of 4.
    file = b"".join(b"\xff" * 8 + chunk + b"\xff" * 4 for chunk in chunks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overviews, "MAX_METADATA_CHUNK", most)
        found = [file[at : at + length] for at, length in pieces(start, start + count)]
    assert b"".join(found) == streams[start : start + count]
    assert all(0 < len(piece) <= most for piece in found)


@pytest.mark.parametrize(
    ("streams", "lengths"), [(1, [1]), (8, [8]), (9, [8, 1]), (16, [8, 8]), (20, [8, 8, 4])]
)
def test_all_chunks_but_the_last_are_full(streams, lengths, monkeypatch):
    monkeypatch.setattr(overviews, "MAX_METADATA_CHUNK", 8)
    assert index_of(9, 9, streams=streams).chunk_lengths == lengths


@given(st.tuples(st.integers(1, 60), st.integers(1, 60)), st.integers(1, 2), st.data())
def test_tiles_of_a_box_are_those_that_touch_it(size, level, data):
    width, height = overviews.level_size(*size, level)
    left, upper = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    right = data.draw(st.integers(left + 1, width))
    lower = data.draw(st.integers(upper + 1, height))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overviews, "OVERVIEW_TILE", 4)
        index = index_of(*size, levels=(2, 1))
        every = list(index.tiles(level))
        found = list(index.tiles(level, (left, upper, right, lower)))
    at = index.levels.index(level)
    numbers = [number for number, _ in every]
    assert numbers == list(range(index.firsts[at], index.firsts[at + 1]))
    assert sum((tile[2] - tile[0]) * (tile[3] - tile[1]) for _, tile in every) == width * height
    assert found == [
        (number, tile)
        for number, tile in every
        if tile[0] < right and tile[2] > left and tile[1] < lower and tile[3] > upper
    ]


def test_overviews_may_take_as_many_bytes_as_metadata():
    head = Head(4, 4, 4, 4, 1, 9, Predictor.NONE)

    def parse(length):
        return parse_index(struct.pack(">BBII", 1, 1, length, 0), head)

    most = MAX_METADATA - 10
    assert parse(most).starts.tolist() == [0, most]
    with pytest.raises(
        FormatError, match=f"at most {MAX_METADATA} bytes, found {MAX_METADATA + 1}"
    ):
        parse(most + 1)
    assert parse(9).starts[-1] == 9
    with pytest.raises(FormatError, match="lengths: expected at least 9, found 8"):
        parse(8)


@pytest.mark.parametrize("name", ["6.8_overviews.kqf", "6.8_overviews-of-several-tiles.kqf"])
def test_a_file_that_ends_within_overviews_is_truncated(name):
    data = (VALID / name).read_bytes()
    for end in range(data.index(b"oidx") - 4, data.index(b"LABL") + 4, 7):
        with pytest.raises(kqf.TruncatedError):
            kqf.decode(data[:end])


def test_runs_of_tiles_are_read_in_bounded_pieces(monkeypatch):
    data = (VALID / "6.8_overviews-of-several-tiles.kqf").read_bytes()

    def labels():
        reader = ImageReader(io.BytesIO(data), len(data))
        return [
            (tile, found.tobytes())
            for level in reader.overviews.levels
            for tile, found in reader.overview_tiles(level)
        ]

    expected = labels()
    monkeypatch.setattr("kqf.format.overview_reader._READ", 1)
    assert labels() == expected
    assert len(expected) > 2
