"""A palette from whatever a caller has."""

from collections.abc import Sequence
from difflib import get_close_matches
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kqf.image import IndexedImage
from kqf.text import describe

if TYPE_CHECKING:
    from PIL import Image, ImagePalette

    Palette = (
        np.ndarray
        | Sequence[Sequence[int] | str]
        | str
        | PathLike[str]
        | IndexedImage
        | Image.Image
        | ImagePalette.ImagePalette
    )

_MAX_COLORS = 256


def as_codebook(palette: "Palette") -> np.ndarray:
    """Return a palette as a codebook, (K, C) uint8 with K from 1 to 256 and C from 1 to 4.

    Arguments:
        palette: one of

            - an array (K, C) of integers from 0 to 255, or of booleans;
            - colours as tuples of integers, as ``"#rrggbb"`` (also ``#rgb``, ``#rgba``,
              ``#rrggbbaa``, ``rgb()``, ``hsl()``), or as CSS's names of colours;
            - the path or URL of a palette file, of a KQF file, or of an image of at most 256
              colours;
            - the name of a built-in palette such as ``"gameboy"``, which ``kqf palette --list``
              lists; it goes before a file of the same name, which ``"./gameboy"`` means;
            - an IndexedImage, a Pillow image or a Pillow ImagePalette.

    Raises:
        TypeError: it is none of these, or has numbers that are not integers.
        ValueError: it has no colours or more than 256, numbers outside 0 to 255, colours that
            can't be read, or a name that is neither a file nor a built-in palette.
        OSError: the file can't be read.

    >>> as_codebook([(255, 0, 0), (0, 0, 255)]).tolist()
    [[255, 0, 0], [0, 0, 255]]
    >>> as_codebook(["#f00", "blue"]).tolist()
    [[255, 0, 0], [0, 0, 255]]
    """
    if isinstance(palette, np.ndarray):
        return _checked(palette)
    if isinstance(palette, str | PathLike):
        name = fspath(palette)
        try:
            return load_palette(name) if isinstance(palette, str) else _load_file(name)
        except ValueError as error:
            raise ValueError(f"palette {name!r}: {error}") from error
    if isinstance(palette, IndexedImage):
        return palette.codebook
    if type(palette).__module__.startswith("PIL."):
        return _of_pillow(palette)
    if isinstance(palette, Sequence) and not isinstance(palette, bytes | bytearray | memoryview):
        return _of_colors(palette)
    raise TypeError(
        "palette must be an array, a list of colours, a path, a name or a Pillow image, "
        f"not {describe(palette)}"
    )


def load_palette(name: str) -> np.ndarray:
    """Return a palette (K, C) uint8 by the name of a built-in one, by colours, or from a file.

    Arguments:
        name: a built-in palette's name, colours such as ``"#000,#fff"``, or a path or URL.

    Raises:
        ValueError: it is none of these, or not a palette. OSError: the file can't be read.
    """
    from kqf.io.paths import exists
    from kqf.palettes.builtin import BUILTIN, find_builtin

    if not name:
        raise ValueError("the name is empty")
    if builtin := find_builtin(name):
        return builtin.codebook
    if not exists(name):
        words = [word.strip() for word in name.split(",")]
        if all(word.startswith("#") or (len(words) > 1 and word.isalpha()) for word in words):
            return _of_colors(words)
        similar = get_close_matches(name.lower(), BUILTIN, n=3)
        advice = f"; similar: {', '.join(similar)}" if similar else ""
        raise ValueError(f"there is no such file and no built-in palette of this name{advice}")
    return _load_file(name)


def _load_file(name: str) -> np.ndarray:
    from kqf.io.paths import read
    from kqf.palettes.files import read_palette

    return read_palette(Path(name).name, read(name))


def match_channels(codebook: np.ndarray, channels: int) -> np.ndarray:
    """Return the same colours with another number of channels.

    Arguments:
        codebook: (K, C) uint8.
        channels: 1 (gray), 2 (gray and alpha), 3 (RGB) or 4 (RGBA).

    Returns:
        (K, channels) uint8.

    Raises:
        ValueError: colours, or transparency, would be lost.
    """
    has_color, has_alpha = codebook.shape[1] > 2, codebook.shape[1] in (2, 4)
    colors = codebook[:, :3] if has_color else codebook[:, :1]
    alpha = codebook[:, -1:] if has_alpha else np.full((len(codebook), 1), 255, np.uint8)
    if channels > 2 and not has_color:
        colors = np.repeat(colors, 3, axis=1)
    elif channels <= 2 and has_color:
        if (colors != colors[:, :1]).any():
            raise ValueError("the palette has colours, and the image is gray")
        colors = colors[:, :1]
    if channels in (2, 4):
        colors = np.concatenate([colors, alpha], axis=1)
    elif alpha.min() < 255:
        raise ValueError("the palette has transparency, and the image has none")
    return np.ascontiguousarray(colors)


def _checked(palette: np.ndarray) -> np.ndarray:
    """Return an array of colours as uint8."""
    if palette.dtype == np.bool_:
        palette = palette * np.uint8(255)
    if palette.dtype.kind not in "iu":
        advice = ""
        if palette.dtype.kind == "f":
            advice = ": for numbers up to 1, pass (255 * palette).round().astype('uint8')"
        raise TypeError(f"a palette must be integers from 0 to 255, not {palette.dtype}{advice}")
    if palette.ndim != 2 or not 1 <= palette.shape[1] <= 4:
        expected = "colours of 1 to 4 channels, (K, C)"
        raise ValueError(f"a palette must be an array of {expected}, not {palette.shape}")
    _check_count(len(palette))
    low, high = int(palette.min()), int(palette.max())
    if low < 0 or high > 255:
        raise ValueError(f"a palette must be integers from 0 to 255, not {low} to {high}")
    return np.ascontiguousarray(palette, np.uint8)


def _check_count(count: int) -> None:
    if not 1 <= count <= _MAX_COLORS:
        raise ValueError(f"a palette must have 1 to {_MAX_COLORS} colours, not {count}")


def _of_colors(colors: Sequence[Any]) -> np.ndarray:
    """Return the codebook of a list of colours: text, tuples of integers, or both."""
    from kqf.palettes.colors import as_palette, parse_color

    _check_count(len(colors))
    rows = [parse_color(color) if isinstance(color, str) else color for color in colors]
    for row in rows:
        if not isinstance(row, Sequence | np.ndarray) or not 1 <= len(row) <= 4:
            raise ValueError(
                f"a palette is a list of colours such as (255, 0, 0) or '#ff0000', not of {row!r}"
            )
    lengths = {len(row) for row in rows}
    if any(isinstance(color, str) for color in colors):
        return as_palette(_checked_rows(rows))
    if len(lengths) > 1:
        raise ValueError(f"a palette's colours must have one length, not {sorted(lengths)}")
    return _checked(np.array([list(row) for row in rows]))


def _checked_rows(rows: list[Any]) -> list[list[int]]:
    """Return rows of 3 or 4 integers each, of which some were text."""
    for row in rows:
        if len(row) < 3:
            raise ValueError(f"a palette of text holds colours of 3 or 4 numbers, not {row!r}")
    return [_checked(np.array([list(row)]))[0].tolist() for row in rows]


def _of_pillow(palette: Any) -> np.ndarray:
    from PIL import Image, ImagePalette

    from kqf.io.modes import codebook_of
    from kqf.palettes.files import palette_of

    if isinstance(palette, Image.Image):
        return palette_of(palette)
    if not isinstance(palette, ImagePalette.ImagePalette):
        raise TypeError(f"a palette can't be made of Pillow's {type(palette).__name__}")
    if not len(palette.palette):
        raise ValueError("a palette must have 1 to 256 colours, not 0")
    image = Image.new("P", (1, 1))
    image.putpalette(bytes(palette.palette), palette.rawmode or palette.mode)
    return codebook_of(image)
