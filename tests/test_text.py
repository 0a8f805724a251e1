"""Text about files, errors and values."""

import numpy as np

from kqf.text import describe


def test_a_value_is_described_by_its_type_and_shape():
    assert describe(np.zeros((2, 3), np.int16)) == "int16 array of shape (2, 3)"
    assert describe("x") == "str"
