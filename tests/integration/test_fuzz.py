"""The parts of tools/stress that need no fuzzer: vectors through all targets, and the mutator."""

import io
import random
import struct
import zlib
from pathlib import Path

import mutator
import numpy as np
import payloads
import pytest
import targets
from conftest import take_apart

import kqf

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "spec" / "vectors"
VECTORS = [path for name in ("valid", "invalid") for path in sorted((FOLDER / name).iterdir())]
VALID = [path for path in VECTORS if path.parent.name == "valid"]
EXAMPLE = FOLDER / "valid" / "A_example.kqf"


def change_bytes(data, most):
    """Stand in for the fuzzer's own mutation."""
    rng = random.Random(zlib.crc32(data))
    changed = bytearray(data + rng.randbytes(3))
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed[:most])


# Targets


@pytest.mark.parametrize("name", targets.FILE_TARGETS)
def test_targets_find_nothing_wrong_with_the_vectors(name):
    for path in VECTORS:
        targets.TARGETS[name](path.read_bytes())


@pytest.mark.parametrize("name", targets.ENCODE_TARGETS)
def test_targets_find_nothing_wrong_with_some_encoding(name):
    rng = random.Random(name)
    for _ in range(40):
        targets.TARGETS[name](rng.randbytes(60))


def fails(*arguments, **options):
    raise KeyError("undocumented")


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("decode", "decode"),
        ("info", "info"),
        ("read_indexed", "read_indexed"),
        ("check", "check"),
        ("open", "open"),
        ("parser", "decode"),
        ("salvage", "decode"),
    ],
)
def test_an_undocumented_error_is_not_swallowed(name, broken, monkeypatch):
    monkeypatch.setattr(kqf, broken, fails)
    with pytest.raises(KeyError):
        targets.TARGETS[name](EXAMPLE.read_bytes())


def test_an_error_that_pillow_hides_is_found(monkeypatch):
    monkeypatch.setattr("kqf.plugins.pillow.ImageReader", lambda *_: struct.unpack(">I", b""))
    monkeypatch.setattr(targets, "takes_partial", lambda _: False)
    with pytest.raises(targets.Wrong, match="not known as one"):
        targets.plugin(EXAMPLE.read_bytes())


def test_other_pixels_than_the_specification_s_are_found(monkeypatch):
    right = kqf.decode
    monkeypatch.setattr(
        kqf, "decode", lambda *args, **options: right(*args, **options) ^ np.uint8(1)
    )
    with pytest.raises(targets.Wrong, match="not the pixels of the specification"):
        targets.decode(EXAMPLE.read_bytes())


def test_a_damaged_file_passed_off_as_whole_is_found(monkeypatch):
    monkeypatch.setattr("kqf.decoding.salvage.Salvager.damage", lambda _: None)
    with pytest.raises(targets.Wrong, match="salvaged without a warning"):
        targets.salvage(EXAMPLE.read_bytes()[:-1])


def test_a_file_wrongly_refused_is_found():
    error = kqf.FormatError("LABL", "field", 1, 2)
    with pytest.raises(targets.Wrong, match="the specification allows it"):
        targets._compare_with_tiny(EXAMPLE.read_bytes(), error)


def test_an_error_from_inside_a_library_is_found():
    with pytest.raises(targets.Wrong, match="raised in"):
        targets.attempt_encoding(lambda: np.stack([]))
    assert targets.attempt_encoding(lambda: kqf.encode(np.zeros(3))) is None


@pytest.mark.parametrize(
    "change", [lambda data: data[:-1], lambda data: b"", lambda data: data[:99]]
)
def test_no_more_pixels_excuse_an_input_than_its_bytes_can_hold(change):
    file = io.BytesIO()
    kqf.write_indexed(file, np.zeros((3000, 2000), np.uint8), np.zeros((1, 1), np.uint8), effort=1)
    data = file.getvalue()
    assert targets.pixels_of("decode", data) == 3000 * 2000
    data = change(data)
    assert targets.pixels_of("decode", data) == min(3000 * 2000, 1032 * len(data))


# The mutator


@pytest.mark.parametrize("path", VALID[::7], ids=lambda path: path.name)
def test_a_file_is_taken_apart_and_put_together_again(path):
    data = path.read_bytes()
    chunks, rest = mutator.split(data + b"rest")
    assert [(chunk.kind, chunk.payload) for chunk in chunks] == take_apart(data)
    assert mutator.join(chunks, rest) == data + b"rest"


def test_the_same_seed_makes_the_same_file():
    data = EXAMPLE.read_bytes()
    made = [mutator.mutate(data, 2**16, seed, change_bytes) for seed in range(40)]
    assert made == [mutator.mutate(data, 2**16, seed, change_bytes) for seed in range(40)]
    assert len(set(made)) > 20
    assert max(map(len, made)) <= 2**16


@pytest.mark.parametrize("path", VALID[::7], ids=lambda path: path.name)
def test_reshaped_files_are_whole(path):
    shapes = set()
    for seed in range(12):
        chunks, _ = mutator.split(path.read_bytes())
        change = mutator.Change(random.Random(seed), change_bytes, chunks)
        change.reshape()
        info = kqf.info(mutator.join(change.chunks))
        shapes.add((info.width, info.height, info.tile_width, info.tile_height, info.predictor))
        if len(change.chunks) > 2 and info.width * info.height <= mutator.MOST_PIXELS:
            kqf.check(mutator.join(change.chunks))
    assert len(shapes) > 5


def test_every_kind_of_error_is_met_by_changed_files():
    met = set()
    # Animations have few chunks of the kinds below.
    stills = [path for path in VALID if not path.name.startswith(("5.10", "5.11", "6.7"))]
    for seed in range(2000):
        data = mutator.mutate(stills[seed % len(stills)].read_bytes(), 2**16, seed, change_bytes)
        try:
            kqf.check(data)
        except kqf.FormatError as error:
            met.add((error.chunk, error.field))
    # Behind CRCs, behind streams, behind tables.
    assert {
        ("file", "chunk order"),
        ("HEAD", "width"),
        ("LABL", "crc"),
        ("LABL", "zlib stream"),
        ("LABL", "inflated size"),
        ("RANK", "entries"),
        ("RANK", "label"),
        ("RANK", "labels of a context"),
        ("tidx", "length"),
    } <= met


@pytest.mark.parametrize("path", VALID[::5], ids=lambda path: path.name)
def test_parts_are_taken_apart_and_put_together_again(path):
    chunks = take_apart(path.read_bytes())
    layout = dict(chunks)[b"HEAD"][19] if dict(chunks)[b"HEAD"][16] > 1 else 0
    for kind, payload in chunks:
        if kind in (b"PCOD", b"SHAP", b"LABL"):
            parts = payloads.take_parts(kind, payload, layout)
            assert b"".join(part.data() for part in parts) == payload


def test_every_part_of_version_2_is_changed_behind_its_checks():
    drawn = [path for path in VALID if path.name.startswith(("5.7", "5.8", "5.9", "7.4", "7.5"))]
    met = set()
    for seed in range(1500):
        data = drawn[seed % len(drawn)].read_bytes()
        change = mutator.Change(random.Random(seed), change_bytes, mutator.split(data)[0])
        change.change_part()
        try:
            kqf.check(mutator.join(change.chunks))
        except kqf.FormatError as error:
            met.add((error.chunk, error.field.split(" of tile")[0].split(" tile ")[0]))
    assert {
        ("SHAP", "count"),
        ("SHAP", "side of a shape"),
        ("SHAP", "pixels of all shapes"),
        ("SHAP", "label"),
        ("LABL", "upper left pixel of placements"),
        ("LABL", "shape in"),
        ("LABL", "new labels"),
        ("LABL", "new label in"),
        ("LABL", "label in"),
        ("LABL", "codes beyond"),
    } <= met
