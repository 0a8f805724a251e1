"""The payload of a tile's chunk (section 5.5): the one place where it becomes labels or symbols."""

import numpy as np

from kqf.errors import FormatError
from kqf.format.header import Head
from kqf.format.streams import check_ratio, inflate, inflate_start


def check_tile_length(length: int, head: Head, number: int) -> None:
    """Refuse a payload that is too short for its tile, before it is read (section 9.3)."""
    height, width = head.tile_shape(number)
    check_ratio(length, height * width, "LABL")


def decode_tile(payload: bytes, head: Head, number: int) -> np.ndarray:
    """Return what a tile stores, (h, w) uint8, none beyond the last label.

    These are its labels with ``Predictor.NONE``; with a ranked predictor they are symbols, which
    ``prediction.unrank`` turns into labels, faster for many tiles at once.

    Raises:
        FormatError: the stream is damaged, too long or too short, or a symbol is too high.
    """
    height, width = head.tile_shape(number)
    symbols = np.frombuffer(inflate(payload, height * width, "LABL"), np.uint8)
    if symbols.size < height * width:
        field = f"inflated size of tile {number}"
        raise FormatError("LABL", field, height * width, symbols.size)
    if head.last_label < 255 and (highest := int(symbols.max())) > head.last_label:
        field = f"symbol in tile {number}"
        raise FormatError("LABL", field, f"at most {head.last_label}", highest)
    return symbols.reshape(height, width)


def decode_rows(start: bytes, head: Head, number: int) -> np.ndarray:
    """Return the rows, (n, w) uint8, that the start of a tile's payload holds; none if damaged."""
    height, width = head.tile_shape(number)
    symbols = np.frombuffer(inflate_start(start, height * width), np.uint8)
    wrong = np.flatnonzero(symbols > head.last_label)
    count = int(wrong[0]) if wrong.size else symbols.size
    return symbols[: count // width * width].reshape(-1, width)
