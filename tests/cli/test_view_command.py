"""``kqf view``."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from command import Terminal, draw, few, run
from PIL import Image, ImageShow

import kqf
from kqf.cli.terminal import drawn


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def viewers(monkeypatch):
    """Give the list of viewers that there are, on a machine with a screen."""
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(ImageShow, "_viewers", found := [])
    return found


def on_screen(monkeypatch):
    """Let stdout be a terminal of 20 x 12 characters that shows every colour."""
    for key, value in {"TERM": "xterm", "COLORTERM": "truecolor"}.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("LINES", "12")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", Terminal())


def cells(text):
    """Return the colours of half blocks, (lines, columns, upper and lower, RGB)."""
    pattern = r"\x1b\[38;2;(\d+);(\d+);(\d+);48;2;(\d+);(\d+);(\d+)m(\u2580+)"
    rows = [
        [
            [int(value) for value in found[:6]]
            for found in re.findall(pattern, line)
            for _ in found[6]
        ]
        for line in text.splitlines()
    ]
    return np.array(rows).reshape(len(rows), -1, 2, 3)


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


def test_without_a_screen_no_viewer_is_opened(monkeypatch):
    draw("a.png", few())
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(ImageShow, "show", lambda *_, **__: pytest.fail("opened a viewer"))
    assert "no program that shows images" in run("view", "a.png", code=1).stderr


def test_the_terminal_draws_every_pixel_of_a_small_picture(monkeypatch):
    on_screen(monkeypatch)
    pixels = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    # Twice as large fits into 20 x 20 half blocks.
    found = cells(drawn(Image.fromarray(pixels)))
    assert found.shape == (6, 16, 2, 3)
    shown = found.transpose(0, 2, 1, 3).reshape(12, 16, 3)
    assert (shown[::2, ::2] == pixels).all()
    assert (shown[1::2, 1::2] == pixels).all()


def test_the_terminal_draws_large_pictures_as_large_as_fits(monkeypatch):
    on_screen(monkeypatch)
    found = cells(drawn(Image.new("RGB", (400, 100), (1, 2, 3))))
    # 20 x 5 pixels; the last line shows its row twice.
    assert found.shape == (3, 20, 2, 3)
    assert (found == [1, 2, 3]).all()
    assert cells(drawn(Image.new("L", (1, 4000), 9))).shape == (10, 1, 2, 3)


def test_transparency_is_shown_over_a_checkerboard(monkeypatch):
    on_screen(monkeypatch)
    image = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    image.paste((1, 2, 3, 255), (0, 0, 4, 4))
    found = cells(drawn(image))
    assert found[0, 0].tolist() == [[1, 2, 3]] * 2
    grays = {tuple(color) for color in found.reshape(-1, 3).tolist()}
    assert grays == {(1, 2, 3), (0x99,) * 3, (0xCC,) * 3}


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
    assert cells("\n".join(lines)).shape == (8, 8, 2, 3)
