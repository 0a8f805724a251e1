"""Conversions block by block, into TIFF files and zarr arrays and out of them."""

from pathlib import Path

import numpy as np
import pytest
from command import ICC, draw, few, many, names, run, run_batch
from PIL import Image, ImageOps

import kqf
from kqf.convert.api import convert_file
from kqf.convert.options import ConversionOptions, Size
from kqf.convert.targets import Job

tifffile = pytest.importorskip("tifffile", reason="large images need tifffile")
zarr = pytest.importorskip("zarr", reason="large images need zarr")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # All images are large here.
    monkeypatch.setattr("kqf.io.large_image.MOST_PIXELS", 0)
    return tmp_path


def labels_of(height, width, colors):
    rows, columns = np.mgrid[:height, :width]
    return ((rows // 7 + columns // 5) % colors).astype(np.uint8)


def write(name, channels, size=(600, 700), **options):
    codebook = np.random.default_rng(0).integers(0, 256, (200, channels), dtype=np.uint8)
    kqf.write_indexed(name, labels_of(*size, 200), codebook, effort=1, **options)
    return kqf.read_indexed(name)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_tiff_and_back(channels):
    image = write("a.kqf", channels)
    run("convert", "a.kqf", "-o", "b.tif")
    with tifffile.TiffFile("b.tif") as file:
        page = file.pages[0]
        assert file.is_bigtiff
        assert page.is_tiled
        assert page.compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        assert (page.photometric == tifffile.PHOTOMETRIC.PALETTE) == (channels == 3)
        pixels = page.asarray()
        if channels == 3:
            pixels = (page.colormap >> 8).astype(np.uint8).T[pixels]
    assert np.array_equal(pixels, image.pixels)
    result = run("convert", "b.tif", "-o", "c.kqf", "--quality", 100, "--effort", 1)
    assert np.array_equal(kqf.read("c.kqf"), image.pixels)
    assert ("lossless" in result.stdout) == (channels == 3)
    assert names() == ["a.kqf", "b.tif", "c.kqf"]


def test_metadata_goes_to_tiff_and_back():
    exif = Image.Exif()
    exif[271], exif[274] = "a camera", 6
    exif[0x8769] = {0x9003: "2026:01:02 03:04:05"}
    metadata = {"icc_profile": ICC, "dpi": (300, 300), "xmp": b"<x/>", "comment": "a field"}
    write("a.kqf", 3, metadata=metadata | {"exif": exif.tobytes().removeprefix(b"Exif\0\0")})
    result = run("convert", "a.kqf", "-o", "b.tif")
    assert result.stderr == "kqf: a.kqf: TIFF keeps no further EXIF\n"
    run("convert", "b.tif", "-o", "c.kqf")
    found = kqf.read_indexed("c.kqf").metadata
    assert {key: found[key] for key in ("icc_profile", "dpi", "xmp")} == {
        key: metadata[key] for key in ("icc_profile", "dpi", "xmp")
    }
    exif = Image.Exif()
    exif.load(found["exif"])
    assert dict(exif) == {270: "a field", 271: "a camera", 274: 6}
    run("convert", "a.kqf", "-o", "d.tif", "--strip")
    with tifffile.TiffFile("d.tif") as file:
        assert not {34675, 700, 274} & set(file.pages[0].tags.keys())


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_zarr_and_back(channels):
    image = write("a.kqf", channels, metadata={"comment": "a field"})
    result = run("convert", "a.kqf", "-o", "b.zarr")
    assert result.stderr == "kqf: a.kqf: zarr keeps no comment\n"
    assert names() == ["a.kqf", "b.zarr"]
    array = zarr.open_array("b.zarr", mode="r")
    assert np.array_equal(array[:], image.pixels)
    assert array.metadata.dimension_names == ("y", "x", "c")[: image.pixels.ndim]
    run("convert", "b.zarr", "c.kqf", "--quality", 100, "--effort", 1)
    assert np.array_equal(kqf.read("c.kqf"), image.pixels)


def test_a_small_array_is_an_image_like_any_other(monkeypatch):
    monkeypatch.setattr("kqf.io.large_image.MOST_PIXELS", 2**26)
    pixels = many()
    zarr.create_array("a.zarr", data=pixels)
    run("convert", "a.zarr", "--effort", 1)
    assert Path("a.kqf").read_bytes() == kqf.encode(pixels, effort=1)
    run("convert", "a.zarr", "-o", "b.png", "--colors", 8, "--effort", 1)
    with Image.open("b.png") as image:
        assert image.mode == "P"


@pytest.mark.parametrize("limit", [0, 2**26])
@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 1), (20, 30, 3)])
def test_arrays_of_bool_are_images(monkeypatch, limit, shape):
    monkeypatch.setattr("kqf.io.large_image.MOST_PIXELS", limit)
    pixels = np.random.default_rng(0).random(shape) < 0.5
    zarr.create_array("a.zarr", data=pixels)
    run("convert", "a.zarr", "--effort", 1)
    assert np.array_equal(kqf.read("a.kqf").reshape(shape), pixels * np.uint8(255))


@pytest.mark.filterwarnings("always:EXIF")
def test_damaged_exif_is_dropped():
    write("a.kqf", 3, metadata={"exif": b"no EXIF at all"})
    for options in ([], ["--strip"]):
        result = run("convert", "a.kqf", "-o", "b.tif", *options)
        assert "warning: EXIF is damaged and dropped" in result.stderr
        assert "b.tif" in result.stdout


def test_a_large_file_is_stored_anew():
    image = write("a.kqf", 3)
    run("convert", "a.kqf", "-o", "b.kqf", "--effort", 1, "--tile", 100)
    assert kqf.info("b.kqf").tile_width == 100
    assert kqf.read_indexed("b.kqf") == image
    run("convert", "a.kqf", "-o", "b.kqf", "--effort", 1, "--colors", 9)
    assert kqf.info("b.kqf").colors == 9


def test_arrays_of_a_batch_are_made_whatever_they_take():
    noise = np.random.default_rng(0).integers(0, 256, (20, 20), np.uint8)
    zarr.create_array("a.zarr", data=noise)
    _, err = run_batch("a.zarr", "-o", "out", "-q", 100)
    assert "1 made" in err
    assert np.array_equal(kqf.read("out/a.kqf"), noise)


def test_a_region_of_a_large_file_is_cut():
    image = write("a.kqf", 3)
    for name in ("b.kqf", "b.tif", "b.zarr"):
        run("convert", "a.kqf", "-o", name, "--region", "10,20,610,580")
    expected = image.pixels[20:580, 10:610]
    assert np.array_equal(kqf.read("b.kqf"), expected)
    assert np.array_equal(zarr.open_array("b.zarr", mode="r")[:], expected)
    run("convert", "b.tif", "-o", "c.kqf")
    assert np.array_equal(kqf.read("c.kqf"), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_what_loses_its_metadata_is_turned_upright(orientation):
    tag = (274, 3, 1, orientation, True)
    tifffile.imwrite("a.tif", few(), photometric="rgb", metadata=None, extratags=[tag])
    run("convert", "a.tif", "--strip", "--effort", 1)
    with Image.open("a.tif") as image:
        assert np.array_equal(kqf.read("a.kqf"), np.asarray(ImageOps.exif_transpose(image)))


def test_progress_reaches_the_end():
    write("a.kqf", 3)
    for source, target in (("a.kqf", "b.tif"), ("a.kqf", "b.zarr"), ("b.zarr", "b.kqf")):
        shares = []
        convert_file(Job(source, target), ConversionOptions({}), shares.append)
        assert shares == sorted(shares)
        assert shares[-1] == 1


def test_arrays_are_replaced_only_where_they_are_named():
    image = write("a.kqf", 3)
    run("convert", "a.kqf", "b.zarr")
    before = sorted(Path("b.zarr").rglob("*"))
    result = run("convert", "a.kqf", "b.zarr", code=2)
    assert "to write b.zarr anew, name it with -o b.zarr" in result.stderr
    run("convert", "a.kqf", "--format", "zarr", "-o", "b.zarr", "--no-overwrite", code=2)
    result = run("convert", "a.kqf", "-o", "b.zarr", "--no-overwrite", code=1)
    assert "b.zarr exists already" in result.stderr
    assert sorted(Path("b.zarr").rglob("*")) == before
    run("convert", "a.kqf", "-o", "b.zarr", "--region", "0,0,9,9")
    assert np.array_equal(zarr.open_array("b.zarr", mode="r")[:], image.pixels[:9, :9])
    assert names() == ["a.kqf", "b.zarr"]


def test_what_is_more_than_an_array_is_never_replaced():
    write("a.kqf", 3)
    zarr.create_group("group.zarr").create_array("0", shape=(4, 4), dtype="uint8")
    Path("mine.zarr").mkdir()
    Path("mine.zarr/notes.txt").write_text("mine")
    Path("file.zarr").write_text("mine")
    zarr.create_array("both.zarr", shape=(4, 4), dtype="uint8")
    Path("both.zarr/notes.txt").write_text("mine")
    for name in ("group.zarr", "mine.zarr", "both.zarr", "file.zarr"):
        result = run("convert", "a.kqf", "-o", name, "--force", code=1)
        assert "it is not replaced" in result.stderr
    assert "such as one of: group.zarr/0" in run("convert", "group.zarr", code=1).stderr
    for name in ("mine", "both"):
        assert Path(f"{name}.zarr/notes.txt").read_text() == "mine"
    assert names() == ["a.kqf", "both.zarr", "file.zarr", "group.zarr", "mine.zarr"]


def test_a_failure_leaves_no_folder(monkeypatch):
    write("a.kqf", 3)
    data = bytearray(Path("a.kqf").read_bytes())
    data[-40] ^= 1
    Path("bad.kqf").write_bytes(data)
    for name in ("b.zarr", "b.tif", "b.kqf"):
        run("convert", "bad.kqf", "-o", name, code=1)
    assert names() == ["a.kqf", "bad.kqf"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.tif", "-o", "b.zarr"), "only KQF files are written as .zarr"),
        (("a.zarr", "-o", "b.tif"), "only KQF files are written as .tif"),
        (("a.zarr", "-o", "b.png"), ".png can't be written of so large an image"),
        (("a.kqf", "-o", "b.zarr", "--colors", 9), "--colors: for writing KQF alone"),
        (("a.kqf", "-o", "b.kqf", "--max-bytes", 9), "--max-bytes: not for an image so large"),
        (
            ("a.kqf", "-o", "b.kqf", "--region", "0,0,701,9"),
            "must lie inside 0,0,700,600",
        ),
        (("wide.zarr",), "has values of uint16"),
        (("flat.zarr",), r"has shape (4,)"),
    ],
)
def test_what_cannot_be_done_is_told(arguments, message):
    write("a.kqf", 3)
    draw("a.tif", few())
    zarr.create_array("a.zarr", data=few())
    zarr.create_array("wide.zarr", shape=(4, 4), dtype="uint16")
    zarr.create_array("flat.zarr", shape=(4,), dtype="uint8")
    before = names()
    assert message in run("convert", *arguments, code=1).stderr
    assert names() == before


def test_large_images_are_resized_band_by_band(monkeypatch):
    monkeypatch.setattr("kqf.io.large_image.MOST_PIXELS", 350 * 300)
    monkeypatch.setattr("kqf.convert.part._ROWS", 100)
    image = write("a.kqf", 3)
    run("convert", "a.kqf", "-o", "b.tif")
    whole = Image.fromarray(image.pixels).resize((140, 120), Image.Resampling.LANCZOS)
    for source in ("a.kqf", "b.tif"):
        options = ConversionOptions({"quality": 100, "effort": 1}, size=Size(longer=140))
        made, notes = convert_file(Job(source, "c.kqf", named=True), options)
        assert (made.width, made.height) == (140, 120)
        assert notes[0] == "resized to 140 x 120 pixels"
        assert kqf.psnr(np.asarray(whole), kqf.read("c.kqf")) > 25
    result = run("convert", "a.kqf", "-o", "d.kqf", "--size", "100%", code=1)
    assert "--size: 700 x 600 is too large" in result.stderr


@pytest.mark.parametrize("region", [(0, 0, 700, 600), (13, 51, 613, 551)])
def test_overviews_are_read_where_they_are_enough(monkeypatch, region):
    monkeypatch.setattr("kqf.io.large_image.MOST_PIXELS", 200_000)
    codebook = np.arange(200, dtype=np.uint8)[:, np.newaxis].repeat(3, axis=1)
    rows, columns = np.mgrid[:600, :700]
    labels = ((rows + columns) // 7).astype(np.uint8)
    kqf.write_indexed("a.kqf", labels, codebook, effort=1, tile=64, overviews=True)
    pixels = kqf.read("a.kqf", region=region)
    levels = []
    to_dask = kqf.KqfFile.to_dask
    monkeypatch.setattr(
        kqf.KqfFile,
        "to_dask",
        lambda self, **options: levels.append(options["level"]) or to_dask(self, **options),
    )
    size = Size(share=0.1)
    assert kqf.info("a.kqf").scales == (4,)
    options = ConversionOptions({"quality": 100, "effort": 1}, region=region, size=size)
    made, _ = convert_file(Job("a.kqf", "b.kqf", named=True), options)
    assert levels == [2]
    expected = Image.fromarray(pixels).resize((made.width, made.height), Image.Resampling.LANCZOS)
    found = kqf.read("b.kqf").astype(int)
    assert made.width == round(0.1 * (region[2] - region[0]))
    assert np.abs(found - np.asarray(expected)).max() <= 2
