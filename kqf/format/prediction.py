"""Label prediction: labels stored as ranks in the order in which they are likely (section 7)."""

import sys
from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np

from kqf.errors import FormatError
from kqf.format.header import Head
from kqf.format.streams import inflate
from kqf.threads import each, exhaust

# Squared distances are below 4 * 255**2 < 2**18: distance and label fit one int32 sort key.
_LABEL_BITS = 8
# With fewer chains than this, a step of numpy costs more than its pixels one by one.
_FEW_CHAINS = 32
# With more chains, what they need fills the processor's cache; with more pixels in a block of them,
# threads and whoever waits for rows have too little to do.
_MANY_CHAINS = 2**14
_BLOCK_PIXELS = 2**22
# The width of tiles from which on their columns are rearranged, and how many words of each row at a
# time: those of a line of the cache.
_WIDE = 64
_WORDS = 8


def contexts(labels: np.ndarray, predictor: int) -> np.ndarray:
    """Return the context label of each pixel of a tile, (h, w), for predictor 1 or 2."""
    result = np.zeros_like(labels)
    if predictor == 1:
        result[:, 1:] = labels[:, :-1]
    else:
        result[1:] = labels[:-1]
    return result


def count_pairs(labels: np.ndarray, predictor: int, colors: int) -> np.ndarray:
    """Count each label after each context in one tile: (K, K) int64, by context then label."""
    return count_after(contexts(labels, predictor), labels, colors)


def count_after(before: np.ndarray, labels: np.ndarray, colors: int) -> np.ndarray:
    """Count labels after others of the same shape: (K, K) int64, by the one before, then label."""
    counts = np.bincount(_pairs(before, labels, colors).ravel(), minlength=colors * colors)
    return counts.reshape(colors, colors)


def _pairs(before: np.ndarray, labels: np.ndarray, colors: int) -> np.ndarray:
    """Return where each pair is in a table (K, K), flat."""
    pairs = before.astype(np.uint16)
    pairs *= colors
    pairs += labels
    return pairs


def list_frequent(counts: np.ndarray, threshold: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels worth listing after each context.

    Arguments:
        counts: (K, K) from count_pairs, summed over tiles.
        threshold: times that a label must follow a context to be listed.

    Returns:
        lengths (K,) int64, labels listed after each context, 0 to 255; and the lists one after
        another, (N,) uint8, most frequent first, ties by label.
    """
    colors = len(counts)
    keys = (-counts << _LABEL_BITS) + np.arange(colors)
    keys.sort(axis=1)
    # At most 255 fit the byte that states the length of a list.
    lengths = np.minimum((counts >= threshold).sum(axis=1), 255)
    return lengths, (keys & 0xFF).astype(np.uint8)[np.arange(colors) < lengths[:, None]]


def build_table(lengths: np.ndarray, labels: np.ndarray) -> bytes:
    """Return the payload of ``RANK``, inflated, from lists as list_frequent returns them."""
    starts = np.cumsum(lengths) - lengths
    return np.insert(labels, starts, lengths.astype(np.uint8)).tobytes()


def parse_table(table: bytes, codebook: np.ndarray) -> np.ndarray:
    """Return the ranking of each context, (K, K) uint8: labels by context and rank.

    Arguments:
        table: the payload of ``RANK``, inflated.
        codebook: (K, C) uint8.

    Raises:
        FormatError: too short or too long, a label beyond the codebook, a label listed twice.
    """
    colors = len(codebook)
    starts = [0] * colors
    at, size = 0, len(table)
    for context in range(colors):
        if at >= size:
            raise FormatError("RANK", "entries", colors, context)
        starts[context] = at
        at += 1 + table[at]
    if at != len(table):
        raise FormatError("RANK", "inflated size", at, len(table))
    # Each list follows the byte that states its length.
    data = np.frombuffer(table, np.uint8)
    listed = np.ones(len(data), np.bool_)
    listed[starts] = False
    labels = data[listed]
    if labels.size and (highest := int(labels.max())) >= colors:
        raise FormatError("RANK", "label", f"at most {colors - 1}", highest)
    return complete_lists(data[starts], labels, codebook)


def read_table(ranking: bytes | None, codebook: np.ndarray) -> np.ndarray:
    """Return the ranking of each context, (K, K) uint8, as a ``RANK`` says it.

    Arguments:
        ranking: the payload of ``RANK``; None if there is none, so that no label is listed.

    Raises:
        FormatError: see parse_table, or its stream is wrong.
    """
    colors = len(codebook)
    if ranking is None:
        return parse_table(bytes(colors), codebook)
    # A table of every label after every context is the longest.
    return parse_table(inflate(ranking, colors * (1 + min(colors, 255)), "RANK"), codebook)


def read_order(head: Head, codebook: np.ndarray, ranking: bytes | None) -> np.ndarray | None:
    """Return what read_table does; None where no label is ranked."""
    if not (head.predictor.is_ranked or head.ranked):
        return None
    return read_table(ranking, codebook)


def complete_lists(lengths: np.ndarray, labels: np.ndarray, codebook: np.ndarray) -> np.ndarray:
    """Return the ranking of each context, (K, K) uint8: its list, then the others by distance.

    Arguments:
        lengths, labels: lists as list_frequent returns them, each label below K.
        codebook: (K, C) uint8.

    Raises:
        FormatError: a list has a label twice.
    """
    keys = _distance_keys(codebook)
    # Listed labels get keys below any distance, in the order of the list.
    positions = np.arange(-len(labels), 0, dtype=np.int32) << _LABEL_BITS
    rows = np.repeat(np.arange(0, keys.size, len(codebook)), lengths)
    keys.reshape(-1)[rows + labels] = positions + labels
    if np.count_nonzero(keys < 0) != len(labels):
        raise FormatError("RANK", "labels of a context", "distinct", "one twice")
    keys.sort(axis=1)
    # The lowest byte of a key is the label.
    return keys.astype(np.uint8)


def _distance_keys(codebook: np.ndarray) -> np.ndarray:
    """Return (K, K) int32 that sort the labels after each context by distance, ties by label."""
    # All sums are whole numbers below 2**24, so that float32 is exact.
    colors = codebook.astype(np.float32)
    squares = (colors * colors).sum(axis=1, keepdims=True)
    ones = np.ones_like(squares)
    left = np.concatenate([colors, squares, ones], axis=1)
    right = np.concatenate([colors * -2, ones, squares], axis=1).T
    keys = np.empty((len(codebook), len(codebook)), np.int32)
    # Few enough rows at a time for OpenBLAS to stay in one thread.
    for first in range(0, len(keys), 128):
        keys[first : first + 128] = left[first : first + 128] @ right
    keys <<= _LABEL_BITS
    keys += np.arange(len(keys), dtype=np.int32)
    return keys


def invert(order: np.ndarray) -> np.ndarray:
    """Return ranks by context and label, (K, K) uint8, from labels by context and rank."""
    ranks = np.empty_like(order)
    positions = np.arange(len(order), dtype=np.uint8)[None]
    np.put_along_axis(ranks, order.astype(np.intp), positions, axis=1)
    return ranks


def rank(labels: np.ndarray, ranks: np.ndarray, predictor: int) -> np.ndarray:
    """Return the symbols (h, w) uint8 of one tile's labels, for predictor 1 or 2.

    Arguments:
        ranks: from invert.
    """
    return rank_after(contexts(labels, predictor), labels, ranks)


def rank_after(before: np.ndarray, labels: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Return the rank of each label after another, uint8, both of one shape.

    Arguments:
        ranks: from invert.
    """
    return np.take(ranks.ravel(), _pairs(before, labels, len(ranks)))


def unrank(
    labels: np.ndarray, order: np.ndarray, predictor: int, side: int, threads: int = 1
) -> None:
    """Turn the symbols of tiles into their labels in place, the inverse of rank.

    Arguments: those of unrank_in_steps.
    """
    exhaust(unrank_in_steps(labels, order, predictor, side, threads))


def unrank_in_steps(
    labels: np.ndarray, order: np.ndarray, predictor: int, side: int, threads: int = 1
) -> Iterator[int]:
    """Unrank as unrank does, in steps between which the rows done can be used.

    Arguments:
        labels: (H, W) uint8, writable: the symbols, each below K, of tiles beside (predictor 1) or
            below (2) one another, the last of which may be cut off.
        order: (K, K) uint8 from parse_table.
        predictor: 1 or 2.
        side: width (predictor 1) or height (2) of a tile.
        threads: at most so many, where there are blocks for them.

    Yields:
        how many rows from the top are labels by now; at last, all.
    """
    height, width = labels.shape
    # A step takes one row of all tiles at once, or one column: each depends on the one before.
    steps = labels if predictor == 2 else labels.T
    side = min(side, len(steps))
    tiles = -(-len(steps) // side)
    if tiles * steps.shape[1] < _FEW_CHAINS:
        _unrank_one_by_one(steps, order, side)
        yield height
        return
    # One index of two bytes: the context in the high one, the symbol in the low one.
    table = np.zeros((len(order), 256), np.uint8)
    table[:, : len(order)] = order
    if predictor == 2 and _MANY_CHAINS // 8 < width < _MANY_CHAINS:
        # A row is enough for a step. Rows that are done can be used meanwhile: that is worth more
        # than several tiles at once.
        for top in range(0, height, side):
            for done in _unrank_steps(labels[top : top + side], table):
                yield top + done
        return
    blocks = _blocks(labels.shape, predictor, side)

    def unrank_block(block: tuple[slice, slice]) -> int:
        part = labels[block]
        if predictor == 1 and side >= _WIDE:
            _unrank_words(part, table, side)
        else:
            _unrank_tiles(part if predictor == 2 else part.T, table, side)
        rows, columns = block
        return int(rows.stop if columns.stop == width else rows.start)

    yield from each(unrank_block, blocks, min(threads, len(blocks)))


def _blocks(shape: tuple[int, int], predictor: int, side: int) -> list[tuple[slice, slice]]:
    """Cut labels into blocks of about as many chains as do best, whole tiles along their steps."""
    height, width = shape
    if predictor == 1:
        tiles = -(-width // side)
        rows = min(_MANY_CHAINS // tiles, _BLOCK_PIXELS // width)
        rows = max(rows, 8 * _FEW_CHAINS // tiles, 1)
        columns = min(width, side * _MANY_CHAINS)
    else:
        rows = side * max(_MANY_CHAINS // width, 1)
        columns = min(width, _MANY_CHAINS)
    return [
        (slice(top, min(top + rows, height)), slice(left, min(left + columns, width)))
        for top in range(0, height, rows)
        for left in range(0, width, columns)
    ]


def _unrank_tiles(steps: np.ndarray, table: np.ndarray, side: int) -> None:
    """Unrank tiles below one another, (steps of all, chains), all that are whole at once."""
    whole = len(steps) // side
    tiles = [steps[: whole * side].reshape(-1, side, steps.shape[1]).swapaxes(0, 1)]
    if len(steps) % side:
        tiles.append(steps[whole * side :])
    for chains in tiles:
        exhaust(_unrank_steps(chains, table))


def _unrank_steps(steps: np.ndarray, table: np.ndarray) -> Iterator[int]:
    """Unrank chains side by side, (steps, ...) uint8, in place; yield the steps done."""
    return _unrank_groups((steps[first : first + 8] for first in range(0, len(steps), 8)), table)


def _unrank_groups(groups: Iterable[np.ndarray], table: np.ndarray) -> Iterator[int]:
    """Unrank chains given as arrays (steps, ...), one at least, the last perhaps of fewer steps."""
    groups = iter(groups)
    first = next(groups)
    # Of indices like this numpy makes no copy, and setting bytes takes no arithmetic.
    index = np.zeros(first.shape, np.intp)
    octets = index.view(np.uint8).reshape(*first.shape, index.itemsize)
    if sys.byteorder == "big":
        octets = octets[..., ::-1]
    symbols, contexts = octets[..., 0], octets[..., 1]
    labels = np.zeros(first.shape, np.uint8)
    # The first context of all is label 0.
    before = labels[-1]
    rows = list(zip(index, contexts, labels, strict=True))
    done = 0
    for group in chain([first], groups):
        count = len(group)
        symbols[:count] = group
        for place, context, label in rows[:count]:
            context[...] = before
            # The index is in bounds by construction, and "clip" spares numpy a buffer.
            table.take(place, None, label, "clip")
            before = label
        group[...] = labels[:count]
        done += count
        yield done


def _unrank_words(labels: np.ndarray, table: np.ndarray, side: int) -> None:
    """Unrank rows of tiles side by side, as unrank does for predictor 1.

    Columns lie too far apart in memory to be gone through one by one: words of eight labels do not.
    """
    height, width = labels.shape
    lefts = range(0, width, side)
    words = np.zeros((_WORDS, len(lefts), height), np.uint64)
    octets = words.view(np.uint8).reshape(*words.shape, 8)
    steps = octets.reshape(_WORDS, -1, 8).swapaxes(1, 2)

    def pairs(first: int, last: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield views of the words and of the columns of each tile that they stand for."""
        for tile, left in enumerate(lefts):
            part = labels[:, left + first : min(left + last, width)]
            count, rest = divmod(part.shape[1], 8)
            yield words[:count, tile], part[:, : 8 * count].view(np.uint64).T
            if rest:
                yield octets[count, tile, :, :rest], part[:, 8 * count :]

    def groups() -> Iterator[np.ndarray]:
        for first in range(0, side, 8 * _WORDS):
            last = min(first + 8 * _WORDS, side)
            views = list(pairs(first, last))
            for ours, theirs in views:
                ours[...] = theirs
            yield from steps[: -(-(last - first) // 8)]
            for ours, theirs in views:
                theirs[...] = ours

    exhaust(_unrank_groups(groups(), table))


def _unrank_one_by_one(steps: np.ndarray, order: np.ndarray, side: int) -> None:
    """Unrank one pixel at a time: faster where a step is a pixel or few."""
    rankings = [row.tobytes() for row in order]
    for first in range(0, len(steps), side):
        for symbols in steps[first : first + side].T:
            label = 0
            labels = bytearray(symbols.tobytes())
            for place, symbol in enumerate(labels):
                labels[place] = label = rankings[label][symbol]
            symbols[...] = np.frombuffer(labels, np.uint8)


def rank_histogram(counts: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Return how often each rank occurs, (K,), from how often each label follows each context."""
    return np.bincount(ranks.ravel(), weights=counts.ravel(), minlength=len(counts))


def entropy(histogram: np.ndarray) -> float:
    """Return the order-0 entropy of symbols that occur as often as this, in bits for all."""
    occurring = histogram[histogram > 0]
    return float((occurring * np.log2(occurring.sum() / occurring)).sum())
