"""``kqf palette``."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from command import Terminal, draw, few, many, names, palette_image, run, run_process

import kqf
from kqf.cli import app
from kqf.cli import palette as showing_palette
from kqf.palettes.builtin import BUILTIN
from kqf.palettes.files import WRITTEN, read_palette
from kqf.palettes.swatches import Swatch


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("suffix", WRITTEN)
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
        assert [line.split() for line in text.splitlines()[3:]] == [
            ["0", "#090909", "0", "0", "%"],
            ["1", "#c80000", "3", "75.0", "%"],
            ["2", "#0000fa", "1", "25.0", "%"],
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


def test_several_images_have_one_palette_with_their_shares():
    # Five pixels and three; one colour is in both.
    draw("a.png", np.array([[[9, 9, 9], [9, 9, 9], [1, 2, 3], [1, 2, 3], [1, 2, 3]]], np.uint8))
    draw("b.png", np.array([[[200, 0, 0], [200, 0, 0], [9, 9, 9]]], np.uint8))
    found = json.loads(run("palette", "a.png", "b.png", "--json").stdout)
    assert found["file"] == "a.png, b.png"
    shares = {each["color"]: (each["pixels"], each["share"]) for each in found["colors"]}
    assert shares == {"#090909": (3, 3 / 8), "#010203": (3, 3 / 8), "#c80000": (2, 2 / 8)}
    two = json.loads(run("palette", "a.png", "b.png", "--json", "-c", 2).stdout)
    assert sum(each["pixels"] for each in two["colors"]) == 8


def test_a_folder_of_images_of_several_kinds():
    Path("in").mkdir()
    draw("in/gray.png", np.full((2, 3), 7, np.uint8))
    draw("in/clear.png", np.full((2, 3, 4), 9, np.uint8))
    Path("in/bad.png").write_bytes(b"junk")
    result = run("palette", "in", "--json", code=1)
    assert result.stderr == "kqf: in/bad.png: not an image that Pillow knows\n"
    shares = {each["color"]: each["pixels"] for each in json.loads(result.stdout)["colors"]}
    assert shares == {"#070707": 6, "#09090909": 6}


def test_a_folder_of_kqf_files():
    Path("in").mkdir()
    Path("in/a.kqf").write_bytes(kqf.encode(np.full((2, 3), 7, np.uint8)))
    found = json.loads(run("palette", "in", "--json").stdout)
    assert found["colors"] == [{"label": 0, "color": "#070707", "pixels": 6, "share": 1.0}]


def test_a_folder_without_images():
    Path("in").mkdir()
    assert "there is no image" in run("palette", "in", code=1).stderr
    Path("in/bad.png").write_bytes(b"junk")
    assert "there is no image" in run("palette", "in", code=1).stderr


def test_built_in_palettes():
    text = run("palette", "--list").stdout
    assert [line.split()[0] for line in text.splitlines()] == list(BUILTIN)
    found = json.loads(run("palette", "--list", "--json").stdout)
    assert found[0]["colors"][1] == "#cd0000"
    # A palette that belongs to no image has no shares.
    text = run("palette", "Game Boy").stdout
    assert "#0f380f" in text
    assert "share" not in text
    run("palette", "gameboy", "-o", "g.gpl")
    assert read_palette("g.gpl", Path("g.gpl").read_bytes()).tolist() == (
        BUILTIN["gameboy"].codebook.tolist()
    )
    pixels = draw("a.png", many())
    run("convert", "a.png", "--palette", "gameboy")
    expected = kqf.encode(pixels, palette=BUILTIN["gameboy"].codebook)
    assert Path("a.kqf").read_bytes() == expected


def test_a_name_that_is_nearly_one():
    expected = "there is no such file and no built-in palette of this name; similar: gameboy"
    assert run("palette", "gameby", code=1).stderr == f"kqf: gameby: {expected}\n"


def test_colours_as_text():
    found = json.loads(run("palette", "#f00,#00f", "--json").stdout)
    assert [each["color"] for each in found["colors"]] == ["#ff0000", "#0000ff"]


def test_a_palette_to_stdout():
    draw("a.png", few())
    words = run("palette", "a.png", "-o", "-").stdout.split()
    assert len(words) == 5
    assert all(word.startswith("#") for word in words)
    text = run("palette", "a.png", "-o", "-", "--format", "gpl").stdout
    assert text.startswith("GIMP Palette\n")
    out, err = run_process("palette", "a.png", "-o", "-", "--format", "act")
    assert len(out) == 772
    assert err == ""


def test_a_quiet_palette():
    draw("a.png", few())
    assert run("palette", "a.png", "-o", "p.gpl", "--quiet").output == ""
    assert run("palette", "a.png", "-o", "p.gpl").output.startswith("p.gpl: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name an image or a palette, or give --list"),
        (("a.png", "--format", "gpl"), "is for -o - alone"),
        (("a.png", "-o", "p.gpl", "--format", "gpl"), "the output's suffix says the format"),
        (("a.png", "-o", "-", "--format", "aco"), "a palette's suffix is one of .png"),
        (("a.png", "-c", "257"), "257 is not a number from 1 to 256."),
        (("a.png", "-c", "many"), "many is not a number from 1 to 256."),
        (("a.png", "--threads", "0"), "0 is not a whole number, 1 or more."),
    ],
)
def test_palette_usage_errors(arguments, message):
    draw("a.png", few())
    assert message in " ".join(run("palette", *arguments, code=2).stderr.split())
    assert names() == ["a.png"]


def test_a_palette_that_cannot_hold_it_leaves_no_file():
    draw("a.png", few(4))
    result = run("palette", "a.png", "-o", "p.gpl", code=1)
    assert result.stderr.startswith("kqf: p.gpl: a .gpl palette holds no alpha")
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


def test_shells_complete_the_names_of_palettes(monkeypatch):
    for key, value in {
        "_KQF_COMPLETE": "complete_bash",
        "COMP_WORDS": "kqf palette ga",
        "COMP_CWORD": "2",
    }.items():
        monkeypatch.setenv(key, value)
    assert run_process("palette")[0].split() == [b"gameboy"]


def test_a_terminal_shows_the_most_frequent_colors_of_many(folder, monkeypatch):
    labels = np.repeat(np.arange(40), np.arange(1, 41)).reshape(20, 41)
    draw("a.png", labels.astype(np.uint8))
    texts = []
    for more in ([], ["--all"], ["-c", "20"]):
        terminal = Terminal()
        with monkeypatch.context() as patch:
            patch.setenv("NO_COLOR", "1")
            patch.setattr(sys, "stdout", terminal)
            app.app(["palette", "a.png", *more], standalone_mode=False)
        texts.append(terminal.getvalue())
    assert [text.count("#") for text in texts] == [16, 40, 20]
    assert texts[0].endswith(
        "The 16 most frequent of 40 colours are shown; --all shows all, -c N chooses N.\n"
    )
    assert "#272727" in texts[0]
    assert "#000000" not in texts[0]
    assert run("palette", "a.png").stdout.count("#") == 40
