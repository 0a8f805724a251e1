"""The codec ``kqf`` of numcodecs, for zarr format 2 and all else that takes such codecs.

numcodecs finds it by its entry point: ``numcodecs.get_codec({"id": "kqf"})``.
"""

from typing import Any

import numpy as np
from numcodecs.abc import Codec
from numcodecs.compat import ensure_ndarray, ndarray_copy

from kqf.encoding.effort import DEFAULT_EFFORT
from kqf.plugins.label_chunks import check_effort, decode, encode


class Kqf(Codec):  # type: ignore[misc]
    """Compress label arrays without loss.

    Arguments:
        effort: 1 (fast) to 9 (small).
    """

    codec_id = "kqf"

    def __init__(self, effort: int = DEFAULT_EFFORT) -> None:
        self.effort = check_effort(effort)

    def encode(self, buf: Any) -> bytes:
        """Return labels (..., H, W) of uint8 or bool as bytes.

        Raises:
            TypeError, ValueError: the array is not as above.
        """
        labels = ensure_ndarray(buf)
        # Codecs keep the order in memory. An array in Fortran's is in C's if it is transposed.
        is_fortran = labels.flags.f_contiguous and not labels.flags.c_contiguous
        return encode(labels.T if is_fortran else labels, self.effort)

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Return the labels in the order in which they were in memory, (count,) uint8.

        Arguments:
            out: array to write them to and to return instead.

        Raises:
            FormatError: the bytes are damaged.
        """
        count = None if out is None else np.asarray(out).nbytes
        return ndarray_copy(decode(memoryview(ensure_ndarray(buf)), count), out)
