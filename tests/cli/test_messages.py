"""Lines about files, for people to read."""

from pathlib import Path

import pytest
from command import ICC, few, run

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
    assert "signature" in run("info", "b.kqf", code=1).stderr
