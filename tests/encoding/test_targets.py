"""The quality that meets a target."""

import weakref
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import smooth_image
from sklearn.datasets import load_sample_image

import kqf
from kqf.encoding.targets import fewer_colors, highest_within, lowest_reaching, within_bytes
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
    assert highest_within(measure, 100, 10 * quality) == quality
    assert highest_within(measure, 100, 10 * quality + 9) == quality
    assert measure.calls <= 18


def test_no_quality_above_the_highest_is_tried():
    tried = []

    def measure(quality):
        tried.append(quality)
        return quality

    assert lowest_reaching(measure, 60, "target_psnr", 40) == 40
    assert highest_within(measure, 60, 90) == 60
    assert max(tried) == 60


def test_no_search_is_held_beside_the_next():
    class Search:
        def at(self, quality):
            return SimpleNamespace(size=9)

    made = []

    def search(colors):
        assert all(one() is None for one in made)
        one = Search()
        made.append(weakref.ref(one))
        return one

    with pytest.raises(TargetError, match="smallest file has 9 bytes"):
        within_bytes(search, range(1, 9), 100, 8)
    assert len(made) == 4


def test_a_target_out_of_reach_says_what_is_reached():
    with pytest.raises(TargetError, match=r"target_psnr=50 can't be met: quality 80 reaches 42.5"):
        lowest_reaching(lambda quality: 42.5, 80, "target_psnr", 50)


def test_of_one_quality_alone_it_is_taken_or_refused():
    assert lowest_reaching(float, 1, "target_psnr", 1) == 1
    assert highest_within(float, 1, 1) == 1
    assert highest_within(float, 1, 0.5) is None
    assert highest_within(float, 100, 0.5) is None


@pytest.mark.parametrize(
    ("colors", "expected"),
    [
        (range(1, 257), [256, 128, 64, 32, 16, 8, 4, 2, 1]),
        (range(3, 101), [100, 64, 32, 16, 8, 4, 3]),
        (range(1, 2), [1]),
        (range(20, 21), [20]),
    ],
)
def test_fewer_colours_are_powers_of_two_down_to_the_least(colors, expected):
    assert list(fewer_colors(colors)) == expected


class TestMaxBytes:
    def test_colours_are_lowered_where_quality_alone_is_not_enough(self):
        pixels = np.ascontiguousarray(load_sample_image("china.jpg")[150:230, 100:220])
        least = len(kqf.encode(pixels, quality=1, effort=1))
        limit = least // 2
        data = kqf.encode(pixels, max_bytes=limit, effort=1)
        assert limit // 2 < len(data) <= limit
        assert kqf.info(data).colors < 128
        # Nothing that is tried with fewer colours still is nearer to the original.
        fewer = kqf.encode(pixels, colors=2, max_bytes=limit, effort=1)
        assert kqf.psnr(pixels, kqf.decode(data)) > kqf.psnr(pixels, kqf.decode(fewer))

    def test_exact_images_lose_colours_too(self):
        pixels = smooth_image(60, 70, 3, 90)
        pixels = np.unique(pixels.reshape(-1, 3), axis=0)[:100][
            np.random.default_rng(0).integers(0, 100, (60, 70))
        ]
        exact = kqf.encode(pixels)
        data = kqf.encode(pixels, max_bytes=len(exact) // 2)
        assert 0 < len(data) <= len(exact) // 2

    def test_what_cannot_be_met_says_the_smallest_size_reached(self):
        pixels = smooth_image(60, 70, 3, 20)
        with pytest.raises(kqf.TargetError, match=r"smallest file has (\d+) bytes, by colors=1, "):
            kqf.encode(pixels, max_bytes=100, effort=1)

    def test_a_palette_and_colours_to_keep_are_not_given_up(self):
        pixels = smooth_image(60, 70, 3, 20)
        palette = np.unique(pixels.reshape(-1, 3), axis=0)[::40][:64]
        with pytest.raises(kqf.TargetError):
            kqf.encode(pixels, palette=palette, max_bytes=350, effort=1)
        keep = [(255, 0, 254), (1, 2, 3), (9, 8, 7)]
        least = len(kqf.encode(pixels, colors=3, keep=keep, quality=1, effort=1))
        data = kqf.encode(pixels, keep=keep, max_bytes=least, effort=1)
        assert len(data) <= least
        codebook = kqf.read_indexed(data).codebook.tolist()
        assert all(list(color) in codebook for color in keep)


def test_an_image_smaller_than_the_window_of_ssim_is_refused_at_once(monkeypatch):
    monkeypatch.setattr("kqf.encoding.api.quantization", None)
    with pytest.raises(ValueError, match="SSIM needs at least 11 x 11 pixels, not 40 x 10"):
        kqf.encode(np.zeros((10, 40, 3), np.uint8), target_ssim=0.9)


@pytest.fixture(scope="module")
def photograph():
    return np.ascontiguousarray(load_sample_image("china.jpg")[150:270, 100:260])


class TestTargets:
    def test_psnr_is_reached_with_no_more_quality_than_it_takes(self, photograph):
        best = kqf.psnr(photograph, kqf.decode(kqf.encode(photograph, effort=2)))
        data = kqf.encode(photograph, target_psnr=best - 1, effort=2)
        reached = kqf.psnr(photograph, kqf.decode(data))
        assert best - 1 <= reached < best - 0.5
        assert len(data) < len(kqf.encode(photograph, effort=2))

    def test_ssim_is_reached(self, photograph):
        best = kqf.ssim(photograph, kqf.decode(kqf.encode(photograph, effort=2)))
        data = kqf.encode(photograph, target_ssim=best - 0.02, effort=2)
        assert best - 0.02 <= kqf.ssim(photograph, kqf.decode(data)) < best - 0.01

    def test_ssimulacra2_is_reached(self, photograph):
        best = kqf.ssimulacra2(photograph, kqf.decode(kqf.encode(photograph, effort=2)))
        data = kqf.encode(photograph, target_ssimulacra2=best - 4, effort=2)
        assert best - 4 <= kqf.ssimulacra2(photograph, kqf.decode(data)) < best - 2

    def test_bytes_are_kept_within(self, photograph):
        limit = int(0.7 * len(kqf.encode(photograph, effort=2)))
        data = kqf.encode(photograph, max_bytes=limit, effort=2)
        assert 0.85 * limit < len(data) <= limit

    def test_metadata_counts_as_bytes(self, photograph):
        limit = int(0.7 * len(kqf.encode(photograph, effort=2)))
        metadata = {"exif": bytes(2000)}
        assert len(kqf.encode(photograph, max_bytes=limit, effort=2, metadata=metadata)) <= limit

    @pytest.mark.parametrize("target", [{"target_psnr": 80}, {"max_bytes": 100}])
    def test_what_cannot_be_met_is_said(self, photograph, target):
        # max_bytes lowers the colours step by step before it gives up.
        part = np.ascontiguousarray(photograph[:40, :60])
        with pytest.raises(kqf.TargetError, match="can't be met: "):
            kqf.encode(part, effort=1, **target)

    def test_one_target_at_a_time(self, photograph):
        with pytest.raises(ValueError, match="target_psnr and max_bytes"):
            kqf.encode(photograph, target_psnr=30, max_bytes=1000)

    @pytest.mark.parametrize(
        ("target", "error"),
        [
            ({"target_psnr": 0}, ValueError),
            ({"target_psnr": float("nan")}, ValueError),
            ({"target_ssim": "0.9"}, TypeError),
            ({"max_bytes": 0}, ValueError),
            ({"max_bytes": 10.5}, TypeError),
        ],
    )
    def test_targets_of_other_kinds_are_refused(self, photograph, target, error):
        with pytest.raises(error, match=next(iter(target))):
            kqf.encode(photograph, **target)

    def test_the_plugin_takes_them(self, photograph, tmp_path):
        from PIL import Image

        image = Image.fromarray(photograph)
        image.save(tmp_path / "a.kqf", max_bytes=20_000, effort=2)
        assert (tmp_path / "a.kqf").stat().st_size <= 20_000
        with pytest.raises(kqf.TargetError):
            image.crop((0, 0, 60, 40)).save(tmp_path / "b.kqf", max_bytes=100, effort=1)
        assert not (tmp_path / "b.kqf").exists()
