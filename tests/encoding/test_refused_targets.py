"""Targets of KQF files."""

import io
from pathlib import Path

import numpy as np
import pytest

import kqf

PIXELS = np.zeros((20, 20), np.uint8)


@pytest.mark.parametrize("name", ["z.png", "z.PNG", "z.jpeg", "z.tif", "a.kqf.webp", "z.heic"])
@pytest.mark.parametrize("kind", [str, Path])
def test_names_of_other_formats_are_refused_before_the_work(name, kind, tmp_path, monkeypatch):
    monkeypatch.setattr("kqf.encoding.api.encode", lambda *_, **__: pytest.fail("in vain"))
    monkeypatch.setattr("kqf.encoding.api.encode_indexed", lambda *_, **__: pytest.fail("in vain"))
    target = kind(tmp_path / name)
    with pytest.raises(ValueError, match=r"not a \.\w+ file: name it \*\.kqf, or save .*\.save\("):
        kqf.write(target, PIXELS)
    with pytest.raises(ValueError, match="name it"):
        kqf.write_indexed(target, PIXELS, np.zeros((1, 1), np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_write_dask_refuses_them_too(tmp_path):
    array = pytest.importorskip("dask.array").from_array(PIXELS)
    with pytest.raises(ValueError, match=r"not a \.png file"):
        kqf.write_dask(tmp_path / "z.png", array)
    with pytest.raises(ValueError, match=r"not a \.png file"):
        kqf.write_indexed_dask(tmp_path / "z.png", array, np.zeros((1, 1), np.uint8))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["z.kqf", "z", "z.tmp", ".png", "png.kqf"])
def test_other_names_are_taken(name, tmp_path):
    kqf.write(tmp_path / name, PIXELS)
    assert kqf.read(tmp_path / name).shape == (20, 20)


def test_files_are_taken_whatever_their_name(tmp_path):
    with (tmp_path / "z.png").open("wb") as file:
        kqf.write(file, PIXELS)
    assert kqf.read(tmp_path / "z.png").shape == (20, 20)
    kqf.write(io.BytesIO(), PIXELS)
