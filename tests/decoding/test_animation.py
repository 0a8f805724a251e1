"""Reading animations: frames in any order, regions, threads, pickles, limits, damage."""

import concurrent.futures
import io
import pickle
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

import kqf
from kqf.decoding import frames as decoding_frames
from kqf.io.modes import MODES

RNG = np.random.default_rng(0)
FRAMES = np.repeat(RNG.integers(0, 9, (1, 40, 60), np.uint8), 12, axis=0)
for number in range(1, 12):
    FRAMES[number:, 3 * number : 3 * number + 5, :20] = RNG.integers(0, 9)
DATA = kqf.encode_animation(FRAMES, durations=[10 * (k + 1) for k in range(12)], loop=2)


@pytest.fixture
def animation():
    with kqf.open_animation(DATA) as opened:
        yield opened


def test_a_sequence_of_frames(animation):
    assert animation.shape == (12, 40, 60)
    assert len(animation) == 12
    assert np.array_equal(animation[-1], FRAMES[-1])
    assert np.array_equal(animation[2:9:3], FRAMES[2:9:3])
    assert np.array_equal(np.asarray(animation), FRAMES)
    assert animation.duration == sum(animation.durations) == 780
    assert animation.loop == 2
    for beyond in (12, -13):
        with pytest.raises(IndexError, match="12 frames"):
            animation[beyond]


def test_regions_and_labels(animation):
    box = left, upper, right, lower = 3, 5, 33, 20
    for number in (7, 2, 11):
        part = FRAMES[number, upper:lower, left:right]
        assert np.array_equal(animation.read(number, box), part)
        assert np.array_equal(animation.read_indexed(number, box).pixels, part)
    with pytest.raises(ValueError, match="region"):
        animation.read(0, (0, 0, 61, 5))


def test_frames_are_copies(animation):
    animation[3][:] = 77
    assert np.array_equal(animation[3], FRAMES[3])
    assert np.array_equal(animation[4], FRAMES[4])


def test_threads_and_pickles(animation):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(animation.__getitem__, [5, 0, 11, 3] * 6))
    assert np.array_equal(found, FRAMES[[5, 0, 11, 3] * 6])
    with pickle.loads(pickle.dumps(animation)) as other:
        assert np.array_equal(other[6], FRAMES[6])


def test_limits():
    with (
        kqf.open_animation(DATA, max_pixels=2399) as animation,
        pytest.raises(kqf.LimitError, match="max_pixels"),
    ):
        animation[0]
    with kqf.open_animation(DATA, max_work=2600) as animation:
        assert np.array_equal(animation[0], FRAMES[0])
        with pytest.raises(kqf.LimitError, match="max_work"):
            animation[11]
    with pytest.raises(kqf.LimitError, match="max_work"):
        kqf.check(DATA, max_work=2600)


def test_after_an_error_other_frames_are_read():
    rng = np.random.default_rng(1)
    frames = rng.integers(0, 256, (3, 30, 30, 3), np.uint8)
    data = bytearray(kqf.encode_animation(frames, exact=True))
    data[-40] ^= 1
    with kqf.open_animation(bytes(data)) as animation:
        with pytest.raises(kqf.FormatError, match="crc"):
            animation[2]
        assert np.array_equal(animation[0], frames[0])
        assert np.array_equal(animation[1], frames[1])


def test_many_frames_that_do_not_change_cost_little():
    frames = np.zeros((3000, 8, 8), np.uint8)
    frames[1500:] = 1
    data = kqf.encode_animation(frames, durations=1)
    assert len(data) < 400
    with kqf.open_animation(data) as animation:
        assert animation[2999].all()
        assert not animation[1499].any()


@pytest.mark.parametrize("channels", [3, 4])
def test_frames_of_many_codebooks(channels, monkeypatch):
    # Colours that no pixel shows any more are forgotten with each new codebook.
    monkeypatch.setattr(decoding_frames, "_MANY_COLORS", 1)
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (6, 12, 25, channels), np.uint8)
    for before, frame in pairwise(frames):
        stays = rng.random((12, 25)) < 0.4
        frame[stays] = before[stays]
    data = kqf.encode_animation(frames, exact=True)
    with kqf.open_animation(data) as animation, Image.open(io.BytesIO(data)) as image:
        for number, frame in enumerate(frames):
            image.seek(number)
            assert np.array_equal(animation[number], frame)
            assert np.array_equal(animation.read(number, (1, 2, 6, 5)), frame[2:5, 1:6])
            assert np.array_equal(np.asarray(image.convert(MODES[channels])), frame)
