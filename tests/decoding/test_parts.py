"""What each part of a file takes."""

import json
from pathlib import Path

import pytest
from conftest import take_apart

import kqf
from kqf.decoding.parts import measure_parts

VECTORS = Path(__file__).parents[2] / "spec" / "vectors"
NAMES = list(json.loads((VECTORS / "manifest.json").read_text())["valid"])
STORED_AS = {
    "none": "labels",
    "left": "ranks",
    "up": "ranks",
    "copy": "new_labels",
    "packed": "packed_labels",
}


@pytest.mark.parametrize("name", NAMES)
def test_parts_are_those_of_the_chunks(name):
    data = (VECTORS / "valid" / name).read_bytes()
    parts, info = measure_parts(data), kqf.info(data)
    assert sum(parts.values()) == len(data)
    assert min(parts.values()) > 0
    sizes = {}
    chunks = list(take_apart(data))
    ends = [number for number, (kind, _) in enumerate(chunks) if kind == b"LABL"][
        info.tiles - 1
    ] + 1
    for kind, payload in chunks[:ends]:
        sizes[kind] = sizes.get(kind, 0) + len(payload)
    later = sum(12 + len(payload) for _, payload in chunks[ends:-1])
    assert parts.pop("later_frames", 0) == later
    assert parts.pop("codebook") == sizes.get(b"CODE", 0) + sizes.get(b"PCOD", 0)
    assert parts.pop("ranking", 0) == sizes.get(b"RANK", 0)
    assert parts.pop("shapes", 0) == sizes.get(b"SHAP", 0)
    overviews = sizes.get(b"oidx", 0) + sizes.get(b"over", 0)
    assert parts.pop("overviews", 0) == overviews == info.part_bytes["overviews"]
    del parts["chunks"]
    assert sum(parts.values()) == sizes[b"LABL"]
    own = {STORED_AS[info.predictor], *(["codes"] if info.predictor == "copy" else [])}
    assert parts.keys() - own <= ({"placements"} if b"SHAP" in sizes else set())


def test_parts_of_a_tile():
    data = (VECTORS / "valid" / "5.8_shapes.kqf").read_bytes()
    payload = dict(take_apart(data))[b"LABL"]
    length = int.from_bytes(payload[4:8])
    codes = int.from_bytes(payload[8 + length : 12 + length])
    parts = measure_parts(data)
    assert parts["placements"] == 8 + length
    assert parts["codes"] == 4 + codes
    assert parts.get("new_labels", 0) == len(payload) - 12 - length - codes


def test_a_file_that_is_cut_off_has_no_parts():
    data = (VECTORS / "valid" / "5.8_shapes.kqf").read_bytes()
    with pytest.raises(kqf.TruncatedError):
        measure_parts(data[:-20])
