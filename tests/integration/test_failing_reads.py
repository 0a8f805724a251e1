"""Files that fail, shrink or vanish while they are read or written."""

import errno
import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from command import names, run
from PIL import Image
from readers_and_writers import (
    DATA,
    PIXELS,
    READERS,
    SHOWN,
    dask_array,
    linux,
    load,
    readers,
    writers,
)

import kqf
from kqf.io import large_image
from kqf.io import large_tiff as large_files

pytestmark = pytest.mark.usefixtures("folder")


class Failing(io.BytesIO):
    """Fails at a read, or at a write."""

    def __init__(self, data=b"", *, at):
        super().__init__(data)
        self.calls, self.at = 0, at

    def _count(self):
        if self.calls == self.at:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self.calls += 1

    def read(self, size=-1):
        self._count()
        return super().read(size)

    def write(self, data):
        self._count()
        return super().write(data)


@readers
def test_an_error_of_the_disk_at_any_read_reaches_the_caller(read):
    whole = Failing(DATA, at=-1)
    read(whole)
    assert whole.calls > 10
    for at in range(whole.calls):
        with pytest.raises(OSError, match="Input/output error") as caught:
            read(Failing(DATA, at=at))
        assert caught.value.errno == errno.EIO


@writers
def test_an_error_of_a_file_at_any_write_reaches_the_caller(write):
    whole = Failing(at=-1)
    write(whole)
    assert whole.calls
    for at in range(whole.calls):
        with pytest.raises(OSError, match="Input/output error"):
            write(Failing(at=at))


@linux
@pytest.mark.parametrize(
    "arguments", [["convert", "FILE", "-o", "a.kqf"], ["palette", "FILE", "-o", "a.gpl"]]
)
def test_an_error_of_the_disk_is_told_of_the_input(arguments):
    # What no process has at address 0 can't be read.
    arguments = ["/proc/self/mem" if each == "FILE" else each for each in arguments]
    assert run(*arguments, code=1).stderr == "kqf: /proc/self/mem: Input/output error\n"
    assert names() == []


def test_an_error_in_the_middle_of_an_array_leaves_the_old_file():
    def block(block_info=None):
        if block_info[None]["chunk-location"][0] == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return np.zeros((20, 80), np.uint8)

    array = dask_array.map_blocks(
        block, chunks=((20, 20, 20), (80,)), dtype=np.uint8, meta=np.empty((0, 0), np.uint8)
    )
    Path("old.kqf").write_bytes(b"old")
    with pytest.raises(OSError, match="Input/output error"):
        kqf.write_indexed_dask("old.kqf", array, np.zeros((1, 3), np.uint8), tile=20)
    assert names() == ["old.kqf"]
    assert Path("old.kqf").read_bytes() == b"old"


class Cut(io.FileIO):
    """A file that another process cuts while it is read."""

    # Within the second tile.
    at = DATA.index(b"LABL", DATA.index(b"LABL") + 1)

    def read(self, size=-1):
        data = super().read(size)
        if self.tell() > self.at:
            os.truncate(self.name, self.tell())
        return data


@readers
def test_a_file_that_shrinks_while_it_is_read_is_truncated(read):
    Path("a.kqf").write_bytes(DATA)
    kind, match = kqf.TruncatedError, r"LABL: .*: expected \d+ bytes, found \d"
    if read is load:
        kind = OSError
    elif read is READERS["salvage"]:
        kind, match = kqf.DamageWarning, "tiles are lost"
    with Cut("a.kqf") as file, pytest.raises(kind, match=match):
        read(file)
    assert Path("a.kqf").stat().st_size < len(DATA)


def test_a_truncated_error_says_what_there_was():
    Path("a.kqf").write_bytes(DATA)
    with kqf.open("a.kqf") as file:
        os.truncate("a.kqf", len(DATA) - 200)
        with pytest.raises(kqf.TruncatedError) as caught:
            file.read()
    assert caught.value.found < int(caught.value.expected.split()[0])


@linux
def test_a_file_that_vanishes_is_read_as_long_as_it_is_open():
    Path("a.kqf").write_bytes(DATA)
    with kqf.open("a.kqf") as file, Image.open("a.kqf") as image:
        Path("a.kqf").unlink()
        assert np.array_equal(file.read(), SHOWN)
        assert np.array_equal(np.asarray(image.convert("RGB")), SHOWN)
        with pytest.raises(FileNotFoundError):
            pickle.loads(pickle.dumps(file))


@pytest.mark.parametrize(
    "options",
    [{}, {"compression": "zlib", "rowsperstrip": 16}, {"compression": "zlib", "tile": (64, 64)}],
    ids=["raw", "strips", "tiles"],
)
def test_a_large_tiff_that_shrinks_is_told_and_not_made_up(options, monkeypatch):
    tifffile = pytest.importorskip("tifffile", reason="TIFF files in blocks need tifffile")
    pytest.importorskip("zarr", reason="TIFF files in blocks need zarr")
    tifffile.imwrite("a.tif", np.tile(PIXELS, (20, 2, 1)), photometric="rgb", **options)
    opened = large_files.open_tiff

    def cut(name):
        found = opened(name)
        os.truncate(name, Path(name).stat().st_size // 2)
        return found

    monkeypatch.setattr(large_image, "MOST_PIXELS", 0)
    monkeypatch.setattr(large_files, "open_tiff", cut)
    result = run("convert", "a.tif", "--effort", 1, code=1)
    assert result.stderr.startswith("kqf: a.tif: cannot be read: ")
    assert names() == ["a.tif"]
