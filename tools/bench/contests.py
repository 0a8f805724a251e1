"""Pieces of work timed beside a peer in turn, and the peak of memory of others.

A ratio is the median over pairs of runs: a machine that other work slows down slows both.
"""

import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from .output import number, table

MIN_PAIRS = 3
MAX_PAIRS = 201


@dataclass(frozen=True)
class Outcome:
    """What came of a piece of work: mean squared error of a channel, bytes of the file made."""

    error: float
    bytes: int | None = None


@dataclass(frozen=True)
class Contest:
    """A piece of work and the peer to time beside it.

    Attributes:
        name: to choose it by.
        work, peer: in words.
        ours, theirs: do it, and return what ``judge`` takes.
        target: ratio of times at most, None where there is nothing to reach.
        judge: tells what came of it.
        error, bytes: ratios of the outcomes, ours to the peer's, at most.
    """

    name: str
    work: str
    peer: str
    ours: Callable[[], object]
    theirs: Callable[[], object]
    target: float | None = None
    judge: Callable[[Any], Outcome] | None = None
    error: float | None = None
    bytes: float | None = None


@dataclass(frozen=True)
class Load:
    """A piece of work whose memory to measure.

    Attributes:
        name, work, target: as of Contest; bytes a pixel.
        code: in Python, of a function ``work(path)``.
        path: of its input; pixels: of the image in it.
        warm: path of an input of the same kind, but 64 x 64.
    """

    name: str
    work: str
    target: float
    code: str
    inputs: Callable[[], tuple[Path, Path]]
    pixels: int


@dataclass(frozen=True)
class Timing:
    """Times of one contest: ratios to the peer, seconds in the median, and what came of both."""

    name: str
    work: str
    peer: str
    pairs: int
    ratio: float
    fastest: float
    target: float | None
    ours: float
    theirs: float
    errors: tuple[float, float] | None
    bytes_ratio: float | None
    reached: bool | None


@dataclass(frozen=True)
class Memory:
    """Peak memory of one piece of work, in bytes a pixel."""

    name: str
    work: str
    bytes_per_pixel: float
    target: float
    reached: bool


def run(contest: Contest, seconds: float, clock: Callable[[], float] = perf_counter) -> Timing:
    """Time a contest: at least MIN_PAIRS pairs, and more until ``seconds`` have gone by."""
    outcomes = [None, None]
    pairs = []
    sides = (contest.ours, contest.theirs)
    # Files to read are made here, and what is imported on first use is imported.
    for side in sides:
        side()
    spent = 0.0
    while len(pairs) < MIN_PAIRS or (spent < seconds and len(pairs) < MAX_PAIRS):
        pair = []
        for index, side in enumerate(sides):
            start = clock()
            result = side()
            pair.append(clock() - start)
            outcomes[index] = result
            del result
        pairs.append(pair)
        spent += sum(pair)
    judged = [contest.judge(outcome) for outcome in outcomes] if contest.judge else None
    return summarize(contest, pairs, judged)


def summarize(
    contest: Contest, pairs: Sequence[Sequence[float]], outcomes: Sequence[Outcome] | None
) -> Timing:
    """Return the medians of pairs (seconds of ours, of theirs), and whether all is reached."""
    ours, theirs = zip(*pairs, strict=True)
    ratio = statistics.median(a / b for a, b in pairs)
    passed = [] if contest.target is None else [ratio <= contest.target]
    errors = bytes_ratio = None
    if outcomes:
        errors = outcomes[0].error, outcomes[1].error
        if contest.error is not None:
            passed.append(errors[0] <= contest.error * errors[1])
        if outcomes[0].bytes and outcomes[1].bytes:
            bytes_ratio = outcomes[0].bytes / outcomes[1].bytes
            if contest.bytes is not None:
                passed.append(bytes_ratio <= contest.bytes)
    return Timing(
        name=contest.name,
        work=contest.work,
        peer=contest.peer,
        pairs=len(pairs),
        ratio=ratio,
        fastest=min(ours) / min(theirs),
        target=contest.target,
        ours=statistics.median(ours),
        theirs=statistics.median(theirs),
        errors=errors,
        bytes_ratio=bytes_ratio,
        reached=all(passed) if passed else None,
    )


# A peak cannot be set back: the small input comes first. (A child inherits getrusage's from us.)
_MEASURE = """
import sys
{code}
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
work(sys.argv[2])
before = peak()
work(sys.argv[1])
print(peak() - before)
"""


def weigh(load: Load) -> Memory:
    """Measure peak memory in a fresh process."""
    large, small = load.inputs()
    script = _MEASURE.format(code=load.code)
    found = subprocess.run(
        [sys.executable, "-c", script, str(large), str(small)],
        check=True,
        capture_output=True,
        text=True,
    )
    per_pixel = int(found.stdout) / load.pixels
    return Memory(load.name, load.work, per_pixel, load.target, per_pixel <= load.target)


def markdown(results: Sequence[Timing | Memory]) -> str:
    """Return the tables of times and of memory, whichever have rows."""
    times = [result for result in results if isinstance(result, Timing)]
    peaks = [result for result in results if isinstance(result, Memory)]
    blocks = []
    if times:
        head = ("Row", "Work", "Beside", "Ratio", "At most", "Fastest", "ms", "ms beside")
        head += ("Squared error", "Bytes", "Reached")
        blocks.append(table(head, map(cells_of_time, times)))
    if peaks:
        head = ("Row", "Peak memory", "Bytes a pixel", "At most", "Reached")
        blocks.append(table(head, map(cells_of_memory, peaks)))
    return "\n\n".join(blocks) + "\n"


def cells_of_time(time: Timing) -> Sequence[str]:
    return (
        time.name,
        time.work,
        time.peer,
        number(time.ratio),
        number(time.target),
        number(time.fastest),
        number(1000 * time.ours),
        number(1000 * time.theirs),
        "-" if time.errors is None else " / ".join(map(number, time.errors)),
        number(time.bytes_ratio),
        answer(time.reached),
    )


def cells_of_memory(peak: Memory) -> Sequence[str]:
    return (
        peak.name,
        peak.work,
        number(peak.bytes_per_pixel),
        number(peak.target),
        answer(peak.reached),
    )


def answer(reached: bool | None) -> str:
    return {True: "yes", False: "no", None: "-"}[reached]
