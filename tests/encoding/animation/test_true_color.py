"""Files of frames of more colours than a codebook has."""

import numpy as np
import pytest
from sklearn.datasets import load_sample_image

import kqf
from kqf.encoding.animation import whole_search


@pytest.fixture(scope="module")
def frames():
    """Return a panning picture, a cut, and a still one: (8, 40, 60, 3)."""
    panned = load_sample_image("china.jpg")[150:190, 100:170]
    still = load_sample_image("flower.jpg")[150:190, 200:260]
    return np.stack([panned[:, 2 * number : 2 * number + 60] for number in range(4)] + [still] * 4)


def decoded(data):
    with kqf.open_animation(data) as animation:
        return np.stack([np.asarray(frame) for frame in animation])


def test_frames_come_back_as_good_as_asked_for(frames):
    sizes, ratios = [], []
    for quality in (100, 75, 30):
        data = kqf.encode_animation(frames, quality=quality, effort=2, colors=32)
        shown = decoded(data)
        assert shown.shape == frames.shape
        assert (shown[4:] == shown[4]).all()
        sizes.append(len(data))
        ratios.append(kqf.psnr(frames.reshape(-1, 60, 3), shown.reshape(-1, 60, 3)))
    assert sizes[0] > sizes[1] > sizes[2]
    assert ratios[0] > ratios[1] > ratios[2] > 20


def test_pans_of_large_frames_are_whole_frames_searched_in_space(monkeypatch):
    picture = load_sample_image("china.jpg")[200:400, 200:]

    def panned(height, width, **options):
        frames = np.stack([picture[:height, x : x + width] for x in (0, 5, 10, 15)])
        data = kqf.encode_animation(frames, quality=60, effort=3, colors=64, **options)
        kqf.check(data)
        return len(data), data.count(b"FRAM"), kqf.psnr(np.vstack(frames), np.vstack(decoded(data)))

    size, groups, ratio = panned(200, 260)
    assert groups == 3
    small = panned(40, 60)
    # Whole frames have none of the predictors that may be asked for.
    assert panned(200, 260, predictor="none")[1] == 1
    monkeypatch.setattr(whole_search, "_WINDOW", 2**30)
    as_changes, one, other = panned(200, 260)
    assert one == 1
    assert size < as_changes
    assert ratio > other - 0.5
    # Of small frames, changes repeat what the frame before has at another place.
    assert panned(40, 60) == small


def test_targets_hold_for_the_whole_file(frames):
    whole = frames.reshape(-1, 60, 3)
    options = {"effort": 1, "colors": 32}
    shown = decoded(kqf.encode_animation(frames, target_psnr=29, **options))
    assert 29 <= kqf.psnr(whole, shown.reshape(-1, 60, 3)) < 30
    limit = len(kqf.encode_animation(frames, quality=100, **options)) * 3 // 4
    assert limit // 2 < len(kqf.encode_animation(frames, max_bytes=limit, **options)) <= limit
    with pytest.raises(ValueError, match="target_ssim is for still images"):
        kqf.encode_animation(frames, target_ssim=0.9)


def test_dithering_takes_fewer_bytes_below_the_highest_quality(frames):
    options = {"effort": 1, "colors": 12, "dither": "ordered"}
    sizes = [len(kqf.encode_animation(frames, quality=q, **options)) for q in (100, 60)]
    assert sizes[0] > sizes[1]
    limit = (sizes[0] + sizes[1]) // 2
    assert len(kqf.encode_animation(frames, max_bytes=limit, **options)) <= limit


def test_scenes_are_dithered_where_bands_would_be_seen():
    y, x = np.mgrid[:64, :64]
    sky = np.dstack([40 + 2 * x, 60 + y + x, 250 - 2 * y]).astype(np.uint8)
    frames = np.stack([sky, np.roll(sky, 1, 0)])

    def encoded(dither, colors):
        return kqf.encode_animation(frames, effort=1, colors=colors, dither=dither, quality=75)

    assert encoded("auto", 8) != encoded("none", 8)
    assert encoded("auto", 128) == encoded("none", 128) != encoded("floyd-steinberg", 128)


def test_few_colours_are_exact_unless_they_take_too_many_bytes(frames):
    few = frames[..., 1]
    for options in ({}, {"quality": 1}, {"target_psnr": 30}):
        assert np.array_equal(decoded(kqf.encode_animation(few, effort=1, **options)), few)
    size = len(kqf.encode_animation(few, effort=1))
    assert len(kqf.encode_animation(few, effort=1, max_bytes=size)) == size
    assert len(kqf.encode_animation(few, effort=1, max_bytes=size * 3 // 4)) <= size * 3 // 4
    with pytest.raises(kqf.TargetError, match=f"all colours take {size}"):
        kqf.encode_animation(few, effort=1, max_bytes=size - 1, exact=True)


def test_a_palette_and_colours_to_keep_are_in_the_codebook_of_few_colours_too(frames):
    few = frames // 128 * 128
    palette = [(0, 0, 0), (255, 255, 255)]
    data = kqf.encode_animation(few, effort=1, palette=palette)
    assert kqf.read_indexed(data).codebook.tolist() == [list(color) for color in palette]
    data = kqf.encode_animation(few, effort=1, keep=[(1, 2, 3)])
    assert [1, 2, 3] in kqf.read_indexed(data).codebook.tolist()
    assert np.array_equal(decoded(data), few)
