"""The palettes of images and files: to convert with, and to look at."""

import io
from collections.abc import Iterable
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

import kqf
from kqf.display import in_color
from kqf.io.pictures import codebook_of, is_kqf, is_translucent, load, without_palette
from kqf.palettes.files import Swatch, is_act, parse


def read_palette(name: str, data: bytes) -> np.ndarray:
    """Return the palette (K, C) uint8 in a KQF file, a picture, or any of kqf.palette_files.

    Of a picture without a palette it is the colours, in the order of their first pixels.

    Raises:
        ValueError: none is in it. KqfError: it is a damaged KQF file.
    """
    if is_kqf(name, data):
        return kqf.read_indexed(data).codebook
    if not is_picture(name, data):
        return parse(name, data)
    image, _ = load(data, 0)
    if image.mode == "P":
        return codebook_of(image)
    image = without_palette(image)
    if image.getcolors(256) is None:
        raise ValueError("has more than 256 distinct colours: a palette has at most 256")
    rows = np.asarray(image).reshape(-1, len(image.getbands())).tolist()
    return np.array(list(dict.fromkeys(map(tuple, rows))), np.uint8)


def is_picture(name: str, data: bytes) -> bool:
    """Tell a picture from a palette."""
    if is_act(name):
        return False
    try:
        with Image.open(io.BytesIO(data)):
            return True
    except UnidentifiedImageError:
        return False


def learned_together(
    images: Iterable[np.ndarray], colors: int | None, **options: Any
) -> list[Swatch]:
    """Return one palette for all images, shares 0. Arguments: as for kqf.learn_palette."""
    palette = kqf.learn_palette(images, colors=256 if colors is None else colors, **options)
    return _swatches(palette, np.zeros(len(palette), np.int64))


def swatches_of(
    name: str, data: bytes, colors: int | None, **options: Any
) -> tuple[list[Swatch], list[str]]:
    """Return the palette of an image with the share of each colour, and what was lost, in words.

    It is the file's own where it has one, of a KQF file or a picture of mode ``P``; otherwise the
    one that kqf.encode would learn. Of a palette without a picture, shares are 0.

    Arguments:
        colors: at the most; None for 256.
        options: as for kqf.quantize.

    Raises:
        ValueError: neither a picture nor a palette. KqfError: it is a damaged KQF file.
    """
    most = 256 if colors is None else colors
    lost: list[str] = []
    if is_kqf(name, data):
        picture = kqf.read_indexed(data)
    elif not is_picture(name, data):
        palette = parse(name, data)
        if len(palette) > most:
            raise ValueError(f"has {len(palette)} colours and no pixels to learn {most} from")
        return _swatches(palette, np.zeros(len(palette), np.int64)), []
    else:
        image, lost = load(data)
        if image.mode == "P":
            picture = kqf.IndexedImage(np.asarray(image), codebook_of(image))
        else:
            pixels = np.asarray(without_palette(image))
            picture = kqf.quantize(pixels, colors=most, quality=100, **options)
    if len(picture.codebook) > most:
        picture = kqf.quantize(picture.pixels, colors=most, quality=100, **options)
    counts = np.bincount(picture.labels.ravel(), minlength=len(picture.codebook))
    return _swatches(picture.codebook, counts), lost


def _swatches(codebook: np.ndarray, counts: np.ndarray) -> list[Swatch]:
    pixels = max(int(counts.sum()), 1)
    colors = in_color(codebook).tolist()
    return [
        Swatch(label, tuple(color), count, count / pixels)
        for label, (color, count) in enumerate(zip(colors, counts.tolist(), strict=True))
    ]


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
