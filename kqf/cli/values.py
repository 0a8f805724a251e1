"""Values of options that have a syntax of their own."""

import re

import typer

from kqf.convert.options import Size
from kqf.palettes.colors import parse_color as css_color

# As SI and IEC have them, and as people write them.
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


def parse_bytes(text: str) -> int:
    """Return a number of bytes, such as of ``60k``, ``1.5 MB`` or ``64KiB``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]i?|)b?", text.strip().lower())
    size = int(float(found[1]) * _UNITS[found[2]]) if found else 0
    if size < 1:
        raise typer.BadParameter(f"{text} is not a size such as 60000, 60k or 64KiB.")
    return size


def parse_color(text: str) -> tuple[int, ...]:
    """Return the channels of a colour such as ``#ff8000``, ``#f80`` or ``orange``."""
    # Two and four digits are for gray images, but #rgba is a colour of CSS.
    if re.fullmatch(r"([0-9a-fA-F]{2}){1,4}|#[0-9a-fA-F]{2}", text):
        return tuple(bytes.fromhex(text.removeprefix("#")))
    try:
        *color, alpha = css_color(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.", param_hint="--keep") from error
    return tuple(color) if alpha == 255 else (*color, alpha)


def parse_tile(text: str | None) -> int | tuple[int, int] | None:
    """Return the side, or the width and height, of a tile such as ``256`` or ``256x64``."""
    if text is None:
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,8}(x[1-9][0-9]{0,8})?", text):
        raise typer.BadParameter(
            f"{text} is not a size such as 256 or 256x64.", param_hint="--tile"
        )
    width, _, height = text.partition("x")
    return (int(width), int(height)) if height else int(width)


def parse_region(text: str) -> tuple[int, int, int, int]:
    """Return left, upper, right and lower side of a region, such as of ``0,0,640,480``."""
    found = re.fullmatch(r"(\d+),(\d+),(\d+),(\d+)", text.replace(" ", ""))
    left, upper, right, lower = map(int, found.groups()) if found else (0, 0, 0, 0)
    if not (left < right and upper < lower):
        raise typer.BadParameter(
            f"{text} is not left,upper,right,lower in pixels, such as 0,0,640,480."
        )
    return left, upper, right, lower


def parse_size(text: str) -> Size:
    """Return the size that ``640x480``, ``640`` or ``50%`` stands for."""
    if found := re.fullmatch(r"([1-9]\d{0,8})x([1-9]\d{0,8})", text):
        return Size(sides=(int(found[1]), int(found[2])))
    if re.fullmatch(r"[1-9]\d{0,8}", text):
        return Size(longer=int(text))
    found = re.fullmatch(r"(\d{1,5}(?:\.\d+)?)%", text)
    if not found or not float(found[1]):
        raise typer.BadParameter(f"{text} is not a size such as 640x480, 640 or 50%.")
    return Size(share=float(found[1]) / 100)


def parse_frames(text: str) -> tuple[int, int]:
    """Return the first frame, and the one after the last, of a range such as ``10:40``."""
    found = re.fullmatch(r"(\d+):(\d+)", text)
    first, end = map(int, found.groups()) if found else (0, 0)
    if first >= end:
        raise typer.BadParameter(f"{text} is not a range of frames such as 10:40.")
    return first, end
