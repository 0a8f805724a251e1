"""Files made from others."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from command import (
    ICC,
    draw,
    few,
    many,
    names,
    palette_image,
    record,
    run,
    run_batch,
    with_metadata,
)
from PIL import Image

import kqf


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_beside_the_input_and_back(folder):
    pixels = draw("a.png", few())
    result = run("convert", "a.png")
    assert (kqf.read("a.kqf") == pixels).all()
    sizes = [Path(name).stat().st_size for name in ("a.png", "a.kqf")]
    assert result.stdout == (
        f"a.png -> a.kqf  {sizes[0]:,} -> {sizes[1]:,} bytes ({100 * sizes[1] / sizes[0]:.1f} %), "
        "5 colours, lossless\n"
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


def test_the_output_is_not_the_input(folder):
    draw("a.png", few())
    run("convert", "a.png")
    before = Path("a.kqf").read_bytes()
    (folder / "link.kqf").symlink_to("a.kqf")
    for output in ("a.kqf", "link.kqf"):
        result = run("convert", "a.kqf", "-o", output, code=1)
        assert result.stderr == f"kqf: a.kqf: {output} is the same file: name another one with -o\n"
    assert Path("a.kqf").read_bytes() == before


def test_overwriting():
    draw("a.png", few())
    Path("a.kqf").write_bytes(b"old")
    result = run("convert", "--no-overwrite", "a.png", code=1)
    assert result.stderr == "kqf: a.png: a.kqf exists already\n"
    assert Path("a.kqf").read_bytes() == b"old"
    result = run("convert", "a.png", code=1)
    assert result.stderr == (
        "kqf: a.png: a.kqf exists already: naming it with -o a.kqf or --force replaces it\n"
    )
    assert Path("a.kqf").read_bytes() == b"old"
    run("convert", "a.png", "-o", "a.kqf")
    kqf.check("a.kqf")


def test_two_inputs_do_not_become_one_output():
    draw("a.png", few())
    draw("a.bmp", few(colors=9))
    result = run("convert", "a.png", "a.bmp", code=1)
    assert result.stderr == (
        "kqf: a.png: a.kqf would be used for a.bmp as well: name their outputs with -o\n"
        "kqf: a.bmp: a.kqf would be used for a.png as well: name their outputs with -o\n"
    )
    assert names() == ["a.bmp", "a.png"]


def test_outputs_without_a_known_format():
    draw("a.png", few())
    run("convert", "a.png")
    assert "no suffix" in run("convert", "a.png", "-o", "out", code=1).stderr
    assert "suffix .xyz" in run("convert", "a.kqf", "-o", "a.xyz", code=1).stderr
    assert "suffix .xyz" in run("convert", "a.kqf", "--format", "xyz", code=1).stderr
    assert names() == ["a.kqf", "a.png"]


def test_json_of_what_is_exact():
    draw("a.png", few())
    assert record("a.png")["largest_error"] is None
    assert record("a.kqf", "-o", "b.kqf")["largest_error"] is None
    assert record("a.kqf", "-o", "b.png")["largest_error"] is None


def test_json():
    draw("a.png", many())
    found = record("a.png", "--colors", 16)
    sizes = [Path(name).stat().st_size for name in ("a.png", "a.kqf")]
    assert found.pop("seconds") >= 0
    largest = kqf.largest_error(many(), kqf.read("a.kqf"))
    assert found.pop("largest_error") == vars(largest)
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
    lines = run("convert", "--json", "a.png", "none.png", "c.png", code=1).stdout.splitlines()
    assert json.loads(lines[1]) == {"input": "none.png", "error": "No such file or directory"}


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((), {}),
        (("--colors", 7), {"colors": 7}),
        (("--metric", "perceptual", "--colors", 20), {"metric": "perceptual", "colors": 20}),
        (("--predictor", "none", "--tile", 16), {"predictor": "none", "tile": 16}),
        (("--predictor", "up", "--tile", "16x8"), {"predictor": "up", "tile": (16, 8)}),
        (("--effort", 1, "--seed", 5, "--threads", 1), {"effort": 1, "seed": 5}),
        (("--quality", 70), {"quality": 70}),
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


def test_strip():
    with_metadata("a.png")
    run("convert", "a.png", "-o", "stripped.kqf", "--strip")
    assert kqf.info("stripped.kqf").metadata == {}
    run("convert", "a.png")
    run("convert", "a.kqf", "-o", "b.png", "--strip")
    run("convert", "b.png")
    assert kqf.info("b.kqf").metadata == {}
    run("convert", "a.kqf", "-o", "c.kqf", "--strip")
    assert kqf.info("c.kqf").metadata == {}


def test_orientation_is_left_to_the_reader():
    pixels = with_metadata("a.png")
    run("convert", "a.png")
    assert (kqf.read("a.kqf") == pixels).all()
    with Image.open("a.kqf") as image:
        assert image.getexif()[0x0112] == 6


@pytest.mark.parametrize("pixels", [many(), few(4), many(4)], ids=["many", "few", "alpha"])
@pytest.mark.parametrize("metric", ["mse", "perceptual"])
@pytest.mark.parametrize("quality", [100, 60])
def test_verification(pixels, metric, quality):
    draw("a.png", pixels)
    run("convert", "a.png", "--verify", "--metric", metric, "--quality", quality)
    assert Path("a.kqf").exists()


@pytest.mark.parametrize("name", ["many.png", "palette.png"])
def test_failed_verification_leaves_no_file(name, monkeypatch):
    draw("many.png", many())
    palette_image([[1, 2, 3], [4, 5, 6]], [[0, 1]]).save("palette.png")
    read = kqf.read_indexed

    def misread(*arguments, **options):
        image = read(*arguments, **options)
        labels = image.labels.copy()
        labels[0, 0] = 1 - min(labels[0, 0], 1)
        return kqf.IndexedImage(labels, image.codebook)

    monkeypatch.setattr(kqf, "read_indexed", misread)
    result = run("convert", name, "--verify", code=1)
    assert "verification failed: it decodes to other labels than meant" in result.stderr
    assert not Path(name).with_suffix(".kqf").exists()


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
    assert messages[1].startswith("kqf: wrong.kqf: the signature of KQF is damaged")
    assert messages[2] == "kqf: empty.kqf: not a KQF file: it is empty"
    assert len(messages) == 3
    assert not list(Path().glob("*.tmp"))
    assert sorted(path.name for path in Path().glob("*.png")) == ["a.png"]


def test_truncated_images():
    draw("a.png", many())
    data = Path("a.png").read_bytes()
    Path("a.png").write_bytes(data[: len(data) // 2])
    assert run("convert", "a.png", code=1).stderr.startswith("kqf: a.png: cannot be read: ")
    assert not Path("a.kqf").exists()


def test_an_empty_folder_makes_nothing(folder):
    (folder / "sub.png").mkdir()
    result = run("convert", "sub.png")
    assert result.stderr == "kqf: found no image to convert\n"
    assert names() == ["sub.png"]


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


@pytest.mark.filterwarnings("default")
def test_decompression_bombs(monkeypatch):
    draw("a.png", few())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 700)
    result = run("convert", "a.png")
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("kqf: a.png: warning: Image size (960 pixels) exceeds limit")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
    result = run("convert", "a.png", code=1)
    assert result.stderr.startswith("kqf: a.png: cannot be read: Image size (960 pixels) exceeds")


def test_methods_dithers_and_targets_are_those_of_encode():
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (24, 40, 3)).astype(np.uint8)
    draw("a.png", pixels)
    for words, options in [
        (["--method", "median-cut"], {"method": "median-cut"}),
        (
            ["--dither", "floyd-steinberg", "--dither-strength", "0.4"],
            {"dither": "floyd-steinberg", "dither_strength": 0.4},
        ),
        (["--target-ssimulacra2", "30"], {"target_ssimulacra2": 30}),
        (["--keep", "#ff00ff", "--keep", "000102"], {"keep": [(255, 0, 255), (0, 1, 2)]}),
        (["--max-bytes", "500"], {"max_bytes": 500}),
        (["--metric", "mse", "--target-psnr", "18"], {"metric": "mse", "target_psnr": 18}),
    ]:
        run("convert", "a.png", "--colors", "16", "--verify", *words)
        assert Path("a.kqf").read_bytes() == kqf.encode(pixels, colors=16, **options)


def test_a_target_out_of_reach_leaves_no_file():
    draw("a.png", np.random.default_rng(0).integers(0, 256, (8, 9, 3)).astype(np.uint8))
    failed = run("convert", "a.png", "--max-bytes", "50", code=1)
    assert "max_bytes=50 can't be met: the smallest file has" in failed.stderr
    assert not Path("a.kqf").exists()


def test_a_colour_to_keep_that_is_none_is_a_usage_error():
    draw("a.png", np.zeros((2, 2, 3), np.uint8))
    run("convert", "a.png", "--keep", "reddish", code=2)


def test_urls_are_read_and_written():
    fsspec = pytest.importorskip("fsspec")
    draw("a.png", many())
    memory = fsspec.filesystem("memory")
    memory.pipe("/urls/a.png", Path("a.png").read_bytes())
    run("convert", "memory://urls/a.png", "-o", "memory://urls/b.kqf")
    run("convert", "a.png")
    assert memory.cat("/urls/b.kqf") == Path("a.kqf").read_bytes()
    run("convert", "memory://urls/a.png")
    assert memory.cat("/urls/a.kqf") == Path("a.kqf").read_bytes()
    result = run("convert", "memory://urls/missing.png", code=1)
    assert result.stderr.startswith("kqf: memory://urls/missing.png: ")


def test_a_large_tiff_image_is_encoded_in_blocks(monkeypatch):
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("zarr")
    pixels = many()
    tifffile.imwrite(
        "a.tif",
        pixels,
        photometric="rgb",
        iccprofile=ICC,
        resolution=(300, 300),
        resolutionunit="INCH",
        description="a field",
        metadata=None,
    )
    monkeypatch.setattr("kqf.io.large_image.MOST_PIXELS", 0)
    result = run("convert", "a.tif", "--metric", "mse", "--quality", 100)
    assert "block by block" in result.stderr
    found = kqf.read_indexed("a.kqf")
    assert np.array_equal(found.pixels, kqf.quantize(pixels, metric="mse", quality=100).pixels)
    assert found.metadata["icc_profile"] == ICC
    assert found.metadata["dpi"] == (300, 300)
    exif = Image.Exif()
    exif.load(found.metadata["exif"])
    assert exif[270] == "a field"
    result = run("convert", "a.tif", "--max-bytes", 100, code=1)
    assert "--max-bytes: not for an image so large" in result.stderr
    run("convert", "a.tif", "--no-overwrite", code=1)


def test_salvage_takes_what_is_whole(folder):
    pixels = draw("a.png", few())
    run("convert", "a.png", "--tile", 16)
    data = bytearray(Path("a.kqf").read_bytes())
    at = data.rindex(b"LABL") + 8
    data[at : at + 4] = bytes(4)
    Path("broken.kqf").write_bytes(data)
    run("convert", "broken.kqf", code=1)
    assert not Path("broken.png").exists()

    result = run("convert", "--salvage", "broken.kqf", "-o", "out.png")
    assert "broken.kqf: damaged: 1 of 6 tiles are lost: (32, 16, 40, 24)" in result.stderr
    assert "lossless" not in result.stdout
    with Image.open("out.png") as image:
        found = np.asarray(image.convert("RGB"))
    expected = pixels.copy()
    expected[16:, 32:] = kqf.read_indexed("a.kqf").codebook[0]
    assert (found == expected).all()
    run("convert", "--salvage", "broken.kqf", "-o", "mended.kqf")
    assert (kqf.read("mended.kqf") == expected).all()


def test_salvage_leaves_sound_files_alone():
    draw("a.png", few())
    run("convert", "a.png")
    result = run("convert", "--salvage", "a.kqf", "-o", "b.png")
    assert result.stderr == ""
    assert "lossless" in result.stdout


def test_salvage_of_nothing_writes_nothing():
    Path("a.kqf").write_bytes(b"\x89KQF and no more")
    result = run("convert", "--salvage", "a.kqf", code=1)
    assert "signature" in result.stderr
    assert names() == ["a.kqf"]


def test_sizes_may_have_units():
    pixels = draw("a.png", np.random.default_rng(0).integers(0, 256, (16, 30, 3)).astype(np.uint8))
    run("convert", "a.png", "--max-bytes", "0.5k")
    assert Path("a.kqf").read_bytes() == kqf.encode(pixels, max_bytes=500)
    assert (
        "is not a size such as 60000, 60k or 64KiB"
        in run("convert", "a.png", "--max-bytes", "much", code=2).stderr
    )


def test_short_options_are_the_long_ones():
    pixels = draw("a.png", many())
    run("convert", "a.png", "-q", 60, "-c", 30, "-o", "b.kqf", "--dither", "none")
    assert Path("b.kqf").read_bytes() == kqf.encode(pixels, quality=60, colors=30)


def test_times_are_kept_for_one_file():
    draw("a.png", few())
    os.utime("a.png", ns=(10**18, 10**18))
    run("convert", "a.png")
    assert Path("a.kqf").stat().st_mtime_ns > 10**18
    run("convert", "a.png", "--keep-times")
    assert Path("a.kqf").stat().st_mtime_ns == 10**18
    result = run("convert", "-", "-o", "b.kqf", "--keep-times", stdin=b"", code=2)
    assert "--keep-times: not for pipes" in result.stderr


def test_a_result_that_is_not_smaller_is_told():
    draw("a.png", np.zeros((1, 1), np.uint8))
    run("convert", "a.png", "--quiet")
    sizes = [Path(name).stat().st_size for name in ("a.png", "a.kqf")]
    text = f"{sizes[1]} bytes, not smaller than its source of {sizes[0]}"
    share = f"({100 * sizes[1] / sizes[0]:.0f} %)"
    assert run("convert", "a.png").stderr == f"kqf: a.png: the result is {text} {share}\n"
    assert run("convert", "a.kqf", "-o", "b.bmp").stderr == ""


def test_two_large_tiff_images_of_one_name_do_not_become_one_file(monkeypatch):
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("zarr")
    monkeypatch.setattr("kqf.io.large_image.MOST_PIXELS", 0)
    for folder in ("x", "y"):
        Path(folder).mkdir()
        tifffile.imwrite(f"{folder}/a.tif", many(), photometric="rgb")
    result = run("convert", "x/a.tif", "y/a.tif", "-o", "out/", code=1)
    assert "out/a.kqf would be used for y/a.tif as well" in result.stderr
    assert names("out") == []
    Path("out/a.kqf").write_bytes(b"mine")
    assert "out/a.kqf exists already" in run("convert", "x/a.tif", "-o", "out", code=1).stderr
    assert Path("out/a.kqf").read_bytes() == b"mine"


def test_a_large_tiff_image_that_gets_no_smaller_is_told(monkeypatch):
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("zarr")
    monkeypatch.setattr("kqf.io.large_image.MOST_PIXELS", 0)
    noise = np.random.default_rng(0).integers(0, 256, (20, 20), np.uint8)
    tifffile.imwrite("a.tif", noise, metadata=None, software=False, compression="lzma")
    result = run("convert", "a.tif", "-q", 100)
    assert "not smaller than its source" in result.stderr
    _, err = run_batch("a.tif", "-o", "out", "-q", 100)
    assert "not smaller than its source" in err
    assert "1 kept as they are" in err
    assert names("out") == ["a.tif"]
    assert Path("out/a.tif").read_bytes() == Path("a.tif").read_bytes()


def test_overviews_of_a_large_tiff_image_are_no_frames(monkeypatch):
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("zarr")
    pixels = np.tile(few(), (8, 8, 1))
    with tifffile.TiffWriter("pages.tif") as file:
        file.write(pixels, photometric="rgb", tile=(64, 64))
        file.write(pixels[::2, ::2], photometric="rgb", tile=(64, 64), subfiletype=1)
    with tifffile.TiffWriter("subifds.tif") as file:
        file.write(pixels, photometric="rgb", tile=(64, 64), subifds=1)
        file.write(pixels[::2, ::2], photometric="rgb", tile=(64, 64), subfiletype=1)
    with tifffile.TiffWriter("two.tif") as file:
        for _ in range(2):
            file.write(pixels, photometric="rgb", tile=(64, 64))
    monkeypatch.setattr("kqf.io.large_image.MOST_PIXELS", 0)
    for name in ("pages", "subifds"):
        run("convert", f"{name}.tif")
        assert np.array_equal(kqf.read(f"{name}.kqf"), pixels)
    assert "holds several images" in run("convert", "two.tif", code=1).stderr
