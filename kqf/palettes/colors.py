"""Colours as text: how people and files write them."""

import re
from collections.abc import Sequence

import numpy as np
from PIL import ImageColor

MAX_COLORS = 256
_HEX = re.compile(r"#(?:[0-9a-fA-F]{8}|[0-9a-fA-F]{6}|[0-9a-fA-F]{3,4})")
_FUNCTION = re.compile(r"(rgb|hsl)a?\(([^()]*)\)", re.IGNORECASE)
_NUMBER = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(%|deg)?")


def parse_color(text: str) -> tuple[int, int, int, int]:
    """Return red, green, blue and alpha, 0 to 255 each.

    Arguments:
        text: a colour as CSS writes it: ``#rgb``, ``#rgba``, ``#rrggbb``, ``#rrggbbaa``,
            ``rgb()``, ``hsl()``, or a name such as ``red``.

    Raises:
        ValueError: it is none of these.

    >>> parse_color("#f80"), parse_color("rgb(255 0 0 / 50%)")
    ((255, 136, 0, 255), (255, 0, 0, 128))
    """
    text = text.strip()
    try:
        if found := _FUNCTION.fullmatch(text):
            return _parse_function(found[1].lower(), found[2])
        if _HEX.fullmatch(text) or text.lower() in ImageColor.colormap:
            red, green, blue, *alpha = ImageColor.getrgb(text)
            return red, green, blue, alpha[0] if alpha else 255
    except ValueError:
        pass
    raise ValueError(f"expected a colour such as #ff8000, #f80 or orange, found {text[:40]!r}")


def _parse_function(kind: str, arguments: str) -> tuple[int, int, int, int]:
    """Return the colour of ``rgb(...)`` or ``hsl(...)``, in CSS's old and new notation."""
    words = re.split(r"[\s,/]+", arguments.strip())
    numbers = [_NUMBER.fullmatch(word) for word in words]
    if len(words) not in (3, 4) or not all(numbers):
        raise ValueError
    parts = [(float(number[1]), number[2]) for number in numbers if number]
    alpha = 255
    if len(parts) == 4:
        value, unit = parts.pop()
        alpha = round(255 * min(value / 100 if unit == "%" else value, 1))
    if kind == "hsl":
        hue, saturation, lightness = (value for value, _ in parts)
        red, green, blue = ImageColor.getrgb(
            f"hsl({hue % 360:.4f},{min(saturation, 100):.4f}%,{min(lightness, 100):.4f}%)"
        )[:3]
    else:
        red, green, blue = (
            round(min(255 * value / 100 if unit == "%" else value, 255)) for value, unit in parts
        )
    return red, green, blue, alpha


def as_palette(colors: Sequence[Sequence[int]]) -> np.ndarray:
    """Return colours as a palette (K, 4) uint8, or (K, 3) where all are opaque.

    Arguments:
        colors: red, green, blue and perhaps alpha, 0 to 255 each.

    Raises:
        ValueError: there are none, or more than 256.
    """
    check_count(len(colors))
    palette = np.array([[*color, 255][:4] for color in colors], np.uint8)
    return palette if palette[:, 3].min() < 255 else palette[:, :3]


def check_count(count: int) -> None:
    """Raise ValueError unless a palette can have this many colours."""
    if not 1 <= count <= MAX_COLORS:
        raise ValueError(f"has {count} colours: a palette has 1 to {MAX_COLORS}")
