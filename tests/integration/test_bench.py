"""The parts of the benchmark of speed that measure nothing."""

import itertools

import numpy as np
import pytest

from tools.bench import contests, output, speed


def contest(**options):
    given = {"ours": lambda: "ours", "theirs": lambda: "theirs", "target": 0.5} | options
    return contests.Contest("row", "work", "peer", **given)


def test_the_ratio_is_the_median_over_pairs_not_of_the_medians():
    time = contests.summarize(contest(), [(1, 4), (9, 10), (2, 5)], None)
    assert (time.ratio, time.fastest, time.ours, time.theirs) == (0.4, 0.25, 2, 5)
    assert time.reached is True
    assert time.pairs == 3


@pytest.mark.parametrize(
    ("errors", "sizes", "reached"),
    [
        ((3.0, 4.0), (70, 100), True),
        ((4.5, 4.0), (70, 100), False),
        ((3.0, 4.0), (80, 100), False),
    ],
)
def test_a_row_is_reached_by_time_error_and_bytes_together(errors, sizes, reached):
    outcomes = [contests.Outcome(*pair) for pair in zip(errors, sizes, strict=True)]
    row = contest(error=1.0, bytes=0.75)
    time = contests.summarize(row, [(1, 4)], outcomes)
    assert time.reached is reached
    assert time.errors == errors
    assert contests.summarize(row, [(3, 4)], outcomes).reached is False


def test_a_row_without_a_target_is_neither_reached_nor_missed():
    assert contests.summarize(contest(target=None), [(3, 4)], None).reached is None


def test_both_sides_run_in_turn_and_the_last_results_are_judged():
    calls, clock = [], itertools.count()
    row = contest(
        ours=lambda: calls.append("ours") or len(calls),
        theirs=lambda: calls.append("theirs") or len(calls),
        judge=lambda result: contests.Outcome(float(result)),
    )
    time = contests.run(row, 9, lambda: next(clock))
    # One second a run: five pairs are the first to take nine seconds.
    assert calls == ["ours", "theirs"] * (1 + 5)
    assert (time.ratio, time.errors) == (1, (11, 12))


def test_difference_is_the_mean_squared_error_of_a_channel():
    one = np.zeros((300, 2, 3), np.uint8)
    other = one.copy()
    other[299, 1, 2] = 30
    assert speed.difference(one, other) == pytest.approx(900 / 1800)


def test_colors_are_counted():
    pixels = np.array([[[1, 2, 3], [1, 2, 3], [255, 0, 255]]], np.uint8)
    counts = speed.count_colors(pixels)
    assert counts.sum() == 3
    assert (counts[0x010203], counts[0xFF00FF]) == (2, 1)


def test_numbers_have_three_digits():
    found = [output.number(value) for value in (None, 0, 0.01234, 1.5, 99.94, 12345.6)]
    assert found == ["-", "0", "0.0123", "1.5", "99.9", "12,346"]


def test_rows_have_names_of_their_own_and_compute_nothing_before_they_run(tmp_path):
    pixels = np.zeros((64, 64, 3), np.uint8)
    small, large = (speed.Picture(pixels, tmp_path, name) for name in ("small", "large"))
    names = [row.name for row in speed.rows(small, large)]
    assert len(set(names)) == len(names)
    assert not {"indexed", "png8", "webp", "quarters"} & {*vars(small), *vars(large)}


def test_tables_hold_what_was_measured():
    time = contests.summarize(contest(), [(0.001, 0.004)], [contests.Outcome(1.5)] * 2)
    memory = contests.Memory("row", "decode", 3.5, 4, True)
    first, second = contests.markdown([time, memory]).split("\n\n")
    assert first.splitlines()[2].split("|")[4:8] == [" 0.25  ", " 0.5     ", " 0.25    ", " 1  "]
    assert "| decode " in second
    assert contests.markdown([memory]).strip() == second.strip()
