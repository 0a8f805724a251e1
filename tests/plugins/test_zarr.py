"""The codec of zarr format 3."""

import tomllib
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import kqf

zarr = pytest.importorskip("zarr", reason="arrays in chunks need zarr")

from zarr.registry import register_codec  # noqa: E402

from kqf.plugins.zarr import KqfCodec  # noqa: E402


@pytest.fixture(autouse=True)
def _registered():
    # As the entry point does in an installation.
    register_codec("kqf", KqfCodec)


def array_of(labels, store=None, effort=1, **options):
    array = zarr.create_array(
        zarr.storage.MemoryStore() if store is None else store,
        shape=labels.shape,
        dtype=labels.dtype,
        serializer=KqfCodec(effort),
        compressors=None,
        **options,
    )
    array[:] = labels
    return array


@pytest.mark.parametrize("dtype", [np.uint8, np.bool_])
@pytest.mark.parametrize("chunks", [(1, 32, 32), (3, 20, 50)])
def test_labels_come_back(tmp_path, dtype, chunks):
    labels = np.random.default_rng(0).choice(np.array([0, 1, 255], np.uint8), (3, 50, 50))
    labels = labels.astype(dtype)
    array_of(labels, tmp_path / "a.zarr", chunks=chunks)
    array = zarr.open_array(tmp_path / "a.zarr", mode="r")
    assert array.metadata.codecs == (KqfCodec(1),)
    assert np.array_equal(array[:], labels)
    assert np.array_equal(array[2, 30:33, ::7], labels[2, 30:33, ::7])


def test_shards_hold_chunks(tmp_path):
    labels = np.random.default_rng(0).integers(0, 5, (64, 64), dtype=np.uint8)
    array = array_of(labels, chunks=(16, 16), shards=(64, 64))
    assert np.array_equal(array[:], labels)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (np.zeros((4, 4), np.float32), TypeError, "uint8 or bool, not float32"),
        (np.zeros(4, np.uint8), ValueError, r"\(..., H, W\), not of shape \(4,\)"),
    ],
)
def test_other_arrays_are_refused_when_they_are_created(labels, error, message):
    with pytest.raises(error, match=message):
        array_of(labels)


def test_a_chunk_of_another_size_is_refused(tmp_path):
    array = array_of(np.ones((8, 8), np.uint8), tmp_path / "a.zarr", chunks=(8, 8))
    (tmp_path / "a.zarr/c/0/0").write_bytes(kqf.encode(np.ones((9, 8), np.uint8)))
    with pytest.raises(kqf.FormatError, match="expected 64 labels"):
        array[:]


@pytest.mark.parametrize("configuration", [{"effort": 0}, {"effort": 5, "colour": 1}])
def test_configurations_are_checked(configuration):
    with pytest.raises((TypeError, ValueError), match=r"effort|colour"):
        KqfCodec.from_dict({"name": "kqf", "configuration": configuration})


def test_entry_points_name_the_codecs():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    for group, kind in (("numcodecs.codecs", "Kqf"), ("zarr.codecs", "KqfCodec")):
        module, _, name = project["project"]["entry-points"][group]["kqf"].partition(":")
        assert getattr(import_module(module), name).__name__ == kind
