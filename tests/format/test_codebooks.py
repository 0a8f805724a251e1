"""Packed codebooks (section 5.7)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kqf.errors import FormatError
from kqf.format.codebooks import build, parse

CODEBOOKS = hnp.arrays(np.uint8, st.tuples(st.integers(1, 256), st.integers(1, 4)))


@given(CODEBOOKS)
def test_round_trip(codebook):
    assert np.array_equal(parse(b"PCOD", build(codebook), *codebook.shape), codebook)


def test_differences_by_hand():
    gray = np.array([[200, 255], [10, 255]], np.uint8)
    assert build(gray) == bytes([200, 66, 255, 0])
    color = np.array([[10, 20, 30, 255], [5, 30, 20, 0]], np.uint8)
    # Green's steps are 20 and 10, red's 10 and -5, blue's 30 and -10.
    assert build(color) == bytes([246, 241, 20, 10, 10, 236, 255, 1])


@pytest.mark.parametrize("size", [5, 7])
def test_another_size_is_refused(size):
    with pytest.raises(FormatError, match="PCOD: inflated size: expected 6"):
        parse(b"PCOD", bytes(size), 2, 3)
