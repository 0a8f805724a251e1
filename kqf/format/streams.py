"""zlib streams of a size known beforehand."""

import deflate as libdeflate
import numpy as np
from isal import igzip_lib, isal_zlib

from kqf.errors import FormatError, TruncatedError

# A deflate block cannot say more with its shortest codes: 258 bytes for 2 bits (RFC 1951).
MAX_RATIO = 1032
# Header, the shortest block that holds one byte, Adler-32 (RFC 1950).
MIN_STREAM = 9
# The largest CINFO that RFC 1950 allows: a window of 32 KiB.
_MAX_WINDOW = 7


def deflate(data: bytes | np.ndarray, level: int) -> bytes:
    """Return ``data`` as one zlib stream. ``level`` is libdeflate's, 1 (fast) to 12 (small)."""
    return bytes(libdeflate.zlib_compress(data, level))


def check_ratio(length: int, size: int, chunk: str) -> None:
    """Refuse a stream of ``length`` bytes that could never inflate to ``size`` bytes."""
    if length < MIN_STREAM or length * MAX_RATIO < size:
        least = max(MIN_STREAM, -(-size // MAX_RATIO))
        raise FormatError(chunk, "zlib stream", f"at least {least} bytes for {size}", length)


def inflate(data: bytes, max_size: int, chunk: str) -> bytes:
    """Inflate one whole zlib stream of at most ``max_size`` bytes.

    Raises:
        FormatError: damaged, longer than ``max_size`` or followed by other data.
        TruncatedError: the stream does not end.
    """
    # ISA-L looks at all of the header but this (section 8).
    if data and data[0] >> 4 > _MAX_WINDOW:
        raise FormatError(chunk, "zlib stream", "a window of at most 32 KiB", f"{data[0]:#04x}")
    stream = isal_zlib.decompressobj()
    try:
        # One byte more than allowed tells a stream that is too long from one that just fits.
        out: bytes = stream.decompress(data, max_size + 1)
    except igzip_lib.IsalError as error:  # type: ignore[misc]
        raise FormatError(chunk, "zlib stream", "valid deflate data", str(error)) from error
    if len(out) > max_size:
        raise FormatError(chunk, "inflated size", f"at most {max_size} bytes", "more")
    if not stream.eof:
        raise TruncatedError(chunk, "zlib stream", "a whole stream", f"{len(data)} bytes of one")
    if stream.unused_data:
        found = f"{len(stream.unused_data)} bytes more"
        raise FormatError(chunk, "zlib stream", "nothing after it", found)
    return out


def inflate_exactly(stream: bytes, size: int, chunk: str, field: str) -> np.ndarray:
    """Inflate a stream to so many bytes, refused beforehand if it could never give as many.

    Arguments:
        chunk, field: where it stands, for messages.

    Raises:
        FormatError: it is damaged, or inflates to another size. TruncatedError: it does not end.
    """
    check_ratio(len(stream), size, chunk)
    data = inflate(stream, size, chunk)
    if len(data) != size:
        raise FormatError(chunk, f"inflated size of {field}", size, len(data))
    return np.frombuffer(data, np.uint8)


def inflate_start(data: bytes, max_size: int) -> bytes:
    """Inflate what there is of a zlib stream that ends early; nothing if it is damaged."""
    try:
        return bytes(isal_zlib.decompressobj().decompress(data, max_size))
    except igzip_lib.IsalError:  # type: ignore[misc]
        return b""
