"""The palettes of images: their own, or the ones that conversion would learn."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from PIL import Image

import kqf
from kqf.io.modes import codebook_of, is_translucent, without_palette
from kqf.io.pictures import is_kqf, load
from kqf.palettes.coerce import match_channels
from kqf.palettes.files import is_picture, read_palette
from kqf.palettes.swatches import Swatch, swatches_of


def swatches_of_file(
    name: str, data: bytes, colors: int | None, **options: Any
) -> tuple[list[Swatch], list[str]]:
    """Return the palette of an image with the share of each colour, and what was lost, in words.

    A KQF file and a picture of mode ``P`` have a palette of their own; of other images it is the
    one that ``kqf.encode`` would learn. Of a palette without a picture, shares are 0.

    Arguments:
        name: of the file.
        data: its bytes.
        colors: the most colours to return, 1 to 256; None for 256.
        options: those of ``kqf.quantize``.

    Raises:
        ValueError: it is neither a picture nor a palette. KqfError: it is a damaged KQF file.
    """
    most = 256 if colors is None else colors
    lost: list[str] = []
    if is_kqf(name, data):
        picture = kqf.read_indexed(data)
    elif not is_picture(name, data):
        return swatches_without_pixels(read_palette(name, data), most), []
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
    return swatches_of(picture.codebook, counts), lost


def swatches_without_pixels(palette: np.ndarray, most: int) -> list[Swatch]:
    """Return the entries of a palette that belongs to no image.

    Raises:
        ValueError: it has more than ``most`` colours, and there are no pixels to choose by.
    """
    if len(palette) > most:
        raise ValueError(f"has {len(palette)} colours and no pixels to learn {most} from")
    return swatches_of(palette)


def swatches_of_images(
    images: Callable[[], Iterable[np.ndarray]], colors: int | None, **options: Any
) -> list[Swatch]:
    """Return one palette for several images, with the share of all pixels that each colour has.

    Arguments:
        images: returns the images, arrays as ``kqf.encode`` takes them; called twice, so that not
            all need to be in memory.
        colors: the most colours to return, 1 to 256; None for 256.
        options: those of ``kqf.learn_palette``.
    """
    palette = kqf.learn_palette(images(), colors=256 if colors is None else colors, **options)
    counts = np.zeros(len(palette), np.int64)
    threads = options.get("threads")
    for pixels in images():
        widened = _with_channels(pixels, palette.shape[1])
        labels = kqf.quantize(widened, palette=palette, quality=100, threads=threads).labels
        counts += np.bincount(labels.ravel(), minlength=len(palette))
    return swatches_of(palette, counts)


def _with_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Return pixels with as many channels as a palette that was learned of them has."""
    flat = pixels.reshape(-1, 1 if pixels.ndim == 2 else pixels.shape[2])
    return match_channels(flat, channels).reshape(*pixels.shape[:2], channels)


def match_image(image: Image.Image, palette: np.ndarray) -> tuple[Image.Image, np.ndarray]:
    """Return an image and a palette with the same channels.

    They are gray if both are, and have alpha if the palette has.

    Raises:
        ValueError: the image has transparency, and the palette has none.
    """
    alpha = palette.shape[1] in (2, 4)
    if not alpha and is_translucent(image):
        raise ValueError("has transparency, and the palette has none")
    gray = palette.shape[1] < 3 and image.mode in ("1", "L", "LA")
    mode = ("L" if gray else "RGB") + ("A" if alpha else "")
    return image.convert(mode), match_channels(palette, len(mode))
