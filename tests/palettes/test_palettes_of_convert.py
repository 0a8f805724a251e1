"""Palettes to convert with."""

from pathlib import Path

import numpy as np
import pytest
from command import draw, few, many, palette_image, run

import kqf


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


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
        (b"#12345\n", "line 1: expected a colour such as #ff8000, #f80 or orange, found '#12345'"),
        (b"\n", "has 0 colours: a palette has 1 to 256"),
        (b"000000\n" * 257, "has 257 colours: a palette has 1 to 256"),
        (b"\xff\xfe\xfd", "is no image and no palette"),
        (b"\x89KQF", "cut off before the first tile: only 4 bytes are there"),
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
