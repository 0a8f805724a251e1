"""What released versions have written is read as it was meant, for ever."""

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_decoder import tiny_decode

import kqf

FOLDERS = sorted((Path(__file__).parent / "fixtures").glob("v*/*"))
FILES = [path for folder in FOLDERS for path in sorted(folder.glob("*.kqf"))]


def name(path):
    return "/".join(path.parts[-3:])


def test_the_released_version_has_its_files():
    assert kqf.__version__ in {folder.name for folder in FOLDERS}
    for folder in FOLDERS:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        assert set(manifest) == {path.stem for path in folder.glob("*.kqf")}
        assert set(manifest) == {path.stem for path in folder.glob("*.npz")}


@pytest.mark.parametrize("path", FILES, ids=name)
def test_files_are_read_as_they_were_meant(path):
    found = kqf.read_indexed(path)
    with np.load(path.with_suffix(".npz")) as meant:
        labels, codebook = meant["labels"], meant["codebook"]
    assert np.array_equal(found.labels, labels)
    assert np.array_equal(found.codebook, codebook)
    assert np.array_equal(kqf.read(path), found.pixels)
    kqf.check(path)
    manifest = json.loads(path.with_name("manifest.json").read_text(encoding="utf-8"))
    values = found.metadata.items()
    written = {key: value.hex() if isinstance(value, bytes) else value for key, value in values}
    assert json.loads(json.dumps(written)) == manifest[path.stem]


@pytest.mark.parametrize("path", FILES, ids=name)
def test_files_keep_to_the_specification(path):
    labels, entries, _ = tiny_decode(path.read_bytes())
    with np.load(path.with_suffix(".npz")) as meant:
        assert labels == [bytes(row) for row in meant["labels"]]
        assert entries == [bytes(entry) for entry in meant["codebook"]]
