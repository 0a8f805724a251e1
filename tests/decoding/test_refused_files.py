"""Files that break a rule are refused, whatever breaks it."""

import struct
import zlib

import pytest
from conftest import put_together, smooth_image, take_apart
from hypothesis import given
from hypothesis import strategies as st
from small_files import SMALL

import kqf
import kqf.decoding.api
import kqf.format.streams


@pytest.mark.parametrize("data", SMALL)
@pytest.mark.parametrize("function", [kqf.decode, kqf.check])
def test_every_part_of_a_file_from_its_start_is_truncated(data, function):
    function(data)
    for length in range(len(data)):
        with pytest.raises(kqf.TruncatedError):
            function(data[:length], threads=1)


@pytest.mark.parametrize("data", SMALL)
def test_every_wrong_byte_is_a_format_error(data):
    for place in range(len(data)):
        damaged = bytearray(data)
        for other in (0x01, 0xA0):
            damaged[place] = data[place] ^ other
            with pytest.raises(kqf.FormatError):
                kqf.decode(damaged, threads=1)


@pytest.mark.parametrize("extra", [b"\0", b"\n", SMALL[0]])
def test_data_after_the_end_is_a_format_error(extra):
    for function in (kqf.decode, kqf.check):
        with pytest.raises(kqf.FormatError, match=f"nothing after DONE, found {len(extra)} bytes"):
            function(SMALL[0] + extra)


def inflated_or_zero(stream):
    try:
        return zlib.decompressobj().decompress(stream) or b"\0"
    except zlib.error:
        return b"\0"


@st.composite
def mutants(draw):
    """Draw a file whose chunks were changed, with every CRC right."""
    parts = take_apart(draw(st.sampled_from(SMALL)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(parts) - 1))
        kind, payload = parts[at]
        change = draw(st.integers(0, 6))
        place = draw(st.integers(0, len(payload)))
        if change == 0:
            parts[at] = kind, payload[:place]
        elif change == 1:
            parts[at] = kind, payload[:place] + draw(st.binary(max_size=5)) + payload[place:]
        elif change == 2 and len(parts) > 1:
            del parts[at]
        elif change == 3:
            parts.insert(draw(st.integers(0, len(parts))), parts[at])
        elif change == 4:
            parts[at] = parts[draw(st.integers(0, len(parts) - 1))][0], payload
        elif change == 5 and kind in (b"RANK", b"LABL"):
            # A good stream of wrong symbols.
            inflated = bytearray(inflated_or_zero(payload))
            inflated[place % len(inflated)] = draw(st.integers(0, 255))
            parts[at] = kind, zlib.compress(inflated)
        else:
            changed = draw(st.integers(0, 255)).to_bytes(1, "big")
            parts[at] = kind, payload[:place] + changed + payload[place + 1 :]
    return put_together(parts)


@given(mutants(), st.sampled_from([1, 2]))
def test_a_changed_file_with_right_crcs_is_an_image_or_a_format_error(data, threads):
    try:
        image = kqf.read_indexed(data, threads=threads, max_pixels=10**7)
    except kqf.KqfError as error:
        with pytest.raises(type(error), match=r": expected .*, found "):
            kqf.check(data, threads=threads, max_pixels=10**7)
        return
    info = kqf.info(data)
    assert image.labels.shape == (info.height, info.width)
    assert image.labels.max() < len(image.codebook) == info.colors
    kqf.check(data, threads=threads)


@given(st.binary(max_size=60))
def test_anything_after_a_signature_is_a_format_error(data):
    with pytest.raises(kqf.FormatError):
        kqf.decode(b"\x89KQF\r\n\x1a\n" + data)


def test_an_index_that_disagrees_with_the_tiles_is_refused():
    parts = take_apart(kqf.encode(smooth_image(20, 20, 3), tile=10, effort=1))
    for at, (kind, payload) in enumerate(parts):
        if kind == b"tidx":
            lengths = list(struct.unpack(">4I", payload))
            lengths[2] += 1
            parts[at] = kind, struct.pack(">4I", *lengths)
    data = put_together(parts)
    with pytest.raises(kqf.FormatError, match=r"tidx: lengths\[2\]"):
        kqf.decode(data)
    with pytest.raises(kqf.FormatError):
        kqf.check(data)
    assert kqf.info(data).tiles == 4
