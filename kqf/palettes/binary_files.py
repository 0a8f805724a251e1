"""Palette files that are not text: .act, .ase, .aseprite, .pal of Windows and .png."""

import io
import struct
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageDraw

from kqf.palettes.colors import MAX_COLORS, as_palette, check_count
from kqf.palettes.swatches import Swatch
from kqf.palettes.text_files import COLUMNS, SWATCH, opaque

ASE_START = b"ASEF"
_ASEPRITE_MAGIC = 0xA5E0
_ACT_BYTES = 3 * 256
_NO_COLOR = 0xFFFF


def is_aseprite(data: bytes) -> bool:
    return data[4:6] == _ASEPRITE_MAGIC.to_bytes(2, "little")


def is_riff(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"PAL "


def format_act(swatches: Sequence[Swatch]) -> bytes:
    """Return Adobe's colour table: 256 entries, how many count, and none that is transparent."""
    entries = b"".join(map(bytes, opaque(swatches, ".act"))).ljust(_ACT_BYTES, b"\0")
    return entries + len(swatches).to_bytes(2, "big") + _NO_COLOR.to_bytes(2, "big")


def parse_act(data: bytes) -> np.ndarray:
    """Return the colours of Adobe's colour table."""
    if len(data) not in (_ACT_BYTES, _ACT_BYTES + 4):
        expected = f"{_ACT_BYTES} or {_ACT_BYTES + 4} bytes"
        raise ValueError(f"an .act palette has {expected}, not {len(data)}")
    entries = np.frombuffer(data, np.uint8, _ACT_BYTES).reshape(-1, 3)
    if len(data) == _ACT_BYTES:
        return entries.copy()
    count, clear = struct.unpack_from(">HH", data, _ACT_BYTES)
    check_count(count)
    if clear >= count:
        return entries[:count].copy()
    colors = np.column_stack([entries[:count], np.full(count, 255, np.uint8)])
    colors[clear, 3] = 0
    return colors


def format_ase(swatches: Sequence[Swatch]) -> bytes:
    """Return Adobe's swatch exchange format, each colour named as #rrggbb."""
    blocks = []
    for color, swatch in zip(opaque(swatches, ".ase"), swatches, strict=True):
        name = (swatch.name[:7] + "\0").encode("utf-16-be")
        values = struct.pack(">3f", *(channel / 255 for channel in color))
        body = struct.pack(">H", len(name) // 2) + name + b"RGB " + values + b"\0\2"
        blocks.append(struct.pack(">HI", 1, len(body)) + body)
    return ASE_START + struct.pack(">HHI", 1, 0, len(blocks)) + b"".join(blocks)


def parse_ase(data: bytes) -> np.ndarray:
    """Return the colours of Adobe's swatch exchange format, of all groups."""
    try:
        return as_palette(list(_ase_colors(data)))
    except struct.error:
        raise ValueError("is a damaged .ase palette: it ends too early") from None


def _ase_colors(data: bytes) -> Iterator[list[int]]:
    at = 12
    for _ in range(struct.unpack_from(">I", data, 8)[0]):
        kind, size = struct.unpack_from(">HI", data, at)
        at += 6
        if kind == 1:
            model_at = at + 2 + 2 * struct.unpack_from(">H", data, at)[0]
            model = data[model_at : model_at + 4]
            if model in (b"RGB ", b"Gray", b"GRAY"):
                count = 3 if model == b"RGB " else 1
                values = struct.unpack_from(f">{count}f", data, model_at + 4)
                if not all(0 <= value <= 1 for value in values):
                    raise ValueError(f"expected numbers from 0 to 1, found {values}")
                yield [round(255 * value) for value in values] * (3 // count)
            else:
                what = model.decode("latin-1").strip()
                raise ValueError(f"holds {what} colours, not RGB: export it as RGB")
        at += size


def parse_aseprite(data: bytes) -> np.ndarray:
    """Return the palette of an Aseprite sprite, as its first frame says.

    Source: https://github.com/aseprite/aseprite/blob/main/docs/ase-file-specs.md
    """
    try:
        return _aseprite_palette(data)
    except struct.error:
        raise ValueError("is a damaged Aseprite file: it ends too early") from None


def _aseprite_palette(data: bytes) -> np.ndarray:
    header, frame_header = 128, 16
    chunks_old, chunks_new = struct.unpack_from("<6xH4xI", data, header)
    at = header + frame_header
    old: dict[int, Sequence[int]] = {}
    new: dict[int, Sequence[int]] = {}
    for _ in range(chunks_new or chunks_old):
        size, kind = struct.unpack_from("<IH", data, at)
        if size < 6:
            raise ValueError(f"is a damaged Aseprite file: a chunk of {size} bytes")
        if kind == 0x2019:
            _read_palette_chunk(data, at + 6, new)
        elif kind in (0x0004, 0x0011):
            _read_old_palette_chunk(data, at + 6, 255 if kind == 0x0004 else 63, old)
        at += size
    colors = new or old
    if not colors:
        raise ValueError("is an Aseprite file without a palette")
    check_count(max(colors) + 1)
    return as_palette([colors.get(index, (0, 0, 0)) for index in range(max(colors) + 1)])


def _read_palette_chunk(data: bytes, at: int, colors: dict[int, Sequence[int]]) -> None:
    _, first, last = struct.unpack_from("<III", data, at)
    at += 20
    check_count(last + 1)
    for index in range(first, last + 1):
        flags, *color = struct.unpack_from("<H4B", data, at)
        at += 6
        if flags & 1:
            at += 2 + struct.unpack_from("<H", data, at)[0]
        colors[index] = color


def _read_old_palette_chunk(
    data: bytes, at: int, highest: int, colors: dict[int, Sequence[int]]
) -> None:
    packets = struct.unpack_from("<H", data, at)[0]
    at += 2
    index = 0
    for _ in range(packets):
        skipped, count = struct.unpack_from("<BB", data, at)
        at += 2
        index += skipped
        for _ in range(count or MAX_COLORS):
            color = struct.unpack_from("<3B", data, at)
            colors[index] = [min(round(255 * value / highest), 255) for value in color]
            index += 1
            at += 3


def parse_riff(data: bytes) -> np.ndarray:
    """Return the colours of a palette of Windows: RIFF with a LOGPALETTE."""
    at = data.find(b"data", 12)
    try:
        _, count = struct.unpack_from("<HH", data, at + 8)
    except struct.error:
        count = 0
    check_count(count if at > 0 else 0)
    entries = data[at + 12 : at + 12 + 4 * count]
    if len(entries) < 4 * count:
        raise ValueError("is a damaged .pal palette: it ends too early")
    # The fourth byte says how Windows uses the entry.
    return np.frombuffer(entries, np.uint8).reshape(-1, 4)[:, :3].copy()


def format_png(swatches: Sequence[Swatch]) -> bytes:
    """Return a picture of squares whose palette is the palette, in its order."""
    columns = min(len(swatches), COLUMNS)
    rows = -(-len(swatches) // columns)
    picture = Image.new("P", (SWATCH * columns, SWATCH * rows), len(swatches) - 1)
    pen = ImageDraw.Draw(picture)
    for number in range(len(swatches)):
        row, column = divmod(number, columns)
        left, top = SWATCH * column, SWATCH * row
        pen.rectangle((left, top, left + SWATCH - 1, top + SWATCH - 1), number)
    mode = "RGBA" if swatches[0].color[3:] else "RGB"
    picture.putpalette(b"".join(bytes(each.color) for each in swatches), mode)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
