"""Every way to read and to write a file, shared by the tests of what can fail outside KQF."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import smooth_image
from PIL import Image

import kqf

dask_array = pytest.importorskip("dask.array")
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's files")

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(kqf.__file__).parents[1])}
PIXELS = smooth_image(60, 80, 3)
DATA = kqf.encode(PIXELS, effort=1, tile=20)
SHOWN = kqf.decode(DATA)
LABELS, CODEBOOK = kqf.read_indexed(DATA).labels, kqf.read_indexed(DATA).codebook

WRITERS = {
    "write": lambda target: kqf.write(target, PIXELS, effort=1),
    "write_indexed": lambda target: kqf.write_indexed(target, LABELS, CODEBOOK, effort=1),
    "write_dask": lambda target: kqf.write_dask(
        target, dask_array.from_array(PIXELS), effort=1, tile=20
    ),
    "write_indexed_dask": lambda target: kqf.write_indexed_dask(
        target, dask_array.from_array(LABELS), CODEBOOK, effort=1
    ),
}
writers = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)


def load(source):
    with Image.open(source) as image:
        image.load()
        return np.asarray(image.convert("RGB"))


def read_opened(source):
    with kqf.open(source) as file:
        return file.read()


READERS = {
    "read": kqf.read,
    "read_indexed": lambda source: kqf.read_indexed(source).pixels,
    "check": lambda source: kqf.check(source) or SHOWN,
    "open": read_opened,
    "Pillow": load,
    "salvage": lambda source: kqf.read(source, errors="salvage"),
}
readers = pytest.mark.parametrize("read", READERS.values(), ids=READERS)
