"""``kqf view``."""

from pathlib import Path

import numpy as np
import pytest
from command import draw, few, run
from PIL import ImageShow

import kqf


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_view(monkeypatch):
    opened = []

    class Viewer(ImageShow.Viewer):
        def show_image(self, image, **options):
            opened.append((np.asarray(image.convert("RGB")), options))
            return True

    pixels = draw("a.png", few())
    Path("b.kqf").write_bytes(kqf.encode(pixels))
    monkeypatch.setattr(ImageShow, "_viewers", [Viewer()])
    result = run("view", "a.png", "none.png", "b.kqf", code=1)
    assert result.stderr == "kqf: none.png: No such file or directory\n"
    assert len(opened) == 2
    assert all((image == pixels).all() for image, _ in opened)
    monkeypatch.setattr(ImageShow, "_viewers", [])
    assert "finds no program" in run("view", "a.png", code=1).stderr
