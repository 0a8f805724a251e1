"""Palette files that are text: .gpl, .pal of JASC, .txt, .hex, .json, .css and .svg."""

import json
import re
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import ImageColor

from kqf.palettes.colors import as_palette, parse_color
from kqf.palettes.swatches import Swatch

GPL_START = b"GIMP Palette"
JASC_START = b"JASC-PAL"
# Swatches in a row of a palette that is drawn, and their size in pixels.
COLUMNS, SWATCH = 16, 32
_BARE_HEX = re.compile(r"[0-9a-fA-F]{6}|[0-9a-fA-F]{8}")
_COLOR = r"#[0-9a-zA-Z]+|(?:rgb|hsl)a?\([^()]*\)|(?<![\w#-])[a-zA-Z]+(?![\w-])"


def opaque(swatches: Sequence[Swatch], suffix: str) -> list[tuple[int, ...]]:
    """Return colours (red, green, blue) for a format that stores no alpha.

    Raises:
        ValueError: a colour is not opaque.
    """
    if any(swatch.color[3:] not in ((), (255,)) for swatch in swatches):
        raise ValueError(f"a {suffix} palette holds no alpha: .png, .svg, .css, .json and .txt do")
    return [swatch.color[:3] for swatch in swatches]


def format_text(swatches: Sequence[Swatch]) -> bytes:
    return "".join(f"{swatch.name}\n" for swatch in swatches).encode()


def format_hex(swatches: Sequence[Swatch]) -> bytes:
    return "".join(f"{swatch.name[1:]}\n" for swatch in swatches).encode()


def parse_text(text: str) -> np.ndarray:
    """Return the colours of a plain text.

    Each line holds colours with a number sign, or one of exactly six or eight hexadecimal digits
    without. Lines that begin with a semicolon or with two slashes are comments. Paint.NET's files,
    which say so in a comment, have alpha first.
    """
    alpha_first = False
    colors: list[Sequence[int]] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = re.split(r"[\s,]+", line.strip(" \t\r,"))
        if words[0].startswith((";", "//")):
            alpha_first = alpha_first or "paint.net" in line.lower()
            continue
        if len(words) == 1 and _BARE_HEX.fullmatch(words[0]):
            digits = words[0]
            if alpha_first and len(digits) == 8:
                digits = digits[2:] + digits[:2]
            colors.append(bytes.fromhex(digits))
            continue
        for word in filter(None, words):
            if not word.startswith("#"):
                expected = "#rrggbb, or one colour of six digits a line"
                raise ValueError(f"line {number}: expected {expected}, found {line[:40]!r}")
            try:
                colors.append(parse_color(word))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
    return as_palette(colors)


def format_gpl(swatches: Sequence[Swatch]) -> bytes:
    """Return a palette of GIMP: https://developer.gimp.org/core/standards/gpl."""
    lines = ["GIMP Palette", "Name: KQF", f"Columns: {COLUMNS}", "#"]
    for red, green, blue in opaque(swatches, ".gpl"):
        lines.append(f"{red:3} {green:3} {blue:3}\t#{red:02x}{green:02x}{blue:02x}")
    return ("\n".join(lines) + "\n").encode()


def parse_gpl(data: bytes) -> np.ndarray:
    """Return the colours of GIMP's palettes, and of Aseprite's with alpha."""
    # Names may be in any encoding, and don't matter.
    lines = data.decode("latin-1").splitlines()
    channels = 4 if any(re.match(r"Channels:\s*RGBA\s*$", line) for line in lines) else 3
    body = [
        (number, line)
        for number, line in enumerate(lines[1:], 2)
        if line.strip() and not re.match(r"#|(Name|Columns|Channels):", line)
    ]
    return as_palette([_numbers(line, number, channels) for number, line in body])


def format_jasc(swatches: Sequence[Swatch]) -> bytes:
    """Return a palette of Paint Shop Pro."""
    rows = [" ".join(map(str, color)) for color in opaque(swatches, ".pal")]
    return "\r\n".join(["JASC-PAL", "0100", str(len(rows)), *rows, ""]).encode()


def parse_jasc(data: bytes) -> np.ndarray:
    """Return the colours of Paint Shop Pro's palettes."""
    lines = [line for line in data.decode("latin-1").splitlines() if line.strip()]
    if len(lines) < 3 or lines[2].strip() != str(len(lines) - 3):
        raise ValueError(f"line 3: expected the number of colours, {max(len(lines) - 3, 0)}")
    channels = 4 if len(lines) > 3 and len(lines[3].split()) == 4 else 3
    return as_palette(
        [_numbers(line, number, channels) for number, line in enumerate(lines[3:], 4)]
    )


def _numbers(line: str, number: int, channels: int) -> list[int]:
    """Return the numbers that a line begins with."""
    found = re.match(r"\s*" + r"\s+".join([r"(\d{1,3})"] * channels) + r"(\s|$)", line)
    values = [int(value) for value in found.groups()[:channels]] if found else [256]
    if max(values) > 255:
        words = {3: "three", 4: "four"}
        raise ValueError(
            f"line {number}: expected {words[channels]} numbers up to 255, found {line[:40]!r}"
        )
    return values


def format_json(swatches: Sequence[Swatch]) -> bytes:
    record = {"colors": [swatch.record() for swatch in swatches]}
    return (json.dumps(record, indent=2) + "\n").encode()


def parse_json(text: str) -> np.ndarray:
    """Return a list of colours, or the one under "colors"; each as text or as numbers."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not valid JSON: {error}") from error
    entries = found.get("colors") if isinstance(found, dict) else found
    if not isinstance(entries, list):
        raise ValueError('expected a list of colours, or one under "colors"')
    colors: list[Sequence[int]] = []
    for entry in entries:
        value = entry.get("color", entry.get("hex")) if isinstance(entry, dict) else entry
        if isinstance(value, str):
            colors.append(parse_color(f"#{value}" if _BARE_HEX.fullmatch(value) else value))
        elif (
            isinstance(value, list)
            and len(value) in (3, 4)
            and all(type(number) is int and 0 <= number <= 255 for number in value)
        ):
            colors.append(value)
        else:
            raise ValueError(f'expected a colour as "#rrggbb" or [r, g, b], found {value!r}')
    return as_palette(colors)


def format_css(swatches: Sequence[Swatch]) -> bytes:
    lines = [
        f"  --color-{each.label}: {each.name}; /* {100 * each.share:.2f} % */" for each in swatches
    ]
    return "\n".join([":root {", *lines, "}", ""]).encode()


def parse_css(text: str) -> np.ndarray:
    """Return the distinct colours in the values of a style sheet, in their order.

    Raises:
        ValueError: there are none, more than 256, or one in a notation that is not known.
    """
    # A comment without an end is one to the end of the text, or each would be looked for in vain.
    bare = re.sub(r"/\*.*?(\*/|\Z)", "", text, flags=re.DOTALL)
    bare = re.sub(r"""url\([^)]*\)?|"[^"\n]*"|'[^'\n]*'""", "", bare)
    colors = [
        color
        for name, value in re.findall(r"([\w-]+)\s*:([^:;{}]*)(?=[;}]|\Z)", bare)
        if not name.lower().startswith(("font", "animation", "grid"))
        for color in _colors_in(value)
    ]
    return as_palette(list(dict.fromkeys(colors)))


def format_svg(swatches: Sequence[Swatch]) -> bytes:
    columns = min(len(swatches), COLUMNS)
    width, height = SWATCH * columns, SWATCH * -(-len(swatches) // columns)
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">']
    for number, each in enumerate(swatches):
        row, column = divmod(number, columns)
        alpha = f' fill-opacity="{each.color[3] / 255:.4f}"' if each.color[3:] else ""
        lines.append(
            f'<rect x="{SWATCH * column}" y="{SWATCH * row}" width="{SWATCH}" '
            f'height="{SWATCH}" fill="{each.name[:7]}"{alpha}>'
            f"<title>{each.name} {100 * each.share:.2f} %</title></rect>"
        )
    return "\n".join([*lines, "</svg>", ""]).encode()


def parse_svg(text: str) -> np.ndarray:
    """Return the distinct colours of fills, strokes and gradients of an SVG, in their order."""
    colors = []
    for tag in re.findall(r"<[a-zA-Z][^<>]*>", text):
        kinds = re.findall(r"""[\s"';](fill|stroke|stop-color)\s*[=:]\s*["']?([^"';<>]*)""", tag)
        for kind, value in kinds:
            name = kind.removesuffix("-color") + "-opacity"
            found = re.search(rf"""{name}\s*[=:]\s*["']?([01](?:\.\d+)?|\.\d+)""", tag)
            for red, green, blue, alpha in _colors_in(re.sub(r"url\([^)]*\)?", "", value)):
                opacity = min(float(found[1]), 1) if found else 1
                colors.append((red, green, blue, round(alpha * opacity)))
    return as_palette(list(dict.fromkeys(colors)))


def _colors_in(value: str) -> Iterator[tuple[int, int, int, int]]:
    """Yield the colours in a value of CSS, and pass over its other words."""
    for token in re.findall(_COLOR, value):
        if not token.isalpha() or token.lower() in ImageColor.colormap:
            yield parse_color(token)
