"""The command ``kqf``: in this process by typer's runner, and as a process of its own."""

import io
import json
import os
import re
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
    assert found.pop("metadata") == {"comment": "x"}
    assert found.pop("complete") is True
    assert found == {key: value for key, value in vars(info).items() if key != "metadata"}


def test_check_in_quiet():
    Path("good.kqf").write_bytes(data := kqf.encode(few()))
    Path("bad.kqf").write_bytes(data[:-1])
    assert run("check", "--quiet", "good.kqf").output == ""
    assert run("check", "--quiet", "good.kqf", "bad.kqf", code=1).stdout.startswith("bad.kqf: bad")


def test_folders_stand_for_the_kqf_files_in_them():
    Path("in/deep").mkdir(parents=True)
    Path("empty").mkdir()
    Path("in/a.kqf").write_bytes(data := kqf.encode(few()))
    Path("in/deep/b.kqf").write_bytes(data[:-1])
    draw("in/c.png", few())
    result = run("check", "in", "empty", code=1)
    assert [line.split(": ")[:2] for line in result.stdout.splitlines()] == [
        ["in/a.kqf", "ok"],
        ["in/deep/b.kqf", "bad"],
    ]
    assert result.stderr == "kqf: empty: there is no KQF file in this folder\n"
    lines = run("info", "--json", "in", code=1).stdout.splitlines()
    assert [json.loads(line)["file"] for line in lines] == ["in/a.kqf", "in/deep/b.kqf"]


def test_check():
    data = kqf.encode(few())
    Path("good.kqf").write_bytes(data)
    Path("bad.kqf").write_bytes(data[:-1])
    Path("other.kqf").write_bytes(b"GIF89a")
    assert run("check", "good.kqf").stdout == "good.kqf: ok\n"
    result = run("check", "bad.kqf", "good.kqf", "none.kqf", "other.kqf", code=1)
    lines = result.stdout.splitlines()
    missing = f"cut off after {len(data) - 1} bytes: the end is missing; "
    assert lines[0].startswith(f"bad.kqf: bad: {missing}")
    assert lines[1] == "good.kqf: ok"
    assert lines[2] == "other.kqf: bad: not a KQF file: it is of no kind that kqf knows"
    assert result.stderr == "kqf: none.kqf: No such file or directory\n"


def test_version_and_help():
    assert run("--version").stdout == f"kqf {kqf.__version__}\n"
    assert run("-V").stdout == run("--version").stdout
    assert run("-v").stdout == f"kqf {kqf.__version__}\n"
    for command in ("convert", "info", "check", "report", "compare", "palette", "view", "help"):
        text = run(command, "--help").stdout
        assert f"Usage: kqf {command}" in text.replace("root", "kqf")
        assert run(command, "-h").stdout == text
        assert run("help", command).stdout.split() == text.split()
        # No words of Python's or of the library's.
        if command not in ("convert", "report", "compare"):
            assert not re.search(r"list\[|<(str|int|float)|range>|None\b", text)
    assert run("help").stdout == run("-h").stdout
    assert run("version").stdout == run("-v").stdout
    assert "[OPTIONS] FILE..." in run("info", "-h").stdout
    assert "[OPTIONS] [IMAGE|PALETTE|FOLDER]..." in run("palette", "-h").stdout
    assert "Did you mean 'info'?" in run("help", "inf", code=2).stderr


def test_the_help_shows_commands_to_start_with():
    lines = run("-h").stdout.splitlines()
    assert "  kqf convert photo.png    write photo.kqf" in lines
    # Nothing is cut short at 80 columns.
    assert not any(line.endswith("...") for line in lines[1:])
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("name", ["photo.png", "photo.kqf", "./photo", "-", "folder/"])
def test_a_file_in_a_commands_place_is_answered(name):
    result = run(name, "-q", 50, code=2)
    assert f"{name} is a file, and a command must come first:\n" in result.stderr
    assert f"  kqf convert {name} -q 50  " in result.stderr
    assert f"  kqf view {name}  " in result.stderr


def test_options_without_a_command():
    assert "Options follow a command" in run("-q", 50, "a.png", code=2).stderr


def test_completion_is_offered():
    text = run("--help").stdout
    assert "--install-completion" in text
    assert "--show-completion" in text


def test_a_closed_stderr_is_no_error():
    draw("a.png", few())
    line = f"{sys.executable} -m kqf convert a.png 2>&-"
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    assert subprocess.run(["/bin/sh", "-c", line], env=environment).returncode == 0
    assert kqf.info("a.kqf").colors == 5
    line = f"{sys.executable} -m kqf convert none.png 2>&-"
    found = subprocess.run(["/bin/sh", "-c", line], env=environment, stdout=subprocess.PIPE)
    assert (found.returncode, found.stdout) == (1, b"")


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
