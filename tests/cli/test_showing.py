"""The subcommands that show images."""

import csv
import io
import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from command import Terminal, draw, few, many, names, palette_image, run
from PIL import Image, ImageShow

import kqf
from kqf.cli import showing
from kqf.palettes.api import read_palette
from kqf.report import html as page


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_report_in_a_pipe_is_markdown():
    draw("a_b.png", many())
    draw("b.png", few())
    text = run("report", "a_b.png", "b.png").stdout
    assert text.startswith("a_b.png: PNG, 40 x 24, RGB, ")
    assert "| raw pixels  " in text
    assert "Suggested: 5 colours, all of its colours, so nothing is lost.\n" in text
    assert "Geometric means over 2 images\n\n| stored as" in text
    assert "Files of as many colours over 2 images\n" in text
    assert "\x1b" not in text


def test_report_as_json():
    draw("a.png", many())
    Path("b.kqf").write_bytes(kqf.encode(few()))
    result = run("report", "--json", "a.png", "none.png", "b.kqf", code=1)
    assert result.stderr == "kqf: none.png: No such file or directory\n"
    found = json.loads(result.stdout)
    assert [image.get("file_format") for image in found["images"]] == ["PNG", None, "KQF"]
    assert found["images"][1] == {"name": "none.png", "error": "No such file or directory"}
    row = next(
        row for row in found["images"][0]["rows"] if row["name"] == "KQF, 16 colours, quality 100"
    )
    result = kqf.decode(kqf.encode(many(), colors=16, quality=100))
    assert row["psnr"] == kqf.psnr(many(), result)
    assert row["largest_error"] == vars(kqf.largest_error(many(), result))
    assert {row["name"] for row in found["summary"]} <= {
        row["name"] for row in found["images"][0]["rows"]
    }


@pytest.mark.parametrize("suffix", ["html", "md", "csv", "json"])
def test_one_unreadable_image_does_not_end_a_report(suffix):
    draw("a.png", few())
    Path("bad<i>.png").write_bytes(Path("a.png").read_bytes()[:60])
    Image.fromarray(few()).save(
        "two.gif", save_all=True, append_images=[Image.fromarray(few(colors=9))]
    )
    Image.fromarray(many()[..., 0].astype(np.uint16) * 256).save("deep.png")
    arguments = ("bad<i>.png", "a.png", "two.gif", "deep.png", "-o", f"r.{suffix}")
    result = run("report", *arguments, code=1)
    assert [line.split(": ")[1] for line in result.stderr.splitlines()] == [
        "bad<i>.png",
        "two.gif",
        "deep.png",
    ]
    text = Path(f"r.{suffix}").read_text("utf-8")
    assert "holds 2 frames and a KQF file holds one" in text
    assert "has more than the 8 bits" in text
    if suffix == "html":
        assert "<td>bad&lt;i&gt;.png</td>" in text
        assert "bad<i>" not in text
        assert text.count('<section class="card image"') == 1
    if suffix == "csv":
        rows = list(csv.DictReader(io.StringIO(text)))
        assert {row["image"] for row in rows if row["error"]} == {*arguments[:1], *arguments[2:4]}
        assert any(row["image"] == "a.png" and row["bytes"] for row in rows)
    if suffix == "json":
        assert [("error" in image) for image in json.loads(text)["images"]] == [
            True,
            False,
            True,
            True,
        ]
    assert not list(Path().glob("*.tmp"))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1"])
def test_a_page_of_one_pixel(mode):
    Image.new(mode, (1, 1)).save("a.png")
    run("report", "a.png", "-o", "r.html")
    assert "1 \N{MULTIPLICATION SIGN} 1 pixels" in Path("r.html").read_text("utf-8")


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "a.png", "-o", "r.pdf"),
        ("report", "a.png", "--colors", "0"),
        ("report", "a.png", "--colors", "16,many"),
        ("compare", "a.png", "-o", "r.md"),
        ("compare", "a.png", "--colors", "257"),
        ("palette", "a.png", "-o", "r.pal"),
        ("view",),
    ],
)
def test_usage_errors(arguments):
    draw("a.png", few())
    assert "Traceback" not in run(*arguments, code=2).output
    assert names() == ["a.png"]


@pytest.mark.parametrize("command", ["report", "compare"])
def test_what_must_fail_fails_before_the_work(command, monkeypatch):
    draw("a.png", few())
    result = run(command, "a.png", "-o", "none/r.html", code=1)
    assert result.stderr == "kqf: none/r.html: there is no folder none\n"
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.setattr(showing, "load", lambda data: pytest.fail("worked in vain"))
    result = run(command, "a.png", "-o", "r.html", code=1)
    assert result.stderr == f"kqf: r.html: {page._MISSING}\n"
    assert names() == ["a.png"]


def test_a_report_without_scikit_image_has_no_ssim(monkeypatch):
    draw("a.png", few())
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    rows = json.loads(run("report", "a.png", "--json").stdout)["images"][0]["rows"]
    assert {row["ssim"] for row in rows} == {None}


def test_an_output_that_cannot_be_written():
    draw("a.png", few())
    Path("r.csv").mkdir()
    result = run("report", "a.png", "-o", "r.csv", code=1)
    assert result.stderr.startswith("kqf: r.csv: cannot be written: ")


@pytest.mark.parametrize("command", ["compare", "palette"])
def test_the_image_itself_is_not_written_over(command):
    draw("a.png", many())
    before = Path("a.png").read_bytes()
    result = run(command, "a.png", "-o", "./a.png", code=1)
    assert result.stderr == "kqf: ./a.png: is the same file as a.png\n"
    assert Path("a.png").read_bytes() == before


def test_names_that_are_no_text_and_names_of_tags():
    names = [os.fsdecode(b"\xff<i>.png"), "b<i>.png"]
    try:
        for name in names:
            draw(name, few())
    except OSError:
        pytest.skip("this file system takes only text")
    for suffix in ("html", "md", "csv", "json"):
        run("report", *names, "-o", f"r.{suffix}")
        text = Path(f"r.{suffix}").read_text("utf-8")
        assert ("\\udcff&lt;i&gt;.png" if suffix == "html" else "udcff") in text
        assert suffix not in ("html", "md") or not re.search(r"(?<!\\)<i>", text)


def test_report_finds_the_sample_images():
    found = showing.sample_images()
    assert [Path(name).name for name in found] == ["china.jpg", "flower.jpg"]
    assert all(Path(name).is_file() for name in found)


def test_compare():
    draw("a.png", many())
    options = ("--colors", 4, "--learners", "kmeans, octree")
    text = run("compare", "a.png", *options, "-o", "r.png").stdout
    assert "| kmeans  |" in text
    assert "| octree  |" in text
    with Image.open("r.png") as image:
        assert image.width > 40
    run("compare", "a.png", *options, "-o", "r.html")
    assert text.count("\n") > 4
    found = json.loads(run("compare", "a.png", *options, "--json").stdout)
    assert [each["learner"] for each in found["learners"]] == ["kmeans", "octree"]
    assert found["learners"][0]["bytes"] == len(kqf.encode(many(), colors=4, quality=100))


def test_compare_refuses_what_it_does_not_know():
    draw("a.png", many())
    result = run("compare", "a.png", "--learners", "best", "-o", "r.png", code=1)
    assert result.stderr.startswith("kqf: a.png: learner must be one of kmeans, ")
    assert run("compare", "none.png", "-o", "r.png", code=1).stdout == ""
    assert names() == ["a.png"]


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
    swatches = [showing.Swatch(0, (1, 2, 3), 5, 0.5), showing.Swatch(1, (255, 0, 0), 5, 0.5)]
    monkeypatch.setattr(sys, "stdout", Terminal())
    text = showing._painted(swatches, "[red]title")
    assert "[red]title" in text
    assert ("\x1b[48;2;255;0;0m" in text) == colored
    assert "#ff0000" in text


def test_view(monkeypatch):
    opened = []

    class Viewer(ImageShow.Viewer):
        def show_image(self, image, **options):
            opened.append((np.asarray(image.convert("RGB")), options))
            return True

    pixels = draw("a.png", few())
    Path("b.kqf").write_bytes(kqf.encode(pixels))
    monkeypatch.setattr(ImageShow, "_viewers", [Viewer()])
    result = run("view", "a.png", "none.png", "b.kqf", code=1)
    assert result.stderr == "kqf: none.png: No such file or directory\n"
    assert len(opened) == 2
    assert all((image == pixels).all() for image, _ in opened)
    monkeypatch.setattr(ImageShow, "_viewers", [])
    assert "finds no program" in run("view", "a.png", code=1).stderr
