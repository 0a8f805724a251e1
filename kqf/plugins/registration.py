"""Registers KQF with Pillow; the plugin itself is imported with the first file."""

from typing import IO

from PIL import Image, ImageFile

from kqf.format.signature import FORMAT, SIGNATURE


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(SIGNATURE)


def _open(fp: IO[bytes], filename: str | bytes) -> ImageFile.ImageFile:
    from kqf.plugins.pillow import KqfImageFile

    return KqfImageFile(fp, filename)


def _save(im: Image.Image, fp: IO[bytes], filename: str | bytes) -> None:
    from kqf.plugins.pillow_saving import save

    save(im, fp)


def _save_all(im: Image.Image, fp: IO[bytes], filename: str | bytes) -> None:
    from kqf.plugins.pillow_saving import save_all

    save_all(im, fp)


def register() -> None:
    """Make Pillow know KQF, as ``import kqf`` does.

    It can be passed as a worker initializer, and called any number of times.
    """
    Image.register_open(FORMAT, _open, _accept)
    Image.register_save(FORMAT, _save)
    Image.register_save_all(FORMAT, _save_all)
    Image.register_extension(FORMAT, ".kqf")
    Image.register_mime(FORMAT, "image/x-kqf")


register()
