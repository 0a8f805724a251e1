"""Streams, symbols and chunks for test vectors, from explicit bytes and without kqf."""

import hashlib
import struct
import zlib
from collections.abc import Sequence

SIGNATURE = bytes.fromhex("89 4B 51 46 0D 0A 1A 0A")
MAX_SIDE = 2**31 - 1
MAX_CHUNK = 16 * 2**20
# Pixels up to which the manifest holds labels as they are, not only their digest.
LITERAL_PIXELS = 64

Labels = list[list[int]]
Codebook = list[tuple[int, ...]]
Box = tuple[int, int]


# Streams (section 8).


def wrapped(
    deflated: bytes, data: bytes, *, cinfo: int = 7, flevel: int = 0, cm: int = 8, fdict: int = 0
) -> bytes:
    """Return deflated data between a zlib header and the Adler-32 of ``data``."""
    cmf = cinfo << 4 | cm
    flg = flevel << 6 | fdict << 5
    flg += -(cmf << 8 | flg) % 31
    return bytes([cmf, flg]) + deflated + struct.pack(">I", zlib.adler32(data))


def stored_block(data: bytes, final: bool = True) -> bytes:
    return bytes([final]) + struct.pack("<HH", len(data), len(data) ^ 0xFFFF) + data


def stored(data: bytes, block: int = 65535, **header: int) -> bytes:
    """Return a stream of stored blocks of at most ``block`` bytes."""
    starts = range(0, max(len(data), 1), block)
    blocks = [stored_block(data[at : at + block], at == starts[-1]) for at in starts]
    return wrapped(b"".join(blocks), data, **header)


class Bits:
    """Bits in deflate's order: fields from their lowest bit on, codes from their highest."""

    def __init__(self) -> None:
        self.bits: list[int] = []

    def field(self, value: int, count: int) -> "Bits":
        self.bits += [value >> at & 1 for at in range(count)]
        return self

    def code(self, digits: str) -> "Bits":
        self.bits += [int(digit) for digit in digits]
        return self

    def bytes(self) -> bytes:
        padded = self.bits + [0] * (-len(self.bits) % 8)
        octets = [padded[at : at + 8] for at in range(0, len(padded), 8)]
        return bytes(sum(bit << at for at, bit in enumerate(octet)) for octet in octets)


def fixed_code(symbol: int) -> str:
    """Return the fixed Huffman code of a literal or length symbol (RFC 1951, 3.2.6)."""
    if symbol < 144:
        return f"{0b00110000 + symbol:08b}"
    if symbol < 256:
        return f"{0b110010000 + symbol - 144:09b}"
    if symbol < 280:
        return f"{symbol - 256:07b}"
    return f"{0b11000000 + symbol - 280:08b}"


def fixed_block(symbols: Sequence[int | str]) -> bytes:
    """Return one final block of fixed codes; a string in ``symbols`` is bits as they are."""
    bits = Bits().field(1, 1).field(1, 2)
    for symbol in [*symbols, 256]:
        bits.code(symbol if isinstance(symbol, str) else fixed_code(symbol))
    return bits.bytes()


def fixed(data: bytes, **header: int) -> bytes:
    """Return a stream of one block of fixed codes, runs of 258 as matches at distance 1."""
    symbols: list[int | str] = []
    at = 0
    while at < len(data):
        if at and data[at : at + 258] == data[at - 1 : at] * 258:
            symbols += [285, "00000"]
            at += 258
        else:
            symbols.append(data[at])
            at += 1
    return wrapped(fixed_block(symbols), data, **header)


def flat(size: int) -> bytes:
    """Return a stream of ``size`` zero bytes in one dynamic block: 258 of them take two bits."""
    bits = Bits().field(1, 1).field(2, 2)
    bits.field(286 - 257, 5).field(0, 5).field(18 - 4, 4)
    for length in [0, 0, 1, *[0] * 12, 2, 0, 2]:  # of the codes for 18, 2 and 1: 0, 11 and 10
        bits.field(length, 3)
    bits.code("11")  # 0: 2 bits
    bits.code("0").field(138 - 11, 7).code("0").field(117 - 11, 7)  # 1 to 255: none
    bits.code("11").code("0").field(28 - 11, 7)  # 256: 2 bits; 257 to 284: none
    bits.code("10").code("10")  # 285, and the only distance: 1 bit
    runs, rest = divmod(size - 1, 258)
    bits.code("10" * (1 + rest) + "00" * runs + "11")
    return wrapped(bits.bytes(), bytes(size))


# Symbols (section 7).


def rankings(codebook: Codebook, lists: Sequence[Sequence[int]]) -> Labels:
    """Return the ranking of each context."""
    result = []
    for context, listed in enumerate(lists):

        def distance(label: int, context: int = context) -> int:
            pairs = zip(codebook[label], codebook[context], strict=True)
            return sum((a - b) ** 2 for a, b in pairs)

        others = [label for label in range(len(codebook)) if label not in listed]
        others.sort(key=lambda label: (distance(label), label))
        result.append([*listed, *others])
    return result


def symbols_of(tile: Labels, predictor: int, order: Labels) -> bytes:
    """Return the symbols of one tile."""
    if not predictor:
        return bytes(label for row in tile for label in row)
    result = bytearray()
    for y, row in enumerate(tile):
        for x, label in enumerate(row):
            inside, left, up = (x, x - 1, y) if predictor == 1 else (y, x, y - 1)
            context = tile[up][left] if inside else 0
            result.append(order[context].index(label))
    return bytes(result)


def cut(labels: Labels, tile: Box) -> list[Labels]:
    """Return the tiles of an image, row by row."""
    width, height = tile
    return [
        [row[x : x + width] for row in labels[y : y + height]]
        for y in range(0, len(labels), height)
        for x in range(0, len(labels[0]), width)
    ]


def table(lists: Sequence[Sequence[int]]) -> bytes:
    """Return the payload of RANK, inflated."""
    return b"".join(bytes([len(listed), *listed]) for listed in lists)


# Chunks (section 4).


def chunk(kind: bytes, payload: bytes, *, length: int | None = None, crc: int = 0) -> bytes:
    """Return one chunk; ``length`` to state another one, ``crc`` to falsify bits of the CRC."""
    stated = len(payload) if length is None else length
    found = zlib.crc32(kind + payload) ^ crc
    return struct.pack(">I", stated) + kind + payload + struct.pack(">I", found)


def head_payload(
    size: Box,
    tile: Box | None = None,
    *,
    version: int = 1,
    channels: int = 1,
    last_label: int = 3,
    predictor: int = 0,
) -> bytes:
    return struct.pack(">4I4B", *size, *(tile or size), version, channels, last_label, predictor)


DONE = chunk(b"DONE", b"")


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pattern(width: int, height: int, colors: int) -> Labels:
    """Return labels with runs, jumps and every colour that fits."""
    return [
        [(x // 2 * 3 + y * 5 + (x * y) // 3) % colors for x in range(width)] for y in range(height)
    ]


def counting(width: int, height: int, colors: int) -> Labels:
    """Return labels that count up row by row."""
    return [[(y * width + x) % colors for x in range(width)] for y in range(height)]


def spread(colors: int, channels: int) -> Codebook:
    """Return distinct entries in no order of brightness."""
    steps = (97, 61, 29, 13)
    return [tuple((7 + k * step) % 256 for step in steps[:channels]) for k in range(colors)]


def cycles(colors: int, count: int) -> Labels:
    """Return lists of ``count`` labels for each context, none the order of distances."""
    return [
        [(context * 3 + 1 + at * 5) % colors for at in range(count)] for context in range(colors)
    ]


def padded(data: bytes, count: int) -> bytes:
    """Return a stream of one stored block after ``count`` empty ones."""
    return wrapped(stored_block(b"", False) * count + stored_block(data), data)


def mixed(data: bytes) -> bytes:
    """Return a stream of a stored block and a block of fixed codes."""
    half = len(data) // 2
    return wrapped(stored_block(data[:half], False) + fixed_block(data[half:]), data)


def far_back(data: bytes) -> bytes:
    """Return a stream whose second half copies the first from 4096 bytes back, 256 at a time."""
    half = len(data) // 2
    assert data == data[:half] * 2
    assert half == 4096
    # Length 256 is code 284 with 29 in 5 bits; distance 4096 is code 23 with 1023 in 10 bits.
    match = [fixed_code(284) + "10111" + f"{23:05b}" + "1" * 10]
    return wrapped(
        stored_block(data[:half], False) + fixed_block(match * (half // 256)),
        data,
    )
