"""Animations converted to KQF, and from KQF."""

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from command import run
from PIL import Image, ImageDraw

import kqf


def frame(number, color=(200, 30, 30)):
    image = Image.new("RGB", (40, 30), (20, 60, 90))
    ImageDraw.Draw(image).ellipse((3 * number, 5, 3 * number + 9, 14), fill=color)
    return image


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


FRAMES = [frame(number) for number in range(6)]
DURATIONS = [40, 100, 0, 70, 30, 500]


def save(name, images=FRAMES, **options):
    options = {"duration": DURATIONS[: len(images)], "loop": 0} | options
    if name.endswith("webp"):
        options |= {"lossless": True}
    images[0].save(name, save_all=True, append_images=images[1:], **options)


def frames_of(name):
    """Return the frames of a file as RGB, and their milliseconds."""
    with Image.open(name) as image:
        found = []
        for number in range(image.n_frames):
            image.seek(number)
            image.load()
            found.append((np.asarray(image.convert("RGBA")), image.info.get("duration", 0)))
        return np.stack([pixels for pixels, _ in found]), [time for _, time in found]


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_there_and_back(suffix):
    save(f"a.{suffix}")
    result = run("convert", f"a.{suffix}", "-o", "a.kqf")
    assert "lossless" in result.stdout
    pixels, times = frames_of(f"a.{suffix}")
    with kqf.open_animation("a.kqf") as animation:
        assert np.array_equal(np.asarray(animation), pixels[..., :3])
        assert list(animation.durations) == times
        assert animation.loop == 0
    kqf.check("a.kqf")
    for other in ("gif", "png", "webp"):
        run("convert", "a.kqf", "-o", f"back.{other}")
        found, again = frames_of(f"back.{other}")
        assert np.array_equal(found, pixels)
        assert again == times


@pytest.mark.parametrize("plays", [0, 1, 4])
def test_loops(plays):
    kqf.write_animation("a.kqf", [np.asarray(image) for image in FRAMES], loop=plays)
    for suffix in ("gif", "png", "webp"):
        run("convert", "a.kqf", "-o", f"a.{suffix}")
        run("convert", f"a.{suffix}", "-o", f"{suffix}.kqf")
        assert kqf.info(f"{suffix}.kqf").loop == plays


def test_selected_frames_at_another_rate_and_size():
    save("a.gif")
    run("convert", "a.gif", "--frames", "1:6", "--every", "2", "-o", "a.kqf")
    pixels, times = frames_of("a.gif")
    with kqf.open_animation("a.kqf") as animation:
        assert np.array_equal(np.asarray(animation), pixels[1:6:2, ..., :3])
        assert list(animation.durations) == [times[1] + times[2], times[3] + times[4], times[5]]
    part = ["--size", "20x15", "--region", "0,0,40,15"]
    run("convert", "a.gif", "--fps", "25", *part, "-o", "b.kqf")
    with kqf.open_animation("b.kqf") as animation:
        assert animation.shape == (6, 15, 20, 3)
        assert set(animation.durations) == {40}
    result = run("convert", "a.gif", "--frames", "3:99", "-o", "c.kqf", code=1)
    assert "0:6" in result.stderr
    assert not Path("c.kqf").exists()


def test_one_frame():
    save("a.gif")
    run("convert", "a.gif", "-o", "a.kqf")
    for source in ("a.gif", "a.kqf"):
        run("convert", source, "--frame", "4", "-o", f"{source}.png")
        with Image.open(f"{source}.png") as image:
            assert np.array_equal(image.convert("RGB"), FRAMES[4])
    result = run("convert", "a.kqf", "--frame", "6", "-o", "b.png", code=1)
    assert "the last one is 5" in result.stderr


def test_times_that_gif_does_not_have_are_rounded_in_their_sum():
    frames = [np.asarray(image) for image in FRAMES]
    kqf.write_animation("a.kqf", frames, durations=1000 / 30)
    result = run("convert", "a.kqf", "-o", "a.gif")
    assert "rounded to 10 ms" in result.stderr
    _, times = frames_of("a.gif")
    assert sum(times) == 200
    kqf.write_animation("b.kqf", frames, durations=655_360)
    result = run("convert", "b.kqf", "-o", "b.gif", code=1)
    assert "GIF can't hold these frames and times" in result.stderr


def test_frames_that_repeat_are_merged_and_said():
    kqf.write_animation("a.kqf", [np.asarray(FRAMES[k]) for k in (0, 1, 1, 2)], durations=50)
    result = run("convert", "a.kqf", "-o", "a.gif")
    assert "1 frames that repeat" in result.stderr
    assert frames_of("a.gif")[1] == [50, 100, 50]


def test_transparency():
    clear = Image.new("RGBA", (40, 30), 0)
    images = [clear, *(image.convert("RGBA") for image in FRAMES[:2]), clear]
    ImageDraw.Draw(images[1]).rectangle((0, 0, 20, 29), fill=(0, 0, 0, 0))
    kqf.write_animation("a.kqf", [np.asarray(image) for image in images])
    for suffix in ("gif", "png", "webp"):
        run("convert", "a.kqf", "-o", f"a.{suffix}")
        found, _ = frames_of(f"a.{suffix}")
        expected = np.stack([np.asarray(image) for image in images])
        assert np.array_equal(found[..., 3], expected[..., 3])
        assert np.array_equal(found[found[..., 3] > 0], expected[expected[..., 3] > 0])


def test_too_many_colours_for_gif_are_refused():
    rng = np.random.default_rng(0)
    kqf.write_animation("a.kqf", rng.integers(0, 256, (2, 20, 20, 3), np.uint8), exact=True)
    result = run("convert", "a.kqf", "-o", "a.gif", code=1)
    assert "frame 0 shows" in result.stderr
    assert not Path("a.gif").exists()
    run("convert", "a.kqf", "-o", "a.webp")


def test_true_colour_is_quantized():
    y, x = np.mgrid[:30, :40]
    ramp = np.stack([x * 6, y * 8, x + y], axis=2).astype(np.uint8)
    images = [Image.fromarray(np.roll(ramp, k, axis=1)) for k in range(3)]
    save("a.webp", images)
    result = run("convert", "a.webp", "--colors", "64", "--quality", "60", "-o", "a.kqf")
    assert "lossy" in result.stdout
    assert kqf.info("a.kqf").colors <= 64


def test_metadata_is_kept_or_said_to_be_dropped():
    save("a.gif", comment="hello")
    run("convert", "a.gif", "-o", "a.kqf")
    assert kqf.read_indexed("a.kqf").metadata["comment"] == "hello"
    assert "keeps no comment" in run("convert", "a.kqf", "-o", "a.webp").stderr
    run("convert", "a.gif", "--strip", "-o", "b.kqf")
    assert not kqf.read_indexed("b.kqf").metadata


def test_info_says_how_it_plays():
    save("a.gif")
    run("convert", "a.gif", "-o", "a.kqf")
    assert "6, 0.74 s, played for ever" in run("info", "a.kqf").stdout


def test_a_default_image_of_apng_is_left_out():
    file = io.BytesIO()
    FRAMES[0].save(file, "PNG", save_all=True, append_images=FRAMES[1:4], default_image=True)
    Path("a.png").write_bytes(file.getvalue())
    result = run("convert", "a.png", "-o", "a.kqf")
    assert "default image" in result.stderr
    with kqf.open_animation("a.kqf") as animation:
        assert np.array_equal(animation[0], np.asarray(FRAMES[1]))
        assert len(animation) == 3


def test_of_a_default_image_and_one_frame_the_frame_is_taken():
    FRAMES[0].save("a.png", save_all=True, append_images=FRAMES[1:2], default_image=True)
    result = run("convert", "a.png", "-o", "a.kqf")
    assert "default image" in result.stderr
    assert np.array_equal(kqf.read("a.kqf"), np.asarray(FRAMES[1]))
    run("convert", "a.png", "--frame", "0", "-o", "b.kqf")
    assert np.array_equal(kqf.read("b.kqf"), np.asarray(FRAMES[0]))


def test_palettes_of_apng_that_pillow_forgets():
    images = [Image.new("P", (4, 3), label) for label in (0, 1, 2)]
    for image in images:
        image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    save("a.png", images, blend=0)
    pixels, _ = frames_of("a.png")
    # Of Pillow's own frames, only those before it goes back can be relied on.
    assert pixels[:, 0, 0, :3].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    run("convert", "a.png", "-o", "a.kqf")
    with Image.open("a.png") as image:
        image.save("b.kqf", save_all=True)
    for name in ("a.kqf", "b.kqf"):
        with kqf.open_animation(name) as animation:
            assert np.array_equal(np.asarray(animation), pixels[..., :3])


def test_damaged_frames_are_refused_with_their_number():
    save("a.png")
    data = bytearray(Path("a.png").read_bytes())
    at = data.rindex(b"fcTL")
    data[at + 7] ^= 64
    data[at + 30 : at + 34] = zlib.crc32(data[at : at + 30]).to_bytes(4)
    Path("a.png").write_bytes(data)
    result = run("convert", "a.png", "-o", "a.kqf", code=1)
    assert "frame 5 cannot be read: APNG contains frame sequence errors" in result.stderr
    assert not Path("a.kqf").exists()
    with Image.open("a.png") as image, pytest.raises(OSError, match="frame 5 cannot be read"):
        image.save("b.kqf", save_all=True)


def test_pages_of_other_sizes_are_refused():
    larger = FRAMES[1].resize((50, 35))
    FRAMES[0].save("a.tif", save_all=True, append_images=[larger])
    with Image.open("a.tif") as image, pytest.raises(OSError, match=r"frame 1 is \(50, 35\), not"):
        image.save("b.kqf", save_all=True)


def test_options_of_animations_are_refused_for_stills():
    FRAMES[0].save("a.png")
    result = run("convert", "a.png", "--fps", "9", "-o", "a.kqf", code=1)
    assert "still image" in result.stderr


def test_images_are_joined_in_the_order_of_their_numbers():
    for number in (10, 9, 8):
        FRAMES[number - 8].save(f"shot_{number}.png")
    result = run("convert", "--frames-from", "shot_*.png", "--fps", "20", "-o", "a.kqf")
    assert "lossless" in result.stdout
    with kqf.open_animation("a.kqf") as animation:
        assert np.array_equal(np.asarray(animation), np.stack([np.asarray(f) for f in FRAMES[:3]]))
        assert animation.durations == (50, 50, 50)
    Path("folder").mkdir()
    FRAMES[0].save("folder/1.png")
    FRAMES[1].convert("RGBA").save("folder/2.webp", lossless=True)
    run("convert", "--frames-from", "folder", "-o", "b.kqf")
    assert kqf.info("b.kqf").durations == (100, 100)


def test_images_that_cannot_be_joined_are_named_and_nothing_is_written():
    FRAMES[0].save("1.png")
    Path("2.png").write_bytes(b"no image")
    result = run("convert", "--frames-from", "*.png", "-o", "a.kqf", code=1)
    assert "2.png" in result.stderr
    Image.new("RGB", (9, 9)).save("2.png")
    result = run("convert", "--frames-from", "*.png", "-o", "a.kqf", code=1)
    assert "2.png: is 9 x 9 pixels, not 40 x 30 like the first" in result.stderr
    assert "no image" in run("convert", "--frames-from", "x*", "-o", "a.kqf", code=1).stderr
    assert not Path("a.kqf").exists()
    assert run("convert", "1.png", "--frames-from", "*.png", "-o", "a.kqf", code=2)


def test_joined_images_are_cut_scaled_and_picked_as_animations_are():
    exif = Image.Exif()
    exif[274] = 6
    for number, image in enumerate(FRAMES):
        image.save(f"{number}.png", dpi=(300, 300), exif=exif)
    options = ["--frames", "1:6", "--every", "2", "--region", "0,0,40,20", "--size", "20x10"]
    run("convert", "--frames-from", "?.png", *options, "-o", "a.kqf")
    with kqf.open_animation("a.kqf") as animation:
        assert animation.shape == (3, 10, 20, 3)
        assert animation.durations == (200, 200, 100)
        assert animation.metadata["dpi"] == pytest.approx((300, 300), abs=0.1)
        # Without it, photographs would lie on their side.
        assert animation.metadata["exif"]
    result = run("convert", "--frames-from", "?.png", "--strip", "--verify", "-o", "b.kqf")
    assert "lossless" in result.stdout
    assert not kqf.info("b.kqf").metadata
    FRAMES[3].save("3.png", dpi=(72, 72))
    result = run("convert", "--frames-from", "?.png", "-o", "c.kqf")
    assert "metadata of 3.png is not that of 0.png, which is kept" in result.stderr


def test_images_are_joined_to_other_formats():
    for number, image in enumerate(FRAMES[:3]):
        image.save(f"{number}.png")
    run("convert", "--frames-from", "?.png", "-o", "a.gif")
    pixels, times = frames_of("a.gif")
    assert np.array_equal(pixels[..., :3], np.stack([np.asarray(image) for image in FRAMES[:3]]))
    assert times == [100] * 3


@pytest.mark.parametrize(
    "options", [["--frame", "1"], ["--salvage"], ["--keep-times"], ["--jobs", "2"]]
)
def test_options_that_do_nothing_for_joined_images_are_refused(options):
    for number, image in enumerate(FRAMES[:2]):
        image.save(f"{number}.png")
    result = run("convert", "--frames-from", "?.png", *options, "-o", "a.kqf", code=1)
    assert options[0] in result.stderr
    assert not Path("a.kqf").exists()


def test_images_that_are_joined_are_not_replaced():
    for number, image in enumerate(FRAMES[:2]):
        image.save(f"{number}.png")
    data = Path("1.png").read_bytes()
    result = run("convert", "--frames-from", "?.png", "--force", "-o", "1.png", code=1)
    assert "1.png is one of the images" in result.stderr
    assert Path("1.png").read_bytes() == data


def test_what_is_intact_of_a_damaged_animation_is_converted():
    kqf.write_animation("a.kqf", [np.asarray(image) for image in FRAMES], durations=DURATIONS)
    data = Path("a.kqf").read_bytes()
    Path("b.kqf").write_bytes(data[:-20])
    assert "--salvage" in run("convert", "b.kqf", "-o", "b.gif", code=1).stderr
    for target in ("c.kqf", "c.webp"):
        result = run("convert", "b.kqf", "--salvage", "-o", target)
        assert "damaged: " in result.stderr
        assert "frames 1 to 5" in result.stderr
        assert "lossless" not in result.stdout
    with kqf.open_animation("c.kqf") as animation:
        assert animation.durations == tuple(DURATIONS)
        assert all(np.array_equal(found, FRAMES[0]) for found in animation)
    result = run("convert", "b.kqf", "--salvage", "--frame", "0", "-o", "d.png")
    with Image.open("d.png") as image:
        assert np.array_equal(image.convert("RGB"), FRAMES[0])
    assert "damaged" not in run("convert", "a.kqf", "--salvage", "-o", "e.kqf").stderr
