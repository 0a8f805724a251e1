"""The vectors of the specification, read by kqf and by a small decoder written from its text."""

import hashlib
import json
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from tiny_decoder import MIB, Refused, tiny_decode, tiny_decode_all

import kqf

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "spec" / "vectors"
MANIFEST = json.loads((VECTORS / "manifest.json").read_text())
KINDS = {"wrong": "FormatError", "truncated": "TruncatedError", "unsupported": "UnsupportedError"}
# Files that break these rules are too large to keep: a test below makes one.
BUILT_HERE = {"R5.10-3", "R6-3"}


def vectors(folder, overviews=None):
    """Parametrize a test by the bytes and the manifest's entry of each file.

    ``overviews``: True for those alone whose image is right, False for the others.
    """
    entries = [
        (name, entry)
        for name, entry in MANIFEST[folder].items()
        if overviews is None or entry.get("overviews", False) is overviews
    ]
    cases = [pytest.param(VECTORS / folder / name, entry, id=name) for name, entry in entries]
    return pytest.mark.parametrize(("path", "entry"), cases)


# The manifest.


@pytest.mark.parametrize("folder", ["valid", "invalid"])
def test_manifest_lists_every_file_and_no_other(folder):
    assert {path.name for path in (VECTORS / folder).iterdir()} == set(MANIFEST[folder])


@pytest.mark.parametrize("folder", ["valid", "invalid"])
def test_files_are_those_of_the_manifest(folder):
    for name, entry in MANIFEST[folder].items():
        found = hashlib.sha256((VECTORS / folder / name).read_bytes()).hexdigest()
        assert found == entry["sha256"], name


@pytest.mark.slow
def test_tool_makes_the_same_files():
    command = [sys.executable, str(ROOT / "tools" / "make_vectors.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def refusals():
    """Return {(rule, kind)} of the rows of section 10."""
    spec = (ROOT / "spec" / "kqf.md").read_text(encoding="utf-8")
    section = spec.split("## 10 ")[1].split("\n## ")[0]
    return set(re.findall(r"\| (R[\d.]+-\d+) \| (\w+) \|", section))


def test_every_row_of_section_10_has_a_file():
    shown = {(entry["rule"], entry["kind"]) for entry in MANIFEST["invalid"].values()}
    built = {(rule, kind) for rule, kind in refusals() if rule in BUILT_HERE}
    assert {rule for rule, _ in built} == BUILT_HERE
    assert shown | built == refusals()


def test_kinds_and_names_agree():
    for name, entry in MANIFEST["invalid"].items():
        assert KINDS[entry["kind"]] == entry["error"], name
        assert name.startswith(entry["rule"] + "_"), name


# Valid files.


@vectors("valid")
def test_valid_is_read(path, entry):
    kqf.check(path)
    image = kqf.read_indexed(path)
    pixels = kqf.decode(path.read_bytes())
    height, width, channels = entry["height"], entry["width"], entry["channels"]
    assert image.labels.shape == (height, width)
    assert image.codebook.shape[1] == channels
    assert image.codebook.tobytes().hex() == entry["codebook"]
    assert hashlib.sha256(image.labels.tobytes()).hexdigest() == entry["labels_sha256"]
    assert pixels.shape == ((height, width) if channels == 1 else (height, width, channels))
    assert pixels.dtype == np.uint8
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == entry["pixels_sha256"]
    if "labels" in entry:
        assert image.labels.tolist() == entry["labels"]
        assert pixels.tobytes().hex() == entry["pixels"]
    assert image.metadata == expected_metadata(entry["metadata"])
    check_description(path, entry)
    check_region(path, pixels)


def expected_metadata(metadata):
    """Return the manifest's metadata as kqf hands it out."""
    keys = {"iccp": "icc_profile", "exif": "exif", "xmp ": "xmp"}
    result = {keys[kind]: bytes.fromhex(metadata[kind]) for kind in keys.keys() & metadata.keys()}
    if "text" in metadata:
        result["comment"] = metadata["text"]
    if "phys" in metadata:
        x, y, unit = metadata["phys"]
        result["dpi"] = pytest.approx((x * 25400 / unit, y * 25400 / unit))
    return result


def check_description(path, entry):
    info = kqf.info(path)
    for field in ("width", "height", "channels", "tile_width", "tile_height"):
        assert getattr(info, field) == entry[field]
    assert info.predictor == ("none", "left", "up", "copy", "packed")[entry["predictor"]]
    assert info.colors == len(entry["codebook"]) // 2 // entry["channels"]
    columns = -(-entry["width"] // entry["tile_width"])
    assert info.tiles == columns * -(-entry["height"] // entry["tile_height"])
    assert set(info.metadata) == set(expected_metadata(entry["metadata"]))
    assert info.file_bytes == path.stat().st_size


def check_region(path, whole):
    height, width = whole.shape[:2]
    box = left, upper, right, lower = width // 3, height // 2, width, height // 2 + 1
    assert np.array_equal(kqf.read(path, region=box), whole[upper:lower, left:right])


@vectors("valid")
def test_valid_is_read_from_the_specification_alone(path, entry):
    labels, entries, metadata, frames = tiny_decode_all(path.read_bytes())
    assert (len(labels[0]), len(labels)) == (entry["width"], entry["height"])
    assert hashlib.sha256(b"".join(labels)).hexdigest() == entry["labels_sha256"]
    pixels = b"".join(entries[label] for row in labels for label in row)
    assert hashlib.sha256(pixels).hexdigest() == entry["pixels_sha256"]
    assert metadata == {kind: payload(kind, entry["metadata"][kind]) for kind in entry["metadata"]}
    if frames is None:
        assert "frames_sha256" not in entry
        return
    shown, timing = frames
    assert [hashlib.sha256(pixels).hexdigest() for pixels in shown] == entry["frames_sha256"]
    assert timing == tuple(entry[key] for key in ("durations", "plays", "ticks_per_second"))


def payload(kind, value):
    """Return the payload of a metadata chunk, which the manifest gives as numbers, text or hex."""
    if kind == "phys":
        return struct.pack(">3I", *value)
    return value.encode() if kind == "text" else bytes.fromhex(value)


@vectors("valid")
def test_frames_are_read_in_any_order(path, entry):
    expected = entry.get("frames_sha256", [entry["pixels_sha256"]])
    with kqf.open_animation(path) as animation:
        found = [hashlib.sha256(frame.tobytes()).hexdigest() for frame in animation]
        backwards = [hashlib.sha256(frame.tobytes()).hexdigest() for frame in reversed(animation)]
        assert animation.loop == entry.get("plays", 1)
        durations = animation.durations
    assert found == expected
    assert backwards == expected[::-1]
    ticks = [one * entry["ticks_per_second"] / 1000 for one in durations]
    assert ticks == pytest.approx(entry.get("durations", []))


def test_durations_may_not_sum_up_to_more_than_is_exact():
    good = (VECTORS / "valid" / "5.10_plays.kqf").read_bytes()
    at = good.index(b"ANIM") - 4
    frames = 2**21 + 1
    ticks = zlib.compress(b"\xff" * (4 * frames))
    long = chunk(b"ANIM", struct.pack(">III", frames, 0, 1) + ticks)
    data = good[:at] + long + good[at + 12 + struct.unpack_from(">I", good, at)[0] :]
    with pytest.raises(kqf.FormatError) as caught:
        kqf.info(data)
    assert (caught.value.chunk, caught.value.field) == ("ANIM", "sum of durations")
    with pytest.raises(Refused):
        tiny_decode(data)


# Invalid files.


def read_frames(path):
    with kqf.open_animation(path, max_pixels=None, max_work=None) as animation:
        return list(animation)


READERS = {
    "decode": lambda path: kqf.decode(path.read_bytes(), max_pixels=None),
    "read_indexed": lambda path: kqf.read_indexed(path, max_pixels=None, threads=1),
    "check": kqf.check,
    "frames": read_frames,
}


@vectors("invalid", overviews=False)
def test_invalid_is_refused(path, entry):
    for name, read in READERS.items():
        if "frames" in entry and name in ("decode", "read_indexed"):
            # The image, frame 0, is right.
            read(path)
            continue
        with pytest.raises(kqf.FormatError) as caught:
            read(path)
        found = type(caught.value).__name__, caught.value.chunk, caught.value.field
        assert found == (entry["error"], entry["chunk"], entry["field"]), name


@vectors("invalid", overviews=True)
def test_only_the_overviews_of_a_right_image_are_refused(path, entry):
    whole = kqf.read(VECTORS / "valid" / "6.8_overviews.kqf")
    assert np.array_equal(kqf.read(path), whole)
    with kqf.open(path) as file:
        assert np.array_equal(file.read((1, 2, 5, 6)), whole[2:6, 1:5])
        for read in (lambda: [file.read(scale=scale) for scale in (4, 2)], lambda: kqf.check(path)):
            with pytest.raises(kqf.FormatError) as caught:
                read()
            found = type(caught.value).__name__, caught.value.chunk, caught.value.field
            assert found == (entry["error"], entry["chunk"], entry["field"])


def test_overviews_are_read():
    with kqf.open(VECTORS / "valid" / "6.8_overviews.kqf") as file:
        whole = file.read_indexed()
        assert file.info.scales == (2, 4)
        for scale in (2, 4):
            labels = file.read_indexed(scale=scale).labels
            assert np.array_equal(labels, whole.labels[::scale, ::scale])
    with kqf.open(VECTORS / "valid" / "6.8_overviews-of-several-tiles.kqf") as file:
        whole = file.read()
        assert np.array_equal(file.read((1, 0, 1030, 3), scale=2), whole[::2, ::2])
        assert np.array_equal(file.read((522, 2, 526, 3), scale=2), whole[2::2, 522:526:2])
    with kqf.open(VECTORS / "valid" / "6.8_highest-level.kqf") as file:
        assert file.read_indexed((3, 3, 4, 4), scale=2**31).labels.tolist() == [[2]]


@vectors("invalid")
def test_invalid_is_refused_from_the_specification_alone(path, entry):
    with pytest.raises(Refused) as caught:
        tiny_decode(path.read_bytes())
    assert caught.value.kind == entry["kind"]


def chunk(kind, payload):
    crc = zlib.crc32(payload, zlib.crc32(kind))
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", crc)


def test_metadata_up_to_64_mib_is_read_and_more_refused():
    good = (VECTORS / "valid" / "8_stored.kqf").read_bytes()
    at = good.index(b"LABL") - 4
    full = b"".join(chunk(kind, bytes(16 * MIB)) for kind in (b"iccp", b"exif", b"abcd", b"abcd"))
    most = good[:at] + full + good[at:]
    assert set(kqf.info(most).metadata) == {"icc_profile", "exif"}
    tiny_decode(most)
    more = good[:at] + full + chunk(b"text", b"x") + good[at:]
    with pytest.raises(kqf.FormatError) as caught:
        kqf.check(more)
    assert (caught.value.chunk, caught.value.field) == ("text", "length of all metadata")
    with pytest.raises(Refused):
        tiny_decode(more)
