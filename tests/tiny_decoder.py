"""A decoder of spec/kqf-1.md, written from its text, of nothing but the standard library.

Slow, but right by another road than kqf. Sections are cited as there.
"""

import re
import struct
import zlib

MIB = 2**20


class Refused(Exception):  # noqa: N818
    """A file breaks a rule; ``kind`` as in section 10."""

    def __init__(self, kind="wrong"):
        super().__init__(kind)
        self.kind = kind


def require(truth, kind="wrong"):
    if not truth:
        raise Refused(kind)


def read_chunk(data, at, longest=None):
    """Return (type, payload, offset of the next chunk) of the chunk at an offset (section 4).

    ``longest``: bytes of the payload by type, 16 MiB for others; None for no limit.
    """
    require(at + 8 <= len(data), "truncated")
    (length,) = struct.unpack_from(">I", data, at)
    kind = data[at + 4 : at + 8]
    require(re.fullmatch(rb"[A-Za-z][A-Za-z0-9 ]{3}", kind))
    require(longest is None or length <= longest.get(kind, 16 * MIB))
    end = at + 8 + length
    require(end + 4 <= len(data), "truncated")
    require(struct.unpack_from(">I", data, end)[0] == zlib.crc32(data[at + 4 : end]))
    return kind, data[at + 8 : end], end + 4


def inflate(payload, size):
    """Return what one stream of at most ``size`` bytes inflates to (section 8)."""
    stream = zlib.decompressobj()
    try:
        result = stream.decompress(payload, size + 1)
    except zlib.error as error:
        raise Refused from error
    require(len(result) <= size)
    require(stream.eof, "truncated")
    require(not stream.unused_data)
    return result


def rankings(table, entries):
    """Return the labels by context and rank (section 7)."""
    result, at = [], 0
    for entry in entries:
        require(at < len(table))
        count = table[at]
        listed = list(table[at + 1 : at + 1 + count])
        at += 1 + count
        require(at <= len(table))
        require(all(label < len(entries) for label in listed))
        require(len(set(listed)) == count)
        others = sorted(
            (sum((a - b) ** 2 for a, b in zip(entry, other, strict=True)), label)
            for label, other in enumerate(entries)
            if label not in listed
        )
        result.append(listed + [label for _, label in others])
    require(at == len(table))
    return result


def tiny_decode(data):
    """Return (labels as rows, entries, payloads of the metadata) of a file."""
    signature = bytes.fromhex("89 4B 51 46 0D 0A 1A 0A")
    require(data[:8] == signature, "truncated" if signature.startswith(data[:8]) else "wrong")
    kind, payload, at = read_chunk(data, 8)
    require(kind == b"HEAD")
    require(len(payload) == 20)
    *sides, version, channels, last_label, predictor = struct.unpack(">4I4B", payload)
    require(all(1 <= side <= 2**31 - 1 for side in sides))
    require(version == 1, "unsupported")
    require(1 <= channels <= 4 and predictor <= 2)
    width, height, tile_width, tile_height = sides
    colors = last_label + 1
    kind, payload, at = read_chunk(data, at)
    require(kind == b"CODE")
    require(len(payload) == colors * channels)
    entries = [payload[k : k + channels] for k in range(0, len(payload), channels)]

    columns, rows = -(-width // tile_width), -(-height // tile_height)
    tiles = columns * rows
    longest = {b"RANK": 512 * colors + 1024, b"tidx": 4 * tiles, b"LABL": 2**32 - 1}
    metadata, single, total, count = {}, {}, 0, 0
    while True:
        first = at
        kind, payload, at = read_chunk(data, at, longest)
        if kind == b"LABL":
            break
        count += 1
        require(count <= 1024)
        require(kind not in single)
        require(kind not in (b"HEAD", b"CODE", b"DONE"))
        if kind in (b"RANK", b"tidx"):
            single[kind] = payload
            continue
        require(not kind[:1].isupper(), "unsupported")
        total += len(payload)
        require(total <= 64 * MIB)
        if kind in (b"iccp", b"exif", b"xmp ", b"phys", b"text"):
            require(payload)
            single[kind] = metadata[kind.decode()] = payload
    if "phys" in metadata:
        require(len(metadata["phys"]) == 12)
        require(all(struct.unpack(">3I", metadata["phys"])))
    if "text" in metadata:
        try:
            require("\0" not in metadata["text"].decode("utf-8"))
        except UnicodeDecodeError as error:
            raise Refused from error
    require((b"RANK" in single) == (predictor > 0))
    if predictor:
        require(len(single[b"RANK"]) >= 9)
        order = rankings(inflate(single[b"RANK"], colors * (1 + min(colors, 255))), entries)
    if b"tidx" in single:
        require(len(single[b"tidx"]) == 4 * tiles)

    # Section 9.3: no more is allocated than the bytes left can bear out.
    least = 12 * tiles + max(9 * tiles, -(-width * height // 1032))
    require(least <= len(data) - first, "truncated")
    labels = [bytearray(width) for _ in range(height)]
    at = first
    for number in range(tiles):
        kind, payload, at = read_chunk(data, at)
        require(kind == b"LABL")
        if b"tidx" in single:
            require(struct.unpack_from(">I", single[b"tidx"], 4 * number)[0] == len(payload))
        left, upper = number % columns * tile_width, number // columns * tile_height
        w, h = min(tile_width, width - left), min(tile_height, height - upper)
        require(len(payload) >= 9 and 1032 * len(payload) >= w * h)
        symbols = inflate(payload, w * h)
        require(len(symbols) == w * h)
        require(max(symbols) <= last_label)
        for y in range(h):
            row = symbols[y * w : y * w + w]
            if predictor == 1:
                context, ranks, row = 0, row, bytearray()
                for rank in ranks:
                    context = order[context][rank]
                    row.append(context)
            elif predictor == 2:
                above = labels[upper + y - 1][left : left + w] if y else bytes(w)
                row = bytes(order[c][rank] for c, rank in zip(above, row, strict=True))
            labels[upper + y][left : left + w] = row
    kind, payload, at = read_chunk(data, at)
    require(kind == b"DONE")
    require(not payload)
    require(at == len(data))
    return labels, entries, metadata
