"""Files of one pixel, in pieces, and all of a file read, shared by the tests of the format."""

import io
import zlib

import numpy as np
import pytest
from conftest import head, metadata_entries, put_together
from hypothesis import strategies as st

from kqf.errors import FormatError, KqfError
from kqf.format.header import Head
from kqf.format.reader import ImageReader

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
