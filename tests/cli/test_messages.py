"""What commands say about files."""

import json
import re
from pathlib import Path

import pytest
from command import few, many, run
from PIL import Image

import kqf


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


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
