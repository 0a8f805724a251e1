"""KQF, a palette image format: at most 256 colours learned with k-means, and labels.

>>> import kqf, numpy
>>> pixels = numpy.zeros((4, 6, 3), numpy.uint8)
>>> kqf.decode(kqf.encode(pixels, colors=64)).shape
(4, 6, 3)
"""

from importlib import import_module
from typing import TYPE_CHECKING

from kqf.registration import register

if TYPE_CHECKING:
    from kqf.blockwise import encode_dask, encode_indexed_dask
    from kqf.decoder import Info, check, decode, info, read, read_indexed
    from kqf.encoder import encode, encode_indexed, quantize, write, write_indexed
    from kqf.errors import (
        FormatError,
        KqfError,
        LimitError,
        TargetError,
        TruncatedError,
        UnsupportedError,
    )
    from kqf.indexed import IndexedImage
    from kqf.measure import LargestError, largest_error, psnr, ssim
    from kqf.opened import KqfFile, open  # noqa: A004 - as PIL.Image.open
    from kqf.salvage import DamageWarning
    from kqf.together import learn_palette

__version__ = "0.1.0"

__all__ = [
    "DamageWarning",
    "FormatError",
    "IndexedImage",
    "Info",
    "KqfError",
    "KqfFile",
    "LargestError",
    "LimitError",
    "TargetError",
    "TruncatedError",
    "UnsupportedError",
    "__version__",
    "check",
    "decode",
    "encode",
    "encode_dask",
    "encode_indexed",
    "encode_indexed_dask",
    "info",
    "largest_error",
    "learn_palette",
    "open",
    "psnr",
    "quantize",
    "read",
    "read_indexed",
    "register",
    "ssim",
    "write",
    "write_indexed",
]

# Imported on first use: who opens files needs no encoder, and who imports kqf may do neither.
_ROOMS = {
    "blockwise": ("encode_dask", "encode_indexed_dask"),
    "decoder": ("Info", "check", "decode", "info", "read", "read_indexed"),
    "encoder": ("encode", "encode_indexed", "quantize", "write", "write_indexed"),
    "errors": (
        "FormatError",
        "KqfError",
        "LimitError",
        "TargetError",
        "TruncatedError",
        "UnsupportedError",
    ),
    "indexed": ("IndexedImage",),
    "measure": ("LargestError", "largest_error", "psnr", "ssim"),
    "opened": ("KqfFile", "open"),
    "salvage": ("DamageWarning",),
    "together": ("learn_palette",),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

# Type checkers would take it to mean that any name is there.
if not TYPE_CHECKING:

    def __getattr__(name):
        if name not in _ROOM_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
