"""KQF, a palette image format: at most 256 colours learned with k-means, and labels.

>>> import kqf, numpy
>>> pixels = numpy.zeros((4, 6, 3), numpy.uint8)
>>> kqf.decode(kqf.encode(pixels, colors=64)).shape
(4, 6, 3)
"""

from importlib import import_module
from typing import TYPE_CHECKING

from kqf.plugins.registration import register as register

if TYPE_CHECKING:
    from kqf.cluster.api import write_dask as write_dask
    from kqf.cluster.api import write_indexed_dask as write_indexed_dask
    from kqf.decoding.animation import KqfAnimation as KqfAnimation
    from kqf.decoding.animation import open_animation as open_animation
    from kqf.decoding.api import check as check
    from kqf.decoding.api import decode as decode
    from kqf.decoding.api import info as info
    from kqf.decoding.api import read as read
    from kqf.decoding.api import read_indexed as read_indexed
    from kqf.decoding.file import KqfFile as KqfFile
    from kqf.decoding.file import open as open  # noqa: A004 - as PIL.Image.open
    from kqf.decoding.information import Info as Info
    from kqf.encoding.animation.api import encode_animation as encode_animation
    from kqf.encoding.animation.api import write_animation as write_animation
    from kqf.encoding.api import encode as encode
    from kqf.encoding.api import encode_indexed as encode_indexed
    from kqf.encoding.api import learn_palette as learn_palette
    from kqf.encoding.api import quantize as quantize
    from kqf.encoding.api import write as write
    from kqf.encoding.api import write_indexed as write_indexed
    from kqf.encoding.options import EncodeOptions as EncodeOptions
    from kqf.encoding.options import StorageOptions as StorageOptions
    from kqf.errors import DamageWarning as DamageWarning
    from kqf.errors import FormatError as FormatError
    from kqf.errors import KqfError as KqfError
    from kqf.errors import LimitError as LimitError
    from kqf.errors import TargetError as TargetError
    from kqf.errors import TruncatedError as TruncatedError
    from kqf.errors import UnsupportedError as UnsupportedError
    from kqf.image import IndexedImage as IndexedImage
    from kqf.metrics import LargestError as LargestError
    from kqf.metrics import largest_error as largest_error
    from kqf.metrics import psnr as psnr
    from kqf.metrics import ssim as ssim
    from kqf.metrics import ssimulacra2 as ssimulacra2

__version__ = "0.1.0"

# Imported on first use: opening a file does not need the encoder.
_MODULE_OF = {
    "DamageWarning": "errors",
    "EncodeOptions": "encoding.options",
    "FormatError": "errors",
    "IndexedImage": "image",
    "Info": "decoding.information",
    "KqfAnimation": "decoding.animation",
    "KqfError": "errors",
    "KqfFile": "decoding.file",
    "LargestError": "metrics",
    "LimitError": "errors",
    "StorageOptions": "encoding.options",
    "TargetError": "errors",
    "TruncatedError": "errors",
    "UnsupportedError": "errors",
    "check": "decoding.api",
    "decode": "decoding.api",
    "encode": "encoding.api",
    "encode_animation": "encoding.animation.api",
    "encode_indexed": "encoding.api",
    "info": "decoding.api",
    "largest_error": "metrics",
    "learn_palette": "encoding.api",
    "open": "decoding.file",
    "open_animation": "decoding.animation",
    "psnr": "metrics",
    "quantize": "encoding.api",
    "read": "decoding.api",
    "read_indexed": "decoding.api",
    "ssim": "metrics",
    "ssimulacra2": "metrics",
    "write": "encoding.api",
    "write_animation": "encoding.animation.api",
    "write_dask": "cluster.api",
    "write_indexed": "encoding.api",
    "write_indexed_dask": "cluster.api",
}
_PUBLIC = sorted([*_MODULE_OF, "__version__", "register"])
# A star import must not hide the built-in ``open``.
__all__ = [name for name in _PUBLIC if name != "open"]  # pyright: ignore[reportUnsupportedDunderAll]

# Type checkers would take it to mean that any name is there.
if not TYPE_CHECKING:

    def __getattr__(name):
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return _PUBLIC
