"""Indexed images saved to files of any format, and opened from them."""

import io

import numpy as np
import pytest
from PIL import Image

import kqf
from kqf.image import IndexedImage


def sample(channels=3, colors=20, **metadata):
    random = np.random.default_rng(channels)
    codebook = random.integers(0, 256, (colors, channels), np.uint8)
    return IndexedImage(random.integers(0, colors, (30, 20), np.uint8), codebook, metadata)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_kqf_gives_back_the_very_image(channels, tmp_path):
    image = sample(channels, comment="here")
    image.save(tmp_path / "image.kqf")
    assert IndexedImage.open(tmp_path / "image.kqf") == image
    assert kqf.read_indexed(tmp_path / "image.kqf") == image


@pytest.mark.parametrize("channels", [3, 4])
def test_png_gives_back_the_very_image(channels, tmp_path):
    image = sample(channels, comment="here")
    image.save(str(tmp_path / "image.png"))
    assert IndexedImage.open(str(tmp_path / "image.png")) == image


@pytest.mark.parametrize("suffix", ["gif", "webp", "tif", "bmp", "tga", "pcx"])
def test_other_formats_show_the_very_pixels(suffix, tmp_path):
    image = sample()
    image.save(tmp_path / f"image.{suffix}")
    again = IndexedImage.open(tmp_path / f"image.{suffix}")
    assert np.array_equal(again.pixels, image.pixels)


def test_options_reach_the_writer(tmp_path):
    image = sample(colors=2)
    image.save(tmp_path / "image.kqf", predictor="none", tile=16)
    assert kqf.info(tmp_path / "image.kqf").predictor == "none"
    assert kqf.info(tmp_path / "image.kqf").tiles == 4
    image.save(tmp_path / "a.jpg", quality=5)
    image.save(tmp_path / "b.jpg", quality=95)
    assert (tmp_path / "a.jpg").stat().st_size < (tmp_path / "b.jpg").stat().st_size
    with pytest.raises(TypeError):
        image.save(tmp_path / "c.kqf", colours=3)
    assert not (tmp_path / "c.kqf").exists()


def test_files_and_bytes_and_urls(memory, tmp_path):
    image = sample()
    buffer = io.BytesIO()
    image.save(buffer, "png")
    assert IndexedImage.open(buffer.getvalue()) == image
    buffer.seek(0)
    assert IndexedImage.open(buffer) == image
    image.save("memory://folder/image.png")
    assert IndexedImage.open("memory://folder/image.png") == image
    with (tmp_path / "named.kqf").open("wb") as file:
        image.save(file)
    assert IndexedImage.open(tmp_path / "named.kqf") == image


def test_a_format_must_be_known(tmp_path):
    with pytest.raises(ValueError, match="needs a format"):
        sample().save(io.BytesIO())
    with pytest.raises(ValueError, match="has no suffix"):
        sample().save(tmp_path / "image")
    with pytest.raises(ValueError, match=r"\.xyz"):
        sample().save(tmp_path / "image.xyz")
    with pytest.raises(ValueError, match="'XYZ'"):
        sample().save(tmp_path / "image.png", "xyz")
    assert not list(tmp_path.iterdir())


def test_metadata_that_a_format_drops_is_named(tmp_path):
    with pytest.warns(UserWarning, match="GIF does not keep dpi") as caught:
        sample(dpi=(72.0, 72.0), comment="x").save(tmp_path / "image.gif")
    assert caught[0].filename == __file__


def test_images_of_few_colours_need_no_palette():
    pixels = np.repeat(np.arange(200, dtype=np.uint8), 3).reshape(30, 20)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    image = IndexedImage.open(buffer.getvalue())
    assert image.codebook.shape == (200, 1)
    assert np.array_equal(image.pixels, pixels)


def test_more_colours_than_a_palette_holds_are_refused():
    # All three channels together count from 0 to 256.
    pixels = np.arange(257, dtype=">u4").view(np.uint8).reshape(1, 257, 4)[..., 1:]
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    with pytest.raises(ValueError, match=r"more than 256 colours: kqf\.quantize"):
        IndexedImage.open(buffer.getvalue())


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pillow_gets_labels_palette_and_metadata(channels):
    image = sample(channels, comment="here")
    picture = image.to_pillow()
    assert picture.mode == "P"
    assert picture.info["comment"] == "here"
    assert np.array_equal(np.asarray(picture), image.labels)
    meant = Image.fromarray(image.pixels).convert("RGBA")
    assert np.array_equal(np.asarray(picture.convert("RGBA")), np.asarray(meant))


def test_a_changed_info_does_not_change_the_image():
    image = sample()
    image.to_pillow().info["comment"] = "x"
    assert image.metadata == {}
