"""The part of an image that is converted, in the size that is asked for."""

from dataclasses import replace

import numpy as np
from PIL import Image

from kqf.convert.options import ConversionOptions
from kqf.io.large_image import MOST_PIXELS, LargeImage, Report, is_large
from kqf.io.modes import image_of, without_palette
from kqf.io.pictures import Picture
from kqf.quantization.pixels import as_pixels

# Rows of a large image that are read at a time, about.
_ROWS = 1024


def box_of(size: tuple[int, int], options: ConversionOptions) -> tuple[int, int, int, int]:
    """Return the box (left, upper, right, lower) to take of an image of a width and height.

    Raises:
        ValueError: the region is not inside the image.
    """
    box = options.region or (0, 0, *size)
    if box[2] > size[0] or box[3] > size[1]:
        text = ",".join(map(str, box))
        raise ValueError(f"--region must lie inside 0,0,{size[0]},{size[1]}, not {text}")
    return box


def size_after(size: tuple[int, int], options: ConversionOptions) -> tuple[int, int]:
    """Return the width and height of what is made of an image of a width and height.

    Raises:
        ValueError: the region is not inside the image.
    """
    left, upper, right, lower = box_of(size, options)
    part = right - left, lower - upper
    return part if options.size is None else options.size.of(part)


def part_of_picture(picture: Picture, options: ConversionOptions) -> Picture:
    """Return the part of a picture.

    Raises:
        ValueError: the region is not inside the picture.
    """
    image, changes, info = picture.image, picture.changes, picture.image.info
    size = size_after(image.size, options)
    if options.region is not None:
        image = image.crop(box_of(image.size, options))
    if options.size is not None:
        image = _colored(image).resize(size, Image.Resampling.LANCZOS)
        changes = [*changes, _change(size)]
    image.info = info
    return replace(picture, image=image, changes=changes)


def cut(image: LargeImage, options: ConversionOptions) -> LargeImage:
    """Return the region of a large image.

    Raises:
        ValueError: the region is not inside the image.
    """
    return image if options.region is None else image.cut(box_of(image.size, options))


def resized(
    image: LargeImage,
    size: tuple[int, int],
    report: Report,
    box: tuple[float, float, float, float] | None = None,
) -> Picture:
    """Return a large image in another size, read band by band.

    Arguments:
        size: width and height to make of it, in pixels.
        box: the part of the image to take, None for all.

    Raises:
        ValueError: the size is too large to hold.
    """
    width, height = image.size
    scale = min(width / size[0], height / size[1])
    # Means of squares first, as far as the filter afterwards still has pixels to choose from.
    factor = max(int(scale / 2), 1)
    if is_large((width // factor, height // factor)):
        factor = max(int(scale), 1)
    if is_large((width // factor, height // factor)) or is_large(size):
        raise ValueError(
            f"--size: {size[0]} x {size[1]} is too large: "
            f"at most {MOST_PIXELS:,} pixels can be resized"
        )
    left, upper, right, lower = (side / factor for side in box or (0, 0, width, height))
    shown = _reduced(image, factor, report).resize(
        size, Image.Resampling.LANCZOS, box=(left, upper, right, lower)
    )
    shown.info.update(image.metadata)
    return Picture(shown, [_change(size)], [], [])


def whole(image: LargeImage) -> Picture:
    """Return an image that is small by now, with its pixels."""
    shown = image_of(as_pixels(np.asarray(image.pixels)))
    shown.info.update(image.metadata)
    return Picture(shown, [], [], [])


def _reduced(image: LargeImage, factor: int, report: Report) -> Image.Image:
    """Return the means of squares of pixels, ``factor`` a side."""
    pixels, height = image.pixels, image.size[1]
    rows = factor * max(_ROWS // factor, 1)
    bands = []
    for upper in range(0, height, rows):
        band = image_of(as_pixels(np.asarray(pixels[upper : upper + rows])))
        bands.append(np.asarray(band.reduce(factor)))
        report(min(upper + rows, height) / height)
    return Image.fromarray(np.concatenate(bands))


def _colored(image: Image.Image) -> Image.Image:
    """Return an image in a mode whose pixels can be mixed."""
    image = without_palette(image)
    return image.convert("L") if image.mode == "1" else image


def _change(size: tuple[int, int]) -> str:
    return f"resized to {size[0]} x {size[1]} pixels"
