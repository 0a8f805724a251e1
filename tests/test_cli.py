"""The command ``kqf``: in this process by typer's runner, and as a process of its own."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import walk
from PIL import Image, ImageCms, PngImagePlugin, features
from typer.testing import CliRunner

import kqf
from kqf import cli

ROOT = Path(kqf.__file__).parents[1]
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b"<x:xmpmeta/>"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments, code=0, stdin=None):
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments], input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def start(*arguments, **options):
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    command = [sys.executable, "-m", "kqf", *map(str, arguments)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=environment, **(pipes | options))


def run_process(*arguments, stdin=b"", code=0):
    process = start(*arguments)
    out, err = process.communicate(stdin, timeout=60)
    assert process.returncode == code, err
    assert b"Traceback" not in err
    return out, err.decode()


def draw(name, pixels, **options):
    Image.fromarray(pixels).save(name, **options)
    return pixels


def many(channels=3, seed=0):
    """Return pixels of more than 256 colours."""
    pixels = walk(24, 40, channels, seed=seed)
    assert len(np.unique(pixels.reshape(-1, channels), axis=0)) > 256
    return pixels


def few(channels=3, colors=5):
    rng = np.random.default_rng(colors)
    codebook = rng.integers(0, 256, (colors, channels)).astype(np.uint8)
    return codebook[rng.integers(0, colors, (24, 40))]


def names(folder="."):
    return sorted(path.name for path in Path(folder).iterdir())


def record(*arguments, **options):
    (line,) = run("convert", "--json", *arguments, **options).stdout.splitlines()
    return json.loads(line)


def palette_image(colors, labels, mode="RGB"):
    image = Image.fromarray(np.array(labels, np.uint8)).convert("L")
    picture = Image.frombytes("P", image.size, image.tobytes())
    picture.putpalette(bytes(np.array(colors, np.uint8).ravel()), mode)
    return picture


# What goes where.


def test_beside_the_input_and_back(folder):
    pixels = draw("a.png", few())
    result = run("convert", "a.png")
    assert (kqf.read("a.kqf") == pixels).all()
    sizes = [Path(name).stat().st_size for name in ("a.png", "a.kqf")]
    bits = 8 * sizes[1] / (24 * 40)
    assert result.stdout == (
        f"a.png -> a.kqf  {sizes[0]:,} -> {sizes[1]:,} bytes ({100 * sizes[1] / sizes[0]:.1f} %), "
        f"{bits:.2f} bits per pixel, 5 colours, lossless\n"
    )
    assert result.stderr == ""
    Path("a.png").unlink()
    run("convert", "a.kqf")
    with Image.open("a.png") as image:
        assert image.mode == "P"
        assert (np.asarray(image.convert("RGB")) == pixels).all()


def test_a_named_output():
    draw("a.png", few())
    run("convert", "a.png", "-o", "b.kqf")
    assert names() == ["a.png", "b.kqf"]


def test_folders(folder):
    for name in ("a.png", "b.bmp"):
        draw(name, few())
    run("convert", "a.png", "b.bmp", "-o", "deep/out/")
    assert names("deep/out") == ["a.kqf", "b.kqf"]
    (folder / "there").mkdir()
    run("convert", "a.png", "-o", "there")
    assert names("there") == ["a.kqf"]
    run("convert", "deep/out/a.kqf", "--format", "tif", "-o", "there")
    assert names("there") == ["a.kqf", "a.tif"]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("a.png", "b.png", "-o", "out"),
        ("a.png", "-", "-o", "out/"),
        ("-", "-o", "out/"),
        ("-", "a.png"),
        ("a.png", "b.png", "-o", "-"),
        ("a.png", "-o", "b.kqf", "--format", "png"),
        ("a.png", "--format", "xyz"),
        ("a.png", "--colors", "0"),
        ("a.png", "--colors", "257"),
        ("a.png", "--effort", "10"),
        ("a.png", "--metric", "l1"),
        ("a.png", "--predictor", "paeth"),
        ("a.png", "--tile", "0"),
        ("a.png", "--tile", "8x"),
        ("a.png", "--tile", "8x0"),
        ("a.png", "--threads", "0"),
        ("a.png", "--frame", "-1"),
        ("a.png", "--what"),
    ],
)
def test_usage_errors(arguments):
    draw("a.png", few())
    draw("b.png", few())
    result = run("convert", *arguments, code=2)
    assert "Traceback" not in result.output
    assert names() == ["a.png", "b.png"]


def test_the_output_is_not_the_input(folder):
    draw("a.png", few())
    run("convert", "a.png")
    before = Path("a.kqf").read_bytes()
    (folder / "link.kqf").symlink_to("a.kqf")
    for output in ("a.kqf", "link.kqf"):
        result = run("convert", "a.kqf", "-o", output, code=1)
        assert result.stderr == f"kqf: a.kqf: {output} is the same file\n"
    assert Path("a.kqf").read_bytes() == before


def test_overwriting():
    draw("a.png", few())
    Path("a.kqf").write_bytes(b"old")
    result = run("convert", "--no-overwrite", "a.png", code=1)
    assert result.stderr == "kqf: a.png: a.kqf exists already\n"
    assert Path("a.kqf").read_bytes() == b"old"
    run("convert", "a.png")
    kqf.check("a.kqf")


def test_two_inputs_do_not_become_one_output():
    first = draw("a.png", few())
    draw("a.bmp", few(colors=9))
    result = run("convert", "a.png", "a.bmp", code=1)
    assert result.stderr == "kqf: a.bmp: a.kqf was just made from a.png\n"
    assert (kqf.read("a.kqf") == first).all()


def test_one_side_must_be_kqf():
    draw("a.png", few())
    result = run("convert", "a.png", "-o", "b.bmp", code=1)
    assert result.stderr == "kqf: a.png: neither it nor b.bmp is KQF: one side must be\n"


def test_outputs_without_a_known_format():
    draw("a.png", few())
    run("convert", "a.png")
    assert "no suffix" in run("convert", "a.png", "-o", "out", code=1).stderr
    assert "suffix .xyz" in run("convert", "a.kqf", "-o", "a.xyz", code=1).stderr
    assert names() == ["a.kqf", "a.png"]


def test_json():
    draw("a.png", many())
    found = record("a.png", "--colors", 16)
    sizes = [Path(name).stat().st_size for name in ("a.png", "a.kqf")]
    assert found.pop("seconds") >= 0
    assert found == {
        "input": "a.png",
        "output": "a.kqf",
        "bytes_in": sizes[0],
        "bytes_out": sizes[1],
        "ratio": sizes[1] / sizes[0],
        "bits_per_pixel": 8 * sizes[1] / 960,
        "width": 40,
        "height": 24,
        "colors": 16,
        "exact": False,
    }
    assert record("a.kqf", "-o", "b.png")["exact"] is True


def test_one_bad_file_does_not_end_the_job():
    draw("a.png", few())
    Path("bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    draw("c.png", few())
    result = run("convert", "a.png", "bad.png", "none.png", "c.png", code=1)
    assert result.stderr == (
        "kqf: bad.png: not an image that Pillow knows\nkqf: none.png: No such file or directory\n"
    )
    assert names() == ["a.kqf", "a.png", "bad.png", "c.kqf", "c.png"]
    lines = run("convert", "--json", "a.png", "none.png", code=1).stdout.splitlines()
    assert json.loads(lines[1]) == {"input": "none.png", "error": "No such file or directory"}


# The options of the encoder.


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((), {}),
        (("--colors", 7), {"colors": 7}),
        (("--metric", "perceptual", "--colors", 20), {"metric": "perceptual", "colors": 20}),
        (("--predictor", "none", "--tile", 16), {"predictor": "none", "tile": 16}),
        (("--predictor", "up", "--tile", "16x8"), {"predictor": "up", "tile": (16, 8)}),
        (("--effort", 1, "--seed", 5, "--threads", 1), {"effort": 1, "seed": 5}),
        (("--quality", 100), {"quality": 100}),
        (("--verify",), {}),
    ],
)
def test_options_reach_the_encoder(arguments, options):
    pixels = draw("a.png", many())
    run("convert", "a.png", *arguments)
    assert Path("a.kqf").read_bytes() == kqf.encode(pixels, **options)


def test_options_are_refused_where_they_mean_nothing():
    draw("a.png", few())
    run("convert", "a.png")
    result = run("convert", "a.kqf", "-o", "b.png", "--effort", 3, "--seed", 1, code=1)
    assert result.stderr == "kqf: a.kqf: --effort, --seed: for writing KQF alone, not .png\n"


@pytest.mark.parametrize("lines", ["#102030\nffffff\n\n  #Ff0000\n", "102030\r\nffffff\r\nff0000"])
def test_a_palette_of_text(lines):
    pixels = draw("a.png", many())
    Path("colors.txt").write_bytes(lines.encode())
    run("convert", "a.png", "--palette", "colors.txt", "--verify")
    palette = np.array([[16, 32, 48], [255, 255, 255], [255, 0, 0]], np.uint8)
    assert Path("a.kqf").read_bytes() == kqf.encode(pixels, palette=palette)


def test_a_palette_of_an_image():
    draw("a.png", many())
    palette = [[9, 9, 9], [200, 0, 0], [0, 0, 250]]
    palette_image(palette, [[2, 1]]).save("p.png")
    draw("q.png", np.array([[palette[2], palette[0], palette[2], palette[1]]], np.uint8))
    run("convert", "p.png")
    for name, order in (("p.png", [0, 1, 2]), ("p.kqf", [0, 1, 2]), ("q.png", [2, 0, 1])):
        run("convert", "a.png", "--palette", name)
        assert kqf.read_indexed("a.kqf").codebook.tolist() == [palette[row] for row in order]


def test_palettes_and_images_of_other_channels():
    Path("rgb.txt").write_text("000000\nffffff\nff0000")
    Path("rgba.txt").write_text("000000\nffffff00")
    draw("gray.png", few(1)[..., 0])
    draw("rgb.png", few())
    opaque = few(4)
    opaque[..., 3] = 255
    draw("opaque.png", opaque)
    draw("clear.png", few(4))
    for name, palette, channels in (
        ("gray", "rgb", 3),
        ("gray", "rgba", 4),
        ("rgb", "rgba", 4),
        ("opaque", "rgb", 3),
        ("clear", "rgba", 4),
    ):
        run("convert", f"{name}.png", "--palette", f"{palette}.txt", "--verify")
        assert kqf.info(f"{name}.kqf").channels == channels
    result = run("convert", "clear.png", "--palette", "rgb.txt", code=1)
    assert result.stderr == "kqf: clear.png: has transparency, and the palette has none\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"#12345\n", "line 1: expected a colour like #ff8000, found '#12345'"),
        (b"\n", "has 0 colours: a palette has 1 to 256"),
        (b"000000\n" * 257, "has 257 colours: a palette has 1 to 256"),
        (b"\xff\xfe\xfd", "is no image and no text of colours"),
        (b"\x89KQF", "file: signature: expected"),
    ],
)
def test_bad_palettes(content, message):
    draw("a.png", few())
    Path("colors.txt").write_bytes(content)
    result = run("convert", "a.png", "--palette", "colors.txt", code=1)
    assert result.stderr.startswith(f"kqf: colors.txt: {message}")
    assert not Path("a.kqf").exists()


def test_a_palette_of_too_many_colours():
    draw("a.png", many())
    found = run("convert", "a.png", "--palette", "a.png", code=1).stderr
    assert found.startswith("kqf: a.png: has ")
    assert found.endswith(" distinct colours: a palette has at most 256\n")


# Modes.


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


def test_palettes_and_labels_are_kept():
    colors = [[0, 0, 0], [255, 255, 255], [0, 0, 0], [1, 2, 3], [4, 5, 6]]
    palette_image(colors, [[3, 1, 2], [0, 3, 3]]).save("a.png")
    assert record("a.png", "--verify")["exact"] is True
    image = kqf.read_indexed("a.kqf")
    assert image.labels.tolist() == [[3, 1, 2], [0, 3, 3]]
    assert image.codebook[:5].tolist() == colors
    for name in ("b.png", "b.gif", "b.tif", "b.kqf"):
        run("convert", "a.kqf", "-o", name, "--verify")
        with Image.open(name) as back:
            assert back.mode == "P"
            assert np.asarray(back).tolist() == image.labels.tolist()


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


def test_fewer_colours_than_a_palette_has():
    draw("many.png", few(colors=200))
    run("convert", "many.png")
    run("convert", "many.kqf", "-o", "p.png")
    for source in ("many.kqf", "p.png"):
        found = record(source, "-o", "less.kqf", "--colors", 9, "--verify")
        assert (found["colors"], found["exact"]) == (9, False)


def test_from_kqf_to_kqf():
    labels = np.tile(np.arange(8, dtype=np.uint8), (9, 3))
    codebook = np.arange(10, 20, dtype=np.uint8)[:, None]
    kqf.write_indexed("a.kqf", labels, codebook, metadata={"comment": "hello", "dpi": (72, 72)})
    run("convert", "a.kqf", "-o", "b.kqf", "--tile", 5, "--verify")
    image = kqf.read_indexed("b.kqf")
    assert (image.labels == labels).all()
    assert (image.codebook == codebook).all()
    assert image.metadata == {"comment": "hello", "dpi": (72.0, 72.0)}
    assert kqf.info("b.kqf").tile_width == 5


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "HSV", "LAB", "RGBX", "PA", "La", "RGBa"])
def test_natural_conversions(mode):
    source = Image.fromarray(few(4))
    if mode == "PA":
        source = source.convert("RGB").convert("P").convert("PA")
    elif mode == "LAB":
        source = Image.frombytes("LAB", (40, 24), few().tobytes())
    else:
        via = {"La": "LA", "RGBa": "RGBA"}.get(mode, "RGB")
        source = source.convert(via).convert(mode)
    stored = cli._as_stored(source)
    assert stored.mode == {"PA": "RGBA", "La": "LA", "RGBa": "RGBA"}.get(mode, "RGB")
    assert stored.size == source.size


def test_cmyk_says_what_it_loses():
    Image.fromarray(few()).convert("CMYK").save("a.tif", icc_profile=ICC)
    result = run("convert", "a.tif")
    assert result.stderr == ("kqf: a.tif: mode CMYK is converted to RGB, and its profile dropped\n")
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
        "pick one with --frame 0 to --frame 2\n"
    )
    run("convert", "a.gif", "--frame", 1)
    with Image.open("a.gif") as image:
        image.seek(1)
        assert (kqf.read("a.kqf").ravel()[:3] == 100).all()
    assert "the last one is 2" in run("convert", "a.gif", "--frame", 3, code=1).stderr
    draw("b.png", few())
    run("convert", "b.png", "--frame", 0)
    assert "the last one is 0" in run("convert", "b.png", "--frame", 1, code=1).stderr


# To other formats.


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
    result = run("convert", "a.kqf", "-o", "b.ico", code=1)
    assert result.stderr == (
        "kqf: a.kqf: cannot be saved as ICO: ICO holds no image of 300 x 300\n"
    )


# Metadata.


def with_metadata(name, **more):
    exif = Image.Exif()
    exif[0x0112] = 6
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
    texts.add_itxt("Comment", "hello")
    options = {"icc_profile": ICC, "exif": exif.tobytes(), "dpi": (72, 144)}
    if name.endswith(".png"):
        options["pnginfo"] = texts
    else:
        options |= {"xmp": XMP, "comment": "hello"}
    return draw(name, few(), **options, **more)


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


def test_orientation_is_left_to_the_reader():
    pixels = with_metadata("a.png")
    run("convert", "a.png")
    assert (kqf.read("a.kqf") == pixels).all()
    with Image.open("a.kqf") as image:
        assert image.getexif()[0x0112] == 6


def test_strip():
    with_metadata("a.png")
    run("convert", "a.png", "-o", "stripped.kqf", "--strip")
    assert kqf.info("stripped.kqf").metadata == ()
    run("convert", "a.png")
    run("convert", "a.kqf", "-o", "b.png", "--strip")
    run("convert", "b.png")
    assert kqf.info("b.kqf").metadata == ()
    run("convert", "a.kqf", "-o", "c.kqf", "--strip")
    assert kqf.info("c.kqf").metadata == ()


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
    draw("a.gif", few(1)[..., 0], comment=b"one\0\xe9")
    run("convert", "a.bmp", "-o", "b.kqf")
    assert kqf.info("b.kqf").metadata == ()
    run("convert", "a.gif")
    assert kqf.read_indexed("a.kqf").metadata["comment"] == "one\xe9"


# Whether it is what was meant.


@pytest.mark.parametrize("pixels", [many(), few(4), many(4)], ids=["many", "few", "alpha"])
@pytest.mark.parametrize("metric", ["mse", "perceptual"])
def test_verification(pixels, metric):
    draw("a.png", pixels)
    run("convert", "a.png", "--verify", "--metric", metric)
    assert Path("a.kqf").exists()


@pytest.mark.parametrize("name", ["many.png", "palette.png"])
def test_failed_verification_leaves_no_file(name, monkeypatch):
    draw("many.png", many())
    palette_image([[1, 2, 3], [4, 5, 6]], [[0, 1]]).save("palette.png")
    read = kqf.read_indexed
    calls = []

    def misread(*arguments, **options):
        image = read(*arguments, **options)
        calls.append(image)
        labels = image.labels.copy()
        labels[0, 0] = 1 - min(labels[0, 0], 1) if len(calls) == 1 else labels[0, 0]
        return kqf.IndexedImage(labels, image.codebook)

    monkeypatch.setattr(kqf, "read_indexed", misread)
    result = run("convert", name, "--verify", code=1)
    assert "verification failed: it decodes to other labels than meant" in result.stderr
    assert not Path(name).with_suffix(".kqf").exists()


# Bad input.


def test_damaged_kqf_files():
    draw("a.png", few())
    run("convert", "a.png")
    data = Path("a.kqf").read_bytes()
    Path("short.kqf").write_bytes(data[:-20])
    Path("wrong.kqf").write_bytes(data.replace(b"\r\n", b"\n", 1))
    Path("empty.kqf").write_bytes(b"")
    result = run("convert", "short.kqf", "wrong.kqf", "empty.kqf", code=1)
    messages = result.stderr.splitlines()
    assert messages[0].startswith("kqf: short.kqf: ")
    assert messages[1].startswith("kqf: wrong.kqf: file: signature: expected 89 4b 51 46")
    assert messages[2].endswith("found nothing")
    assert len(messages) == 3
    assert not list(Path().glob("*.tmp"))
    assert sorted(path.name for path in Path().glob("*.png")) == ["a.png"]


def test_truncated_images():
    draw("a.png", many())
    data = Path("a.png").read_bytes()
    Path("a.png").write_bytes(data[: len(data) // 2])
    assert run("convert", "a.png", code=1).stderr.startswith("kqf: a.png: cannot be read: ")
    assert not Path("a.kqf").exists()


def test_folders_are_no_input(folder):
    (folder / "sub.png").mkdir()
    result = run("convert", "sub.png", code=1)
    assert result.stderr == "kqf: sub.png: Is a directory\n"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do it")
def test_forbidden_folders(folder):
    draw("a.png", few())
    (folder / "shut").mkdir(mode=0o500)
    result = run("convert", "a.png", "-o", "shut/b.kqf", code=1)
    assert result.stderr == "kqf: a.png: cannot write shut/b.kqf: Permission denied\n"


def test_missing_folders():
    draw("a.png", few())
    result = run("convert", "a.png", "-o", "none/b.kqf", code=1)
    assert result.stderr == "kqf: a.png: cannot write none/b.kqf: No such file or directory\n"


def test_decompression_bombs(monkeypatch):
    draw("a.png", few())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 700)
    result = run("convert", "a.png")
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("kqf: a.png: warning: Image size (960 pixels) exceeds limit")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
    result = run("convert", "a.png", code=1)
    assert result.stderr.startswith("kqf: a.png: cannot be read: Image size (960 pixels) exceeds")


@pytest.mark.parametrize("name", ["[red]x[bold].png", "[", "\x1b[31m.png", "a\nb.png"])
def test_names_are_printed_as_they_are_or_escaped(name):
    Image.fromarray(few()).save(name, "PNG")
    shown = name.replace("\x1b", "\\x1b").replace("\n", "\\n")
    result = run("convert", name, "-o", "out.kqf")
    assert result.stdout.startswith(f"{shown} -> out.kqf  ")
    assert run("check", name, code=1).stdout.startswith(f"{shown}: bad: ")
    assert run("report", name).stdout.startswith(f"{shown}: PNG, 40 x 24, RGB, 5 colours\n")


def test_escapes():
    assert cli.escape("a b é 漢") == "a b é 漢"
    assert cli.escape("\udc80\u202e\x9b\t") == r"\udc80\u202e\x9b\t"


# kqf info, check and report.


def test_info():
    metadata = {
        "icc_profile": ICC,
        "dpi": (72.0, 96.5),
        "comment": "two\nlines \x1b[31mred [bold]not[/bold]",
    }
    data = kqf.encode(few(), metadata=metadata, tile=(32, 24), predictor="up")
    Path("a.kqf").write_bytes(data)
    assert run("info", "a.kqf").stdout.splitlines() == [
        "a.kqf",
        "  size         40 x 24 pixels",
        "  channels     3 (RGB)",
        "  colours      5",
        "  predictor    up",
        "  tiles        2 of 32 x 24 pixels",
        f"  file         {len(data):,} bytes, {8 * len(data) / 960:.2f} bits per pixel",
        f"  icc_profile  {len(ICC)} bytes",
        "  dpi          72 x 96.5",
        r"  comment      two\nlines \x1b[31mred [bold]not[/bold]",
    ]
    assert (
        run("info", "-", stdin=data).stdout.splitlines()[1:]
        == (run("info", "a.kqf").stdout.splitlines()[1:])
    )


def test_info_as_json():
    Path("a.kqf").write_bytes(data := kqf.encode(few(), metadata={"comment": "x"}))
    found = json.loads(run("info", "--json", "a.kqf").stdout)
    info = kqf.info(data)
    assert found.pop("file") == "a.kqf"
    assert found.pop("bits_per_pixel") == info.bits_per_pixel
    assert found.pop("metadata") == ["comment"]
    assert found == {key: value for key, value in vars(info).items() if key != "metadata"}


def test_info_of_a_file_with_damaged_tiles():
    data = bytearray(kqf.encode(few(), metadata={"comment": "x"}))
    data[-20] ^= 1
    Path("a.kqf").write_bytes(data)
    assert run("info", "a.kqf").stdout.endswith("  comment      present\n")
    Path("b.kqf").write_bytes(b"\x89KQF")
    assert "signature" in run("info", "b.kqf", code=1).stderr


def test_check():
    data = kqf.encode(few())
    Path("good.kqf").write_bytes(data)
    Path("bad.kqf").write_bytes(data[:-1])
    Path("other.kqf").write_bytes(b"GIF89a")
    assert run("check", "good.kqf").stdout == "good.kqf: ok\n"
    result = run("check", "bad.kqf", "good.kqf", "none.kqf", "other.kqf", code=1)
    lines = result.stdout.splitlines()
    assert lines[0].startswith("bad.kqf: bad: DONE: ")
    assert lines[1] == "good.kqf: ok"
    assert lines[2].startswith("other.kqf: bad: file: signature: ")
    assert result.stderr == "kqf: none.kqf: No such file or directory\n"


def test_report_as_text():
    draw("a.png", many())
    draw("b.png", few())
    lines = run("report", "a.png", "b.png").stdout.splitlines()
    assert lines[0].startswith("a.png: PNG, 40 x 24, RGB, ")
    assert lines[1].split() == [
        *["stored", "as", "bytes", "of", "raw", "bits", "per", "pixel", "error"]
    ]
    assert lines[2].split() == ["raw", "pixels", "2,880", "100.0", "%", "24.00", "lossless"]
    assert "lossy, PSNR " in next(line for line in lines if line.startswith("KQF, 16 colours"))
    summary = lines[lines.index("Geometric means over 2 images") :]
    assert any(line.endswith(" dB, 1 lossless") for line in summary)


def test_report_as_markdown():
    draw("a_b.png", few())
    lines = run("report", "--markdown", "a_b.png").stdout.splitlines()
    assert lines[0] == "**a\\_b.png: PNG, 40 x 24, RGB, 5 colours**"
    assert lines[2] == "| stored as | bytes | of raw | bits per pixel | error |"
    assert lines[3] == "| --- | ---: | ---: | ---: | --- |"
    assert lines[4] == "| raw pixels | 2,880 | 100.0 % | 24.00 | lossless |"


def test_report_as_json():
    draw("a.png", many())
    Path("b.kqf").write_bytes(kqf.encode(few()))
    result = run("report", "--json", "a.png", "none.png", "b.kqf", code=1)
    assert result.stderr == "kqf: none.png: No such file or directory\n"
    found = json.loads(result.stdout)
    assert [image["file_format"] for image in found["images"]] == ["PNG", "KQF"]
    row = found["images"][0]["rows"][0]
    assert row == {
        "name": "raw pixels",
        "bytes": 2880,
        "ratio": 1.0,
        "bits_per_pixel": 24.0,
        "psnr": None,
        "lossless": True,
    }
    assert {row["name"] for row in found["summary"]} == {
        row["name"] for row in found["images"][0]["rows"]
    }
    run("report", "--json", "--markdown", "a.png", code=2)


def test_report_finds_the_sample_images(monkeypatch):
    names = cli.sample_images()
    assert [Path(name).name for name in names] == ["china.jpg", "flower.jpg"]
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    assert "scikit-learn" in run("report", code=2).stderr


def test_tables_on_a_terminal(capsys):
    cli._print_table("[red]a[/red].png", [("KQF, 16 colours", "1", "2 %", "3", "lossless")])
    out = capsys.readouterr().out
    assert "[red]a[/red].png" in out
    assert "\x1b" not in out


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("total", [1, 3])
def test_the_progress_bar_is_drawn_on_stderr_alone(total, monkeypatch, capsys):
    monkeypatch.setattr(cli, "_BAR_AFTER", 0)
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with cli.Session(total) as session:
        with session.file("a"):
            while session._progress is None:
                time.sleep(0.01)
        session.say("one line")
    assert capsys.readouterr().out == "one line\n"
    assert "\u2501" in screen.getvalue()


def test_version_and_help():
    assert run("--version").stdout == f"kqf {kqf.__version__}\n"
    for command in ("convert", "info", "check", "report"):
        assert f"Usage: kqf {command}" in run(command, "--help").stdout.replace("root", "kqf")


# As a process.


def test_pipes_both_ways():
    pixels = many()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    data, err = run_process("convert", "-", "-o", "-", "--colors", 20, stdin=buffer.getvalue())
    assert data == kqf.encode(pixels, colors=20)
    assert err.startswith("- -> -  ")
    png, err = run_process("convert", "-", "--json", stdin=data)
    assert json.loads(err)["exact"] is True
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        assert (np.asarray(image.convert("RGB")) == kqf.decode(data)).all()
    bmp, _ = run_process("convert", "-", "--format", "bmp", stdin=data)
    assert bmp[:2] == b"BM"


def test_exit_codes_of_the_process():
    assert run_process("convert", "none.png", code=1) == (
        b"",
        "kqf: none.png: No such file or directory\n",
    )
    assert "Usage:" in run_process("convert", code=2)[1]
    assert run_process("convert", "-", stdin=b"junk", code=1)[1] == (
        "kqf: -: not an image that Pillow knows\n"
    )
    assert run_process("--version")[0].decode() == f"kqf {kqf.__version__}\n"


def test_a_name_that_is_no_text(folder):
    name = os.fsdecode(b"\xff.png")
    try:
        Image.fromarray(few()).save(name)
    except OSError:
        pytest.skip("this file system takes only text")
    out, _ = run_process("convert", name)
    assert out.startswith(b"\\udcff.png -> \\udcff.kqf  ")


def test_a_broken_pipe_ends_quietly():
    Path("a.kqf").write_bytes(kqf.encode(few()))
    for arguments in (["check", *["a.kqf"] * 9], ["convert", "a.kqf", "-o", "-"], ["--help"]):
        read_end, write_end = os.pipe()
        os.close(read_end)
        process = start(*arguments, stdout=write_end)
        os.close(write_end)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert err == b""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to send")
def test_an_interrupt_ends_quietly():
    process = start("convert", "-")
    # It waits for stdin by then, or is about to.
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in err


@pytest.mark.parametrize("arguments", [["--version"], ["convert", "a.png"], ["check", "a.kqf"]])
def test_the_start_is_fast(arguments):
    draw("a.png", few())
    Path("a.kqf").write_bytes(kqf.encode(few()))
    probe = (
        "import sys; from kqf.cli import app; app(sys.argv[1:], standalone_mode=False);"
        "print(sorted({name.split('.')[0] for name in sys.modules}"
        " & {'sklearn', 'scipy', 'rich', 'joblib'}))"
    )
    found = subprocess.run(
        [sys.executable, "-c", probe, *arguments],
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.splitlines()[-1] == "[]"
