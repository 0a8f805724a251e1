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

import kqf

ROOT = Path(__file__).parent.parent
VECTORS = ROOT / "spec" / "vectors"
MANIFEST = json.loads((VECTORS / "manifest.json").read_text())
KINDS = {"wrong": "FormatError", "truncated": "TruncatedError", "unsupported": "UnsupportedError"}
# Files that break these rules are too large to keep: a test below makes one.
BUILT_HERE = {"R6-3"}
MIB = 2**20


def vectors(folder):
    """Parametrize a test by the bytes and the manifest's entry of each file."""
    entries = MANIFEST[folder].items()
    cases = [pytest.param(VECTORS / folder / name, entry, id=name) for name, entry in entries]
    return pytest.mark.parametrize(("path", "entry"), cases)


# A decoder of kqf-1.md, of nothing but the standard library. Sections are cited as there.


class Refused(Exception):  # noqa: N818
    """A file breaks a rule; ``kind`` as in section 10."""

    def __init__(self, kind="wrong"):
        super().__init__(kind)
        self.kind = kind


def require(truth, kind="wrong"):
    if not truth:
        raise Refused(kind)


def read_chunk(data, at, longest=None):
    """Return (type, payload, offset of the next chunk) of the chunk at an offset (section 4).

    ``longest``: bytes of the payload by type, 16 MiB for others; None for no limit.
    """
    require(at + 8 <= len(data), "truncated")
    (length,) = struct.unpack_from(">I", data, at)
    kind = data[at + 4 : at + 8]
    require(re.fullmatch(rb"[A-Za-z][A-Za-z0-9 ]{3}", kind))
    require(longest is None or length <= longest.get(kind, 16 * MIB))
    end = at + 8 + length
    require(end + 4 <= len(data), "truncated")
    require(struct.unpack_from(">I", data, end)[0] == zlib.crc32(data[at + 4 : end]))
    return kind, data[at + 8 : end], end + 4


def inflate(payload, size):
    """Return what one stream of at most ``size`` bytes inflates to (section 8)."""
    stream = zlib.decompressobj()
    try:
        result = stream.decompress(payload, size + 1)
    except zlib.error as error:
        raise Refused from error
    require(len(result) <= size)
    require(stream.eof, "truncated")
    require(not stream.unused_data)
    return result


def rankings(table, entries):
    """Return the labels by context and rank (section 7)."""
    result, at = [], 0
    for entry in entries:
        require(at < len(table))
        count = table[at]
        listed = list(table[at + 1 : at + 1 + count])
        at += 1 + count
        require(at <= len(table))
        require(all(label < len(entries) for label in listed))
        require(len(set(listed)) == count)
        others = sorted(
            (sum((a - b) ** 2 for a, b in zip(entry, other, strict=True)), label)
            for label, other in enumerate(entries)
            if label not in listed
        )
        result.append(listed + [label for _, label in others])
    require(at == len(table))
    return result


def tiny_decode(data):
    """Return (labels as rows, entries, payloads of the metadata) of a file."""
    signature = bytes.fromhex("89 4B 51 46 0D 0A 1A 0A")
    require(data[:8] == signature, "truncated" if signature.startswith(data[:8]) else "wrong")
    kind, payload, at = read_chunk(data, 8)
    require(kind == b"HEAD")
    require(len(payload) == 20)
    *sides, version, channels, last_label, predictor = struct.unpack(">4I4B", payload)
    require(all(1 <= side <= 2**31 - 1 for side in sides))
    require(version == 1, "unsupported")
    require(1 <= channels <= 4 and predictor <= 2)
    width, height, tile_width, tile_height = sides
    colors = last_label + 1
    kind, payload, at = read_chunk(data, at)
    require(kind == b"CODE")
    require(len(payload) == colors * channels)
    entries = [payload[k : k + channels] for k in range(0, len(payload), channels)]

    columns, rows = -(-width // tile_width), -(-height // tile_height)
    tiles = columns * rows
    longest = {b"RANK": 512 * colors + 1024, b"tidx": 4 * tiles, b"LABL": 2**32 - 1}
    metadata, single, total, count = {}, {}, 0, 0
    while True:
        first = at
        kind, payload, at = read_chunk(data, at, longest)
        if kind == b"LABL":
            break
        count += 1
        require(count <= 1024)
        require(kind not in single)
        require(kind not in (b"HEAD", b"CODE", b"DONE"))
        if kind in (b"RANK", b"tidx"):
            single[kind] = payload
            continue
        require(not kind[:1].isupper(), "unsupported")
        total += len(payload)
        require(total <= 64 * MIB)
        if kind in (b"iccp", b"exif", b"xmp ", b"phys", b"text"):
            require(payload)
            single[kind] = metadata[kind.decode()] = payload
    if "phys" in metadata:
        require(len(metadata["phys"]) == 12)
        require(all(struct.unpack(">3I", metadata["phys"])))
    if "text" in metadata:
        try:
            require("\0" not in metadata["text"].decode("utf-8"))
        except UnicodeDecodeError as error:
            raise Refused from error
    require((b"RANK" in single) == (predictor > 0))
    if predictor:
        require(len(single[b"RANK"]) >= 9)
        order = rankings(inflate(single[b"RANK"], colors * (1 + min(colors, 255))), entries)
    if b"tidx" in single:
        require(len(single[b"tidx"]) == 4 * tiles)

    # Section 9.3: no more is allocated than the bytes left can bear out.
    least = 12 * tiles + max(9 * tiles, -(-width * height // 1032))
    require(least <= len(data) - first, "truncated")
    labels = [bytearray(width) for _ in range(height)]
    at = first
    for number in range(tiles):
        kind, payload, at = read_chunk(data, at)
        require(kind == b"LABL")
        if b"tidx" in single:
            require(struct.unpack_from(">I", single[b"tidx"], 4 * number)[0] == len(payload))
        left, upper = number % columns * tile_width, number // columns * tile_height
        w, h = min(tile_width, width - left), min(tile_height, height - upper)
        require(len(payload) >= 9 and 1032 * len(payload) >= w * h)
        symbols = inflate(payload, w * h)
        require(len(symbols) == w * h)
        require(max(symbols) <= last_label)
        for y in range(h):
            row = symbols[y * w : y * w + w]
            if predictor == 1:
                context, ranks, row = 0, row, bytearray()
                for rank in ranks:
                    context = order[context][rank]
                    row.append(context)
            elif predictor == 2:
                above = labels[upper + y - 1][left : left + w] if y else bytes(w)
                row = bytes(order[c][rank] for c, rank in zip(above, row, strict=True))
            labels[upper + y][left : left + w] = row
    kind, payload, at = read_chunk(data, at)
    require(kind == b"DONE")
    require(not payload)
    require(at == len(data))
    return labels, entries, metadata


# The manifest.


@pytest.mark.parametrize("folder", ["valid", "invalid"])
def test_manifest_lists_every_file_and_no_other(folder):
    assert {path.name for path in (VECTORS / folder).iterdir()} == set(MANIFEST[folder])


@pytest.mark.parametrize("folder", ["valid", "invalid"])
def test_files_are_those_of_the_manifest(folder):
    for name, entry in MANIFEST[folder].items():
        found = hashlib.sha256((VECTORS / folder / name).read_bytes()).hexdigest()
        assert found == entry["sha256"], name


def test_tool_makes_the_same_files():
    command = [sys.executable, str(ROOT / "tools" / "make_vectors.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def refusals():
    """Return {(rule, kind)} of the rows of section 10."""
    spec = (ROOT / "spec" / "kqf-1.md").read_text(encoding="utf-8")
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


@vectors("valid")
def test_valid_is_described(path, entry):
    info = kqf.info(path)
    for field in ("width", "height", "channels", "tile_width", "tile_height"):
        assert getattr(info, field) == entry[field]
    assert info.predictor == ("none", "left", "up")[entry["predictor"]]
    assert info.colors == len(entry["codebook"]) // 2 // entry["channels"]
    columns = -(-entry["width"] // entry["tile_width"])
    assert info.tiles == columns * -(-entry["height"] // entry["tile_height"])
    assert set(info.metadata) == set(expected_metadata(entry["metadata"]))
    assert info.file_bytes == path.stat().st_size


@vectors("valid")
def test_valid_is_read_by_region(path, entry):
    height, width = entry["height"], entry["width"]
    whole = kqf.read(path)
    box = left, upper, right, lower = width // 3, height // 2, width, height // 2 + 1
    assert np.array_equal(kqf.read(path, region=box), whole[upper:lower, left:right])


@vectors("valid")
def test_valid_is_read_from_the_specification_alone(path, entry):
    labels, entries, metadata = tiny_decode(path.read_bytes())
    assert (len(labels[0]), len(labels)) == (entry["width"], entry["height"])
    assert hashlib.sha256(b"".join(labels)).hexdigest() == entry["labels_sha256"]
    pixels = b"".join(entries[label] for row in labels for label in row)
    assert hashlib.sha256(pixels).hexdigest() == entry["pixels_sha256"]
    assert metadata == {kind: payload(kind, entry["metadata"][kind]) for kind in entry["metadata"]}


def payload(kind, value):
    """Return the payload of a metadata chunk, which the manifest gives as numbers, text or hex."""
    if kind == "phys":
        return struct.pack(">3I", *value)
    return value.encode() if kind == "text" else bytes.fromhex(value)


# Invalid files.


@pytest.mark.parametrize(
    "read",
    [
        kqf.check,
        lambda path: kqf.decode(path.read_bytes(), max_pixels=None),
        lambda path: kqf.read_indexed(path, max_pixels=None, threads=1),
    ],
    ids=["check", "decode", "read_indexed"],
)
@vectors("invalid")
def test_invalid_is_refused(path, entry, read):
    with pytest.raises(kqf.FormatError) as caught:
        read(path)
    found = type(caught.value).__name__, caught.value.chunk, caught.value.field
    assert found == (entry["error"], entry["chunk"], entry["field"])


@vectors("invalid")
def test_invalid_is_refused_with_default_limits(path, entry):
    with pytest.raises(kqf.FormatError) as caught:
        kqf.decode(path.read_bytes())
    assert type(caught.value).__name__ in (entry["error"], "LimitError")


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
