"""Changes to KQF files that leave the rest of a file right, CRCs and lengths included.

Bytes changed at random end at the first CRC. What is changed here gets past it: chunks, fields of
``HEAD``, symbols and ranking tables behind their streams, and whole images of another shape.
"""

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial

from payloads import (
    LEFT,
    MOST_INFLATED,
    PREDICTOR_BITS,
    UP,
    inflate,
    is_table,
    table_of,
    take_parts,
)

SIGNATURE = bytes.fromhex("89 4B 51 46 0D 0A 1A 0A")
KINDS = (
    *(b"HEAD", b"CODE", b"PCOD", b"RANK", b"SHAP", b"ANIM", b"FRAM", b"LABL", b"DONE"),
    *(b"iccp", b"exif", b"xmp ", b"phys", b"text", b"tidx", b"fidx"),
    *(b"abcd", b"ABCD", b"z9 0", b"1abc"),
)
NUMBERS = (
    *(0, 1, 2, 3, 4, 7, 8, 9, 12, 63, 64, 65, 127, 128, 255, 256, 257, 511, 1023, 1024, 1025),
    *(2**15, 2**16 - 1, 2**16, 2**20, 16 * 2**20, 16 * 2**20 + 1, 64 * 2**20),
    *(2**30, 2**31 - 2, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1),
)
HEADER = struct.Struct(">4I4B")
FIELDS = 8
# Where to put which number: sides, then version, channels, last_label, layout.
SMALL_NUMBERS = range(17)
# Of the images made whole: what they take to write, and to decode by several ways.
MOST_PIXELS = 2**22
MOST_TILES = 2**14
MOST_CHUNKS = 2048

# (bytes, most bytes) -> bytes: a change at random.
Mutate = Callable[[bytes, int], bytes]


@dataclass(frozen=True)
class Chunk:
    """One chunk; ``length`` to state another one, ``flip`` to falsify bits of the CRC."""

    kind: bytes
    payload: bytes
    length: int | None = None
    flip: int = 0

    def data(self) -> bytes:
        length = len(self.payload) if self.length is None else self.length
        crc = zlib.crc32(self.kind + self.payload) ^ self.flip
        return struct.pack(">I", length) + self.kind + self.payload + struct.pack(">I", crc)


def split(data: bytes) -> tuple[list[Chunk], bytes]:
    """Return the chunks after the signature, and what follows the last whole one."""
    chunks, at = [], len(SIGNATURE)
    while len(chunks) < MOST_CHUNKS and at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if at + 12 + length > len(data):
            break
        chunks.append(Chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks, data[at:]


def join(chunks: list[Chunk], rest: bytes = b"") -> bytes:
    """Return a file of chunks, with the lengths and CRCs that they ask for."""
    return b"".join([SIGNATURE, *(chunk.data() for chunk in chunks), rest])


def mutate(data: bytes, most: int, seed: int, mutate_bytes: Mutate) -> bytes:
    """Return a file changed in one to four ways, of at most ``most`` bytes."""
    rng = random.Random(seed)
    chunks, rest = split(data)
    if not chunks or rng.random() < 0.05:
        return mutate_bytes(data, most)
    change = Change(rng, mutate_bytes, chunks)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        rng.choices(list(WAYS), list(WAYS.values()))[0](change)
    if rng.random() < 0.6:
        change.repair()
    if rng.random() < 0.05:
        rest = rng.choice((b"", b"\n", SIGNATURE, rest + b"x", join(change.chunks)[:64]))
    result = join(change.chunks, rest)
    if rng.random() < 0.15:
        result = damage(result, rng)
    return result if len(result) <= most else mutate_bytes(data, most)


def damage(data: bytes, rng: random.Random) -> bytes:
    """Return a file as a disk or a line might leave it: bits flipped, bytes lost or come in."""
    damaged = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        # Near the start or the end more often than the length gives.
        most = rng.choice((16, 100, len(damaged)))
        at = rng.randrange(min(most, len(damaged)) + 1)
        at = rng.choice((at, len(damaged) - at))
        size = rng.choice((1, 4, 12, 512, len(damaged)))
        way = rng.randrange(4)
        if way == 0 and at < len(damaged):
            damaged[at] ^= 1 << rng.randrange(8)
        elif way == 1:
            del damaged[at : at + size]
        elif way == 2:
            damaged[at:at] = rng.choice((bytes(size), damaged[:size], b"LABL"))
        else:
            damaged[at : at + size] = bytes(len(damaged[at : at + size]))
    return bytes(damaged)


class Change:
    """Chunks on their way from one file to another.

    Arguments:
        rng: makes all choices but those of ``mutate_bytes``.
    """

    def __init__(self, rng: random.Random, mutate_bytes: Mutate, chunks: list[Chunk]) -> None:
        self.rng, self.mutate_bytes, self.chunks = rng, mutate_bytes, chunks

    # Looking about.

    def find(self, *kinds: bytes) -> int | None:
        """Return the place of some chunk of these kinds, or None."""
        found = [at for at, chunk in enumerate(self.chunks) if chunk.kind in kinds]
        return self.rng.choice(found) if found else None

    def anywhere(self) -> int | None:
        """Return the place of some chunk; tiles, of which there may be many, count as one."""
        if not self.chunks:
            return None
        return self.find(self.rng.choice(sorted({chunk.kind for chunk in self.chunks})))

    def fields(self) -> list[int] | None:
        """Return the fields of HEAD, if there is one of the right length."""
        at = self.find(b"HEAD")
        if at is None or len(self.chunks[at].payload) != HEADER.size:
            return None
        return list(HEADER.unpack(self.chunks[at].payload))

    def put(self, kind: bytes, payload: bytes) -> None:
        """Give a payload to the chunk of a kind, which is made if there is none."""
        at = self.find(kind)
        if at is None:
            self.insert_before_tiles(Chunk(kind, payload))
        else:
            self.chunks[at] = Chunk(kind, payload)

    def insert_before_tiles(self, chunk: Chunk) -> None:
        tiles = [at for at, other in enumerate(self.chunks) if other.kind == b"LABL"]
        self.chunks.insert(tiles[0] if tiles else len(self.chunks), chunk)

    # Chunks.

    def change_payload(self) -> None:
        at = self.anywhere()
        if at is not None:
            payload = self.chunks[at].payload
            changed = self.mutate_bytes(payload, max(2 * len(payload), 64))
            self.chunks[at] = replace(self.chunks[at], payload=changed)

    def change_kind(self) -> None:
        at = self.anywhere()
        if at is not None:
            kind = bytearray(self.chunks[at].kind)
            kind[self.rng.randrange(4)] = self.rng.randrange(256)
            known = self.rng.random() < 0.7
            kind_of = self.rng.choice(KINDS) if known else bytes(kind)
            self.chunks[at] = replace(self.chunks[at], kind=kind_of)

    def change_length(self) -> None:
        at = self.anywhere()
        if at is not None:
            near = len(self.chunks[at].payload) + self.rng.choice((-4, -1, 1, 4, 12))
            length = self.rng.choice((max(near, 0), self.rng.choice(NUMBERS)))
            self.chunks[at] = replace(self.chunks[at], length=length)

    def falsify_crc(self) -> None:
        at = self.anywhere()
        if at is not None:
            self.chunks[at] = replace(self.chunks[at], flip=1 << self.rng.randrange(32))

    def swap(self) -> None:
        a, b = self.anywhere(), self.anywhere()
        if a is not None and b is not None:
            self.chunks[a], self.chunks[b] = self.chunks[b], self.chunks[a]

    def repeat(self) -> None:
        at = self.anywhere()
        if at is not None:
            times = self.rng.choice((1, 1, 1, 2, 30, 1100))
            where = self.rng.choice((at, self.rng.randrange(len(self.chunks) + 1)))
            if times * (12 + len(self.chunks[at].payload)) < 2**19:
                self.chunks[where:where] = [self.chunks[at]] * times

    def drop(self) -> None:
        at = self.anywhere()
        if at is not None:
            del self.chunks[at]

    def insert(self) -> None:
        kind = self.rng.choice(KINDS)
        size = self.rng.choice((0, 1, 4, 12, 20, 100, 5000))
        payload = self.rng.choice((bytes(size), self.rng.randbytes(size), b"caf\xc3\xa9", b"\xff"))
        if kind == b"phys":
            payload = struct.pack(">3I", *(self.rng.choice(NUMBERS) for _ in range(3)))
        where = self.rng.randrange(len(self.chunks) + 1)
        if self.rng.random() < 0.6:
            self.insert_before_tiles(Chunk(kind, payload))
        else:
            self.chunks.insert(where, Chunk(kind, payload))

    def number_in_payload(self) -> None:
        """Put some number where tidx, phys and the like have one."""
        at = self.find(b"tidx", b"phys", b"HEAD")
        if at is not None and len(self.chunks[at].payload) >= 4:
            payload = bytearray(self.chunks[at].payload)
            where = self.rng.randrange(len(payload) // 4) * 4
            struct.pack_into(">I", payload, where, self.rng.choice(NUMBERS))
            self.chunks[at] = replace(self.chunks[at], payload=bytes(payload))

    # What chunks hold.

    def change_field(self) -> None:
        fields = self.fields()
        if fields is None:
            return
        at = self.rng.randrange(FIELDS)
        if at < 4:
            near = fields[at] + self.rng.choice((-1, 1))
            other = fields[self.rng.randrange(4)]
            ways = near, other, self.rng.choice(NUMBERS), self.rng.choice(SMALL_NUMBERS)
            fields[at] = self.rng.choice(ways) % 2**32
        else:
            near = fields[at] + self.rng.choice((-1, 1))
            fields[at] = self.rng.choice((near, near, 0, 1, 2, 254, 255)) % 256
        self.put(b"HEAD", HEADER.pack(*fields))

    def change_symbols(self) -> None:
        self._change_stream(self.find(b"LABL"))

    def change_part(self) -> None:
        """Change one of the streams, or of the numbers before them, that version 2 has."""
        fields = self.fields()
        at = self.find(b"PCOD", b"SHAP", b"LABL")
        if fields is None or at is None or fields[4] < 2:
            return
        chunk = self.chunks[at]
        parts = take_parts(chunk.kind, chunk.payload, fields[7])
        which = self.rng.randrange(len(parts))
        part = parts[which]
        if part.number and self.rng.random() < 0.2:
            near = int.from_bytes(part.number) + self.rng.choice((-1, 1))
            number = self.rng.choice((near % 2**32, self.rng.choice(NUMBERS)))
            part = replace(part, number=number.to_bytes(4))
        elif part.stream:
            inflated = bytearray(inflate(part.stream))
            if inflated and self.rng.random() < 0.7:
                # As many bytes as before get past the checks of sizes.
                for _ in range(self.rng.choice((1, 1, 2, 9))):
                    place = self.rng.randrange(len(inflated))
                    byte = inflated[place] + self.rng.choice((-1, 1, self.rng.randrange(256)))
                    inflated[place] = byte % 256
            elif len(inflated) <= 2**16:
                inflated[:] = self.mutate_bytes(bytes(inflated), len(inflated) + 8)
            part = replace(part, stream=self.deflate(bytes(inflated)))
        parts[which] = part
        payload = b"".join(part.data() for part in parts)
        self.chunks[at] = replace(chunk, payload=payload)

    def change_table(self) -> None:
        self._change_stream(self.find(b"RANK"))

    def spoil_table(self) -> None:
        """Make a ranking table that is right but for one list, or for its end."""
        fields = self.fields()
        if fields is None:
            return
        colors = fields[6] + 1
        lists = self.make_lists(colors)
        broken = self.rng.choice(lists)
        if broken:
            broken[-1] = self.rng.choice((broken[0], colors % 256, 255))
        fault = self.rng.randrange(6)
        if fault == 0:
            lists.pop()
        elif fault == 1:
            lists.append([])
        table = table_of(lists)
        self.put(b"RANK", self.deflate(table[:-1] if fault == 2 else table))

    def _change_stream(self, at: int | None) -> None:
        if at is None:
            return
        inflated = inflate(self.chunks[at].payload)
        if len(inflated) <= 2**16 and self.rng.random() < 0.8:
            inflated = self.mutate_bytes(inflated, len(inflated) + 8)
        self.chunks[at] = replace(self.chunks[at], payload=self.deflate(inflated))

    def deflate(self, data: bytes) -> bytes:
        """Return a stream of some kind: levels, strategies and windows differ."""
        strategies = zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY
        strategy = self.rng.choice((*strategies, zlib.Z_RLE, zlib.Z_FIXED))
        level, window = self.rng.choice((0, 1, 6, 9)), self.rng.choice((15, 15, 15, 9, -15, 31))
        stream = zlib.compressobj(level, zlib.DEFLATED, window, 9, strategy)
        if self.rng.random() < 0.1:
            half = len(data) // 2
            flush = self.rng.choice((zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH))
            parts = [
                stream.compress(data[:half]),
                stream.flush(flush),
                stream.compress(data[half:]),
            ]
            return b"".join([*parts, stream.flush()])
        return stream.compress(data) + stream.flush()

    # Whole images.

    def reshape(self) -> None:
        """Make it an image of other sides, tiles, channels, colours or predictor, and whole."""
        fields = self.fields() or [1, 1, 1, 1, 1, 1, 0, 0]
        longest = 2 ** self.rng.choice((1, 2, 4, 6, 8, 10, 11))
        for at in range(4):
            if self.rng.random() < 0.6:
                near = self.rng.choice((64, 65, 8, 32, 2 * fields[at % 2], fields[at % 2]))
                fields[at] = self.rng.choice((self.rng.randint(1, longest), near % 2**31))
        self.keep_first_image()
        # In version 1, symbols of any kind make whole tiles.
        fields[4] = 1
        for at, numbers in (5, range(1, 5)), (7, range(3)):
            if fields[at] not in numbers or self.rng.random() < 0.3:
                fields[at] = self.rng.choice(numbers)
        if self.rng.random() < 0.3:
            fields[6] = self.rng.choice((0, 1, 2, 15, 254, 255))
        self.put(b"HEAD", HEADER.pack(*fields))
        self.refill()
        self.repair()

    def keep_first_image(self) -> None:
        """Make an animation a still image."""
        if self.find(b"ANIM") is None:
            return
        kinds = [chunk.kind for chunk in self.chunks]
        end = first = kinds.index(b"LABL") if b"LABL" in kinds else len(kinds)
        while end < len(kinds) and kinds[end] == b"LABL":
            end += 1
        before = [chunk for chunk in self.chunks[:first] if chunk.kind not in (b"ANIM", b"FRAM")]
        self.chunks[:] = [*before, *self.chunks[first:end], Chunk(b"DONE", b"")]

    def refill(self) -> None:
        """Give the image that HEAD speaks of its tiles, of the symbols that there are."""
        fields = self.fields()
        if fields is None or not all(fields[:4]):
            return
        boxes = list(tiles(*fields[:4]))
        if not boxes:
            return
        old = [inflate(chunk.payload) for chunk in self.chunks[:64] if chunk.kind == b"LABL"]
        symbols = b"".join(old)[:MOST_INFLATED] or self.rng.randbytes(self.rng.choice((1, 7, 999)))
        symbols = symbols.translate(bytes(value % (fields[6] + 1) for value in range(256)))
        level = self.rng.choice((0, 1, 9)) if sum(boxes) < 2**16 else 1
        deflate = cache(partial(zlib.compress, level=level))
        made, at = [], 0
        for size in boxes:
            part = (symbols[at : at + size] + symbols * (size // len(symbols) + 1))[:size]
            at = (at + size) % len(symbols)
            made.append(Chunk(b"LABL", deflate(part)))
        rest = [chunk for chunk in self.chunks if chunk.kind not in (b"LABL", b"DONE")]
        self.chunks[:] = [*rest, *made, Chunk(b"DONE", b"")]

    def repair(self) -> None:
        """Make codebook, ranking and index fit what HEAD and the tiles are."""
        fields = self.fields()
        if fields is None:
            return
        *_, version, channels, last_label, layout = fields
        if version == 1:
            self.chunks[:] = [
                replace(chunk, kind=b"CODE") if chunk.kind == b"PCOD" else chunk
                for chunk in self.chunks
                if chunk.kind != b"SHAP"
            ]
        size = (last_label + 1) * channels
        code = self.find(b"CODE")
        if version == 1 or code is not None:
            old = self.chunks[code].payload if code is not None else b""
            self.put(b"CODE", old[:size] + self.rng.randbytes(max(size - len(old), 0)))
        if layout & PREDICTOR_BITS not in (LEFT, UP):
            self.chunks[:] = [chunk for chunk in self.chunks if chunk.kind != b"RANK"]
        else:
            rank = self.find(b"RANK")
            table = inflate(self.chunks[rank].payload) if rank is not None else b""
            if not is_table(table, last_label + 1):
                table = table_of(self.make_lists(last_label + 1))
                self.put(b"RANK", zlib.compress(table))
        if self.find(b"tidx") is not None or self.rng.random() < 0.1:
            self.reindex()

    def make_lists(self, colors: int) -> list[list[int]]:
        """Return the labels listed for each context."""
        longest = min(self.rng.choice((0, 1, 3, 255)), colors)
        counts = [self.rng.randint(0, longest) for _ in range(colors)]
        return [self.rng.sample(range(colors), count) for count in counts]

    def reindex(self) -> None:
        lengths = [len(chunk.payload) for chunk in self.chunks if chunk.kind == b"LABL"]
        self.put(b"tidx", struct.pack(f">{len(lengths)}I", *lengths))


WAYS: dict[Callable[[Change], None], int] = {
    Change.change_payload: 3,
    Change.change_kind: 1,
    Change.change_length: 1,
    Change.falsify_crc: 1,
    Change.swap: 1,
    Change.repeat: 1,
    Change.drop: 1,
    Change.insert: 2,
    Change.number_in_payload: 1,
    Change.change_field: 3,
    Change.change_symbols: 3,
    Change.change_part: 4,
    Change.change_table: 2,
    Change.spoil_table: 2,
    Change.reshape: 3,
    Change.refill: 1,
    Change.reindex: 1,
}


def tiles(width: int, height: int, tile_width: int, tile_height: int) -> Iterator[int]:
    """Yield the pixels of each tile; of none where there would be too many."""
    columns, rows = -(-width // tile_width), -(-height // tile_height)
    if width * height > MOST_PIXELS or columns * rows > MOST_TILES:
        return
    for y in range(0, height, tile_height):
        for x in range(0, width, tile_width):
            yield min(tile_width, width - x) * min(tile_height, height - y)
