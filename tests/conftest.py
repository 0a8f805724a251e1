"""Images, strategies and hands to take files apart, shared by the tests."""

import os
import signal
import struct
import zlib
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

settings.register_profile("ci", derandomize=True, deadline=None, database=None, max_examples=40)
settings.register_profile("dev", deadline=None, max_examples=40)
# For .ci/long.
settings.register_profile("long", deadline=None, max_examples=400)
profile = os.environ.get("HYPOTHESIS_PROFILE")
settings.load_profile(profile or ("ci" if os.environ.get("CI") else "dev"))


@pytest.fixture(autouse=True)
def _scheduler_of_its_own():
    """Let no test compute by a cluster that another one has left."""
    if not find_spec("dask"):
        yield
        return
    import dask

    with dask.config.set(scheduler="threads"):
        yield


@pytest.fixture(scope="session", autouse=True)
def _interrupts_are_not_ignored():
    """Let SIGINT reach the processes that tests start.

    Shells start what runs in the background with SIGINT ignored, and children inherit that.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a new folder, which is the working directory during the test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def memory():
    """Give the file system of memory://, and leave nothing in it."""
    fsspec = pytest.importorskip("fsspec", reason="URLs need fsspec")
    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]


SIGNATURE = b"\x89KQF\r\n\x1a\n"
HEAD = struct.Struct(">IIIIBBBB")

predictors = st.sampled_from(["none", "left", "up"])
metrics = st.sampled_from(["mse", "perceptual"])


def smooth_image(height, width, channels, step=6, seed=0):
    """Return a smooth image (H, W, C) of many colours: random walks along both sides."""
    rng = np.random.default_rng(seed)
    shape = (height, width, channels)
    sums = [np.cumsum(rng.integers(-step, step + 1, shape), axis=axis) for axis in (0, 1)]
    folded = np.abs(sums[0] + sums[1] + 128) % 510
    return np.minimum(folded, 510 - folded).astype(np.uint8)


def chunk(kind, payload):
    """Return one chunk, with its CRC from another library than the package's."""
    crc = zlib.crc32(payload, zlib.crc32(kind))
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", crc)


def take_apart(data):
    """Return [(type, payload), ...] of a whole file, with its CRCs seen to."""
    assert data[:8] == SIGNATURE
    parts, at = [], 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, payload = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert chunk(kind, payload) == data[at : at + 12 + length]
        parts.append((kind, payload))
        at += 12 + length
    return parts


def put_together(parts):
    """Return a file of these chunks, whatever they are."""
    return SIGNATURE + b"".join(chunk(kind, payload) for kind, payload in parts)


def head(width=1, height=1, tile=None, version=1, channels=1, last_label=0, predictor=0):
    """Return a HEAD chunk's (type, payload)."""
    tile_width, tile_height = tile or (width, height)
    sides = (width, height, tile_width, tile_height)
    return b"HEAD", HEAD.pack(*sides, version, channels, last_label, predictor)


@st.composite
def pixel_arrays(draw, channels=None, max_side=9):
    """Draw an image of any form that encode takes."""
    channels = draw(st.sampled_from([None, 1, 2, 3, 4])) if channels is None else channels
    side = st.integers(1, max_side)
    shape = (draw(side), draw(side)) + (() if channels is None else (channels,))
    dtype = draw(st.sampled_from([np.uint8, np.uint8, np.bool_]))
    return draw(hnp.arrays(dtype, shape))


@st.composite
def indexed_images(draw, max_side=9, max_colors=256):
    """Draw (labels, codebook), with entries unused and repeated."""
    colors = draw(st.integers(1, 8) | st.integers(1, max_colors))
    channels = draw(st.integers(1, 4))
    codebook = draw(hnp.arrays(np.uint8, (colors, channels)))
    shape = draw(st.tuples(st.integers(1, max_side), st.integers(1, max_side)))
    labels = draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, colors - 1)))
    return labels, codebook


metadata_entries = st.fixed_dictionaries(
    {},
    optional={
        "icc_profile": st.binary(min_size=1, max_size=20),
        "exif": st.binary(min_size=1, max_size=20),
        "xmp": st.binary(min_size=1, max_size=20),
        "comment": st.text(
            st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1
        ),
        "dpi": st.tuples(st.integers(1, 2**31 - 1), st.integers(1, 2**31 - 1)),
    },
)
