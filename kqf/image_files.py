"""Indexed images saved to files of any format, and opened from them."""

import io
import os
import warnings
from pathlib import Path
from typing import Any

from PIL import Image

from kqf.decoding.api import read_indexed
from kqf.format.signature import FORMAT, SIGNATURE
from kqf.image import IndexedImage
from kqf.io import pictures
from kqf.io.files import Source, Target, check_target, open_source, write_whole
from kqf.io.palette_images import FORMATS, save_palette_image
from kqf.io.paths import file_name
from kqf.plugins.registration import register


def save(
    image: IndexedImage, path_or_file: Target, file_format: str | None, options: dict[str, Any]
) -> None:
    """Write an image. Arguments, errors, warnings: those of ``IndexedImage.save``."""
    register()
    file_format = _format_of(path_or_file) if file_format is None else file_format.upper()
    check_target(path_or_file)
    lost: list[str] = []
    if file_format == FORMAT:
        # Imported only here: writing other formats does not need the encoder.
        from kqf.encoding.api import encode_indexed

        data = encode_indexed(image.labels, image.codebook, metadata=image.metadata, **options)
    elif file_format in FORMATS:
        data, lost = save_palette_image(
            image.labels, image.codebook, file_format, image.metadata, **options
        )
    else:
        Image.init()
        if file_format not in Image.SAVE:
            raise ValueError(f"Pillow writes no format {file_format!r}")
        picture = image.to_pillow()
        picture.info.clear()
        data, _, lost = pictures.save(picture, file_format, image.metadata, options)
    if lost:
        warnings.warn(f"{file_format} does not keep {', '.join(lost)}", stacklevel=3)
    write_whole(path_or_file, data)


def _format_of(path_or_file: Target) -> str:
    """Return the format that the suffix of a path, a URL or an open file's name stands for."""
    name: object = path_or_file
    if not isinstance(name, str | os.PathLike):
        name = getattr(path_or_file, "name", None)
    if not isinstance(name, str | os.PathLike):
        raise ValueError("a file without a name needs a format, such as format='PNG'")
    suffix = Path(file_name(os.fspath(name))).suffix
    if not suffix:
        raise ValueError(f"{name} has no suffix: give a format, such as format='KQF'")
    return pictures.format_of(suffix)


def load(source: Source) -> IndexedImage:
    """Read an image. Arguments, errors, warnings: those of ``IndexedImage.open``."""
    with open_source(source) as (stream, size):
        start = stream.tell()
        is_kqf = stream.read(len(SIGNATURE)) == SIGNATURE
        stream.seek(start)
        if is_kqf:
            return read_indexed(stream)
        data = stream.read(size)
    picture, notes = pictures.load(data)
    for note in notes:
        warnings.warn(note, stacklevel=3)
    if picture.mode != "P" and picture.getcolors(256) is None:
        raise ValueError(
            "holds more than 256 colours: kqf.quantize(pixels) makes an indexed image of them"
        )
    # The plugin knows how to take palette, transparency and metadata from Pillow's images.
    register()
    buffer = io.BytesIO()
    picture.save(buffer, FORMAT, **({} if picture.mode == "P" else {"quality": 100}), effort=1)
    return read_indexed(buffer.getvalue(), max_pixels=None)
