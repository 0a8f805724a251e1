"""``kqf view``."""

import sys
import webbrowser
from pathlib import Path

import numpy as np
import pytest
from command import draw, few, run
from PIL import Image, ImageShow

import kqf


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def viewers(monkeypatch):
    """Give the list of viewers that there are, on a machine with a screen."""
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(ImageShow, "_viewers", found := [])
    monkeypatch.setattr(webbrowser, "get", no_browser)
    return found


def no_browser(*_):
    raise webbrowser.Error


def test_view(monkeypatch, viewers):
    opened = []

    class Viewer(ImageShow.Viewer):
        def show_image(self, image, **options):
            opened.append((np.asarray(image.convert("RGB")), options))
            return True

    pixels = draw("a.png", few())
    Path("b.kqf").write_bytes(kqf.encode(pixels))
    viewers.append(Viewer())
    result = run("view", "a.png", "none.png", "b.kqf", code=1)
    assert result.stderr == "kqf: none.png: No such file or directory\n"
    assert len(opened) == 2
    assert all((image == pixels).all() for image, _ in opened)


def test_without_a_viewer_or_a_terminal_it_fails(viewers):
    draw("a.png", few())
    expected = "there is no program that shows images here; --terminal draws it with colours"
    assert run("view", "a.png", code=1).stderr == f"kqf: a.png: {expected}\n"


def test_a_terminal_draws_it_where_no_viewer_opens_and_the_exit_code_tells(viewers, monkeypatch):
    draw("a.png", few())
    monkeypatch.setattr("kqf.cli.view._shows_colors", lambda: True)
    result = run("view", "a.png", code=1)
    assert "so the terminal draws it" in result.stderr
    assert len(result.stdout.splitlines()) > 5


def test_without_a_screen_no_viewer_is_opened(monkeypatch):
    draw("a.png", few())
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(ImageShow, "show", lambda *_, **__: pytest.fail("opened a viewer"))
    assert "no program that shows images" in run("view", "a.png", code=1).stderr


def test_the_terminal_can_be_asked_for(monkeypatch):
    draw("a.png", few())
    monkeypatch.setenv("TERM", "dumb")
    result = run("view", "--terminal", "a.png")
    assert "\x1b[38;2;" in result.stdout
    assert result.stderr == ""


def test_the_orientation_of_a_photograph_is_shown():
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (4, 2)).save("a.jpg", exif=exif)
    lines = run("view", "--terminal", "a.jpg").stdout.splitlines()
    # Enlarged four times: 8 pixels wide and 16 high, in lines of two.
    assert len(lines) == 8
    assert all(line.count("\N{UPPER HALF BLOCK}") == 8 for line in lines)


@pytest.mark.parametrize("name", ["a.kqf", "a.tif"])
def test_a_large_image_is_shown_in_a_smaller_size(name, viewers, monkeypatch):
    shown = []

    class Viewer(ImageShow.Viewer):
        def show_image(self, image, **_):
            shown.append(image)
            return True

    viewers.append(Viewer())
    pixels = np.kron(few(), np.ones((64, 64, 1), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    if name == "a.kqf":
        kqf.write(name, pixels, effort=1, overviews=True, metadata={"exif": exif.tobytes()})
        whole = "kqf.decoding.scaled.read_labels"
        monkeypatch.setattr(whole, lambda *_, **__: pytest.fail("read in full size"))
    else:
        pytest.importorskip("tifffile", reason="large images need tifffile")
        Image.fromarray(pixels).save(name, exif=exif)
    monkeypatch.setattr("kqf.io.large_image.MOST_PIXELS", pixels.size // 3 - 1)
    monkeypatch.setattr("kqf.cli.view._LONGER", 128)
    result = run("view", name)
    assert "resized to 128 x " in result.stderr
    (image,) = shown
    expected = Image.fromarray(pixels).resize(image.size[::-1], Image.Resampling.BOX)
    expected = np.asarray(expected.transpose(Image.Transpose.ROTATE_270), np.int16)
    assert np.abs(np.asarray(image.convert("RGB")) - expected).mean() < 12
