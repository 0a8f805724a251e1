"""Palettes as files, written and read."""

import io
import json
import struct

import numpy as np
import pytest
from PIL import Image

from kqf.palettes.files import parse, read_palette, writer_of
from kqf.palettes.swatches import Swatch

SUFFIXES = (
    ".png",
    ".svg",
    ".gpl",
    ".pal",
    ".act",
    ".ase",
    ".json",
    ".css",
    ".txt",
    ".hex",
)
WITH_ALPHA = (".png", ".svg", ".json", ".css", ".txt", ".hex")


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
    with pytest.raises(ValueError, match=r"one of \.png, .*, not '\.aco'"):
        writer_of(".aco")


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


def aseprite(*chunks):
    """Return a sprite of these chunks, (type, data) each."""
    body = b"".join(struct.pack("<IH", len(data) + 6, kind) + data for kind, data in chunks)
    head = struct.pack("<IHH", 0, 0xA5E0, 1).ljust(128, b"\0")
    frame = struct.pack("<IHHH2xI", len(body) + 16, 0xF1FA, len(chunks), 100, len(chunks))
    return head + frame + body


SWATCH_BLOCK = struct.pack(">HIH", 1, 22, 1) + b"\0\0RGB " + struct.pack(">3fH", 1, 0.5, 0, 2)


def test_aseprite_palettes():
    entries = b"\0\0\1\2\3\xff" + b"\1\0\4\5\6\x80\2\0hi" + b"\0\0\7\x08\x09\xff"
    new = 0x2019, struct.pack("<III8x", 3, 0, 2) + entries
    old = 0x0004, b"\1\0" + b"\0\2" + bytes([255, 0, 0, 0, 255, 0])
    other = 0x2004, b"layer"
    assert parse("a.ase", aseprite(old, other, new)).tolist() == [
        [1, 2, 3, 255],
        [4, 5, 6, 128],
        [7, 8, 9, 255],
    ]
    # Aseprite stores the old chunk alone where no colour has alpha.
    assert parse("a.aseprite", aseprite(other, old)).tolist() == [[255, 0, 0], [0, 255, 0]]
    oldest = 0x0011, b"\2\0" + b"\0\1\x3f\0\0" + b"\1\1\0\x20\0"
    assert parse("a", aseprite(oldest)).tolist() == [[255, 0, 0], [0, 0, 0], [0, 130, 0]]


def test_adobe_swatches_of_other_programs():
    group = struct.pack(">HIH", 0xC001, 4, 1) + b"\0\0"
    gray = struct.pack(">HIH", 1, 14, 1) + b"\0\0Gray" + struct.pack(">fH", 0.5, 2)
    data = b"ASEF\0\1\0\0" + struct.pack(">I", 4) + group + SWATCH_BLOCK + gray
    data += struct.pack(">HI", 0xC002, 0)
    assert parse("a.ase", data).tolist() == [[255, 128, 0], [128, 128, 128]]


def test_palettes_of_windows():
    data = b"RIFF\x18\0\0\0PAL data\x0c\0\0\0\0\3\2\0" + bytes([1, 2, 3, 0, 4, 5, 6, 4])
    assert parse("a.pal", data).tolist() == [[1, 2, 3], [4, 5, 6]]


def test_palettes_of_paint_shop_pro_and_aseprite_with_alpha():
    assert parse("a.pal", b"JASC-PAL\r\n0100\r\n2\r\n1 2 3 255\r\n4 5 6 0\r\n").tolist() == [
        [1, 2, 3, 255],
        [4, 5, 6, 0],
    ]
    data = b"GIMP Palette\nChannels: RGBA\n#\n1 2 3 255 Untitled\n4 5 6 9\n"
    assert parse("a.gpl", data).tolist() == [[1, 2, 3, 255], [4, 5, 6, 9]]


def test_plain_text():
    assert parse("a.hex", b"0a0b0c\nFFFFFF80\n").tolist() == [
        [10, 11, 12, 255],
        [255, 255, 255, 128],
    ]
    assert parse("a.txt", b"// mine\n#123 #445566, #78f0\n").tolist() == [
        [0x11, 0x22, 0x33, 255],
        [0x44, 0x55, 0x66, 255],
        [0x77, 0x88, 0xFF, 0],
    ]
    # Paint.NET writes alpha first.
    assert parse("a.txt", b"; paint.net Palette File\n80010203\nFF040506\n").tolist() == [
        [1, 2, 3, 128],
        [4, 5, 6, 255],
    ]


def test_lists_in_json_of_other_programs():
    text = {"name": "x", "colors": ["0a0b0c", [1, 2, 3], {"hex": "#fff"}, "red"]}
    assert parse("x", json.dumps(text).encode()).tolist() == [
        [10, 11, 12],
        [1, 2, 3],
        [255, 255, 255],
        [255, 0, 0],
    ]


def test_style_sheets_in_every_notation():
    text = b"""
    @import url(a#fed.css);
    a#bad:hover { color: #fff; background: url(x.png#fff) #0008; border: 1px solid red }
    b { --c: rgb(1, 2, 3); --d: rgb(10 20 30 / 50%); --e: hsl(120, 100%, 50%) }
    c { font-family: "Red Hat", Navy; content: "#000"; white-space: pre; color: var(--red) }
    d { box-shadow: 0 0 2px rgba(1, 2, 3, 0.5), 0 0 1px #FFFFFF; color: #fff }
    """
    assert parse("a.css", text).tolist() == [
        [255, 255, 255, 255],
        [0, 0, 0, 136],
        [255, 0, 0, 255],
        [1, 2, 3, 255],
        [10, 20, 30, 128],
        [0, 255, 0, 255],
        [1, 2, 3, 128],
    ]


def test_drawings_in_every_notation():
    text = b"""<svg><rect fill="none" stroke="red"/><path style="stroke:#00f;fill:#0f0"/>
    <circle fill='url(#a)'/><stop stop-color="#010203" stop-opacity=".5"/></svg>"""
    assert parse("a.svg", text).tolist() == [
        [255, 0, 0, 255],
        [0, 0, 255, 255],
        [0, 255, 0, 255],
        [1, 2, 3, 128],
    ]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.act", b"\0" * 769, "an .act palette has 768 or 772 bytes, not 769"),
        ("a.act", b"\0" * 772, "has 0 colours: a palette has 1 to 256"),
        ("a.gpl", b"GIMP Palette\n1 2\n", "line 2: expected three numbers up to 255, found '1 2'"),
        ("a.gpl", b"GIMP Palette\n\n0 256 0\n", "line 3: expected three numbers up to 255"),
        ("a.gpl", b"GIMP Palette\n", "has 0 colours"),
        ("a.json", b'{"colors": 3}', "expected a list of colours"),
        ("a.json", b'["reddish"]', "expected a colour such as #ff8000, #f80 or orange"),
        ("a.json", b"[3]", 'expected a colour as "#rrggbb" or [r, g, b], found 3'),
        ("a.json", b"[[1, 2, 256]]", "found [1, 2, 256]"),
        ("a.json", b"[[1, 2, true]]", "found [1, 2, True]"),
        ("a.json", b"[", "is not valid JSON"),
        ("a.json", b"[" * 100000, "is not valid JSON"),
        ("a.css", b"p { color: inherit }", "has 0 colours"),
        ("a.css", b"p { color: #12345 }", "expected a colour such as #ff8000"),
        ("a.css", b"p { color: rgb(var(--r), 0, 0) }", "has 0 colours"),
        ("a.css", b"p { color: rgb(1, 2) }", "found 'rgb(1, 2)'"),
        ("a.css", b"p { font: red; color:" + b":" * 10**6, "has 0 colours"),
        ("a.pal", b"JASC-PAL\n0100\n2\n1 2 3\n", "line 3: expected the number of colours, 1"),
        ("a.pal", b"JASC-PAL\n0100\n", "line 3: expected the number of colours, 0"),
        ("a.pal", b"JASC-PAL\n0100\n1\n1 2 256\n", "line 4: expected three numbers up to 255"),
        ("a.pal", b"RIFF\0\0\0\0PAL data\0\0\0\0\0\3\2\0\1\2\3\0", "it ends too early"),
        ("a.pal", b"RIFF\0\0\0\0PAL plth", "has 0 colours"),
        ("a.ase", b"ASEF\0\1\0\0\0\0\0\2" + SWATCH_BLOCK, "it ends too early"),
        (
            "a.ase",
            b"ASEF\0\1\0\0\0\0\0\1" + SWATCH_BLOCK.replace(b"RGB ", b"CMYK"),
            "holds CMYK colours, not RGB: export it as RGB",
        ),
        ("a.aseprite", b"\0" * 4 + b"\xe0\xa5", "it ends too early"),
        ("a.aseprite", aseprite(), "is an Aseprite file without a palette"),
        (
            "a.gpl",
            b"GIMP Palette\nChannels: RGBA\n1 2 3\n",
            "line 3: expected four numbers up to 255, found '1 2 3'",
        ),
        # Each of these takes minutes if every start is searched to the end for its own end.
        ("a.css", b"p {" + b"/*" * 10**6, "has 0 colours"),
        ("a.svg", b"<svg>" + b"<a" * 10**6, "has 0 colours"),
        ("a.svg", b"<svg></svg>", "has 0 colours"),
        ("a.txt", b"red", "line 1: expected #rrggbb, or one colour of six digits a line"),
        ("a.txt", b"dad bad fee", "found 'dad bad fee'"),
        ("a.txt", b"decade facade", "found 'decade facade'"),
        ("a.txt", b"#dad\nbad\n", "line 2: expected"),
        ("a.bin", b"\xff\0", "is no image and no palette"),
    ],
)
def test_bad_files(name, data, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is what matters
        parse(name, data)
    assert message in str(caught.value)
