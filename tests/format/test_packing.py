"""Predictor 4 (section 7.5)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kqf.errors import FormatError
from kqf.format.packing import labels_per_byte, pack, packed_bytes, unpack

# Of every number of labels that share a byte, at least with the lowest and the highest last label.
every_share = pytest.mark.parametrize("last", [0, 1, 2, 3, 4, 7, 15])


@st.composite
def packable(draw, last):
    """Draw labels, each at most last."""
    shape = draw(st.tuples(st.integers(1, 20), st.integers(1, 9)))
    return draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, last)))


@every_share
@given(data=st.data())
def test_round_trip(last, data):
    labels = data.draw(packable(last))
    packed = pack(labels, last)
    assert len(packed) == packed_bytes(labels.shape, last)
    assert np.array_equal(unpack(packed, labels.shape, last, 0), labels)


@every_share
@given(data=st.data())
def test_labels_lie_where_the_specification_says(last, data):
    labels = data.draw(packable(last))
    packed, share, width = pack(labels, last), labels_per_byte(last), labels.shape[1]
    if last == 0:
        assert packed == bytes(-(-len(labels) // 64) * width)
        return
    bits = 8 // share
    for (y, x), label in np.ndenumerate(labels):
        assert packed[y // share * width + x] >> bits * (y % share) & (2**bits - 1) == label


def test_labels_of_a_byte_follow_from_the_last_one():
    assert [labels_per_byte(last) for last in range(16)] == [64, 8, 4, 4] + [2] * 12


@pytest.mark.parametrize(("height", "size"), [(1, 3), (64, 3), (65, 6), (1000, 48)])
def test_one_colour_takes_a_byte_for_64_labels_of_a_column(height, size):
    assert packed_bytes((height, 3), 0) == size
    assert not unpack(bytes(size), (height, 3), 0, 0).any()
    with pytest.raises(FormatError, match="label in tile 7: expected at most 0, found 128"):
        unpack(bytes(size - 1) + b"\x80", (height, 3), 0, 7)


@pytest.mark.parametrize("last", [-1, 16, 255])
def test_more_labels_do_not_pack(last):
    with pytest.raises(ValueError, match="0 to 15"):
        labels_per_byte(last)


@pytest.mark.parametrize("last", [1, 3, 15])
@pytest.mark.parametrize("more", [-1, 1])
def test_another_size_is_refused(last, more):
    data = bytes(packed_bytes((9, 4), last) + more)
    with pytest.raises(FormatError, match="inflated size of tile 2"):
        unpack(data, (9, 4), last, 2)


@pytest.mark.parametrize(("last", "height"), [(1, 7), (3, 3), (15, 1)])
def test_bits_below_the_last_row_must_be_zero(last, height):
    bits = 8 // labels_per_byte(last)
    unpack(bytes([1 << bits * (height - 1)]), (height, 1), last, 0)
    with pytest.raises(FormatError, match="labels beyond tile 0"):
        unpack(bytes([1 << bits * height]), (height, 1), last, 0)


@pytest.mark.parametrize("last", [0, 2, 4, 14])
def test_labels_must_be_in_the_codebook(last):
    data = bytes([last])
    assert unpack(data, (1, 1), last, 0).item() == last
    with pytest.raises(FormatError, match=f"at most {last}, found {last + 1}"):
        unpack(bytes([last + 1]), (1, 1), last, 0)
