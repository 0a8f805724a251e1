"""The codec of numcodecs."""

import time

import numpy as np
import pytest

import kqf

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


def test_a_chunk_is_a_gray_file_of_the_labels():
    labels = labels_of(40, 30)
    assert np.array_equal(kqf.decode(Kqf().encode(labels)), labels)


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
    with pytest.raises(kqf.FormatError):
        Kqf().decode(data[:-9])
    with pytest.raises(kqf.FormatError, match=r"expected 1201 labels, found .*\(40, 30\)"):
        Kqf().decode(data, out=np.empty(1201, np.uint8))
    with pytest.raises(kqf.FormatError, match=r"expected labels, found .*\(4, 4, 3\)"):
        Kqf().decode(kqf.encode(np.zeros((4, 4, 3), np.uint8)))
