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
    require(count <= size[0] * size[1] // 4)
    yield from placed_shapes(inflate_to(stream, 6 * count), count, shapes, box, size)


def placed_shapes(planes, count, shapes, box, size):
    """Yield (x, y, shape) in pixels of the image of inflated placements (section 5.9)."""
    left, upper, w, h = box

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


def check_overviews(index, over, size, last_label):
    """Check the overviews of an image of a size (section 6.8)."""
    require(len(index) >= 2)
    first, count = index[:2]
    require(first >= 1 and count >= 1 and first + count <= 32)
    tiles = []
    for level in range(first + count - 1, first - 1, -1):
        width, height = (-(-side >> level) for side in size)
        tiles += [
            min(256, width - x) * min(256, height - y)
            for y in range(0, height, 256)
            for x in range(0, width, 256)
        ]
    require(len(index) == 2 + 8 * len(tiles))
    numbers = struct.unpack_from(f">{2 * len(tiles)}I", index, 2)
    lengths, crcs = numbers[: len(tiles)], numbers[len(tiles) :]
    total = sum(lengths)
    sides = [16 * MIB] * (total // (16 * MIB)) + [total % (16 * MIB)] * (total % (16 * MIB) > 0)
    require([len(payload) for payload in over] == sides)
    data, at = b"".join(over), 0
    for length, crc, pixels in zip(lengths, crcs, tiles, strict=True):
        stream, at = data[at : at + length], at + length
        require(zlib.crc32(stream) == crc)
        require(max(inflate_to(stream, pixels)) <= last_label)


def image_layout(byte, last_label, sides, *, version=2):
    """Return (predictor, transposed, ranked, shapes) of the field layout (section 5.1)."""
    width, height, tile_width, tile_height = sides
    if version == 1:
        require(byte <= 2)
        return byte, False, False, False
    predictor = byte & 15
    require(predictor <= 4 and byte < 128, "unsupported")
    transposed, is_ranked, has_shapes = (bool(byte >> bit & 1) for bit in (4, 5, 6))
    require(not is_ranked or predictor == 3)
    require(predictor != 4 or last_label <= 15)
    most = max(min(width, tile_width), min(height, tile_height))
    require(not (has_shapes or predictor == 3) or most <= 65281)
    return predictor, transposed, is_ranked, has_shapes


CRITICAL = (b"HEAD", b"CODE", b"PCOD", b"SHAP", b"RANK", b"ANIM", b"LABL", b"FRAM", b"DONE")


def check_known(kind, version):
    """Refuse an unknown critical chunk as unsupported, in version 2 anywhere (R4.3-5)."""
    require(version == 1 or not kind[:1].isupper() or kind in CRITICAL, "unsupported")


def image_labels(data, at, sides, version, layout, entries, single):
    """Return (labels as rows, offset of the chunk after the last tile, shapes) of one image.

    ``layout``: of image_layout. ``single``: payloads of RANK, SHAP and tidx, where they are.
    """
    width, height, tile_width, tile_height = sides
    predictor, transposed, is_ranked, has_shapes = layout
    colors = len(entries)
    last_label = colors - 1
    require(b"RANK" not in single or predictor in (1, 2))
    require(b"RANK" in single or predictor not in (1, 2) or version == 2)
    require((b"SHAP" in single) == has_shapes)
    order = None
    if b"RANK" in single:
        order = rankings_of(single[b"RANK"], entries)
    elif predictor in (1, 2) or is_ranked:
        order = rankings(bytes(colors), entries)
    shapes = shapes_of(single[b"SHAP"], last_label, width * height) if has_shapes else []
    columns, rows = -(-width // tile_width), -(-height // tile_height)
    tiles = columns * rows
    if b"tidx" in single:
        require(len(single[b"tidx"]) == 4 * tiles)
    # Section 9.3: no more is allocated than the bytes left can bear out.
    n = 64 if not last_label else 8 if last_label < 2 else 4 if last_label < 4 else 2
    stored = width * height if predictor < 3 else -(-width * height // (4 if predictor == 3 else n))
    least = 12 * tiles + max(9 * tiles, -(-stored // 1032))
    require(least <= len(data) - at, "truncated")
    labels = [bytearray(width) for _ in range(height)]
    placements = []
    for number in range(tiles):
        kind, payload, at = read_chunk(data, at)
        check_known(kind, version)
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
    for x, y, label in painted_pixels(placements, shapes):
        require(not painted[y][x])
        painted[y][x] = 1
        labels[y][x] = label
    require({number for *_, number in placements} == set(range(len(shapes))))
    return labels, at, shapes


def rankings_of(payload, entries):
    """Return the labels by context and rank of the payload of RANK (section 7.3)."""
    colors = len(entries)
    require(9 <= len(payload) <= 512 * colors + 1024)
    return rankings(inflate(payload, colors * (1 + min(colors, 255))), entries)


def painted_pixels(placements, shapes):
    """Yield (x, y, label) of the pixels that placements paint (section 5.9)."""
    for left, upper, number in placements:
        height, width, ground, shape = shapes[number]
        for x in range(width):
            for y in range(height):
                label = shape[x * height + y]
                if label != ground:
                    yield left + x, upper + y, label


def timing_of(payload):
    """Return (durations, plays, ticks per second) of ANIM (section 5.10)."""
    require(len(payload) >= 12)
    frames, plays, ticks = struct.unpack_from(">III", payload)
    require(2 <= frames <= 2**24 and 1 <= ticks <= 10**6)
    planes = inflate_to(payload[12:], 4 * frames)
    low, second, third, high = (planes[at : at + frames] for at in range(0, 4 * frames, frames))
    durations = [
        a | b << 8 | c << 16 | d << 24 for a, b, c, d in zip(low, second, third, high, strict=True)
    ]
    require(sum(durations) < 2**53)
    return durations, plays, ticks


def changed_pixels(bits, side, width, height):
    """Return the pixels of the blocks that a map marks, in the order of their labels."""
    columns, rows = -(-width // side), -(-height // side)
    marked = {n for n in range(8 * len(bits)) if bits[n // 8] >> n % 8 & 1}
    require(all(n < columns * rows for n in marked))
    return [
        (x, y)
        for row in range(rows)
        for column in range(columns)
        if row * columns + column in marked
        for x in range(column * side, min(column * side + side, width))
        for y in range(row * side, min(row * side + side, height))
    ]


class Canvas:
    """The labels and entries that are shown (section 5.11)."""

    def __init__(self, labels, entries, shapes):
        self.entries, self.shapes, self.lists = entries, list(shapes), None
        self.labels = [list(row) for row in labels]
        self.colors = [[entries[label] for label in row] for row in labels]

    def put(self, x, y, label):
        self.labels[y][x] = label
        self.colors[y][x] = self.entries[label]

    @property
    def pixels(self):
        return b"".join(entry for row in self.colors for entry in row)

    def change_codebook(self, entries):
        self.entries, self.shapes, self.lists = entries, [], None
        self.labels = [[None] * len(row) for row in self.labels]

    def context(self, x, y):
        """Return the label of a pixel, or that of the nearest entry."""
        if self.labels[y][x] is not None:
            return self.labels[y][x]
        color = self.colors[y][x]
        return min(
            range(len(self.entries)),
            key=lambda k: sum((a - b) ** 2 for a, b in zip(color, self.entries[k], strict=True)),
        )

    def paint(self, payload):
        """Paint the frames of changes; yield after each. ``payload``: from frames on."""
        width, height = len(self.labels[0]), len(self.labels)
        require(len(payload) >= 18)
        frames, side, ranked, *lengths = struct.unpack_from(">IBBIII", payload)
        require(1 <= frames <= 65536 and side in (1, 2, 4, 8, 16) and ranked <= 1)
        streams, rest = [], payload[18:]
        for length in lengths:
            require(length <= len(rest))
            streams.append(rest[:length])
            rest = rest[length:]
        streams.append(rest)

        def take(number, size, most):
            require(frames == 1 or size <= most)
            require(size or not streams[number])
            return inflate_to(streams[number], size) if size else b""

        counts = take(0, 5 * frames, 5 * 65536)
        require(max(counts[:frames]) <= 1)
        placed = [
            sum(counts[(1 + plane) * frames + k] << 8 * plane for plane in range(4))
            for k in range(frames)
        ]
        require(max(placed) <= width * height // 4)
        map_size = -(-(-(-width // side) * -(-height // side)) // 8)
        maps = take(1, map_size * sum(counts[:frames]), 2**22)
        placements = take(2, 6 * sum(placed), 6 * 2**20)
        changed, at = [], 0
        for k in range(frames):
            bits = maps[at : at + map_size] if counts[k] else b""
            at += len(bits)
            changed.append(changed_pixels(bits, side, width, height))
        labels = take(3, sum(map(len, changed)), 2**22)
        require(max(labels, default=0) < len(self.entries))
        order = rankings(self.lists or bytes(len(self.entries)), self.entries) if ranked else None
        at = first = 0
        for k in range(frames):
            for x, y in changed[k]:
                label = labels[at]
                at += 1
                self.put(x, y, order[self.context(x, y)][label] if ranked else label)
            if placed[k]:
                require(max(width, height) <= 65281)
                planes = placements[first : first + 6 * placed[k]]
                first += len(planes)
                box = 0, 0, width, height
                found = list(placed_shapes(planes, placed[k], self.shapes, box, (width, height)))
                pixels = list(painted_pixels(found, self.shapes))
                require(len(pixels) <= width * height)
                for x, y, label in pixels:
                    self.put(x, y, label)
            yield


def frames_of(data, at, sides, channels, canvas, count):
    """Return the pixels of all frames, from the chunk after the last tile on (section 5.11)."""
    shown = [canvas.pixels]
    whole = []
    while True:
        start = at
        found = {}
        while b"FRAM" not in found:
            before = at
            kind, payload, at = read_chunk(data, at, dict.fromkeys(CRITICAL, 2**32 - 1))
            if kind in (b"fidx", b"DONE") and not found:
                at = before
                break
            check_known(kind, 2)
            names = [b"CODE", b"PCOD", b"RANK", b"SHAP", b"FRAM"]
            require(kind in names)
            require(all(names.index(other) < names.index(kind) for other in found))
            require(kind != b"PCOD" or b"CODE" not in found)
            found[kind] = payload
        if not found:
            break
        entries = None
        if b"CODE" in found or b"PCOD" in found:
            size = len(found[b"CODE"]) if b"CODE" in found else None
            if size is None:
                size = len(inflate(found[b"PCOD"], 256 * channels))
            require(size and size % channels == 0 and size <= 256 * channels)
            if b"CODE" in found:
                code = found[b"CODE"]
                entries = [code[k : k + channels] for k in range(0, size, channels)]
            else:
                entries = packed_codebook(found[b"PCOD"], size // channels, channels)
        payload = found[b"FRAM"]
        require(len(payload) >= 5)
        number, kind = struct.unpack_from(">IB", payload)
        require(kind <= 1, "unsupported")
        if kind == 0:
            require(len(payload) == 6 and entries is not None)
            require(number == len(shown) and number < count)
            layout = image_layout(payload[5], len(entries) - 1, sides)
            labels, at, shapes = image_labels(data, at, sides, 2, layout, entries, found)
            canvas = Canvas(labels, entries, shapes)
            shown.append(canvas.pixels)
            whole.append((number, start))
            continue
        require(number == len(shown) or (entries is not None and number == len(shown) - 1))
        if entries is not None:
            canvas.change_codebook(entries)
        if b"RANK" in found:
            require(len(payload) > 10 and payload[10] == 1)
            require(len(found[b"RANK"]) >= 9)
            colors = len(canvas.entries)
            canvas.lists = inflate(found[b"RANK"], colors * (1 + min(colors, 255)))
        if b"SHAP" in found:
            pixels = sides[0] * sides[1] + 2**20
            pixels -= sum(len(shape) for *_, shape in canvas.shapes)
            canvas.shapes += shapes_of(found[b"SHAP"], len(canvas.entries) - 1, pixels)
            require(len(canvas.shapes) <= 65536)
        del shown[number:]
        for _ in canvas.paint(payload[5:]):
            shown.append(canvas.pixels)
        require(len(shown) <= count)
    require(len(shown) == count)
    kind, payload, at = read_chunk(data, at)
    if kind == b"fidx":
        require(len(payload) >= 16 and len(payload) % 12 == 4)
        require(struct.unpack(">I", payload[-4:])[0] == len(payload))
        require(list(struct.iter_unpack(">IQ", payload[:-4])) == whole)
        kind, payload, at = read_chunk(data, at)
    return shown, kind, payload, at


def tiny_decode(data):
    """Return (labels as rows, entries, payloads of the metadata) of a file."""
    return tiny_decode_all(data)[:3]


def tiny_decode_all(data):
    """Return what tiny_decode does, and for an animation (pixels of frames, timing), else None."""
    signature = bytes.fromhex("89 4B 51 46 0D 0A 1A 0A")
    require(data[:8] == signature, "truncated" if signature.startswith(data[:8]) else "wrong")
    kind, payload, at = read_chunk(data, 8)
    require(kind == b"HEAD")
    require(len(payload) == 20)
    *sides, version, channels, last_label, byte = struct.unpack(">4I4B", payload)
    require(all(1 <= side <= 2**31 - 1 for side in sides))
    require(1 <= version <= 2, "unsupported")
    require(1 <= channels <= 4)
    layout = image_layout(byte, last_label, sides, version=version)
    colors = last_label + 1
    kind, payload, at = read_chunk(data, at)
    if kind == b"PCOD":
        require(version == 2, "unsupported")
        entries = packed_codebook(payload, colors, channels)
    else:
        check_known(kind, version)
        require(kind == b"CODE")
        require(len(payload) == colors * channels)
        entries = [payload[k : k + channels] for k in range(0, len(payload), channels)]

    tiles = -(-sides[0] // sides[2]) * -(-sides[1] // sides[3])
    longest = {b"RANK": 512 * colors + 1024, b"tidx": 4 * tiles}
    longest |= dict.fromkeys((b"LABL", b"SHAP", b"ANIM"), 2**32 - 1)
    metadata, single, over, total, count = {}, {}, [], 0, 0
    while True:
        first = at
        kind, payload, at = read_chunk(data, at, longest)
        if kind == b"LABL":
            break
        count += 1
        require(count <= 1024)
        require(kind not in single)
        if b"oidx" in single or kind == b"over":
            require(kind == b"over" and b"oidx" in single)
            over.append(payload)
        if kind == b"oidx":
            single[kind] = payload
        require(kind not in (b"HEAD", b"CODE", b"DONE"))
        only_2 = (b"PCOD", b"SHAP", b"ANIM", b"FRAM")
        require(kind not in only_2 or version == 2, "unsupported")
        require(kind not in (b"PCOD", b"FRAM"))
        if kind in (b"RANK", b"tidx", b"SHAP", b"ANIM"):
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
    if b"oidx" in single:
        check_overviews(single[b"oidx"], over, sides[:2], last_label)
    timing = timing_of(single[b"ANIM"]) if b"ANIM" in single else None
    labels, at, shapes = image_labels(data, first, sides, version, layout, entries, single)
    if timing is None:
        frames = None
        kind, payload, at = read_chunk(data, at)
    else:
        canvas = Canvas(labels, entries, shapes)
        shown, kind, payload, at = frames_of(data, at, sides, channels, canvas, len(timing[0]))
        frames = shown, timing
    check_known(kind, version)
    require(kind == b"DONE")
    require(not payload)
    require(at == len(data))
    return labels, entries, metadata, frames
