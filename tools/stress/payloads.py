"""What the payloads of chunks hold: parts, streams and ranking tables."""

import zlib
from dataclasses import dataclass

PREDICTOR_BITS = 15
LEFT, UP, COPY = 1, 2, 3
SHAPES = 64
# What a stream is inflated to at the most.
MOST_INFLATED = 2**22


@dataclass(frozen=True)
class Part:
    """A stream within a payload of version 2, behind a number and its length where it has them."""

    number: bytes
    stream: bytes
    sized: bool

    def data(self) -> bytes:
        length = len(self.stream).to_bytes(4) if self.sized else b""
        return self.number + length + self.stream


def take_parts(kind: bytes, payload: bytes, layout: int) -> list[Part]:
    """Return the parts of the payload of ``PCOD``, ``SHAP`` or ``LABL``, as far as they are there.

    Arguments:
        layout: of ``HEAD``.
    """
    parts = []
    if kind == b"SHAP" or (kind == b"LABL" and layout & SHAPES):
        number, payload = payload[:4], payload[4:]
        sized = any(number)
        stream, payload = _take_sized(payload) if sized else (b"", payload)
        parts.append(Part(number, stream, sized))
    if kind == b"LABL" and layout & PREDICTOR_BITS == COPY:
        stream, payload = _take_sized(payload)
        parts.append(Part(b"", stream, True))
    return [*parts, Part(b"", payload, False)]


def _take_sized(payload: bytes) -> tuple[bytes, bytes]:
    end = 4 + int.from_bytes(payload[:4])
    return payload[4:end], payload[end:]


def inflate(stream: bytes) -> bytes:
    """Return what a stream holds, as far as it can be read."""
    reader = zlib.decompressobj()
    found = b""
    try:
        # Byte by byte of the stream would tell most, and take longest.
        for at in range(0, len(stream), 256):
            found += reader.decompress(stream[at : at + 256], MOST_INFLATED)
            if len(found) >= MOST_INFLATED:
                break
    except zlib.error:
        pass
    return found


def table_of(lists: list[list[int]]) -> bytes:
    return b"".join(bytes([len(listed), *listed]) for listed in lists)


def is_table(table: bytes, colors: int) -> bool:
    """Whether a ranking table keeps the rules of section 7.3."""
    at = 0
    for _ in range(colors):
        if at >= len(table):
            return False
        labels = table[at + 1 : at + 1 + table[at]]
        if len(set(labels)) < table[at] or max(labels, default=0) >= colors:
            return False
        at += 1 + table[at]
    return at == len(table)
