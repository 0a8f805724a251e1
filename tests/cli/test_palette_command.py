"""``kqf palette``."""

import json
import sys
from pathlib import Path

import pytest
from command import Terminal, draw, few, many, names, palette_image, run

import kqf
from kqf.cli import palette as showing_palette
from kqf.palettes.files import read_palette
from kqf.palettes.swatches import Swatch


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("suffix", [".png", ".svg", ".gpl", ".act", ".json", ".css", ".txt"])
def test_palettes_are_read_back_by_convert(suffix):
    pixels = draw("a.png", many())
    run("palette", "a.png", "--colors", 7, "-o", f"p{suffix}")
    run("convert", "a.png", "--palette", f"p{suffix}", "--verify")
    palette = kqf.quantize(pixels, colors=7, quality=100).codebook
    assert kqf.read_indexed("a.kqf").codebook.tolist() == palette.tolist()


def test_the_palette_of_a_file_is_its_own():
    palette = [[9, 9, 9], [200, 0, 0], [0, 0, 250]]
    picture = palette_image(palette, [[2, 1, 1, 1]])
    picture.save("p.png")
    run("convert", "p.png", "-o", "p.kqf")
    for name in ("p.png", "p.kqf"):
        text = run("palette", name).stdout
        assert [line.split("|")[2:5] for line in text.splitlines()[4:7]] == [
            [" #090909 ", "      0 ", "  0.0 % "],
            [" #c80000 ", "      3 ", " 75.0 % "],
            [" #0000fa ", "      1 ", " 25.0 % "],
        ], text
    found = json.loads(run("palette", "p.kqf", "--colors", 1, "--json").stdout)
    assert [each["pixels"] for each in found["colors"]] == [4]


def test_a_palette_becomes_another():
    Path("p.txt").write_text("#010203 #fffefd")
    run("palette", "p.txt", "-o", "p.gpl")
    assert read_palette("p.gpl", Path("p.gpl").read_bytes()).tolist() == [
        [1, 2, 3],
        [255, 254, 253],
    ]
    result = run("palette", "p.gpl", "--colors", 1, code=1)
    assert result.stderr == "kqf: p.gpl: has 2 colours and no pixels to learn 1 from\n"


def test_a_palette_that_cannot_hold_it_leaves_no_file():
    draw("a.png", few(4))
    result = run("palette", "a.png", "-o", "p.gpl", code=1)
    assert "a .gpl palette holds no alpha" in result.stderr
    assert names() == ["a.png"]


@pytest.mark.parametrize(
    ("environment", "colored"),
    [
        ({"COLORTERM": "truecolor"}, True),
        ({"COLORTERM": ""}, False),
        ({"COLORTERM": "truecolor", "NO_COLOR": "1"}, False),
    ],
)
def test_swatches_have_colour_where_it_is_known_to_work(environment, colored, monkeypatch):
    for key, value in {"TERM": "xterm-256color", "COLUMNS": "100", **environment}.items():
        monkeypatch.setenv(key, value)
    swatches = [Swatch(0, (1, 2, 3), 5, 0.5), Swatch(1, (255, 0, 0), 5, 0.5)]
    monkeypatch.setattr(sys, "stdout", Terminal())
    text = showing_palette._painted(swatches, "[red]title")
    assert "[red]title" in text
    assert ("\x1b[48;2;255;0;0m" in text) == colored
    assert "#ff0000" in text
