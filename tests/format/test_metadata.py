"""Metadata and the payloads of its chunks."""

import struct

import pytest
from conftest import metadata_entries
from hypothesis import given
from hypothesis import strategies as st
from pieces_of_files import MIB

from kqf.format.metadata import build_metadata, parse_metadata


@given(metadata_entries)
def test_metadata_comes_back_as_it_was(metadata):
    assert parse_metadata(dict(build_metadata(metadata))) == metadata


@given(st.tuples(st.integers(1, 2**31 - 1), st.integers(1, 2**31 - 1)))
def test_densities_of_three_decimals_come_back_as_they_were(thousandths):
    dpi = tuple(number / 1000 for number in thousandths)
    assert parse_metadata(dict(build_metadata({"dpi": dpi}))) == {"dpi": dpi}


@given(st.tuples(st.floats(0.001, 1e6), st.floats(0.001, 1e6)))
def test_densities_are_kept_to_three_decimals(dpi):
    found = parse_metadata(dict(build_metadata({"dpi": dpi})))["dpi"]
    assert found == pytest.approx(dpi, abs=0.000501)


def test_a_density_is_pixels_in_so_many_micrometres():
    assert dict(build_metadata({"dpi": (300, 72)}))[b"phys"] == struct.pack(">3I", 300, 72, 25_400)
    half = struct.pack(">3I", 72_500, 300_000, 25_400_000)
    assert dict(build_metadata({"dpi": (72.5, 300)}))[b"phys"] == half
    # Pixels in one metre, as other formats have it.
    found = parse_metadata({b"phys": struct.pack(">3I", 10_000, 20_000, 1_000_000)})
    assert found["dpi"] == pytest.approx((254, 508))


def test_a_comment_is_utf_8():
    assert dict(build_metadata({"comment": "é∂"})) == {b"text": "é∂".encode()}


@pytest.mark.parametrize("key", ["icc_profile", "exif", "xmp"])
@pytest.mark.parametrize("value", ["text", 3, None, [1]])
def test_raw_metadata_of_another_type_is_a_type_error(key, value):
    with pytest.raises(TypeError, match=f"'{key}' must be bytes, not {type(value).__name__}"):
        list(build_metadata({key: value}))


@pytest.mark.parametrize("value", [5, None, (1,), (1, 2, 3), ("x", 1)])
def test_a_density_that_is_not_two_numbers_is_a_type_error(value):
    with pytest.raises(TypeError, match="'dpi' must be two numbers, not"):
        list(build_metadata({"dpi": value}))


@pytest.mark.parametrize(
    "value", [(0, 1), (1, -1), (2**32, 1), (5_000_000.5, 1), (float("nan"), 1), (float("inf"), 1)]
)
def test_a_density_out_of_range_is_a_value_error(value):
    with pytest.raises(ValueError, match=r"'dpi' must be (1|0.001)"):
        list(build_metadata({"dpi": value}))


@pytest.mark.parametrize("value", [b"bytes", 3, None])
def test_a_comment_of_another_type_is_a_type_error(value):
    with pytest.raises(TypeError, match="'comment' must be a str"):
        list(build_metadata({"comment": value}))


def test_a_comment_with_nul_is_refused():
    with pytest.raises(ValueError, match="no NUL"):
        list(build_metadata({"comment": "a\0b"}))


def test_a_comment_that_utf_8_cannot_hold_is_a_value_error():
    with pytest.raises(ValueError, match="surrogates not allowed"):
        list(build_metadata({"comment": "\ud800"}))


def test_an_unknown_key_is_a_value_error():
    with pytest.raises(ValueError, match="unknown metadata 'title': expected one of icc_profile"):
        list(build_metadata({"title": "x"}))


@pytest.mark.parametrize("entry", [{"exif": b""}, {"comment": ""}])
def test_an_empty_value_is_a_value_error(entry):
    with pytest.raises(ValueError, match="takes 0 bytes: expected 1 to"):
        list(build_metadata(entry))


def test_a_value_beyond_16_mib_is_a_value_error():
    assert len(dict(build_metadata({"exif": bytes(16 * MIB)}))[b"exif"]) == 16 * MIB
    with pytest.raises(ValueError, match="'exif' takes 16777217 bytes: expected 1 to 16777216"):
        list(build_metadata({"exif": bytes(16 * MIB + 1)}))
