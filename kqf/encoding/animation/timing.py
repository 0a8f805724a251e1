"""From the milliseconds of a caller to the ticks of a file."""

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from numbers import Real
from typing import Any, TypeAlias

import numpy as np

from kqf.format.animation import MAX_TICKS, Timing

Duration: TypeAlias = float | Fraction
Durations: TypeAlias = Duration | Sequence[Duration] | np.ndarray

MAX_TICKS_PER_SECOND = 10**6
MAX_PLAYS = 2**32 - 1
_MAX_DURATION = 2**32 - 1
# 1000 / 30 as a float is meant to be a third of 100.
_MAX_DENOMINATOR = 10**6


def seconds_of(durations: Any) -> Fraction | list[Fraction]:
    """Return the durations of a caller in seconds: one for all frames, or one for each.

    Arguments:
        durations: milliseconds, at least 0.

    Raises:
        TypeError, ValueError: not such numbers.
    """
    if isinstance(durations, Real | np.number):
        return _seconds(durations)
    if isinstance(durations, str | bytes) or not hasattr(durations, "__iter__"):
        kind = type(durations).__name__
        raise TypeError(f"durations must be a number or numbers of milliseconds, not {kind}")
    return [_seconds(duration) for duration in durations]


def _seconds(duration: Any) -> Fraction:
    if isinstance(duration, bool) or not isinstance(duration, Real | np.number):
        raise TypeError(f"a duration must be a number, not {type(duration).__name__}")
    if not (math.isfinite(duration) and float(duration) >= 0):
        raise ValueError(f"a duration must be at least 0 milliseconds, not {duration}")
    if isinstance(duration, Fraction):
        return duration / 1000
    return Fraction(float(duration)).limit_denominator(_MAX_DENOMINATOR) / 1000


def timing_of(seconds: Fraction | list[Fraction], frames: int, plays: int) -> Timing:
    """Return durations in ticks: exactly, if a tick of a microsecond or more allows it.

    Otherwise ticks are microseconds, and it is the running total that is rounded.

    Raises:
        ValueError: there are more or fewer durations than frames, or one is too long.
    """
    if isinstance(seconds, Fraction):
        seconds = [seconds] * frames
    if len(seconds) != frames:
        raise ValueError(f"there are {frames} frames, but {len(seconds)} durations")
    rate = math.lcm(*{second.denominator for second in seconds})
    if rate <= MAX_TICKS_PER_SECOND:
        ticks = [int(second * rate) for second in seconds]
    else:
        rate = MAX_TICKS_PER_SECOND
        total, ends = Fraction(0), [0]
        for second in seconds:
            total += second * rate
            ends.append(round(total))
        ticks = [end - start for start, end in pairwise(ends)]
    if max(ticks) > _MAX_DURATION or sum(ticks) > MAX_TICKS:
        raise ValueError(f"a duration of {float(max(seconds)) * 1000:g} ms is too long")
    return Timing(plays, rate, np.array(ticks, np.uint32))


def check_loop(loop: object) -> int:
    """Return how often an animation plays, 0 for ever.

    Raises:
        TypeError, ValueError: not an integer that can be stored.
    """
    if isinstance(loop, bool) or not isinstance(loop, int | np.integer):
        raise TypeError(f"loop must be an integer, not {type(loop).__name__}")
    if not 0 <= loop <= MAX_PLAYS:
        raise ValueError(f"loop must be 0 (for ever) to {MAX_PLAYS}, not {loop}")
    return int(loop)
