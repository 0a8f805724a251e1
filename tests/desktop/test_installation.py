"""KQF's file type on the desktop: installed for one user, removed again, never over other files."""

import configparser
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from command import draw, few, run
from PIL import Image

import kqf
from kqf.desktop.thumbnailer import make_thumbnail
from kqf.format.signature import SIGNATURE

pytestmark = pytest.mark.skipif(
    sys.platform in ("darwin", "win32"), reason="of systems that follow freedesktop.org"
)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    home = tmp_path / "my home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.chdir(tmp_path)
    return home


def paths(home):
    """Return the files below a folder, without those that update-mime-database makes."""
    found = [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]
    return sorted(name for name in found if not name.startswith("data/mime/") or "packages" in name)


INSTALLED = [".magic", "data/mime/packages/kqf.xml", "data/thumbnailers/kqf.thumbnailer"]


def test_all_is_installed_and_removed(home):
    result = run("desktop", "install")
    assert paths(home) == INSTALLED
    for name in INSTALLED:
        assert f"wrote {home / name}\n" in result.stdout
    assert "update-mime-database" in result.stdout
    again = run("desktop", "install").stdout
    assert again.count("is up to date\n") == 3
    assert "update-mime-database" not in again
    removed = run("desktop", "uninstall").stdout
    assert removed.count("removed ") == 3
    assert paths(home) == []
    assert run("desktop", "uninstall").stdout == "nothing of kqf is installed\n"


def test_a_dry_run_changes_nothing(home):
    assert run("desktop", "install", "--dry-run").stdout.count("would write ") == 3
    assert paths(home) == []
    run("desktop", "install")
    assert run("desktop", "uninstall", "--dry-run").stdout.count("would remove ") == 3
    assert paths(home) == INSTALLED


@pytest.mark.parametrize("name", INSTALLED)
def test_files_of_others_are_left_alone(home, name):
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    left = f"{path} is not from kqf and was left as it is"
    assert left in run("desktop", "install").stdout
    assert paths(home) == INSTALLED
    assert left in run("desktop", "uninstall").stdout
    assert paths(home) == [name]
    assert path.read_text() == "mine"


def test_a_folder_of_magic_is_left_alone(home):
    (home / ".magic").mkdir()
    for command in ("install", "uninstall"):
        assert "left as it is" in run("desktop", command).stdout
    assert (home / ".magic").is_dir()


def test_an_older_file_of_kqf_is_replaced(home):
    run("desktop", "install")
    path = home / INSTALLED[1]
    path.write_bytes(path.read_bytes() + b"<!-- older -->")
    assert f"wrote {path}\n" in run("desktop", "install").stdout
    assert b"older" not in path.read_bytes()


@pytest.mark.parametrize("value", ["", "relative/path", None])
def test_without_a_folder_of_data_it_is_that_of_the_home(home, monkeypatch, value):
    monkeypatch.delenv("XDG_DATA_HOME")
    if value is not None:
        monkeypatch.setenv("XDG_DATA_HOME", value)
    run("desktop", "install")
    assert (home / ".local/share/mime/packages/kqf.xml").is_file()


def test_without_the_program_that_updates_it_says_so(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert "update-mime-database is not installed" in run("desktop", "install").stdout


def test_a_program_that_fails_is_told(tmp_path, monkeypatch):
    program = tmp_path / "update-mime-database"
    program.write_text("#!/bin/sh\necho no room >&2; exit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert "failed: no room\n" in run("desktop", "install").stdout


@pytest.mark.parametrize(("platform", "system"), [("darwin", "macOS"), ("win32", "Windows")])
@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_other_systems_say_what_is_not_there(home, monkeypatch, platform, system, command):
    monkeypatch.setattr("kqf.desktop.installation.sys.platform", platform)
    result = run("desktop", command, code=1)
    assert result.stderr.startswith(f"kqf: desktop: {system} has no database of file types")
    assert paths(home) == []


def test_the_type_names_signature_and_suffix(home):
    run("desktop", "install")
    root = ElementTree.parse(home / INSTALLED[1]).getroot()
    space = {"mime": "http://www.freedesktop.org/standards/shared-mime-info"}
    (kind,) = root
    assert kind.get("type") == "image/x-kqf" == Image.MIME["KQF"]
    match = kind.find("mime:magic/mime:match", space)
    assert match.get("value").encode().decode("unicode_escape").encode("latin-1") == SIGNATURE
    assert kind.find("mime:glob", space).get("pattern") == "*.kqf"


@pytest.mark.skipif(shutil.which("file") is None, reason="without the program file")
@pytest.mark.parametrize(
    ("channels", "colors", "text"),
    [
        (1, 1, "gray, 1 colour"),
        (2, 5, "gray + alpha, 5 colours"),
        (3, 255, "RGB, 255 colours"),
        (4, 256, "RGBA, 256 colours"),
    ],
)
def test_the_program_file_describes_images(home, channels, colors, text):
    run("desktop", "install")
    codebook = np.zeros((colors, channels), np.uint8)
    Path("a").write_bytes(kqf.encode_indexed(np.zeros((4, 300), np.uint8), codebook))
    said = subprocess.run(["file", "a"], capture_output=True, text=True, check=True).stdout
    assert said == f"a: KQF image data, 300 x 4, {text}\n"
    command = ["file", "--brief", "--mime-type", "a"]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "image/x-kqf\n"


def test_the_thumbnailer_that_is_installed_works(home, tmp_path):
    run("desktop", "install")
    entry = configparser.ConfigParser(interpolation=None)
    entry.optionxform = str
    entry.read(home / INSTALLED[2])
    values = entry["Thumbnailer Entry"]
    assert values["MimeType"] == "image/x-kqf;"
    assert Path(values["TryExec"]).is_file()
    kqf.write("an image.kqf", few())
    fields = {"%i": "an image.kqf", "%o": str(tmp_path / "thumbnail"), "%s": "20"}
    command = [fields.get(word, word.replace("%%", "%")) for word in shlex.split(values["Exec"])]
    root = str(Path(kqf.__file__).parents[1])
    subprocess.run(command, check=True, timeout=60, env=dict(os.environ, PYTHONPATH=root))
    with Image.open("thumbnail") as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("PNG", (20, 12))


def test_thumbnails_are_upright_and_keep_transparency():
    exif = Image.Exif()
    exif[0x0112] = 6
    draw("a.kqf", few(4), exif=exif)
    make_thumbnail("a.kqf", "b.png", 16)
    with Image.open("b.png") as thumbnail:
        assert (thumbnail.mode, thumbnail.size) == ("RGBA", (10, 16))
        assert not thumbnail.getexif()


def test_a_damaged_file_ends_the_thumbnailer_with_a_message():
    Path("bad.kqf").write_bytes(kqf.encode(few())[:50])
    command = [sys.executable, "-m", "kqf.desktop.thumbnailer"]
    environment = dict(os.environ, PYTHONPATH=str(Path(kqf.__file__).parents[1]))
    for arguments in (["bad.kqf", "b.png", "16"], ["bad.kqf", "b.png", "large"], []):
        done = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, env=environment, timeout=60
        )
        assert done.returncode == 1
        assert done.stderr.startswith(("kqf: ", "usage: "))
        assert "Traceback" not in done.stderr
    assert not Path("b.png").exists()
