"""Lines about files, for people to read."""

import json
import re
from pathlib import Path

import pytest
from command import ICC, few, many, run
from PIL import Image

import kqf


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_info():
    metadata = {
        "icc_profile": ICC,
        "exif": b"MM\0*1234",
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
        "  exif         8 bytes",
        "  dpi          72 x 96.5",
        r"  comment      two\nlines \x1b[31mred [bold]not[/bold]",
    ]
    assert (
        run("info", "-", stdin=data).stdout.splitlines()[1:]
        == (run("info", "a.kqf").stdout.splitlines()[1:])
    )


def test_info_of_a_file_with_damaged_tiles():
    data = bytearray(kqf.encode(few(), metadata={"comment": "x"}))
    data[-20] ^= 1
    Path("a.kqf").write_bytes(data)
    assert run("info", "a.kqf").stdout.endswith("  comment      x\n")
    Path("b.kqf").write_bytes(b"\x89KQF")
    what = "cut off before the first tile: only 4 bytes are there"
    assert run("info", "b.kqf", code=1).stderr == f"kqf: b.kqf: {what}\n"


def test_how_much_of_a_file_is_there():
    data = kqf.encode(many(), tile=8, effort=1)
    for size in (len(data) - 1, len(data) // 2):
        Path("a.kqf").write_bytes(data[:size])
        result = run("info", "a.kqf", code=1)
        assert "size         40 x 24 pixels" in result.stdout
        expected = "all tiles are whole, and the end is missing"
        if size < len(data) - 1:
            whole = int(re.search(r"(\d+) of 15 tiles are whole", result.stderr)[1])
            assert 0 < whole < 15
            expected = f"{whole} of 15 tiles are whole"
        expected += "; kqf convert --salvage recovers what is there\n"
        assert result.stderr == f"kqf: a.kqf: cut off after {size:,} bytes: {expected}"
        assert run("check", "a.kqf", code=1).stdout.endswith(f"bytes: {expected}")
        # Every command says so, however it reads the file.
        for command in ("convert", "palette", "view"):
            options = ("-o", "b.png") if command == "convert" else ()
            assert run(command, "a.kqf", *options, code=1).stderr == result.stderr
        assert json.loads(run("info", "--json", "a.kqf", code=1).stdout)["complete"] is False


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"", "it is empty"),
        (b"%PDF-1.7", "it looks like a PDF document"),
        (b"\n<!DOCTYPE html>", "it looks like a web page"),
        (
            b"version https://git-lfs.github.com/spec/v1",
            "it looks like a Git LFS pointer, not the file itself",
        ),
        (b"hello", "it is of no kind that kqf knows"),
    ],
)
def test_what_a_file_looks_like(start, kind):
    Path("a.kqf").write_bytes(start)
    assert run("info", "a.kqf", code=1).stderr == f"kqf: a.kqf: not a KQF file: {kind}\n"
    assert run("check", "a.kqf", code=1).stdout == f"a.kqf: bad: not a KQF file: {kind}\n"


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "webp", "tif"])
def test_a_picture_is_called_by_its_format(suffix):
    Image.fromarray(few()).save(f"a.{suffix}")
    name = {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper())
    expected = f"not a KQF file: it looks like a {name} image; kqf convert makes a KQF file of it"
    assert run("info", f"a.{suffix}", code=1).stderr == f"kqf: a.{suffix}: {expected}\n"
    assert run("check", f"a.{suffix}", code=1).stdout == f"a.{suffix}: bad: {expected}\n"


def test_metadata_in_json():
    metadata = {"icc_profile": ICC, "dpi": (72.0, 96.5), "comment": "x"}
    Path("a.kqf").write_bytes(kqf.encode(few(), metadata=metadata))
    assert json.loads(run("info", "--json", "a.kqf").stdout)["metadata"] == {
        "icc_profile": {"bytes": len(ICC)},
        "dpi": [72, 96.5],
        "comment": "x",
    }
