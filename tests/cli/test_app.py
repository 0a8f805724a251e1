"""How the command ``kqf`` starts and ends."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import ROOT, draw, few, many, run_process
from PIL import Image

import kqf


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


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


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [(["--version"], []), (["convert", "a.png"], ["kqf.convert"]), (["check", "a.kqf"], [])],
)
def test_the_start_imports_only_what_is_needed(arguments, needed):
    draw("a.png", few())
    Path("a.kqf").write_bytes(kqf.encode(few()))
    probe = (
        "import sys; from kqf.cli.app import app; app(sys.argv[1:], standalone_mode=False);"
        "print(*{'sklearn', 'scipy', 'rich', 'joblib', 'kqf.convert'} & {*sys.modules})"
    )
    found = subprocess.run(
        [sys.executable, "-c", probe, *arguments],
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.splitlines()[-1].split() == needed


def test_a_closed_stderr_is_no_error():
    draw("a.png", few())
    line = f"{sys.executable} -m kqf convert a.png 2>&-"
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    assert subprocess.run(["/bin/sh", "-c", line], env=environment).returncode == 0
    assert kqf.info("a.kqf").colors == 5
    line = f"{sys.executable} -m kqf convert none.png 2>&-"
    found = subprocess.run(["/bin/sh", "-c", line], env=environment, stdout=subprocess.PIPE)
    assert (found.returncode, found.stdout) == (1, b"")
