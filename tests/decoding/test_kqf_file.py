"""Files read region by region."""

import io
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import kqf


@pytest.fixture(scope="module")
def pixels():
    random = np.random.default_rng(0)
    return random.integers(0, 40, (300, 500, 3), dtype=np.uint8) * np.uint8(6)


@pytest.fixture(scope="module")
def data(pixels):
    return kqf.encode(pixels, effort=1, tile=50, metadata={"comment": "here"})


class Counting(io.BytesIO):
    """A file that counts the bytes taken from it."""

    taken = 0

    def read(self, size=-1):
        piece = super().read(size)
        self.taken += len(piece)
        return piece


BOXES = [(0, 0, 500, 300), (17, 3, 18, 4), (49, 99, 151, 101), (480, 10, 500, 300)]


@pytest.mark.parametrize("kind", ["path", "bytes", "file"])
def test_regions_are_those_of_the_whole(data, kind, tmp_path):
    path = tmp_path / "a.kqf"
    path.write_bytes(data)
    whole = kqf.decode(data)
    source = {"path": path, "bytes": data, "file": io.BytesIO(data)}[kind]
    with kqf.open(source) as file:
        assert file.shape == whole.shape
        assert file.dtype == whole.dtype
        assert file.metadata == {"comment": "here"}
        assert np.array_equal(file.codebook, kqf.read_indexed(data).codebook)
        assert np.array_equal(file.read(), whole)
        for left, upper, right, lower in BOXES:
            found = file.read((left, upper, right, lower))
            assert np.array_equal(found, whole[upper:lower, left:right])


def test_gray_has_two_dimensions():
    gray = np.arange(60, dtype=np.uint8).reshape(6, 10)
    with kqf.open(kqf.encode(gray)) as file:
        assert file.shape == (6, 10)
        assert np.array_equal(file.read(), gray)


def test_a_dask_array_of_gray_has_two_dimensions():
    pytest.importorskip("dask.array", reason="dask arrays need dask")
    gray = np.arange(60, dtype=np.uint8).reshape(6, 10)
    with kqf.open(kqf.encode(gray)) as file:
        assert np.array_equal(file.to_dask().compute(), gray)


def test_only_the_tiles_that_a_region_touches_are_fetched(data):
    source = Counting(data)
    file = kqf.open(source)
    opening = source.taken
    file.read((220, 120, 280, 160))
    # Two by two tiles of 60, with little about them.
    tiles = (source.taken - opening) / (len(data) - opening)
    assert 0.05 < tiles < 0.08
    assert opening < 0.3 * len(data)


def test_threads_may_read_at_once(data):
    whole = kqf.decode(data)
    boxes = [(x, y, x + 90, y + 70) for x in range(0, 400, 23) for y in range(0, 230, 31)]
    with kqf.open(io.BytesIO(data)) as file, ThreadPoolExecutor(8) as pool:
        for (left, upper, right, lower), found in zip(
            boxes, pool.map(file.read, boxes), strict=True
        ):
            assert np.array_equal(found, whole[upper:lower, left:right])


def test_dask_arrays_are_read_in_whole_tiles(data, monkeypatch):
    pytest.importorskip("dask.array", reason="dask arrays need dask")
    from kqf.decoding import file as opened

    monkeypatch.setattr(opened, "_BLOCK", 50 * 50 * 3)
    whole = kqf.read_indexed(data)
    file = kqf.open(data)
    array = file.to_dask()
    assert array.chunks == ((50,) * 6, (150, 150, 150, 50), (3,))
    assert np.array_equal(array.compute(), whole.pixels)
    assert np.array_equal(array[33:99, 140:333, 1].compute(), whole.pixels[33:99, 140:333, 1])
    assert np.array_equal(file.to_dask(indexed=True).compute(), whole.labels)


def test_a_pickled_file_opens_its_source_again(data, tmp_path):
    path = tmp_path / "a.kqf"
    path.write_bytes(data)
    file = kqf.open(path)
    again = pickle.loads(pickle.dumps(file))
    file.close()
    assert np.array_equal(again.read(), kqf.decode(data))
    again.close()
    with pytest.raises(ValueError, match="closed"):
        again.read()


def test_a_file_given_open_stays_open(data):
    source = io.BytesIO(data)
    with kqf.open(source):
        pass
    assert not source.closed


def test_urls_are_read_with_fsspec(data):
    fsspec = pytest.importorskip("fsspec", reason="URLs need fsspec")
    fsspec.filesystem("memory").pipe("/opened.kqf", data)
    with kqf.open("memory://opened.kqf") as file:
        assert np.array_equal(file.read((10, 20, 110, 90)), kqf.decode(data)[20:90, 10:110])
    with pytest.raises(FileNotFoundError):
        kqf.open("memory://missing.kqf")


def test_a_damaged_file_is_refused_and_closed(data, tmp_path):
    path = tmp_path / "a.kqf"
    path.write_bytes(data[:30])
    with pytest.raises(kqf.TruncatedError):
        kqf.open(path)
    bad = bytearray(data)
    bad[-40] ^= 1
    with kqf.open(bytes(bad)) as file:
        assert np.array_equal(file.read((0, 0, 50, 50)), kqf.decode(data)[:50, :50])
        with pytest.raises(kqf.FormatError, match="crc"):
            file.read((450, 250, 500, 300))


@pytest.mark.parametrize("source", [3, None, [1]])
def test_other_sources_are_refused(source):
    with pytest.raises(TypeError, match="expected a path, a URL, bytes or a binary file"):
        kqf.open(source)


class Pipe(io.BytesIO):
    def seekable(self):
        return False

    def seek(self, *args):
        raise io.UnsupportedOperation

    tell = seek


def test_a_stream_that_cannot_seek_is_read_to_its_end(data):
    with kqf.open(Pipe(data)) as file:
        assert np.array_equal(file.read(), kqf.decode(data))
        assert np.array_equal(pickle.loads(pickle.dumps(file)).read(), file.read())


def test_a_pickled_file_over_bytes_io_is_where_it_was(data):
    source = io.BytesIO(b"before" + data)
    source.seek(6)
    with kqf.open(source) as file:
        expected = file.read()
        again = pickle.loads(pickle.dumps(file))
        assert np.array_equal(again.read(), expected)
        assert np.array_equal(pickle.loads(pickle.dumps(again)).read(), expected)


def test_it_is_an_array(data):
    whole = kqf.decode(data)
    with kqf.open(data) as file:
        assert (file.shape, file.ndim, file.size) == (whole.shape, whole.ndim, whole.size)
        assert len(file) == len(whole)
        assert np.asarray(file).dtype == np.uint8
        assert np.array_equal(np.asarray(file), whole)
        assert np.array_equal(np.asarray(file, np.float32), whole.astype(np.float32))
        assert np.array_equal(file[10:200:3, -7:, 1], whole[10:200:3, -7:, 1])
        assert np.array_equal(file[5], whole[5])
        assert np.array_equal(file[..., 0], whole[..., 0])
        assert file[3:3].shape == (0, *whole.shape[1:])
        with pytest.raises(IndexError):
            file[300]
        with pytest.raises(ValueError, match="copy"):
            np.array(file, copy=False)


def test_rows_are_read_a_row_of_tiles_at_a_time(data):
    source = Counting(data)
    with kqf.open(source) as file:
        rows = list(file)
    assert np.array_equal(rows, kqf.decode(data))
    assert source.taken < 1.1 * len(data)


def test_tiles_cover_the_image_once(data):
    whole = np.zeros_like(kqf.decode(data))
    with kqf.open(data) as file:
        boxes = []
        for (left, upper, right, lower), pixels in file.tiles():
            whole[upper:lower, left:right] += pixels
            boxes.append((left, upper))
        assert len(boxes) == file.info.tiles
    assert np.array_equal(whole, kqf.decode(data))
