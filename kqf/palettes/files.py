"""Palettes as files: how each format is written, and read."""

import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageColor, ImageDraw

# Of a picture of swatches, in pixels.
_SWATCH, _COLUMNS = 32, 16
_ACT_COLORS = 256
_NO_COLOR = 0xFFFF
_GPL_START = b"GIMP Palette"
_HEX = r"#([0-9a-fA-F]{8}|[0-9a-fA-F]{6})\b"


@dataclass(frozen=True)
class Swatch:
    """One entry of a palette.

    Attributes:
        label: its number.
        color: channels, 0 to 255: red, green, blue, and alpha if the palette has any.
        pixels, share: how many pixels have it, and their share of all, 0 to 1.
    """

    label: int
    color: tuple[int, ...]
    pixels: int
    share: float

    @property
    def name(self) -> str:
        """The colour as #rrggbb, or #rrggbbaa where it lets something shine through."""
        shown = self.color[:3] if self.color[3:] == (255,) else self.color
        return "#" + bytes(shown).hex()

    def record(self) -> dict[str, object]:
        """Return it for JSON."""
        return {"label": self.label, "color": self.name, "pixels": self.pixels, "share": self.share}


def writer_of(suffix: str) -> Callable[[Sequence[Swatch]], bytes]:
    """Return what makes a file of swatches.

    Raises:
        ValueError: there is no such format.
    """
    if suffix.lower() not in _WRITERS:
        raise ValueError(f"a palette's suffix is one of {', '.join(_WRITERS)}, not {suffix!r}")
    return _WRITERS[suffix.lower()]


def parse(name: str, data: bytes) -> np.ndarray:
    """Return the palette (K, 3 or 4) uint8 of a file that is no picture.

    Arguments:
        name: whose suffix tells what has no mark of its own.

    Raises:
        ValueError: it is damaged, or no palette.
    """
    if is_act(name):
        return _parse_act(data)
    if data.startswith(_GPL_START):
        return _parse_gpl(data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("is no image and no palette") from None
    if text.lstrip()[:1] in ("{", "["):
        return _parse_json(text)
    if re.search(r"<svg\b", text):
        return _parse_svg(text)
    if "{" in text:
        return _parse_css(text)
    return _parse_text(text)


def is_act(name: str) -> bool:
    """Tell by the name: the format has no mark."""
    return name.lower().endswith(".act")


def _palette(colors: Sequence[Sequence[int]]) -> np.ndarray:
    """Return colours as a palette, without alpha where all are opaque."""
    if not 1 <= len(colors) <= 256:
        raise ValueError(f"has {len(colors)} colours: a palette has 1 to 256")
    palette = np.array([[*color, 255][:4] for color in colors], np.uint8)
    return palette if palette[:, 3].min() < 255 else palette[:, :3]


def _format_text(swatches: Sequence[Swatch]) -> bytes:
    return "".join(f"{swatch.name}\n" for swatch in swatches).encode()


def _parse_text(text: str) -> np.ndarray:
    words = [word.removeprefix("#") for word in text.split()]
    colors = [ImageColor.getcolor(f"#{word}", "RGBA") for word in words]
    return _palette([color for color in colors if isinstance(color, tuple)])


def _opaque(swatches: Sequence[Swatch], kind: str) -> list[tuple[int, ...]]:
    if any(swatch.color[3:] not in ((), (255,)) for swatch in swatches):
        raise ValueError(f"a {kind} palette holds no alpha: .png, .svg, .css, .json and .txt do")
    return [swatch.color[:3] for swatch in swatches]


def _format_gpl(swatches: Sequence[Swatch]) -> bytes:
    lines = ["GIMP Palette", "Name: KQF", f"Columns: {_COLUMNS}", "#"]
    for red, green, blue in _opaque(swatches, ".gpl"):
        lines.append(f"{red:3} {green:3} {blue:3}\t#{red:02x}{green:02x}{blue:02x}")
    return ("\n".join(lines) + "\n").encode()


def _parse_gpl(data: bytes) -> np.ndarray:
    colors = []
    # Names of colours may be in any encoding, and don't matter.
    for number, line in enumerate(data.decode("latin-1").splitlines()[1:], 2):
        if not line.strip() or line.startswith("#") or re.match("(Name|Columns):", line):
            continue
        found = re.match(r"\s*(\d{1,3})\s+(\d{1,3})\s+(\d{1,3})(\s|$)", line)
        color = [int(value) for value in found.groups()[:3]] if found else [256]
        if max(color) > 255:
            raise ValueError(f"line {number}: expected three numbers up to 255, found {line!r}")
        colors.append(color)
    return _palette(colors)


def _format_act(swatches: Sequence[Swatch]) -> bytes:
    """Adobe's colour table: 256 entries, how many count, and none that is transparent."""
    entries = b"".join(map(bytes, _opaque(swatches, ".act"))).ljust(3 * _ACT_COLORS, b"\0")
    return entries + len(swatches).to_bytes(2, "big") + _NO_COLOR.to_bytes(2, "big")


def _parse_act(data: bytes) -> np.ndarray:
    size = 3 * _ACT_COLORS
    if len(data) not in (size, size + 4):
        raise ValueError(f"an .act palette has {size} or {size + 4} bytes, not {len(data)}")
    entries = np.frombuffer(data, np.uint8, size).reshape(-1, 3)
    if len(data) == size:
        return entries.copy()
    count = int.from_bytes(data[size : size + 2], "big")
    clear = int.from_bytes(data[size + 2 :], "big")
    if not 1 <= count <= _ACT_COLORS:
        raise ValueError(f"has {count} colours: a palette has 1 to {_ACT_COLORS}")
    if clear >= count:
        return entries[:count].copy()
    colors = np.column_stack([entries[:count], np.full(count, 255, np.uint8)])
    colors[clear, 3] = 0
    return colors


def _format_json(swatches: Sequence[Swatch]) -> bytes:
    record = {"colors": [swatch.record() for swatch in swatches]}
    return (json.dumps(record, indent=2) + "\n").encode()


def _parse_json(text: str) -> np.ndarray:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is no JSON: {error}") from error
    entries = found.get("colors") if isinstance(found, dict) else found
    if not isinstance(entries, list):
        raise ValueError('expected a list of colours, or one under "colors"')
    colors = []
    for entry in entries:
        name = entry.get("color") if isinstance(entry, dict) else entry
        if not isinstance(name, str) or not re.fullmatch(_HEX, name):
            raise ValueError(f'expected a colour as "#rrggbb", found {name!r}')
        colors.append(bytes.fromhex(name[1:]))
    return _palette(colors)


def _format_css(swatches: Sequence[Swatch]) -> bytes:
    lines = [
        f"  --color-{each.label}: {each.name}; /* {100 * each.share:.2f} % */" for each in swatches
    ]
    return "\n".join([":root {", *lines, "}", ""]).encode()


def _parse_css(text: str) -> np.ndarray:
    # A comment without an end is one to the end of the text, or each would be looked for in vain.
    bare = re.sub(r"/\*.*?(\*/|\Z)", "", text, flags=re.DOTALL)
    return _palette([bytes.fromhex(digits) for digits in re.findall(rf":\s*{_HEX}", bare)])


def _format_svg(swatches: Sequence[Swatch]) -> bytes:
    columns = min(len(swatches), _COLUMNS)
    width, height = _SWATCH * columns, _SWATCH * -(-len(swatches) // columns)
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">']
    for number, each in enumerate(swatches):
        row, column = divmod(number, columns)
        alpha = f' fill-opacity="{each.color[3] / 255:.4f}"' if each.color[3:] else ""
        lines.append(
            f'<rect x="{_SWATCH * column}" y="{_SWATCH * row}" width="{_SWATCH}" '
            f'height="{_SWATCH}" fill="{each.name[:7]}"{alpha}>'
            f"<title>{each.name} {100 * each.share:.2f} %</title></rect>"
        )
    return "\n".join([*lines, "</svg>", ""]).encode()


def _parse_svg(text: str) -> np.ndarray:
    """Return the fills of an SVG in their order."""
    colors = []
    for tag in re.findall(r"<[a-zA-Z][^<>]*>", text):
        if fill := re.search(r'\bfill="#([0-9a-fA-F]{6})"', tag):
            opacity = re.search(r'\bfill-opacity="([01](?:\.\d+)?|\.\d+)"', tag)
            alpha = round(255 * min(float(opacity[1]), 1)) if opacity else 255
            colors.append([*bytes.fromhex(fill[1]), alpha])
    return _palette(colors)


def _format_png(swatches: Sequence[Swatch]) -> bytes:
    """A picture of squares whose palette is the palette, in its order."""
    columns = min(len(swatches), _COLUMNS)
    rows = -(-len(swatches) // columns)
    picture = Image.new("P", (_SWATCH * columns, _SWATCH * rows), len(swatches) - 1)
    pen = ImageDraw.Draw(picture)
    for number in range(len(swatches)):
        row, column = divmod(number, columns)
        box = (
            _SWATCH * column,
            _SWATCH * row,
            _SWATCH * (column + 1) - 1,
            _SWATCH * (row + 1) - 1,
        )
        pen.rectangle(box, number)
    mode = "RGBA" if swatches[0].color[3:] else "RGB"
    picture.putpalette(b"".join(bytes(each.color) for each in swatches), mode)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


_WRITERS: dict[str, Callable[[Sequence[Swatch]], bytes]] = {
    ".png": _format_png,
    ".svg": _format_svg,
    ".gpl": _format_gpl,
    ".act": _format_act,
    ".json": _format_json,
    ".css": _format_css,
    ".txt": _format_text,
}
