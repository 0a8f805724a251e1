"""Gray files of one tile without their frames, which are most of a file of a hundred labels.

``docs/masks.md`` lists the bytes.
"""

import struct

import numpy as np

from kqf.errors import FormatError
from kqf.format.chunks import CRC_SIZE, END, HEAD_SIZE, build_chunk, chunks_of, crc_of
from kqf.format.header import HEADER_STRUCT
from kqf.format.signature import SIGNATURE

# The first byte, which no file begins with.
FORM = b"\x01"
# CRC, width, height, version, layout and last label.
_START = struct.Struct(">3I3B")
# More values than this are told by a bit for each that there can be.
_MOST_LISTED = 32


def bare(file: bytes, values: np.ndarray) -> bytes:
    """Return a gray file without its frames, or as it is if it holds more than one tile.

    Arguments:
        file: a valid one without metadata.
        values: (K,) uint8, its codebook, ascending.
    """
    payloads = {kind: chunk[HEAD_SIZE:-CRC_SIZE] for kind, chunk in chunks_of(file)}
    width, height, *tile, version, _, last, layout = HEADER_STRUCT.unpack(payloads[b"HEAD"])
    if payloads.keys() - {b"HEAD", b"CODE", b"PCOD", b"LABL", b"DONE"} or tile != [width, height]:
        return file
    start = _START.pack(0, width, height, version, layout, last)[CRC_SIZE:]
    rest = start + _listed(values) + payloads[b"LABL"]
    return FORM + crc_of(FORM, rest).to_bytes(CRC_SIZE) + rest


def framed(data: bytes) -> bytes:
    """Return the file of a form without frames, the inverse of bare; a file as it is.

    Raises:
        FormatError: the form ends too early, or its CRC is another.
    """
    if not data.startswith(FORM):
        return data
    at = len(FORM) + _START.size
    if len(data) < at:
        raise FormatError("chunk", "length", f"at least {at}", len(data))
    crc, width, height, version, layout, last = _START.unpack_from(data, len(FORM))
    found = crc_of(FORM, data[len(FORM) + CRC_SIZE :])
    if crc != found:
        raise FormatError("chunk", "CRC", f"{found:08x}", f"{crc:08x}")
    size = min(last + 1, _MOST_LISTED)
    values = data[at : at + size]
    if last >= _MOST_LISTED:
        bits = np.unpackbits(np.frombuffer(values, np.uint8), bitorder="little")
        values = np.flatnonzero(bits).astype(np.uint8).tobytes()
    head = HEADER_STRUCT.pack(width, height, width, height, version, 1, last, layout)
    chunks = {b"HEAD": head, b"CODE": values, b"LABL": data[at + size :]}
    return b"".join([SIGNATURE, *(build_chunk(*chunk) for chunk in chunks.items()), END])


def _listed(values: np.ndarray) -> bytes:
    """Return ascending values (K,) uint8 as bytes, or as bits where that is shorter."""
    if len(values) <= _MOST_LISTED:
        return values.tobytes()
    bits = np.zeros(256, np.uint8)
    bits[values] = 1
    return np.packbits(bits, bitorder="little").tobytes()
