"""Pictures as coloured half blocks."""

import re
import sys

import numpy as np
from command import Terminal
from PIL import Image

from kqf.cli.terminal import drawn


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
