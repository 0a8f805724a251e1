"""Palettes as files, written and read."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from kqf.palettes.api import read_palette
from kqf.palettes.files import Swatch, parse, writer_of

SUFFIXES = (".png", ".svg", ".gpl", ".act", ".json", ".css", ".txt")
WITH_ALPHA = (".png", ".svg", ".json", ".css", ".txt")


def swatches(channels, count, seed=0):
    colors = np.random.default_rng(seed).integers(0, 256, (count, channels)).tolist()
    return [Swatch(label, tuple(color), 3, 0.25) for label, color in enumerate(colors)]


def colors_of(made):
    return [list(each.color) for each in made]


@pytest.mark.parametrize("count", [1, 2, 17, 256])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_written_is_read(suffix, count):
    made = swatches(3, count)
    found = read_palette(f"p{suffix}", writer_of(suffix)(made))
    assert found.tolist() == colors_of(made)


@pytest.mark.parametrize("suffix", WITH_ALPHA)
def test_alpha_is_written_and_read(suffix):
    made = [Swatch(alpha, (alpha, 7, 9, alpha), 0, 0.0) for alpha in range(256)]
    found = read_palette(f"p{suffix}", writer_of(suffix)(made))
    assert found.tolist() == colors_of(made)


@pytest.mark.parametrize("suffix", sorted(set(SUFFIXES) - set(WITH_ALPHA)))
def test_alpha_is_refused_where_it_would_be_lost(suffix):
    with pytest.raises(ValueError, match=f"a {suffix} palette holds no alpha"):
        writer_of(suffix)(swatches(4, 9))
    opaque = [Swatch(0, (1, 2, 3, 255), 0, 0.0)]
    assert read_palette(f"p{suffix}", writer_of(suffix)(opaque)).tolist() == [[1, 2, 3]]


def test_an_unknown_suffix():
    with pytest.raises(ValueError, match=r"one of \.png, .*, not '\.pal'"):
        writer_of(".pal")


def test_a_picture_of_swatches_shows_each():
    made = swatches(3, 20)
    with Image.open(io.BytesIO(writer_of(".png")(made))) as image:
        pixels = np.asarray(image.convert("RGB"))
    centres = pixels[16::32, 16::32].reshape(-1, 3)
    assert centres[:20].tolist() == colors_of(made)


def test_a_gimp_palette_of_another_program():
    data = (
        b"GIMP Palette\r\nName: Caf\xe9\r\nColumns: 0\r\n# note\r\n  0   1 255 Blue 3\r\n9 9 9\r\n"
    )
    assert parse("x", data).tolist() == [[0, 1, 255], [9, 9, 9]]


def test_colour_tables_of_other_programs():
    entries = bytes(range(256)) * 3
    assert (
        parse("a.ACT", entries).tolist() == np.frombuffer(entries, np.uint8).reshape(-1, 3).tolist()
    )
    clear = parse("a.act", entries + b"\x00\x02\x00\x01")
    assert clear.tolist() == [[0, 1, 2, 255], [3, 4, 5, 0]]


def test_a_list_in_json():
    assert parse("x", json.dumps(["#010203", "#04050680"]).encode()).tolist() == [
        [1, 2, 3, 255],
        [4, 5, 6, 128],
    ]


def test_a_style_sheet_gives_values_alone():
    text = b":root { --a: #010203; /* was: #ffffff */ }\n#abcdef .b { color: #040506 }"
    assert parse("x", text).tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.act", b"\0" * 769, "an .act palette has 768 or 772 bytes, not 769"),
        ("a.act", b"\0" * 772, "has 0 colours: a palette has 1 to 256"),
        ("a.gpl", b"GIMP Palette\n1 2\n", "line 2: expected three numbers up to 255, found '1 2'"),
        ("a.gpl", b"GIMP Palette\n\n0 256 0\n", "line 3: expected three numbers up to 255"),
        ("a.gpl", b"GIMP Palette\n", "has 0 colours"),
        ("a.json", b'{"colors": 3}', "expected a list of colours"),
        ("a.json", b'["red"]', "expected a colour as \"#rrggbb\", found 'red'"),
        ("a.json", b"[3]", 'expected a colour as "#rrggbb", found 3'),
        ("a.json", b"[", "is no JSON"),
        ("a.json", b"[" * 100000, "is no JSON"),
        ("a.css", b"p { color: red }", "has 0 colours"),
        # Each of these takes minutes if every start is searched to the end for its own end.
        ("a.css", b"p {" + b"/*" * 10**6, "has 0 colours"),
        ("a.svg", b"<svg>" + b"<a" * 10**6, "has 0 colours"),
        ("a.svg", b"<svg></svg>", "has 0 colours"),
        ("a.txt", b"red", "unknown color specifier: '#red'"),
        ("a.bin", b"\xff\0", "is no image and no palette"),
    ],
)
def test_bad_files(name, data, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is what matters
        parse(name, data)
    assert message in str(caught.value)
