"""How long frames are shown, and where whole ones are stored (sections 5.10 and 6.7)."""

import struct
import zlib

import numpy as np
import pytest

from kqf.errors import FormatError
from kqf.format.animation import (
    Timing,
    build_animation,
    build_frame_index,
    parse_animation,
    parse_frame_index,
)


def test_timing_round_trips():
    timing = Timing(3, 1000, np.array([0, 1, 2**8, 2**16 + 5, 2**32 - 1], np.uint32))
    found = parse_animation(build_animation(timing))
    assert (found.plays, found.ticks_per_second) == (3, 1000)
    assert found.durations.dtype == np.uint32
    assert np.array_equal(found.durations, timing.durations)


def test_durations_may_sum_up_to_the_most_that_is_exact():
    def parse(last):
        durations = np.full(2**21 + 1, 2**32 - 1, np.uint32)
        durations[-1] = last
        planes = np.ascontiguousarray(durations.astype("<u4").view(np.uint8).reshape(-1, 4).T)
        fields = struct.pack(">III", len(durations), 0, 1)
        return parse_animation(fields + zlib.compress(planes, 1))

    assert parse(2**21 - 1).durations.sum(dtype=np.uint64) == 2**53 - 1
    with pytest.raises(FormatError, match=f"at most {2**53 - 1}, found {2**53}"):
        parse(2**21)


def test_a_frame_index_round_trips():
    whole = [(1, 2**32), (2**24 - 1, 2**63)]
    data = build_frame_index(whole)
    assert parse_frame_index(data) == whole
    assert int.from_bytes(data[-4:]) == len(data) == 2 * 12 + 4


@pytest.mark.parametrize("length", [0, 3, 4, 15, 17, 27])
def test_a_frame_index_of_another_length_is_refused(length):
    with pytest.raises(FormatError, match="4 more than a multiple of 12"):
        parse_frame_index(bytes(length))


def test_a_frame_index_must_state_its_length():
    with pytest.raises(FormatError, match="payload_length: expected 16, found 17"):
        parse_frame_index(bytes(12) + (17).to_bytes(4))
