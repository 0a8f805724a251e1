"""Pictures of other formats, on their way to KQF and back."""

from pathlib import Path

import numpy as np
import PIL
import pytest
from command import ICC, XMP, draw, few, palette_image, record, run, with_metadata
from PIL import Image, TiffImagePlugin, TiffTags, features

import kqf
from kqf.io.pictures import load


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_gray_and_colour_with_and_without_alpha(channels):
    pixels = few(channels)
    pixels = draw("a.png", pixels[..., 0] if channels == 1 else pixels)
    assert record("a.png", "--verify")["exact"] is True
    assert kqf.info("a.kqf").channels == channels
    assert (kqf.read("a.kqf") == pixels).all()
    assert record("a.kqf", "-o", "b.png", "--verify")["exact"] is True


def test_two_levels():
    Image.fromarray(np.eye(9, dtype=bool)).save("a.png")
    assert record("a.png")["exact"] is True
    assert (kqf.read("a.kqf") == np.eye(9) * 255).all()


def test_transparency_of_palettes_is_kept():
    image = palette_image([[1, 2, 3], [4, 5, 6], [7, 8, 9]], [[0, 1, 2]])
    image.save("a.png", transparency=bytes([255, 0, 100]))
    image.save("one.gif", transparency=1)
    run("convert", "a.png", "--verify")
    found = kqf.read_indexed("a.kqf").codebook
    assert found[:3].tolist() == [[1, 2, 3, 255], [4, 5, 6, 0], [7, 8, 9, 100]]
    run("convert", "one.gif", "--verify")
    assert kqf.read("one.kqf")[0, :, 3].tolist() == [255, 0, 255]
    run("convert", "one.kqf", "-o", "back.gif", "--verify")
    with Image.open("back.gif") as back:
        assert (np.asarray(back.convert("RGBA")) == kqf.read("one.kqf")).all()


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_a_transparent_colour_becomes_alpha(mode):
    image = Image.new("RGB", (3, 1))
    image.putpixel((1, 0), (255, 255, 255))
    image.convert(mode).save("a.png", transparency=(255, 255, 255) if mode == "RGB" else 255)
    run("convert", "a.png")
    assert kqf.read("a.kqf")[0, :, -1].tolist() == [255, 0, 255]


@pytest.mark.parametrize(
    ("mode", "name", "stored"),
    [("CMYK", "a.tif", "RGB"), ("YCbCr", "a.tif", "RGB"), ("PA", "a.tif", "RGBA")],
)
def test_modes_that_kqf_does_not_store(mode, name, stored):
    if mode == "YCbCr" and int(PIL.__version__.split(".")[0]) < 13:
        pytest.skip("Pillow before 13 can't read the TIFF that it writes of YCbCr")
    Image.fromarray(few()).convert("P" if mode == "PA" else "RGB").convert(mode).save(name)
    image, lost = load(Path(name).read_bytes())
    assert image.mode == stored
    assert lost == [f"mode {mode} is converted to {stored}"]


def test_cmyk_says_what_it_loses():
    Image.fromarray(few()).convert("CMYK").save("a.tif", icc_profile=ICC)
    result = run("convert", "a.tif")
    assert result.stderr == (
        "kqf: a.tif: mode CMYK is converted to RGB\nkqf: a.tif: the profile is dropped\n"
    )
    assert result.stdout.endswith(", lossy\n")
    assert "icc_profile" not in kqf.info("a.kqf").metadata


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_modes_that_would_lose_are_refused(mode):
    Image.new(mode, (4, 4)).save("a.tif")
    result = run("convert", "a.tif", code=1)
    assert result.stderr == (
        f"kqf: a.tif: mode {mode} has more than the 8 bits a channel of KQF: reduce it to 8 first\n"
    )


def test_frames():
    frames = [Image.new("L", (5, 4), level) for level in (0, 100, 200)]
    frames[0].save("a.gif", save_all=True, append_images=frames[1:])
    result = run("convert", "a.gif", code=1)
    assert result.stderr == (
        "kqf: a.gif: holds 3 frames and a KQF file holds one: "
        "pick one with kqf convert, --frame 0 to --frame 2\n"
    )
    run("convert", "a.gif", "--frame", 1)
    with Image.open("a.gif") as image:
        image.seek(1)
        assert (kqf.read("a.kqf").ravel()[:3] == 100).all()
    assert "the last one is 2" in run("convert", "a.gif", "--frame", 3, code=1).stderr
    draw("b.png", few())
    run("convert", "b.png", "--frame", 0)
    assert "the last one is 0" in run("convert", "b.png", "--frame", 1, code=1).stderr


@pytest.mark.parametrize("suffix", ["png", "gif", "bmp", "tif", "ppm", "tga", "webp"])
def test_formats_that_lose_nothing(suffix):
    if suffix == "webp" and not features.check("webp"):
        pytest.skip("Pillow without WebP")
    pixels = draw("a.png", few())
    run("convert", "a.png")
    assert record("a.kqf", "-o", f"b.{suffix}", "--verify")["exact"] is True
    with Image.open(f"b.{suffix}") as image:
        assert (np.asarray(image.convert("RGB")) == pixels).all()


def test_formats_that_lose():
    draw("a.png", few())
    run("convert", "a.png")
    assert record("a.kqf", "-o", "b.jpg")["exact"] is False
    result = run("convert", "a.kqf", "-o", "c.jpg", "--verify", code=1)
    assert result.stderr == "kqf: a.kqf: verification failed: as JPEG it shows other pixels\n"
    assert not Path("c.jpg").exists()


def test_formats_that_are_not_read_back():
    draw("a.png", few())
    run("convert", "a.png")
    assert record("a.kqf", "-o", "b.pdf")["exact"] is None
    assert (
        "cannot be read back" in run("convert", "a.kqf", "-o", "b.pdf", "--verify", code=1).stderr
    )


@pytest.mark.parametrize("suffix", ["jpg", "bmp", "ppm"])
def test_transparency_is_not_dropped_silently(suffix):
    draw("a.png", few(4))
    run("convert", "a.png")
    result = run("convert", "a.kqf", "-o", f"b.{suffix}", code=1)
    assert result.stderr.startswith("kqf: a.kqf: cannot be saved as ")
    assert not Path(f"b.{suffix}").exists()


def test_formats_of_limited_size():
    draw("a.png", np.zeros((300, 300), np.uint8))
    run("convert", "a.png")
    assert record("a.kqf", "-o", "b.ico")["exact"] is False
    assert "shows other" in run("convert", "a.kqf", "-o", "c.ico", "--verify", code=1).stderr


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_metadata_is_kept_both_ways(name):
    with_metadata(name)
    assert run("convert", name).stderr == ""
    metadata = kqf.read_indexed("a.kqf").metadata
    assert metadata["icc_profile"] == ICC
    assert metadata["exif"].startswith(b"MM\0*")
    assert metadata["xmp"] == XMP
    assert metadata["dpi"] == pytest.approx((72, 144), abs=0.05)
    assert metadata["comment"] == "hello"
    for back in ("b.png", "b.jpg"):
        assert run("convert", "a.kqf", "-o", back).stderr == ""
        run("convert", back, "-o", "again.kqf")
        again = dict(kqf.read_indexed("again.kqf").metadata)
        assert again.pop("dpi") == pytest.approx((72, 144), abs=0.05)
        assert again == {key: metadata[key] for key in metadata if key != "dpi"}


def test_metadata_that_a_format_lacks_is_named():
    with_metadata("a.png")
    run("convert", "a.png")
    result = run("convert", "a.kqf", "-o", "b.gif")
    assert result.stderr == "kqf: a.kqf: GIF keeps no icc_profile, exif, xmp, dpi\n"


def test_exif_of_tiff_comes_without_its_layout():
    exif = Image.Exif()
    exif[0x010F] = "maker"
    exif[0x8769] = {0x9003: "2001:02:03 04:05:06"}
    draw("a.tif", few(), exif=exif.tobytes())
    run("convert", "a.tif")
    with Image.open("a.kqf") as image:
        found = image.getexif()
        assert found[0x010F] == "maker"
        assert found.get_ifd(0x8769)[0x9003] == "2001:02:03 04:05:06"
        assert 0x0111 not in found
    assert run("convert", "a.kqf", "-o", "b.tif", "--verify").stderr == ""


def test_void_metadata_does_not_fail():
    draw("a.bmp", few(), dpi=(0, 0))
    draw("a.gif", few(1)[..., 0], comment=b"one\xe9")
    run("convert", "a.bmp", "-o", "b.kqf")
    assert kqf.info("b.kqf").metadata == ()
    run("convert", "a.gif")
    assert kqf.read_indexed("a.kqf").metadata["comment"] == "one\xe9"


def test_metadata_of_another_type_is_no_metadata():
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    directory[34675] = 7
    directory.tagtype[34675] = TiffTags.SHORT
    draw("a.tif", few(), tiffinfo=directory)
    run("convert", "a.tif")
    assert "icc_profile" not in kqf.info("a.kqf").metadata
