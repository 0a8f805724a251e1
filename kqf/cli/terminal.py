"""A picture as coloured half blocks, two pixels to a character."""

import numpy as np
from PIL import Image
from rich.color import Color
from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style

_UPPER_HALF = "\N{UPPER HALF BLOCK}"
# Pixels of a side of the checkerboard's squares, and the grays of the two kinds.
_SQUARE, _LIGHT, _DARK = 4, 0xCC, 0x99
# Small pictures are enlarged up to this many times.
_MAX_ENLARGED = 4
# Lines that are left for the prompt.
_LINES_LEFT = 2


def drawn(image: Image.Image, forced: bool = False) -> str:
    """Return a picture as large as fits into the terminal, as text with escape sequences.

    Arguments:
        image: of any mode that Pillow converts to RGBA.
        forced: whether to use colours even if stdout is no terminal.
    """
    console = Console(
        force_terminal=True if forced else None, color_system="truecolor" if forced else "auto"
    )
    width, height = console.width, 2 * max(console.height - _LINES_LEFT, 1)
    pixels = np.asarray(_over_checkerboard(_fitted(image, width, height)))
    if len(pixels) % 2:
        # The terminal's own background would show through half a line.
        pixels = np.concatenate([pixels, pixels[-1:]])
    lines = []
    for upper, lower in zip(pixels[::2].tolist(), pixels[1::2].tolist(), strict=True):
        for top, bottom in zip(upper, lower, strict=True):
            style = Style(color=Color.from_rgb(*top), bgcolor=Color.from_rgb(*bottom))
            lines.append(Segment(_UPPER_HALF, style))
        lines.append(Segment.line())
    with console.capture() as captured:
        console.print(Segments(lines), end="")
    return captured.get().rstrip("\n")


def _fitted(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return an image as RGBA, no larger than width x height pixels."""
    scale = min(width / image.width, height / image.height)
    if scale >= 1:
        # By whole numbers, so that each pixel stays a square.
        times = min(int(scale), _MAX_ENLARGED)
        size = times * image.width, times * image.height
        return image.convert("RGBA").resize(size, Image.Resampling.NEAREST)
    size = max(round(scale * image.width), 1), max(round(scale * image.height), 1)
    # Premultiplied, or hidden colours would show at transparent edges.
    smaller = image.convert("RGBA").convert("RGBa").resize(size, Image.Resampling.BOX)
    return smaller.convert("RGBA")


def _over_checkerboard(image: Image.Image) -> Image.Image:
    """Return an RGBA image as RGB over a checkerboard."""
    y, x = np.indices((image.height, image.width)) // _SQUARE
    board = np.where((x + y) % 2, np.uint8(_DARK), np.uint8(_LIGHT))
    under = Image.fromarray(board).convert("RGBA")
    return Image.alpha_composite(under, image).convert("RGB")
