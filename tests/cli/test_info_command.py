"""``kqf info``."""

import json
from pathlib import Path

import pytest
from command import ICC, few, run

import kqf
from kqf.decoding.parts import measure_parts


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _in_words(parts):
    return ", ".join(f"{part.replace('_', ' ')} {size:,}" for part, size in parts.items())


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
        "  version      1",
        f"  bytes of     {_in_words(measure_parts(data))}",
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


def test_info_as_json():
    Path("a.kqf").write_bytes(data := kqf.encode(few(), metadata={"comment": "x"}))
    found = json.loads(run("info", "--json", "a.kqf").stdout)
    info = kqf.info(data)
    assert found.pop("file") == "a.kqf"
    assert found.pop("bits_per_pixel") == info.bits_per_pixel
    assert found.pop("metadata") == {"comment": "x"}
    assert found.pop("complete") is True
    assert found.pop("part_bytes") == measure_parts(data)
    assert found.pop("durations") == list(info.durations)
    assert found.pop("scales") == []
    assert found == {key: value for key, value in vars(info).items() if key in found}
    assert len(found) == len(vars(info)) - 4


def test_metadata_in_json():
    metadata = {"icc_profile": ICC, "exif": b"MM\0*1234", "dpi": (72.0, 96.5), "comment": "x"}
    Path("a.kqf").write_bytes(kqf.encode(few(), metadata=metadata))
    assert json.loads(run("info", "--json", "a.kqf").stdout)["metadata"] == {
        "icc_profile": {"bytes": len(ICC)},
        "exif": {"bytes": 8},
        "dpi": [72, 96.5],
        "comment": "x",
    }
