"""The files for browsers, as they are installed."""

import json
import re
import subprocess
import sys
import zipfile

import pytest
from javascript import ROOT

import kqf
import kqf.web

FILES = ("kqf.js", "kqf.min.js", "element.js", "parallel.js", "package.json")


def test_the_path_holds_the_files():
    assert all((kqf.web.path() / name).is_file() for name in FILES)


def test_the_package_is_of_this_version():
    package = json.loads((kqf.web.path() / "package.json").read_text("utf-8"))
    assert package["version"] == kqf.__version__
    assert all((kqf.web.path() / name).is_file() for name in package["files"])
    assert all((kqf.web.path() / name).is_file() for name in package["exports"].values())


def test_the_decoder_needs_no_other_module():
    text = (kqf.web.path() / "kqf.js").read_text("utf-8")
    assert not re.search(r"^import", text, re.MULTILINE)
    # Without this one large images are decoded as well, as another test shows.
    script = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    assert re.findall(r"\bimport\(.*?\)", script) == ['import("./parallel.js")']


@pytest.mark.slow
def test_the_wheel_holds_the_files(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert {f"kqf/web/{name}" for name in FILES} <= set(zipfile.ZipFile(wheel).namelist())
