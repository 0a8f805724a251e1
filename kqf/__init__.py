"""KQF, a palette image format: at most 256 colours learned with k-means, and labels.

>>> import kqf, numpy
>>> pixels = numpy.zeros((4, 6, 3), numpy.uint8)
>>> kqf.decode(kqf.encode(pixels, colors=64)).shape
(4, 6, 3)
"""

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
from kqf.KqfImagePlugin import register
from kqf.measure import LargestError, largest_error, psnr, ssim

__version__ = "0.1.0"

__all__ = [
    "FormatError",
    "IndexedImage",
    "Info",
    "KqfError",
    "LargestError",
    "LimitError",
    "TargetError",
    "TruncatedError",
    "UnsupportedError",
    "__version__",
    "check",
    "decode",
    "encode",
    "encode_indexed",
    "info",
    "largest_error",
    "psnr",
    "quantize",
    "read",
    "read_indexed",
    "register",
    "ssim",
    "write",
    "write_indexed",
]
