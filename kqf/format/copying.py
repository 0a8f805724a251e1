"""Predictor 3, copy: where each label is copied from, and the labels that are new (section 7.4).

Each pixel has a code of two bits. The codes of four pixels of a column share a byte; the labels of
pixels that copy nothing follow in a stream of their own, in bands of 16 rows, column by column: so
deflate finds letters again.
"""

from collections.abc import Sequence

import numpy as np

from kqf.errors import FormatError

# The codes, and where they copy from: (x, y - 1), (x - 1, y), (x + 1, y - 1), nowhere.
ABOVE, LEFT, ABOVE_RIGHT, NEW = range(4)
# Pixels of a column whose codes share a byte.
PER_BYTE = 4
# Rows that new labels are listed column by column of: 1 to 2 % smaller than row by row.
_BAND = 16
# Pixels decoded at once, as each takes up to 80 bytes meanwhile.
_AT_ONCE = 2**18
# With rows of fewer pixels than this, a step of numpy costs more than its pixels one by one.
_FEW_PIXELS = 24


def code_bytes(shape: tuple[int, int]) -> int:
    """Return the bytes of the codes of a tile of (height, width) pixels."""
    height, width = shape
    return -(-height // PER_BYTE) * width


def encode(
    labels: np.ndarray, *, above_right: bool = True, ranks: np.ndarray | None = None
) -> tuple[bytes, bytes]:
    """Return the codes and the new labels of one tile.

    Arguments:
        labels: (h, w) uint8.
        above_right: whether to use code 2.
        ranks: (K, K) uint8 by label above and label, to store new labels as ranks; None to store
            them as they are.

    Returns:
        code_bytes bytes, and a byte for each pixel whose code is 3.
    """
    codes, above, from_left = choose(labels, above_right=above_right)
    new = np.flatnonzero(codes == NEW)
    new = new[_listed(new, labels.shape[1], labels.shape[1])]
    symbols = labels.reshape(-1)[new]
    if ranks is not None:
        symbols = ranks[above.reshape(-1)[new], symbols]
    packed = _pack(codes)
    free = _pack((from_left & (codes == ABOVE)).view(np.uint8))
    return _most_frequent(packed, free).tobytes(), symbols.tobytes()


def choose(
    labels: np.ndarray, *, above_right: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the lowest code that fits each label (h, w) uint8, and what it was chosen by.

    Returns:
        codes (h, w) uint8; the labels above (h, w) uint8; which labels are those to the left,
        (h, w) bool.
    """
    above = np.zeros_like(labels)
    above[1:] = labels[:-1]
    from_left = np.empty(labels.shape, np.bool_)
    from_left[:, 0] = labels[:, 0] == 0
    np.equal(labels[:, 1:], labels[:, :-1], out=from_left[:, 1:])
    codes = np.full(labels.shape, NEW, np.uint8)
    if above_right:
        corner = np.zeros_like(labels)
        corner[:, :-1] = above[:, 1:]
        codes[labels == corner] = ABOVE_RIGHT
    np.copyto(codes, LEFT, where=from_left)
    np.copyto(codes, ABOVE, where=labels == above)
    return codes, above, from_left


def _listed(new: np.ndarray, width: int, tile_width: int) -> np.ndarray:
    """Return the order in which new labels are stored, as indices of them.

    Arguments:
        new: (n,) the pixels, row by row. width: of a row. tile_width: of each of the tiles in it.
    """
    rows = new // width
    columns = new - rows * width
    order = _sorted(columns)
    by_band = order[_sorted(rows[order] // _BAND)]
    if tile_width < width:
        by_band = by_band[_sorted(columns[by_band] // tile_width)]
    listed: np.ndarray = by_band
    return listed


def _sorted(keys: np.ndarray) -> np.ndarray:
    """Return the order of keys (n,), at least 0; equal ones stay as they are."""
    # Numpy sorts numbers of 16 bits by radix, several times as fast as others.
    if not len(keys) or keys.max() < 2**16:
        keys = keys.astype(np.uint16)
    order: np.ndarray = np.argsort(keys, kind="stable")
    return order


def _pack(codes: np.ndarray) -> np.ndarray:
    """Return codes (h, w) uint8, each below 4, four of a column to a byte."""
    height, width = codes.shape
    padded = np.zeros((-(-height // PER_BYTE), PER_BYTE, width), np.uint8)
    padded.reshape(-1, width)[:height] = codes
    packed = padded[:, 0].copy()
    for place in range(1, PER_BYTE):
        packed |= padded[:, place] << np.uint8(2 * place)
    return packed


def _unpack(packed: np.ndarray, height: int) -> np.ndarray:
    """Return the codes (height * width,) of packed ones (rows, width), the inverse of _pack."""
    rows, width = packed.shape
    unpacked = np.empty((rows, PER_BYTE, width), np.uint8)
    for place in range(PER_BYTE):
        np.right_shift(packed, np.uint8(2 * place), out=unpacked[:, place])
    unpacked &= np.uint8(3)
    return unpacked.reshape(-1)[: height * width]


def _most_frequent(packed: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Choose between above and left, where either fits, for bytes that are frequent already.

    Arguments:
        packed: codes, above wherever it fits. free: likewise, 1 wherever left fits too.
    """
    counts = np.bincount(packed.ravel(), minlength=256)
    # By byte and set of free places, the byte to write.
    choices = np.repeat(np.arange(256, dtype=np.uint8), 256).reshape(256, 256)
    octets = np.arange(256)
    for places in {int(mask) for mask in np.unique(free)}:
        subsets = [part for part in range(places + 1) if part & places == part]
        # Of equally frequent bytes the one with fewer codes LEFT.
        candidates = np.stack([octets | part for part in subsets])
        winner = counts[candidates].argmax(axis=0)
        choices[:, places] = candidates[winner, octets]
    index = packed.astype(np.uint16)
    index <<= 8
    index |= free
    return choices.ravel().take(index)


def count_new(codes: bytes, shape: tuple[int, int], tile: int) -> int:
    """Return how many labels of a tile are new, and check its codes.

    Arguments:
        codes: inflated. shape: (height, width) of the tile. tile: its number, for messages.

    Raises:
        FormatError: too short or too long, or bits beyond the last row are set.
    """
    height, width = shape
    expected = code_bytes(shape)
    if len(codes) != expected:
        raise FormatError("LABL", f"bytes of codes of tile {tile}", expected, len(codes))
    packed = np.frombuffer(codes, np.uint8)
    if (rest := height % PER_BYTE) and (packed[-width:] >> (2 * rest)).any():
        raise FormatError("LABL", f"codes beyond tile {tile}", "zero", "others")
    return int(_count_codes_new(packed))


def _count_codes_new(packed: np.ndarray, axis: int | None = None) -> np.ndarray:
    """Return how many codes are NEW, summed along an axis."""
    both = packed & (packed >> 1)
    both &= 0x55
    counts: np.ndarray = np.bitwise_count(both).sum(axis=axis, dtype=np.int64)
    return counts


def check_new(symbols: bytes, count: int, last_label: int, tile: int) -> None:
    """Check the new labels, or ranks, of a tile.

    Arguments:
        count: from count_new.

    Raises:
        FormatError: not as many as there are codes 3, or one beyond the last label.
    """
    if len(symbols) != count:
        raise FormatError("LABL", f"new labels of tile {tile}", count, len(symbols))
    if last_label < 255 and count:
        highest = int(np.frombuffer(symbols, np.uint8).max())
        if highest > last_label:
            field = f"new label in tile {tile}"
            raise FormatError("LABL", field, f"at most {last_label}", highest)


def decode(
    tiles: Sequence[tuple[bytes, bytes]],
    shape: tuple[int, int],
    order: np.ndarray | None = None,
) -> np.ndarray:
    """Return the labels of tiles of one size, the inverse of encode.

    Arguments:
        tiles: codes and new labels of each, as count_new and check_new take them.
        shape: (height, width) of each tile.
        order: (K, K) uint8, labels by label above and rank, where new labels are ranks; else None.

    Returns:
        (tiles, height, width) uint8.
    """
    height, width = shape
    count = len(tiles)
    if not count:
        return np.zeros((0, height, width), np.uint8)
    if count * width < _FEW_PIXELS:
        return np.stack([_decode_one_by_one(*tile, shape, order) for tile in tiles])
    # Tiles beside one another: a step takes a row of all of them.
    packed = np.stack([np.frombuffer(codes, np.uint8).reshape(-1, width) for codes, _ in tiles], 1)
    packed = packed.reshape(len(packed), -1)
    symbols = [np.frombuffer(new, np.uint8) for _, new in tiles]
    labels = np.empty((height, count * width), np.uint8)
    above = np.zeros(count * width, np.uint8)
    rows = max(_AT_ONCE // (count * width * _BAND), 1) * _BAND
    for first in range(0, height, rows):
        some = labels[first : first + rows]
        codes = packed[first // PER_BYTE : -(-(first + rows) // PER_BYTE)]
        counts = _count_codes_new(codes, axis=0).reshape(count, width).sum(axis=1).tolist()
        new = [listed[:number] for listed, number in zip(symbols, counts, strict=True)]
        symbols = [listed[number:] for listed, number in zip(symbols, counts, strict=True)]
        _decode_rows(codes, np.concatenate(new), some, above, width, order)
        above = some[-1]
    if count == 1:
        return labels[None]
    return np.ascontiguousarray(labels.reshape(height, count, width).swapaxes(0, 1))


def _decode_rows(
    packed: np.ndarray,
    symbols: np.ndarray,
    labels: np.ndarray,
    above: np.ndarray,
    tile_width: int,
    order: np.ndarray | None,
) -> None:
    """Decode some rows of tiles beside one another, from a multiple of _BAND on.

    Arguments:
        packed: (rows, W) uint8, their codes.
        symbols: (n,) uint8, new labels or ranks, tile by tile.
        labels: (height, W) uint8, written. above: (W,) uint8, the labels of the row before.
        tile_width: of each tile. order: (K, K) uint8, None where new labels are no ranks.
    """
    height, width = labels.shape
    # The row before, the labels, the new labels, a zero: whatever a pixel copies is in one array,
    # and the label above pixel p lies at p.
    new_at = (height + 1) * width
    buffer = np.empty(new_at + len(symbols) + 1, np.uint8)
    buffer[:width], buffer[-1] = above, 0
    at, sources, new = _sources(packed, height, tile_width, new_at, len(buffer) - 1)
    if len(symbols):
        buffer[new_at:-1][_listed(at[new], width, tile_width)] = symbols
    edges = np.arange(height + 1) * width
    bounds = np.searchsorted(at, edges)
    touched = np.flatnonzero(np.diff(bounds)).tolist()
    firsts = bounds.tolist()
    targets = at + width
    table = None if order is None else np.ascontiguousarray(order)
    above_new = at[new]
    new_firsts = np.searchsorted(above_new, edges).tolist()
    rows = buffer[:new_at].reshape(-1, width)
    done = 0
    for y in touched:
        rows[done + 1 : y + 2] = rows[done]
        done = y + 1
        if table is not None and (first := new_firsts[y]) < (last := new_firsts[done]):
            ranks = buffer[new_at + first : new_at + last]
            ranks[...] = table[buffer[above_new[first:last]], ranks]
        part = slice(firsts[y], firsts[done])
        buffer[targets[part]] = buffer[sources[part]]
    rows[done + 1 :] = rows[done]
    labels[...] = rows[1:]


def _sources(
    packed: np.ndarray, height: int, tile_width: int, new_at: int, zero_at: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where the labels come from that are not copied from above, row by row.

    Arguments:
        new_at, zero_at: where in the array of _decode_rows the new labels begin, and the zero is
            that lies outside of tiles.

    Returns:
        the pixels (n,); where in the array of _decode_rows the label of each lies; which of them
        are new, as indices.
    """
    flat = _unpack(packed, height)
    # Numpy finds what is true several times as fast as what is not zero.
    at = np.flatnonzero(flat != ABOVE)
    codes = flat[at]
    # Faster than dividing.
    starts = np.arange(0, len(flat) + 1, tile_width)
    columns = at - np.repeat(starts[:-1], np.diff(np.searchsorted(at, starts)))
    new = np.flatnonzero(codes == NEW)
    sources = np.where(columns == tile_width - 1, zero_at, at + 1)
    sources[new] = np.arange(new_at, new_at + len(new))
    left = np.flatnonzero(codes == LEFT)
    if len(left):
        # What lies left of the first pixel of a run of LEFT is what all of the run copy.
        goes_on = np.zeros(len(left), np.bool_)
        goes_on[1:] = (np.diff(at[left]) == 1) & (columns[left[1:]] > 0)
        first = np.flatnonzero(~goes_on)
        run = left[first]
        before = at[run] - 1
        source = before.copy()
        # That pixel is copied from above itself, or has a source of its own, or is no pixel.
        listed = (run > 0) & (at[run - 1] == before)
        source[listed] = sources[run[listed] - 1]
        source[columns[run] == 0] = zero_at
        lengths = np.diff(np.append(first, len(left)))
        sources[left] = np.repeat(source, lengths)
    return at, sources, new


def _decode_one_by_one(
    codes: bytes, symbols: bytes, shape: tuple[int, int], order: np.ndarray | None
) -> np.ndarray:
    """Decode one tile pixel by pixel: faster where a row is a few pixels."""
    height, width = shape
    rankings = None if order is None else [row.tobytes() for row in order]
    unpacked = _unpack(np.frombuffer(codes, np.uint8).reshape(-1, width), height)
    listed = np.empty(len(symbols), np.uint8)
    places = _listed(np.flatnonzero(unpacked == NEW), width, width)
    listed[places] = np.frombuffer(symbols, np.uint8)
    new = iter(listed.tobytes())
    code_of = iter(unpacked.tobytes())
    # One zero before and after each row is all that lies outside the tile.
    above = bytearray(width + 2)
    rows = []
    for _ in range(height):
        row = bytearray(width + 2)
        for x in range(1, width + 1):
            code = next(code_of)
            if code == ABOVE:
                row[x] = above[x]
            elif code == LEFT:
                row[x] = row[x - 1]
            elif code == ABOVE_RIGHT:
                row[x] = above[x + 1]
            else:
                symbol = next(new)
                row[x] = symbol if rankings is None else rankings[above[x]][symbol]
        rows.append(row[1:-1])
        above = row
    return np.frombuffer(b"".join(rows), np.uint8).reshape(shape)
