"""Files put together from their parts."""

import struct
import zlib

import numpy as np
from conftest import take_apart
from hypothesis import given
from pieces_of_files import ONE, files, read_all

from kqf.format.header import Head
from kqf.format.metadata import build_metadata
from kqf.format.writer import build


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
