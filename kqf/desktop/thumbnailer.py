"""Makes thumbnails for file managers: ``python -m kqf.desktop.thumbnailer INPUT OUTPUT SIZE``."""

import sys

from PIL import Image, ImageOps

from kqf.io.modes import without_palette
from kqf.plugins.registration import register


def make_thumbnail(source: str, target: str, size: int) -> None:
    """Write an image as PNG, upright, scaled down to at most ``size`` pixels a side.

    Raises:
        OSError, ValueError: the image cannot be read, or the thumbnail not be written.
    """
    register()
    with Image.open(source) as image:
        upright = ImageOps.exif_transpose(without_palette(image))
    upright.thumbnail((size, size))
    upright.info.clear()
    upright.save(target, "PNG")


if __name__ == "__main__":
    if len(sys.argv) != 4 or not sys.argv[3].isdecimal() or int(sys.argv[3]) < 1:
        sys.exit("usage: python -m kqf.desktop.thumbnailer INPUT OUTPUT SIZE")
    try:
        make_thumbnail(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        sys.exit(f"kqf: {error}")
