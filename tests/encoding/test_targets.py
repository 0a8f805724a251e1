"""The quality that meets a target."""

import pytest

from kqf.encoding.targets import highest_within, lowest_reaching
from kqf.errors import TargetError


class Counted:
    """A measure that rises by 10 with each quality and counts its calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self, quality):
        self.calls += 1
        return 10 * quality


@pytest.mark.parametrize("quality", [1, 2, 37, 99, 100])
def test_the_lowest_quality_that_reaches_a_target_is_found_in_few_tries(quality):
    measure = Counted()
    assert lowest_reaching(measure, 100, "target_psnr", 10 * quality) == quality
    assert lowest_reaching(measure, 100, "target_psnr", 10 * quality - 9) == quality
    assert measure.calls <= 16


@pytest.mark.parametrize("quality", [1, 2, 37, 99, 100])
def test_the_highest_quality_within_a_limit_is_found_in_few_tries(quality):
    measure = Counted()
    assert highest_within(measure, 100, "max_bytes", 10 * quality) == quality
    assert highest_within(measure, 100, "max_bytes", 10 * quality + 9) == quality
    assert measure.calls <= 16


def test_no_quality_above_the_highest_is_tried():
    tried = []

    def measure(quality):
        tried.append(quality)
        return quality

    assert lowest_reaching(measure, 60, "target_psnr", 40) == 40
    assert highest_within(measure, 60, "max_bytes", 90) == 60
    assert max(tried) == 60


def test_a_target_out_of_reach_says_what_is_reached():
    with pytest.raises(TargetError, match=r"target_psnr=50 can't be met: quality 80 reaches 42.5"):
        lowest_reaching(lambda quality: 42.5, 80, "target_psnr", 50)
    with pytest.raises(TargetError, match=r"max_bytes=50 can't be met: quality 1 comes to 1234"):
        highest_within(lambda quality: 1234, 100, "max_bytes", 50)


def test_of_one_quality_alone_it_is_taken_or_refused():
    assert lowest_reaching(float, 1, "target_psnr", 1) == 1
    assert highest_within(float, 1, "max_bytes", 1) == 1
    with pytest.raises(TargetError):
        highest_within(float, 1, "max_bytes", 0.5)
