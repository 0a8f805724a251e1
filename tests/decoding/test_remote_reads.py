"""How many requests it takes to read parts of a remote file."""

import numpy as np
import pytest

import kqf

fsspec = pytest.importorskip("fsspec", reason="URLs need fsspec")
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem  # noqa: E402

CODEBOOK = np.random.default_rng(5).integers(0, 256, (50, 3), np.uint8)
LABELS = np.random.default_rng(0).integers(0, 50, (2500, 3000), np.uint8)
NAME = "image.kqf"


class Counted(AbstractFileSystem):
    """A file system of one file, which counts requests as a server does."""

    protocol = "counted"
    cachable = False
    data = b""
    requests: list[tuple[int, int]] = []  # noqa: RUF012 - of all instances
    fails = False

    def info(self, path, **_):
        return {"name": path, "size": len(self.data), "type": "file"}

    def cat_file(self, path, start=None, end=None, **_):
        if self.fails:
            raise TimeoutError("no answer")
        self.requests.append((start, end))
        return self.data[start:end]

    def _open(self, path, mode="rb", block_size=None, **options):
        return CountedFile(self, path, mode, block_size or 2**16, **options)


class CountedFile(AbstractBufferedFile):
    def _fetch_range(self, start, end):
        return self.fs.cat_file(self.path, start, end)


@pytest.fixture(scope="module", autouse=True)
def served():
    fsspec.register_implementation("counted", Counted)
    Counted.data = kqf.encode_indexed(
        LABELS, CODEBOOK, effort=1, tile=(256, 1024), predictor="left", overviews=True
    )


@pytest.fixture
def requests(monkeypatch):
    monkeypatch.setattr(Counted, "requests", [])
    return Counted.requests


def test_a_region_takes_three_requests_at_the_most():
    with kqf.open(f"counted://{NAME}") as file:
        for left, upper in ((0, 0), (1000, 900), (1976, 1476), (255, 1023)):
            Counted.requests.clear()
            box = left, upper, left + 1024, upper + 1024
            found = file.read_indexed(box)
            assert np.array_equal(found.labels, LABELS[upper : upper + 1024, left : left + 1024])
            assert 1 <= len(Counted.requests) <= 3
        # Tiles at both ends of the row below are next to one another in the file.
        Counted.requests.clear()
        file.read((0, 0, 3000, 1100))
        assert len(Counted.requests) == 1


def test_a_first_picture_takes_three_requests_with_opening(requests):
    with kqf.open(f"counted://{NAME}") as file:
        opening = len(requests)
        assert file.read(scale=8).shape == (313, 375, 3)
    assert opening <= 2
    assert len(requests) <= 3
    taken = sum(end - start for start, end in requests)
    assert taken < 2 * 2**17 + 313 * 375


def test_a_part_of_an_overview_takes_one_request(requests):
    with kqf.open(f"counted://{NAME}") as file:
        requests.clear()
        assert file.read((1000, 1000, 3000, 2500), scale=4).shape == (375, 500, 3)
    assert len(requests) == 1


def test_the_whole_image_is_fetched_some_mebibytes_at_a_time(requests):
    with kqf.open(f"counted://{NAME}") as file:
        assert np.array_equal(file.read(), CODEBOOK[LABELS])
    assert max(end - start for start, end in requests) < 2**24


def test_a_request_that_fails_is_an_error_of_reading(monkeypatch):
    with kqf.open(f"counted://{NAME}") as file:
        monkeypatch.setattr(Counted, "fails", True)
        with pytest.raises(OSError, match="no answer"):
            file.read((0, 0, 2000, 2000))
        monkeypatch.setattr(Counted, "fails", False)
        assert file.read((0, 0, 9, 9)).shape == (9, 9, 3)
