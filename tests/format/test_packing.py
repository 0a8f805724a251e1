"""Predictor 4 (section 7.5)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kqf.errors import FormatError
from kqf.format.packing import label_bits, pack, packed_bytes, unpack


@st.composite
def packable(draw):
    """Draw (labels, last_label)."""
    last = draw(st.integers(0, 15))
    shape = draw(st.tuples(st.integers(1, 20), st.integers(1, 9)))
    return draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, last))), last


@given(packable())
def test_round_trip(drawn):
    labels, last = drawn
    data = pack(labels, last)
    assert len(data) == packed_bytes(labels.shape, last)
    assert np.array_equal(unpack(data, labels.shape, last, 0), labels)


@given(packable())
def test_labels_lie_where_the_specification_says(drawn):
    labels, last = drawn
    bits, width = label_bits(last), labels.shape[1]
    data, share = pack(labels, last), 8 // label_bits(last)
    for (y, x), label in np.ndenumerate(labels):
        assert data[y // share * width + x] >> bits * (y % share) & (2**bits - 1) == label


def test_bits_follow_from_the_last_label():
    bits = [label_bits(last) for last in range(16)]
    assert bits == [1, 1, 2, 2] + [4] * 12


@pytest.mark.parametrize("last", [-1, 16, 255])
def test_more_labels_do_not_pack(last):
    with pytest.raises(ValueError, match="0 to 15"):
        label_bits(last)


@pytest.mark.parametrize("last", [1, 3, 15])
@pytest.mark.parametrize("more", [-1, 1])
def test_another_size_is_refused(last, more):
    data = bytes(packed_bytes((9, 4), last) + more)
    with pytest.raises(FormatError, match="inflated size of tile 2"):
        unpack(data, (9, 4), last, 2)


@pytest.mark.parametrize(("last", "height"), [(1, 7), (3, 3), (15, 1)])
def test_bits_below_the_last_row_must_be_zero(last, height):
    bits = label_bits(last)
    unpack(bytes([1 << bits * (height - 1)]), (height, 1), last, 0)
    with pytest.raises(FormatError, match="labels beyond tile 0"):
        unpack(bytes([1 << bits * height]), (height, 1), last, 0)


@pytest.mark.parametrize("last", [0, 2, 4, 14])
def test_labels_must_be_in_the_codebook(last):
    data = bytes([last])
    assert unpack(data, (1, 1), last, 0).item() == last
    with pytest.raises(FormatError, match=f"at most {last}, found {last + 1}"):
        unpack(bytes([last + 1]), (1, 1), last, 0)
