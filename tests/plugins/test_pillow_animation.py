"""Animations opened and saved by Pillow, beside what Pillow's own plugins do."""

import copy
import io
import pickle

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFile, ImageSequence

import kqf

SIZE = 40, 30


def frame(number, mode="RGB"):
    """Return a picture of few colours of which a part moves."""
    image = Image.new(mode, SIZE, 0)
    draw = ImageDraw.Draw(image)
    color = {"RGB": (200, 30, 30), "RGBA": (200, 30, 30, 255), "L": 99, "LA": (99, 255)}[mode]
    draw.rectangle((5 * number, 4, 5 * number + 8, 20), fill=color)
    return image


FRAMES = [frame(number) for number in range(5)]
DURATIONS = [40, 0, 100, 70, 2000]


def saved(images, file_format="KQF", **options):
    file = io.BytesIO()
    images[0].save(file, file_format, save_all=True, append_images=images[1:], **options)
    return Image.open(file)


def shown(image):
    """Return the pixels of all frames as RGBA, and their durations."""
    frames = [
        (np.asarray(each.convert("RGBA")), each.info.get("duration"))
        for each in ImageSequence.Iterator(image)
    ]
    return np.stack([pixels for pixels, _ in frames]), [duration for _, duration in frames]


def test_frames_and_times_are_those_of_gif():
    ours = saved(FRAMES, duration=DURATIONS, loop=0)
    gif = saved(FRAMES, "GIF", duration=DURATIONS, loop=0)
    assert (ours.n_frames, ours.is_animated) == (gif.n_frames, gif.is_animated) == (5, True)
    for one, other in zip(shown(ours), shown(gif), strict=True):
        assert np.array_equal(one, other)
    assert ours.info["loop"] == gif.info["loop"] == 0


@pytest.mark.parametrize("loop", [None, 0, 1, 7])
def test_loop_has_its_meaning_in_gif(loop):
    options = {} if loop is None else {"loop": loop}
    gif = saved(FRAMES, "GIF", duration=40, **options)
    assert saved(FRAMES, duration=40, **options).info.get("loop") == gif.info.get("loop")
    again = io.BytesIO()
    gif.save(again, "KQF", save_all=True)
    plays = kqf.info(again.getvalue()).loop
    assert plays == {None: 1, 0: 0}.get(loop, (loop or 0) + 1)
    assert Image.open(again).info.get("loop") == gif.info.get("loop")


@pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP"])
def test_files_of_other_formats_go_there_and_back(file_format):
    options = {"lossless": True} if file_format == "WEBP" else {}
    original = saved(FRAMES, file_format, duration=[100, 30, 70, 40, 50], loop=3, **options)
    ours = io.BytesIO()
    original.save(ours, "KQF", save_all=True)
    opened = Image.open(ours)
    assert original.tell() == 0
    for one, other in zip(shown(opened), shown(original), strict=True):
        assert np.array_equal(one, other)
    plays = kqf.info(ours.getvalue()).loop
    assert plays == 3 + (file_format == "GIF")


def test_seek_and_tell():
    image = saved(FRAMES, duration=DURATIONS)
    assert (image.tell(), image.mode) == (0, "P")
    for number in (4, 1, 1, 3, 0, 2):
        image.seek(number)
        assert image.tell() == number
        assert image.info["duration"] == DURATIONS[number]
        assert np.array_equal(image.convert("RGB"), FRAMES[number])
    for beyond in (5, -1):
        with pytest.raises(EOFError):
            image.seek(beyond)
    assert image.tell() == 2
    assert np.array_equal(image.convert("RGB"), FRAMES[2])
    image.seek(0)
    assert np.array_equal(image.convert("RGB"), FRAMES[0])


def test_a_frame_is_an_image_like_any_other(tmp_path):
    saved(FRAMES).seek(2)
    path = tmp_path / "a.kqf"
    FRAMES[0].save(path, save_all=True, append_images=FRAMES[1:])
    with Image.open(path) as image:
        image.seek(3)
        for other in (copy.copy(image), image.copy(), pickle.loads(pickle.dumps(image))):
            assert np.array_equal(other.convert("RGB"), FRAMES[3])
        small = image.copy()
        small.thumbnail((20, 20))
        assert small.size == (20, 15)
        image.save(tmp_path / "one.png")
    with Image.open(tmp_path / "one.png") as image:
        assert np.array_equal(image.convert("RGB"), FRAMES[3])


def test_verify_reads_all_frames():
    file = io.BytesIO()
    FRAMES[0].save(file, "KQF", save_all=True, append_images=FRAMES[1:])
    Image.open(file).verify()
    data = bytearray(file.getvalue())
    data[-20] ^= 1
    image = Image.open(io.BytesIO(data))
    image.load()
    with pytest.raises(OSError, match="FRAM"):
        image.seek(4)
    with pytest.raises(OSError, match="FRAM"):
        Image.open(io.BytesIO(data)).verify()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_modes_are_kept(mode):
    images = [frame(number, mode) for number in range(3)]
    opened = saved(images)
    assert opened.mode == {"RGB": "P", "RGBA": "P"}.get(mode, mode)
    for number in range(3):
        opened.seek(number)
        assert np.array_equal(opened.convert("RGBA"), images[number].convert("RGBA"))


def test_frames_may_differ_in_mode():
    palette = FRAMES[1].quantize(4)
    images = [FRAMES[0], palette, frame(2, "RGBA"), frame(3, "L")]
    found, _ = shown(saved(images))
    expected = np.stack([np.asarray(image.convert("RGBA")) for image in images])
    assert np.array_equal(found, expected)


def test_many_colours_of_palettes_are_kept():
    rng = np.random.default_rng(1)
    images = []
    for _ in range(3):
        image = Image.fromarray(rng.integers(0, 256, SIZE[::-1], np.uint8), "P")
        image.putpalette(rng.bytes(768))
        images.append(image)
    opened = saved(images)
    assert np.array_equal(
        shown(opened)[0], np.stack([np.asarray(i.convert("RGBA")) for i in images])
    )
    opened.seek(1)
    assert opened.mode == "RGB"


def test_frames_of_other_sizes_are_refused():
    with pytest.raises(OSError, match=r"frame 1 is \(9, 9\), not \(40, 30\)"):
        saved([FRAMES[0], Image.new("RGB", (9, 9))])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"duration": [1, 2]}, "5 frames, but 2 durations"),
        ({"duration": -1}, "at least 0"),
        ({"loop": -1}, "loop"),
    ],
)
def test_wrong_times_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        saved(FRAMES, **options)


def test_metadata_is_that_of_the_first_image():
    opened = saved(FRAMES, comment="x", dpi=(72, 72))
    assert opened.info["comment"] == "x"
    opened.seek(2)
    assert opened.info["dpi"] == pytest.approx((72, 72))


def test_damaged_animations_show_what_is_there_on_request(monkeypatch):
    file = saved(FRAMES, duration=DURATIONS, loop=0)
    expected, times = shown(file)
    data = file.fp.getvalue()
    damaged = data[:-20]
    with Image.open(io.BytesIO(damaged)) as image, pytest.raises(OSError, match="FRAM"):
        image.seek(1)
    opened_before = Image.open(io.BytesIO(damaged))
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    for image in (opened_before, Image.open(io.BytesIO(damaged))):
        with pytest.warns(kqf.DamageWarning, match="frames 1 to 4") as caught:
            image.seek(4)
        assert caught[0].filename == __file__
        assert np.array_equal(image.convert("RGBA"), expected[0])
        assert image.info["duration"] == times[4]
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(shown(image)[0], expected)
