"""How many frames an animation has, how long each is shown, and where whole ones are stored."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kqf.errors import FormatError
from kqf.format.declarations import AnimationFields
from kqf.format.streams import deflate, inflate_exactly

MAX_TICKS = 2**53 - 1
_PLANES = 4
_LEVEL = 12
_ENTRY = struct.Struct(">IQ")
_LENGTH = 4


@dataclass(frozen=True)
class Timing:
    """How an animation is played (section 5.10).

    Attributes:
        plays: how often; 0 for ever.
        ticks_per_second: the unit of durations.
        durations: (T,) uint32, ticks of each frame.
    """

    plays: int
    ticks_per_second: int
    durations: np.ndarray

    @property
    def frames(self) -> int:
        return len(self.durations)


def parse_animation(payload: bytes) -> Timing:
    """Return what ``ANIM`` says.

    Raises:
        FormatError: a field is outside its range, or the stream is wrong.
        TruncatedError: the stream does not end.
    """
    size = AnimationFields.sizeof()
    if len(payload) < size:
        raise FormatError("ANIM", "length", f"at least {size}", len(payload))
    fields = AnimationFields.parse(payload)
    count = _PLANES * fields.frames
    planes = inflate_exactly(payload[size:], count, "ANIM", "durations")
    durations = (
        np.ascontiguousarray(planes.reshape(_PLANES, -1).T).view("<u4")[:, 0].astype(np.uint32)
    )
    total = int(durations.sum(dtype=np.uint64))
    if total > MAX_TICKS:
        raise FormatError("ANIM", "sum of durations", f"at most {MAX_TICKS}", total)
    return Timing(fields.plays, fields.ticks_per_second, durations)


def build_animation(timing: Timing) -> bytes:
    """Return the payload of ``ANIM``, the inverse of parse_animation."""
    fields = {"frames": timing.frames, "plays": timing.plays}
    start = AnimationFields.build(fields | {"ticks_per_second": timing.ticks_per_second})
    planes = timing.durations.astype("<u4").view(np.uint8).reshape(-1, _PLANES).T
    return bytes(start) + deflate(np.ascontiguousarray(planes), _LEVEL)


def parse_frame_index(payload: bytes) -> list[tuple[int, int]]:
    """Return the whole frames that ``fidx`` lists: numbers and offsets of their groups.

    Raises:
        FormatError: its length is wrong, or not the one that it states.
    """
    length = len(payload)
    if length < _ENTRY.size + _LENGTH or length % _ENTRY.size != _LENGTH:
        expected = f"{_LENGTH} more than a multiple of {_ENTRY.size}"
        raise FormatError("fidx", "length", expected, length)
    if (stated := int.from_bytes(payload[-_LENGTH:])) != length:
        raise FormatError("fidx", "payload_length", length, stated)
    return list(_ENTRY.iter_unpack(payload[:-_LENGTH]))


def build_frame_index(whole: Sequence[tuple[int, int]]) -> bytes:
    """Return the payload of ``fidx``, the inverse of parse_frame_index."""
    length = len(whole) * _ENTRY.size + _LENGTH
    return b"".join(_ENTRY.pack(*entry) for entry in whole) + length.to_bytes(_LENGTH)
