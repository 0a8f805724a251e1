"""The command ``kqf``: in this process by typer's runner, and as a process of its own."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import (
    ROOT,
    draw,
    few,
    many,
    names,
    run,
    run_process,
)
from PIL import Image

import kqf


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("a.png", "b.png", "-o", "out"),
        ("a.png", "-", "-o", "out/"),
        ("-", "-o", "out/"),
        ("-", "a.png"),
        ("a.png", "b.png", "-o", "-"),
        ("a.png", "-o", "b.kqf", "--format", "png"),
        ("a.png", "--colors", "0"),
        ("a.png", "--colors", "257"),
        ("a.png", "--effort", "10"),
        ("a.png", "--metric", "l1"),
        ("a.png", "--predictor", "paeth"),
        ("a.png", "--tile", "0"),
        ("a.png", "--tile", "8x"),
        ("a.png", "--tile", "8x0"),
        ("a.png", "--threads", "0"),
        ("a.png", "--frame", "-1"),
        ("a.png", "--what"),
    ],
)
def test_usage_errors(arguments):
    draw("a.png", few())
    draw("b.png", few())
    result = run("convert", *arguments, code=2)
    assert "Traceback" not in result.output
    assert names() == ["a.png", "b.png"]


def test_info_as_json():
    Path("a.kqf").write_bytes(data := kqf.encode(few(), metadata={"comment": "x"}))
    found = json.loads(run("info", "--json", "a.kqf").stdout)
    info = kqf.info(data)
    assert found.pop("file") == "a.kqf"
    assert found.pop("bits_per_pixel") == info.bits_per_pixel
    assert found.pop("metadata") == ["comment"]
    assert found == {key: value for key, value in vars(info).items() if key != "metadata"}


def test_check():
    data = kqf.encode(few())
    Path("good.kqf").write_bytes(data)
    Path("bad.kqf").write_bytes(data[:-1])
    Path("other.kqf").write_bytes(b"GIF89a")
    assert run("check", "good.kqf").stdout == "good.kqf: ok\n"
    result = run("check", "bad.kqf", "good.kqf", "none.kqf", "other.kqf", code=1)
    lines = result.stdout.splitlines()
    assert lines[0].startswith("bad.kqf: bad: DONE: ")
    assert lines[1] == "good.kqf: ok"
    assert lines[2].startswith("other.kqf: bad: file: signature: ")
    assert result.stderr == "kqf: none.kqf: No such file or directory\n"


def test_version_and_help():
    assert run("--version").stdout == f"kqf {kqf.__version__}\n"
    for command in ("convert", "info", "check", "report", "compare", "palette", "view"):
        assert f"Usage: kqf {command}" in run(command, "--help").stdout.replace("root", "kqf")


def test_pipes_both_ways():
    pixels = many()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    data, err = run_process("convert", "-", "-o", "-", "--colors", 20, stdin=buffer.getvalue())
    assert data == kqf.encode(pixels, colors=20)
    assert err.startswith("- -> -  ")
    png, err = run_process("convert", "-", "--json", stdin=data)
    assert json.loads(err)["exact"] is True
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        assert (np.asarray(image.convert("RGB")) == kqf.decode(data)).all()
    bmp, _ = run_process("convert", "-", "--format", "bmp", stdin=data)
    assert bmp[:2] == b"BM"


def test_exit_codes_of_the_process():
    assert run_process("convert", "none.png", code=1) == (
        b"",
        "kqf: none.png: No such file or directory\n",
    )
    assert "Usage:" in run_process("convert", code=2)[1]
    assert run_process("convert", "-", stdin=b"junk", code=1)[1] == (
        "kqf: -: not an image that Pillow knows\n"
    )
    assert run_process("--version")[0].decode() == f"kqf {kqf.__version__}\n"


@pytest.mark.parametrize("arguments", [["--version"], ["convert", "a.png"], ["check", "a.kqf"]])
def test_the_start_is_fast(arguments):
    draw("a.png", few())
    Path("a.kqf").write_bytes(kqf.encode(few()))
    probe = (
        "import sys; from kqf.cli.app import app; app(sys.argv[1:], standalone_mode=False);"
        "print(sorted({name.split('.')[0] for name in sys.modules}"
        " & {'sklearn', 'scipy', 'rich', 'joblib'}))"
    )
    found = subprocess.run(
        [sys.executable, "-c", probe, *arguments],
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.splitlines()[-1] == "[]"
