"""The payload of a tile's chunk (section 5.5): the one place where it becomes labels or symbols."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kqf.errors import FormatError
from kqf.format import copying, packing
from kqf.format.declarations import Predictor
from kqf.format.header import Head
from kqf.format.streams import check_ratio, inflate, inflate_start

# Bytes of a number that stands before a part of the payload.
_NUMBER = 4


@dataclass(frozen=True)
class TileParts:
    """The parts of a tile's payload.

    Attributes:
        placements: number of placements.
        placement_stream: the zlib stream of them, empty if there are none.
        labels: what follows.
    """

    placements: int
    placement_stream: bytes
    labels: bytes


def check_tile_length(length: int, head: Head, number: int) -> None:
    """Refuse a payload that is too short for its tile, before it is read (section 9.3)."""
    size = _stored_bytes(head, number)
    is_copy = head.predictor == Predictor.COPY
    check_ratio(length - _NUMBER * (head.shapes + is_copy), size, "LABL")


def _stored_bytes(head: Head, number: int) -> int:
    """Return what the labels of a tile, or the codes of Predictor.COPY, inflate to."""
    shape = head.stored_shape(number)
    if head.predictor == Predictor.COPY:
        return copying.code_bytes(shape)
    if head.predictor == Predictor.PACKED:
        return packing.packed_bytes(shape, head.last_label)
    return shape[0] * shape[1]


def split_tile(payload: bytes, head: Head, number: int) -> TileParts:
    """Return the parts of a tile's payload.

    Raises:
        FormatError: it ends within a part.
    """
    if not head.shapes:
        return TileParts(0, b"", payload)
    count, rest = _take_number(payload, number)
    if not count:
        return TileParts(0, b"", rest)
    stream, rest = _take_part(rest, "placements_length", number)
    return TileParts(count, stream, rest)


def code_bytes(labels: bytes, head: Head, number: int) -> int:
    """Return the bytes of the codes and their length in what TileParts has of the labels.

    Raises:
        FormatError: it ends within them.
    """
    if head.predictor != Predictor.COPY:
        return 0
    return len(labels) - len(_take_part(labels, "codes_length", number)[1])


def _take_number(payload: bytes, number: int) -> tuple[int, bytes]:
    if len(payload) < _NUMBER:
        field = f"length of tile {number}"
        raise FormatError("LABL", field, f"{_NUMBER} bytes more", len(payload))
    return int.from_bytes(payload[:_NUMBER]), payload[_NUMBER:]


def _take_part(payload: bytes, field: str, number: int) -> tuple[bytes, bytes]:
    """Return a part whose length stands before it, and what follows it."""
    length, rest = _take_number(payload, number)
    if length > len(rest):
        raise FormatError("LABL", f"{field} of tile {number}", f"at most {len(rest)}", length)
    return rest[:length], rest[length:]


def decode_tiles(
    batch: Sequence[tuple[int, bytes]], head: Head, order: np.ndarray | None
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (number, what decode_tile returns) of tiles, all at once where that is faster.

    Arguments:
        batch: (number, payload) of each. order: as for decode_tile.
    """
    if head.predictor != Predictor.COPY:
        for number, payload in batch:
            yield number, decode_tile(payload, head, number, order)
        return
    alike: dict[tuple[int, int], list[tuple[int, bytes]]] = {}
    for number, payload in batch:
        alike.setdefault(head.stored_shape(number), []).append((number, payload))
    for shape, tiles in alike.items():
        streams = [_inflate_copied(payload, head, number) for number, payload in tiles]
        decoded = copying.decode(streams, shape, order if head.ranked else None)
        for (number, _), labels in zip(tiles, decoded, strict=True):
            yield number, _as_in_image(labels, head)


def decode_tile(
    payload: bytes, head: Head, number: int, order: np.ndarray | None = None
) -> np.ndarray:
    """Return what a tile stores, (h, w) uint8 as in the image, none beyond the last label.

    These are its labels; with a ranked predictor they are symbols, which ``prediction.unrank``
    turns into labels, faster for many tiles at once.

    Arguments:
        payload: of ``LABL``.
        order: (K, K) uint8, the ranking of each context, where new labels are ranked.

    Raises:
        FormatError: a stream is damaged, too long or too short, or a symbol is too high.
    """
    shape = head.stored_shape(number)
    if head.predictor == Predictor.COPY:
        streams = _inflate_copied(payload, head, number)
        return _as_in_image(
            copying.decode([streams], shape, order if head.ranked else None)[0], head
        )
    stream = split_tile(payload, head, number).labels
    size = _stored_bytes(head, number)
    check_ratio(len(stream), size, "LABL")
    data = inflate(stream, size, "LABL")
    if head.predictor == Predictor.PACKED:
        return _as_in_image(packing.unpack(data, shape, head.last_label, number), head)
    symbols = np.frombuffer(data, np.uint8)
    if symbols.size < size:
        raise FormatError("LABL", f"inflated size of tile {number}", size, symbols.size)
    if head.last_label < 255 and (highest := int(symbols.max())) > head.last_label:
        field = f"symbol in tile {number}"
        raise FormatError("LABL", field, f"at most {head.last_label}", highest)
    return _as_in_image(symbols.reshape(shape), head)


def _as_in_image(labels: np.ndarray, head: Head) -> np.ndarray:
    return labels.T if head.columns_first else labels


def check_tile(payload: bytes, head: Head, number: int) -> None:
    """Check all that decode_tile checks, without decoding what cannot be wrong.

    Raises:
        FormatError: as decode_tile.
    """
    if head.predictor == Predictor.COPY:
        _inflate_copied(payload, head, number)
    else:
        decode_tile(payload, head, number)


def _inflate_copied(payload: bytes, head: Head, number: int) -> tuple[bytes, bytes]:
    """Return the codes and the new labels of a tile of Predictor.COPY, both checked."""
    parts = split_tile(payload, head, number)
    shape = head.stored_shape(number)
    stream, rest = _take_part(parts.labels, "codes_length", number)
    size = copying.code_bytes(shape)
    check_ratio(len(stream), size, "LABL")
    codes = inflate(stream, size, "LABL")
    count = copying.count_new(codes, shape, number)
    if not count:
        if rest:
            raise FormatError("LABL", f"new labels of tile {number}", 0, f"{len(rest)} bytes")
        return codes, b""
    check_ratio(len(rest), count, "LABL")
    new = inflate(rest, count, "LABL")
    copying.check_new(new, count, head.last_label, number)
    return codes, new


def decode_rows(start: bytes, head: Head, number: int) -> np.ndarray:
    """Return the rows, (n, w) uint8, that the start of a tile's payload holds; none if damaged."""
    height, width = head.tile_shape(number)
    if head.shapes or head.columns_first or head.predictor > Predictor.UP:
        # What their streams hold first are not the first rows.
        return np.empty((0, width), np.uint8)
    symbols = np.frombuffer(inflate_start(start, height * width), np.uint8)
    wrong = np.flatnonzero(symbols > head.last_label)
    count = int(wrong[0]) if wrong.size else symbols.size
    return symbols[: count // width * width].reshape(-1, width)
