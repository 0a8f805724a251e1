"""A decoder of spec/kqf.md, written from its text, of nothing but the standard library.

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


def could_inflate(payload, size):
    """Check that a stream could inflate to so many bytes (section 9.3)."""
    require(len(payload) >= 9 and 1032 * len(payload) >= size)


def inflate_to(payload, size):
    """Return what one stream inflates to, which must be exactly so many bytes."""
    could_inflate(payload, size)
    result = inflate(payload, size)
    require(len(result) == size)
    return result


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


def packed_codebook(payload, colors, channels):
    """Return the entries of the payload of PCOD (section 5.7)."""
    steps = inflate_to(payload, colors * channels)
    entries, before = [], [0] * channels
    for k in range(colors):
        step = [steps[channel * colors + k] for channel in range(channels)]
        if channels >= 3:
            step[0] += step[1]
            step[2] += step[1]
        before = [(a + b) % 256 for a, b in zip(before, step, strict=True)]
        entries.append(bytes(before))
    return entries


def shapes_of(payload, last_label, pixels):
    """Return [(height, width, ground, labels column by column)] of SHAP (section 5.8)."""
    require(len(payload) >= 8)
    count, length = struct.unpack_from(">II", payload)
    require(1 <= count <= 65536 and length <= len(payload) - 8)
    sides = inflate_to(payload[8 : 8 + length], 3 * count)
    heights, widths, grounds = sides[:count], sides[count : 2 * count], sides[2 * count :]
    require(all(heights) and all(widths))
    areas = [h * w for h, w in zip(heights, widths, strict=True)]
    require(sum(areas) <= pixels)
    labels = inflate_to(payload[8 + length :], sum(areas))
    require(max(labels) <= last_label and max(grounds) <= last_label)
    shapes, at = [], 0
    for h, w, ground, area in zip(heights, widths, grounds, areas, strict=True):
        shape = labels[at : at + area]
        require(area - shape.count(ground) >= 4)
        shapes.append((h, w, ground, shape))
        at += area
    return shapes


def placements_of(stream, count, shapes, box, size):
    """Yield (x, y, shape) in pixels of the image of a tile's placements (section 5.9)."""
    left, upper, w, h = box
    require(count <= size[0] * size[1] // 4)
    planes = inflate_to(stream, 6 * count)

    def number(plane, i):
        return planes[2 * plane * count + i] + 256 * planes[(2 * plane + 1) * count + i]

    edge = x = width = 0
    for i in range(count):
        down, right, shape = (number(plane, i) for plane in range(3))
        require(shape < len(shapes))
        edge = (edge + down) % 65536
        x = right if i == 0 or down else (x + width + right) % 65536
        height, width = shapes[shape][:2]
        y = edge - height
        require(0 <= x < w and 0 <= y < h)
        require(left + x + width <= size[0] and upper + y + height <= size[1])
        yield left + x, upper + y, shape


def copied(codes, new, w, h, order):
    """Return the labels of a tile of predictor 3, row by row (section 7.4).

    ``new``: gives the new labels, or ranks, from their number. ``order``: rankings for ranks.
    """

    def code(x, y):
        return codes[y // 4 * w + x] >> 2 * (y % 4) & 3

    for y in range(h, -(-h // 4) * 4):
        require(not any(code(x, y) for x in range(w)))
    places = [
        (x, y)
        for first in range(0, h, 16)
        for x in range(w)
        for y in range(first, min(first + 16, h))
        if code(x, y) == 3
    ]
    symbols = dict(zip(places, new(len(places)), strict=True))
    rows = []
    for y in range(h):
        above = rows[-1] if rows else bytes(w)
        row = bytearray()
        for x in range(w):
            source = code(x, y)
            if source == 0:
                label = above[x]
            elif source == 1:
                label = row[x - 1] if x else 0
            elif source == 2:
                label = above[x + 1] if x + 1 < w else 0
            else:
                label = symbols[x, y]
                if order:
                    label = order[above[x]][label]
            row.append(label)
        rows.append(row)
    return b"".join(rows)


def unpacked(data, w, h, n):
    """Return the labels of a tile of predictor 4, row by row (section 7.5)."""
    if n == 64:
        require(not any(data))
        return bytes(w * h)
    bits = 8 // n

    def label(x, y):
        return data[y // n * w + x] >> bits * (y % n) & (1 << bits) - 1

    for y in range(h, -(-h // n) * n):
        require(not any(label(x, y) for x in range(w)))
    return bytes(label(x, y) for y in range(h) for x in range(w))


def part(payload):
    """Return the stream behind its length, and what follows it (section 5.5)."""
    require(len(payload) >= 4)
    (length,) = struct.unpack_from(">I", payload)
    require(length <= len(payload) - 4)
    return payload[4 : 4 + length], payload[4 + length :]


def tile_labels(payload, predictor, order, w, h, last_label, n):
    """Return the labels of a tile row by row, before painting (section 7)."""
    if predictor == 3:
        codes, rest = part(payload)

        def new(count):
            if not count:
                require(not rest)
                return b""
            symbols = inflate_to(rest, count)
            require(max(symbols) <= last_label)
            return symbols

        return copied(inflate_to(codes, -(-h // 4) * w), new, w, h, order)
    if predictor == 4:
        result = unpacked(inflate_to(payload, -(-h // n) * w), w, h, n)
        require(max(result) <= last_label)
        return result
    symbols = inflate_to(payload, w * h)
    require(max(symbols) <= last_label)
    if not predictor:
        return symbols
    result = bytearray()
    for at, rank in enumerate(symbols):
        if predictor == 1:
            context = result[at - 1] if at % w else 0
        else:
            context = result[at - w] if at >= w else 0
        result.append(order[context][rank])
    return bytes(result)


def tiny_decode(data):
    """Return (labels as rows, entries, payloads of the metadata) of a file."""
    signature = bytes.fromhex("89 4B 51 46 0D 0A 1A 0A")
    require(data[:8] == signature, "truncated" if signature.startswith(data[:8]) else "wrong")
    kind, payload, at = read_chunk(data, 8)
    require(kind == b"HEAD")
    require(len(payload) == 20)
    *sides, version, channels, last_label, bits_of_layout = struct.unpack(">4I4B", payload)
    require(all(1 <= side <= 2**31 - 1 for side in sides))
    require(1 <= version <= 2, "unsupported")
    require(1 <= channels <= 4)
    width, height, tile_width, tile_height = sides
    predictor, transposed, is_ranked, has_shapes = bits_of_layout, False, False, False
    if version == 2:
        predictor = bits_of_layout & 15
        require(predictor <= 4 and bits_of_layout < 128, "unsupported")
        transposed, is_ranked, has_shapes = (bool(bits_of_layout >> bit & 1) for bit in (4, 5, 6))
        require(not is_ranked or predictor == 3)
        require(predictor != 4 or last_label <= 15)
        most = max(min(width, tile_width), min(height, tile_height))
        require(not (has_shapes or predictor == 3) or most <= 65281)
    else:
        require(predictor <= 2)
    colors = last_label + 1
    kind, payload, at = read_chunk(data, at)
    if kind == b"PCOD":
        require(version == 2, "unsupported")
        entries = packed_codebook(payload, colors, channels)
    else:
        require(
            version == 1
            or kind in (b"CODE", b"HEAD")
            or not kind[:1].isupper()
            or kind in (b"RANK", b"SHAP", b"LABL", b"DONE"),
            "unsupported",
        )
        require(kind == b"CODE")
        require(len(payload) == colors * channels)
        entries = [payload[k : k + channels] for k in range(0, len(payload), channels)]

    columns, rows = -(-width // tile_width), -(-height // tile_height)
    tiles = columns * rows
    longest = {b"RANK": 512 * colors + 1024, b"tidx": 4 * tiles}
    longest |= dict.fromkeys((b"LABL", b"SHAP"), 2**32 - 1)
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
        require(kind not in (b"PCOD", b"SHAP") or version == 2, "unsupported")
        require(kind != b"PCOD")
        if kind in (b"RANK", b"tidx", b"SHAP"):
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
    require(b"RANK" not in single or predictor in (1, 2))
    require(b"RANK" in single or predictor not in (1, 2) or version == 2)
    require((b"SHAP" in single) == has_shapes)
    order = None
    if b"RANK" in single:
        require(len(single[b"RANK"]) >= 9)
        order = rankings(inflate(single[b"RANK"], colors * (1 + min(colors, 255))), entries)
    elif predictor in (1, 2) or is_ranked:
        order = rankings(bytes(colors), entries)
    shapes = shapes_of(single[b"SHAP"], last_label, width * height) if has_shapes else []
    if b"tidx" in single:
        require(len(single[b"tidx"]) == 4 * tiles)

    # Section 9.3: no more is allocated than the bytes left can bear out.
    n = 64 if not last_label else 8 if last_label < 2 else 4 if last_label < 4 else 2
    stored = width * height if predictor < 3 else -(-width * height // (4 if predictor == 3 else n))
    least = 12 * tiles + max(9 * tiles, -(-stored // 1032))
    require(least <= len(data) - first, "truncated")
    labels = [bytearray(width) for _ in range(height)]
    placements = []
    at = first
    for number in range(tiles):
        kind, payload, at = read_chunk(data, at)
        if version == 2 and kind[:1].isupper():
            known = (b"HEAD", b"CODE", b"PCOD", b"SHAP", b"RANK", b"LABL", b"DONE")
            require(kind in known, "unsupported")
        require(kind == b"LABL")
        if b"tidx" in single:
            require(struct.unpack_from(">I", single[b"tidx"], 4 * number)[0] == len(payload))
        left, upper = number % columns * tile_width, number // columns * tile_height
        w, h = min(tile_width, width - left), min(tile_height, height - upper)
        box = left, upper, w, h
        if has_shapes:
            require(len(payload) >= 4)
            (count,), payload = struct.unpack_from(">I", payload), payload[4:]
            if count:
                stream, payload = part(payload)
                placements += placements_of(stream, count, shapes, box, (width, height))
        if transposed:
            w, h = h, w
        tile = tile_labels(payload, predictor, order, w, h, last_label, n)
        for y in range(box[3]):
            row = tile[y::w] if transposed else tile[y * w : y * w + w]
            labels[upper + y][left : left + box[2]] = row
    painted = [bytearray(width) for _ in range(height)]
    for left, upper, number in placements:
        shape_height, shape_width, ground, shape = shapes[number]
        for x in range(shape_width):
            for y in range(shape_height):
                label = shape[x * shape_height + y]
                if label != ground:
                    require(not painted[upper + y][left + x])
                    painted[upper + y][left + x] = 1
                    labels[upper + y][left + x] = label
    require({number for *_, number in placements} == set(range(len(shapes))))
    kind, payload, at = read_chunk(data, at)
    if version == 2 and kind[:1].isupper():
        require(
            kind in (b"HEAD", b"CODE", b"PCOD", b"SHAP", b"RANK", b"LABL", b"DONE"), "unsupported"
        )
    require(kind == b"DONE")
    require(not payload)
    require(at == len(data))
    return labels, entries, metadata
