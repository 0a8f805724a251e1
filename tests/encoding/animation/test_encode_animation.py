"""Animations encoded from arrays and iterables, and read back."""

import io
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kqf
from kqf.encoding.animation import writer as writing


def moving(count, shape=(37, 50), colors=6, seed=0):
    """Return frames (T, H, W, 3) of which a part changes."""
    rng = np.random.default_rng(seed)
    palette = rng.integers(0, 256, (colors, 3), np.uint8)
    labels = np.repeat(rng.integers(0, colors, shape)[None], count, axis=0)
    for number in range(count):
        y, x = 3 * number % shape[0], 5 * number % shape[1]
        labels[number:, y : y + 6, x : x + 9] = rng.integers(0, colors)
    return palette[labels]


def many(count, shape=(20, 30), seed=0):
    """Return frames of more colours than a codebook has, of which a part changes."""
    rng = np.random.default_rng(seed)
    frames = np.repeat(rng.integers(0, 256, (1, *shape, 3), np.uint8), count, axis=0)
    for number in range(1, count):
        part = frames[number:, : 5 * number]
        part[:] = rng.integers(0, 256, part.shape[1:])
    return frames


def read(data):
    with kqf.open_animation(data) as animation:
        return np.stack(list(animation))


FRAMES = moving(7)


@pytest.mark.parametrize(
    "frames",
    [
        FRAMES,
        list(FRAMES),
        lambda: iter(FRAMES),
        (frame for frame in FRAMES),
        FRAMES[..., 0],
        FRAMES[..., :2],
        FRAMES[..., [0, 1, 2, 0]],
        FRAMES[..., 0] > 99,
        FRAMES[:, ::2, ::3],
    ],
    ids=["array", "list", "function", "generator", "gray", "LA", "RGBA", "bool", "strided"],
)
def test_frames_of_few_colours_are_stored_exactly(frames):
    expected = FRAMES
    if isinstance(frames, np.ndarray):
        expected = np.asarray(frames * np.uint8(255) if frames.dtype == bool else frames)
    assert np.array_equal(read(kqf.encode_animation(frames)), expected)


def test_dask_arrays_are_computed_frame_by_frame():
    array = pytest.importorskip("dask.array").from_array(FRAMES, chunks=(1, 20, 20, 3))
    assert np.array_equal(read(kqf.encode_animation(array)), FRAMES)


def test_a_kqf_animation_is_a_source_of_frames():
    with kqf.open_animation(kqf.encode_animation(FRAMES)) as animation:
        assert np.array_equal(read(kqf.encode_animation(animation)), FRAMES)


@pytest.mark.parametrize("effort", [1, 5, 9])
def test_effort(effort):
    assert np.array_equal(read(kqf.encode_animation(FRAMES, effort=effort)), FRAMES)


def test_exact_frames_of_any_number_of_colours():
    frames = many(4)
    data = kqf.encode_animation(frames, exact=True)
    assert np.array_equal(read(data), frames)
    # Of a frame that shows several codebooks there are pixels, and labels if they are few enough.
    with kqf.open_animation(data) as animation:
        part = animation.read_indexed(2, region=(0, 0, 30, 2))
        assert np.array_equal(part.pixels, frames[2, :2])
        with pytest.raises(ValueError, match="more than 256"):
            animation.read_indexed(2)


def test_codebooks_that_follow_one_another():
    rng = np.random.default_rng(3)
    frames = np.concatenate([moving(3, colors=200, seed=seed) for seed in range(4)])
    frames[5] = rng.permutation(frames[4].reshape(-1, 3)).reshape(frames[4].shape)
    assert np.array_equal(read(kqf.encode_animation(frames, exact=True)), frames)


def test_the_image_of_the_file_is_the_first_frame():
    data = kqf.encode_animation(FRAMES, metadata={"comment": "x"})
    assert np.array_equal(kqf.decode(data), FRAMES[0])
    assert kqf.read_indexed(data).metadata == {"comment": "x"}
    kqf.check(data)


def test_one_frame_is_a_still():
    data = kqf.encode_animation(FRAMES[:1])
    assert data == kqf.encode_indexed(kqf.read_indexed(data))
    info = kqf.info(data)
    assert (info.frames, info.loop, info.durations) == (1, 1, ())
    with kqf.open_animation(data) as animation:
        assert len(animation) == 1
        assert np.array_equal(animation[0], FRAMES[0])


def test_whole_frames_are_places_to_seek_to(monkeypatch):
    monkeypatch.setattr(writing, "_SEEK_PIXELS", 100)
    # Each frame changes half of all pixels.
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 4, (40, 24, 24), np.uint8)
    frames[1::2, 12:] = frames[::2, 12:]
    data = kqf.encode_animation(frames)
    assert data.count(b"FRAM") > 4
    assert b"fidx" in data
    with kqf.open_animation(data) as animation:
        for number in (39, 3, 20, 19, 21, 0, 38):
            assert np.array_equal(animation[number], frames[number])
    assert np.array_equal(read(data), frames)
    kqf.check(data)


def test_a_cut_begins_with_a_whole_frame():
    scenes = [moving(3, (120, 160), seed=seed) for seed in range(2)]
    y, x = np.mgrid[:120, :160]
    # Flat against flat: the whole picture says less than what changes.
    scenes[0][:] = scenes[0][0, 0, 0]
    scenes[1][:, :, :] = scenes[1][0, 0, 0]
    scenes[1][1:, (x - y) % 40 < 20] = scenes[1][0, 0, 0] // 2
    frames = np.concatenate(scenes)
    assert np.array_equal(read(kqf.encode_animation(frames)), frames)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_frames(data):
    height, width = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    colors, count = data.draw(st.integers(1, 30)), data.draw(st.integers(2, 5))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    frames = np.repeat(rng.integers(0, colors, (1, height, width), np.uint8), count, axis=0)
    for number in range(1, count):
        share = data.draw(st.sampled_from([0, 0.01, 0.3, 1]))
        changed = rng.random((height, width)) < share
        frames[number:, changed] = rng.integers(0, colors, np.count_nonzero(changed))
    options = {"exact": True, "colors": data.draw(st.sampled_from([2, 256]))}
    file = kqf.encode_animation(frames, **options)
    assert np.array_equal(read(file), frames)
    kqf.check(file)


# Frames of many colours.


def test_frames_of_many_colours_are_searched():
    y, x = np.mgrid[:48, :64]
    frames = np.stack(
        [np.stack([x * 4, y * 5, (x + y + 4 * k) % 256], axis=2) for k in range(4)]
    ).astype(np.uint8)
    low, high = (kqf.encode_animation(frames, quality=quality) for quality in (50, 100))
    assert len(low) < len(high)
    errors = [np.abs(read(data).astype(int) - frames).mean() for data in (low, high)]
    assert errors[1] < errors[0] < 12
    smaller = kqf.encode_animation(frames, max_bytes=len(high) - 1)
    assert len(smaller) < len(high)
    assert kqf.psnr(frames[2], read(kqf.encode_animation(frames, target_psnr=30))[2]) > 28
    few = kqf.encode_animation(frames, palette=[(0, 0, 0), (255, 255, 255), (99, 99, 200)])
    assert len(np.unique(read(few).reshape(-1, 3), axis=0)) <= 3
    kqf.check(low)


# Times.


@pytest.mark.parametrize(
    ("durations", "expected"),
    [
        (40, (40,) * 7),
        ([10, 20, 30, 40, 0, 60, 70], (10, 20, 30, 40, 0, 60, 70)),
        (np.arange(7), tuple(range(7))),
        (Fraction(100, 3), (100 / 3,) * 7),
        (1000 / 30, (100 / 3,) * 7),
        (0.5, (0.5,) * 7),
    ],
)
def test_durations_are_kept(durations, expected):
    info = kqf.info(kqf.encode_animation(FRAMES, durations=durations))
    assert info.durations == pytest.approx(expected, abs=1e-9)


def test_durations_without_a_common_tick_are_rounded_in_their_sum():
    durations = [Fraction(1, prime) for prime in (101, 103, 107, 109, 113, 127, 131)]
    info = kqf.info(kqf.encode_animation(FRAMES, durations=durations))
    assert sum(info.durations) == pytest.approx(float(sum(durations)), abs=0.0005)


@pytest.mark.parametrize("loop", [0, 1, 5, 2**32 - 1])
def test_loop_counts_plays(loop):
    assert kqf.info(kqf.encode_animation(FRAMES, loop=loop)).loop == loop


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"durations": [1, 2]}, ValueError, "7 frames, but 2 durations"),
        ({"durations": -1}, ValueError, "at least 0"),
        ({"durations": float("nan")}, ValueError, "at least 0"),
        ({"durations": 2**45}, ValueError, "too long"),
        ({"durations": "40"}, TypeError, "milliseconds"),
        ({"durations": [True] * 7}, TypeError, "number"),
        ({"loop": -1}, ValueError, "0 "),
        ({"loop": 1.5}, TypeError, "integer"),
        ({"frames": []}, ValueError, "at least one frame"),
        ({"frames": 5}, TypeError, "frames must be"),
        ({"frames": FRAMES[0, 0]}, ValueError, r"\(T, H, W\)"),
        ({"frames": [FRAMES[0], FRAMES[1][:5]]}, ValueError, "frame 1 must be"),
        ({"frames": [FRAMES[0], 3]}, TypeError, "frame 1: "),
        ({"frames": FRAMES.astype(float)}, TypeError, "frame 0: "),
        ({"quality": 0}, ValueError, "quality"),
    ],
)
def test_wrong_arguments_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        kqf.encode_animation(**{"frames": FRAMES} | arguments)


def test_writing(tmp_path):
    path = tmp_path / "a.kqf"
    kqf.write_animation(path, FRAMES, durations=50)
    assert path.read_bytes() == kqf.encode_animation(FRAMES, durations=50)
    buffer = io.BytesIO()
    kqf.write_animation(buffer, FRAMES, durations=50)
    assert buffer.getvalue() == path.read_bytes()
    with pytest.raises(ValueError, match="frame 1"):
        kqf.write_animation(path, [FRAMES[0], FRAMES[1][:5]])
    assert path.read_bytes() == buffer.getvalue()
    with pytest.raises(ValueError, match=r"\.gif"):
        kqf.write_animation(tmp_path / "a.gif", FRAMES)
