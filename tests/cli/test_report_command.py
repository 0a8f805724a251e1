"""``kqf report``."""

import base64
import csv
import io
import json
import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from command import draw, few, many, names, run
from PIL import Image, features

import kqf
from kqf.cli import report as reporting
from kqf.report import html as page

WEBP = features.check("webp")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_image_is_a_table_that_fits():
    draw("a_b.png", many())
    Path("deep").mkdir()
    Path("a_b.png").rename("deep/a_b.png")
    lines = run("report", str(Path("deep/a_b.png").absolute())).stdout.splitlines()
    assert lines[0].startswith("a_b.png: PNG, 40 x 24 pixels, RGB, ")
    assert max(map(len, lines[:-1])) <= 80
    rows = ["PNG file as given", "KQF, 256 colours, quality 75", "PNG8 (", "GIF (", "WebP lossless"]
    for name in rows if WEBP else rows[:-1]:
        assert sum(line.startswith(name) for line in lines) == 1
    assert lines[-3].startswith("Suggested: ")
    assert "as a share of" in lines[-2]
    assert lines[-1] == f"Page with the pictures: {Path('kqf-report.html').absolute()}"
    assert "|" not in "".join(lines)
    assert "\x1b" not in "".join(lines)


def test_animations_are_compared_with_those_of_other_formats():
    frames = [Image.fromarray(few()).rotate(90 * number) for number in range(3)]
    frames[0].save("a.gif", save_all=True, append_images=frames[1:], duration=70)
    draw("b.png", few())
    lines = run("report", "a.gif", "-o", "a.html").stdout.splitlines()
    assert lines[0].startswith("a.gif: GIF, ")
    assert "3 frames, 0.21 s" in " ".join(lines)
    rows = ["GIF file as given", "KQF", "WebP lossless", "APNG (Pillow)"]
    for name in rows if WEBP else [*rows[:2], rows[3]]:
        (line,) = [line for line in lines if line.startswith(name + " ")]
        assert line.endswith("lossless")
    text = Path("a.html").read_text("utf-8")
    found = re.findall(r'src="data:([\w/]*);base64,([^"]*)"', text)
    assert [kind for kind, _ in found] == ["image/gif", ""]
    given, ours = (base64.b64decode(data) for _, data in found)
    assert given == Path("a.gif").read_bytes()
    assert kqf.info(ours).frames == 3
    assert f"{len(ours):,}" in "".join(lines)
    result = run("report", "a.gif", "b.png", "--colors", "16", "--json", "-o", "a.csv")
    assert "a.gif: --full and --colors are for still images" in " ".join(result.stderr.split())
    record, _ = json.loads(result.stdout)["images"]
    assert (record["frames"], record["milliseconds"]) == (3, 210)
    assert record["rows"][1] == {
        "encoder": "KQF",
        "bytes": len(ours),
        "kqf_share": 1,
        "exact": True,
    }
    with Path("a.csv").open(newline="") as file:
        assert [row["encoder"] for row in csv.DictReader(file)][:2] == ["GIF file as given", "KQF"]
    run("report", "a.gif", "-o", "a.md")
    assert "| KQF " in Path("a.md").read_text()


def test_several_images_end_with_ten_lines():
    draw("a_b.png", many())
    draw("b.png", few())
    lines = run("report", "a_b.png", "b.png").stdout.splitlines()
    assert len(lines) <= 12
    assert max(map(len, lines[:-1])) <= 80
    sizes = [f"{Path(name).stat().st_size:,}" for name in ("a_b.png", "b.png")]
    for name, size in zip(("a_b.png", "b.png"), sizes, strict=True):
        (line,) = [line for line in lines if line.startswith(name)]
        assert line.split()[1] == size
    assert sum(line.startswith("together") for line in lines) == 1
    optimiser = "oxipng" if find_spec("oxipng") else "Pillow"
    assert optimiser in " ".join(lines)


def test_a_full_report_has_a_table_for_each_image():
    draw("a.png", many())
    draw("b.png", many(seed=1))
    text = run("report", "a.png", "b.png", "--full", "--no-page").stdout
    assert text.count("KQF, 16 colours, quality 50") == 3
    assert "Means over 2 images" in text
    assert text.count("Suggested: ") == 2
    assert names() == ["a.png", "b.png"]


def test_pages_take_free_names_and_overwrite_nothing():
    draw("a.png", few())
    Path("kqf-report.html").write_text("mine")
    Path("kqf-report-2.html").symlink_to("nowhere")
    out = run("report", "a.png").stdout
    assert out.splitlines()[-1].endswith("kqf-report-3.html")
    assert Path("kqf-report.html").read_text() == "mine"
    assert names() == ["a.png", "kqf-report-2.html", "kqf-report-3.html", "kqf-report.html"]


@pytest.mark.parametrize("options", [["--json"], ["--no-page"], ["-o", "r.md"]])
def test_no_page_beside_other_outputs(options):
    draw("a.png", few())
    run("report", "a.png", *options)
    assert "kqf-report.html" not in names()


def test_without_jinja_the_numbers_come_with_a_note(monkeypatch):
    draw("a.png", few())
    monkeypatch.setitem(sys.modules, "jinja2", None)
    result = run("report", "a.png")
    assert "Suggested: 5 colours" in result.stdout
    assert result.stderr == f"kqf: report: {page.MISSING}\n"
    assert names() == ["a.png"]


def test_a_folder_is_all_images_in_it():
    Path("in/deep").mkdir(parents=True)
    draw("in/a.png", few())
    draw("in/deep/a.png", many())
    Path("in/notes.txt").write_text("no image")
    lines = run("report", "in", "--no-page").stdout.splitlines()
    assert [line.split()[0] for line in lines if ".png" in line] == ["in/a.png", "deep/a.png"]
    Path("none").mkdir()
    assert run("report", "none", code=1).stderr == "kqf: none: holds no images\n"


def test_a_turned_photograph_is_reported_upright():
    exif = Image.Exif()
    exif[274] = 6
    draw("a.png", many(), exif=exif)
    assert "24 x 40 pixels" in run("report", "a.png").stdout
    text = Path("kqf-report.html").read_text("utf-8")
    assert "24 \N{MULTIPLICATION SIGN} 40 pixels" in text


def test_titles_have_no_absolute_paths(tmp_path):
    draw("a.png", few())
    run("report", tmp_path / "a.png")
    assert "<title>a.png, KQF report</title>" in Path("kqf-report.html").read_text("utf-8")
    assert str(tmp_path) not in Path("kqf-report.html").read_text("utf-8")


def test_report_as_json():
    draw("a.png", many())
    Path("b.kqf").write_bytes(kqf.encode(few()))
    result = run("report", "--json", "--full", "a.png", "none.png", "b.kqf", code=1)
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
        "file as given",
        *(row["name"] for row in found["images"][0]["rows"]),
    }


@pytest.mark.parametrize("suffix", ["html", "md", "csv", "json"])
def test_one_unreadable_image_does_not_end_a_report(suffix):
    draw("a.png", few())
    Path("bad<i>.png").write_bytes(Path("a.png").read_bytes()[:60])
    Image.fromarray(few()).save(
        "two.tif", save_all=True, append_images=[Image.fromarray(few(colors=9))]
    )
    Image.fromarray(many()[..., 0].astype(np.float32)).save("deep.tif")
    arguments = ("bad<i>.png", "a.png", "two.tif", "deep.tif", "-o", f"r.{suffix}")
    result = run("report", *arguments, code=1)
    assert [line.split(": ")[1] for line in result.stderr.splitlines()] == [
        "bad<i>.png",
        "two.tif",
        "deep.tif",
    ]
    text = Path(f"r.{suffix}").read_text("utf-8")
    assert "holds 2 frames" in text
    assert "mode F has no fixed range" in text
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


@pytest.mark.parametrize("command", ["report", "compare"])
def test_what_must_fail_fails_before_the_work(command, monkeypatch):
    draw("a.png", few())
    result = run(command, "a.png", "-o", "none/r.html", code=1)
    assert result.stderr == "kqf: none/r.html: there is no folder none\n"
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.setattr(f"kqf.cli.{command}.load", lambda data: pytest.fail("worked in vain"))
    result = run(command, "a.png", "-o", "r.html", code=1)
    assert result.stderr == f"kqf: r.html: {page.MISSING}\n"
    assert names() == ["a.png"]


def test_a_report_without_scikit_image_has_no_ssim(monkeypatch):
    draw("a.png", few())
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    rows = json.loads(run("report", "a.png", "--full", "--json").stdout)["images"][0]["rows"]
    assert {row["ssim"] for row in rows} == {None}


def test_an_output_that_cannot_be_written():
    draw("a.png", few())
    Path("r.csv").mkdir()
    result = run("report", "a.png", "-o", "r.csv", code=1)
    assert result.stderr.startswith("kqf: r.csv: cannot be written: ")


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
    found = reporting.sample_images()
    assert [Path(name).name for name in found] == ["china.jpg", "flower.jpg"]
    assert all(Path(name).is_file() for name in found)
