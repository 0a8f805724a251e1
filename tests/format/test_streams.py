import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqf.errors import FormatError, TruncatedError
from kqf.format.streams import check_ratio, deflate, inflate

STREAM = zlib.compress(b"labels, labels, labels, labels and ranks", 9)
SIZE = 40


@given(st.binary(min_size=1, max_size=2000), st.integers(1, 12))
def test_inflating_gives_back_what_was_deflated(data, level):
    assert inflate(deflate(data, level), len(data), "LABL") == data


@given(st.binary(min_size=1, max_size=2000), st.integers(1, 12))
def test_zlib_reads_what_is_deflated(data, level):
    assert zlib.decompress(deflate(data, level)) == data


@given(st.binary(min_size=1, max_size=2000), st.integers(0, 9))
def test_what_zlib_wrote_is_inflated(data, level):
    assert inflate(zlib.compress(data, level), len(data) + 7, "LABL") == data


def test_an_array_deflates_as_its_bytes():
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert zlib.decompress(deflate(array, 6)) == bytes(range(12))


def test_a_higher_level_is_smaller():
    data = b"".join(b"%d," % (n * n % 997) for n in range(3000))
    assert len(deflate(data, 12)) < len(deflate(data, 1))


def test_every_truncated_stream_is_a_truncated_error():
    for length in range(len(STREAM)):
        with pytest.raises(TruncatedError) as caught:
            inflate(STREAM[:length], SIZE, "RANK")
        assert caught.value.chunk == "RANK"


def test_more_than_the_limit_is_refused_and_not_taken_for_truncation():
    with pytest.raises(FormatError, match="RANK: inflated size: expected at most 39 bytes") as e:
        inflate(STREAM, SIZE - 1, "RANK")
    assert not isinstance(e.value, TruncatedError)


def test_a_bomb_costs_no_more_memory_than_the_limit():
    bomb = zlib.compress(bytes(50_000_000), 9)
    tracemalloc.start()
    with pytest.raises(FormatError, match="at most 1000 bytes"):
        inflate(bomb, 1000, "LABL")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize("extra", [b"\0", b"abc", STREAM])
def test_data_after_the_stream_is_refused(extra):
    with pytest.raises(FormatError, match=f"nothing after it, found {len(extra)} bytes more"):
        inflate(STREAM + extra, SIZE, "LABL")


@pytest.mark.parametrize("place", [-1, -2, -3, -4])
def test_a_wrong_adler_32_is_refused(place):
    damaged = bytearray(STREAM)
    damaged[place] ^= 1
    with pytest.raises(FormatError, match="LABL: zlib stream"):
        inflate(bytes(damaged), SIZE, "LABL")


def test_a_raw_or_gzip_stream_is_refused():
    for window in (-15, 31):
        packer = zlib.compressobj(9, zlib.DEFLATED, window)
        stream = packer.compress(b"labels") + packer.flush()
        with pytest.raises(FormatError):
            inflate(stream, 6, "LABL")


def test_only_headers_that_rfc_1950_allows_are_taken():
    wrong = []
    for first in range(256):
        for second in range(256):
            # Method 8, window at most 32 KiB, no preset dictionary, a multiple of 31.
            allowed = first & 15 == 8 and first >> 4 <= 7 and not second & 32
            allowed = allowed and (first * 256 + second) % 31 == 0
            try:
                taken = inflate(bytes([first, second]) + STREAM[2:], SIZE, "LABL") is not None
            except FormatError:
                taken = False
            if taken != allowed:
                wrong.append(f"{first:02x}{second:02x}")
    assert wrong == []


@given(st.binary(min_size=1, max_size=60), st.data())
def test_damage_is_refused_where_zlib_refuses_it(data, draw):
    stream = bytearray(zlib.compress(data, 9))
    place = draw.draw(st.integers(2, len(stream) - 1))
    stream[place] ^= draw.draw(st.integers(1, 255))
    unpacker = zlib.decompressobj()
    try:
        expected = unpacker.decompress(stream, len(data) + 1)
        good = unpacker.eof and not unpacker.unused_data and len(expected) <= len(data)
    except zlib.error:
        good = False
    if good:
        assert inflate(bytes(stream), len(data), "LABL") == expected
    else:
        with pytest.raises(FormatError):
            inflate(bytes(stream), len(data), "LABL")


@pytest.mark.parametrize("size", [1, 258, 10_000, 1_000_000, 5_000_000])
def test_the_ratio_of_no_real_stream_is_refused(size):
    check_ratio(len(deflate(bytes(size), 12)), size, "LABL")
    check_ratio(len(zlib.compress(bytes(size), 9)), size, "LABL")


def test_a_stream_too_short_for_its_size_is_refused():
    # Deflate's ceiling is 258 bytes for two bits: 1032 to 1.
    check_ratio(9, 9 * 1032, "LABL")
    with pytest.raises(FormatError, match="at least 10 bytes for 9289, found 9"):
        check_ratio(9, 9 * 1032 + 1, "LABL")


def test_no_stream_is_shorter_than_that_of_one_byte():
    assert len(zlib.compress(b"\0", 9)) == 9
    check_ratio(9, 1, "LABL")
    with pytest.raises(FormatError, match="at least 9 bytes for 1, found 8"):
        check_ratio(8, 1, "LABL")
