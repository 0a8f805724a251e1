"""What a file says of itself."""

import io

import numpy as np
import pytest
from conftest import put_together, smooth_image, take_apart
from small_files import SMALL, first_tile_at

import kqf
import kqf.decoding.api
import kqf.format.streams


def test_info_says_what_the_file_is():
    pixels = smooth_image(20, 35, 4)
    metadata = {"comment": "x", "icc_profile": b"y"}
    data = kqf.encode(pixels, colors=30, tile=(10, 8), predictor="up", effort=1, metadata=metadata)
    found = kqf.info(data)
    assert found == kqf.Info(
        width=35,
        height=20,
        channels=4,
        colors=found.colors,
        predictor="up",
        tile_width=10,
        tile_height=8,
        tiles=12,
        metadata={"icc_profile": b"y", "comment": "x"},
        file_bytes=len(data),
        part_bytes=found.part_bytes,
    )
    assert 20 < found.colors <= 30
    sizes = {}
    for kind, payload in take_apart(data):
        sizes[kind] = sizes.get(kind, 0) + len(payload)
    assert found.part_bytes == {
        "codebook": sizes[b"CODE"],
        "ranking": sizes[b"RANK"],
        "shapes": 0,
        "overviews": 0,
        # With the frames of their chunks and of DONE.
        "tiles": sizes[b"LABL"] + 12 * (12 + 1),
    }
    assert found.bits_per_pixel == len(data) * 8 / 700


class Fenced(io.BytesIO):
    """A file that must not be read beyond a place."""

    def __init__(self, data, end):
        super().__init__(data)
        self.end = end

    def read(self, count=-1):
        assert 0 <= count <= self.end - self.tell(), "read beyond the fence"
        return super().read(count)


@pytest.mark.parametrize("data", SMALL)
def test_info_reads_nothing_beyond_the_head_of_the_first_tile(data):
    # Its chunk's length and type are how a reader knows that it is one.
    end = first_tile_at(data) + 8
    assert kqf.info(Fenced(data, end)) == kqf.info(data)
    with pytest.raises(AssertionError, match="fence"):
        kqf.read(Fenced(data, end))
    assert kqf.info(data[:end]).width == 13


def test_asking_what_a_file_holds_leaves_it_where_it_stood():
    data = kqf.encode(np.zeros((3, 4), np.uint8))
    file = io.BytesIO(b"before" + data)
    file.seek(6)
    assert kqf.info(file).width == 4
    assert kqf.read(file).shape == (3, 4)


def test_info_says_how_much_of_a_file_is_missing():
    data = kqf.encode(smooth_image(40, 40, 3, 25), tile=(40, 10), effort=1)
    first = first_tile_at(data)
    for end in (len(data), len(data) - 1, len(data) - 300, first + 8):
        assert kqf.info(data[:end]).file_bytes == end
        assert kqf.info(data[:end]).missing_bytes == len(data) - end
    one = kqf.encode(smooth_image(11, 13, 3, 25), effort=1)
    assert kqf.info(one[:-5]).missing_bytes == 5
    assert kqf.info(one + b"more").missing_bytes == 0
    # Without an index, what all tiles take at the least.
    plain = put_together([part for part in take_apart(data) if part[0] != b"tidx"])
    assert 0 < kqf.info(plain[: first_tile_at(plain) + 8]).missing_bytes < len(plain)


def test_an_error_says_how_much_of_a_file_is_there():
    data = kqf.encode(smooth_image(40, 40, 3, 25), tile=(40, 10), effort=1)
    cut = len(data) // 2
    with pytest.raises(kqf.TruncatedError) as caught:
        kqf.decode(data[:cut])
    share = f"{cut / len(data):.0%}"
    assert f"{cut:,} of the file's {len(data):,} bytes are there ({share})" in str(caught.value)
    with pytest.raises(kqf.TruncatedError, match="the file ends after 30 bytes"):
        kqf.info(data[:30])


def test_info_of_an_open_file_is_that_of_its_source():
    data = kqf.encode(smooth_image(11, 13, 3, 25), metadata={"comment": "x"})
    with kqf.open(data) as file:
        assert kqf.info(file) == file.info == kqf.info(data)
