"""From tiles to labels and pixels: whole images, regions, bands, threads."""

import io
import tracemalloc
import zlib

import numpy as np
import pytest
from conftest import head, indexed_images, predictors, put_together, smooth_image, take_apart
from hypothesis import given
from hypothesis import strategies as st
from small_files import PREDICTORS, SMALL, first_tile_at

import kqf
import kqf.decoding.api
import kqf.format.streams
from kqf.image import look_up_bands


def without_index(data):
    return put_together([part for part in take_apart(data) if part[0] != b"tidx"])


CODE = (b"CODE", b"\x07")


DONE = (b"DONE", b"")


def one_tile(symbols, **fields):
    fields = {"width": 3, "height": 2} | fields
    codebook = (b"CODE", bytes(range(fields.get("last_label", 0) + 1)))
    return put_together([head(**fields), codebook, (b"LABL", zlib.compress(symbols)), DONE])


def test_a_hand_made_file_is_decoded():
    data = one_tile(bytes([0, 1, 2, 3, 0, 1]), last_label=3)
    assert kqf.decode(data).tolist() == [[0, 1, 2], [3, 0, 1]]


@pytest.mark.parametrize(
    ("predictor", "expected"),
    [
        # Contexts of 0: 0, 1, 2. Of 1: 2 (listed), 1, 0. Of 2: 2, 1, 0, by distance of grays.
        (1, [[1, 1, 2], [0, 2, 2]]),
        (2, [[1, 1, 0], [2, 1, 2]]),
    ],
)
def test_a_hand_made_file_with_ranks_is_decoded(predictor, expected):
    parts = [
        head(3, 2, last_label=2, predictor=predictor),
        (b"CODE", bytes([0, 10, 19])),
        (b"RANK", zlib.compress(bytes([0, 1, 2, 0]))),
        (
            b"LABL",
            zlib.compress(bytes([1, 1, 0, 0, 2, 0] if predictor == 1 else [1, 1, 0, 0, 1, 2])),
        ),
        DONE,
    ]
    assert kqf.read_indexed(put_together(parts)).labels.tolist() == expected


@pytest.mark.parametrize("number", [4, 255])
def test_a_symbol_beyond_the_labels_is_refused(number):
    data = one_tile(bytes([0, 1, 2, 3, 0, number]), last_label=3)
    with pytest.raises(kqf.FormatError, match=f"LABL: symbol in tile 0.*most 3, found {number}"):
        kqf.decode(data)


@pytest.mark.parametrize("size", [5, 7, 1])
def test_a_tile_of_another_size_is_refused(size):
    with pytest.raises(kqf.FormatError, match=r"LABL: inflated size.*6"):
        kqf.decode(one_tile(bytes(size)))


@pytest.mark.parametrize("tile", [(1, 1), (2**31 - 1, 2**31 - 1), (1, 2**31 - 1), (2**31 - 1, 1)])
def test_a_header_that_lies_about_the_size_costs_nothing(tile):
    side = 2**31 - 1
    label = (b"LABL", zlib.compress(b"\0"))
    data = put_together([head(side, side, tile=tile), CODE, label, DONE])
    with pytest.raises(kqf.LimitError, match="max_pixels"):
        kqf.decode(data)
    with pytest.raises(kqf.FormatError):
        kqf.decode(data, max_pixels=None)
    with pytest.raises(kqf.FormatError):
        kqf.check(data)


def test_a_wide_header_within_the_limit_costs_nothing():
    data = put_together([head(10**8, 1, tile=(1, 1)), CODE, (b"LABL", zlib.compress(b"\0")), DONE])
    with pytest.raises(kqf.TruncatedError, match="LABL: count"):
        kqf.decode(data)


@given(
    indexed_images(max_side=14),
    predictors,
    st.none() | st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.booleans(),
    st.data(),
)
def test_a_region_is_the_same_part_of_the_whole(image, predictor, tile, index, data):
    labels, codebook = image
    encoded = kqf.encode_indexed(labels, codebook, predictor=predictor, tile=tile, effort=1)
    encoded = encoded if index else without_index(encoded)
    height, width = labels.shape
    left, upper = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    right = data.draw(st.integers(left + 1, width))
    lower = data.draw(st.integers(upper + 1, height))
    box = (left, upper, right, lower)
    threads = data.draw(st.sampled_from([1, 2]))
    part = kqf.read_indexed(encoded, region=box, threads=threads)
    assert part.labels.tolist() == labels[upper:lower, left:right].tolist()
    assert part.codebook.tolist() == codebook.tolist()
    pixels = kqf.decode(encoded, region=box)
    assert pixels.tolist() == kqf.decode(encoded)[upper:lower, left:right].tolist()


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("predictor", PREDICTORS)
def test_only_tiles_that_a_region_touches_are_inflated(predictor, index, monkeypatch):
    # Tiles of 10 x 8: 4 columns, 3 rows.
    data = kqf.encode(smooth_image(20, 35, 3), predictor=predictor, tile=(10, 8), effort=1)
    data = data if index else without_index(data)
    inflated = []

    def counting(stream, size, chunk):
        if chunk == "LABL":
            inflated.append(size)
        return inflate(stream, size, chunk)

    inflate = kqf.format.streams.inflate
    monkeypatch.setattr(kqf.format.tiles, "inflate", counting)
    for box, sizes in [
        ((0, 0, 1, 1), [80]),
        ((9, 7, 11, 9), [80] * 4),
        ((10, 8, 20, 16), [80]),
        ((30, 16, 35, 20), [20]),
        ((29, 15, 31, 17), [80, 40, 40, 20]),
        ((0, 19, 35, 20), [40, 40, 40, 20]),
        (None, [80, 80, 80, 40] * 2 + [40, 40, 40, 20]),
    ]:
        inflated.clear()
        kqf.decode(data, region=box, threads=1)
        assert sorted(inflated) == sorted(sizes)


def test_a_region_reads_no_other_tiles_where_there_is_an_index():
    class Recorder(io.BytesIO):
        bytes_read = 0

        def read(self, count=-1):
            data = super().read(count)
            self.bytes_read += len(data)
            return data

    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (100, 100), dtype=np.uint8)
    data = kqf.encode(noise, tile=20, predictor="none", effort=1)
    file = Recorder(data)
    assert np.array_equal(kqf.read(file, region=(45, 45, 50, 50)), noise[45:50, 45:50])
    assert file.bytes_read < first_tile_at(data) + 600


def test_damage_outside_a_region_is_not_met():
    data = bytearray(kqf.encode(smooth_image(20, 20, 3), tile=10, effort=1))
    expected = kqf.decode(bytes(data))
    data[-13] ^= 1
    assert np.array_equal(kqf.decode(data, region=(0, 0, 20, 10)), expected[:10])
    with pytest.raises(kqf.FormatError, match="LABL: crc"):
        kqf.decode(data, region=(10, 10, 20, 20))


@pytest.mark.parametrize(
    "region",
    [
        (0, 0, 0, 5), (0, 0, 5, 0), (3, 3, 3, 3), (5, 0, 4, 2), (0, 5, 2, 4),
        (-1, 0, 5, 5), (0, -1, 5, 5), (0, 0, 14, 5), (0, 0, 5, 12), (13, 11, 14, 12),
    ],
)  # fmt: skip
def test_a_region_that_is_empty_or_outside_is_a_value_error(region):
    with pytest.raises(ValueError, match=r"inside \(0, 0, 13, 11\), not") as caught:
        kqf.decode(SMALL[0], region=region)
    assert not isinstance(caught.value, kqf.KqfError)


@pytest.mark.parametrize("region", [(0.9, 0, 2, 2), "0022", (0, 0, "2", 2), (0, 0, None, 2), 7])
def test_a_region_that_is_not_of_integers_is_a_type_error(region):
    with pytest.raises(TypeError):
        kqf.decode(SMALL[0], region=region)


@pytest.mark.parametrize("region", [(1, 2, 3), (1, 2, 3, 4, 5), ()])
def test_a_region_of_other_than_four_sides_is_a_caller_error(region):
    with pytest.raises((TypeError, ValueError)) as caught:
        kqf.decode(SMALL[0], region=region)
    assert not isinstance(caught.value, kqf.KqfError)


def test_a_region_may_be_of_numpys_integers():
    region = tuple(np.array([1, 2, 5, 7]))
    assert np.array_equal(kqf.decode(SMALL[1], region=region), kqf.decode(SMALL[1])[2:7, 1:5])


def test_the_limit_counts_the_tiles_that_a_region_touches():
    data = kqf.encode(smooth_image(20, 35, 3), tile=(10, 8), effort=1)
    for box, pixels in [((0, 0, 1, 1), 80), ((9, 7, 11, 9), 320), ((29, 15, 35, 17), 180)]:
        assert kqf.decode(data, region=box, max_pixels=pixels) is not None
        with pytest.raises(kqf.LimitError, match=f"max_pixels={pixels - 1}, found {pixels}"):
            kqf.decode(data, region=box, max_pixels=pixels - 1)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("predictor", PREDICTORS)
@pytest.mark.parametrize("tile", [None, (9, 60), (50, 7)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pixels_take_the_place_of_their_labels(channels, tile, predictor, threads, monkeypatch):
    # Many bands, in threads.
    monkeypatch.setattr("kqf.decoding.labels.BAND", 51)
    monkeypatch.setattr("kqf.decoding.labels._BATCH_PIXELS", 1)
    monkeypatch.setattr("kqf.decoding.labels._THREAD_PIXELS", 1)
    monkeypatch.setattr("kqf.image._PAIRED", 0)
    monkeypatch.setattr("kqf.format.prediction._MANY_CHAINS", 64)
    rng = np.random.default_rng(channels)
    labels = rng.integers(0, 99, (60, 50), dtype=np.uint8)
    codebook = rng.integers(0, 256, (99, channels), dtype=np.uint8)
    data = kqf.encode_indexed(labels, codebook, predictor=predictor, tile=tile, effort=1)
    assert np.array_equal(kqf.read_indexed(data, threads=threads).labels, labels)
    pixels = kqf.decode(data, threads=threads)
    assert np.array_equal(pixels.reshape(60, 50, channels), codebook[labels])


@pytest.mark.parametrize("predictor", PREDICTORS)
def test_bands_may_be_looked_up_in_any_order(predictor, monkeypatch):
    def backwards(bands, *rest):
        look_up_bands(reversed(list(bands)), *rest)

    monkeypatch.setattr("kqf.decoding.labels.BAND", 51)
    monkeypatch.setattr("kqf.decoding.labels.look_up_bands", backwards)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 99, (60, 50), dtype=np.uint8)
    codebook = rng.integers(0, 256, (99, 3), dtype=np.uint8)
    data = kqf.encode_indexed(labels, codebook, predictor=predictor, effort=1)
    assert np.array_equal(kqf.decode(data), codebook[labels])


def test_a_tile_that_does_not_inflate_costs_nothing():
    parts = [head(4000, 4000, channels=4), (b"CODE", bytes(4))]
    data = put_together([*parts, (b"LABL", bytes(20_000)), (b"DONE", b"")])
    for threads in (1, 2):
        tracemalloc.start()
        with pytest.raises(kqf.FormatError, match="LABL: zlib stream"):
            kqf.decode(data, threads=threads)
        assert tracemalloc.get_traced_memory()[1] < 2**20
        tracemalloc.stop()


def test_the_first_of_several_damages_is_told_with_any_threads(monkeypatch):
    monkeypatch.setattr("kqf.decoding.labels._THREAD_PIXELS", 1)
    monkeypatch.setattr("kqf.decoding.labels._BATCH_PIXELS", 1)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 4, (64, 64), dtype=np.uint8)
    codebook = np.zeros((4, 1), np.uint8)
    parts = take_apart(kqf.encode_indexed(noise, codebook, tile=8, predictor="none"))
    places = [at for at, (kind, _) in enumerate(parts) if kind == b"LABL"]
    for tile in (40, 9, 22):
        symbols = bytearray(zlib.decompress(parts[places[tile]][1]))
        symbols[5] = 4 + tile
        parts[places[tile]] = b"LABL", zlib.compress(symbols)
    data = put_together([part for part in parts if part[0] != b"tidx"])
    for threads in (1, 2, 5):
        with pytest.raises(kqf.FormatError, match=r"symbol in tile 9: .*found 13"):
            kqf.decode(data, threads=threads)


@pytest.mark.parametrize("kind", [tuple, list, np.array, lambda sides: iter(sides)])
def test_a_region_is_any_sequence_or_array_of_four_integers(kind):
    found = kqf.decode(SMALL[0], region=kind((1, 2, 5, 7)))
    assert np.array_equal(found, kqf.decode(SMALL[0])[2:7, 1:5])
