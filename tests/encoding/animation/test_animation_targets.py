"""Targets of animations."""

import numpy as np
import pytest

from kqf.encoding.animation.scenes import SceneSearch
from kqf.encoding.animation.targets import quality_for
from kqf.encoding.settings import EncodeSettings
from kqf.errors import TargetError


@pytest.fixture(scope="module")
def frames():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (24, 24, 3)).astype(np.uint8)
    return [np.roll(pixels, number, axis=0) for number in range(3)]


def quality_of(frames, size_at=None, **options):
    settings = EncodeSettings({"colors": 16, "effort": 1, **options})
    search = SceneSearch(lambda: iter(frames), settings)
    return quality_for(search, settings, size_at), search


def test_the_lowest_quality_that_reaches_a_ratio_is_found(frames):
    quality, search = quality_of(frames, target_psnr=17.0)
    assert 1 < quality < 100
    assert search.psnr(quality) >= 17.0 > search.psnr(quality - 1)


def test_the_highest_quality_within_bytes_is_found(frames):
    assert quality_of(frames, lambda quality: 10 * quality, max_bytes=405)[0] == 40


def test_what_cannot_be_met_is_said(frames):
    with pytest.raises(TargetError, match="quality 1 takes 1010 bytes"):
        quality_of(frames, lambda quality: 1000 + 10 * quality, max_bytes=1005)
    with pytest.raises(TargetError, match="target_psnr=90"):
        quality_of(frames, target_psnr=90)


def test_without_a_target_quality_is_as_asked_for(frames):
    assert quality_of(frames, quality=33)[0] == 33
