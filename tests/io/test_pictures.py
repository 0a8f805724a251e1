"""Pictures of other formats, on their way to KQF and back."""

import struct
import zlib
from pathlib import Path

import numpy as np
import PIL
import pytest
from command import ICC, XMP, draw, few, palette_image, record, run, with_metadata
from PIL import Image, ImageOps, PngImagePlugin, TiffImagePlugin, TiffTags, features

import kqf
from kqf.io.image_metadata import dropped_metadata
from kqf.io.modes import in_stored_mode
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
    assert lost == ([] if mode == "PA" else [f"mode {mode} is converted to {stored}"])


def test_cmyk_says_what_it_loses():
    Image.fromarray(few()).convert("CMYK").save("a.tif", icc_profile=ICC)
    result = run("convert", "a.tif")
    assert result.stderr == (
        "kqf: a.tif: mode CMYK is converted to RGB\nkqf: a.tif: the profile is dropped\n"
    )
    assert result.stdout.endswith(", lossy\n")
    assert "icc_profile" not in kqf.info("a.kqf").metadata


@pytest.mark.parametrize("mode", ["I", "F"])
def test_modes_without_a_range_are_refused(mode):
    Image.new(mode, (4, 4), 300).save("a.tif")
    result = run("convert", "a.tif", code=1)
    assert result.stderr == (
        f"kqf: a.tif: mode {mode} has no fixed range: scale it to 0 to 255 first, "
        "im.point(lambda v: v * 0.85).convert('L')\n"
    )


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_of_16_bits_the_higher_byte_is_kept(name):
    values = np.arange(0, 2**16, 999, np.uint16)[None]
    Image.fromarray(values).save(name)
    result = run("convert", name)
    assert result.stderr.startswith(f"kqf: {name}: 16 bits a channel are cut to 8\n")
    assert result.stdout.endswith(", lossy\n")
    assert np.array_equal(kqf.read("a.kqf"), values >> 8)


def png(bits, kind, row, transparent):
    """Return a PNG of one row, whose samples are packed already, with a transparent colour."""

    def chunk(name, data):
        crc = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc)

    width = len(row) * 8 // (bits * (3 if kind == 2 else 1))
    header = struct.pack(">IIBBBBB", width, 1, bits, kind, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"tRNS", transparent)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunks
        + chunk(b"IDAT", zlib.compress(b"\0" + row))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("bits", "row", "transparent", "gray", "alpha"),
    [
        (1, [0b01000000], 1, [0, 255] + 6 * [0], [255, 0] + 6 * [255]),
        (2, [0b00011011], 2, [0, 85, 170, 255], [255, 255, 0, 255]),
        (4, [0x05, 0xAF], 5, [0, 85, 170, 255], [255, 0, 255, 255]),
        (8, [0, 77, 200, 255], 77, [0, 77, 200, 255], [255, 0, 255, 255]),
        (16, [0x12, 0x34, 0x12, 0x35, 0xFF, 0xFF], 0x1234, [0x12, 0x12, 0xFF], [0, 255, 255]),
    ],
)
def test_the_transparent_gray_of_png_has_the_depth_of_the_file(bits, row, transparent, gray, alpha):
    Path("a.png").write_bytes(png(bits, 0, bytes(row), struct.pack(">H", transparent)))
    run("convert", "a.png")
    assert kqf.read("a.kqf")[0].tolist() == [list(pair) for pair in zip(gray, alpha, strict=True)]


def test_the_transparent_colour_of_16_bits():
    color = struct.pack(">3H", 0x1234, 0x8000, 0xFFFF)
    Path("a.png").write_bytes(png(16, 2, color + struct.pack(">3H", 1, 2, 3), color))
    assert "transparent colour of 16 bits" in run("convert", "a.png").stderr
    assert kqf.read("a.kqf").tolist() == [[[0x12, 0x80, 0xFF, 0], [0, 0, 0, 255]]]


def test_premultiplied_gray():
    image = Image.new("LA", (2, 2), (200, 100)).convert("La")
    stored, changes = in_stored_mode(image)
    assert changes == ["mode La is converted to LA"]
    assert stored.getpixel((0, 0)) == (198, 100)


def test_of_a_photograph_with_previews_the_first_is_taken():
    photograph = Image.fromarray(few())
    photograph.save("a.jpg", "MPO", save_all=True, append_images=[photograph.resize((9, 9))])
    with Image.open("a.jpg") as image:
        assert image.format == "MPO"
        pixels = np.asarray(image.convert("RGB"))
    result = run("convert", "a.jpg", "--quality", 100)
    assert result.stderr == "kqf: a.jpg: its other pictures are left out: 1\n"
    assert kqf.info("a.kqf").width == pixels.shape[1]
    assert "left out: 1\n" in run("convert", "a.jpg", "--strip", "-o", "c.kqf").stderr
    run("convert", "a.jpg", "--frame", 1, "-o", "b.kqf")
    assert kqf.info("b.kqf").width == 9


def layered(colors, merged):
    """Return a PSD file of two by one pixels: a layer of each colour, and the merged image."""
    records = planes = b""
    for color in colors:
        records += struct.pack(">4iH", 0, 0, 1, 2, 3)
        records += b"".join(struct.pack(">hI", channel, 4) for channel in range(3))
        records += b"8BIMnorm" + bytes([255, 0, 0, 0]) + struct.pack(">IIIB3x", 12, 0, 0, 0)
        planes += b"".join(b"\0\0" + bytes([value, value]) for value in color)
    layers = struct.pack(">h", len(colors)) + records + planes
    layers += bytes(len(layers) % 2)
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 1, 2, 8, 3)
    section = struct.pack(">I", len(layers)) + layers + bytes(4)
    image = b"\0\0" + b"".join(bytes([value, value]) for value in merged)
    return header + bytes(8) + struct.pack(">I", len(section)) + section + image


def test_of_layers_the_merged_image_is_taken():
    Path("a.psd").write_bytes(layered([(1, 2, 3), (40, 50, 60)], (7, 8, 9)))
    assert run("convert", "a.psd").stderr == ""
    assert kqf.read("a.kqf").tolist() == [[[7, 8, 9]] * 2]


@pytest.mark.skipif(
    int(PIL.__version__.split(".")[0]) < 13, reason="older Pillow reads layers at wrong offsets"
)
def test_a_layer_is_a_frame():
    Path("a.psd").write_bytes(layered([(1, 2, 3), (40, 50, 60)], (7, 8, 9)))
    for frame, color in enumerate([[1, 2, 3], [40, 50, 60]]):
        run("convert", "a.psd", "--frame", frame, "-o", f"{frame}.kqf")
        assert kqf.read(f"{frame}.kqf").tolist() == [[color] * 2]
    assert "the last one is 1" in run("convert", "a.psd", "--frame", 2, code=1).stderr


def test_overviews_and_masks_of_tiff_are_no_frames():
    tifffile = pytest.importorskip("tifffile")
    pixels = few()
    with tifffile.TiffWriter("a.tif") as file:
        file.write(pixels, photometric="rgb")
        file.write(pixels[::2, ::2], photometric="rgb", subfiletype=1)
        for kind in (4, 5):
            mask = pixels[::2, ::2, 0] > 99
            file.write(mask, photometric="minisblack", subfiletype=kind)
    run("convert", "a.tif")
    assert np.array_equal(kqf.read("a.kqf"), pixels)
    with tifffile.TiffWriter("b.tif") as file:
        for kind in (0, 1, 0):
            file.write(pixels + kind, photometric="rgb", subfiletype=kind)
    assert "--frame 0 to --frame 1\n" in run("convert", "b.tif", code=1).stderr


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.kqf"])
@pytest.mark.parametrize("back", ["b.kqf", "b.png", "b.gif"])
def test_strip_turns_what_orientation_turns(name, back):
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = few()
    draw("a.png" if name == "a.kqf" else name, pixels, exif=exif)
    if name == "a.kqf":
        run("convert", "a.png")
    elif back != "b.kqf":
        return
    with Image.open(name) as image:
        shown = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    run("convert", name, "--strip", "-o", back, *(["--quality", 100] if back == "b.kqf" else []))
    with Image.open(back) as image:
        assert not image.getexif()
        stripped = np.asarray(image.convert("RGB"))
    assert stripped.shape == shown.shape == (40, 24, 3)
    if name != "a.jpg":
        assert np.array_equal(stripped, shown)


def test_metadata_that_is_dropped_is_named():
    texts = PngImagePlugin.PngInfo()
    texts.add_text("parameters", "a cat")
    texts.add_itxt("Author", "someone")
    texts.add(b"gAMA", struct.pack(">I", 100000))
    draw("a.png", few(), pnginfo=texts)
    result = run("convert", "a.png")
    assert result.stderr == (
        "kqf: a.png: PNG's text is dropped: parameters, Author\n"
        "kqf: a.png: gamma 1 is dropped: colours may look different\n"
    )
    assert result.stdout.endswith(", lossless\n")
    assert run("convert", "a.png", "--strip").stderr == ""


@pytest.mark.parametrize(
    ("info", "note"),
    [
        ({"gamma": 0.45455}, None),
        ({"gamma": 1.0, "srgb": 0}, None),
        ({"gamma": 1.0, "icc_profile": ICC}, None),
        ({"gamma": 1.0}, "gamma 1 is dropped: colours may look different"),
        ({"chromaticity": (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)}, None),
        (
            {"chromaticity": (0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)},
            "the chromaticities are dropped: colours may look different",
        ),
        ({"aspect": (1, 1)}, None),
        ({"aspect": (2, 1)}, "the pixels' aspect ratio 2:1 is dropped"),
        ({"photoshop": {0x0404: b"caption"}}, "IPTC is dropped"),
        ({"loop": 0, "duration": 9, "version": b"GIF89a"}, None),
    ],
)
def test_what_counts_as_dropped_metadata(info, note):
    image = Image.new("RGB", (2, 2))
    image.info = info
    assert dropped_metadata(image) == ([note] if note else [])


def test_dropped_tags_of_tiff_are_named():
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    directory[33550] = (1.0, 1.0, 0.0)
    directory.tagtype[33550] = TiffTags.DOUBLE
    draw("a.tif", few(), tiffinfo=directory)
    assert (
        run("convert", "a.tif").stderr
        == "kqf: a.tif: metadata of TIFF is dropped: ModelPixelScale\n"
    )


def test_frames():
    frames = [Image.new("L", (5, 4), level) for level in (0, 100, 200)]
    frames[0].save("a.gif", save_all=True, append_images=frames[1:])
    frames[0].save("c.tif", save_all=True, append_images=frames[1:])
    result = run("convert", "c.tif", code=1)
    assert result.stderr == (
        "kqf: c.tif: holds 3 frames or pages, and one is to be taken: "
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
    assert "keeps no" not in run("convert", name).stderr
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
    assert kqf.info("b.kqf").metadata == {}
    run("convert", "a.gif")
    assert kqf.read_indexed("a.kqf").metadata["comment"] == "one\xe9"


def test_metadata_of_another_type_is_no_metadata():
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    directory[34675] = 7
    directory.tagtype[34675] = TiffTags.SHORT
    draw("a.tif", few(), tiffinfo=directory)
    run("convert", "a.tif")
    assert "icc_profile" not in kqf.info("a.kqf").metadata


def test_an_empty_file_is_told():
    with pytest.raises(ValueError, match="the file is empty"):
        load(b"")
