"""Overviews that the encoder makes, and what is read from them."""

import io

import numpy as np
import pytest
from conftest import put_together, smooth_image, take_apart

import kqf
from kqf.encoding import overviews
from kqf.format.overviews import level_size

dask_array = pytest.importorskip("dask.array")

CODEBOOK = np.random.default_rng(5).integers(0, 256, (50, 3), np.uint8)


def blocky(width, height):
    """Return labels with flat squares and noise."""
    y, x = np.indices((height, width))
    noise = np.random.default_rng(0).integers(0, 2, (height, width))
    return ((x // 40 * 7 + y // 33 * 5 + noise) % 50).astype(np.uint8)


LABELS = blocky(2100, 1300)


@pytest.fixture(scope="module")
def plain():
    return kqf.encode_indexed(LABELS, CODEBOOK, effort=1)


@pytest.fixture(scope="module")
def file():
    return kqf.encode_indexed(LABELS, CODEBOOK, effort=1, overviews=True)


def test_all_else_of_the_file_stays_as_it_is(plain, file):
    parts = take_apart(file)
    kinds = [kind for kind, _ in parts]
    first = kinds.index(b"oidx")
    assert kinds[first : first + 3] == [b"oidx", b"over", b"LABL"]
    assert [part for part in parts if part[0] not in (b"oidx", b"over")] == take_apart(plain)
    kqf.check(file)
    assert kqf.info(file).scales == (4, 8)
    assert kqf.info(plain).scales == ()
    assert np.array_equal(kqf.read_indexed(file).labels, LABELS)


def test_an_index_that_leads_to_a_later_tile_hides_no_chunk():
    options = {"effort": 1, "tile": 700, "predictor": "left", "overviews": True}
    all_parts = take_apart(kqf.encode_indexed(LABELS, CODEBOOK, **options))
    parts, tiles = dict(all_parts), [part for part in all_parts if part[0] == b"LABL"]
    index = parts[b"oidx"]
    # From the end of the overviews to the second tile.
    skipped = len(put_together([(b"RANK", parts[b"RANK"]), tiles[0]])) - len(put_together([]))
    count = (len(index) - 2) // 8
    lengths = np.frombuffer(index, ">u4", count, 2).copy()
    lengths[-1] += skipped
    parts[b"oidx"] = index[:2] + lengths.tobytes() + index[2 + 4 * count :]
    kinds = (b"HEAD", b"CODE", b"oidx", b"over", b"RANK")
    wrong = put_together([*((kind, parts[kind]) for kind in kinds), *tiles, (b"DONE", b"")])
    assert np.array_equal(kqf.read_indexed(wrong).labels, LABELS)
    with pytest.raises(kqf.FormatError, match="over"):
        kqf.check(wrong)


@pytest.mark.parametrize("scale", [2, 4, 8, 16, 2048])
def test_scaled_pixels_show_the_image(plain, file, scale):
    height, width = -(-1300 // scale), -(-2100 // scale)
    rows, columns = 1300 // scale, 2100 // scale
    whole = CODEBOOK[LABELS[: rows * scale, : columns * scale]]
    means = whole.reshape(rows, scale, columns, scale, 3).sum(axis=(1, 3)) / scale**2
    with kqf.open(file) as with_levels, kqf.open(plain) as without:
        exact, found = without.read(scale=scale), with_levels.read(scale=scale)
        labels = without.read_indexed(scale=scale)
        assert exact.shape == found.shape == labels.pixels.shape == (height, width, 3)
        if scale <= 16:
            assert np.abs(exact[:rows, :columns] - means).max() <= 0.5
            # The nearest of 50 colours, chosen at random, is within so much of the mean.
            assert np.abs(found[:rows, :columns] - means).mean() < 25
            if scale in (4, 8):
                assert np.array_equal(found, labels.pixels)
        box = 333, 101, 1999, 1300
        part = slice(101 // scale, None), slice(333 // scale, -(-1999 // scale))
        assert np.array_equal(with_levels.read(box, scale=scale), found[part])
        assert np.array_equal(without.read(box, scale=scale), exact[part])


@pytest.mark.parametrize("level", [1, 2, 4])
def test_dask_array_of_a_level(plain, file, level):
    for data in (plain, file):
        with kqf.open(data) as opened:
            found = opened.to_dask(level=level)
            assert np.array_equal(found.compute(), opened.read(scale=1 << level))
            labels = opened.to_dask(level=level, indexed=True)
            assert np.array_equal(labels.compute(), opened.read_indexed(scale=1 << level).labels)


@pytest.mark.parametrize("tile", [None, (101, 77), (16, 8), (700, 700)])
def test_blocks_have_the_same_overviews(file, tile):
    target = io.BytesIO()
    array = dask_array.from_array(LABELS, chunks=(400, 555))
    kqf.write_indexed_dask(target, array, CODEBOOK, tile=tile, effort=1, overviews=True)
    kqf.check(target.getvalue())
    chosen = (b"oidx", b"over")
    assert [part for part in take_apart(target.getvalue()) if part[0] in chosen] == [
        part for part in take_apart(file) if part[0] in chosen
    ]


def test_few_bytes_show_a_first_picture(file):
    class Counting(io.BytesIO):
        count = 0

        def read(self, size=-1):
            data = super().read(size)
            self.count += len(data)
            return data

    source = Counting(file)
    with kqf.open(source) as opened:
        opened.read(scale=8)
    sizes = {kind: len(payload) for kind, payload in take_apart(file)}
    assert source.count < 2000 + sizes[b"over"] / 3


def test_which_images_have_overviews_by_default(monkeypatch):
    assert overviews.LEAST_PIXELS == 2**24
    assert not overviews.wants_overviews(None, 4096, 4095)
    assert overviews.wants_overviews(None, 4096, 4096)
    assert not overviews.wants_overviews(False, 4096, 4096)
    assert overviews.wants_overviews(True, 513, 1)
    assert not overviews.wants_overviews(True, 512, 512)
    monkeypatch.setattr(overviews, "LEAST_PIXELS", 600 * 4)
    pixels = smooth_image(4, 600, 4, 9)
    assert kqf.info(kqf.encode(pixels, effort=1)).scales == (4,)
    assert kqf.info(kqf.encode(pixels, effort=1, overviews=False)).scales == ()
    assert kqf.info(kqf.encode(pixels, effort=1, max_bytes=10**6)).scales == ()
    target = io.BytesIO()
    kqf.write_dask(target, dask_array.from_array(pixels), effort=1)
    assert kqf.info(target.getvalue()).scales == (4,)


def test_largest_levels_are_left_out_where_they_do_not_fit(monkeypatch):
    monkeypatch.setattr(overviews, "MAX_METADATA", 20_000)
    data = kqf.encode_indexed(LABELS, CODEBOOK, effort=1, overviews=True)
    assert kqf.info(data).scales == (8,)
    kqf.check(data)
    monkeypatch.setattr(overviews, "MAX_METADATA", 500)
    data = kqf.encode_indexed(LABELS, CODEBOOK, effort=1, overviews=True)
    assert kqf.info(data).scales == ()


def test_wrong_options_are_refused(file):
    with pytest.raises(TypeError, match="overviews must be True, False or None, not int"):
        kqf.encode_indexed(LABELS, CODEBOOK, overviews=1)
    with pytest.raises(ValueError, match="max_bytes= is for files without overviews"):
        kqf.encode(CODEBOOK[LABELS], overviews=True, max_bytes=9)
    with kqf.open(file) as opened:
        for scale in (0, 3, -2, 2**32):
            with pytest.raises(ValueError, match=f"another power of 2, not {scale}"):
                opened.read(scale=scale)
        with pytest.raises(kqf.LimitError, match="max_pixels"):
            opened.read(scale=4, max_pixels=1000)
        with pytest.raises(kqf.LimitError, match="max_pixels"):
            opened.read(scale=2, max_pixels=LABELS.size - 1)


def test_sizes_of_levels_are_rounded_up():
    assert level_size(9, 1, 2) == (3, 1)
    assert level_size(2**31 - 1, 5, 31) == (1, 1)
