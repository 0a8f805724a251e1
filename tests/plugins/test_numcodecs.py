"""The codec of numcodecs."""

import struct
import time
import zlib

import numpy as np
import pytest

import kqf
from kqf.format.signature import SIGNATURE

numcodecs = pytest.importorskip("numcodecs", reason="codecs of chunks need numcodecs")
zarr = pytest.importorskip("zarr", reason="arrays in chunks need zarr")

from kqf.plugins.numcodecs import Kqf  # noqa: E402


@pytest.fixture(autouse=True)
def _registered():
    # As the entry point does in an installation.
    numcodecs.register_codec(Kqf)


def labels_of(*shape):
    """Return labels with gaps between their values, 255 among them."""
    return np.random.default_rng(0).choice(np.array([0, 7, 200, 255], np.uint8), shape)


@pytest.mark.parametrize("shape", [(40, 30), (1, 40, 30), (3, 2, 9, 5), (1, 1)])
def test_labels_come_back(shape):
    labels = labels_of(*shape)
    codec = numcodecs.get_codec({"id": "kqf", "effort": 1})
    data = codec.encode(labels)
    assert np.array_equal(codec.decode(data).reshape(shape), labels)
    out = np.empty_like(labels)
    assert codec.decode(data, out=out) is out
    assert np.array_equal(out, labels)


def test_all_values_come_back():
    labels = np.arange(256, dtype=np.uint8)[::-1].reshape(4, 64)
    assert np.array_equal(Kqf().decode(Kqf().encode(labels)), labels.ravel())


def test_chunks_stored_as_whole_files_are_read():
    labels = labels_of(40, 30)
    codebook = np.arange(256, dtype=np.uint8)[:, np.newaxis]
    file = kqf.encode_indexed(labels, codebook)
    assert np.array_equal(Kqf().decode(file), labels.ravel())
    # Of several tiles, what is stored is still a file.
    large = np.tile(labels, (50, 40))
    assert np.array_equal(kqf.decode(Kqf(1).encode(large)), large)


@pytest.mark.parametrize("colors", [1, 2, 32, 33, 200])
@pytest.mark.parametrize("effort", [1, 5, 6])
def test_a_small_chunk_has_no_frames(colors, effort):
    values = np.sort(np.random.default_rng(1).permutation(256)[:colors]).astype(np.uint8)
    labels = np.resize(values, (16, 25))
    data = Kqf(effort).encode(labels)
    assert np.array_equal(Kqf(effort).decode(data), labels.ravel())
    if data.startswith(SIGNATURE):
        # With a table of ranks.
        assert effort != 5
        return
    # docs/masks.md lists these fields.
    crc, width, height, _, _, last = struct.unpack_from(">3I3B", data, 1)
    assert (data[0], crc, width, height) == (1, zlib.crc32(b"\x01" + data[5:]), 25, 16)
    assert last == colors - 1
    if colors <= 32:
        assert data[16:].startswith(bytes(values))
    else:
        places = range(256)
        assert [value for value in places if data[16 + value // 8] >> value % 8 & 1] == [*values]


def test_small_chunks_take_little_time_by_default():
    rows, columns = np.mgrid[:64, :64]
    classes = (np.hypot(rows - 20, columns - 30) // 9 + np.hypot(rows - 70, columns) // 8) % 20
    noise = np.random.default_rng(0).integers(0, 200, (64, 64))
    chunks = [each.astype(np.uint8) for each in (classes, classes % 2, rows + columns, noise)]
    sizes, seconds = [], []
    for codec in (Kqf(), Kqf(6)):
        start = time.process_time()
        data = [codec.encode(chunk) for chunk in chunks]
        seconds.append(time.process_time() - start)
        sizes.append(np.array([len(each) for each in data]))
    assert (sizes[0] <= 1.06 * sizes[1]).all()
    assert seconds[0] < seconds[1] / 3


def test_the_configuration_says_all():
    assert Kqf(effort=np.int64(3)).get_config() == {"id": "kqf", "effort": 3}
    assert numcodecs.get_codec(Kqf(3).get_config()) == Kqf(3)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.uint8, np.bool_])
def test_arrays_of_zarr_format_2(order, dtype):
    labels = labels_of(2, 50, 50).astype(dtype)
    array = zarr.create_array(
        zarr.storage.MemoryStore(),
        shape=labels.shape,
        chunks=(2, 32, 32),
        dtype=dtype,
        order=order,
        compressors=Kqf(1),
        zarr_format=2,
    )
    array[:] = labels
    assert np.array_equal(array[:], labels)
    assert np.array_equal(array[1, 7:9, 20:], labels[1, 7:9, 20:])


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (np.zeros((4, 4), np.uint16), TypeError, "uint8 or bool, not uint16"),
        (np.zeros(4, np.uint8), ValueError, r"\(..., H, W\), not of shape \(4,\)"),
        (np.zeros((0, 4), np.uint8), ValueError, "at least one label"),
    ],
)
def test_other_arrays_are_refused(labels, error, message):
    with pytest.raises(error, match=message):
        Kqf().encode(labels)


def test_effort_is_checked():
    with pytest.raises(ValueError, match="effort must be 1 to 9"):
        Kqf(10)


def test_damaged_chunks_and_others_are_refused():
    data = Kqf().encode(labels_of(40, 30))
    with pytest.raises(kqf.FormatError, match=r"expected 1201 labels, found .*\(40, 30\)"):
        Kqf().decode(data, out=np.empty(1201, np.uint8))
    with pytest.raises(kqf.FormatError, match=r"expected labels, found .*\(4, 4, 3\)"):
        Kqf().decode(kqf.encode(np.zeros((4, 4, 3), np.uint8)))
    for length in range(len(data)):
        with pytest.raises(kqf.FormatError):
            Kqf().decode(data[:length])
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 4
        with pytest.raises(kqf.FormatError):
            Kqf().decode(bytes(damaged))


def test_a_form_that_no_encoder_makes_is_refused():
    # Codebooks with other bits than labels, of a right CRC.
    head = struct.pack(">2I3B", 4, 4, 1, 0, 39)
    rest = head + bytes(32) + zlib.compress(bytes(16))
    data = b"\x01" + zlib.crc32(b"\x01" + rest).to_bytes(4) + rest
    with pytest.raises(kqf.FormatError, match="expected 40, found 0"):
        Kqf().decode(data)
