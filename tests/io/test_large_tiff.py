"""TIFF files as dask arrays."""

import numpy as np
import pytest

from kqf.io import large_image
from kqf.io import large_tiff as large_files
from kqf.io.large_tiff import is_large, open_tiff

tifffile = pytest.importorskip("tifffile", reason="TIFF files in blocks need tifffile")
pytest.importorskip("zarr", reason="TIFF files in blocks need zarr")


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "large.tif")


def pixels_of(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((300, 200), {}),
        ((300, 200), {"compression": "zlib", "rowsperstrip": 16}),
        ((300, 200, 3), {"photometric": "rgb"}),
        ((300, 200, 3), {"photometric": "rgb", "tile": (64, 64), "compression": "zlib"}),
        ((300, 200, 4), {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
    ],
)
def test_pixels_are_those_of_the_file(path, monkeypatch, shape, options):
    monkeypatch.setattr(large_files, "_ROWS", 100)
    pixels = pixels_of(*shape)
    tifffile.imwrite(path, pixels, metadata=None, software=False, **options)
    image = open_tiff(path)
    array = image.array
    assert np.array_equal(array.compute(), pixels)
    assert array.npartitions > 1
    assert (image.codebook, image.metadata) == (None, {})


def test_the_profile_is_kept(path):
    tifffile.imwrite(path, pixels_of(9, 9), iccprofile=b"profile", metadata=None, software=False)
    assert open_tiff(path).metadata == {"icc_profile": b"profile"}


def test_a_file_is_large_by_its_pixels_alone(path, monkeypatch):
    tifffile.imwrite(path, pixels_of(30, 20))
    assert not is_large(path)
    monkeypatch.setattr(large_image, "MOST_PIXELS", 599)
    assert is_large(path)
    monkeypatch.setattr(large_image, "MOST_PIXELS", 600)
    assert not is_large(path)


def test_other_files_are_not_large(tmp_path, monkeypatch):
    monkeypatch.setattr(large_image, "MOST_PIXELS", 0)
    for name, data in {"a.png": b"II*\0", "a.tif": b"II*\0 no TIFF", "b.tif": b""}.items():
        (tmp_path / name).write_bytes(data)
        assert not is_large(str(tmp_path / name))
    assert not is_large(str(tmp_path / "missing.tif"))


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((3, 40, 30), {"photometric": "minisblack"}, "several images"),
        ((3, 40, 30), {"photometric": "rgb", "planarconfig": "separate"}, "gray, RGB or a palette"),
        ((40, 30), {"photometric": "miniswhite"}, "MINISWHITE"),
    ],
)
def test_other_kinds_are_refused(path, shape, options, message):
    tifffile.imwrite(path, pixels_of(*shape), **options)
    with pytest.raises(ValueError, match=message):
        open_tiff(path)


def test_sixteen_bits_are_refused(path):
    tifffile.imwrite(path, pixels_of(40, 30).astype(np.uint16))
    with pytest.raises(ValueError, match="samples of uint16"):
        open_tiff(path)
