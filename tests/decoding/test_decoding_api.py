"""Reading from every kind of source, with limits, and checking."""

import io
import mmap
import pickle

import numpy as np
import pytest
from conftest import smooth_image
from small_files import SMALL, first_tile_at

import kqf
import kqf.decoding.api
import kqf.format.streams


def test_all_kinds_of_source_give_the_same(tmp_path):
    data = SMALL[1]
    (tmp_path / "image.kqf").write_bytes(data)
    offset = io.BytesIO(b"before" + data)
    offset.seek(6)

    class Forward(io.BytesIO):
        def seekable(self):
            return False

        def seek(self, *args):
            raise io.UnsupportedOperation

        tell = seek

    sources = [
        data,
        bytearray(data),
        memoryview(data),
        str(tmp_path / "image.kqf"),
        tmp_path / "image.kqf",
        io.BytesIO(data),
        Forward(data),
        offset,
    ]
    expected = kqf.decode(data)
    for source in sources:
        assert np.array_equal(kqf.read(source), expected)
    for source in sources[:5]:
        assert kqf.info(source).file_bytes == len(data)


@pytest.mark.parametrize("data", ["path.kqf", None, io.BytesIO(SMALL[0])])
def test_decode_takes_bytes_alone(data):
    with pytest.raises(TypeError, match=f"expected bytes, not {type(data).__name__}"):
        kqf.decode(data)


@pytest.mark.parametrize("source", [None, 3, io.StringIO("\x89KQF")])
def test_a_source_of_another_type_is_a_type_error(source):
    with pytest.raises(TypeError):
        kqf.read(source)


@pytest.mark.parametrize("function", [kqf.read, kqf.read_indexed, kqf.info, kqf.check])
def test_a_missing_file_is_an_os_error(tmp_path, function):
    with pytest.raises(FileNotFoundError):
        function(tmp_path / "none.kqf")


def test_decoded_pixels_are_the_callers_to_change():
    data = SMALL[0]
    pixels = kqf.decode(data)
    pixels[:] = 0
    assert kqf.decode(data).any()


def test_as_many_pixels_as_allowed_are_read_and_no_more():
    data = SMALL[0]
    assert kqf.decode(data, max_pixels=11 * 13).shape == (11, 13, 3)
    with pytest.raises(kqf.LimitError, match="max_pixels=142, found 143"):
        kqf.decode(data, max_pixels=142)
    with pytest.raises(kqf.LimitError):
        kqf.check(data, max_pixels=142)
    kqf.check(data, max_pixels=143)


@pytest.mark.parametrize("function", [kqf.decode, kqf.read, kqf.read_indexed, kqf.info])
def test_as_much_metadata_as_allowed_is_read_and_no_more(function):
    data = kqf.encode(smooth_image(2, 2, 3), metadata={"exif": bytes(10), "comment": "12345"})
    function(data, max_metadata=15)
    with pytest.raises(kqf.LimitError, match="max_metadata=14, found 15"):
        function(data, max_metadata=14)


@pytest.mark.parametrize(("threads", "kind"), [(0, ValueError), (1.5, TypeError)])
def test_wrong_threads_are_a_caller_error(threads, kind):
    for function in (kqf.decode, kqf.read_indexed, kqf.check):
        with pytest.raises(kind, match="threads must be") as caught:
            function(SMALL[0], threads=threads)
        assert not isinstance(caught.value, kqf.KqfError)


def test_check_takes_whole_files_and_gives_nothing():
    for data in SMALL:
        assert kqf.check(data) is None
        assert kqf.check(io.BytesIO(data), threads=2) is None


def test_check_finds_damage_in_the_last_tile():
    data = bytearray(SMALL[1])
    data[-13] ^= 1
    with pytest.raises(kqf.FormatError, match="LABL: crc"):
        kqf.check(bytes(data), threads=2)


def test_labels_before_damage_are_kept_where_that_is_asked_for():
    rng = np.random.default_rng(0)
    labels = rng.integers(1, 4, (30, 20), dtype=np.uint8)
    data = kqf.encode_indexed(labels, np.zeros((4, 1), np.uint8), tile=(20, 10), effort=1)
    second = first_tile_at(data)
    second += 12 + int.from_bytes(data[second : second + 4], "big")
    for cut in (second, second + 20):
        with pytest.warns(kqf.DamageWarning, match="2 of 3 tiles"):
            found = kqf.read_indexed(data[:cut], errors="salvage").labels
        assert np.array_equal(found[:10], labels[:10])
        assert not found[10:].any()
        with pytest.raises(kqf.TruncatedError):
            kqf.decode(data[:cut])


@pytest.mark.parametrize("look", [kqf.info, kqf.check, kqf.read, kqf.read_indexed, kqf.decode])
def test_chunks_before_the_tiles_are_limited_by_the_caller(look):
    metadata = {"exif": b"1", "xmp": b"2", "comment": "3"}
    data = kqf.encode(np.zeros((3, 4), np.uint8), predictor="none", metadata=metadata)
    look(data, max_chunks=3)
    with pytest.raises(kqf.LimitError, match="chunks before LABL: expected at most max_chunks=2"):
        look(data, max_chunks=2)


class Unsure(io.BytesIO):
    """A file that fails to say whether it can seek, as a member of a streamed archive does."""

    def seekable(self):
        raise AttributeError

    tell = seek = seekable


def sources_of(data, tmp_path, memory):
    """Yield every kind of source."""
    path = tmp_path / "image.kqf"
    path.write_bytes(data)
    memory.pipe("/image.kqf", data)
    yield from (path, str(path), "memory://image.kqf", data, bytearray(data), memoryview(data))
    yield memoryview(bytes(byte for pair in zip(data, data, strict=True) for byte in pair))[::2]
    yield io.BytesIO(data)
    yield Unsure(data)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        yield mapped


def test_every_function_takes_every_kind_of_source(tmp_path, memory):
    data = SMALL[1]
    expected = kqf.decode(data)
    for read in (kqf.read, lambda source: kqf.read_indexed(source).pixels):
        for source in sources_of(data, tmp_path, memory):
            assert np.array_equal(read(source), expected)
    for source in sources_of(data, tmp_path, memory):
        with kqf.open(source) as file:
            assert np.array_equal(file.read(), expected)
    for look in (kqf.check, kqf.info, kqf.IndexedImage.open):
        for source in sources_of(data, tmp_path, memory):
            look(source)
    assert np.array_equal(kqf.decode(memoryview(data)), expected)


@pytest.mark.parametrize(
    "read", [kqf.read, kqf.read_indexed, kqf.info, kqf.check, kqf.open, kqf.IndexedImage.open]
)
def test_an_empty_path_is_no_folder(read):
    with pytest.raises(FileNotFoundError, match="the path is empty"):
        read("")


def test_an_open_file_is_no_source_of_other_functions():
    with kqf.open(SMALL[0]) as file:
        for read in (kqf.read, kqf.read_indexed, kqf.check, kqf.open):
            with pytest.raises(TypeError, match="not KqfFile"):
                read(file)


@pytest.mark.parametrize("data", SMALL[:4])
def test_bytes_after_the_end_can_be_ignored(data):
    more = data + b"more"
    expected = kqf.decode(data)
    assert np.array_equal(kqf.decode(more, trailing="ignore"), expected)
    assert np.array_equal(kqf.read_indexed(more, trailing="ignore").pixels, expected)
    kqf.check(more, trailing="ignore")
    with kqf.open(more, trailing="ignore") as file:
        assert np.array_equal(file.read(), expected)
        assert np.array_equal(pickle.loads(pickle.dumps(file)).read(), expected)
    with pytest.raises(kqf.FormatError, match="nothing after DONE"):
        kqf.open(more).read()


@pytest.mark.parametrize("read", [kqf.read, kqf.read_indexed, kqf.decode, kqf.check, kqf.open])
def test_another_value_of_trailing_is_refused(read):
    with pytest.raises(ValueError, match="'error' or 'ignore', not 'salvage'"):
        read(SMALL[0], trailing="salvage")


def test_metadata_is_never_shared():
    data = SMALL[0]
    with kqf.open(data) as file:
        given = [kqf.info(data), file.info, file, file.read_indexed(), file.read_indexed()]
        dicts = [each.metadata for each in given]
        expected = dict(dicts[0])
        for one in dicts:
            one["comment"] = "changed"
        assert file.metadata == kqf.read_indexed(data).metadata == expected
