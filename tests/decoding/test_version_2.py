"""Reading files with copied, packed and transposed labels, shapes and packed codebooks."""

import json
import re
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

import kqf

VECTORS = Path(__file__).parents[2] / "spec" / "vectors"
MANIFEST = json.loads((VECTORS / "manifest.json").read_text())["valid"]
NAMES = [name for name, entry in MANIFEST.items() if entry.get("version") == 2]
SHAPED = [name for name in NAMES if name.startswith(("5.8", "5.9"))]


def vector(name):
    return (VECTORS / "valid" / name).read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_regions_are_those_of_the_whole(name):
    data = vector(name)
    labels = kqf.read_indexed(data).labels
    height, width = labels.shape
    rng = np.random.default_rng(3)
    for _ in range(25):
        left, upper = rng.integers(width), rng.integers(height)
        right, lower = rng.integers(left, width) + 1, rng.integers(upper, height) + 1
        part = kqf.read_indexed(data, region=(left, upper, right, lower)).labels
        assert np.array_equal(part, labels[upper:lower, left:right])
    with kqf.open(data) as file:
        assert np.array_equal(file.read_indexed().labels, labels)


def damaged(data, kind, at=10):
    """Return a file with two damaged bytes in the payload of the first chunk of a kind."""
    start = data.index(kind) + 4
    damage = bytes(byte ^ 0x5A for byte in data[start + at : start + at + 2])
    return data[: start + at] + damage + data[start + at + 2 :]


@pytest.mark.parametrize("name", SHAPED)
def test_without_shapes_the_labels_below_them_are_read(name):
    data = damaged(vector(name), b"SHAP")
    with pytest.raises(kqf.FormatError):
        kqf.decode(data)
    with pytest.warns(kqf.DamageWarning, match="SHAP is lost") as caught:
        labels = kqf.read_indexed(data, errors="salvage").labels
    assert not caught[0].message.lost
    assert labels.shape == kqf.read_indexed(vector(name)).labels.shape


def test_a_lost_tile_costs_its_own_labels_and_shapes():
    whole = kqf.read_indexed(vector("5.9_tiles.kqf")).labels
    data = damaged(vector("5.9_tiles.kqf"), b"LABL")
    with pytest.warns(kqf.DamageWarning, match="shapes that begin in lost tiles") as caught:
        labels = kqf.read_indexed(data, errors="salvage").labels
    assert caught[0].message.lost == ((0, 0, 7, 5),)
    assert np.array_equal(labels[5:], whole[5:])
    assert np.array_equal(labels[:, 10:], whole[:, 10:])


def test_shapes_of_other_tiles_are_not_painted_where_a_tile_is_lost():
    data = vector("5.9_tiles.kqf")
    for number, found in enumerate(re.finditer(b"LABL", data)):
        start = data[: found.start()]
        with pytest.warns(kqf.DamageWarning) as caught:
            labels = kqf.read_indexed(
                start + damaged(data[len(start) :], b"LABL"), errors="salvage"
            ).labels
        ((left, upper, right, lower),) = caught[0].message.lost
        assert (left // 7, upper // 5) == (number % 3, number // 3)
        assert not labels[upper:lower, left:right].any()


def test_a_damaged_codebook_is_an_error_when_salvaging():
    data = damaged(vector("5.7_PCOD-copy.kqf"), b"PCOD")
    with pytest.raises(kqf.FormatError, match="PCOD"):
        kqf.decode(data, errors="salvage")


@pytest.mark.parametrize("name", NAMES)
def test_one_flipped_bit_is_put_right(name):
    data = bytearray(vector(name))
    data[data.index(b"LABL") + 15] ^= 4
    with pytest.warns(kqf.DamageWarning, match="put right"):
        labels = kqf.read_indexed(bytes(data), errors="salvage").labels
    assert np.array_equal(labels, kqf.read_indexed(vector(name)).labels)


def test_many_placements_of_one_pixel_cost_an_error_and_little_memory():
    data = vector("5.8_shape-once.kqf")
    at = data.index(b"LABL") + 4
    payload = (2**32 - 1).to_bytes(4) + data[at + 4 :][: int.from_bytes(data[at - 8 : at - 4]) - 4]
    chunk = b"LABL" + payload
    crc = zlib.crc32(chunk).to_bytes(4)
    wrong = data[: at - 4] + chunk + crc + data[at + len(payload) + 4 :]
    with pytest.raises(kqf.FormatError, match="number of placements"):
        kqf.decode(wrong)


def chunks_of(data):
    """Yield (type, payload) of each chunk."""
    at = 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4])
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def put_together(chunks):
    parts = [b"\x89KQF\r\n\x1a\n"]
    for kind, payload in chunks:
        crc = zlib.crc32(kind + payload)
        parts += [len(payload).to_bytes(4), kind, payload, crc.to_bytes(4)]
    return b"".join(parts)


def outcome(read):
    """Return what reading gives, the class of its error otherwise."""
    try:
        return read()
    except kqf.KqfError as error:
        return type(error)


@pytest.mark.parametrize("name", NAMES)
def test_changed_files_with_right_crcs_are_images_or_errors(name):
    chunks = list(chunks_of(vector(name)))
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    for _ in range(12):
        number = rng.integers(len(chunks) - 1)
        kind, payload = chunks[number]
        changed = bytearray(payload)
        changed[rng.integers(len(changed))] ^= 1 << rng.integers(8)
        if kind in (b"HEAD", b"SHAP", b"LABL") and rng.integers(2):
            changed = changed[: rng.integers(len(changed))]
        data = put_together([*chunks[:number], (kind, bytes(changed)), *chunks[number + 1 :]])
        limit = {"max_pixels": 10**6}
        labels = outcome(lambda: kqf.read_indexed(data, **limit).labels)  # noqa: B023
        checked = outcome(lambda: kqf.check(data, **limit))  # noqa: B023
        if isinstance(labels, np.ndarray):
            # The groups of an animation are not read with its image.
            assert checked is None or "frames_sha256" in MANIFEST[name]
        else:
            assert checked is labels


def test_codes_of_noise_are_decoded_in_bounded_time():
    # The worst case: hardly a pixel is copied from above.
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 256, (300, 300)).astype(np.uint8)
    codebook = rng.integers(0, 256, (256, 3)).astype(np.uint8)
    for tile in (None, (16, 16)):
        data = kqf.encode_indexed(labels, codebook, predictor="copy", tile=tile)
        begin = time.process_time()
        assert np.array_equal(kqf.read_indexed(data, threads=1).labels, labels)
        # About 5 ms here; so many times as much is something else than a slow machine.
        assert time.process_time() - begin < 5
