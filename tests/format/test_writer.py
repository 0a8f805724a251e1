"""Files put together from their parts."""

import io
import struct
import zlib

import numpy as np
from conftest import metadata_entries, take_apart
from hypothesis import given
from hypothesis import strategies as st

from kqf.format.header import Head
from kqf.format.metadata import build_metadata
from kqf.format.reader import ImageReader
from kqf.format.writer import build

ONE = zlib.compress(b"\0")


def read_all(data, **limits):
    """Read every chunk of a file, and return its reader and streams."""
    reader = ImageReader(io.BytesIO(data), len(data), **limits)
    streams = [stream for _, stream in reader.tiles(range(reader.head.tiles))]
    reader.finish()
    return reader, streams


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


def test_the_index_holds_the_length_of_each_stream():
    header = Head(3, 1, 1, 1, 1, 0, 0)
    streams = [ONE + bytes(n) for n in range(3)]
    parts = dict(take_apart(build(header, np.zeros((1, 1), np.uint8), None, {}, streams)))
    assert parts[b"tidx"] == struct.pack(">3I", 9, 10, 11)
