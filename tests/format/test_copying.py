"""Predictor 3 (section 7.4)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kqf.errors import FormatError
from kqf.format import copying
from kqf.format.copying import ABOVE, ABOVE_RIGHT, LEFT, NEW

COLORS = 4


def distance_order(codebook):
    """Return labels by context and rank, (K, K) uint8, as a ranking without a table has them."""
    entries = codebook.astype(int)
    order = [
        sorted(range(len(entries)), key=lambda k: (((entries[k] - entries[c]) ** 2).sum(), k))
        for c in range(len(entries))
    ]
    return np.array(order, np.uint8)


ORDER = distance_order(np.array([[0], [90], [100], [250]], np.uint8))
RANKS = np.argsort(ORDER, axis=1).astype(np.uint8)


def unpacked(codes, shape):
    """Return the codes (h, w) of a tile, bit by bit."""
    width = shape[1]
    found = np.empty(shape, np.uint8)
    for y, x in np.ndindex(shape):
        found[y, x] = codes[y // 4 * width + x] >> 2 * (y % 4) & 3
    return found


def slow_decode(codes, new, shape, order):
    """Return the labels (h, w) as the specification says, pixel by pixel."""
    labels = np.zeros(shape, np.uint8)
    places = [tuple(place) for place in np.argwhere(unpacked(codes, shape) == NEW).tolist()]
    places.sort(key=lambda place: (place[0] // 16, place[1], place[0]))
    symbols = dict(zip(places, new, strict=True))

    def at(y, x):
        return labels[y, x] if y >= 0 and 0 <= x < shape[1] else 0

    for (y, x), code in np.ndenumerate(unpacked(codes, shape)):
        if code == NEW:
            symbol = symbols[y, x]
            labels[y, x] = symbol if order is None else order[at(y - 1, x), symbol]
        else:
            down, right = {ABOVE: (1, 0), LEFT: (0, -1), ABOVE_RIGHT: (1, 1)}[int(code)]
            labels[y, x] = at(y - down, x + right)
    return labels


@st.composite
def code_streams(draw):
    """Draw (tiles, shape) of any valid codes, whether or not an encoder would write them."""
    shape = draw(st.tuples(st.integers(1, 35), st.integers(1, 40)))
    tiles = []
    for _ in range(draw(st.integers(1, 4))):
        # Repeated draws of one code make the runs that arrays of random ones have not.
        codes = draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, 3), fill=st.just(LEFT)))
        count = int((codes == NEW).sum())
        new = draw(st.binary(min_size=count, max_size=count))
        packed = np.zeros((-(-shape[0] // 4), shape[1]), np.uint8)
        for (y, x), code in np.ndenumerate(codes):
            packed[y // 4, x] |= code << 2 * (y % 4)
        tiles.append((packed.tobytes(), bytes(symbol % COLORS for symbol in new)))
    return tiles, shape


@given(code_streams(), st.sampled_from([None, ORDER]))
def test_decode_does_what_the_specification_says(drawn, order):
    tiles, shape = drawn
    expected = [slow_decode(*tile, shape, order) for tile in tiles]
    assert np.array_equal(copying.decode(tiles, shape, order), expected)


@given(
    hnp.arrays(
        np.uint8,
        st.tuples(st.integers(1, 35), st.integers(1, 50)),
        elements=st.integers(0, COLORS - 1),
        fill=st.just(1),
    ),
    st.booleans(),
    st.booleans(),
)
def test_encode_gives_what_decodes_to_the_same(labels, above_right, ranked):
    ranks, order = (RANKS, ORDER) if ranked else (None, None)
    codes, new = copying.encode(labels, above_right=above_right, ranks=ranks)
    count = copying.count_new(codes, labels.shape, 0)
    copying.check_new(new, count, COLORS - 1, 0)
    assert np.array_equal(slow_decode(codes, new, labels.shape, order), labels)
    used = unpacked(codes, labels.shape)
    assert above_right or not (used == ABOVE_RIGHT).any()


@pytest.mark.parametrize("width", [3, 300])
def test_tiles_are_apart(width):
    """What lies outside of a tile is 0, whatever the tile beside it holds."""
    shape = (5, width)
    labels = np.full(shape, 3, np.uint8)
    tile = copying.encode(labels)
    left = bytes([0b01_01_01_01]) * width + bytes([0b01]) * width
    right = bytes([0b10_10_10_11]) * width + bytes([0b10]) * width
    tiles = [tile, (left, b""), tile, (right, b"\1" * width), tile]
    decoded = copying.decode(tiles, shape)
    assert (decoded[[0, 2, 4]] == 3).all()
    assert (decoded[1] == 0).all()
    assert decoded[3, :, -1].tolist() == [1, 0, 0, 0, 0]
    assert decoded[3, 1, :-1].all()


@pytest.mark.parametrize("width", [3, 300])
@pytest.mark.parametrize("code", [ABOVE, LEFT, ABOVE_RIGHT])
def test_what_is_copied_from_outside_alone_is_0(width, code):
    codes = bytes([code * 0b01_01_01_01]) * width
    assert not copying.decode([(codes, b"")], (4, width)).any()


def test_nothing_is_left_to_chance_where_two_codes_fit():
    flat = np.zeros((4, 8), np.uint8)
    assert copying.encode(flat) == (bytes(8), b"")


def test_what_fits_above_is_copied_from_there():
    labels = np.zeros((8, 200), np.uint8)
    labels[0] = np.arange(200) % 3 + 1
    labels[1:4] = labels[0]
    labels[4:8] = labels[3]
    # Every pixel copies from above but for the first row; there left never fits.
    codes, new = copying.encode(labels, above_right=False)
    assert set(codes) == {NEW, 0}
    assert new == labels[0].tobytes()


def test_of_two_codes_that_fit_the_one_of_a_frequent_byte_is_chosen():
    labels = np.zeros((4, 100), np.uint8)
    # Pixels copy from the left alone, but for the first of some columns, which both codes fit.
    labels[1:] = [[1], [2], [3]]
    labels[0, 30:] = 5
    codes, new = copying.encode(labels, above_right=False)
    assert set(codes[1:30]) == set(codes[31:]) == {0b01_01_01_01}
    assert np.array_equal(slow_decode(codes, new, labels.shape, None), labels)


def test_every_code_is_used_where_it_fits():
    labels = np.array([[5, 5, 6], [5, 6, 6]], np.uint8)
    codes, new = copying.encode(labels)
    assert unpacked(codes, labels.shape).tolist() == [[NEW, LEFT, NEW], [ABOVE, ABOVE_RIGHT, ABOVE]]
    assert new == b"\5\6"
    codes, new = copying.encode(labels, above_right=False)
    assert unpacked(codes, labels.shape).tolist() == [[NEW, LEFT, NEW], [ABOVE, NEW, ABOVE]]
    assert new == b"\5\6\6"
    # What lies left of the tile is 0.
    codes, _ = copying.encode(np.array([[5], [0]], np.uint8))
    assert unpacked(codes, (2, 1)).tolist() == [[NEW], [LEFT]]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("at_once", [1, 3000])
def test_tall_tiles_are_decoded_in_pieces(count, at_once, monkeypatch):
    monkeypatch.setattr(copying, "_AT_ONCE", at_once)
    tiles = np.random.default_rng(0).integers(0, COLORS, (count, 70, 30), np.uint8)
    assert np.array_equal(copying.decode([*map(copying.encode, tiles)], (70, 30)), tiles)


@pytest.mark.parametrize(
    ("height", "last", "wrong"), [(1, 0b100, True), (3, 1 << 6, True), (3, 0b111111, False)]
)
def test_bits_below_the_last_row_must_be_zero(height, last, wrong):
    codes = bytes([0, 0, last])
    if wrong:
        with pytest.raises(FormatError, match="codes beyond tile 7"):
            copying.count_new(codes, (height, 3), 7)
    else:
        assert copying.count_new(codes, (height, 3), 7) == 3


@pytest.mark.parametrize("size", [0, 5, 7])
def test_codes_must_be_as_many_as_the_tile_has(size):
    with pytest.raises(FormatError, match="expected 6, found"):
        copying.count_new(bytes(size), (5, 3), 0)


def test_new_labels_must_be_as_many_as_their_codes():
    codes = bytes([0b11, 0b1100_0011])
    assert copying.count_new(codes, (4, 2), 0) == 3
    copying.check_new(b"\1\2\3", 3, 3, 0)
    for new in (b"\1\2", b"\1\2\3\0"):
        with pytest.raises(FormatError, match="new labels of tile 0: expected 3"):
            copying.check_new(new, 3, 3, 0)


def test_new_labels_must_be_in_the_codebook():
    copying.check_new(b"\2", 1, 2, 0)
    copying.check_new(b"", 0, 2, 0)
    with pytest.raises(FormatError, match="at most 2, found 3"):
        copying.check_new(b"\3", 1, 2, 0)


def test_no_tiles_are_no_labels():
    assert copying.decode([], (3, 2)).shape == (0, 3, 2)


def test_new_labels_of_a_wide_tile_are_listed_column_by_column():
    width = 2**16 + 300
    labels = np.resize(np.arange(1, 7, dtype=np.uint8), (2, width))
    labels[1] = labels[0] + 3
    codes, new = copying.encode(labels)
    assert new == labels.T.tobytes()
    assert np.array_equal(copying.decode([(codes, new)], labels.shape)[0], labels)
