"""Indices of images, as numpy has them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kqf.decoding.indexing import split_index

shapes = st.tuples(st.integers(1, 9), st.integers(1, 9)) | st.tuples(
    st.integers(1, 9), st.integers(1, 9), st.integers(2, 4)
)


@given(shapes, st.data())
def test_a_box_and_the_rest_of_an_index_select_what_the_index_does(shape, data):
    pixels = np.arange(np.prod(shape)).astype(np.uint8).reshape(shape)
    index = data.draw(hnp.basic_indices(shape, allow_newaxis=True))
    expected = np.asarray(pixels[index])
    split = split_index(index, shape)
    if isinstance(split, np.ndarray):
        assert not expected.size
        assert split.shape == expected.shape
        assert split.dtype == np.uint8
        return
    (left, upper, right, lower), rest = split
    assert np.array_equal(pixels[upper:lower, left:right][rest], expected)


def test_the_box_is_no_larger_than_need_be():
    assert split_index((slice(2, 9, 3), -1), (10, 20)) == (
        (19, 2, 20, 9),
        (slice(None, None, 3), 0),
    )
    box, _ = split_index((slice(8, 2, -3), slice(None)), (10, 20, 3))
    assert box == (0, 5, 20, 9)


@pytest.mark.parametrize("index", [10, -11, (0, 20), (0, 0, 3), (0, 0, 0, 0), (..., ...)])
def test_indices_out_of_bounds_are_refused_as_by_numpy(index):
    with pytest.raises(IndexError):
        np.zeros((10, 20, 3))[index]
    with pytest.raises(IndexError):
        split_index(index, (10, 20, 3))


@pytest.mark.parametrize("index", ["a", 1.5, True, [0, 1], np.array([0, 1]), np.True_])
def test_other_indices_are_refused(index):
    with pytest.raises(IndexError, match="only integers, slices"):
        split_index(index, (10, 20))


def test_numpys_integers_are_indices():
    assert split_index((np.uint8(3), np.int64(-1)), (10, 20))[0] == (19, 3, 20, 4)
