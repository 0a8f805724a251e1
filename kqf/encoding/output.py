"""Checks of the target of a KQF file, before any work is done for it."""

import os
import re
from pathlib import PurePath

from kqf.io.files import Target, check_target

# Suffixes of image files in other formats.
_OTHER_IMAGES = re.compile(
    r"\.(apng|avif|bmp|dds|exr|gif|hei[cf]|ico|j2k|jfif|jp2|jpe?g?|jxl|p[bgnp]m|pcx|pdf|png|psd|qoi|"
    r"svg|tga|tiff?|webp)"
)


def check_kqf_target(target: Target) -> None:
    """Check that ``target`` can be written and is not named as an image of another format.

    Raises:
        TypeError: neither a path nor a binary file. ValueError: the name is that of another format.
        OSError: the file can't be written.
    """
    if isinstance(target, str | os.PathLike):
        suffix = PurePath(os.fspath(target)).suffix.lower()
        if _OTHER_IMAGES.fullmatch(suffix):
            raise ValueError(
                f"a KQF file is not a {suffix} file: name it *.kqf, or save another format by "
                f"kqf.quantize(pixels).save('name{suffix}')"
            )
    check_target(target)
