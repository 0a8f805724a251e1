"""Labels and a codebook as palette PNG, GIF or lossless WebP, in as few bytes as can be had."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from kqf.display import in_color, picture_of
from kqf.io.image_metadata import metadata_of
from kqf.io.pictures import png_texts

FORMATS = ("PNG", "GIF", "WEBP")


class TranslucentError(ValueError):
    """An image has translucent colours, and the format to write has none."""


# oxipng's default: above it, palette images take many times as long for hardly a byte less.
_OXIPNG_LEVEL = 2


def save_palette_image(
    labels: np.ndarray,
    codebook: np.ndarray,
    file_format: str,
    metadata: Mapping[str, object] | None = None,
    *,
    keep_palette: bool = True,
    **options: object,
) -> tuple[bytes, list[str]]:
    """Return an image file that shows exactly the colours of labels, and what metadata it lacks.

    Arguments:
        labels: (H, W) uint8, each below K.
        codebook: (K, C) uint8, K from 1 to 256, C 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA),
            straight alpha.
        file_format: ``"PNG"``, with a palette of 1, 2, 4 or 8 bits a pixel; ``"GIF"``; or
            ``"WEBP"``, lossless, which has no palette for readers.
        metadata: any of ``icc_profile``, ``exif``, ``xmp`` (bytes), ``dpi`` (two floats, pixels
            per inch) and ``comment`` (str).
        keep_palette: whether the palette of a PNG must be the codebook, in its order. If not,
            oxipng may sort it and leave unused colours out for a smaller file.
        options: further ones of Pillow's writer, before those chosen here.

    Returns:
        the file, and the keys of the metadata that its format does not keep.

    Raises:
        ValueError: translucent colours in a GIF, an image too large for the format.
    """
    metadata = metadata or {}
    if file_format == "PNG":
        colors = in_color(codebook)
        chosen = {**metadata, "pnginfo": png_texts(metadata), **options}
        if colors.shape[1] == 4:
            # Pillow before 12.2 adds entries to palettes with alpha.
            chosen = {"transparency": colors[:, 3].tobytes(), **chosen}
        picture = picture_of(labels, colors[:, :3])
        data = palette_png(picture, keep_palette=keep_palette, **chosen)
    elif file_format == "GIF":
        chosen = {"optimize": False, "interlace": False, **metadata, **options}
        data = _saved(gif_picture(labels, codebook), "GIF", chosen)
    elif file_format == "WEBP":
        picture = picture_of(labels, codebook)
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
        # quality=100 takes forty times as long for a tenth of the bytes.
        chosen = {"lossless": True, "exact": True, "method": 6, **metadata, **options}
        data = _saved(picture, "WEBP", chosen)
    else:
        raise ValueError(f"file_format must be one of {', '.join(FORMATS)}, not {file_format!r}")
    with Image.open(io.BytesIO(data)) as saved:
        kept = metadata_of(saved)
    return data, [key for key in metadata if key not in kept]


def palette_png(picture: Image.Image, *, keep_palette: bool = True, **options: object) -> bytes:
    """Return an image of mode ``P`` as the smaller of Pillow's PNG and, if installed, oxipng's.

    Arguments:
        keep_palette: whether the file must have the very palette. If not, oxipng may sort it and
            leave unused colours out.
        options: of Pillow's writer.
    """
    data = _saved(picture, "PNG", {"optimize": True, **options})
    try:
        import oxipng
    except ImportError:
        return data
    free = not keep_palette
    optimized = oxipng.optimize_from_memory(
        data,
        level=_OXIPNG_LEVEL,
        palette_reduction=free,
        color_type_reduction=free,
        grayscale_reduction=free,
    )
    return min(data, optimized, key=len)


def png_optimizer() -> str:
    """Say what makes palette PNGs small: oxipng where it is installed, else Pillow alone."""
    try:
        import oxipng
    except ImportError:
        return "Pillow, optimize=True"
    return f"{oxipng.__name__}, level {_OXIPNG_LEVEL}"


def gif_picture(labels: np.ndarray, codebook: np.ndarray) -> Image.Image:
    """Return an image of mode ``P`` whose transparent pixels all have one label, as in a GIF.

    Arguments: labels (H, W) uint8 and codebook (K, C) uint8, C 1 to 4.

    Raises:
        TranslucentError: a pixel is translucent.
    """
    colors = in_color(codebook)
    picture = picture_of(labels, colors[:, :3])
    if colors.shape[1] == 3:
        return picture
    used = np.flatnonzero(np.bincount(labels.ravel(), minlength=len(colors)))
    alpha = colors[:, 3]
    translucent = used[(alpha[used] > 0) & (alpha[used] < 255)]
    if translucent.size:
        color = "#" + colors[translucent[0]].tobytes().hex()
        raise TranslucentError(f"GIF has no translucent colours, and this image has {color}")
    transparent = used[alpha[used] == 0]
    if transparent.size:
        labels = labels.copy()
        labels[alpha[labels] == 0] = transparent[0]
        picture = picture_of(labels, colors[:, :3])
        picture.info["transparency"] = int(transparent[0])
    return picture


def _saved(picture: Image.Image, file_format: str, options: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()
