"""Palettes to convert with."""

import io

import numpy as np
from PIL import Image, ImageColor, UnidentifiedImageError

import kqf
from kqf.pictures import codebook_of, is_kqf, is_translucent, load, without_palette


def read_palette(name: str, data: bytes) -> np.ndarray:
    """Return the palette (K, C) uint8 in a KQF file, a picture, or a text of hex colours.

    Of a picture without a palette it is the colours, in the order of their first pixels.

    Raises:
        ValueError: none is in it. KqfError: it is a damaged KQF file.
    """
    if is_kqf(name, data):
        return kqf.read_indexed(data).codebook
    try:
        with Image.open(io.BytesIO(data)):
            pass
    except UnidentifiedImageError:
        return _parse_colors(data)
    image, _ = load(data, 0)
    if image.mode == "P":
        return codebook_of(image)
    image = without_palette(image)
    if image.getcolors(256) is None:
        raise ValueError("has more than 256 distinct colours: a palette has at most 256")
    rows = np.asarray(image).reshape(-1, len(image.getbands())).tolist()
    return np.array(list(dict.fromkeys(map(tuple, rows))), np.uint8)


def _parse_colors(data: bytes) -> np.ndarray:
    try:
        lines = data.decode("utf-8-sig").split()
    except UnicodeDecodeError:
        raise ValueError("is no image and no text of colours") from None
    colors = [ImageColor.getcolor(f"#{line.removeprefix('#')}", "RGBA") for line in lines]
    if not 1 <= len(colors) <= 256:
        raise ValueError(f"has {len(colors)} colours: a palette has 1 to 256")
    palette = np.array(colors, np.uint8)
    return palette if palette[:, 3].min() < 255 else palette[:, :3]


def meet(image: Image.Image, palette: np.ndarray) -> tuple[Image.Image, np.ndarray]:
    """Return image and palette with the same channels: any colour, and the palette's alpha.

    Raises:
        ValueError: the image has transparency, and the palette has none.
    """
    channels = palette.shape[1]
    entries = Image.fromarray(palette[None] if channels > 1 else palette.T)
    alpha = channels in (2, 4)
    if not alpha and is_translucent(image):
        raise ValueError("has transparency, and the palette has none")
    gray = channels < 3 and image.mode in ("1", "L", "LA")
    mode = ("L" if gray else "RGB") + ("A" if alpha else "")
    return image.convert(mode), np.asarray(entries.convert(mode)).reshape(len(palette), -1)
