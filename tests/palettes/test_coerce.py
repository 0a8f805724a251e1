"""Palettes of whatever a caller has."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImagePalette

import kqf
from kqf.palettes.coerce import as_codebook, match_channels

RED_BLUE = [[255, 0, 0], [0, 0, 255]]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_arrays():
    for dtype in (np.uint8, np.int64, np.uint16):
        found = as_codebook(np.array(RED_BLUE, dtype))
        assert found.dtype == np.uint8
        assert found.tolist() == RED_BLUE
    assert as_codebook(np.array([[False], [True]])).tolist() == [[0], [255]]


@pytest.mark.parametrize(
    "palette",
    [
        RED_BLUE,
        [(255, 0, 0), (0, 0, 255)],
        tuple(map(tuple, RED_BLUE)),
        [np.array([255, 0, 0]), np.array([0, 0, 255])],
        ["#ff0000", "#0000ff"],
        ["#f00", "blue"],
        ["rgb(255, 0, 0)", (0, 0, 255)],
        "#f00,#00f",
        "red,blue",
    ],
)
def test_colours(palette):
    assert as_codebook(palette).tolist() == RED_BLUE


def test_colours_with_alpha():
    assert as_codebook(["#f008", "blue"]).tolist() == [[255, 0, 0, 136], [0, 0, 255, 255]]
    assert as_codebook([(7, 128), (9, 255)]).tolist() == [[7, 128], [9, 255]]
    assert as_codebook("#f00").tolist() == [[255, 0, 0]]


def test_files_and_names():
    Path("a.hex").write_text("ff0000\n0000ff\n")
    pixels = np.array([RED_BLUE], np.uint8)
    Image.fromarray(pixels).save("a.png")
    for source in ("a.hex", Path("a.hex"), "a.png", Path("a.png").absolute()):
        assert as_codebook(source).tolist() == RED_BLUE
    assert len(as_codebook("gameboy")) == 4
    # A name means the same in every folder; a path is a path.
    Path("gameboy").write_text("#f00 #00f")
    assert len(as_codebook("gameboy")) == 4
    assert as_codebook("./gameboy").tolist() == RED_BLUE
    assert as_codebook(Path("gameboy")).tolist() == RED_BLUE


def test_pillow():
    image = Image.new("P", (2, 1))
    image.putpalette(bytes([255, 0, 0, 0, 0, 255]))
    assert as_codebook(image).tolist() == RED_BLUE
    assert as_codebook(image.palette).tolist() == RED_BLUE
    assert as_codebook(Image.fromarray(np.array([RED_BLUE], np.uint8))).tolist() == RED_BLUE
    clear = ImagePalette.ImagePalette("RGBA", [1, 2, 3, 4, 5, 6, 7, 8])
    assert as_codebook(clear).tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    reverse = ImagePalette.raw("BGR", bytes([0, 0, 255, 255, 0, 0]))
    assert as_codebook(reverse).tolist() == RED_BLUE


def test_indexed_images():
    image = kqf.IndexedImage(np.zeros((1, 1), np.uint8), np.array(RED_BLUE, np.uint8))
    assert as_codebook(image).tolist() == RED_BLUE


@pytest.mark.parametrize(
    ("palette", "kind", "message"),
    [
        ([], ValueError, "1 to 256 colours, not 0"),
        (np.empty((0, 3), np.uint8), ValueError, "1 to 256 colours, not 0"),
        ([(0, 0, 0)] * 257, ValueError, "1 to 256 colours, not 257"),
        (np.zeros((257, 3), np.uint8), ValueError, "1 to 256 colours, not 257"),
        ([(0, 0, 256)], ValueError, "integers from 0 to 255, not 0 to 256"),
        ([(0, 0, -1)], ValueError, "integers from 0 to 255, not -1 to 0"),
        ([(0.5, 0, 0)], TypeError, r"not float64: for numbers up to 1, pass \(255"),
        (np.zeros((2, 3), np.float32), TypeError, "not float32"),
        (np.zeros((2, 5), np.uint8), ValueError, r"\(K, C\), not \(2, 5\)"),
        (np.zeros(6, np.uint8), ValueError, r"\(K, C\), not \(6,\)"),
        ([255, 0, 0], ValueError, r"such as \(255, 0, 0\) or '#ff0000', not of 255"),
        ([(1, 2, 3), (1, 2)], ValueError, r"one length, not \[2, 3\]"),
        (["#ff00", (1, 2)], ValueError, "3 or 4 numbers"),
        (["#ggg"], ValueError, "expected a colour such as #ff8000, #f80 or orange, found '#ggg'"),
        ("gamebuy", ValueError, "'gamebuy': there is no such file .*; similar: gameboy"),
        ("zzzz", ValueError, "no such file and no built-in palette of this name$"),
        ("", ValueError, "the name is empty"),
        (Path("none.gpl"), OSError, "No such file"),
        (b"abc", TypeError, "a path, a name or a Pillow image, not bytes"),
        (7, TypeError, "not int"),
        (None, TypeError, "not NoneType"),
        (Image.new("F", (1, 1)), ValueError, "has mode F: convert it to RGB first"),
        (ImagePalette.ImagePalette("RGB", []), ValueError, "1 to 256 colours, not 0"),
    ],
)
def test_what_is_no_palette(palette, kind, message):
    with pytest.raises(kind, match=message):
        as_codebook(palette)


def test_a_bad_file_is_named():
    Path("a.gpl").write_text("GIMP Palette\n1 2\n")
    with pytest.raises(ValueError, match=r"palette 'a\.gpl': line 2: expected three numbers"):
        as_codebook("a.gpl")
    Image.fromarray(np.arange(300 * 3, dtype=np.uint16).astype(np.uint8).reshape(1, 300, 3)).save(
        "a.png"
    )
    assert len(as_codebook("a.png")) == 256
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20, 3)).astype(np.uint8)
    Image.fromarray(pixels).save("b.png")
    with pytest.raises(ValueError, match=r"'b\.png': has more than 256 distinct colours"):
        as_codebook("b.png")


def test_channels_are_matched_without_loss():
    gray = np.array([[0], [9]], np.uint8)
    assert match_channels(gray, 2).tolist() == [[0, 255], [9, 255]]
    assert match_channels(gray, 3).tolist() == [[0, 0, 0], [9, 9, 9]]
    assert match_channels(gray, 4).tolist() == [[0, 0, 0, 255], [9, 9, 9, 255]]
    for channels in (1, 2, 3, 4):
        assert match_channels(match_channels(gray, channels), 1).tolist() == gray.tolist()
    with pytest.raises(ValueError, match="has colours, and the image is gray"):
        match_channels(np.array(RED_BLUE, np.uint8), 1)
    with pytest.raises(ValueError, match="has transparency, and the image has none"):
        match_channels(np.array([[1, 2, 3, 254]], np.uint8), 3)
