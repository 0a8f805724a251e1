"""Palettes as files of any format."""

import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from kqf.decoding.api import read_indexed
from kqf.io.modes import codebook_of, without_palette
from kqf.io.pictures import is_kqf, load
from kqf.palettes import binary_files as binary
from kqf.palettes import text_files as texts
from kqf.palettes.swatches import Swatch

_WRITERS: dict[str, Callable[[Sequence[Swatch]], bytes]] = {
    ".png": binary.format_png,
    ".svg": texts.format_svg,
    ".gpl": texts.format_gpl,
    ".pal": texts.format_jasc,
    ".act": binary.format_act,
    ".ase": binary.format_ase,
    ".json": texts.format_json,
    ".css": texts.format_css,
    ".txt": texts.format_text,
    ".hex": texts.format_hex,
}
WRITTEN = tuple(_WRITERS)
TEXT_FORMATS = (".svg", ".gpl", ".pal", ".json", ".css", ".txt", ".hex")
# By the first bytes. WebP pictures are RIFF files, too.
_MARKED: dict[bytes, Callable[[bytes], np.ndarray]] = {
    texts.GPL_START: texts.parse_gpl,
    texts.JASC_START: texts.parse_jasc,
    binary.ASE_START: binary.parse_ase,
}


def writer_of(suffix: str) -> Callable[[Sequence[Swatch]], bytes]:
    """Return the function that makes a palette file of swatches.

    Raises:
        ValueError: no format that can be written has this suffix.
    """
    if suffix.lower() not in _WRITERS:
        raise ValueError(f"a palette's suffix is one of {', '.join(WRITTEN)}, not {suffix!r}")
    return _WRITERS[suffix.lower()]


def read_palette(name: str, data: bytes) -> np.ndarray:
    """Return the palette (K, C) uint8 in a palette file, a KQF file or a picture.

    Of a picture without a palette it is the distinct colours, in the order of their first pixels.

    Arguments:
        name: of the file; its suffix tells formats apart that have no mark of their own.

    Raises:
        ValueError: there is none in it, or it is damaged.
        KqfError: it is a damaged KQF file.
    """
    if (palette := _parse_marked(name, data)) is not None:
        return palette
    if is_kqf(name, data):
        return read_indexed(data).codebook
    if is_picture(name, data):
        return palette_of(load(data, 0)[0])
    return parse(name, data)


def is_picture(name: str, data: bytes) -> bool:
    """Tell a picture that Pillow reads from a palette file."""
    if _is_act(name) or _is_marked(data):
        return False
    try:
        with Image.open(io.BytesIO(data)):
            return True
    except UnidentifiedImageError:
        return False


def palette_of(image: Image.Image) -> np.ndarray:
    """Return the palette (K, C) uint8 of an image, or its distinct colours.

    Raises:
        ValueError: it has no palette, and more than 256 distinct colours.
    """
    if image.mode == "P":
        return codebook_of(image)
    if image.mode not in ("1", "L", "LA", "RGB", "RGBA"):
        raise ValueError(f"has mode {image.mode}: convert it to RGB first")
    image = without_palette(image)
    if image.getcolors(256) is None:
        raise ValueError("has more than 256 distinct colours: a palette has at most 256")
    rows = np.asarray(image).reshape(-1, len(image.getbands())).tolist()
    return np.array(list(dict.fromkeys(map(tuple, rows))), np.uint8)


def parse(name: str, data: bytes) -> np.ndarray:
    """Return the palette (K, 3 or 4) uint8 of a palette file that is no picture.

    Arguments:
        name: of the file; its suffix tells formats apart that have no mark of their own.

    Raises:
        ValueError: it is damaged, or no palette.
    """
    if (palette := _parse_marked(name, data)) is not None:
        return palette
    suffix = Path(name).suffix.lower()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("is no image and no palette") from None
    if suffix == ".json" or text.lstrip()[:1] in ("{", "["):
        return texts.parse_json(text)
    if re.search(r"<svg\b", text):
        return texts.parse_svg(text)
    if suffix in (".css", ".scss", ".less") or "{" in text:
        return texts.parse_css(text)
    return texts.parse_text(text)


def _parse_marked(name: str, data: bytes) -> np.ndarray | None:
    """Return the palette of a format that is known by its first bytes, or of an .act file."""
    if _is_act(name):
        return binary.parse_act(data)
    if binary.is_aseprite(data):
        return binary.parse_aseprite(data)
    if binary.is_riff(data):
        return binary.parse_riff(data)
    for start, parser in _MARKED.items():
        if data.startswith(start):
            return parser(data)
    return None


def _is_marked(data: bytes) -> bool:
    return binary.is_aseprite(data) or binary.is_riff(data) or data.startswith(tuple(_MARKED))


def _is_act(name: str) -> bool:
    # The format has no mark.
    return name.lower().endswith(".act")
