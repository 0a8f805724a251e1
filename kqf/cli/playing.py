"""Animations played in the terminal."""

import time
from collections.abc import Callable, Iterable
from itertools import count

from kqf.cli.terminal import drawn
from kqf.io.modes import image_of
from kqf.io.moving_pictures import MovingPicture

# Frames that are to be shown no longer than this are shown for a while, as browsers do.
_SHORTEST, _INSTEAD = 0.01, 0.1
_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


def play(
    moving: MovingPicture,
    forced: bool,
    write: Callable[[str], None],
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Draw frames over one another, each for its time, until the last one or an interrupt.

    Frames whose time is over before they can be drawn are left out.

    Arguments:
        forced: see ``drawn``. write: prints text and a line break. now, sleep: in seconds.
    """
    seconds = [(duration or 0) / 1000 for duration in moving.durations]
    seconds = [_INSTEAD if each <= _SHORTEST else each for each in seconds]
    rounds: Iterable[int] = range(moving.plays) if moving.plays else count()
    lines, end = 0, now()
    write(_HIDE_CURSOR)
    try:
        for _ in rounds:
            for number, frame in enumerate(moving):
                end += seconds[number]
                is_first = not lines
                if end <= now() and not is_first and number + 1 < len(moving):
                    continue
                text = drawn(image_of(frame), forced)
                # Up to the first line of the frame before, or of the cursor's own.
                write(f"\x1b[{lines or 1}F{text}")
                lines = text.count("\n") + 1
                if is_first:
                    # Making the first picture takes time, too.
                    end = now() + seconds[number]
                sleep(max(end - now(), 0))
    except KeyboardInterrupt:
        pass
    finally:
        write(_SHOW_CURSOR)
