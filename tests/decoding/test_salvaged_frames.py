"""What can be had of damaged animations."""

import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kqf
from kqf.encoding.animation import writer

HEIGHT, WIDTH = 24, 40


def moving(scene):
    """Return six frames with six colours of their own, of which a band changes."""
    rng = np.random.default_rng(scene)
    colors = rng.integers(0, 256, (6, 3), dtype=np.uint8)
    labels = rng.integers(0, 6, (HEIGHT, WIDTH))
    frames = []
    for number in range(6):
        labels = labels.copy()
        labels[3 * number : 3 * number + 6] = rng.integers(0, 6, (6, WIDTH))
        frames.append(colors[labels])
    return frames


def make(frames, **options):
    """Return the bytes of an animation, with two frames in each group."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "_GROUP_FRAMES", 2)
        return kqf.encode_animation(
            frames, durations=range(10, 10 + len(frames)), loop=3, effort=1, quality=100, **options
        )


FEW = moving(0)
FILE = make(FEW)
# Each scene begins with a whole frame and a codebook.
SCENES = [frame for scene in range(3) for frame in moving(scene)]
FILE_OF_SCENES = make(SCENES, colors=6, tile=16)


def chunks(data):
    """Return (offset, type, length with head and CRC) of each chunk."""
    found, at = [], 8
    while at < len(data):
        size = 12 + int.from_bytes(data[at : at + 4])
        found.append((at, data[at + 4 : at + 8], size))
        at += size
    return found


def salvaged(data):
    """Return an animation, and the warning about it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        animation = kqf.open_animation(bytes(data), errors="salvage")
    assert len(caught) < 2
    return animation, caught[0].message if caught else None


def told(damage):
    """Return the numbers of frames that a warning tells of."""
    runs = (*damage.lost_frames, *damage.doubtful_frames) if damage else ()
    return {number for first, last in runs for number in range(first, last + 1)}


def overwrite(data, at, count, value=0x5A):
    damaged = bytearray(data)
    damaged[at : at + count] = bytes(octet ^ value for octet in damaged[at : at + count])
    return bytes(damaged)


@pytest.mark.parametrize("data", [FILE, FILE_OF_SCENES])
def test_of_a_whole_file_nothing_is_told(data):
    animation, damage = salvaged(data)
    assert damage is None
    with kqf.open_animation(data) as expected:
        assert np.array_equal(animation, expected)
        assert animation.info == expected.info
    kept = pickle.loads(pickle.dumps(animation))
    assert np.array_equal(kept[5], animation[5])


def test_a_lost_group_repeats_the_frame_before():
    groups = [chunk for chunk in chunks(FILE) if chunk[1] == b"FRAM"]
    at, _, size = groups[1]
    animation, damage = salvaged(overwrite(FILE, at + 20, size - 40))
    assert damage.lost_frames == ((3, 4),)
    assert damage.doubtful_frames == ((5, 5),)
    assert str(damage) == (
        "lost, and shown as the one before: frames 3 to 4; perhaps wrong in part: frame 5"
    )
    for number in (0, 1, 2):
        assert np.array_equal(animation[number], FEW[number])
    for number in (3, 4):
        assert np.array_equal(animation[number], FEW[2])
    # What the later group paints on sound pixels is right.
    assert np.array_equal(animation[5][18:21], FEW[5][18:21])
    assert not np.array_equal(animation[5], FEW[5])
    assert animation.durations == (10, 11, 12, 13, 14, 15)
    assert animation.loop == 3


def test_after_a_lost_group_the_next_whole_frame_is_right():
    groups = [chunk for chunk in chunks(FILE_OF_SCENES) if chunk[1] == b"FRAM"]
    at, _, size = groups[0]
    animation, damage = salvaged(overwrite(FILE_OF_SCENES, at + 8, size - 8))
    assert damage.lost_frames == ((1, 2),)
    with kqf.open_animation(FILE_OF_SCENES) as expected:
        for number in (0, *range(6, 18)):
            assert np.array_equal(animation[number], expected[number])


def test_a_head_alone_that_is_damaged_costs_nothing():
    for at, kind, _ in chunks(FILE):
        if kind == b"FRAM":
            animation, damage = salvaged(overwrite(FILE, at, 8))
            assert damage is None or not told(damage)
            assert np.array_equal(animation, FEW)


def test_a_file_that_was_cut_off_keeps_its_length():
    at = [chunk for chunk in chunks(FILE) if chunk[1] == b"FRAM"][1][0]
    animation, damage = salvaged(FILE[: at + 30])
    assert damage.lost_frames == ((3, 5),)
    assert len(animation) == len(FEW)
    assert np.array_equal(animation[5], FEW[2])


def test_a_group_that_is_cut_off_may_have_gone_on_painting_the_frame_before():
    vectors = Path(__file__).parents[2] / "spec" / "vectors" / "valid"
    data = (vectors / "5.11_goes-on-frame-0.kqf").read_bytes()
    group = [at for at, kind, _ in chunks(data) if kind == b"CODE"][1]
    with kqf.open_animation(data) as expected:
        for end in range(group, group + 40):
            animation, damage = salvaged(data[:end])
            assert not np.array_equal(animation[0], expected[0])
            assert told(damage) == {0, 1}


def test_without_its_times_each_frame_is_shown_for_a_tenth_of_a_second():
    at, _, size = next(chunk for chunk in chunks(FILE) if chunk[1] == b"ANIM")
    animation, damage = salvaged(overwrite(FILE, at + 8, size - 8))
    assert "ANIM is lost" in str(damage)
    assert np.array_equal(animation, FEW)
    assert animation.durations == (100,) * len(FEW)


def test_without_the_first_frame_others_are_had():
    data = FILE_OF_SCENES
    tiles = [chunk for chunk in chunks(data) if chunk[1] == b"LABL"][:6]
    first, last = tiles[0][0], sum(tiles[-1][::2])
    animation, damage = salvaged(overwrite(data, first, last - first))
    assert len(damage.lost) == 6
    assert told(damage) >= {0}
    with kqf.open_animation(data) as expected:
        assert np.array_equal(animation[7], expected[7])


def test_nothing_to_salvage():
    with pytest.raises(kqf.FormatError):
        kqf.open_animation(FILE[:100], errors="salvage")
    with pytest.raises(ValueError, match="errors must be"):
        kqf.open_animation(FILE, errors="ignore")


@settings(max_examples=60, deadline=None)
@given(
    data=st.sampled_from([FILE, FILE_OF_SCENES]),
    at=st.floats(0, 1),
    count=st.sampled_from([1, 3, 30, 300]),
    change=st.sampled_from(["overwritten", "left out", "repeated", "cut off"]),
)
def test_of_any_damage_frames_that_are_not_told_are_right(data, at, count, change):
    place = int(at * len(data))
    if change == "overwritten":
        damaged = overwrite(data, place, count)
    elif change == "cut off":
        damaged = data[:place]
    else:
        end = place + count
        damaged = data[:place] + (data[place:end] * 2 if change == "repeated" else b"") + data[end:]
    with kqf.open_animation(data) as expected:
        try:
            animation, damage = salvaged(damaged)
        except kqf.FormatError:
            # Only where not even the first frame can be read.
            assert place < 1000
            return
        frames = list(animation)
        assert damage or len(frames) == len(expected)
        wrong = {number for number, frame in enumerate(frames) if (frame != expected[number]).any()}
        assert wrong <= told(damage)
        backwards = [animation[number] for number in reversed(range(len(frames)))]
        assert np.array_equal(backwards[::-1], frames)
